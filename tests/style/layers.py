#!/usr/bin/env python3
"""Holds the #includes of the code to the layers that CONTRIBUTING.md draws."""

import os
import re
import sys

from tracked import ROOT, read, with_suffix

# What a folder may include beside itself. The longest folder that a file lies in counts; "nothing" is spelled ().
# tests and bench are not here: they may include all.
LAYERS = {
    "base": (),
    "shm/abi": (),
    "shm": ("shm/abi", "base"),
    "partitioner": ("base",),
    "hv": ("base",),
    "hv/vmm": ("hv", "shm", "shm/abi", "base"),
    "daemon/api": ("base",),
    "daemon": ("daemon/api", "partitioner", "shm", "shm/abi", "base"),
    "ctl": ("daemon/api", "partitioner", "base"),
    "guest": ("shm/abi",),
    "guest/mpi": ("guest", "guest/libdivisi", "shm/abi"),
    "examples": ("guest", "guest/libdivisi", "guest/mpi", "guest/include"),
}

# Libraries that are known to one folder (and what lies below it) only.
CONFINED = [
    (r"hwloc(\.h|/)", ("partitioner",)),
    (r"scotch\.h", ("partitioner",)),
    (r"yaml-cpp/", ("partitioner",)),
    (r"linux/kvm\.h|asm/kvm\.h", ("hv",)),
    (r"boost/interprocess/", ("shm",)),
    (r"boost/beast(\.hpp|/)", ("daemon/api",)),
    (r"boost/asio(\.hpp|/)", ("daemon",)),
    (r"seccomp\.h", ("hv",)),
    (r"elfutils/|dwarf\.h", ("hv/unwind",)),
    (r"CLI/", ("ctl", "daemon", "hv/vmm")),
    (r"spdlog/", ("ctl", "daemon", "hv/vmm")),
]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def layer_of(path):
    """The longest folder of LAYERS that `path` lies in, or its top folder."""
    parts = path.split("/")[:-1]
    for length in range(len(parts), 0, -1):
        if "/".join(parts[:length]) in LAYERS:
            return "/".join(parts[:length])
    return parts[0] if parts else ""


def resolve(source, spelled):
    """The file of ours that an include means, or None for a header of a library or the system."""
    for base in ("", os.path.dirname(source)):
        candidate = os.path.normpath(os.path.join(base, spelled))
        if os.path.isfile(os.path.join(ROOT, candidate)):
            return candidate
    return None


def complaint(source, spelled):
    layer = layer_of(source)
    target = resolve(source, spelled)
    if target is not None:
        wanted = layer_of(target)
        if wanted in ("tests", "bench"):
            return f"nothing may include {wanted}/"
        if wanted != layer and wanted not in LAYERS[layer]:
            allowed = ", ".join(LAYERS[layer]) or "nothing but itself"
            return f"{layer}/ may include {allowed}; not {wanted}/"
        return None
    for pattern, folders in CONFINED:
        if re.match(pattern, spelled) and not any(source.startswith(folder + "/") for folder in folders):
            return f"<{spelled}> is for {', '.join(folders)} only"
    return None


def main():
    problems = 0
    for source in with_suffix(".c", ".cpp", ".h", ".hpp", ".inc", ".S"):
        layer = layer_of(source)
        if layer in ("tests", "bench"):
            continue
        if layer not in LAYERS:
            print(f"{source}: the folder '{layer}' has no layer; give it one in tests/style/layers.py")
            problems += 1
            continue
        text = read(source)
        for match in INCLUDE.finditer(text):
            if problem := complaint(source, match.group(2)):
                line = text.count("\n", 0, match.start()) + 1
                print(f"{source}:{line}: {problem}")
                problems += 1
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
