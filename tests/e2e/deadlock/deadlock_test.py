#!/usr/bin/env python3
"""Ranks that wait for each other for ever are told and ended; those that only seem to are left alone."""
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../debug"))

from debugging import BIN, DebugTest, main, wait_for  # noqa: E402

DEADLOCK = 123


class Deadlock(DebugTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.programs = subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip()
        cls.addClassCleanup(subprocess.run, ["rm", "-r", cls.programs], check=True)
        for compiler, source in ((os.path.join(BIN, "mpi/mpicc"), "waiting_mpi.c"), (os.path.join(BIN, "divisi-cc"), "waiting.c")):
            subprocess.run([compiler, "-O1", "-pthread", "-o", os.path.join(cls.programs, source[:-2]),
                            os.path.join(HERE, source)], check=True)

    def run_it(self, program, what, exit, *options, **more):
        return self.divisi("run", "pair", *options, "--", os.path.join(self.programs, program), what, exit=exit, **more)

    def deadlocks(self, program, what, *waits):
        """It is ended, and every rank's wait is told, by a pattern each."""
        done = self.run_it(program, what, DEADLOCK)
        self.assertIn("deadlock", done.stderr)
        lines = re.findall(r"^divisi:\s+(rank \d+ \(node.*)$", done.stderr, re.MULTILINE)
        self.assertEqual(len(lines), len(waits), done.stderr)
        for rank, (line, wanted) in enumerate(zip(lines, waits)):
            self.assertRegex(line, rf"^rank {rank} \(node {rank}\) {wanted}$")

    def goes_on(self, job, seconds):
        """It is left alone."""
        time.sleep(seconds)
        self.assertIsNone(job.poll())

    def ends_well(self, job, output, input=None):
        out, error = job.communicate(input, timeout=30)
        self.assertEqual((job.returncode, out), (0, output), error)

    def test_mpi(self):
        for _ in self.on_each_backend(nodes=4):
            self.deadlocks("waiting_mpi", "ring", *[
                f"waits in MPI_Recv for rank {(i + 1) % 4}, tag 7, MPI_COMM_WORLD" for i in range(4)])
            self.deadlocks("waiting_mpi", "sends", *[
                f"waits in MPI_Ssend for rank {(i + 1) % 4} to receive, tag 3, MPI_COMM_WORLD" for i in range(4)])
            self.deadlocks("waiting_mpi", "barrier", "waits in MPI_Probe for any rank, any tag, the three",
                           "waits in MPI_Barrier for rank [02], the three",
                           "waits in MPI_Barrier for rank [01], the three", "has ended with code 5")
            several = r"waits in MPI_Waitall for rank {}, tag 1, MPI_COMM_WORLD \(and for {} more\)"
            self.deadlocks("waiting_mpi", "several", several.format(1, 1),
                           *[several.format((i + 1) % 4, 2) for i in range(1, 4)])
            self.deadlocks("waiting_mpi", "threads", *[
                f"waits in MPI_Recv for rank {(i + 1) % 4}, tag 7, MPI_COMM_WORLD" for i in range(4)])

    def test_threads_that_call_mpi_at_the_same_time(self):
        for _ in self.on_each_backend(nodes=4):
            self.deadlocks("waiting_mpi", "multiple", *[
                f"waits in MPI_Recv for rank {(i + 1) % 4}, tag [78], MPI_COMM_WORLD" for i in range(4)])
            self.assertEqual(self.run_it("waiting_mpi", "multiple-late", 0).stdout, "done\n")

    def test_without_mpi(self):
        for _ in self.on_each_backend(nodes=3):
            self.deadlocks("waiting", "ring", *[f"waits in divisi_recv for rank {(i + 1) % 3}" for i in range(3)])
            self.deadlocks("waiting", "any", *["waits in divisi_probe for any rank"] * 3)
            self.deadlocks("waiting", "barrier", r"waits in divisi_barrier for rank \d", "waits in divisi_recv for rank 0",
                           r"waits in divisi_barrier for rank \d")
            self.deadlocks("waiting", "sends", *[f"waits in divisi_send for rank {(i + 1) % 3} to receive"
                                                 for i in range(3)])

    def test_more_ranks_than_linux_waits_for_at_once(self):
        # What waits is the same on all backends.
        next(self.on_each_backend(nodes=130))
        done = self.run_it("waiting", "any", DEADLOCK)
        self.assertIn("divisi:   rank 63 (node 63) waits in divisi_probe for any rank\n", done.stderr)
        self.assertIn("and 66 more ranks", done.stderr)
        self.ok("release", "pair")

    def test_ranks_in_shared_memory(self):
        for _ in self.on_each_backend(mode="shared-memory", nodes=4):
            self.deadlocks("waiting_mpi", "ring", *[
                f"waits in MPI_Recv for rank {(i + 1) % 4}, tag 7, MPI_COMM_WORLD" for i in range(4)])

    def test_natively(self):
        def natively(what, exit):
            program = os.path.join(self.programs, "waiting_mpi")
            return self.divisi("run", "--native", "-n", "4", "--", program, what, exit=exit)

        ring = "".join(rf"divisi:   rank {i} \(node {i}\) waits in MPI_Recv for rank {(i + 1) % 4}, tag [78], MPI_COMM_WORLD\n"
                       for i in range(4))
        for what in ("ring", "multiple"):
            self.assertRegex(natively(what, DEADLOCK).stderr, ring)
        for what in ("sleep", "rounds", "multiple-late"):
            with self.subTest(what=what):
                self.assertEqual(natively(what, 0).stdout, "done\n")

    def test_what_only_looks_so(self):
        for _ in self.on_each_backend(nodes=4):
            for what in ("sleep", "compute", "probe", "rounds"):
                with self.subTest(what=what):
                    self.assertEqual(self.run_it("waiting_mpi", what, 0).stdout, "done\n")
            self.run_it("waiting_mpi", "alarm", 128 + signal.SIGALRM)
            self.assertEqual(self.run_it("waiting", "sleep", 0).stdout, "done\n")

    def test_input_that_comes_late(self):
        for _ in self.on_each_backend(nodes=4):
            job = self.start("divisi", "run", "pair", "--", os.path.join(self.programs, "waiting_mpi"), "read",
                             stdin=subprocess.PIPE)
            self.goes_on(job, 1)
            self.ends_well(job, "read words\ndone\n", input="words\n")

    def test_a_signal_that_somebody_means_to_send(self):
        for _ in self.on_each_backend(nodes=4):
            job = self.start("divisi", "run", "pair", "--", os.path.join(self.programs, "waiting_mpi"), "signal")
            self.assertEqual(job.stdout.readline(), "ready\n")
            self.goes_on(job, 1)
            self.ok("kill", "-s", "USR1", self.json("show", "pair")["jobs"][0]["id"])
            self.ends_well(job, "done\n")

    def test_ranks_on_the_host_are_not_seen_through(self):
        for _ in self.on_each_backend(nodes=2):
            program = os.path.join(self.programs, "waiting")
            job = self.start("divisi", "run", "pair", "--host-ranks", "1", "--", program, "host")
            self.goes_on(job, 0.8)
            joined = self.start("divisi", "join", "pair", "--rank", "1", "--", "/bin/sh", "-c", f"sleep 0.8; exec {program} host")
            out, error = joined.communicate(timeout=30)
            self.assertEqual(joined.returncode, 0, error)
            self.ends_well(job, "done\n")

    def test_it_can_be_only_told_or_ignored(self):
        for _ in self.on_each_backend(nodes=4):
            program = os.path.join(self.programs, "waiting_mpi")
            told = self.start("divisi", "run", "pair", "--on-deadlock", "report", "--", program, "ring")
            self.assertIn("deadlock", told.stderr.readline())
            self.assertIn("waits in MPI_Recv", told.stderr.readline())
            name = self.json("show", "pair")["jobs"][0]["id"]
            self.assertIn("waits in MPI_Recv for rank 1, tag 7", self.ok("show", "--job", name))
            self.assertFalse(self.json("show", "--job", name)["deadlock"]["ended"])
            threads = self.json("show", "--threads", "pair")["threads"]
            self.assertEqual(threads[3]["waits"], "waits in MPI_Recv for rank 0, tag 7, MPI_COMM_WORLD")
            self.assertIn("waits in MPI_Recv for rank 2", self.ok("show", "--threads", "pair"))
            self.ok("kill", name)
            told.communicate(timeout=30)
            self.assertEqual(told.returncode, 128 + signal.SIGTERM)
            ignored = self.start("divisi", "run", "pair", "--on-deadlock", "ignore", "--", program, "ring")
            wait_for(lambda: len(self.json("show", "pair")["jobs"]) == 2, "it runs")
            time.sleep(1)
            self.assertIsNone(ignored.poll())
            ignored.kill()

    def test_it_is_kept_with_the_job(self):
        for _ in self.on_each_backend(nodes=4):
            self.run_it("waiting_mpi", "ring", DEADLOCK)
            shown = self.json("show", "--job", "pair.1")
            self.assertEqual((shown["exit"], shown["report"]["deadlock"]["ended"]), (DEADLOCK, True))
            self.assertIn("rank 2 (node 2) waits in MPI_Recv for rank 3", self.ok("show", "--job", "pair.1"))
            detached = self.ok("run", "-d", "pair", "--", os.path.join(self.programs, "waiting_mpi"), "ring").strip()
            wait_for(lambda: "waits in MPI_Recv" in self.ok("logs", detached), "the log tells it")


main()
