"""Whether the README tells the truth: its program is examples/first_model, its commands and links lead somewhere.

usage: readme.py ROOT
"""

import os
import re
import sys


def block_after(text, mark):
    at = text.index(mark)
    return re.search(r"```\w*\n(.*?)```", text[at:], re.S).group(1)


def main():
    root = sys.argv[1]
    with open(os.path.join(root, "README.md"), encoding="utf-8") as file:
        readme = file.read()
    with open(os.path.join(root, "examples/first_model/main.cpp"), encoding="utf-8") as file:
        program = file.read()
    wrong = []
    if block_after(readme, "## A first model") != program:
        wrong.append("the program in README.md is not examples/first_model/main.cpp")
    for command in re.findall(r"^(tools/\S+)", readme, re.M):
        if not os.access(os.path.join(root, command), os.X_OK):
            wrong.append(f"{command} cannot be run")
    for link in re.findall(r"\]\(([^)#:]+)\)", readme):
        if not os.path.exists(os.path.join(root, link)):
            wrong.append(f"the link to {link} leads nowhere")
    for line in wrong:
        print("error:", line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
