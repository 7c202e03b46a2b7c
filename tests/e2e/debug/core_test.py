#!/usr/bin/env python3
"""Core files: gdb opens them, and finds what the program was about."""
import os
import shutil
import stat
import subprocess

from debugging import DebugTest, compile_program, main, skip

if not shutil.which("gdb"):
    skip("gdb is not installed")


class Core(DebugTest):
    def gdb(self, program, core, *commands):
        words = [word for command in commands for word in ("-ex", command)]
        result = subprocess.run(["gdb", "-nx", "-batch", *words, program, core], capture_output=True, text=True,
                                timeout=60, check=True)
        self.assertNotIn("warning: Section", result.stderr)
        return result.stdout

    def test_gdb_finds_the_threads_and_their_stacks(self):
        pie = os.path.join(self.state, "pie")
        compile_program("crashing.c", pie, "-static-pie", "-fPIE")
        for _ in self.on_each_backend(mode="shared-memory"):
            for number, program in enumerate((self.program, pie), 1):
                name = "core.pair.%d.0" % number
                result = self.divisi("run", "--core", "pair", "--", program, "null", "in a thread", cwd=self.state,
                                     exit=139)
                self.assertIn("core file: " + name, result.stderr)
                core = os.path.join(self.state, name)
                status = os.stat(core)
                self.assertEqual(stat.S_IMODE(status.st_mode), 0o600)
                self.assertLess(status.st_blocks * 512, 8 << 20)  # what was not touched takes no room
                text = self.gdb(program, core, "bt", "p $_siginfo.si_signo", "thread apply all bt", "p zero",
                                "info registers ymm0")
                self.assertRegex(text, r"(?s)#0 .*inner.*#\d+ .*outer.*how=.*\"null\".*#\d+ .*run ")
                self.assertIn("$1 = 11", text)
                self.assertIn("pthread_join", text.replace("pthread_clockjoin", "pthread_join"))
                self.assertIn("main (", text)
                self.assertIn("$2 = 0", text)
                self.assertIn("ymm0", text)
                os.unlink(core)

    def test_a_link_of_its_name_is_not_followed(self):
        for _ in self.on_each_backend():
            victim = os.path.join(self.state, "victim")
            with open(victim, "w") as file:
                file.write("mine")
            os.symlink(victim, os.path.join(self.state, "core.pair.1.0"))
            self.divisi("run", "--core", "pair", "--ranks", "1", "--", self.program, "null", cwd=self.state, exit=139)
            with open(victim) as file:
                self.assertEqual(file.read(), "mine")
            os.unlink(os.path.join(self.state, "core.pair.1.0"))

    def test_no_crash_no_core(self):
        self.ok("carve", self.policy())
        self.divisi("run", "--core", "pair", "--", self.program, "nothing", cwd=self.state)
        self.divisi("run", "pair", "--ranks", "1", "--", self.program, "null", cwd=self.state, exit=139)
        self.assertEqual([name for name in os.listdir(self.state) if name.startswith("core")], [])


main()
