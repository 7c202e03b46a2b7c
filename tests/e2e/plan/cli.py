"""Runs `divisi` for the tests of this folder, each run with a state folder and an environment of its own."""

import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = ""
SOURCE = ""


class Result:
    def __init__(self, process):
        self.code = process.returncode
        self.out = process.stdout.decode()
        self.err = process.stderr.decode()


def divisi(*arguments, stdin=b"", environment=None, prefix=()):
    with tempfile.TemporaryDirectory(prefix="divisi-e2e-") as state:
        variables = {"PATH": os.environ["PATH"], "HOME": state, "DIVISI_STATE_DIR": state, "LC_ALL": "C.UTF-8"}
        # A sanitizer build needs its options.
        variables.update({name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")})
        variables.update(environment or {})
        process = subprocess.run([*prefix, PROGRAM, *arguments], input=stdin, capture_output=True, env=variables,
                                 cwd=SOURCE, timeout=60, check=False)
    return Result(process)


def main():
    global PROGRAM, SOURCE
    PROGRAM, SOURCE = sys.argv[1:3]
    del sys.argv[1:3]
    unittest.main(module="__main__")
