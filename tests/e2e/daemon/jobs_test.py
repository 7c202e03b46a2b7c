#!/usr/bin/env python3
"""Detached jobs: ps, logs, kill."""
import os
import subprocess

from sandbox import SandboxTest, main, wait_for


class Jobs(SandboxTest):
    def setUp(self):
        super().setUp()
        self.ok("carve", self.policy())

    def detach(self, *words):
        return self.ok("run", "-d", "pair", "--ranks", "1", "--", *words, cwd=self.state).strip()

    def ended(self, job):
        return [each for each in self.json("ps", "-a")["jobs"] if each["id"] == job and each["state"] == "ended"]

    def test_output_goes_to_a_log(self):
        job = self.detach("sh", "-c", "pwd; echo oops >&2; exit 3")
        wait_for(lambda: self.ended(job), "it has ended")
        self.assertEqual(self.ok("logs", job), self.state + "\noops\n")
        self.assertEqual(self.ended(job)[0]["exit"], 3)
        self.assertEqual(self.json("ps")["jobs"], [])
        self.assertIn("pwd", self.ok("ps", "-a"))

    def test_following_a_log(self):
        os.mkfifo(os.path.join(self.state, "fifo"))
        job = self.detach("sh", "-c", "echo one; read x < fifo; echo two")
        follow = self.start("divisi", "logs", "-f", job)
        self.assertEqual(follow.stdout.readline(), "one\n")
        self.assertEqual(self.ok("logs", job), "one\n")
        with open(os.path.join(self.state, "fifo"), "w") as file:
            file.write("go\n")
        out, err = follow.communicate(timeout=30)
        self.assertEqual((follow.returncode, out), (0, "two\n"), err)

    def test_a_long_log(self):
        job = self.detach("sh", "-c", "yes 123456789 | head -c 3000000")
        wait_for(lambda: self.ended(job), "it has ended")
        self.assertEqual(len(self.ok("logs", job)), 3000000)

    def test_kill(self):
        job = self.detach("sleep", "60")
        self.assertIn(job, self.ok("ps"))
        self.ok("kill", job, "--signal", "USR1")
        wait_for(lambda: self.ended(job), "it has ended")
        self.assertEqual(self.ended(job)[0]["exit"], 128 + 10)
        self.assertIn("no such job", self.divisi("kill", job, exit=1).stderr)
        self.divisi("kill", "pair.99", exit=1)
        self.assertIn("no job is running", self.divisi("kill", "pair", exit=1).stderr)
        self.assertIn("nope", self.divisi("kill", "nope", exit=1).stderr)
        self.divisi("kill", "../pair.1", exit=1)
        self.divisi("kill", job, "--signal", "SIGNONSENSE", exit=2)

    def test_kill_by_the_topology_s_name(self):
        job = self.detach("sleep", "60")
        self.ok("kill", "pair")
        wait_for(lambda: self.ended(job), "it has ended")
        self.assertEqual(self.ended(job)[0]["exit"], 128 + 15)

    def test_no_log(self):
        self.divisi("logs", "pair.99", exit=1)
        self.divisi("logs", "nope.1", exit=1)
        self.ok("run", "pair", "--", "true")
        self.assertIn("only detached jobs", self.divisi("logs", "pair.1", exit=1).stderr)

    def test_program_that_is_not_there(self):
        self.divisi("run", "-d", "pair", "--", "./missing", exit=127)
        result = subprocess.run(["ls", "-A", os.path.join(self.topologies(), "pair/jobs")], capture_output=True)
        self.assertEqual(result.stdout, b"")


main()
