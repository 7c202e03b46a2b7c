#!/usr/bin/env python3
"""divisi doctor, on whatever machine this is."""

import json
import os
import shutil
import stat
import tempfile
import unittest

import cli
from cli import divisi

TOPICS = {"processor", "cores", "smt", "numa", "memory", "kvm", "backend", "open files", "processes", "locked memory",
          "mappings", "huge pages", "state folder", "daemon", "programs", "hwloc"}


def findings(result):
    return {check["check"]: check for check in json.loads(result.out)["checks"]}


class Doctor(unittest.TestCase):
    def test_has_a_verdict_on_every_topic(self):
        result = divisi("doctor", "-o", "json")
        checks = findings(result)
        self.assertEqual(set(checks), TOPICS)
        for check in checks.values():
            self.assertIn(check["status"], ("ok", "warning", "problem"))
            self.assertTrue(check["text"])
            if check["status"] == "problem":
                self.assertTrue(check["way_out"], check)
        problems = [check for check in checks.values() if check["status"] == "problem"]
        self.assertEqual(result.code, 1 if problems else 0)

    def test_prints_a_table_for_people(self):
        result = divisi("doctor")
        self.assertRegex(result.out, r"(?m)^ok +hwloc +interface version \d+\.\d+$")

    def test_counts_the_pus_of_its_affinity(self):
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2:
            self.skipTest("one PU only")
        checks = findings(divisi("doctor", "-o", "json", prefix=("taskset", "-c", str(allowed[0]))))
        self.assertIn("1 PU on 1 core for us", checks["cores"]["text"])
        self.assertIn("affinity", checks["cores"]["text"])
        self.assertEqual(checks["cores"]["status"], "warning")

    def test_warns_of_few_open_files(self):
        checks = findings(divisi("doctor", "-o", "json", prefix=("sh", "-c", 'ulimit -n 128; exec "$@"', "sh")))
        self.assertEqual(checks["open files"]["status"], "warning")


class Probe(unittest.TestCase):
    """A copy of divisi with a divisi-vmm beside it that answers as the test wants."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="divisi-probe-")
        self.own = cli.PROGRAM
        cli.PROGRAM = shutil.copy(self.own, self.folder.name)

    def tearDown(self):
        cli.PROGRAM = self.own
        self.folder.cleanup()

    def answer(self, script):
        path = os.path.join(self.folder.name, "divisi-vmm")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(path, stat.S_IRWXU)
        return findings(divisi("doctor", "-o", "json"))["backend"]

    def test_is_missed(self):
        checks = findings(divisi("doctor", "-o", "json"))
        self.assertEqual(checks["backend"]["status"], "problem")
        self.assertIn("divisid and divisi-vmm not found", checks["programs"]["text"])

    def test_is_believed(self):
        backend = self.answer("""[ "$1" = --probe ] && echo '{"backends": [
            {"name": "kvm", "ok": false, "reason": "no device", "detail": ""},
            {"name": "direct", "ok": true, "reason": "", "detail": ""}]}'""")
        self.assertEqual(backend["status"], "ok")
        self.assertEqual(backend["text"], "auto takes direct (kvm: no device; direct: works)")

    def test_may_fail(self):
        self.assertIn("exited with code 3", self.answer("exit 3")["text"])
        self.assertIn("killed by signal 9", self.answer("kill -9 $$")["text"])
        self.assertIn("not JSON", self.answer("echo nonsense")["text"])
        self.assertIn("more than any probe", self.answer("yes")["text"])


if __name__ == "__main__":
    cli.main()
