#!/usr/bin/env python3
"""policies/policy.schema.json and `divisi validate` agree: on what is well-formed, and on what a schema can see."""

import json
import os
import sys
import unittest

import cli
from cli import divisi

try:
    import jsonschema
    import yaml
except ImportError as error:
    print(f"SKIP: {error} (install python3-jsonschema and python3-yaml)")
    sys.exit(77)

HEAD = "apiVersion: divisi/v1\nname: test\n"
ONE = HEAD + "nodes: {count: 1}\n"
FOUR = HEAD + "nodes: {count: 4}\n"


def links(text):
    return FOUR + f"interconnect: {{shape: list, links: {text}}}\n"


def placed(text):
    return ONE + f"placement: {text}\n"


GOOD = [
    ONE,
    FOUR,
    HEAD + "nodes: {per-core: 8, memory: 1.5GiB}\n",
    HEAD + "nodes: {count: 1024, memory: 4MiB}\n",
    HEAD + "nodes: {count: 1, memory: 4096000 kB}\n",
    "apiVersion: divisi/v1\nname: A_b-3\nnodes: {count: 1}\n",
    ONE + "machine: {}\n",
    ONE + "machine: {cores: 4, smt: pair, fold: true}\n",
    ONE + "machine: {cores: '0-3,^1'}\n",
    ONE + "machine: {cores: '1,3'}\n",
    ONE + "machine: {cores: '3-3'}\n",
    ONE + "machine: {smt: allow, fold: false}\n",
    ONE + "mode: shared-memory\n",
    ONE + "shared: {memory: 2GiB}\n",
    ONE + "shared: {}\n",
    ONE + "shared: {threads: compact}\n",
    ONE + "shared: {memory: 2GiB, threads: scatter}\n",
    ONE + "memory: {}\n",
    ONE + "memory: {pages: transparent, prefault: true}\n",
    ONE + "memory: {pages: 2MiB}\n",
    ONE + "backend: direct\n",
    ONE + "files: {}\n",
    ONE + "files: {hidden: [/home, /etc/shadow], readable: [/usr, data], writable: [., /data/out]}\n",
    ONE + "files: {readable: [], writable: []}\n",
    ONE + "interconnect: {}\n",
    ONE + "interconnect: {link: {latency: 2us, bandwidth: 10Gbit/s}}\n",
    ONE + "interconnect: {link: {latency: 0.5 ms, bandwidth: 1.25GB/s}}\n",
    FOUR + "interconnect: {shape: mesh, dimensions: [2, 2]}\n",
    FOUR + "interconnect: {shape: torus}\n",
    FOUR + "interconnect: {shape: hypercube}\n",
    links("[[0, 1], [1, 2], [3, 2]]"),
    placed("scatter"),
    placed("linked"),
    placed("{explicit: [{nodes: 0, core: 0}]}"),
    placed("{explicit: [{nodes: '0-0', pu: 3}]}"),
    FOUR + "placement: {explicit: [{nodes: '0-3,^2', core: 0}, {nodes: 2, core: 1}]}\n",
]

