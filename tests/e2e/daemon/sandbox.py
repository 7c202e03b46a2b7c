"""A daemon of one's own for a test: its own state folder, its own programs, and nothing left behind."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get("DIVISI_BIN", os.path.join(HERE, "../../../build/bin"))
SOURCE = os.environ.get("DIVISI_SOURCE", os.path.join(HERE, "../../.."))
FAKE_VMM = os.path.join(HERE, "fake_vmm.py")

POLICY = """\
apiVersion: divisi/v1
name: {name}
machine: {{cores: 2, fold: true}}
nodes: {{count: {nodes}, memory: 16MiB}}
shared: {{memory: 64MiB}}
mode: message-passing
interconnect: {{shape: full}}
"""


def wait_for(condition, what, seconds=20):
    """Waits for a condition that another process brings about."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("did not come true: " + what)
        time.sleep(0.01)


def alive(pid):
    """A zombie has ended, too: whoever reaps it may be slow."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class SandboxTest(unittest.TestCase):
    vmm = FAKE_VMM

    def setUp(self):
        self.state = tempfile.mkdtemp(prefix="divisi-", dir="/tmp")
        self.env = dict(os.environ, DIVISI_STATE_DIR=self.state, PATH=BIN + ":" + os.environ["PATH"])
        for name in ("FAKE_VMM", "DIVISI_VMM"):
            self.env.pop(name, None)
        if self.vmm:
            self.env["DIVISI_VMM"] = self.vmm
        self.started = []

    def tearDown(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.divisi("daemon", "stop", "--force")
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        left = os.listdir(self.topologies()) if os.path.isdir(self.topologies()) else []
        shutil.rmtree(self.state)
        self.assertEqual(left, [], "folders of topologies were left behind")

    def processes(self):
        """The processes that belong to this sandbox."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open("/proc/%s/environ" % entry, "rb") as file:
                    environment = file.read()
            except OSError:
                continue
            marked = b"DIVISI_STATE_DIR=" + self.state.encode() + b"\0" in environment + b"\0"
            if marked and alive(int(entry)):
                found.append(int(entry))
        return found

    def topologies(self):
        return os.path.join(self.state, "topologies")

    def policy(self, name="pair", nodes=2):
        path = os.path.join(self.state, name + ".yaml")
        with open(path, "w") as file:
            file.write(POLICY.format(name=name, nodes=nodes))
        return path

    def build_program(self, source, *compiler, folder=None):
        """Compiles a program of the test's own; its path."""
        program = os.path.join(folder or self.state, "program")
        with open(program + ".c", "w", encoding="ascii") as file:
            file.write(source)
        subprocess.run([*compiler, "-O1", program + ".c", "-o", program], check=True)
        return program

    def start(self, *words, **options):
        """Starts a program of ours and returns it."""
        options = dict(dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=self.env), **options)
        process = subprocess.Popen([os.path.join(BIN, words[0])] + list(words[1:]), **options)
        self.started.append(process)
        return process

    def divisi(self, *words, exit=None, input=None, **options):
        """Runs `divisi` to its end; checks the exit code where one is given."""
        result = subprocess.run([os.path.join(BIN, "divisi")] + list(words), capture_output=True, text=True,
                                input=input if input is not None else "", env=self.env, timeout=60, **options)
        if exit is not None:
            self.assertEqual(result.returncode, exit, "%s\n%s\n%s" % (words, result.stdout, result.stderr))
        return result

    def ok(self, *words, **options):
        """Runs `divisi`, which must succeed, and returns what it printed."""
        return self.divisi(*words, exit=0, **options).stdout

    def mpicc(self, source):
        """The program, in the state folder."""
        program = os.path.join(self.state, os.path.basename(source).removesuffix(".c"))
        subprocess.run([os.path.join(BIN, "mpi/mpicc"), "-O2", "-I", SOURCE, "-o", program, source], check=True)
        return program

    def json(self, *words):
        return json.loads(self.ok(*words, "-o", "json"))

    def names(self):
        return [each["name"] for each in self.json("ls")["topologies"]]

    def daemon_pid(self):
        result = self.divisi("daemon", "status", "-o", "json")
        return json.loads(result.stdout)["pid"] if result.returncode == 0 else None

    def kill_daemon(self):
        pid = self.daemon_pid()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not alive(pid), "divisid is gone")

    def connect(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(os.path.join(self.state, "divisid.sock"))  # blocks while the queue is full
        connection.settimeout(20)
        return connection

    def curl(self, *words, code=None):
        """Returns (status, body)."""
        result = subprocess.run(["curl", "-sS", "--unix-socket", os.path.join(self.state, "divisid.sock"),
                                 "-w", "\n%{http_code}"] + list(words), capture_output=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        body, _, status = result.stdout.rpartition(b"\n")
        if code is not None:
            self.assertEqual(int(status), code, body)
        return int(status), body


def skip(reason):
    print("SKIP: " + reason)
    sys.exit(77)


def backends():
    """What divisi-vmm says of each."""
    probe = subprocess.run([os.path.join(BIN, "divisi-vmm"), "--probe"], capture_output=True, text=True, check=True)
    return json.loads(probe.stdout)["backends"]


def skip_without(name):
    for backend in backends():
        if backend["name"] == name and not backend["ok"]:
            skip("backend %s: %s" % (name, backend["reason"]))


def main():
    unittest.main(verbosity=2)
