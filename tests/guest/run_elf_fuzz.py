#!/usr/bin/env python3
"""Damages real programs in the ways in which files are damaged, or in which people damage them, and runs them in nodes:
each is refused with a reason, or runs and ends like any program; divisi-vmm stays well.

By hand, for long: tests/guest/run_elf_fuzz.py --divisi build/bin --backend kvm --programs 20000 --seed 1 \\
    --binary build/guest-programs/faults.c.glibc …

Exit codes: 0 all went well; 1 something did not; 77 the backend is not to be had here.
"""

import argparse
import collections
import os
import random
import struct
import sys
import tempfile

from topology import Broken, Refused, Topology, verdict

NODES = 2
HEADER_BYTES, SEGMENT_BYTES, SECTION_BYTES = 64, 56, 64
# (offset, bytes) of what is in them
HEADER = [(4, 1), (5, 1), (6, 1), (7, 1), (16, 2), (18, 2), (20, 4), (24, 8), (32, 8), (40, 8), (48, 4), (52, 2), (54, 2),
          (56, 2), (58, 2), (60, 2), (62, 2)]
SEGMENT = [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8)]
SECTION = [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)]
SYMTAB, STRTAB, NOTE, PROGBITS = 2, 3, 7, 1
# Types of segments: LOAD, DYNAMIC, INTERP, NOTE, PHDR, TLS, GNU_EH_FRAME, GNU_STACK, GNU_RELRO, GNU_PROPERTY
TYPES = [0, 1, 2, 3, 4, 6, 7, 0x6474e550, 0x6474e551, 0x6474e552, 0x6474e553]
EXTREMES = [0, 1, 2, 0x38, 0x40, 0xff, 0xfff, 0x1000, 0xffff, 0x10000, 0x400000, 0x7fffffff, 0x80000000, 0xffffffff,
            0x100000000, 0x10000000000, 0x7fffffffffff, 0x800000000000, 0x7fffffffffffffff, 0x8000000000000000,
            0xffffffffffffffff]


