#!/usr/bin/env python3
"""Enforces the shape of the source tree by reading its text.

    check_layering.py ROOT

prints one line per violation (`file:line: rule: what`) and exits 1 if there is any. Rules:

  arrow     a folder includes only the folders that ALLOWED lists for it
  path      a quoted include is relative to the root and names a file of the tree
  library   a folder includes only the third-party libraries that THIRD_PARTY lists for it
  llvm      LLVM headers are included by codegen only, and reached from nowhere else
  abi       the C interface includes standard C headers and nothing more
  cycle     headers do not include each other in a circle
  op-name   outside ir/ops nothing compares the name of an op, or an op itself, with a constant
  op-switch outside ir/ops nothing switches over ops
  op-list   outside ir/ops the core names no op in a string literal
"""

import os
import re
import sys

LIBRARIES = {"ir", "runtime", "passes", "codegen", "frontend"}
ALLOWED = {
    "ir": {"ir"},
    "runtime": {"runtime"},
    "passes": {"passes", "ir"},
    "codegen": {"codegen", "ir", "runtime"},
    "frontend": LIBRARIES,
    "tools": LIBRARIES | {"tools"},
    "examples": LIBRARIES | {"examples"},
    "benchmarks": LIBRARIES | {"benchmarks", "tools"},
    "tests": LIBRARIES | {"tests", "tools", "examples"},
}
# Written by the build; each includes nothing.
GENERATED = {"gradus_source_hash.h", "standalone_bitcode.h"}
CORE = {"absl", "fmt"}
THIRD_PARTY = {
    "ir": CORE,
    "runtime": CORE,
    "passes": CORE,
    "codegen": CORE,  # and LLVM, by the rule of its own
    "frontend": CORE | {"nlohmann"},
    "tools": CORE | {"nlohmann", "CLI"},
    "examples": CORE | {"nlohmann", "CLI"},
    "benchmarks": CORE | {"nlohmann", "CLI", "benchmark"},
    "tests": CORE | {"nlohmann", "CLI", "gtest", "gmock"},
}
SOURCES = (".h", ".cpp", ".c")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
# A comment, or a literal that could hide the start of one.
TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
LITERAL = re.compile(r'"((?:\\.|[^"\\\n])*)"')
OP_RECORD = re.compile(r'\bOpDef\s+(k\w+)\s*(?:=\s*)?\{\s*\.name\s*=\s*"(\w+)"')

# `x.op->name == "tanh"`, `op_name() != "tanh"`, and the same the other way round.
OP_SUBJECT = r'(?:\bop(?:_def)?(?:\(\))?(?:->|\.)name(?:\(\))?|\bop_name(?:\(\))?)'
OP_NAME = re.compile(OP_SUBJECT + r'\s*[=!]=\s*"|"\s*[=!]=\s*[\w.()>\-]*' + OP_SUBJECT)
OP_CONSTANT = re.compile(r'\bop(?:_def)?(?:\(\))?\s*[=!]=\s*&\s*(?:\w+::)*(k[A-Z]\w*)')
OP_SWITCH = re.compile(r'\bswitch\s*\([^;{]*?(?:->|\.|\b)(?:op(?:_def)?(?:\(\))?|op_kind(?:\(\))?|\w*OpKind\w*)'
                       r'(?:(?:->|\.)\w+(?:\(\))?)?\s*\)')
# The closed set of scalar arithmetic is spelled like some ops, and is named where it is defined,
# printed and emitted.
SCALAR_FILES = ("ir/loop/", "codegen/emit_scalar")
OP_LIST_FOLDERS = ("ir", "passes", "codegen")


def strip_comments(text):
    """Blanks comments, keeping literals and the number of lines."""
    def blank(match):
        token = match.group(0)
        if token.startswith(("//", "/*")):
            return re.sub(r'[^\n]', ' ', token)
        return token
    return TOKEN.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def read_tree(root):
    """Returns {path relative to root: text without comments} for every source file of ours."""
    files = {}
    for top in sorted(ALLOWED):
        for folder, subfolders, names in os.walk(os.path.join(root, top)):
            subfolders.sort()
            for name in sorted(names):
                if name.endswith(SOURCES):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as file:
                        files[os.path.relpath(path, root)] = strip_comments(file.read())
    return files


def is_llvm(header):
    return header.startswith(("llvm/", "llvm-c/"))


