#!/usr/bin/env python3
"""divisi run --native: ranks as host processes over the channels that a topology would have."""
import json
import os
import signal

from sandbox import BIN, SandboxTest, main, skip, wait_for

PROGRAM = r"""
#include <divisi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char** argv) {
    int rank = divisi_rank(), size = divisi_size(), sum = 0, seen = 0;
    if (argc > 1 && strcmp(argv[1], "die") == 0) {
        if (rank == size - 1) abort();
        return divisi_recv(size - 1, &sum, sizeof sum, NULL) == DIVISI_EPEER ? 4 : 5;
    }
    if (argc > 1 && strcmp(argv[1], "sleep") == 0) {
        puts("begun");
        fflush(stdout);
        for (;;) sleep(1);
    }
    for (int i = 1; i < size && rank == 0; ++i) {
        divisi_recv(DIVISI_ANY, &seen, sizeof seen, NULL);
        sum += seen;
    }
    if (rank != 0) divisi_send(0, 1, &rank, sizeof rank);
    cpu_set_t mask;
    sched_getaffinity(0, sizeof mask, &mask);
    printf("rank %d of %d", rank, size);
    fflush(stdout);
    printf(", sum %d, %s, %s, PUs %d\n", sum, divisi_mode_name(), divisi_backend_name(), CPU_COUNT(&mask));
    return 0;
}
"""


class Native(SandboxTest):
    vmm = None

    def setUp(self):
        super().setUp()
        self.program = self.build_program(PROGRAM, os.path.join(BIN, "divisi-cc"), "-D_GNU_SOURCE")

    def expected(self, size, mode="message-passing"):
        return sorted("rank %d of %d, sum %d, %s, native, PUs 1" % (
            rank, size, size * (size - 1) // 2 if rank == 0 else 0, mode) for rank in range(size))

    def test_ranks_talk(self):
        out = self.ok("run", "--native", "-n", "3", "--", self.program)
        self.assertEqual(sorted(out.splitlines()), self.expected(3))
        out = self.ok("run", "--native", "--policy", self.policy(nodes=4), "--label", "--", self.program)
        self.assertEqual(sorted(line[4:] for line in out.splitlines()), self.expected(4))
        self.assertEqual(sorted(line[:4] for line in out.splitlines()), ["[%d] " % rank for rank in range(4)])

    def test_shape_of_a_topology(self):
        if self.divisi("carve", self.policy(nodes=3)).returncode != 0:
            self.skipTest("nothing can be carved here")
        self.assertEqual(sorted(self.ok("run", "pair", "--native", "--", self.program).splitlines()), self.expected(3))
        self.ok("switch", "pair", "shared-memory")
        out = self.ok("run", "--native", "pair", "--", self.program)
        self.assertEqual(out.split(", PUs")[0], "rank 0 of 1, sum 0, shared-memory, native")

    def test_codes_and_reports(self):
        report = os.path.join(self.state, "report.json")
        self.divisi("run", "--native", "-n", "2", "--report", report, "--", self.program, "die", exit=134)
        with open(report, encoding="utf-8") as file:
            document = json.load(file)
        self.assertEqual([(rank["exit"], rank["signal"]) for rank in document["ranks"]], [(4, 0), (134, 6)])
        self.assertEqual((document["exit"], document["backend"]), (134, "native"))
        self.divisi("run", "--native", "--", "./nothing-here", exit=127)
        self.divisi("run", "--native", exit=125)
        self.assertEqual(self.ok("run", "--native", "-n", "1", "--", "/bin/cat", input="in\n"), "in\n")

    def test_interrupt_and_kill(self):
        for signo, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
            job = self.start("divisi", "run", "--native", "-n", "2", "--", self.program, "sleep")
            self.assertEqual(job.stdout.readline(), "begun\n")
            self.assertEqual(job.stdout.readline(), "begun\n")
            job.send_signal(signo)
            job.communicate(timeout=30)
            self.assertEqual(job.returncode, code)
            wait_for(lambda: self.program.encode() not in b"".join(self.command_lines()), "all ranks have ended")

    def command_lines(self):
        for pid in self.processes():
            try:
                with open("/proc/%d/cmdline" % pid, "rb") as file:
                    yield file.read()
            except FileNotFoundError:
                pass


if not os.path.exists(os.path.join(BIN, "divisi-native")):
    skip("divisi-native is not built")
main()
