#!/usr/bin/env python3
"""divisi plan, validate and draw: output, messages and exit codes."""

import json
import os
import re
import tempfile
import unittest

import cli
from cli import divisi

QUAD = "policies/quad32.yaml"
FOUR = "--machine=synthetic:core:4 pu:1"
TWO = "--machine=synthetic:core:2 pu:1"
HEAD = "apiVersion: divisi/v1\nname: test\n"


def policy(rest):
    return (HEAD + rest).encode()


class Plan(unittest.TestCase):
    def test_resolves_quad32_on_a_quad_core(self):
        result = divisi("plan", QUAD, FOUR, "-o", "json")
        self.assertEqual((result.code, result.err), (0, ""))
        plan = json.loads(result.out)
        self.assertEqual(plan["name"], "quad32")
        self.assertEqual(plan["mode"], "message-passing")
        self.assertEqual((plan["machine"]["cores"], plan["machine"]["pus"]), (4, 4))
        self.assertEqual([node["id"] for node in plan["nodes"]], list(range(32)))
        self.assertEqual([node["core"] for node in plan["nodes"]], [i // 8 for i in range(32)])
        self.assertTrue(all(node["memory"] == 64 << 20 for node in plan["nodes"]))
        self.assertEqual(len(plan["links"]), 496)
        self.assertEqual(set(plan["nodes"][0]), {"id", "core", "pu", "os_pu", "numa", "memory"})
        self.assertEqual(plan["links"][0], {"a": 0, "b": 1})

    def test_folds_and_says_so(self):
        result = divisi("plan", QUAD, TWO)
        self.assertEqual(result.code, 0)
        self.assertIn("0-15", result.out)
        self.assertIn("note: folded 4 cores onto 2: 16 nodes on each", result.err)

    def test_refuses_fewer_cores_without_fold(self):
        with open(os.path.join(cli.SOURCE, QUAD), "rb") as file:
            text = file.read().replace(b"fold: true", b"fold: false")
        result = divisi("plan", "-", TWO, stdin=text)
        self.assertEqual((result.code, result.out), (4, ""))
        self.assertIn("divisi: standard input:6:10: the policy names 4 cores", result.err)

    def test_plans_on_this_machine(self):
        result = divisi("plan", QUAD, "-o", "json")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(len(json.loads(result.out)["nodes"]), 32)

    def test_honours_the_affinity_it_is_started_with(self):
        allowed = sorted(os.sched_getaffinity(0))
        result = divisi("plan", QUAD, "-o", "json", prefix=("taskset", "-c", str(allowed[-1])))
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual({node["os_pu"] for node in json.loads(result.out)["nodes"]}, {allowed[-1]})

    def test_takes_a_machine_from_xml(self):
        result = divisi("plan", QUAD, "--machine", "tests/unit/partitioner/machines/numa.xml", "-o", "json")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual([node["os_pu"] for node in json.loads(result.out)["nodes"]][::8], [0, 2, 4, 6])

    def test_overrides_the_policy(self):
        result = divisi("plan", QUAD, FOUR, "--name", "other", "--mode", "shared-memory", "--backend", "direct", "-ojson")
        plan = json.loads(result.out)
        self.assertEqual((plan["name"], plan["mode"], plan["backend"]), ("other", "shared-memory", "direct"))

    def test_repeats_itself(self):
        self.assertEqual(divisi("plan", QUAD, FOUR, "-o", "json").out, divisi("plan", QUAD, FOUR, "-o", "json").out)

    def test_refuses_more_memory_than_there_is(self):
        result = divisi("plan", "-", "--machine=synthetic:[numa(memory=1073741824)] core:4 pu:1",
                        stdin=policy("nodes: {count: 32}\n"))
        self.assertEqual(result.code, 4)
        self.assertIn("32 nodes with 64MiB each need 2GiB, and 1GiB of RAM are available", result.err)


class Usage(unittest.TestCase):
    def expect(self, code, message, *arguments, **keywords):
        result = divisi(*arguments, **keywords)
        self.assertEqual((result.code, result.out), (code, ""), result.err)
        self.assertIn(message, result.err)
        for line in result.err.splitlines():
            self.assertTrue(line.startswith("divisi: "), line)

    def test_errors_exit_with_two(self):
        self.expect(2, "no such verb: 'plna' (did you mean 'plan'?)", "plna")
        self.expect(2, "POLICY is required (see 'divisi plan --help')", "plan")
        self.expect(2, "not expected: --nonsense", "plan", QUAD, "--nonsense")
        self.expect(2, "no such format: 'xml'", "plan", QUAD, "-o", "xml")
        self.expect(2, "no such mode (use shared-memory or message-passing)", "plan", QUAD, "--mode", "fast")
        self.expect(2, "no such backend", "plan", QUAD, "--backend", "xen")
        self.expect(2, "not a topology's name", "plan", QUAD, "--name", "../x")
        self.expect(2, "not a machine in hwloc's synthetic syntax", "plan", QUAD, "--machine", "synthetic:foo")
        self.expect(2, "not a machine description in hwloc's XML", "plan", QUAD, "--machine", QUAD)

    def test_missing_files_exit_with_one(self):
        self.expect(1, "nowhere.yaml: cannot open: No such file or directory", "plan", "nowhere.yaml")
        self.expect(1, "No such file", "plan", QUAD, "--machine", "nowhere.xml")
        self.expect(1, "Is a directory", "plan", "policies")

    def test_no_verb_prints_help_and_exits_with_two(self):
        result = divisi()
        self.assertEqual((result.code, result.out), (2, ""))
        self.assertIn("plan", result.err)

    def test_help_and_version_exit_with_zero(self):
        self.assertEqual(divisi("--help").code, 0)
        self.assertEqual(divisi("plan", "--help").code, 0)
        self.assertRegex(divisi("--version").out, r"^divisi \d+\.\d+\.\d+\n$")

    def test_lost_output_is_a_failure(self):
        result = divisi(prefix=("sh", "-c", 'exec "$@" > /dev/full', "sh"), *("plan", QUAD, FOUR))
        self.assertEqual(result.code, 1)
        self.assertIn("No space left on device", result.err)

    def test_terminals_are_not_driven_by_what_a_policy_holds(self):
        result = divisi("plan", "-", stdin=policy('nodes: {count: 1}\nmode: "\\e[2Jx"\n'))
        self.assertEqual(result.code, 3)
        self.assertNotIn("\x1b", result.err)

    def test_another_machine_in_the_environment_is_refused(self):
        self.expect(1, "the environment makes hwloc describe another machine", "plan", QUAD,
                    environment={"HWLOC_SYNTHETIC": "core:64 pu:1"})


class Validate(unittest.TestCase):
    def test_accepts_all_shipped_policies(self):
        folder = os.path.join(cli.SOURCE, "policies")
        names = sorted(name for name in os.listdir(folder) if name.endswith(".yaml"))
        self.assertGreaterEqual(len(names), 10)
        result = divisi("validate", *(f"policies/{name}" for name in names))
        self.assertEqual((result.code, result.err), (0, ""))
        self.assertEqual(len(result.out.splitlines()), len(names))

    def test_accepts_the_examples_of_the_documentation(self):
        with open(os.path.join(cli.SOURCE, "docs/policy.md"), encoding="utf-8") as file:
            examples = re.findall(r"^```yaml\n(.*?)^```", file.read(), re.MULTILINE | re.DOTALL)
        self.assertGreaterEqual(len(examples), 3)
        for example in examples:
            result = divisi("plan", "-", "--machine=synthetic:pack:2 core:4 pu:1", stdin=example.encode())
            self.assertEqual(result.code, 0, example + result.err)

    def test_names_file_line_and_column_of_every_problem(self):
        with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
            file.write(policy("nodes: {count: 0, memory: 64}\nmoed: shared-memory\n"))
            file.flush()
            result = divisi("validate", file.name)
            self.assertEqual((result.code, result.out), (3, ""))
            self.assertEqual(result.err.splitlines()[0],
                             f"divisi: {file.name}:3:16: count is '0': out of range (a whole number, 1 to 1024)")
            self.assertIn(f"divisi: {file.name}:3:27: memory: '64': a number without its unit", result.err)
            self.assertIn(f"divisi: {file.name}:4:1: unknown key 'moed' in the policy (did you mean 'mode'?)", result.err)

    def test_looks_at_all_files_and_is_quiet_on_demand(self):
        result = divisi("validate", "-q", "nowhere.yaml", QUAD, "-", stdin=b"")
        self.assertEqual((result.code, result.out), (1, ""))
        self.assertIn("nowhere.yaml", result.err)
        self.assertIn("standard input", result.err)

    def test_endless_input_ends(self):
        result = divisi("validate", "/dev/zero")
        self.assertEqual(result.code, 3)
        self.assertIn("larger than any policy", result.err)


class Draw(unittest.TestCase):
    def test_says_what_it_looked_for(self):
        result = divisi("draw", "nothing")
        self.assertEqual((result.code, result.out), (1, ""))
        self.assertIn("nothing: no such file, and no daemon runs", result.err)

    def test_draws_pus_and_interconnect(self):
        result = divisi("draw", "policies/torus.yaml", FOUR)
        self.assertEqual(result.code, 0, result.err)
        self.assertIn("torus: 32 nodes on 4 cores", result.out)
        self.assertIn("┌ core 0 · PU 0 (OS 0)", result.out)
        self.assertIn("interconnect: torus 4 x 8, 64 links (4 a node), diameter 6", result.out)


if __name__ == "__main__":
    cli.main()
