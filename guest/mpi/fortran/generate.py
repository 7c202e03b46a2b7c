#!/usr/bin/env python3
"""Makes the Fortran bindings of MPI from the prototypes and constants of mpi.h.

    generate.py HEADERS OUTPUT

HEADERS is the folder of mpi.h's parts. Into OUTPUT go: bind_PART.c, the C side; mpif.h; mpi.f90 and mpi_f08.f90, the modules."""

import sys
from pathlib import Path

from c_bindings import c_source
from f08_types import callbacks_module, sizeof_module, types_module
from fortran_side import f08_module, mpi_module, mpif
from kinds import differ
from prototypes import BY_HAND, constants, functions, large_functions

PARTS = ("collective", "communicator", "datatype", "dynamic", "environment", "io", "one_sided", "point_to_point",
         "tools", "topology")


def write(path, text):
    """Only what has changed, so that nothing else is built anew."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main():
    headers, output = Path(sys.argv[1]), Path(sys.argv[2])
    output.mkdir(parents=True, exist_ok=True)
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(headers.glob("*.h"))}
    known = constants("\n".join(texts.values()))
    everything, twins = [], []
    for part in PARTS:
        found = functions(texts[part])
        large = [pair for pair in large_functions(texts[part], found) if differ(*pair)]
        everything += found
        twins += large
        bound = [item for item in found if item.short not in BY_HAND] + [twin for _, twin in large]
        write(output / f"bind_{part}.c", c_source(f"{part}.h", bound))
    write(output / "mpif.h", mpif(known))
    write(output / "mpi.f90", sizeof_module() + mpi_module(known, everything))
    write(output / "mpi_f08.f90", types_module() + callbacks_module() + f08_module(known, everything, twins))


if __name__ == "__main__":
    main()
