#!/usr/bin/env python3
"""Runs call_fuzz, random system calls with random arguments, in nodes: whatever it asks for, divisi-vmm stays well.

By hand, for long: tests/guest/run_fuzz.py --divisi build/bin --binary build/guest-programs/call_fuzz.c.glibc \\
    --backend kvm --calls 10000000 --calls-a-job 250000 --seed 1

Exit codes: 0 all went well; 1 something did not; 77 the backend is not to be had here.
"""

import argparse
import os
import sys
import tempfile

from topology import Broken, Topology, verdict

NODES = 4


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--divisi", required=True, help="folder of the programs under test")
    parser.add_argument("--backend", required=True, choices=("kvm", "direct"))
    parser.add_argument("--binary", required=True)
    parser.add_argument("--calls", type=int, default=40000)
    parser.add_argument("--calls-a-job", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--job-seconds", type=int, default=60)
    return parser.parse_args()


def fuzz(options, mode, seeds):
    """Jobs one after another in one topology. In shared-memory mode every second one has a thread a node."""
    with Topology(options.divisi, options.backend, mode, NODES) as topology:
        for seed in seeds:
            ranks = 2 if mode == "message-passing" else 1
            threads = NODES if mode == "shared-memory" and seed % 2 else 1
            argv = [options.binary, str(seed), str(options.calls_a_job // ranks), str(threads)]
            try:
                with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                    done = topology.run(
                        argv, nodes=ranks if mode == "message-passing" else NODES, ranks=ranks, cwd=folder,
                        timeout=options.job_seconds)
                topology.check_alive()
            except Broken as problem:
                raise Broken(f"{mode}, seed {seed}: {problem}\n{topology.log()}") from problem
            if any(done.exits):
                raise Broken(f"{mode}, seed {seed}: exit codes {done.exits}\n{done.err.decode(errors='replace')}")


def run(options):
    jobs = max(2, options.calls // options.calls_a_job)
    seeds = range(options.seed, options.seed + jobs)
    fuzz(options, "shared-memory", seeds[: jobs - jobs // 2])
    fuzz(options, "message-passing", seeds[jobs - jobs // 2 :])
    print(f"{jobs * options.calls_a_job} calls, and divisi-vmm is well")
    return 0


def main():
    options = parse_arguments()
    return verdict(options.backend, lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
