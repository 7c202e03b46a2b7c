#!/usr/bin/env python3
"""Text files are clean: no trailing blanks, a newline at the end, no carriage returns, no path of one machine."""

import re
import sys

from tracked import ROOT, tracked_files

BINARY = (".png", ".gz", ".xz", ".pdf")
# A path that begins in the home or work folder of whoever wrote it means nothing elsewhere.
MACHINE_PATH = re.compile(r"(?<![\w.~$}/-])/(?:work|root|home/\w+)/")


def problems_of(name, data):
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        yield 1, f"not UTF-8: {error.reason}"
        return
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no newline at the end of the file"
    if text.endswith("\n\n"):
        yield text.count("\n"), "empty lines at the end of the file"
    for number, line in enumerate(text.split("\n"), 1):
        if line.endswith("\r"):
            yield number, "carriage return"
        elif line != line.rstrip():
            yield number, "trailing blanks"
        if "\t" in line and not name.endswith((".S", "Makefile", ".1", ".5", ".8")):
            yield number, "tab"
        if MACHINE_PATH.search(line) and not name.startswith("tests/style/"):
            yield number, "a path of one machine"


def main():
    count = 0
    for name in tracked_files():
        if name.endswith(BINARY):
            continue
        with open(f"{ROOT}/{name}", "rb") as file:
            for line, problem in problems_of(name, file.read()):
                print(f"{name}:{line}: {problem}")
                count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
