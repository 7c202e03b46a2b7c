#!/usr/bin/env python3
"""Crash reports: what is told of a program that dies, and that a hostile image cannot make them a danger."""
import json
import os
import random
import shutil
import struct

from debugging import DebugTest, compile_program, main


def end_of_load(image):
    """Where the last byte that is loaded lies in the file: what follows are symbols and debug information."""
    offset, = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    headers = [struct.unpack_from("<IIQQQQQQ", image, offset + i * size) for i in range(count)]
    return max(header[2] + header[5] for header in headers if header[0] == 1)


class Crash(DebugTest):
    def crash(self, *arguments, program=None, exit=139):
        """The lines on standard error, less what stands before each."""
        report = os.path.join(self.state, "report.json")
        result = self.divisi("run", "pair", "--ranks", "1", "--report", report, "--", program or self.program, *arguments,
                             exit=exit)
        with open(report) as file:
            [fault] = json.load(file)["faults"]
        return fault, result.stderr

    def functions(self, fault):
        return [frame["symbol"].split("+")[0] for frame in fault["backtrace"]]

    def assert_chain(self, fault, *names):
        """The functions stand in the backtrace, in this order."""
        rest = iter(self.functions(fault))
        self.assertTrue(all(name in rest for name in names), "%s in %s" % (names, self.functions(fault)))

    def test_null_pointer(self):
        for _ in self.on_each_backend():
            fault, text = self.crash("null")
            self.assertEqual(self.functions(fault)[:4], ["inner", "middle (inlined)", "outer", "main"])
            self.assertIn("crashing.c:14", fault["backtrace"][0]["source"])
            self.assertEqual((fault["signal"], fault["address"], fault["detail"]), (11, "0x0", "null pointer"))
            self.assertEqual(fault["registers"]["rip"], fault["rip"])
            self.assertEqual(fault["thread_name"], "crashing")
            self.assertRegex(text, r"SIGSEGV \(Segmentation fault\): null pointer, at address 0x0, in inner")
            self.assertRegex(text, r"#3  0x[0-9a-f]{16} main\+0x[0-9a-f]+ at .*crashing.c:\d+")
            self.assertRegex(text, r"rax [0-9a-f]{16}  rbx ")

    def test_other_ways_to_die(self):
        for _ in self.on_each_backend(mode="shared-memory"):
            fault, text = self.crash("null", "in a thread")
            self.assertEqual((fault["thread"], fault["thread_name"]), (1, "worker"))
            self.assert_chain(fault, "inner", "outer", "run", "start_thread")
            fault, _ = self.crash("call")
            self.assert_chain(fault, "", "outer", "main")
            fault, text = self.crash("abort", exit=134)
            self.assert_chain(fault, "abort", "outer", "main")
            self.assertIn("SIGABRT (Aborted): sent by the program itself", text)
            self.assertNotIn("address", fault)
            fault, _ = self.crash("handler")
            self.assert_chain(fault, "inner", "outer", "on_signal", "raise", "main")
            fault, _ = self.crash("recurse")
            self.assertEqual(set(self.functions(fault)), {"outer"})
            self.crash("stack")

    def test_position_independent_and_stripped_programs(self):
        pie = os.path.join(self.state, "pie")
        compile_program("crashing.c", pie, "-static-pie", "-fPIE")
        bare = os.path.join(self.state, "bare")
        compile_program("crashing.c", bare, "-static", "-s")
        for _ in self.on_each_backend():
            fault, _ = self.crash("null", program=pie)
            self.assert_chain(fault, "inner", "outer", "main")
            fault, _ = self.crash("null", program=bare)
            self.assertGreaterEqual(len(fault["backtrace"]), 4)  # names are gone, the way is not

    def test_a_detached_job_s_log_has_it(self):
        for _ in self.on_each_backend():
            job = self.ok("run", "-d", "pair", "--ranks", "1", "--", self.program, "null").strip()
            text = self.ok("logs", "-f", job)
            self.assertIn("null pointer", text)
            self.assertIn("#0 ", text)

    def test_a_hostile_image_yields_a_poorer_report_and_no_more(self):
        with open(self.program, "rb") as file:
            image = file.read()
        begin = end_of_load(image)
        chance = random.Random(1)
        hostile = os.path.join(self.state, "hostile")
        for _ in self.on_each_backend():
            for _ in range(12):
                mutant = bytearray(image)
                for _ in range(chance.choice((1, 20, 2000))):
                    mutant[chance.randrange(begin, len(mutant))] = chance.randrange(256)
                with open(hostile, "wb") as file:
                    file.write(mutant)
                shutil.copymode(self.program, hostile)
                fault, _ = self.crash("null", program=hostile)
                self.assertEqual(fault["detail"], "null pointer")
            # The next one gets the whole report again.
            fault, _ = self.crash("null")
            self.assert_chain(fault, "inner", "outer", "main")


main()
