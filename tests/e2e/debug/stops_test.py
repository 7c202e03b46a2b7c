#!/usr/bin/env python3
"""A program that a signal stops, and the `divisi run` before it: both stop, as a shell expects, and both go on."""
import os
import signal
import subprocess

from debugging import DebugTest, compile_program, main, wait_for


class Stops(DebugTest):
    def setUp(self):
        super().setUp()
        self.stopping = os.path.join(self.state, "stopping")
        compile_program("stopping.c", self.stopping)

    def begin(self, *words):
        """The client in a group of its own, as a shell starts it."""
        return self.start("divisi", "run", "pair", *words, cwd=self.state, start_new_session=True)

    def wait_for_stop(self, job):
        pid, status = os.waitpid(job.pid, os.WUNTRACED)
        self.assertEqual((pid, os.WIFSTOPPED(status)), (job.pid, True), status)

    def states(self):
        return [each["state"] for each in self.json("show", "--threads", "pair")["threads"]]

    def go_on(self, job, expected):
        job.send_signal(signal.SIGCONT)
        out, error = job.communicate(timeout=60)
        self.assertEqual((job.returncode, out), (0, expected), error)

    def test_a_program_stops_itself(self):
        for _ in self.on_each_backend():
            job = self.begin("--ranks", "1", "--", self.stopping, "itself")
            self.wait_for_stop(job)
            self.assertEqual(self.states(), ["stopped"])
            self.go_on(job, "goes on\n")

    def test_the_terminal_stops_all_ranks(self):
        for _ in self.on_each_backend():
            job = self.begin("--", self.stopping, "waits")
            self.assertEqual([job.stdout.readline() for _ in range(2)], ["begun\n"] * 2)
            job.send_signal(signal.SIGTSTP)
            self.wait_for_stop(job)
            self.assertEqual(self.states(), ["stopped"] * 2)
            with open(os.path.join(self.state, "end"), "w", encoding="ascii"):
                pass
            self.go_on(job, "ended\n" * 2)
            os.unlink(os.path.join(self.state, "end"))

    def test_one_that_does_not_mind_goes_on_and_so_does_the_client(self):
        for _ in self.on_each_backend():
            job = self.begin("--ranks", "1", "--", self.stopping, "ignores")
            self.assertEqual(job.stdout.readline(), "begun\n")
            job.send_signal(signal.SIGTSTP)
            out, error = job.communicate(timeout=60)
            self.assertEqual((job.returncode, out), (0, "heard it\n"), error)

    def test_one_that_is_stopped_can_be_killed_and_released(self):
        for _ in self.on_each_backend(mode="shared-memory"):
            job = self.begin("--", self.stopping, "itself")
            self.wait_for_stop(job)
            self.ok("kill", "pair", "--signal", "KILL")
            wait_for(lambda: self.json("ps")["jobs"] == [], "the job has ended")
            job.send_signal(signal.SIGCONT)
            self.assertEqual(job.wait(timeout=60), 128 + signal.SIGKILL)
            job = self.begin("--", self.stopping, "itself")
            self.wait_for_stop(job)
            self.ok("release", "--force", "pair")
            job.send_signal(signal.SIGCONT)
            job.wait(timeout=60)
            self.ok("carve", self.policy())


class Limits(DebugTest):
    def run_limited(self, limits, *words, **options):
        return subprocess.run(["sh", "-c", "ulimit %s && exec divisi run pair --ranks 1 \"$@\"" % limits, "sh", *words],
                              env=self.env, cwd=self.state, capture_output=True, text=True, timeout=60, check=False, **options)

    def test_the_clients_come_along(self):
        program = os.path.join(self.state, "stopping")
        compile_program("stopping.c", program)
        for _ in self.on_each_backend():
            done = self.run_limited("-s 3000 && ulimit -n 77 && ulimit -Sf 123", "--", program, "limits")
            self.assertEqual(done.stdout, "stack %d files 77 size %d\n" % (3000 << 10, 123 * 512), done.stderr)

    def test_a_core_file_is_no_larger(self):
        for _ in self.on_each_backend():
            done = self.run_limited("-c 40", "--core", "--", self.program, "null")
            self.assertEqual(done.returncode, 139, done.stderr)
            core = os.path.join(self.state, "core.pair.1.0")
            self.assertEqual(os.path.getsize(core), 40 * 512)
            with open(core, "rb") as file:
                self.assertEqual(file.read(4), b"\x7fELF")
            os.unlink(core)
            done = self.run_limited("-c 0", "--core", "--", self.program, "null")
            self.assertIn("limit of core files", done.stderr)
            self.assertFalse(os.path.exists(core))


main()
