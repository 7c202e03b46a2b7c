#!/usr/bin/env python3
"""Every endpoint in docs/api.md has an example; here they all run, in their order, and none may fail.

A fenced block "```sh" is run; the block "```json" after it shows the form of the answer: the same fields (lists by
their first element).
"""
import json
import os
import re
import subprocess

from sandbox import SOURCE, SandboxTest, main


def blocks():
    with open(os.path.join(SOURCE, "docs/api.md")) as file:
        text = file.read()
    found = re.findall(r"^```(sh|json)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for index, (kind, content) in enumerate(found):
        if kind == "sh":
            after = found[index + 1] if index + 1 < len(found) else ("", "")
            yield content, json.loads(after[1]) if after[0] == "json" else None


class Examples(SandboxTest):
    def same_form(self, wanted, given, where):
        if isinstance(wanted, dict):
            self.assertIsInstance(given, dict, where)
            self.assertEqual(sorted(wanted), sorted(given), where)
            for name in wanted:
                self.same_form(wanted[name], given[name], where + "." + name)
        elif isinstance(wanted, list) and wanted and given:
            self.same_form(wanted[0], given[0], where + "[0]")

    def test_all_examples(self):
        self.ok("daemon", "start")
        folder = os.path.join(self.state, "work")
        os.mkdir(folder)
        count = 0
        for command, answer in blocks():
            result = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=self.env, text=True,
                                    capture_output=True, timeout=60)
            self.assertEqual(result.returncode, 0, command + result.stdout + result.stderr)
            if answer is None:
                self.assertNotIn('{"error":', result.stdout, command)
            else:
                self.same_form(answer, json.loads(result.stdout), command)
            count += 1
        self.assertGreater(count, 10)

    def test_every_endpoint_is_documented(self):
        with open(os.path.join(SOURCE, "daemon/service.cpp")) as file:
            routes = re.findall(r'\{"([A-Z]+)",\s*"(v1[^"]*)"', file.read())
        with open(os.path.join(SOURCE, "docs/api.md")) as file:
            text = file.read()
        self.assertGreater(len(routes), 10)
        for method, pattern in routes:
            words = {"v1/topologies/*": "NAME", "v1/jobs/*": "JOB"}
            shown = "/" + pattern
            for prefix, word in words.items():
                shown = shown.replace("/" + prefix, "/" + prefix[:-1] + word)
            self.assertIn("`%s %s" % (method, shown), text)


main()