class Damage:
    """Makes damaged copies of a program."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.original = file.read()
        (self.segments_at, self.sections_at) = struct.unpack_from("<QQ", self.original, 32)
        (self.segments, _, self.sections) = struct.unpack_from("<HHH", self.original, 56)

    def __call__(self, dice):
        image = bytearray(self.original)
        ways = [self.header, self.segment, self.segment, self.segment, self.other_segment, self.section, self.tables,
                self.code, self.length]
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            dice.choice(ways)(image, dice)
        return bytes(image)

    @staticmethod
    def put(image, at, size, value):
        if at + size <= len(image):
            image[at:at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")

    def change(self, image, dice, at, size):
        """A field: an extreme, a value near what it was, what stands in another field, or anything."""
        before = int.from_bytes(image[at:at + size], "little")
        other = HEADER_BYTES + 8 * dice.randrange(7 * max(1, self.segments))
        value = dice.choice((dice.choice(EXTREMES) + dice.choice((-1, 0, 0, 1)),
                             before + dice.choice((-0x1000, -16, -1, 1, 16, 0x1000)),
                             int.from_bytes(image[other:other + 8], "little"), before ^ 1 << dice.randrange(8 * size),
                             dice.getrandbits(8 * size)))
        self.put(image, at, size, value)

    def header(self, image, dice):
        self.change(image, dice, *dice.choice(HEADER))

    def segment(self, image, dice):
        at = self.segments_at + SEGMENT_BYTES * dice.randrange(self.segments)
        offset, size = dice.choice(SEGMENT)
        if offset == 0 and dice.random() < 0.8:
            self.put(image, at, size, dice.choice(TYPES))
        else:
            self.change(image, dice, at + offset, size)

    def other_segment(self, image, dice):
        """One header over another: overlaps and doubles. Or they change places."""
        one, two = (self.segments_at + SEGMENT_BYTES * dice.randrange(self.segments) for _ in range(2))
        first, second = bytes(image[one:one + SEGMENT_BYTES]), bytes(image[two:two + SEGMENT_BYTES])
        image[one:one + len(second)] = second
        if dice.random() < 0.5:
            image[two:two + len(first)] = first

    def section(self, image, dice):
        if self.sections:
            offset, size = dice.choice(SECTION)
            self.change(image, dice, self.sections_at + SECTION_BYTES * dice.randrange(self.sections) + offset, size)

    def tables(self, image, dice):
        """What debuggers read: symbols, names, notes, unwinding and debugging information."""
        found = []
        for index in range(self.sections):
            _, kind, flags, _, at, size = struct.unpack_from("<IIQQQQ", self.original, self.sections_at + SECTION_BYTES * index)
            if kind in (SYMTAB, STRTAB, NOTE) or kind == PROGBITS and flags & 4 == 0:
                found.append((at, size))
        if not found:
            return
        at, size = dice.choice(found)
        for _ in range(dice.choice((1, 4, 64))):
            place = at + dice.randrange(max(1, size))
            self.put(image, place, dice.choice((1, 4, 8)), dice.choice((dice.getrandbits(64), dice.choice(EXTREMES))))

    @staticmethod
    def code(image, dice):
        place = dice.randrange(len(image))
        image[place] = dice.randrange(256)

    @staticmethod
    def length(image, dice):
        if dice.random() < 0.7:
            del image[dice.choice((dice.randrange(len(image)), dice.randrange(0x1000), len(image) - dice.randrange(1, 0x1000))):]
        else:
            image.extend(dice.randbytes(dice.randrange(0x3000)))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--divisi", required=True, help="folder of the programs under test")
    parser.add_argument("--backend", required=True, choices=("kvm", "direct"))
    parser.add_argument("--binary", required=True, action="append")
    parser.add_argument("--programs", type=int, default=120, help="so many, half of them in each mode")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="folder for those that go wrong")
    return parser.parse_args()


def run_one(topology, path, folder):
    """How it went: "refused", "ran", or "killed" where it would not end."""
    try:
        done = topology.run([path, "null-read"], nodes=1, ranks=1, cwd=folder, timeout=60, kill_after=1)
    except Refused as refusal:
        if not refusal.error.get("message") or not refusal.error.get("exit"):
            raise Broken(f"refused without a reason: {refusal.error}") from refusal
        return "refused"
    if "error" in done.report["ranks"][0]:
        raise Broken(f"divisi-vmm met an error: {done.report['ranks'][0]['error']}")
    return "killed" if done.exits == [137] else "ran"


def fuzz(options, mode, seeds, counts):
    originals = [Damage(path) for path in options.binary]
    with Topology(options.divisi, options.backend, mode, NODES) as topology, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "program")
        run_one(topology, options.binary[0], folder)  # what the first job takes is not what a broken one leaves
        topology.idle_files = topology.open_files()
        for seed in seeds:
            dice = random.Random(seed)
            image = dice.choice(originals)(dice)
            with open(path, "wb") as file:
                file.write(image)
            os.chmod(path, 0o755)
            try:
                counts[run_one(topology, path, folder)] += 1
                topology.check_alive()
            except Broken as problem:
                if options.keep:
                    with open(os.path.join(options.keep, f"program-{seed}"), "wb") as file:
                        file.write(image)
                raise Broken(f"{mode}, seed {seed}: {problem}\n{topology.log()}") from problem
        if run_one(topology, options.binary[0], folder) != "ran":
            raise Broken(f"{mode}: the program itself does not run any more")


def run(options):
    counts = collections.Counter()
    half = options.seed + options.programs // 2
    fuzz(options, "message-passing", range(options.seed, half), counts)
    fuzz(options, "shared-memory", range(half, options.seed + options.programs), counts)
    print(", ".join(f"{count} {how}" for how, count in sorted(counts.items())) + ", and divisi-vmm is well")
    # A generator whose programs are all refused, or none, tests nothing.
    return 0 if counts["refused"] and counts["ran"] else 1


def main():
    options = parse_arguments()
    return verdict(options.backend, lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
