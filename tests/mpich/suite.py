"""The MPICH test suite: where it comes from, how it is built against an MPI, and which lines its lists have."""

import os
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

FOLDERS = ("attr", "basic", "coll", "comm", "datatype", "errhan", "group", "info", "init", "pt2pt", "topo",
           *(f"{form}/{name}" for form in ("f77", "f90")
             for name in ("attr", "coll", "comm", "datatype", "info", "init", "pt2pt", "topo")))
# Beyond what the project asks for.
EXTRA = ("part", *(f"threads/{name}" for name in ("init", "pt2pt", "coll", "comm")),
         *(f"f08/{name}" for name in ("attr", "coll", "comm", "datatype", "info", "init", "misc", "pt2pt", "subarray", "timer", "topo")))
# A folder without a list; its programs say what they like, and end with 0. (Two measure for minutes, and check nothing.)
LISTS = {"basic": """self 1
simple 4
sendrecv 2
srtest 8
wtime 2
patterns 2
"""}
# What the programs are linked with, and folders without a list whose programs must build all the same.
BUILT_FIRST = ("util", "dtpools")
# What f08's programs are linked with: the suite's makefiles leave it empty, unless MPICH itself configures them.
F08_FIRST = ("libmtest_f08.la", "libmtest_f08_la_OBJECTS=mtest_f08.lo")
# Programs that cancel sends: MPICH cannot, and so excuses itself from them.
CANCELS = ("issendselfcancel", "scancel", "scancel2", "pscancel", "cancelrecv", "scancel_unmatch")

SOURCES = """Types: deb-src
URIs: http://deb.debian.org/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


class Trouble(Exception):
    """The suite cannot be had or built here."""


@dataclass
class Line:
    """A line of a testlist: one program at one number of ranks."""
    folder: str
    program: str
    ranks: int
    arguments: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)
    expect: str = ""  # "", TestStatus, TestErrFatal, TestEnd
    seconds: int = 0
    gigabytes: float = 0

    @property
    def name(self):
        words = [f"{self.folder}/{self.program}", str(self.ranks), *self.arguments]
        words += [f"{key}={value}" for key, value in self.environment.items()]
        return " ".join(words)


def call(*command, log=None, **options):
    with open(log, "a", encoding="utf-8") if log else open(os.devnull, "w", encoding="utf-8") as out:
        return subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False, **options).returncode


def fetch(work):
    """The suite's folder, from Debian's source package. The system's own lists of packages are left alone."""
    found = list(work.glob("mpich-*/test/mpi"))
    if found:
        return found[0]
    (work / "lists/partial").mkdir(parents=True, exist_ok=True)
    (work / "mpich.sources").write_text(SOURCES, encoding="utf-8")
    apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={work}/mpich.sources", "-o", "Dir::Etc::sourceparts=-",
           "-o", f"Dir::State::lists={work}/lists"]
    log = work / "fetch.log"
    if call(*apt, "update", log=log) or call(*apt, "source", "--download-only", "mpich", log=log, cwd=work):
        raise Trouble(f"apt-get could not fetch the source of mpich (see {log})")
    for archive in work.glob("mpich_*.orig.tar.*"):
        with tarfile.open(archive) as file:
            file.extractall(work)
    found = list(work.glob("mpich-*/test/mpi"))
    if not found:
        raise Trouble(f"there is no test/mpi in {work}")
    return found[0]


def drop_old(source, folder, folders, library):
    """The suite's makefiles do not know that a static library is in its programs: what is older goes."""
    for line in lines(source, folder, folders):
        program = folder / line.folder / line.program
        if program.exists() and program.stat().st_mtime < library.stat().st_mtime:
            program.unlink()


def build(source, folder, folders, mpi, jobs):
    """Configures and builds what is not yet built, with the wrappers `mpi.compilers` (MPICC=…). What does not build shows
    when it is to be run."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "build.log"
    if not (folder / "Makefile").exists():
        options = ["--disable-spawn", "--disable-cxx", "--enable-strictmpi", "--disable-shared"]
        if call(str(source / "configure"), "CC=gcc", "CXX=g++", "F77=gfortran", "FC=gfortran", *mpi.compilers, *options,
                log=log, cwd=folder, env=mpi.environment):
            raise Trouble(f"the suite's configure failed (see {log})")
    if mpi.library:
        drop_old(source, folder, folders, mpi.library)
    for name in BUILT_FIRST:
        call("make", "-k", f"-j{jobs}", "-C", name, *mpi.make, log=log, cwd=folder, env=mpi.environment)
    if any(name.startswith("f08/") for name in folders):
        for empty in (folder / "util").rglob("libmtest_f08.*"):
            empty.unlink()
        call("make", "-C", "util", *F08_FIRST, log=log, cwd=folder, env=mpi.environment)
    for name in folders:
        call("make", "-k", f"-j{jobs}", "-C", name, *mpi.make, log=log, cwd=folder, env=mpi.environment)


def parse(folder, text):
    """The line that `text` of a testlist is, or None: a comment, or one that the suite's own runner leaves out, too."""
    words = text.split("#", 1)[0].split()
    if len(words) < 2:
        return None
    line = Line(folder, words[0], int(words[1]), expect="TestEnd" if folder in LISTS else "")
    excused = line.program not in CANCELS
    for word in words[2:]:
        key, _, value = word.partition("=")
        if key == "arg":
            line.arguments.append(value)
        elif key == "env":
            name, _, value = value.partition("=")
            line.environment[name] = value
        elif key == "resultTest":
            line.expect = value
        elif key == "timeLimit":
            line.seconds = int(value)
        elif key == "mem":
            line.gigabytes = float(value)
        elif (key == "strict" and value == "false") or key == "mpiexecarg" or (key == "xfail" and excused):
            return None
    # Variables for the inside of MPICH: without it they are the same line once more.
    if any(name.startswith("MPIR_") for name in line.environment):
        return None
    return line


def list_of(source, built, folder):
    if folder in LISTS:
        return LISTS[folder]
    # configure makes some of the lists.
    for root in (built, source):
        if (root / folder / "testlist").exists():
            return (root / folder / "testlist").read_text(encoding="utf-8")
    raise Trouble(f"{folder} has no testlist")


def lines(source, built, folders):
    """All lines of the folders' lists, each once."""
    found = {}
    for folder in folders:
        for text in list_of(source, built, folder).splitlines():
            line = parse(folder, text)
            if line is not None:
                found.setdefault(line.name, line)
    return list(found.values())


def fits(line, gigabytes):
    return line.gigabytes <= gigabytes


def work_folder(option, root):
    return Path(option) if option else root / "build/mpich"
