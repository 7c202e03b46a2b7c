#!/usr/bin/env python3
"""Memory that ranks lend each other for large messages: what is lent is copied, what is not is out of reach."""
import json
import os
import subprocess

from sandbox import BIN, SOURCE, SandboxTest, main, skip

BACKEND = os.environ.get("DIVISI_TEST_BACKEND", "auto")
HERE = os.path.dirname(os.path.abspath(__file__))


class LentMemory(SandboxTest):
    vmm = None

    def test_only_what_is_lent_is_copied(self):
        program = os.path.join(self.state, "lent_memory")
        subprocess.run([os.path.join(BIN, "mpi/mpicc"), "-O2", "-I", SOURCE, "-o", program,
                        os.path.join(HERE, "lent_memory.c")], check=True)
        self.ok("carve", self.policy(nodes=4), "--backend", BACKEND)
        for mode in ("message-passing", "shared-memory"):
            with self.subTest(mode=mode):
                if mode == "shared-memory":
                    self.ok("switch", "pair", mode)
                job = self.start("divisi", "run", "pair", "--", program, cwd=self.state)
                out, error = job.communicate(timeout=120)
                os.unlink(os.path.join(self.state, "received"))
                self.assertEqual((job.returncode, out), (0, "verified\n"), error)
        self.ok("release", "pair")


probe = subprocess.run([os.path.join(BIN, "divisi-vmm"), "--probe"], capture_output=True, text=True, check=True)
for backend in json.loads(probe.stdout)["backends"]:
    if backend["name"] == BACKEND and not backend["ok"]:
        skip("backend %s: %s" % (BACKEND, backend["reason"]))
main()
