#!/usr/bin/env python3
"""The main job over real nodes: what the other tests do over a stand-in, where it matters that it is not one."""
import json
import os
import signal
import subprocess

from sandbox import BIN, SandboxTest, alive, main, skip, wait_for

PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char** argv) {
    char line[256];
    if (argc > 1 && strcmp(argv[1], "cat") == 0) {
        while (fgets(line, sizeof line, stdin)) fputs(line, stdout);
    } else if (argc > 1 && strcmp(argv[1], "crash") == 0) {
        *(volatile int*)0 = 1;
    } else if (argc > 1 && strcmp(argv[1], "sleep") == 0) {
        puts("begun");
        fflush(stdout);
        for (;;) sleep(1);
    } else if (argc > 1 && strcmp(argv[1], "exit") == 0) {
        return atoi(argv[2]);
    } else {
        printf("hello %s %s\n", argc > 1 ? argv[1] : "", getenv("GREETING") ? getenv("GREETING") : "");
    }
    return 0;
}
"""


class RealVmm(SandboxTest):
    vmm = None

    def setUp(self):
        super().setUp()
        self.program = self.build_program(PROGRAM, "cc", "-static")

    def carve(self, nodes=4):
        self.ok("carve", self.policy(nodes=nodes))
        return self.json("show", "pair")["vmm_pid"]

    def test_traffic_is_counted_by_ranks_and_by_links(self):
        self.ok("carve", self.policy(nodes=4))
        self.assertEqual(self.json("show", "--traffic", "pair")["flows"], [])
        self.ok("run", "pair", "--", os.path.join(BIN, "examples/ring"))
        traffic = self.json("show", "--traffic", "pair")
        self.assertEqual(traffic["job"], "pair.1")
        pairs = {(flow["from"], flow["to"]) for flow in traffic["flows"]}
        self.assertEqual(pairs, {(0, 1), (1, 2), (2, 3), (3, 0)})
        sent = sum(flow["messages"] for flow in traffic["flows"])
        self.assertEqual(sent, sum(link["messages"] for link in traffic["links"]), "every pair has a link")
        self.assertIn("pair.1: %d messages" % sent, self.ok("show", "--traffic", "pair"))

    def test_memory_of_every_kind(self):
        dirty = r"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
int main(void) {  // most of what a node has, one page of it with other rights
    const size_t bytes = 40 << 20;
    unsigned char* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 1;
    if (mprotect(memory + (9 << 20), 4096, PROT_READ) != 0) return 2;
    for (size_t at = 0; at < bytes; at += 4096) {
        if (memory[at] != 0) return 3;
        if (at != 9 << 20) memory[at] = 1;
    }
    if (madvise(memory + (4 << 20), 3 << 20, MADV_DONTNEED) != 0) return 4;
    for (size_t at = 0; at < bytes; at += 4096)
        if (memory[at] != (at != 9 << 20 && (at < 4 << 20 || at >= 7 << 20))) return 5;
    return munmap(memory + (16 << 20), 5 << 20) == 0 && memory[21 << 20] == 1 ? 0 : 6;
}
"""
        program = self.build_program(dirty, "cc", "-static")
        for kind in ("pages: 4KiB, prefault: true", "pages: transparent", "pages: 2MiB", "pages: 2MiB, prefault: true"):
            policy = self.policy(nodes=2)
            with open(policy, encoding="ascii") as file:
                text = file.read().replace("memory: 16MiB", "memory: 64MiB") + "memory: {%s}\n" % kind
            with open(policy, "w", encoding="ascii") as file:
                file.write(text)
            self.ok("carve", policy)
            note = self.json("show", "pair")["memory_note"]
            self.assertEqual("memory: " + note in self.ok("show", "pair"), note != "", kind)
            for _ in range(2):  # nothing of a job is left for the next
                self.ok("run", "pair", "--", program)
            self.ok("switch", "pair", "shared-memory")
            self.ok("run", "pair", "--", program)
            self.ok("release", "pair")

    def test_the_main_job(self):
        pid = self.carve(nodes=8)
        self.assertEqual(len(self.json("show", "pair")["nodes"]), 8)
        self.env["GREETING"] = "world"
        self.assertEqual(self.ok("run", "pair", "--", "./program", "dear", cwd=self.state), "hello dear world\n" * 8)
        self.assertEqual(self.ok("run", "pair", "-n", "3", "--", self.program), "hello  world\n" * 3)
        lines = self.ok("run", "pair", "--label", "--", self.program).splitlines()
        self.assertEqual(sorted(lines), ["[%d] hello  world" % rank for rank in range(8)])
        self.assertEqual(self.ok("run", "pair", "--", self.program, "cat", input="in\n"), "in\n")
        self.divisi("run", "pair", "--", self.program, "exit", "3", exit=3)
        self.ok("switch", "pair", "shared-memory")
        self.assertEqual(self.ok("run", "pair", "--", self.program), "hello  world\n")
        self.ok("switch", "pair", "message-passing")
        self.assertEqual(self.ok("run", "pair", "--", self.program), "hello  world\n" * 8)
        self.ok("release", "pair")
        self.assertFalse(alive(pid))
        self.assertEqual(os.listdir(self.topologies()), [])

    def test_arguments_variables_and_paths_of_any_bytes(self):
        os.mkdir(os.path.join(self.state, "caf\udce9"))
        path = os.path.join(self.state, "caf\udce9", "\udcff")
        os.rename(self.program, path)
        self.env["GREETING"] = "caf\udce9"
        command = ("./\udcff", "\udcfe")
        self.carve(nodes=1)
        folder = os.path.dirname(path)
        for words in (("pair",), ("--native", "-n", "1"), ("--policy", self.policy("once", 1))):
            said = os.path.join(self.state, "said")
            with open(said, "wb") as file:
                process = self.start("divisi", "run", *words, "--report", "report", "--", *command, cwd=folder, stdout=file)
                problems = process.communicate(timeout=60)[1]
                self.assertEqual(process.returncode, 0, problems)
            with open(said, "rb") as file:
                self.assertEqual(file.read(), b"hello \xfe caf\xe9\n")
            with open(os.path.join(folder, "report"), encoding="utf-8") as file:
                self.assertEqual(json.load(file).get("argv", ["./?", "?"]), ["./?", "?"])
        self.assertEqual(self.ok("run", "pair", "--detach", "--", *command, cwd=folder), "pair.2\n")
        wait_for(lambda: self.json("show", "--job", "pair.2")["state"] == "ended", "the job ends")
        self.assertEqual(self.json("show", "--job", "pair.2")["argv"], ["./?", "?"])
        self.assertIn("'caf?': a topology's name", self.divisi("show", "caf\udce9", exit=2).stderr)
        with open(os.path.join(self.state, "bad.yaml"), "wb") as file:
            file.write(b"apiVersion: divisi/v1 # caf\xe9\n")
        self.assertIn("bad.yaml:1:28: not UTF-8", self.divisi("carve", "bad.yaml", cwd=self.state, exit=3).stderr)

    def test_it_has_given_up_what_it_does_not_need(self):
        pid = self.carve()
        with open("/proc/%d/status" % pid) as file:
            status = dict(line.split(":\t") for line in file.read().splitlines())
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(int(status["CapEff"], 16) & ~0b11111, 0)
        # On the direct backend its stubs would inherit a filter: they have one of their own.
        self.assertEqual(status["Seccomp"], "2" if self.json("show", "pair")["backend"] == "kvm" else "0")

    def test_backend_by_the_environment(self):
        self.env["DIVISI_BACKEND"] = "direct"
        if self.divisi("carve", self.policy()).returncode == 5:
            self.skipTest("the direct backend does not work here")
        self.assertEqual(self.json("show", "pair")["backend"], "direct")
        report = os.path.join(self.state, "report.json")
        self.ok("run", "pair", "--report", report, "--", self.program)
        with open(report, encoding="utf-8") as file:
            document = json.load(file)
        self.assertEqual((document["backend"], document["backend_reason"]), ("direct", "asked for"))
        self.env["DIVISI_BACKEND"] = "zen"
        refused = self.divisi("carve", self.policy("other"), exit=2)
        self.assertIn("DIVISI_BACKEND=zen", refused.stderr)

    def test_one_go(self):
        self.assertEqual(self.ok("run", "--policy", self.policy(), "--", self.program), "hello  \n" * 2)
        self.assertEqual(self.names(), [])

    def test_fault(self):
        self.carve()
        result = self.divisi("run", "pair", "--ranks", "1", "--", self.program, "crash", exit=139)
        self.assertIn("SIGSEGV", result.stderr)
        self.assertIn("main", result.stderr)

    def test_detached_job(self):
        self.carve()
        job = self.ok("run", "-d", "pair", "--ranks", "1", "--", self.program, "sleep").strip()
        wait_for(lambda: self.ok("logs", job) == "begun\n", "it has begun")
        self.assertIn(job, self.divisi("switch", "pair", "shared-memory", exit=1).stderr)
        self.ok("kill", job)
        wait_for(lambda: self.json("ps")["jobs"] == [], "it has ended")
        [entry] = self.json("ps", "-a")["jobs"]
        self.assertEqual(entry["exit"], 128 + signal.SIGTERM)

    def begin(self, *words):
        job = self.start("divisi", "run", *words, "--ranks", "1", "--", self.program, "sleep")
        self.assertEqual(job.stdout.readline(), "begun\n")
        return job

    def test_interrupt(self):
        self.carve()
        job = self.begin("pair")
        job.send_signal(signal.SIGINT)
        job.communicate(timeout=30)
        self.assertEqual(job.returncode, 128 + signal.SIGINT)
        self.assertEqual(self.json("ps")["jobs"], [])

    def test_killed_client(self):
        self.carve()
        job = self.begin("pair")
        job.kill()
        job.communicate()
        wait_for(lambda: self.json("ps")["jobs"] == [], "nothing runs")
        self.assertEqual(self.ok("run", "pair", "--ranks", "1", "--", self.program), "hello  \n")

    def test_killed_daemon(self):
        self.carve()
        job = self.begin("pair")
        before = self.json("show", "pair")["vmm_pid"]
        self.kill_daemon()
        shown = self.json("show", "pair")
        self.assertEqual((shown["vmm_pid"], shown["state"]), (before, "busy"))
        job.send_signal(signal.SIGTERM)
        job.communicate(timeout=30)
        self.assertEqual(job.returncode, 128 + signal.SIGTERM)
        self.ok("release", "pair")

    def test_killed_vmm(self):
        pid = self.carve()
        job = self.begin("pair")
        os.kill(pid, signal.SIGKILL)
        _, err = job.communicate(timeout=30)
        self.assertEqual(job.returncode, 125)
        self.assertIn("killed by signal 9", err)
        wait_for(lambda: self.names() == [], "the topology is gone")
        self.assertEqual(os.listdir(self.topologies()), [])
        self.carve()

    def test_killed_client_of_one_go(self):
        job = self.begin("--policy", self.policy("once"))
        job.kill()
        job.communicate()
        wait_for(lambda: self.names() == [], "the topology is gone")
        self.assertEqual(os.listdir(self.topologies()), [])

    def test_killed_daemon_while_carving(self):
        for _ in range(5):
            self.ok("daemon", "start")
            carve = self.start("divisi", "carve", self.policy(nodes=16))
            config = os.path.join(self.topologies(), "pair/config.json")
            wait_for(lambda: os.path.exists(config) or carve.poll() is not None, "carving has begun")
            self.kill_daemon()
            carve.communicate(timeout=30)
            # Either it stands and is taken up, or nothing of it is left.
            if self.names() == ["pair"]:
                self.assertEqual(self.ok("run", "pair", "-n", "1", "--", self.program), "hello  \n")
                self.ok("release", "pair")
            self.assertEqual(os.listdir(self.topologies()), [])
            self.assertEqual(self.processes(), [self.daemon_pid()])


if not os.path.exists(os.path.join(BIN, "divisi-vmm")):
    skip("divisi-vmm is not built")
if subprocess.run([os.path.join(BIN, "divisi-vmm"), "--probe"], capture_output=True, text=True).stdout.count(
        '"ok":true') == 0:
    skip("no backend works on this machine")
main()
