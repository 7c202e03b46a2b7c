"""The project's own files: those git tracks or would track, and in a folder without git all but the build folders."""

import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def tracked_files():
    listing = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "-C", ROOT, "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"], capture_output=True, check=False)
    if listing.returncode == 0:
        names = {os.fsdecode(name) for name in listing.stdout.split(b"\0") if name}
    else:
        names = set(walk())
    return sorted(name for name in names if os.path.isfile(os.path.join(ROOT, name)))


def walk():
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in (".git", ".cache") and not name.startswith("build")]
        for name in files:
            yield os.path.relpath(os.path.join(folder, name), ROOT)


def with_suffix(*suffixes):
    return [name for name in tracked_files() if name.endswith(suffixes)]


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read()
