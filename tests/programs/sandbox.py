"""A folder, and in it a daemon of one's own, that are gone when who asked for them is, however it ended."""

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DIVISI = ROOT / "build/bin/divisi"
CLEAN = 'cat; "$1" daemon stop --force; umount -l "$2/disk"; rm -rf "$2"'


@contextlib.contextmanager
def sandbox(prefix):
    """What is mounted on the folder's `disk` goes with it."""
    folder = tempfile.mkdtemp(prefix=prefix)
    os.environ["DIVISI_STATE_DIR"] = f"{folder}/state"
    os.mkdir(f"{folder}/state", 0o700)
    # Reads until this process has no end of the pipe any more; in a session of its own, where no Ctrl-C reaches it.
    with subprocess.Popen(["sh", "-c", CLEAN, "sh", DIVISI, folder], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, start_new_session=True):
        yield Path(folder)
