#!/usr/bin/env python3
"""All C and C++ files are as clang-format would have them; with --fix they are made so."""

import shutil
import subprocess
import sys

from tracked import ROOT, with_suffix


def main():
    program = shutil.which("clang-format-14") or shutil.which("clang-format")
    if program is None:
        print("SKIP: clang-format is not installed: the format of the code was not checked")
        return 77
    files = with_suffix(".c", ".cpp", ".h", ".hpp")
    if "--fix" in sys.argv[1:]:
        return subprocess.run([program, "-i", *files], cwd=ROOT, check=False).returncode
    done = subprocess.run(
        [program, "--dry-run", "-Werror", *files], cwd=ROOT, capture_output=True, text=True, check=False)
    # One line a place; clang-format's own picture of it says no more.
    places = [line for line in done.stderr.splitlines() if ": error: " in line]
    print("\n".join(places) if places else done.stderr)
    if done.returncode:
        print("scripts/format mends this")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
