#!/usr/bin/env python3
"""Names the files that have outgrown the house style; a warning, never a failure."""

import sys

from tracked import read, tracked_files

# Twice the usual size: the point at which to ask whether two ideas share the place.
LIMITS = {".hpp": 200, ".h": 300, ".cpp": 400, ".c": 400, ".py": 400, ".sh": 200}


def main():
    for name in tracked_files():
        suffix = name[name.rfind("."):] if "." in name else ""
        lines = read(name).count("\n")
        if lines > LIMITS.get(suffix, lines):
            print(f"warning: {name} has {lines} lines (more than {LIMITS[suffix]}): do two ideas share it?")
    return 0


if __name__ == "__main__":
    sys.exit(main())
