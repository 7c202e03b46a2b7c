#!/usr/bin/env python3
"""`divisi show --threads` of a program that hangs, and `divisi show --job` of one that runs and one that has ended."""
import os
import signal
import subprocess

from debugging import DebugTest, compile_program, main, wait_for


class Threads(DebugTest):
    def setUp(self):
        super().setUp()
        self.hanging = os.path.join(self.state, "hanging")
        compile_program("hanging.c", self.hanging)

    def begin(self):
        job = self.start("divisi", "run", "pair", "--", self.hanging, stdin=subprocess.PIPE)
        self.assertEqual(job.stdout.readline(), "begun\n")
        return job

    def threads(self, *words):
        return self.json("show", "--threads", "pair", *words)["threads"]

    def test_a_deadlock_can_be_looked_at(self):
        for _ in self.on_each_backend(mode="shared-memory"):
            job = self.begin()
            futexes = lambda: [each for each in self.threads() if each.get("call") == "futex"]  # noqa: E731
            wait_for(lambda: len(futexes()) == 2, "two threads wait")
            one, other = futexes()
            self.assertNotEqual(one["futex"], other["futex"])
            threads = {each["thread"]: each for each in self.threads("--backtrace")}
            self.assertEqual((threads[0]["state"], threads[0]["call"]), ("waiting", "read"))
            self.assertEqual(threads[3]["name"], "computing")
            self.assertIn(threads[3]["state"], ("running", "ready"))
            self.assertTrue(threads[3]["symbol"].startswith("compute"), threads[3])
            for number, name in ((1, "forwards"), (2, "backwards")):
                functions = [frame["symbol"].split("+")[0] for frame in threads[number]["backtrace"]]
                self.assertIn("lock_both", functions)
                self.assertIn(name, functions)
            text = self.ok("show", "--threads", "pair")
            self.assertRegex(text, r"waiting in futex 0x[0-9a-f]+")
            # It goes on as if nothing had been.
            self.assertIsNone(job.poll())
            job.send_signal(signal.SIGTERM)
            job.communicate(timeout=30)
            self.assertEqual(job.returncode, 128 + signal.SIGTERM)

    def test_looking_changes_nothing(self):
        for _ in self.on_each_backend(mode="shared-memory"):
            job = self.start("divisi", "run", "pair", "--", self.program, "sleep")
            self.assertEqual(job.stdout.readline(), "begun\n")
            for _ in range(20):
                [thread] = self.threads("--backtrace")
                self.assertEqual((thread["state"], thread["call"]), ("waiting", "pause"))
                self.assertIn("main", [frame["symbol"].split("+")[0] for frame in thread["backtrace"]])
            job.send_signal(signal.SIGTERM)
            job.communicate(timeout=30)
            self.assertEqual(job.returncode, 128 + signal.SIGTERM)

    def test_every_rank_is_there(self):
        for _ in self.on_each_backend():
            job = self.start("divisi", "run", "pair", "--", self.program, "sleep")
            wait_for(lambda: len(self.json("show", "pair")["jobs"]) == 1, "it runs")
            wait_for(lambda: [each["rank"] for each in self.threads()] == [0, 1], "both ranks wait")
            job.send_signal(signal.SIGTERM)
            job.communicate(timeout=30)

    def test_without_a_job_there_is_nothing_to_show(self):
        self.ok("carve", self.policy())
        self.assertIn("no job is running", self.divisi("show", "--threads", "pair", exit=1).stderr)
        self.divisi("show", exit=2)
        self.divisi("show", "pair", "--job", "pair.1", exit=2)
        self.divisi("show", "pair", "--backtrace", exit=2)
        self.divisi("show", "--job", "pair.7", exit=1)

    def test_a_job_s_report(self):
        for _ in self.on_each_backend(mode="shared-memory"):
            job = self.begin()
            name = self.json("show", "pair")["jobs"][0]["id"]
            wait_for(lambda: self.json("show", "--job", name)["cpu_time_ns"] > 1000000, "it computes")
            self.assertEqual(self.json("show", "--job", name)["state"], "running")
            self.ok("kill", "-s", "QUIT", name)
            job.communicate(timeout=30)
            shown = self.json("show", "--job", name)
            [rank] = shown["report"]["ranks"]
            self.assertEqual((rank["exit"], rank["signal"]), (131, 3))
            self.assertGreater(rank["cpu_time_ns"], 1000000)
            self.assertGreater(rank["exits"], 0)
            text = self.ok("show", "--job", name)
            self.assertIn("SIGQUIT (Quit)", text)
            self.assertIn("#0 ", text)


main()