def check_includes(files):
    """Rules arrow, path, llvm (direct) and abi. Returns violations and the quoted include graph."""
    found, graph = [], {path: [] for path in files}
    for path, text in files.items():
        top = path.split("/")[0]
        for match in INCLUDE.finditer(text):
            header, at = match.group(2), f"{path}:{line_of(text, match.start())}"
            if is_llvm(header):
                if top != "codegen":
                    found.append(f"{at}: llvm: {top} includes {header}; only codegen may")
            elif header.split("/")[0] in set().union(*THIRD_PARTY.values()) and header not in files:
                if header.split("/")[0] not in THIRD_PARTY[top]:
                    found.append(f"{at}: library: {top} may not include {header}")
            elif match.group(1) == '"' and header not in GENERATED:
                if header not in files:
                    found.append(f'{at}: path: "{header}" is no file of this tree; quoted includes '
                                 "are relative to its root")
                    continue
                graph[path].append(header)
                if header.split("/")[0] not in ALLOWED[top]:
                    found.append(f"{at}: arrow: {top} may not include {header}")
            if path == "runtime/abi.h" and header not in ("stdint.h", "stddef.h"):
                found.append(f"{at}: abi: the C interface may not include {header}")
    return found, graph


def check_llvm_reach(files, graph):
    """A file outside codegen that includes a codegen header which reaches LLVM's headers."""
    carries = {path for path, text in files.items()
               if any(is_llvm(m.group(2)) for m in INCLUDE.finditer(text))}
    users = {}
    for path, headers in graph.items():
        for header in headers:
            users.setdefault(header, []).append(path)
    pending = sorted(carries)
    while pending:
        for user in users.get(pending.pop(), []):
            if user not in carries:
                carries.add(user)
                pending.append(user)
    return [f"{path}:1: llvm: reaches LLVM's headers through its includes"
            for path in sorted(carries)
            if not path.startswith("codegen/") and
            not any(is_llvm(m.group(2)) for m in INCLUDE.finditer(files[path]))]


def check_cycles(graph):
    """Depth-first walk with an explicit stack; reports each include that closes a circle."""
    found, state = [], {}  # state: 1 on the current path, 2 done
    for start in sorted(graph):
        if state.get(start):
            continue
        stack = [(start, iter(graph[start]))]
        state[start] = 1
        while stack:
            path, rest = stack[-1]
            header = next(rest, None)
            if header is None:
                state[path] = 2
                stack.pop()
            elif state.get(header) == 1:
                names = [p for p, _ in stack]
                circle = names[names.index(header):]
                first = circle.index(min(circle))  # the same text wherever the walk entered
                circle = circle[first:] + circle[:first + 1]
                found.append(f"{path}:1: cycle: {' -> '.join(circle)}")
            elif header not in state:
                state[header] = 1
                stack.append((header, iter(graph[header])))
    return found


def check_ops(files):
    """Rules op-name, op-switch and op-list."""
    records, names = set(), set()
    for path, text in files.items():
        if path.startswith("ir/ops/"):
            for record, name in OP_RECORD.findall(text):
                records.add(record)
                names.add(name)
    found = []
    for path, text in files.items():
        if path.startswith(("ir/ops/", "tests/")):
            continue
        for rule, pattern in (("op-name", OP_NAME), ("op-name", OP_CONSTANT),
                              ("op-switch", OP_SWITCH)):
            if rule == "op-switch" and path.startswith(SCALAR_FILES):
                continue
            for match in pattern.finditer(text):
                if pattern is OP_CONSTANT and match.group(1) not in records:
                    continue  # a mark of the core's own, such as the poison value
                found.append(f"{path}:{line_of(text, match.start())}: {rule}: "
                             f"`{' '.join(match.group(0).split())}`: behaviour belongs on the op "
                             "record; ask a trait")
        if path.split("/")[0] in OP_LIST_FOLDERS and not path.startswith(SCALAR_FILES):
            for match in LITERAL.finditer(text):
                if match.group(1) in names:
                    found.append(f"{path}:{line_of(text, match.start())}: op-list: the op "
                                 f'"{match.group(1)}" is named outside ir/ops; add a trait')
    return found


def check(root):
    files = read_tree(root)
    found, graph = check_includes(files)
    found += check_llvm_reach(files, graph)
    found += check_cycles(graph)
    found += check_ops(files)
    return files, found


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    files, found = check(sys.argv[1])
    if not files:
        print(f"no source files under {sys.argv[1]}")
        return 1
    for line in found:
        print(line)
    print(f"{len(files)} files, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
