#!/usr/bin/env python3
"""Attacks from inside nodes, and what must be left after each.

A job of two ranks or more: the last is a neighbour, who checks its own memory all the time; the others attack. An attack
may end its own rank, and nothing else: the neighbour ends well, divisi-vmm answers and has nothing left open, a process
and a file of the host's are as they were, and a harmless program runs on the same nodes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../guest"))
from topology import Broken, Topology, Unavailable  # noqa: E402

MODES = ("message-passing", "shared-memory")
# ILL, TRAP, ABRT, BUS, FPE, KILL, SEGV, ALRM, SYS
OWN_DEATHS = {128 + signo for signo in (4, 5, 6, 7, 8, 9, 11, 14, 31)}
STUB_CODE_BYTES = 0x310
JUMPERS = 15


def attacks(canary, pid):
    """(name, arguments, attackers, s until it is killed) of each."""
    yield from (("numbers", (offset,), 1, None) for offset in (0, 0x40000000, 0x41000000))
    yield from ((name, (), 1, None) for name in (
        "strange-numbers", "int80", "sysenter", "vsyscall", "instructions", "interrupts", "flags", "addresses", "keys",
        "vectors", "pages", "births", "kernel", "memory", "mappings", "descriptors", "threads",
        "leave-a-secret", "find-a-secret"))
    yield from (("compatibility", (which,), 1, None) for which in range(6 * 8))
    yield from (("bases", (which, register), 1, None) for which in range(7) for register in (0, 1))
    yield from (("segments", (selector,), 1, None) for selector in (0, 3, 0x08, 0x23, 0x2b, 0x33, 0x53, 0x7b, 0xffff))
    yield from (("frames", (pattern,), 1, None) for pattern in (0, 1, 0x41, 0xff))
    yield from (("frames-of-others", (pattern,), 1, None) for pattern in (0, 1, 0xff))
    yield from (("forged-return", (variant,), 1, None) for variant in range(14))
    yield from (("forged-signal", (variant,), 1, None) for variant in range(18))
    yield from (("windows", (pattern,), 1, None) for pattern in (0, 1, 0xff))
    yield from (("deaf", (way,), 1, 0.2) for way in (0, 1))
    yield "processes", (pid, os.getpid(), os.getppid(), 1), 1, None
    yield "files", (canary, pid), 1, None
    for variant in range(5):
        yield from (("jump", (offset, variant), JUMPERS, None) for offset in range(0, STUB_CODE_BYTES, JUMPERS))


class Host:
    """What must not be harmed: a process, and a file outside of what a node may write to."""

    def __init__(self, folder):
        self.process = subprocess.Popen(["sleep", "1000"])
        with tempfile.NamedTemporaryFile("w", prefix="canary-", dir=folder, delete=False) as file:
            file.write("untouched\n")
        self.file = file.name

    def complaint(self):
        if self.process.poll() is not None:
            return "a process of the host's was killed"
        with open(self.file, encoding="ascii") as file:
            return None if file.read() == "untouched\n" else "a file of the host's was changed"

    def close(self):
        self.process.kill()
        self.process.wait()
        os.unlink(self.file)


def complaint(result, attackers, any_code):
    """What is wrong with how a job ended, or None."""
    if result.exits[-1] != 0 or b"neighbour ok\n" not in result.out:
        return f"the neighbour ended with {result.exits[-1]}"
    ends = set(result.exits[:attackers])
    if b"BROKEN" in result.out or not any_code and not ends <= OWN_DEATHS | {0}:
        return f"exit codes {sorted(ends)}"
    errors = [rank["error"] for rank in result.report["ranks"] if "error" in rank]
    return f"divisi-vmm met an error: {errors[0]}" if errors else None


def run_attack(topology, host, options, what):
    name, arguments, attackers, kill_after = what
    argv = [options.program, name] + [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory() as folder:
        ranks = 1 if kill_after is not None else attackers + 1
        result = topology.run(argv, ranks=ranks, nodes=0 if topology.shared else ranks, cwd=folder, timeout=60,
                              kill_after=kill_after)
    problem = host.complaint()
    if problem is None and kill_after is None:
        problem = complaint(result, attackers, name == "jump")  # the stub's code knows how to exit
    elif problem is None and result.exits != [137]:
        problem = f"it was killed, and ended with {result.exits}"
    if problem is not None:
        problem += f"\n{result.out.decode(errors='replace')[-2000:]}{result.err.decode(errors='replace')[-2000:]}"
    if name == "nothing":
        return problem or (f"a harmless program ended with {result.exits}" if any(result.exits) else None)
    topology.check_alive()
    return problem or run_attack(topology, host, options, ("nothing", (), attackers, None))


def run_mode(options, mode, host, failures):
    wanted = [what for what in attacks(host.file, host.process.pid) if not options.only or what[0] in options.only]
    while wanted:
        with Topology(options.divisi, options.backend, mode, JUMPERS + 1) as topology:
            topology.shared = mode == "shared-memory"
            # The layout of the ranks stays: what it takes is not what an attack has left.
            run_attack(topology, host, options, ("nothing", (), 1, None))
            topology.idle_files = topology.open_files()
            while wanted:
                what = wanted.pop(0)
                # A rank needs a node of its own, and this attack a second one.
                if topology.shared and what[0] == "jump" or not topology.shared and what[0] == "frames-of-others":
                    continue
                place = f"{what[0]} {' '.join(map(str, what[1]))} on {options.backend} in {mode} mode"
                begin = time.monotonic()
                try:
                    problem = run_attack(topology, host, options, what)
                except Broken as broken:
                    failures.append(place)
                    print(f"FAILED {place}: {broken}", flush=True)
                    break
                if options.times:
                    print(f"{time.monotonic() - begin:8.3f} s  {place}", flush=True)
                if problem is not None:
                    failures.append(place)
                    print(f"FAILED {place}: {problem}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--divisi", required=True, help="folder of the programs under test")
    parser.add_argument("--program", required=True, help="the attacker")
    parser.add_argument("--backend", required=True, choices=("kvm", "direct"))
    parser.add_argument("--mode", choices=MODES)
    parser.add_argument("--only", action="append", help="this attack alone")
    parser.add_argument("--times", action="store_true", help="print how long each took")
    options = parser.parse_args()
    failures = []
    host = Host(os.path.dirname(options.program))  # the scratch folders may be written to
    try:
        for mode in MODES if options.mode is None else (options.mode,):
            run_mode(options, mode, host, failures)
    except Unavailable as reason:
        print(f"SKIP: {reason}")
        return 77
    finally:
        host.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
