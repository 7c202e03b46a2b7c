#!/usr/bin/env python3
"""Memory that ranks lend each other for large messages: what is lent is copied, what is not is out of reach; and what is
seen where its sender has it is what was sent, however the sender's memory changes."""
import os
import re

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

    def test_messages_arrive_whole_while_buffers_are_mapped_otherwise(self):
        program = self.mpicc(os.path.join(HERE, "seen_messages.c"))
        self.ok("carve", self.policy(), "--backend", BACKEND)
        for number, mode in enumerate(("message-passing", "shared-memory"), 1):
            with self.subTest(mode=mode):
                if mode == "shared-memory":
                    self.ok("switch", "pair", mode)
                self.assertEqual(self.ok("run", "pair", "--", program), "verified\n")
                calls = self.ok("show", "--job", f"pair.{number}")
                views = re.search(r"divisi_view_lent +\d+ +(\d+)", calls)
                if len(os.sched_getaffinity(0)) > 1:
                    self.assertTrue(views, calls)
                    self.assertLess(int(views.group(1)), 300, "a view serves more than one message")
        self.ok("release", "pair")

    def test_where_nodes_are_too_many_to_see_each_other_messages_arrive_as_well(self):
        program = self.mpicc(os.path.join(HERE, "seen_messages.c"))
        for nodes in (100, 140):
            self.ok("carve", self.policy(nodes=nodes), "--backend", BACKEND)
            self.assertEqual(self.ok("run", "pair", "-n", "2", "--", program), "verified\n")
            self.ok("release", "pair")


skip_without(BACKEND)
main()
