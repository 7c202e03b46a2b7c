#!/usr/bin/env python3
"""All shell scripts pass shellcheck."""

import re
import shutil
import subprocess
import sys

from tracked import ROOT, read, tracked_files

SHEBANG = re.compile(r"#!\s*/\S*\b(?:env\s+)?(?:ba|da)?sh\b")


def main():
    if shutil.which("shellcheck") is None:
        print("SKIP: shellcheck is not installed: the shell scripts were not checked")
        return 77
    scripts = [name for name in tracked_files() if name.endswith(".sh") or SHEBANG.match(read(name)[:100])]
    return subprocess.run(["shellcheck", "-x", *scripts], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
