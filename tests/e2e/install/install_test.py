"""Installs the project into a folder of its own, and uses it there as a user would."""

import os
import subprocess
import sys
import tempfile
import unittest

CMAKE, BUILD = sys.argv[1:3]
HELLO = """#include <divisi.h>
#include <stdio.h>
int main(void) { return divisi_init() != DIVISI_OK || printf("rank %d of %d\\n", divisi_rank(), divisi_size()) < 0; }
"""


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.root = os.path.join(cls.temporary.name, "prefix")
        cls.environment = {**os.environ, "DIVISI_STATE_DIR": os.path.join(cls.temporary.name, "state")}
        subprocess.run([CMAKE, "--install", BUILD, "--prefix", cls.root], check=True, stdout=subprocess.DEVNULL)
        cls.addClassCleanup(cls.divisi, "daemon", "stop")

    @classmethod
    def divisi(cls, *arguments):
        return subprocess.run(
            [os.path.join(cls.root, "bin/divisi"), *arguments], env=cls.environment, cwd=cls.temporary.name,
            capture_output=True, text=True, check=False)

    def policy(self, name):
        return os.path.join(self.root, "share/divisi/policies", name)

    def test_policies_come_along(self):
        names = [name for name in os.listdir(self.policy("")) if name.endswith(".yaml")]
        self.assertIn("quad32.yaml", names)
        done = self.divisi("validate", *(self.policy(name) for name in names))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_man_pages_come_along(self):
        self.assertTrue(os.path.exists(os.path.join(self.root, "share/man/man3/libdivisi.3")))

    def test_a_program_is_compiled_and_runs(self):
        source = os.path.join(self.temporary.name, "hello.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(HELLO)
        program = os.path.join(self.temporary.name, "hello")
        subprocess.run([os.path.join(self.root, "bin/divisi-cc"), "-o", program, source], check=True)
        done = self.divisi("carve", self.policy("pair.yaml"))
        if done.returncode == 5:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.divisi("run", "pair", "--", program)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(done.stdout.splitlines()), ["rank 0 of 2", "rank 1 of 2"])


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    for test, reason in result.skipped:
        print(f"SKIP: {test.id()}: {reason}")
    sys.exit(not result.wasSuccessful())
