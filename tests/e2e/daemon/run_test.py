#!/usr/bin/env python3
"""`divisi run` and its manners: streams, codes, signals, reports."""
import json
import os
import signal
import stat
import subprocess

from sandbox import SandboxTest, alive, main, wait_for


class Run(SandboxTest):
    def setUp(self):
        super().setUp()
        self.ok("carve", self.policy(nodes=4))

    def test_streams_folder_and_environment_come_along(self):
        self.env["GREETING"] = "good day"
        result = self.divisi("run", "pair", "--ranks", "1", "--", "sh", "-c", "cat; pwd; echo $GREETING >&2",
                             input="from outside\n", cwd=self.state, exit=0)
        self.assertEqual(result.stdout, "from outside\n%s\n" % self.state)
        self.assertEqual(result.stderr, "good day\n")

    def test_arguments_come_through_untouched(self):
        words = ["--", "a b", "", "--label", "-n", "*", "'"]
        out = self.ok("run", "pair", "--ranks", "1", "--", "printf", "<%s>", *words)
        self.assertEqual(out, "".join("<%s>" % word for word in words))

    def test_nodes_ranks_and_threads(self):
        count = "echo x"
        self.assertEqual(self.ok("run", "pair", "--", "sh", "-c", count), "x\n" * 4)
        self.assertEqual(self.ok("run", "pair", "-n", "2", "--", "sh", "-c", count), "x\n" * 2)
        self.assertEqual(self.ok("run", "pair", "--ranks", "3", "--", "sh", "-c", count), "x\n" * 3)
        self.assertEqual(self.ok("run", "pair", "--ranks", "1", "--threads", "7", "--", "sh", "-c",
                                 "echo $FAKE_THREADS"), "7\n")
        self.ok("switch", "pair", "shared-memory")
        self.assertEqual(self.ok("run", "pair", "--", "sh", "-c", count), "x\n")

    def test_what_is_no_count_is_refused(self):
        for option in ("-n", "--ranks", "--threads"):
            for count in ("0", "-1", "1025", "99999999999999999999", "all"):
                said = self.divisi("run", "pair", option, count, "--", "true", exit=125).stderr
                self.assertIn(count, said)

    def test_label(self):
        lines = self.ok("run", "pair", "--label", "--", "echo", "hi").splitlines()
        self.assertEqual(sorted(lines), ["[%d] hi" % rank for rank in range(4)])

    def test_exit_code_is_the_worst_rank_s(self):
        result = self.divisi("run", "pair", "--", "sh", "-c", "exit $FAKE_RANK", exit=3)
        self.assertIn("rank 3: exited with code 3", result.stderr)
        self.divisi("run", "pair", "--ranks", "1", "--", "sh", "-c", "kill -9 $$", exit=137)

    def test_codes_of_run_itself(self):
        plain = os.path.join(self.state, "plain")
        with open(plain, "w") as file:
            file.write("no program\n")
        self.assertIn("not executable", self.divisi("run", "pair", "--", plain, exit=126).stderr)
        os.chmod(plain, 0o755)
        self.assertIn("ELF", self.divisi("run", "pair", "--", plain, exit=126).stderr)
        self.assertIn("folder", self.divisi("run", "pair", "--", self.state, exit=126).stderr)
        self.assertIn("./missing", self.divisi("run", "pair", "--", "missing", exit=127).stderr)
        self.divisi("run", "pair", "--", "./missing", exit=127)
        self.assertIn("no such topology", self.divisi("run", "nope", "--", "true", exit=125).stderr)
        for words in (["run"], ["run", "pair"], ["run", "pair", "--"], ["run", "--policy", "x"], ["run", "--what"],
                      ["run", "pair", "--name", "x", "--", "true"], ["run", "../pair", "--", "true"]):
            self.divisi(*words, exit=125)

    def test_program_lookup_by_path(self):
        folder = os.path.join(self.state, "programs")
        os.mkdir(folder)
        program = os.path.join(folder, "ours")
        with open(program, "w") as file:
            file.write("#!/bin/sh\necho found\n")
        os.chmod(program, 0o755)
        self.divisi("run", "pair", "--", "ours", exit=127, cwd=folder)
        self.assertEqual(self.ok("run", "pair", "--ranks", "1", "--", "./ours", cwd=folder), "found\n")
        self.env["PATH"] = folder + ":" + self.env["PATH"]
        self.assertEqual(self.ok("run", "pair", "--ranks", "1", "--", "ours"), "found\n")

    def test_report(self):
        path = os.path.join(self.state, "report.json")
        result = self.divisi("run", "pair", "--report", path, "--", "sh", "-c", "kill -SEGV $$", exit=139)
        with open(path) as file:
            report = json.load(file)
        self.assertEqual((report["exit"], report["argv"][0], len(report["ranks"])), (139, "sh", 4))
        self.assertEqual(report["faults"][0]["symbol"], "main+0x12")
        self.assertIn("rank 2 (node 2, thread 1): SIGSEGV (Segmentation fault) at address 0x0, in main+0x12",
                      result.stderr)
        self.divisi("run", "pair", "--report", "/nowhere/report", "--", "echo", "not run", exit=125)

    def begin(self, script, **options):
        job = self.start("divisi", "run", "pair", "--ranks", "1", "--", "sh", "-c", script, **options)
        self.assertEqual(job.stdout.readline(), "begun\n")
        return job

    def test_signals_are_passed_on(self):
        for name in ("INT", "TERM", "HUP", "QUIT"):
            job = self.begin("trap 'echo got; exit 9' %s; echo begun; while :; do sleep 0.05; done" % name)
            job.send_signal(getattr(signal, "SIG" + name))
            out, err = job.communicate(timeout=30)
            self.assertEqual((job.returncode, out), (9, "got\n"), err)

    def test_second_interrupt_kills(self):
        job = self.begin("trap '' INT; echo begun; while :; do sleep 0.05; done")
        # Two that arrive at once count as one: press until it notices.
        while job.poll() is None:
            job.send_signal(signal.SIGINT)
            try:
                job.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                pass
        _, err = job.communicate(timeout=30)
        self.assertEqual(job.returncode, 137)
        self.assertIn("killing it", err)

    def test_killed_client_takes_its_job_along(self):
        job = self.begin("echo $$ > %s/pid; echo begun; exec sleep 60" % self.state)
        with open(os.path.join(self.state, "pid")) as file:
            pid = int(file.read())
        job.kill()
        wait_for(lambda: not alive(pid), "the job is gone")
        wait_for(lambda: self.json("ps")["jobs"] == [], "nothing runs")

    def test_closed_standard_streams(self):
        result = subprocess.run(["sh", "-c", "exec divisi run pair --ranks 1 -- sh -c 'cat; echo x' <&- >&- 2>&-"],
                                env=self.env, timeout=30)
        self.assertEqual(result.returncode, 0)

    def test_environment_larger_than_a_packet(self):
        for number in range(40):
            self.env["BIG%d" % number] = "y" * 10000
        self.assertEqual(self.ok("run", "pair", "--ranks", "1", "--", "sh", "-c", "echo ${#BIG39}"), "10000\n")

    def test_policy_in_one_go(self):
        out = self.ok("run", "--policy", self.policy("once", nodes=3), "--", "echo", "hi")
        self.assertEqual(out, "hi\n" * 3)
        self.assertEqual(self.names(), ["pair"])
        self.divisi("run", "--policy", self.policy("once"), "--", "sh", "-c", "exit 7", exit=7)
        self.divisi("run", "--policy", "missing.yaml", "--", "true", exit=125)
        self.divisi("run", "--policy", self.policy("once"), "--mode", "odd", "--", "true", exit=125)
        self.assertEqual(self.names(), ["pair"])

    def test_umask_of_what_the_daemon_keeps(self):
        for folder, _, files in os.walk(os.path.join(self.topologies(), "pair")):
            for name in files:
                mode = os.lstat(os.path.join(folder, name)).st_mode
                self.assertEqual(stat.S_IMODE(mode) & 0o022, 0, name)


main()
