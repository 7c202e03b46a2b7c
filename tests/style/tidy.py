#!/usr/bin/env python3
"""Runs clang-tidy over the sources in a build's compile_commands.json, in parallel.

  tidy.py BUILD [--fix] [FILE…]

What was clean is remembered in BUILD/tidy-cache by a hash of all that the verdict depends on: the command, the
configuration, the tool, and the text of the source and of every header of ours that it reads.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from tracked import ROOT

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.MULTILINE)
# Test programs are held to the compiler's warnings and to the format; parsing them costs more than it finds.
LEFT_OUT = ("tests/", "bench/")


@lru_cache(maxsize=None)
def text_of(path):
    with open(path, "rb") as file:
        return file.read()


def headers_of(path, seen):
    """The files of ours that `path` includes, directly or not, itself among them."""
    if path in seen:
        return seen
    seen.add(path)
    for spelled in INCLUDE.findall(text_of(path).decode(errors="replace")):
        for base in (ROOT, os.path.dirname(path)):
            candidate = os.path.normpath(os.path.join(base, spelled))
            if os.path.isfile(candidate):
                headers_of(candidate, seen)
                break
    return seen


def configurations(path):
    folder = os.path.dirname(path)
    while folder.startswith(ROOT):
        candidate = os.path.join(folder, ".clang-tidy")
        if os.path.isfile(candidate):
            yield candidate
        folder = os.path.dirname(folder)


class Tidy:
    def __init__(self, build, fix):
        self.build = build
        self.fix = fix
        self.program = shutil.which("clang-tidy-14") or shutil.which("clang-tidy")
        self.cache = os.path.join(build, "tidy-cache")
        os.makedirs(self.cache, exist_ok=True)
        self.version = subprocess.run([self.program, "--version"], capture_output=True, check=True).stdout

    def key(self, entry):
        digest = hashlib.sha256(self.version + entry["command"].encode())
        for path in sorted(headers_of(entry["file"], set())) + list(configurations(entry["file"])):
            digest.update(path.encode() + b"\0" + hashlib.sha256(text_of(path)).digest())
        return digest.hexdigest()

    def check(self, entry):
        """What clang-tidy says of one source; empty when it is clean."""
        mark = os.path.join(self.cache, self.key(entry))
        if os.path.exists(mark):
            return ""
        command = [self.program, "-p", self.build, "--quiet", "--extra-arg=-Wno-unknown-warning-option"]
        done = subprocess.run(
            command + (["--fix"] if self.fix else []) + [entry["file"]], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            with open(mark, "w", encoding="utf-8"):
                pass
            return ""
        return done.stdout or done.stderr


def sources(build, wanted):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = {entry["file"]: entry for entry in json.load(file)}
    for path, entry in sorted(entries.items()):
        name = os.path.relpath(path, ROOT)
        if not path.endswith((".c", ".cpp")) or name.startswith(("..", "build", *LEFT_OUT)):
            continue
        if not wanted or name in wanted:
            yield entry


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--fix", action="store_true")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    if not (shutil.which("clang-tidy-14") or shutil.which("clang-tidy")):
        print("SKIP: clang-tidy is not installed: the code was not examined")
        return 77
    tidy = Tidy(os.path.abspath(options.build), options.fix)
    wanted = {os.path.relpath(os.path.abspath(name), ROOT) for name in options.files}
    findings = set()
    with ThreadPoolExecutor(1 if options.fix else len(os.sched_getaffinity(0))) as pool:
        for output in pool.map(tidy.check, sources(options.build, wanted)):
            # A finding in a header comes once with every source that reads it.
            findings.update(re.split(r"\n(?=\S+:\d+:\d+: (?:error|warning))", output.strip()))
    findings.discard("")
    for finding in sorted(findings):
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
