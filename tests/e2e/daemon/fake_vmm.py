#!/usr/bin/env python3
"""A stand-in for divisi-vmm that speaks docs/vmm-protocol.md and carves nothing.

Jobs are ordinary host processes, one a rank. FAKE_VMM in the environment makes it misbehave:
  fail          report a failure at the start, and exit with its code
  silent        exit with code 1 without a report, after a line in the log
  stuck         never report
  slow          report after a second
  garbage       report something that is not JSON
  deaf          carve, then never answer a request
  ignore-term   take no notice of a release (the daemon has to kill it)
"""
import array
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

KINDS = {"kFailed": 1, "kUsage": 2, "kInsufficient": 4, "kNotFound": 6, "kBusy": 8, "kBadImage": 11}


def die_with_parent():
    """As a node does: it is part of its divisi-vmm."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Failure(Exception):
    def __init__(self, kind, message, exit_code=1):
        super().__init__(message)
        self.body = {"ok": False, "error": {"message": message, "exit": exit_code, "kind": KINDS[kind]}}


def receive(connection):
    packet, ancillary, _, _ = connection.recvmsg(70000, socket.CMSG_SPACE(17 * 4))
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    fds = list(fds)
    for fd in fds:
        os.set_inheritable(fd, False)
    if not packet:
        return None, fds
    if packet[:1] == b"M":
        memory = fds.pop(0)
        text = os.pread(memory, os.fstat(memory).st_size, 0)
        os.close(memory)
    else:
        text = packet[1:]
    return json.loads(text), fds


def send(connection, body):
    connection.send(b"J" + json.dumps(body).encode())


class Job:
    def __init__(self, vmm, number, request, fds):
        self.vmm = vmm
        self.id = "%s.%d" % (vmm.config["name"], number)
        self.request = request
        self.fds = fds
        self.started = time.time()
        self.exit = None
        self.report = None
        ranks = request.get("ranks") or 0
        nodes = request.get("nodes") or len(vmm.config["nodes"])
        self.nodes = nodes
        self.ranks = ranks or (nodes if vmm.mode == "message-passing" else 1)
        self.processes = []
        self.labellers = []

    def start(self):
        stdin, stdout, stderr, program, cwd = self.fds
        head = os.pread(program, 4, 0)
        if head[:2] != b"#!" and head != b"\x7fELF":
            raise Failure("kBadImage", "%s: not an ELF file" % self.request["path"])
        environment = dict(entry.split("=", 1) for entry in self.request["env"])
        for rank in range(self.ranks):
            self.processes.append(subprocess.Popen(
                self.request["argv"], executable=self.request["path"], cwd="/proc/self/fd/%d" % cwd, pass_fds=[cwd],
                env=dict(environment, FAKE_RANK=str(rank), FAKE_THREADS=str(self.request.get("threads", 0))),
                stdin=stdin if rank == 0 else subprocess.DEVNULL,
                stdout=stdout if not self.request.get("label") else subprocess.PIPE, stderr=stderr,
                preexec_fn=die_with_parent))
        if self.request.get("label"):
            for rank, process in enumerate(self.processes):
                self.labellers.append(threading.Thread(target=self.label, args=(rank, process), daemon=True))
                self.labellers[-1].start()

    def label(self, rank, process):
        for line in process.stdout:
            os.write(self.fds[1], b"[%d] " % rank + line)

    def wait(self):
        codes = [process.wait() for process in self.processes]
        for labeller in self.labellers:  # a rank's last line may still be on its way
            labeller.join()
        ranks = [{"rank": rank, "exit": 128 - code if code < 0 else code, "signal": max(0, -code), "exits": 1,
                  "cpu_time_ns": 1000}
                 for rank, code in enumerate(codes)]
        faults = [{"rank": rank["rank"], "node": rank["rank"], "thread": 1, "signal": rank["signal"],
                   "address": "0x0", "rip": "0x401136", "symbol": "main+0x12"}
                  for rank in ranks if rank["signal"] == signal.SIGSEGV]
        self.exit = max(rank["exit"] for rank in ranks)
        self.report = {"ranks": ranks, "elapsed_ns": int((time.time() - self.started) * 1e9), "unserved": [],
                       "served": [{"call": "write", "number": 1, "count": 1}], "page_faults": 0, "exceptions": 0, "kicks": 0,
                       "faults": faults}
        for fd in self.fds:
            os.close(fd)

    def signal(self, number):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(number)

    def describe(self):
        body = {"id": self.id, "state": "running" if self.exit is None else "ended", "argv": self.request["argv"],
                "ranks": self.ranks, "threads": self.request.get("threads") or 1, "nodes": self.nodes,
                "mode": self.vmm.mode, "pid": 0, "started": int(self.started),
                "elapsed_ns": int((time.time() - self.started) * 1e9), "exits": 1, "cpu_time_ns": 1000}
        if self.exit is not None:
            body.update(exit=self.exit, report=self.report)
        return body


class Vmm:
    def __init__(self, folder):
        self.folder = folder
        with open(os.path.join(folder, "config.json")) as file:
            self.config = json.load(file)
        self.mode = self.config["mode"]
        self.jobs = []
        self.lock = threading.Lock()
        self.released = False
        self.behaviour = os.environ.get("FAKE_VMM", "")

    def serve(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(os.path.join(self.folder, "vmm.sock"))
        listener.listen(64)
        os.write(1, b'{"ok": true}\n')
        os.close(1)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self.serve_one, args=(connection,), daemon=True).start()

    def serve_one(self, connection):
        while True:
            try:
                request, fds = receive(connection)
            except OSError:
                return
            if request is None:
                return
            if self.behaviour == "deaf":
                time.sleep(3600)
            try:
                if request["op"] == "run":
                    self.run(connection, request, fds)
                    return
                send(connection, getattr(self, request["op"])(request))
                if request["op"] == "release" and self.behaviour != "ignore-term":
                    self.end()
            except Failure as failure:
                send(connection, failure.body)
            except OSError:
                return

    def running(self):
        return [job for job in self.jobs if job.exit is None]

    def traffic(self, _):
        links = [{**link, "messages": 0, "bytes": 0} for link in self.config["links"]]
        return {"ok": True, "job": "", "flows": [], "links": links}

    def status(self, _):
        nodes = [{"id": node["id"], "state": "running" if self.running() else "idle", "core": node["core"],
                  "pu": node["pu"], "numa": node["numa"], "memory": node["memory"], "exits": 7, "cpu_time": "1ms",
                  "cpu_time_ns": 1000000} for node in self.config["nodes"]]
        return {"ok": True, "name": self.config["name"], "mode": self.mode,
                "state": "busy" if self.running() else "ready", "backend": "direct",
                "backend_reason": "a stand-in", "vmm_pid": os.getpid(), "nodes": nodes,
                "links": self.config["links"], "jobs": [job.describe() for job in self.jobs]}

    def switch(self, request):
        if request["mode"] not in ("shared-memory", "message-passing"):
            raise Failure("kUsage", "no such mode: %s" % request["mode"], 2)
        while self.running():
            if request["when"] == "now":
                raise Failure("kBusy", "job %s is running" % self.running()[0].id)
            if request["when"] == "force":
                for job in self.running():
                    job.signal(signal.SIGKILL)
            time.sleep(0.01)
        # As divisi-vmm: the job that it waited for may have been killed by a release.
        if self.released:
            raise Failure("kBusy", "it is being released")
        changed, self.mode = self.mode != request["mode"], request["mode"]
        return {"ok": True, "changed": changed}

    def threads(self, _):
        if not self.running():
            raise Failure("kNotFound", "%s: no job is running on it" % self.config["name"])
        return {"ok": True, "job": self.running()[0].id, "threads": []}

    def kill(self, request):
        for job in self.running():
            if job.id == request["job"]:
                job.signal(request["signal"])
                return {"ok": True}
        raise Failure("kNotFound", "no such job: %s" % request["job"])

    def release(self, request):
        if self.running() and not request.get("force"):
            raise Failure("kBusy", "job %s is running" % self.running()[0].id)
        self.released = True
        return {"ok": True}

    def end(self, *_):
        for job in self.running():
            job.signal(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
        os._exit(0)

    def run(self, connection, request, fds):
        with self.lock:
            job = Job(self, len(self.jobs) + 1, request, fds)
            self.jobs.append(job)
        try:
            job.start()
        except Failure:
            self.jobs.remove(job)
            for fd in fds:
                os.close(fd)
            raise
        try:
            send(connection, {"ok": True, "event": "started", "job": job.id})
        except OSError:
            pass  # the client is gone: the listener sees to it
        threading.Thread(target=self.listen, args=(connection, job), daemon=True).start()
        job.wait()
        try:
            send(connection, {"event": "exited", "job": job.id, "exit": job.exit, "report": job.report})
        except OSError:
            pass

    def listen(self, connection, job):
        while True:
            try:
                request, _ = receive(connection)
            except OSError:
                request = None
            if request is None:
                if not job.request.get("detach"):
                    job.signal(signal.SIGKILL)
                return
            if request.get("op") == "signal":
                job.signal(request["signo"])


def main():
    if len(sys.argv) != 3 or sys.argv[1] != "--dir":
        sys.exit("usage: fake_vmm.py --dir DIR")
    vmm = Vmm(sys.argv[2])
    if vmm.behaviour == "fail":
        shutil.rmtree(vmm.folder)
        os.write(1, json.dumps({"ok": False, "error": {
            "message": "/dev/kvm: permission denied (add yourself to the group kvm)", "exit": 5, "kind": 5}}
        ).encode() + b"\n")
        sys.exit(5)
    if vmm.behaviour == "silent":
        sys.exit("something went wrong")  # exit code 1, the text on stderr
    if vmm.behaviour == "stuck":
        time.sleep(3600)
    if vmm.behaviour == "slow":
        time.sleep(1)
    if vmm.behaviour == "garbage":
        os.write(1, b"hello\n")
        time.sleep(3600)
    signal.signal(signal.SIGTERM, vmm.end)
    vmm.serve()


main()
