#!/usr/bin/env python3
"""`divisi top`: one table where nobody watches, one after another on a terminal."""
import os
import pty
import re
import signal
import subprocess

from debugging import BIN, DebugTest, main


class Top(DebugTest):
    def test_a_single_table(self):
        self.assertIn("no topology", self.ok("top"))
        self.ok("carve", self.policy(nodes=2))
        job = self.start("divisi", "run", "pair", "--ranks", "1", "--", self.program, "sleep")
        self.assertEqual(job.stdout.readline(), "begun\n")
        text = self.ok("top")
        self.assertIn("pair: message-passing, busy", text)
        self.assertIn("crashing sleep", text)
        self.assertEqual(len(re.findall(r"^[01]  +\d+ +\d+ +(?:sleeping|idle) +\d+ +\d+$", text, re.MULTILINE)), 2, text)
        self.assertNotIn("\033", text)
        self.divisi("top", "--delay", "0", exit=2)

    def test_a_terminal_gets_them_until_it_has_enough(self):
        self.ok("carve", self.policy(nodes=2))
        ours, theirs = pty.openpty()
        process = subprocess.Popen([os.path.join(BIN, "divisi"), "top", "-d", "0.1"], stdout=theirs, env=self.env)
        self.started.append(process)
        os.close(theirs)
        seen = b""
        while seen.count(b"\033[H") < 3:
            seen += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), -signal.SIGINT)
        os.close(ours)


main()
