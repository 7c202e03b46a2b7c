#!/usr/bin/env python3
"""What a killed daemon leaves is taken up again; what a killed divisi-vmm leaves is cleared away."""
import os
import signal
import subprocess

from sandbox import SandboxTest, alive, main, wait_for


class Adoption(SandboxTest):
    def carve(self, name="pair"):
        self.ok("carve", self.policy(name))
        return self.json("show", name)["vmm_pid"]

    def test_everything_goes_on_after_a_killed_daemon(self):
        pid = self.carve()
        before = self.json("show", "pair")
        self.kill_daemon()
        after = self.json("show", "pair")
        self.assertEqual(before, after)
        self.assertTrue(alive(pid))
        self.assertEqual(self.names(), ["pair"])
        self.assertEqual(self.ok("run", "pair", "--", "echo", "hi"), "hi\nhi\n")
        self.ok("switch", "pair", "shared-memory")
        self.assertEqual(self.json("show", "pair")["mode"], "shared-memory")
        self.divisi("carve", self.policy(), exit=1)
        self.ok("release", "pair")
        wait_for(lambda: not alive(pid), "divisi-vmm is gone")
        self.assertEqual(self.names(), [])

    def test_a_job_goes_on_without_the_daemon(self):
        self.carve()
        job = self.start("divisi", "run", "pair", "--ranks", "1", "--", "sh", "-c", "echo begun; read line; echo $line",
                         stdin=subprocess.PIPE)
        self.assertEqual(job.stdout.readline(), "begun\n")
        self.kill_daemon()
        out, err = job.communicate("the end\n", timeout=30)
        self.assertEqual((job.returncode, out), (0, "the end\n"), err)

    def test_death_of_an_adopted_one_is_noticed(self):
        pid = self.carve()
        self.kill_daemon()
        self.assertEqual(self.names(), ["pair"])
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.names() == [], "the topology is gone")
        self.assertEqual(os.listdir(self.topologies()), [])
        self.assertIn("divisi-vmm (pid %d) ended" % pid, self.divisi("show", "pair", exit=1).stderr)

    def test_killed_vmm_is_cleared_away_and_told(self):
        pid = self.carve()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.names() == [], "the topology is gone")
        self.assertEqual(os.listdir(self.topologies()), [])
        result = self.divisi("show", "pair", exit=1)
        self.assertIn("topology 'pair': ended: divisi-vmm (pid %d) was killed by signal 9 (Killed) (carve it again)"
                      % pid, result.stderr)
        self.assertIn("pair", self.divisi("ls", exit=0).stderr)
        self.carve()
        self.assertNotIn("ended", self.divisi("ls", exit=0).stderr)

    def test_run_over_a_killed_vmm_says_so(self):
        pid = self.carve()
        os.kill(pid, signal.SIGKILL)
        result = self.divisi("run", "pair", "--", "true", exit=125)
        self.assertIn("was killed by signal 9", result.stderr)

    def test_vmm_killed_in_mid_run_is_told(self):
        pid = self.carve()
        job = self.start("divisi", "run", "pair", "--ranks", "1", "--", "sh", "-c", "echo begun; exec sleep 60")
        self.assertEqual(job.stdout.readline(), "begun\n")
        os.kill(pid, signal.SIGKILL)
        _, err = job.communicate(timeout=30)
        self.assertEqual(job.returncode, 125)
        self.assertIn("divisi-vmm ended in the middle of the job", err)
        self.assertIn("killed by signal 9", err)

    def test_both_killed(self):
        pid = self.carve()
        daemon = self.daemon_pid()
        os.kill(daemon, signal.SIGSTOP)  # it must not see the other's end
        os.kill(pid, signal.SIGKILL)
        os.kill(daemon, signal.SIGKILL)
        wait_for(lambda: not alive(daemon) and not alive(pid), "both are gone")
        self.assertTrue(os.path.exists(os.path.join(self.topologies(), "pair/vmm.sock")))
        self.assertEqual(self.names(), [])
        self.assertEqual(os.listdir(self.topologies()), [])
        self.assertIn("gone when divisid started", self.divisi("show", "pair", exit=1).stderr)

    def test_half_carved_vmm_is_ended(self):
        self.env["FAKE_VMM"] = "stuck"
        self.ok("daemon", "start")
        carve = self.start("divisi", "carve", self.policy())
        config = os.path.join(self.topologies(), "pair/config.json")
        wait_for(lambda: os.path.exists(config) and len(self.processes()) == 3, "carving has begun")
        daemon = self.daemon_pid()
        [vmm] = [pid for pid in self.processes() if pid not in (daemon, carve.pid)]
        os.kill(daemon, signal.SIGKILL)
        _, err = carve.communicate(timeout=30)
        self.assertEqual(carve.returncode, 5, err)
        self.assertIn("divisid", err)
        self.assertTrue(alive(vmm))
        self.assertEqual(self.names(), [])
        self.assertFalse(alive(vmm))
        self.assertEqual(os.listdir(self.topologies()), [])

    def test_a_folder_of_rubbish_is_cleared_away(self):
        os.makedirs(os.path.join(self.topologies(), "rubbish/jobs"))
        with open(os.path.join(self.topologies(), "rubbish/config.json"), "w") as file:
            file.write("{")
        self.assertEqual(self.names(), [])
        self.assertEqual(os.listdir(self.topologies()), [])

    def test_a_stopped_vmm_is_adopted_and_can_be_released_by_force(self):
        pid = self.carve()
        os.kill(pid, signal.SIGSTOP)
        self.kill_daemon()
        [entry] = self.json("ls")["topologies"]
        self.assertEqual((entry["state"], entry["vmm_pid"]), ("unresponsive", pid))
        self.ok("release", "--force", "pair")
        self.assertFalse(alive(pid))

    def test_many_topologies_are_taken_up(self):
        names = ["t%d" % number for number in range(5)]
        for name in names:
            self.carve(name)
        self.kill_daemon()
        self.assertEqual(self.names(), names)


main()
