#!/usr/bin/env python3
"""A topology made for one run goes when the process goes that it was made for, whatever becomes of either."""
import os
import signal

from sandbox import SandboxTest, alive, main, wait_for


class Ephemeral(SandboxTest):
    def begin(self, script="echo begun; exec sleep 60"):
        job = self.start("divisi", "run", "--policy", self.policy("once"), "--ranks", "1", "--", "sh", "-c", script)
        self.assertEqual(job.stdout.readline(), "begun\n")
        return job

    def gone(self):
        return os.listdir(self.topologies()) == [] and self.processes() in ([], [self.daemon_pid()])

    def test_two_at_once_get_names_of_their_own(self):
        first, second = self.begin(), self.begin()
        self.assertEqual(self.names(), ["once", "once-2"])
        for job in first, second:
            job.send_signal(signal.SIGTERM)
            job.communicate(timeout=30)
            self.assertEqual(job.returncode, 128 + signal.SIGTERM)
        self.assertTrue(self.gone())

    def test_killed_client(self):
        job = self.begin()
        job.kill()
        job.communicate()
        wait_for(self.gone, "the topology is gone")
        self.assertNotIn("ended", self.divisi("ls", exit=0).stderr)

    def test_killed_client_and_daemon(self):
        job = self.begin()
        self.kill_daemon()
        job.kill()
        job.communicate()
        wait_for(lambda: self.names() == [], "the next daemon has released it")
        wait_for(self.gone, "the topology is gone")

    def test_killed_daemon_alone(self):
        job = self.begin("echo begun; read x < %s/fifo; exit 4" % self.fifo())
        self.kill_daemon()
        self.assertEqual(self.names(), ["once"])
        with open(os.path.join(self.state, "fifo"), "w") as file:
            file.write("go\n")
        job.communicate(timeout=30)
        self.assertEqual(job.returncode, 4)
        self.assertTrue(self.gone())

    def fifo(self):
        os.mkfifo(os.path.join(self.state, "fifo"))
        return self.state

    def test_interrupted_while_carving(self):
        self.env["FAKE_VMM"] = "stuck"
        self.ok("daemon", "start")
        job = self.start("divisi", "run", "--policy", self.policy("once"), "--", "true")
        wait_for(lambda: len(self.processes()) == 3, "carving has begun")
        job.send_signal(signal.SIGINT)
        _, err = job.communicate(timeout=30)
        self.assertEqual(job.returncode, 128 + signal.SIGINT, err)
        wait_for(self.gone, "nothing is left")

    def test_killed_while_carving(self):
        self.env["FAKE_VMM"] = "slow"
        self.ok("daemon", "start")
        job = self.start("divisi", "run", "--policy", self.policy("once"), "--", "true")
        wait_for(lambda: len(self.processes()) == 3, "carving has begun")
        job.kill()
        job.communicate()
        wait_for(self.gone, "nothing is left")

    def test_killed_vmm(self):
        job = self.begin()
        [entry] = self.json("ls")["topologies"]
        os.kill(entry["vmm_pid"], signal.SIGKILL)
        _, err = job.communicate(timeout=30)
        self.assertEqual(job.returncode, 125)
        self.assertIn("killed by signal 9", err)
        self.assertFalse(alive(entry["vmm_pid"]))
        self.assertTrue(self.gone())


main()
