#!/usr/bin/env python3
"""SIGKILL to divisi, divisid or divisi-vmm at any moment: the next command takes up or clears away what is left.

  DIVISI_FAULT_ROUNDS=N   kills for each of the three (default 5)
  DIVISI_FAULT_SEED=N     the moments are drawn from it; a failure names it
"""
import os
import random
import signal
import subprocess
import time

from sandbox import BIN, SandboxTest, alive, main, skip_without, wait_for

BACKEND = os.environ.get("DIVISI_TEST_BACKEND", "auto")
ROUNDS = int(os.environ.get("DIVISI_FAULT_ROUNDS", "5"))
SEED = int(os.environ.get("DIVISI_FAULT_SEED", str(time.time_ns() % 1_000_000)))
PROGRAM = r"""
#include <stdio.h>
#include <unistd.h>
int main(int argc, char** argv) {
    (void)argv;
    puts("begun");
    fflush(stdout);
    if (argc > 1) sleep(600);
    usleep(50000);
    puts("done");
    return 0;
}
"""


def children_of(pids):
    """The processes below these: what a killed parent could leave behind."""
    parents = {}
    for entry in os.listdir("/proc"):
        try:
            with open("/proc/%s/stat" % entry) as file:
                parents[int(entry)] = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found = set(pids)
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found - set(pids)
        found |= more


class Kills(SandboxTest):
    vmm = None

    def setUp(self):
        super().setUp()
        self.random = random.Random("%d %s" % (SEED, self.id()))
        self.program = os.path.join(self.state, "program")
        subprocess.run(["cc", "-O1", "-static", "-x", "c", "-", "-o", self.program], input=PROGRAM, text=True,
                       check=True)

    def policy(self, name="pair", nodes=3):
        path = super().policy(name, nodes)
        with open(path, "a") as file:
            file.write("backend: %s\n" % BACKEND)
        return path

    def random_moment(self):
        time.sleep(self.random.uniform(0, 0.12))

    def vmm_pids(self):
        pids = []
        for pid in self.processes():
            try:
                with open("/proc/%d/cmdline" % pid, "rb") as file:
                    if b"divisi-vmm" in file.read().split(b"\0")[0]:
                        pids.append(pid)
            except OSError:
                continue
        return pids

    def some_command(self):
        """One of the things that change something, under way when it is returned."""
        return self.start("divisi", *self.random.choice([
            ("carve", self.policy("other")), ("run", "pair", "--", self.program), ("switch", "pair", "shared-memory"),
            ("switch", "pair", "message-passing"), ("release", "--force", "pair"),
            ("run", "--policy", self.policy("once"), "--", self.program)]))

    def settled(self, name):
        """It is listed, and nothing that a killed client has begun is going on with it."""
        return any(each["name"] == name and each["state"] in ("ready", "busy") for each in self.json("ls")["topologies"])

    def assert_all_is_well(self):
        """Whatever happened: the commands work, a topology can be had and runs, and what is dead is gone."""
        with self.subTest(seed=SEED):
            self.ok("ls")
            for name in ("pair", "other"):
                # What a killed client has begun goes on: a release ends, a carved topology may stand.
                wait_for(lambda: self.settled(name) or self.divisi("carve", self.policy(name)).returncode == 0,
                         "%s can be had" % name)
                self.ok("switch", name, "message-passing", "--force")
                self.assertEqual(self.ok("run", name, "--", self.program).split().count("done"), 3)
            self.ok("release", "--force", "other")
            wait_for(lambda: self.names() == ["pair"], "what had no owner is gone")
            self.assertEqual(os.listdir(self.topologies()), ["pair"])
            wait_for(lambda: len(self.vmm_pids()) == 1, "no divisi-vmm is left over")

    def rounds(self, kill):
        for _ in range(ROUNDS):
            self.assert_all_is_well()
            below = children_of(self.vmm_pids())
            command = self.some_command()
            self.random_moment()
            kill(command)
            command.communicate(timeout=60)
            self.assert_all_is_well()
            served = children_of(self.vmm_pids())
            wait_for(lambda: not any(alive(pid) for pid in below - served), "no node's process is left over")

    def test_divisi(self):
        self.rounds(lambda command: command.kill())

    def test_the_job_of_a_killed_client_ends(self):
        """Whatever name the client has: divisi, or mpiexec, over a topology that is there and over one of its own."""
        self.ok("carve", self.policy())
        ready = lambda: self.json("show", "pair")["state"] == "ready"  # noqa: E731
        for client in (("divisi", "run", "pair"), ("mpi/mpiexec", "--topology", "pair"),
                       ("mpi/mpiexec", "-n", "2", "--backend", BACKEND)):
            command = self.start(*client, "--", self.program, "for long")
            self.assertEqual(command.stdout.readline(), "begun\n")
            self.assertEqual(ready(), "-n" in client)
            command.kill()
            command.communicate(timeout=60)
            wait_for(ready, "the topology is free")
            wait_for(lambda: self.names() == ["pair"], "what had no owner is gone")
        self.assertEqual(self.json("show", "--job", "pair.1")["exit"], 128 + signal.SIGKILL)

    def test_divisid(self):
        def kill(_):
            pid = self.daemon_pid()
            if pid:
                os.kill(pid, signal.SIGKILL)
        self.rounds(kill)

    def test_divisi_vmm(self):
        def kill(_):
            pids = self.vmm_pids()
            if pids:
                pid = self.random.choice(pids)
                os.kill(pid, signal.SIGKILL)
                # Until the daemon has seen it, the topology is listed; commands then say how it ended.
                wait_for(lambda: pid not in [each["vmm_pid"] for each in self.json("ls")["topologies"]], "it is seen")
        self.rounds(kill)


skip_without(BACKEND)
main()
