#!/usr/bin/env python3
"""divisi join: a host process as a rank of a topology's job, in both directions, asleep and awake, and its death."""
import json
import os
import signal

from sandbox import BIN, SandboxTest, main, skip, wait_for

PROGRAM = r"""
#include <divisi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char bytes[300000];
int main(int argc, char** argv) {
    int rank = divisi_rank(), size = divisi_size();
    const char* what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "exit") == 0) return atoi(argv[2]);
    if (strcmp(what, "sleep") == 0) for (;;) sleep(1);
    if (strcmp(what, "quit") == 0) return rank == 0 ? divisi_recv(1, bytes, 8, NULL) == DIVISI_EPEER ? 0 : 1 : 7;
    if (strcmp(what, "gone") == 0) {
        int result = divisi_recv(0, bytes, sizeof bytes, NULL);
        printf("rank %d: %s\n", rank, result == DIVISI_EPEER ? "the host is gone" : "strange");
        return 0;
    }
    /* Rank 0 asks, the others answer: pauses make either side sleep. */
    for (int round = 0; round < 30; ++round) {
        for (int peer = 1; peer < size && rank == 0; ++peer) {
            if (round % 10 == peer) usleep(20000);
            memset(bytes, round + peer, sizeof bytes);
            if (divisi_send(peer, 1, bytes, sizeof bytes) != DIVISI_OK) return 1;
            if (divisi_recv(peer, bytes, sizeof bytes, NULL) != DIVISI_OK) return 2;
            for (size_t i = 0; i < sizeof bytes; ++i) if (bytes[i] != (char)(2 * round + peer)) return 3;
        }
        if (rank == 0) continue;
        if (divisi_recv(0, bytes, sizeof bytes, NULL) != DIVISI_OK) return 4;
        for (size_t i = 0; i < sizeof bytes; ++i) if (bytes[i] != (char)(round + rank)) return 5;
        memset(bytes, 2 * round + rank, sizeof bytes);
        if (round % 7 == 0) usleep(20000);
        if (divisi_send(0, 1, bytes, sizeof bytes) != DIVISI_OK) return 6;
    }
    divisi_barrier();
    printf("rank %d: %s %s\n", rank, divisi_backend() == DIVISI_NATIVE ? "host" : "node", divisi_topology());
    return 0;
}
"""


class Join(SandboxTest):
    vmm = None

    def setUp(self):
        super().setUp()
        self.program = self.build_program(PROGRAM, os.path.join(BIN, "divisi-cc"), "-D_GNU_SOURCE")

    def carve(self, nodes=3):
        if self.divisi("carve", self.policy(nodes=nodes)).returncode != 0:
            self.skipTest("nothing can be carved here")

    def run_with_host(self, *words, ranks="0"):
        report = os.path.join(self.state, "report.json")
        return self.start("divisi", "run", "pair", "--host-ranks", ranks, "--report", report, "--", self.program, *words)

    def end(self, job, code):
        out, err = job.communicate(timeout=60)
        self.assertEqual(job.returncode, code, out + err)
        return out

    def test_talks_with_nodes(self):
        self.carve()
        for mode in ("message-passing", "shared-memory"):
            self.ok("switch", "pair", mode)
            ranks = () if mode == "message-passing" else ("--ranks", "3")
            job = self.start("divisi", "run", "pair", *ranks, "--host-ranks", "0", "--", self.program)
            out = self.ok("join", "pair", "--rank", "0", "--", self.program)
            self.assertEqual(out, "rank 0: host pair\n")
            self.assertEqual(sorted(self.end(job, 0).splitlines()), ["rank 1: node pair", "rank 2: node pair"])

    def test_death_is_told(self):
        self.carve()
        job = self.run_with_host("gone")
        host = self.start("divisi", "join", "pair", "--rank", "0", "--", self.program, "sleep")
        wait_for(lambda: len(self.programs("sleep")) == 1, "it has joined")
        os.kill(self.programs("sleep")[0], signal.SIGKILL)
        self.end(host, 137)
        out = self.end(job, 137)
        self.assertEqual(sorted(out.splitlines()), ["rank 1: the host is gone", "rank 2: the host is gone"])

    def test_death_of_the_wrapper_is_told(self):
        self.carve()
        job = self.run_with_host("gone")
        host = self.start("divisi", "join", "pair", "--rank", "0", "--", self.program, "sleep")
        wait_for(lambda: len(self.programs("sleep")) == 1, "it has joined")
        host.kill()
        self.end(job, 137)
        wait_for(lambda: self.programs("sleep") == [], "it has ended with it")

    def test_codes(self):
        self.carve()
        job = self.run_with_host("gone")
        self.divisi("join", "pair", "--rank", "0", "--", self.program, "exit", "3", exit=3)
        self.end(job, 3)
        with open(os.path.join(self.state, "report.json"), encoding="utf-8") as file:
            ranks = json.load(file)["ranks"]
        self.assertEqual(ranks[0], {"rank": 0, "exit": 3, "signal": 0, "host": True})

    def test_interrupt_reaches_it(self):
        self.carve()
        job = self.run_with_host("sleep")
        host = self.start("divisi", "join", "pair", "--rank", "0", "--", self.program, "sleep")
        wait_for(lambda: len(self.programs("sleep")) == 1, "it has joined")
        job.send_signal(signal.SIGINT)
        self.end(host, 130)
        self.end(job, 130)

    def test_refusals(self):
        self.carve()
        self.divisi("run", "pair", "--host-ranks", "7", "--", self.program, exit=125)
        self.divisi("run", "pair", "--host-ranks", "0,1,2", "--", self.program, exit=125)
        self.divisi("join", "nothing", "--rank", "0", "--", self.program, exit=125)
        job = self.run_with_host("exit", "0")  # nobody has to come
        self.end(job, 0)

    def programs(self, word):
        found = []
        for pid in self.processes():
            with open("/proc/%d/cmdline" % pid, "rb") as file:
                words = file.read().split(b"\0")
            if words[:2] == [self.program.encode(), word.encode()]:
                found.append(pid)
        return found


if not os.path.exists(os.path.join(BIN, "divisi-vmm")):
    skip("divisi-vmm is not built")
main()
