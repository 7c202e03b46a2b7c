#!/usr/bin/env python3
"""A daemon starts when one is needed, once, and ends by itself."""
import os
import signal
import stat
import subprocess
import time

from sandbox import BIN, SandboxTest, alive, main, wait_for


class Autostart(SandboxTest):
    def test_first_command_starts_a_daemon(self):
        self.assertIsNone(self.daemon_pid())
        self.assertEqual(self.json("ls")["topologies"], [])
        self.assertTrue(alive(self.daemon_pid()))

    def test_state_folder_may_be_named_from_where_one_is(self):
        folder, name = os.path.split(self.state)
        subprocess.run([os.path.join(BIN, "divisi"), "carve", self.policy()], check=True, capture_output=True, cwd=folder,
                       env=dict(self.env, DIVISI_STATE_DIR=name))
        self.assertEqual(self.names(), ["pair"])

    def test_status_does_not_start_one(self):
        result = self.divisi("daemon", "status", exit=1)
        self.assertIn("no daemon runs", result.stderr)
        self.assertEqual(self.processes(), [])

    def test_many_at_once_start_exactly_one(self):
        commands = [self.start("divisi", "daemon", "start") for _ in range(20)]
        said = set()
        for command in commands:
            out, err = command.communicate(timeout=60)
            self.assertEqual(command.returncode, 0, err)
            said.add(out)
        self.assertEqual(len(said), 1, said)
        self.assertEqual(self.processes(), [self.daemon_pid()])

    def test_many_at_once_after_a_crash(self):
        self.ok("daemon", "start")
        self.kill_daemon()
        commands = [self.start("divisi", "ls") for _ in range(20)]
        for command in commands:
            _, err = command.communicate(timeout=60)
            self.assertEqual(command.returncode, 0, err)
        self.assertEqual(self.processes(), [self.daemon_pid()])

    def test_second_daemon_is_refused(self):
        self.ok("daemon", "start")
        second = self.start("divisid")
        _, err = second.communicate(timeout=60)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another divisid runs here (pid %d)" % self.daemon_pid(), err)

    def test_only_the_owner_may_reach_the_socket(self):
        self.ok("daemon", "start")
        mode = os.stat(os.path.join(self.state, "divisid.sock")).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_state_folder_that_others_may_write_is_refused(self):
        os.chmod(self.state, 0o777)
        result = self.divisi("ls", exit=5)
        self.assertIn("others may write to the state folder", result.stderr)
        os.chmod(self.state, 0o700)

    def test_idle_daemon_ends_by_itself(self):
        daemon = self.start("divisid", "--idle-exit", "300ms")
        wait_for(lambda: self.daemon_pid() is not None, "divisid answers")
        self.assertEqual(daemon.wait(timeout=20), 0)
        self.assertFalse(os.path.exists(os.path.join(self.state, "divisid.sock")))

    def test_daemon_with_a_topology_is_not_idle(self):
        daemon = self.start("divisid", "--idle-exit", "300ms")
        wait_for(lambda: self.daemon_pid() is not None, "divisid answers")
        self.ok("carve", self.policy())
        time.sleep(1)
        self.assertIsNone(daemon.poll())
        self.ok("release", "pair")
        self.assertEqual(daemon.wait(timeout=20), 0)

    def test_failure_to_start_is_explained(self):
        os.mkdir(os.path.join(self.state, "divisid.lock"))
        result = self.divisi("ls", exit=5)
        self.assertIn("cannot start divisid", result.stderr)
        self.assertIn("divisid.lock", result.stderr)

    def test_crash_in_start_shows_the_log(self):
        # A folder of programs whose divisid is broken.
        folder = os.path.join(self.state, "bin")
        os.mkdir(folder)
        os.link(os.path.join(BIN, "divisi"), os.path.join(folder, "divisi")) if os.stat(BIN).st_dev == os.stat(
            self.state).st_dev else subprocess.run(["cp", os.path.join(BIN, "divisi"), folder], check=True)
        with open(os.path.join(folder, "divisid"), "w") as file:
            file.write("#!/bin/sh\necho the disk is on fire >&2\nexit 3\n")
        os.chmod(os.path.join(folder, "divisid"), 0o755)
        result = subprocess.run([os.path.join(folder, "divisi"), "ls"], capture_output=True, text=True, env=self.env)
        self.assertEqual(result.returncode, 5)
        self.assertIn("the disk is on fire", result.stderr)

    def test_stale_socket_file_is_no_hindrance(self):
        self.ok("daemon", "start")
        self.kill_daemon()
        self.assertTrue(os.path.exists(os.path.join(self.state, "divisid.sock")))
        self.ok("ls")

    def test_sigterm_ends_the_daemon_alone(self):
        self.ok("carve", self.policy())
        pid = self.daemon_pid()
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not alive(pid), "divisid ends")
        self.assertEqual(self.ok("run", "pair", "--ranks", "1", "--", "echo", "still here"), "still here\n")
        self.assertIsNone(self.daemon_pid(), "a run over a live topology needs no daemon")
        self.assertEqual(self.names(), ["pair"])


main()
