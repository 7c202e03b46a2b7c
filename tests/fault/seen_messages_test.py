#!/usr/bin/env python3
"""Messages that receivers see where their senders have them are what was sent, however the senders' memory changes."""
import os
import re

from sandbox import SandboxTest, main, skip_without

BACKEND = os.environ.get("DIVISI_TEST_BACKEND", "auto")
HERE = os.path.dirname(os.path.abspath(__file__))


class SeenMessages(SandboxTest):
    vmm = None

    def test_messages_arrive_whole_while_buffers_are_mapped_otherwise(self):
        program = self.mpicc(os.path.join(HERE, "seen_messages.c"))
        self.ok("carve", self.policy(nodes=2), "--backend", BACKEND)
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


skip_without(BACKEND)
main()