# Refused by both.
BAD = [
    ONE + "files: {hidden: /home}\n",
    ONE + "files: {secret: [/home]}\n",
    ONE + "files: {readable: ['']}\n",
    ONE + "files: {readable: [~/x]}\n",
    ONE + "files: {writable: [../x]}\n",
    ONE + "files: {writable: [/data/..]}\n",
    "",
    "[]",
    "apiVersion: divisi/v1\n",
    "name: test\nnodes: {count: 1}\n",
    "apiVersion: divisi/v1\nnodes: {count: 1}\n",
    HEAD,
    "apiVersion: divisi/v2\nname: test\nnodes: {count: 1}\n",
    "apiVersion: divisi/v1\nname: a/b\nnodes: {count: 1}\n",
    "apiVersion: divisi/v1\nname: ''\nnodes: {count: 1}\n",
    "apiVersion: divisi/v1\nname: " + 49 * "a" + "\nnodes: {count: 1}\n",
    ONE + "colour: red\n",
    ONE + "machine: {core: 4}\n",
    ONE + "machine: 4\n",
    ONE + "machine: {cores: 0}\n",
    ONE + "machine: {cores: 1025}\n",
    ONE + "machine: {cores: '4'}\n",
    ONE + "machine: {cores: all}\n",
    ONE + "machine: {cores: '1-'}\n",
    ONE + "machine: {cores: '1,,2'}\n",
    ONE + "machine: {cores: [1, 2]}\n",
    ONE + "machine: {cores: 2.5}\n",
    ONE + "machine: {smt: never}\n",
    ONE + "machine: {fold: 'true'}\n",
    ONE + "machine: {fold: 1}\n",
    HEAD + "nodes: 4\n",
    HEAD + "nodes: {}\n",
    HEAD + "nodes: {memory: 64MiB}\n",
    HEAD + "nodes: {count: 4, per-core: 2}\n",
    HEAD + "nodes: {count: 0}\n",
    HEAD + "nodes: {count: 1025}\n",
    HEAD + "nodes: {count: -1}\n",
    HEAD + "nodes: {count: '4'}\n",
    HEAD + "nodes: {count: true}\n",
    HEAD + "nodes: {count: 1, memory: 64}\n",
    HEAD + "nodes: {count: 1, memory: 64MB/s}\n",
    HEAD + "nodes: {count: 1, memory: -64MiB}\n",
    HEAD + "nodes: {count: 1, memory: MiB}\n",
    HEAD + "nodes: {count: 1, memory: [64MiB]}\n",
    HEAD + "nodes: {count: 1, memory: 64mib}\n",
    ONE + "mode: both\n",
    ONE + "mode:\n",
    ONE + "shared: {size: 1GiB}\n",
    ONE + "shared: {memory: 1024}\n",
    ONE + "shared: {threads: linked}\n",
    ONE + "memory: {pages: 1GiB}\n",
    ONE + "memory: {pages: 4096}\n",
    ONE + "memory: {prefault: 1}\n",
    ONE + "shared: {threads: 4}\n",
    ONE + "backend: xen\n",
    ONE + "interconnect: ring\n",
    ONE + "interconnect: {shape: cube}\n",
    ONE + "interconnect: {shape: mesh, dimensions: []}\n",
    ONE + "interconnect: {shape: mesh, dimensions: 1}\n",
    ONE + "interconnect: {shape: mesh, dimensions: [0]}\n",
    ONE + "interconnect: {shape: mesh, dimensions: [1, 1, 1, 1, 1, 1, 1, 1, 1]}\n",
    ONE + "interconnect: {shape: ring, dimensions: [1]}\n",
    ONE + "interconnect: {dimensions: [1]}\n",
    ONE + "interconnect: {link: {latency: 2}}\n",
    ONE + "interconnect: {link: {latency: 2MiB}}\n",
    ONE + "interconnect: {link: {bandwidth: 10Gbit}}\n",
    ONE + "interconnect: {link: {bandwidth: 10Tb/s}}\n",
    ONE + "interconnect: {link: {jitter: 1us}}\n",
    FOUR + "interconnect: {shape: list}\n",
    FOUR + "interconnect: {shape: ring, links: [[0, 1]]}\n",
    FOUR + "interconnect: {links: [[0, 1]]}\n",
    links("[[0, 1, 2]]"),
    links("[[0]]"),
    links("[0, 1]"),
    links("[[0, 1024]]"),
    links("[['0', '1']]"),
    placed("near"),
    placed("explicit"),
    placed("{}"),
    placed("{explicit: []}"),
    placed("{explicit: {nodes: 0, core: 0}}"),
    placed("{explicit: [{nodes: 0}]}"),
    placed("{explicit: [{core: 0}]}"),
    placed("{explicit: [{nodes: 0, core: 0, pu: 0}]}"),
    placed("{explicit: [{nodes: 0, core: 70000}]}"),
    placed("{explicit: [{nodes: 0, core: 0, numa: 1}]}"),
]

# Refused by divisi alone: what a schema cannot say.
BEYOND_THE_SCHEMA = [
    ONE + "mode: shared-memory\nmode: shared-memory\n",
    HEAD + "nodes: {count: 1, memory: 1MiB}\n",
    HEAD + "nodes: {count: 1, memory: 2TiB}\n",
    HEAD + "nodes: {count: 1, memory: 5000kB}\n",
    ONE + "shared: {memory: 4MiB}\n",
    ONE + "interconnect: {link: {latency: 11s}}\n",
    ONE + "interconnect: {link: {bandwidth: 1bit/s}}\n",
    FOUR + "interconnect: {shape: mesh, dimensions: [3, 2]}\n",
    HEAD + "nodes: {count: 24}\ninterconnect: {shape: hypercube}\n",
    HEAD + "machine: {cores: 1000}\nnodes: {per-core: 1000}\n",
    ONE + "machine: {cores: '3-1'}\n",
    ONE + "machine: {cores: '1-1,^1'}\n",
    links("[[0, 0], [0, 1], [1, 2], [2, 3]]"),
    links("[[0, 1], [1, 0], [1, 2], [2, 3]]"),
    links("[[0, 1], [2, 3]]"),
    links("[[0, 9]]"),
    placed("{explicit: [{nodes: 1, core: 0}]}"),
    FOUR + "placement: {explicit: [{nodes: 0-2, core: 0}]}\n",
    ONE + "# an anchor\nshared: &a {memory: 1GiB}\n",
]


class Schema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(cli.SOURCE, "policies/policy.schema.json"), encoding="utf-8") as file:
            schema = json.load(file)
        jsonschema.Draft202012Validator.check_schema(schema)
        cls.validator = jsonschema.Draft202012Validator(schema)

    def schema_accepts(self, text):
        return self.validator.is_valid(yaml.safe_load(text))

    def check(self, text, by_schema, by_divisi):
        with self.subTest(policy=text):
            self.assertEqual(self.schema_accepts(text), by_schema, "policy.schema.json")
            result = divisi("validate", "-", stdin=text.encode())
            self.assertEqual(result.code, 0 if by_divisi else 3, result.err)

    def test_accepts_what_divisi_accepts(self):
        for text in GOOD:
            self.check(text, True, True)

    def test_refuses_what_divisi_refuses(self):
        for text in BAD:
            self.check(text, False, False)

    def test_leaves_to_divisi_what_it_cannot_say(self):
        for text in BEYOND_THE_SCHEMA:
            self.check(text, True, False)

    def test_accepts_the_shipped_policies(self):
        folder = os.path.join(cli.SOURCE, "policies")
        for name in os.listdir(folder):
            if name.endswith(".yaml"):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    self.assertEqual(list(self.validator.iter_errors(yaml.safe_load(file))), [], name)


if __name__ == "__main__":
    cli.main()
