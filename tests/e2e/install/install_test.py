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
PROJECT = """cmake_minimum_required(VERSION 3.16)
project(hello LANGUAGES C)
find_package(divisi REQUIRED)
add_executable(hello hello.c)
target_link_libraries(hello PRIVATE divisi::divisi)
"""
SUM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../mpi/project")
MPI_PROJECT = f"""cmake_minimum_required(VERSION 3.16)
project(sums LANGUAGES C CXX Fortran)
find_package(divisi REQUIRED)
add_executable(sum_c {SUM}/sum.c)
add_executable(sum_cxx {SUM}/sum.cpp)
target_link_libraries(sum_c PRIVATE divisi::mpi)
target_link_libraries(sum_cxx PRIVATE divisi::mpi)
add_executable(sum_f08 {SUM}/sum_f08.f90)
target_link_libraries(sum_f08 PRIVATE divisi::mpi_fortran)
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

    def compile_and_run(self, *command):
        source = os.path.join(self.temporary.name, "hello.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(HELLO)
        done = subprocess.run(command, cwd=self.temporary.name, env=self.environment, capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, f"{done.stdout}{done.stderr}")

    def test_pkg_config_tells_how_to_link(self):
        os.environ["PKG_CONFIG_PATH"] = os.path.join(self.root, "lib/pkgconfig")
        words = subprocess.run(["pkg-config", "--cflags", "--libs", "divisi"], capture_output=True, text=True, check=True)
        self.compile_and_run("gcc", "hello.c", "-o", "by_pkg_config", *words.stdout.split())
        alone = subprocess.run([os.path.join(self.temporary.name, "by_pkg_config")], capture_output=True, text=True, check=True)
        self.assertEqual(alone.stdout, "rank 0 of 1\n")

    def test_the_cmake_package_tells_how_to_link(self):
        with open(os.path.join(self.temporary.name, "CMakeLists.txt"), "w", encoding="utf-8") as file:
            file.write(PROJECT)
        self.compile_and_run(CMAKE, "-S", ".", "-B", "by_cmake", f"-DCMAKE_PREFIX_PATH={self.root}")
        self.compile_and_run(CMAKE, "--build", "by_cmake")
        program = os.path.join(self.temporary.name, "by_cmake/hello")
        alone = subprocess.run([program], capture_output=True, text=True, check=True)
        self.assertEqual(alone.stdout, "rank 0 of 1\n")
        self.assertNotIn("INTERP", subprocess.run(["readelf", "-lW", program], capture_output=True, text=True, check=True).stdout)

    def run_on_two_nodes(self, program):
        done = self.divisi("run", "--policy", self.policy("pair.yaml"), "--name", "sums", "--", program)
        if done.returncode == 125 and "backend" in done.stderr:
            self.skipTest(done.stderr.strip())
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "2 ranks, sum 3"), done.stderr)

    def test_the_cmake_package_has_mpi(self):
        folder = os.path.join(self.temporary.name, "sums")
        os.mkdir(folder)
        with open(os.path.join(folder, "CMakeLists.txt"), "w", encoding="utf-8") as file:
            file.write(MPI_PROJECT)
        self.compile_and_run(CMAKE, "-S", folder, "-B", f"{folder}/build", f"-DCMAKE_PREFIX_PATH={self.root}")
        self.compile_and_run(CMAKE, "--build", f"{folder}/build")
        for name in ("sum_c", "sum_cxx", "sum_f08"):
            with self.subTest(program=name):
                self.run_on_two_nodes(f"{folder}/build/{name}")

    def test_pkg_config_has_mpi(self):
        os.environ["PKG_CONFIG_PATH"] = os.path.join(self.root, "lib/pkgconfig")
        words = subprocess.run(["pkg-config", "--cflags", "--libs", "divisi-mpi"], capture_output=True, text=True, check=True)
        self.compile_and_run("gcc", f"{SUM}/sum.c", "-o", "sum_by_pkg_config", *words.stdout.split())
        self.run_on_two_nodes(os.path.join(self.temporary.name, "sum_by_pkg_config"))


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    for test, reason in result.skipped:
        print(f"SKIP: {test.id()}: {reason}")
    sys.exit(not result.wasSuccessful())
