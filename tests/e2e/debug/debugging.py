"""What the tests of this folder share: the sandbox of the daemon's tests over real nodes, and a program that crashes."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../daemon"))

import sandbox  # noqa: E402
from sandbox import BIN, SandboxTest, main, skip, wait_for  # noqa: E402,F401


def backends():
    """Those that work here."""
    return [each["name"] for each in sandbox.backends() if each["ok"]]


def compile_program(source, target, *options):
    subprocess.run(["cc", "-w", "-g", "-O1", "-fomit-frame-pointer", *(options or ["-static"]), "-o", target,
                    os.path.join(HERE, source)], check=True)


class DebugTest(SandboxTest):
    vmm = None

    def setUp(self):
        super().setUp()
        self.program = os.path.join(self.state, "crashing")
        compile_program("crashing.c", self.program)

    def on_each_backend(self, mode="message-passing", nodes=2):
        """Carves the topology `pair` on each in turn."""
        for backend in BACKENDS:
            self.ok("carve", self.policy(nodes=nodes), "--backend", backend, "--mode", mode)
            yield backend
            self.ok("release", "--force", "pair")


BACKENDS = backends() if os.path.exists(os.path.join(BIN, "divisi-vmm")) else []
if not BACKENDS:
    skip("no backend works on this machine")
