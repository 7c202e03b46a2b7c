#!/usr/bin/env python3
"""Carving and releasing, and what goes wrong in it."""
import json
import os
import signal
import time

from sandbox import SandboxTest, alive, main, wait_for


class Carve(SandboxTest):
    def assert_nothing_left(self):
        self.assertEqual(os.listdir(self.topologies()), [])
        # The stand-in does not wait for the jobs that it kills.
        wait_for(lambda: self.processes() == [self.daemon_pid()], "nothing but the daemon is left")

    def test_carve_show_release(self):
        said = self.ok("carve", self.policy(nodes=4))
        self.assertEqual(said, "pair: 4 nodes, message-passing, direct\n")
        shown = self.json("show", "pair")
        self.assertEqual([node["id"] for node in shown["nodes"]], [0, 1, 2, 3])
        self.assertEqual(len(shown["links"]), 6)
        for field in ("name", "mode", "state", "backend", "vmm_pid", "nodes", "links", "jobs"):
            self.assertIn(field, shown)
        for field in ("id", "state", "core", "pu", "exits", "cpu_time"):
            self.assertIn(field, shown["nodes"][0])
        self.assertIn("interconnect: full, 6 links", self.ok("show", "pair"))
        self.ok("release", "pair")
        self.assert_nothing_left()

    def test_what_the_command_line_sets_over_the_policy(self):
        self.ok("carve", self.policy(), "--name", "other", "--mode", "shared-memory")
        shown = self.json("show", "other")
        self.assertEqual((shown["name"], shown["mode"]), ("other", "shared-memory"))

    def test_policy_from_standard_input(self):
        with open(self.policy()) as file:
            self.ok("carve", "-", input=file.read())
        self.assertEqual(self.names(), ["pair"])

    def test_dry_run_carves_nothing(self):
        plan = json.loads(self.ok("carve", "--dry-run", "-o", "json", self.policy(nodes=4)))
        self.assertEqual((plan["name"], len(plan["nodes"]), len(plan["links"])), ("pair", 4, 6))
        self.assertIn("would be carved", self.ok("carve", "--dry-run", self.policy()))
        self.assert_nothing_left()

    def test_invalid_policy(self):
        result = self.divisi("carve", "-", input="apiVersion: divisi/v1\nname: x\nnods: 3\n", exit=3)
        self.assertIn("standard input:3:1", result.stderr)
        self.divisi("carve", self.policy(), "--mode", "sideways", exit=2)
        self.divisi("carve", self.policy(), "--name", "../up", exit=2)
        self.assert_nothing_left()

    def test_missing_policy_file(self):
        self.assertIn("nowhere.yaml", self.divisi("carve", "nowhere.yaml", exit=1).stderr)

    def test_name_that_is_taken(self):
        self.ok("carve", self.policy())
        result = self.divisi("carve", self.policy(), exit=1)
        self.assertIn("topology 'pair': exists already", result.stderr)
        self.assertEqual(self.names(), ["pair"])

    def test_two_at_once_under_one_name(self):
        self.env["FAKE_VMM"] = "slow"
        first, second = [self.start("divisi", "carve", self.policy()) for _ in range(2)]
        first.communicate(timeout=30), second.communicate(timeout=30)
        self.assertEqual(sorted([first.returncode, second.returncode]), [0, 1])
        self.assertEqual(self.names(), ["pair"])

    def test_many_at_once_under_different_names(self):
        names = ["t%d" % number for number in range(6)]
        commands = [self.start("divisi", "carve", self.policy(name)) for name in names]
        for command in commands:
            _, err = command.communicate(timeout=60)
            self.assertEqual(command.returncode, 0, err)
        self.assertEqual(self.names(), names)
        self.ok("release", *names)
        self.assert_nothing_left()

    def test_memory_beyond_the_machine_names_the_holders(self):
        with open("/proc/meminfo") as file:
            total_mib = int(file.readline().split()[1]) // 1024
        policy = self.policy()
        with open(policy) as file:
            text = file.read()
        big = os.path.join(self.state, "big.yaml")
        with open(big, "w") as file:
            file.write(text.replace("64MiB", "%dMiB" % (total_mib * 6 // 10)).replace("name: pair", "name: big"))
        self.ok("carve", big)
        result = self.divisi("carve", big, "--name", "big2", exit=4)
        self.assertIn("'big' holds", result.stderr)
        self.assertEqual(self.names(), ["big"])

    def test_shared_pus_are_noted(self):
        self.ok("carve", self.policy())
        self.assertIn("shared with pair", self.divisi("carve", self.policy(), "--name", "two", exit=0).stderr)
        info = json.loads(self.curl("http://divisi/v1/info")[1])
        self.assertEqual(info["pus"]["0"], ["pair", "two"])

    def test_reported_failure_comes_through(self):
        self.env["FAKE_VMM"] = "fail"
        result = self.divisi("carve", self.policy(), exit=5)
        self.assertIn("/dev/kvm: permission denied (add yourself to the group kvm)", result.stderr)
        self.assert_nothing_left()

    def test_failure_without_a_report_shows_the_log(self):
        self.env["FAKE_VMM"] = "silent"
        result = self.divisi("carve", self.policy(), exit=1)
        self.assertIn("exited with code 1", result.stderr)
        self.assertIn("something went wrong", result.stderr)
        self.assert_nothing_left()

    def test_garbage_for_a_report(self):
        self.env["FAKE_VMM"] = "garbage"
        self.divisi("carve", self.policy(), exit=1)
        self.assert_nothing_left()

    def test_missing_vmm_program(self):
        self.env["DIVISI_VMM"] = "/nowhere/divisi-vmm"
        self.assertIn("/nowhere/divisi-vmm", self.divisi("carve", self.policy(), exit=1).stderr)
        self.assert_nothing_left()

    def test_interrupted_carve_leaves_nothing(self):
        self.env["FAKE_VMM"] = "stuck"
        self.ok("daemon", "start")
        carve = self.start("divisi", "carve", self.policy())
        wait_for(lambda: len(self.processes()) == 3, "carving has begun")
        carve.send_signal(signal.SIGINT)
        carve.communicate(timeout=30)
        self.assertNotEqual(carve.returncode, 0)
        wait_for(lambda: os.listdir(self.topologies()) == [] and len(self.processes()) == 1, "nothing is left")

    def test_release_with_a_running_job(self):
        self.ok("carve", self.policy())
        job = self.ok("run", "-d", "pair", "--", "sleep", "60").strip()
        self.assertIn(job, self.divisi("release", "pair", exit=1).stderr)
        self.assertEqual(self.json("show", "pair")["state"], "busy")
        self.ok("release", "--force", "pair")
        self.assert_nothing_left()

    def test_release_of_several_goes_on_after_a_failure(self):
        self.ok("carve", self.policy())
        self.assertIn("nope", self.divisi("release", "nope", "pair", exit=1).stderr)
        self.assertIn("may not be empty", self.divisi("release", "", exit=2).stderr)
        self.assertEqual(self.names(), [])

    def test_release_of_one_that_does_not_end(self):
        self.env["FAKE_VMM"] = "ignore-term"
        self.ok("carve", self.policy())
        pid = self.json("show", "pair")["vmm_pid"]
        self.ok("release", "--force", "pair")
        self.assertFalse(alive(pid))
        self.assert_nothing_left()

    def test_one_that_does_not_answer_holds_up_no_other(self):
        self.ok("carve", self.policy("good"))
        self.ok("carve", self.policy("deaf"))
        os.kill(self.json("show", "deaf")["vmm_pid"], signal.SIGSTOP)
        begin = time.monotonic()
        states = {each["name"]: each["state"] for each in self.json("ls")["topologies"]}
        self.assertEqual(states, {"good": "ready", "deaf": "unresponsive"})
        self.assertLess(time.monotonic() - begin, 15)
        self.ok("run", "good", "--", "true")
        self.ok("release", "--force", "deaf")

    def test_switch(self):
        self.ok("carve", self.policy())
        self.assertEqual(self.ok("switch", "pair", "shared-memory"), "pair: shared-memory\n")
        self.assertEqual(self.ok("switch", "pair", "shared-memory"), "pair: shared-memory (as before)\n")
        self.divisi("switch", "pair", "upside-down", exit=2)
        self.divisi("switch", "nope", "shared-memory", exit=1)

    def test_switch_with_a_running_job(self):
        self.ok("carve", self.policy())
        job = self.ok("run", "-d", "pair", "--", "sleep", "60").strip()
        self.assertIn(job, self.divisi("switch", "pair", "shared-memory", exit=1).stderr)
        drain = self.start("divisi", "switch", "pair", "shared-memory", "--drain")
        wait_for(lambda: self.json("show", "pair")["state"] == "switching", "it switches")
        self.assertIn("busy: switching", self.divisi("switch", "pair", "shared-memory", exit=1).stderr)
        self.assertIn("busy: switching", self.divisi("release", "pair", exit=1).stderr)
        self.ok("kill", job)
        _, err = drain.communicate(timeout=30)
        self.assertEqual(drain.returncode, 0, err)
        self.assertEqual(self.json("show", "pair")["mode"], "shared-memory")
        self.ok("run", "-d", "pair", "--", "sleep", "60")
        self.ok("switch", "pair", "message-passing", "--force")
        self.divisi("switch", "pair", "message-passing", "--force", "--drain", exit=2)

    def test_a_drain_that_nobody_waits_for_any_more_ends(self):
        self.ok("carve", self.policy())
        self.ok("run", "-d", "pair", "--", "sleep", "60")
        drain = self.start("divisi", "switch", "pair", "shared-memory", "--drain")
        wait_for(lambda: self.json("show", "pair")["state"] == "switching", "it switches")
        drain.send_signal(signal.SIGINT)
        drain.communicate(timeout=30)
        wait_for(lambda: self.json("show", "pair")["state"] == "busy", "it no longer switches")

    def test_release_by_force_overtakes_a_drain(self):
        self.ok("carve", self.policy())
        self.ok("run", "-d", "pair", "--", "sleep", "60")
        drain = self.start("divisi", "switch", "pair", "shared-memory", "--drain")
        wait_for(lambda: self.json("show", "pair")["state"] == "switching", "it switches")
        self.ok("release", "--force", "pair")
        drain.communicate(timeout=30)
        self.assertNotEqual(drain.returncode, 0)
        self.assert_nothing_left()


main()
