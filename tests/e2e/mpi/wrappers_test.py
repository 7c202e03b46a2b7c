"""Projects that know nothing of divisi are built with its MPI by PATH alone, and run over nodes."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

CMAKE, BUILD, SOURCE = sys.argv[1:4]
PROJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "project")
MAKEFILE = """sum: sum.c
\t$(CC) -O2 -o $@ sum.c
by_hand: sum.c
\tgcc $$(mpicc --showme:compile) -o $@ sum.c $$(mpicc --showme:link)
"""
ABORT = """program aborts
  use mpi
  integer :: error, rank
  call MPI_Init(error)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, error)
  if (rank == 0) then
    print *, "before the end"
    call MPI_Abort(MPI_COMM_WORLD, 3, error)
  end if
  call MPI_Barrier(MPI_COMM_WORLD, error)
end program
"""
SUM_OF_TWO = "2 ranks, sum 3"


class Wrappers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = cls.temporary.name
        cls.environment = {**os.environ, "PATH": f"{BUILD}/bin/mpi:{BUILD}/bin:{os.environ['PATH']}",
                           "DIVISI_STATE_DIR": os.path.join(cls.folder, "state")}
        # Compilers of the caller's choice are not what is tested here.
        for name in ("CC", "CXX", "FC"):
            cls.environment.pop(name, None)
        cls.addClassCleanup(cls.call, "divisi", "daemon", "stop")

    @classmethod
    def call(cls, *command, folder=None):
        return subprocess.run(command, cwd=folder or cls.folder, env=cls.environment, capture_output=True, text=True,
                              check=False)

    def succeed(self, *command, folder=None):
        done = self.call(*command, folder=folder)
        self.assertEqual(done.returncode, 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def run_on_pair(self, program, *options):
        done = self.call("divisi", "run", "--policy", f"{SOURCE}/policies/pair.yaml", *options, "--", program)
        if done.returncode == 125 and "backend" in done.stderr:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_find_package(self):
        build = os.path.join(self.folder, "cmake")
        self.succeed(CMAKE, "-S", PROJECT, "-B", build)
        self.succeed(CMAKE, "--build", build)
        for name in ("sum_c", "sum_cxx", "sum_mpif", "sum_mpi", "sum_f08"):
            with self.subTest(program=name):
                self.assertEqual(self.run_on_pair(os.path.join(build, name)), SUM_OF_TWO)

    def test_makefile(self):
        folder = os.path.join(self.folder, "make")
        shutil.copytree(PROJECT, folder)
        with open(os.path.join(folder, "Makefile"), "w", encoding="utf-8") as file:
            file.write(MAKEFILE)
        self.succeed("make", "CC=mpicc", "sum", "by_hand", folder=folder)
        self.assertEqual(self.run_on_pair(os.path.join(folder, "by_hand")), SUM_OF_TWO)
        self.assertEqual(self.run_on_pair(os.path.join(folder, "sum"), "--mode", "shared-memory"), SUM_OF_TWO)
        # What makes no topology of its own is alone.
        self.assertEqual(self.succeed("./sum", folder=folder).strip(), "1 ranks, sum 1")

    def test_mpiexec_makes_a_topology(self):
        self.succeed("mpicc", "-o", "sum3", os.path.join(PROJECT, "sum.c"))
        done = self.call("mpiexec", "-n", "3", "./sum3")
        if done.returncode == 125 and "backend" in done.stderr:
            self.skipTest(done.stderr.strip())
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "3 ranks, sum 6"), done.stderr)

    def test_the_heat_spreads_alike_over_any_number_of_ranks(self):
        program = os.path.join(BUILD, "bin/examples/heat_mpi")
        alone = self.succeed(program, "60", "300").splitlines()
        self.assertRegex(alone[0], r"^60 x 60 cells, 300 steps: [1-9][0-9]\.[0-9]+ degrees")
        self.assertRegex(alone[1], "^1 ranks")
        for options in (("-n", "6"), ("--policy", f"{SOURCE}/policies/torus.yaml"),
                        ("--policy", f"{SOURCE}/policies/pair.yaml", "--mode", "shared-memory")):
            with self.subTest(options=options):
                done = self.call("mpiexec", *options, program, "60", "300")
                if done.returncode == 125 and "backend" in done.stderr:
                    self.skipTest(done.stderr.strip())
                self.assertEqual((done.returncode, done.stdout.splitlines()[0]), (0, alone[0]), done.stderr)

    def test_what_fortran_has_printed_before_an_abort_is_seen(self):
        with open(os.path.join(self.folder, "abort.f90"), "w", encoding="ascii") as file:
            file.write(ABORT)
        self.succeed("mpifort", "-o", "abort", "abort.f90")
        done = self.call("mpiexec", "-n", "2", "./abort")
        if done.returncode == 125 and "backend" in done.stderr:
            self.skipTest(done.stderr.strip())
        self.assertEqual((done.returncode, done.stdout), (3, " before the end\n"), done.stderr)

    def test_mpiexec_passes_the_exit_code(self):
        with open(os.path.join(self.folder, "seven.c"), "w", encoding="utf-8") as file:
            file.write("int main(void) { return 7; }\n")
        self.succeed("mpicc", "-o", "seven", "seven.c")
        done = self.call("mpiexec", "-n", "2", "./seven")
        if done.returncode == 125 and "backend" in done.stderr:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 7, done.stderr)
        self.assertEqual(self.call("mpiexec", "--no-such", "./seven").returncode, 125)


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    for test, reason in result.skipped:
        print(f"SKIP: {test.id()}: {reason}")
    sys.exit(not result.wasSuccessful())
