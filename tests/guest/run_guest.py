#!/usr/bin/env python3
"""Runs a guest program natively and in nodes, and compares.

Exit codes: 0 all the same; 1 something differs (told on stdout); 77 the backend is not to be had here (a SKIP line says
why; the native runs were still made).
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from topology import Broken, Topology, Unavailable

NODES = 4
TIMEOUT_SECONDS = 60
MODES = ("message-passing", "shared-memory")


@dataclass
class Outcome:
    exit: int
    out: bytes
    err: bytes

    def __str__(self):
        def shown(data):
            return data.decode(errors="backslashreplace") if len(data) < 4000 else f"<{len(data)} bytes>"

        return f"exit {self.exit}\n--- stdout\n{shown(self.out)}--- stderr\n{shown(self.err)}"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--divisi", required=True, help="folder of the programs under test")
    parser.add_argument("--backend", required=True, choices=("kvm", "direct"))
    parser.add_argument("--mode", action="append", choices=MODES)
    parser.add_argument("--binary", action="append", required=True)
    parser.add_argument("--stdin-lines", type=int, default=0)
    parser.add_argument("--exit", type=int, default=0)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--native-differs", action="store_true")
    parser.add_argument("args", nargs="*")
    options = parser.parse_args()
    options.mode = options.mode or list(MODES)
    if options.stdin_lines:
        options.ranks = 1
    return options


class Case:
    """One program with its arguments and input, to be run at several places."""

    def __init__(self, binary, options):
        self.binary = binary
        self.options = options
        self.input = b"".join(b"line %d of the input\n" % i for i in range(options.stdin_lines))
        self.environment = {"GUEST_TEST": "a value with = and spaces", "EMPTY": "", "TZ": "UTC"}

    def argv(self, cpus):
        return [self.binary] + [str(cpus) if arg == "@cpus@" else arg for arg in self.options.args]

    def native(self):
        with tempfile.TemporaryDirectory() as folder:
            try:
                done = subprocess.run(
                    self.argv(len(os.sched_getaffinity(0))), input=self.input, env=self.environment, cwd=folder,
                    capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
            except subprocess.TimeoutExpired:
                return Outcome(-1, b"", b"did not end natively")
        code = done.returncode if done.returncode >= 0 else 128 - done.returncode
        return Outcome(code, done.stdout, done.stderr)

    def in_nodes(self, topology, mode):
        """The outcome of each rank."""
        ranks = self.options.ranks if mode == "message-passing" else 1
        cpus = 1 if mode == "message-passing" else NODES
        with tempfile.TemporaryDirectory() as folder:
            result = topology.run(
                self.argv(cpus), nodes=ranks if mode == "message-passing" else NODES, ranks=ranks, stdin=self.input,
                environment=self.environment, cwd=folder, label=ranks > 1, timeout=TIMEOUT_SECONDS)
        if ranks == 1:
            return [Outcome(result.exits[0], result.out, result.err)]
        return [
            Outcome(result.exits[rank], unlabel(result.out, rank), unlabel(result.err, rank)) for rank in range(ranks)]


def unlabel(output, rank):
    """What one rank wrote, and what divisi itself says (its fault reports)."""
    prefix = b"[%d] " % rank
    lines = output.splitlines(True)
    return b"".join(
        line.removeprefix(prefix) for line in lines if line.startswith(prefix) or line.startswith(b"divisi: "))


def complaint(outcome, expected, code):
    """What is wrong with an outcome, or None."""
    if outcome.exit != code:
        return f"exit code {outcome.exit} instead of {code}"
    if outcome.out != expected:
        return "standard output differs"
    return None


class Judge:
    """Compares outcomes with what is expected, and tells what differs."""

    def __init__(self, options):
        self.options = options
        self.failures = 0
        self.told = set()

    def __call__(self, place, outcome, expected):
        if problem := complaint(outcome, expected, self.options.exit):
            self.failures += 1
            text = f"{problem}\n{outcome}"
            if len(expected) < 4000:
                text += f"--- expected stdout\n{expected.decode(errors='backslashreplace')}"
            # Ranks tend to fail alike: once is enough to read.
            print(f"FAILED {place}: {'as above' if text in self.told else text}", flush=True)
            self.told.add(text)

    def broken(self, place, problem):
        self.failures += 1
        print(f"FAILED {place}: {problem}", flush=True)


def run_natively(cases, options, judge):
    """The standard output expected of each case."""
    if options.native_differs:
        return {case: b"ok\n" for case in cases}
    outcomes = {case: case.native() for case in cases}
    for case, outcome in outcomes.items():
        judge(f"{os.path.basename(case.binary)} natively", outcome, outcome.out)
    return {case: outcome.out for case, outcome in outcomes.items()}


def run_in_nodes(cases, options, mode, expected, judge):
    left = list(cases)
    while left:
        with Topology(options.divisi, options.backend, mode, NODES) as topology:
            while left:
                case = left.pop(0)
                place = f"{os.path.basename(case.binary)} on {options.backend} in {mode} mode"
                try:
                    for rank, outcome in enumerate(case.in_nodes(topology, mode)):
                        judge(f"{place}, rank {rank}", outcome, expected[case])
                    topology.check_alive()
                except Broken as problem:
                    judge.broken(place, problem)
                    break  # the others get a topology that is sound


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    options = parse_arguments()
    judge = Judge(options)
    cases = [Case(binary, options) for binary in options.binary]
    expected = run_natively(cases, options, judge)
    try:
        for mode in options.mode:
            run_in_nodes(cases, options, mode, expected, judge)
    except Unavailable as reason:
        print(f"SKIP: {reason}")
        if not judge.failures:
            return 77
    return 1 if judge.failures else 0


if __name__ == "__main__":
    sys.exit(main())
