#!/usr/bin/env python3
"""A node that scribbles over all of its windows, while 31 others run a verified exchange: they finish, and verify.

  DIVISI_TEST_HOSTILE_SECONDS=N   for so long (default 2)"""
import json
import os
import re
import subprocess
import time

from sandbox import BIN, SOURCE, SandboxTest, main, skip

BACKEND = os.environ.get("DIVISI_TEST_BACKEND", "auto")
SECONDS = os.environ.get("DIVISI_TEST_HOSTILE_SECONDS", "2")
HERE = os.path.dirname(os.path.abspath(__file__))


class HostileNode(SandboxTest):
    vmm = None

    def await_ranks(self, count):
        """Until all show their threads: a loaded machine takes its time to start them."""
        end = time.monotonic() + 60
        ranks = set()
        while len(ranks) < count and time.monotonic() < end:
            time.sleep(0.2)
            ranks = {each["rank"] for each in self.json("show", "--threads", "pair")["threads"]}
        self.assertEqual(sorted(ranks), list(range(count)))

    def test_others_finish_and_verify(self):
        program = os.path.join(self.state, "hostile_node")
        subprocess.run([os.path.join(BIN, "mpi/mpicc"), "-O2", "-I", SOURCE, "-o", program,
                        os.path.join(HERE, "hostile_node.c")], check=True)
        for shape in ("full", "torus, dimensions: [4, 8]"):
            with self.subTest(shape=shape):
                path = self.policy(nodes=32)
                with open(path, encoding="utf-8") as file:
                    text = file.read().replace("shape: full", "shape: " + shape)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                self.ok("carve", path, "--backend", BACKEND)
                job = self.start("divisi", "run", "pair", "--", program, SECONDS)
                # Whoever looks meanwhile is told something, whatever the hostile one says of itself.
                self.await_ranks(32)
                self.ok("show", "--traffic", "pair")
                out, error = job.communicate(timeout=float(SECONDS) + 120)
                self.assertEqual(job.returncode, 0, error)
                self.assertTrue(re.fullmatch(r"31 ranks verified [1-9][0-9]* rounds\n", out), out)
                self.ok("release", "pair")


probe = subprocess.run([os.path.join(BIN, "divisi-vmm"), "--probe"], capture_output=True, text=True, check=True)
for backend in json.loads(probe.stdout)["backends"]:
    if backend["name"] == BACKEND and not backend["ok"]:
        skip("backend %s: %s" % (BACKEND, backend["reason"]))
main()
