#!/usr/bin/env python3
"""Runs the documentation's examples, and compares what they print with what stands there.

An example is a `console` block after the comment <!-- runs -->, or <!-- runs: nodes --> where it needs a backend. Lines
that begin with "$ " are run, in one folder for all blocks of a page, one after another; the lines below a command are
its output. "…" in them stands for anything within a line, and alone in a line for any lines; no lines say nothing.
"""

import os
import re
import subprocess
import sys
import tempfile

from tracked import ROOT, read, with_suffix

BLOCK = re.compile(r"<!-- runs(?:: (?P<needs>\w+))? -->\n+```console\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)


def commands_of(text):
    """Pairs of a command and the lines expected of it."""
    commands = []
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif commands:
            commands[-1][1].append(line)
    return commands


def pattern_of(lines):
    parts = []
    for line in lines:
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*")
        else:
            parts.append(re.escape(line.rstrip()).replace("…", ".*") + r" *\n")
    return re.compile("".join(parts))


class Place:
    """A folder in which a page's commands see the project as a reader does, and may write."""

    def __init__(self, folder, programs):
        for name in os.listdir(ROOT):
            if not name.startswith((".", "build")):
                os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
        os.makedirs(os.path.join(folder, "build"))
        os.symlink(programs, os.path.join(folder, "build/bin"))
        self.folder = folder
        self.environment = {
            **os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "DIVISI_STATE_DIR": os.path.join(folder, "state"),
            "LC_ALL": "C.UTF-8"}

    def run(self, command):
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
        return done.returncode, done.stdout

    def has_nodes(self):
        code, _ = self.run("divisi carve policies/pair.yaml --name probe && divisi release probe")
        return code != 5  # the backend is out of reach


def check_page(page, place):
    """Problems of one page, and whether blocks of it were skipped."""
    problems, skipped = [], False
    nodes = None
    for block in BLOCK.finditer(read(page)):
        if block["needs"] == "nodes":
            nodes = place.has_nodes() if nodes is None else nodes
            if not nodes:
                skipped = True
                continue
        for command, expected in commands_of(block["text"]):
            code, output = place.run(command)
            if code != 0:
                problems.append(f"{page}: '{command}' ended with {code}\n{output}")
            elif expected and not pattern_of(expected).fullmatch(output):
                wanted = "\n".join(expected)
                problems.append(f"{page}: '{command}' printed\n{output}--- instead of\n{wanted}\n")
    return problems, skipped


def main():
    programs = os.path.abspath(sys.argv[1])
    problems = []
    for page in with_suffix(".md"):
        if not BLOCK.search(read(page)):
            continue
        with tempfile.TemporaryDirectory() as folder:
            place = Place(folder, programs)
            try:
                found, skipped = check_page(page, place)
            finally:
                place.run("divisi daemon stop")
            problems += found
            if skipped:
                print(f"SKIP: no backend for nodes on this machine: the examples of {page} that need one were not run")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
