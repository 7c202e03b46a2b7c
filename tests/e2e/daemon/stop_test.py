#!/usr/bin/env python3
"""`divisi daemon stop`."""
import os

from sandbox import SandboxTest, alive, main


class Stop(SandboxTest):
    def test_stop_releases_all(self):
        self.ok("carve", self.policy("one"))
        self.ok("carve", self.policy("two"))
        self.ok("daemon", "stop")
        self.assertEqual(self.processes(), [])
        self.assertEqual(os.listdir(self.topologies()), [])
        self.assertFalse(os.path.exists(os.path.join(self.state, "divisid.sock")))

    def test_stop_without_a_daemon(self):
        self.assertIn("no daemon runs", self.divisi("daemon", "stop", exit=0).stderr)

    def test_stop_ends_what_a_killed_daemon_left(self):
        self.ok("carve", self.policy())
        self.kill_daemon()
        self.ok("daemon", "stop")
        self.assertEqual(self.processes(), [])
        self.assertEqual(os.listdir(self.topologies()), [])

    def test_stop_refuses_while_a_job_runs(self):
        self.ok("carve", self.policy("idle"))
        self.ok("carve", self.policy())
        job = self.ok("run", "-d", "pair", "--", "sleep", "60").strip()
        self.assertIn(job, self.divisi("daemon", "stop", exit=1).stderr)
        self.assertEqual(self.names(), ["idle", "pair"])
        self.ok("daemon", "stop", "--force")
        self.assertEqual(self.processes(), [])

    def test_start_right_after_stop(self):
        for _ in range(5):
            self.ok("daemon", "start")
            pid = self.daemon_pid()
            self.ok("daemon", "stop")
            self.assertFalse(alive(pid))


main()
