"""Runs every command on a page, in order, in an empty folder from which build/release and the tree are seen.

usage: pages.py ROOT BUILD PAGE...

A command is a line of a ```sh block (\\ continues it); a comment after it is what it is for. The two
set-up commands of the project, tools/quickstart and tools/check, are run by .ci/run instead. A page
without a command is an error, and so is a command that fails or runs for over ten minutes.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

SET_UP = ("tools/quickstart", "tools/check")


def commands(page):
    with open(page, encoding="utf-8") as file:
        text = file.read()
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"\s+#\s.*$", "", line).strip()
            if line and not line.startswith("#") and not line.startswith(SET_UP):
                yield line


def main():
    root, build, pages = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3:]
    failed = 0
    for page in pages:
        lines = list(commands(os.path.join(root, page)))
        if not lines:
            print(f"error: {page} has no command in a ```sh block")
            failed += 1
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "build"))
            os.symlink(build, os.path.join(folder, "build/release"))
            for name in os.listdir(root):
                if name not in ("build", ".git"):
                    os.symlink(os.path.join(root, name), os.path.join(folder, name))
            for line in lines:
                started = time.monotonic()
                try:
                    ended = subprocess.run(["bash", "-euo", "pipefail", "-c", line], cwd=folder, timeout=600,
                                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                    code, output = ended.returncode, ended.stdout
                except subprocess.TimeoutExpired as late:
                    code, output = "none after ten minutes", (late.stdout or b"").decode(errors="replace")
                print(f"{page}: {line}: {time.monotonic() - started:.1f} s")
                if code != 0:
                    print(f"error: exit code {code}\n{output[-4000:]}")
                    failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
