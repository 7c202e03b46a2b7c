"""A topology for tests: one divisi-vmm process, carved and spoken to as docs/vmm-protocol.md says.

Guest tests go this way and not through the daemon, so that each has a topology to itself within milliseconds, and so
that they test nodes and nothing else; tests/e2e takes the whole way.
"""

import array
import collections
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass

NODE_MEMORY = 256 << 20
SHARED_MEMORY = 1 << 30
K_UNREACHABLE = 5  # Errc::kUnreachable: the backend cannot work here


class Unavailable(Exception):
    """The backend cannot work on this machine."""


class Broken(Exception):
    """divisi-vmm did not do what its protocol promises."""


class Refused(Broken):
    """A job that did not start; `error` is what it was told."""

    def __init__(self, error, log):
        super().__init__(f"the job was refused: {error['message']}\n{log}")
        self.error = error


def verdict(backend, run):
    """The exit code of a test that does `run`, after a sentence where there is one to say: 77 without the backend."""
    try:
        return run()
    except Unavailable as reason:
        print(f"SKIP: {reason}")
        return 77
    except Broken as problem:
        print(f"FAILED {backend}, {problem}")
        return 1


@dataclass
class JobResult:
    exits: list
    out: bytes
    err: bytes
    report: dict


class Connection:
    """base/control.hpp: a JSON object a packet, descriptors beside it."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(path)

    def send(self, body, fds=()):
        text = b"J" + json.dumps(body).encode()
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([text], ancillary)

    def receive(self, timeout):
        if not select.select([self.socket], [], [], timeout)[0]:
            raise Broken(f"no answer from divisi-vmm in {timeout} s")
        packet, fds, _, _ = socket.recv_fds(self.socket, 1 << 17, 16)
        if packet[:1] == b"M":
            packet = b"J" + os.pread(fds[0], os.fstat(fds[0]).st_size, 0)
        for fd in fds:
            os.close(fd)
        if packet[:1] != b"J":
            raise Broken("divisi-vmm closed the connection" if not packet else f"not a message: {packet[:80]!r}")
        return json.loads(packet[1:])

    def close(self):
        self.socket.close()


class Topology:
    def __init__(self, programs, backend, mode, nodes):
        self.vmm = os.path.join(programs, "divisi-vmm")
        if not os.path.exists(self.vmm):
            raise Unavailable("divisi-vmm is not built")
        if backend == "kvm" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
            raise Unavailable("no /dev/kvm that may be opened here: nothing ran on virtual machines")
        self.backend = backend
        self.folder = tempfile.mkdtemp(prefix="divisi-test-")
        self.process = None
        self._write_config(backend, mode, nodes)

    def _write_config(self, backend, mode, count):
        pus = sorted(os.sched_getaffinity(0))
        config = {
            "name": "test", "mode": mode, "backend": backend,
            "nodes": [{"id": i, "core": i % len(pus), "pu": i % len(pus), "os_pu": pus[i % len(pus)], "numa": -1,
                       "memory": NODE_MEMORY} for i in range(count)],
            "shared_memory": SHARED_MEMORY,
            "links": [{"a": a, "b": b} for a in range(count) for b in range(a + 1, count)],
            "policy": "",
        }
        with open(os.path.join(self.folder, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)

    def __enter__(self):
        with open(os.path.join(self.folder, "vmm.log"), "wb") as log:
            self.process = subprocess.Popen(
                [self.vmm, "--dir", self.folder], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {}
        if not answer.get("ok"):
            error = answer.get("error", {})
            message = error.get("message", f"no start report\n{self.log()}")
            self.close()
            # /dev/kvm opens (above): then it must work as well.
            if error.get("kind") == K_UNREACHABLE and self.backend != "kvm":
                raise Unavailable(message)
            raise Broken(f"divisi-vmm did not carve: {message}")
        # Its standard output becomes another file now: what is open is to be counted after that.
        self.process.stdout.read()
        self.idle_files = self.open_files()
        return self

    def open_files(self):
        """What divisi-vmm has open, but for the connection that a question needs. Pipes are counted, not told apart: a
        stub process that a program destroyed is replaced, pipe and all."""
        folder = f"/proc/{self.process.pid}/fd"
        files = []
        for fd in os.listdir(folder):
            try:
                files.append(os.readlink(os.path.join(folder, fd)))
            except FileNotFoundError:
                pass  # closed meanwhile
        return collections.Counter("pipe" if name.startswith("pipe:") else name for name in files
                                   if not name.startswith("socket:"))

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        try:
            with open(os.path.join(self.folder, "vmm.log"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return "(divisi-vmm removed its folder)"

    def connect(self):
        try:
            return Connection(os.path.join(self.folder, "vmm.sock"))
        except OSError as error:
            state = self.process.poll()
            raise Broken(f"divisi-vmm does not answer ({error}; exit status {state})\n{self.log()}") from error

    def ask(self, request, timeout=10):
        connection = self.connect()
        try:
            connection.send(request)
            return connection.receive(timeout)
        finally:
            connection.close()

    def check_alive(self):
        answer = self.ask({"op": "status"})
        if not answer.get("ok"):
            raise Broken(f"no status from divisi-vmm: {answer}")
        if answer["state"] != "ready":
            raise Broken(f"the topology is {answer['state']} after its job ended")
        # What an answer was sent with may be closed a moment after it has come.
        for _ in range(100):
            left = self.open_files() - self.idle_files
            if not left:
                return
            time.sleep(0.01)
        raise Broken(f"the job has ended and divisi-vmm still has open: {', '.join(left.elements())}")

    def run(self, argv, *, nodes=0, ranks=0, threads=0, stdin=b"", environment=None, cwd=".", label=False, timeout=60,
            kill_after=None):
        """Runs a job to its end; standard input is a pipe, output goes to files. After `kill_after` s it is killed."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            program = os.open(argv[0], os.O_RDONLY | os.O_CLOEXEC)
            folder = os.open(cwd, os.O_PATH | os.O_CLOEXEC)
            read_end, write_end = os.pipe()
            connection = self.connect()
            try:
                connection.send(
                    {"op": "run", "argv": argv, "path": os.path.abspath(argv[0]),
                     "env": [f"{key}={value}" for key, value in (environment or {}).items()],
                     "cwd": os.path.abspath(cwd), "nodes": nodes, "ranks": ranks, "threads": threads, "label": label,
                     "detach": False, "faults": True},
                    [read_end, out.fileno(), err.fileno(), program, folder])
                os.close(read_end)
                read_end = -1
                write_end = feed(write_end, stdin)
                report = self._await_end(connection, timeout, kill_after)
            finally:
                connection.close()
                for fd in (read_end, write_end, program, folder):
                    if fd >= 0:
                        os.close(fd)
            out.seek(0)
            err.seek(0)
            exits = [rank["exit"] for rank in sorted(report["ranks"], key=lambda rank: rank["rank"])]
            return JobResult(exits, out.read(), err.read(), report)

    def _await_end(self, connection, timeout, kill_after):
        deadline = time.monotonic() + timeout
        kill_at = None if kill_after is None else time.monotonic() + kill_after
        while True:
            if kill_at is not None and not select.select([connection.socket], [], [], max(0.0, kill_at - time.monotonic()))[0]:
                connection.send({"op": "signal", "signo": int(signal.SIGKILL)})
                kill_at = None
            event = connection.receive(max(0.0, deadline - time.monotonic()))
            if event.get("ok") is False:
                raise Refused(event["error"], self.log())
            if event.get("event") == "exited":
                return event["report"]


def feed(fd, data):
    """Writes all of `data` to the pipe `fd` and closes it; a reader that goes away early is no error."""
    previous = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        while data:
            data = data[os.write(fd, data):]
    except BrokenPipeError:
        pass
    finally:
        signal.signal(signal.SIGPIPE, previous)
        os.close(fd)
    return -1
