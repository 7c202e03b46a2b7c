#!/usr/bin/env python3
"""A node that scribbles over all of its windows, while 31 others run a verified exchange: they finish, and verify.

  DIVISI_TEST_HOSTILE_SECONDS=N   for so long (default 2)"""
import json
import os
import re
import time

from sandbox import SandboxTest, main, skip_without, wait_for

BACKEND = os.environ.get("DIVISI_TEST_BACKEND", "auto")
SECONDS = os.environ.get("DIVISI_TEST_HOSTILE_SECONDS", "2")
HERE = os.path.dirname(os.path.abspath(__file__))


class HostileNode(SandboxTest):
    vmm = None

    def ranks_seen(self):
        shown = self.divisi("show", "--threads", "pair", "-o", "json")
        return {each["rank"] for each in json.loads(shown.stdout)["threads"]} if shown.returncode == 0 else set()

    def test_others_finish_and_verify(self):
        program = self.mpicc(os.path.join(HERE, "hostile_node.c"))
        for shape in ("full", "torus, dimensions: [4, 8]"):
            with self.subTest(shape=shape):
                path = self.policy(nodes=32)
                with open(path, encoding="utf-8") as file:
                    text = file.read().replace("shape: full", "shape: " + shape)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                self.ok("carve", path, "--backend", BACKEND)
                job = self.start("divisi", "run", "pair", "--", program, cwd=self.state)
                time.sleep(float(SECONDS))
                # Whoever looks meanwhile is told something, whatever the hostile one says of itself. Looking takes its
                # time where the machine is busy, and a rank that has ended by then is not told of: so they go on.
                wait_for(lambda: self.ranks_seen() == set(range(32)), "all ranks are seen", seconds=100)
                self.ok("show", "--traffic", "pair")
                with open(os.path.join(self.state, "enough"), "w", encoding="ascii"):
                    pass
                out, error = job.communicate(timeout=120)
                os.unlink(os.path.join(self.state, "enough"))
                self.assertEqual(job.returncode, 0, error)
                self.assertTrue(re.fullmatch(r"31 ranks verified [1-9][0-9]* rounds\n", out), out)
                self.ok("release", "pair")


skip_without(BACKEND)
main()
