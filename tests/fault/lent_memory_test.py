#!/usr/bin/env python3
"""Memory that ranks lend each other for large messages: what is lent is copied, what is not is out of reach."""
import os

from sandbox import SandboxTest, main, skip_without

BACKEND = os.environ.get("DIVISI_TEST_BACKEND", "auto")
HERE = os.path.dirname(os.path.abspath(__file__))


class LentMemory(SandboxTest):
    vmm = None

    def test_only_what_is_lent_is_copied(self):
        program = self.mpicc(os.path.join(HERE, "lent_memory.c"))
        self.ok("carve", self.policy(nodes=4), "--backend", BACKEND)
        for mode in ("message-passing", "shared-memory"):
            with self.subTest(mode=mode):
                if mode == "shared-memory":
                    self.ok("switch", "pair", mode)
                job = self.start("divisi", "run", "pair", "--", program, cwd=self.state)
                out, error = job.communicate(timeout=120)
                self.assertEqual((job.returncode, out), (0, "verified\n"), error)
                os.unlink(os.path.join(self.state, "received"))
        self.ok("release", "pair")


skip_without(BACKEND)
main()
