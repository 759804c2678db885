#!/usr/bin/env python3
"""Shows on small made-up trees that every rule of check_layering.py can fail, and only then does."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_layering  # noqa: E402

GOOD = {
    "ir/value.h": '#pragma once\n#include <string>\n#include "ir/type.h"\n',
    "ir/type.h": "#pragma once\n",
    "ir/ops/elementwise.cpp": '#include "ir/value.h"\n'
                              'constinit const OpDef kTanh{\n    .name = "tanh",\n};\n'
                              'bool F(Op* op) { return op->name == "tanh"; }\n',
    "runtime/abi.h": "#include <stddef.h>\n#include <stdint.h>\n",
    "runtime/tensor.h": '#include "runtime/abi.h"\n',
    "passes/cse.cpp": '#include "ir/value.h"\n#include "passes/cse.h"\n',
    "passes/cse.h": '#include "ir/type.h"\n',
    "codegen/jit.h": '#include "ir/type.h"\n#include "runtime/abi.h"\n',
    "codegen/jit.cpp": '#include "llvm/IR/Module.h"\n#include "codegen/jit.h"\n',
    "frontend/model.cpp": '#include "codegen/jit.h"\n#include "passes/cse.h"\n',
    "tools/gradus-opt/main.cpp": '#include "passes/cse.h"\n',
}


def violations(changes):
    """Rules broken by the good tree with `changes` ({path: text}) on top."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**GOOD, **changes}.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
        return check_layering.check(root)[1]


class Layering(unittest.TestCase):
    def expect(self, changes, *wanted):
        found = violations(changes)
        self.assertEqual(len(found), len(wanted), found)
        for line, parts in zip(found, wanted):
            for part in parts:
                self.assertIn(part, line)

    def test_good_tree(self):
        self.expect({})

    def test_every_forbidden_arrow(self):
        header = {"ir": "ir/type.h", "runtime": "runtime/tensor.h", "passes": "passes/cse.h",
                  "codegen": "codegen/jit.h", "frontend": "frontend/model.h",
                  "tools": "tools/a.h", "tests": "tests/a.h"}
        forbidden = {
            "ir": ["runtime", "passes", "codegen", "frontend", "tools", "tests"],
            "runtime": ["ir", "passes", "codegen", "frontend", "tools", "tests"],
            "passes": ["runtime", "codegen", "frontend", "tools", "tests"],
            "codegen": ["passes", "frontend", "tools", "tests"],
            "frontend": ["tools", "tests"],
            "tools": ["tests"],
            "examples": ["tools", "tests"],
            "benchmarks": ["tests"],
        }
        empty = {path: "" for path in header.values() if path not in GOOD}
        for folder, targets in forbidden.items():
            for target in targets:
                with self.subTest(folder=folder, target=target):
                    self.expect({**empty, f"{folder}/new.cpp": f'\n#include "{header[target]}"\n'},
                                [f"{folder}/new.cpp:2: arrow:", header[target]])

    def test_commented_include_is_ignored(self):
        self.expect({"ir/a.cpp": '// #include "passes/cse.h"\n/*\n#include "passes/cse.h"\n*/\n'})

    def test_comment_marks_inside_literals_hide_nothing(self):
        self.expect({"ir/a.cpp": 'auto s = "/*"; auto t = R"(//)";\n#include "passes/cse.h"\n// */\n'},
                    ["ir/a.cpp:2: arrow:"])

    def test_path_relative_to_the_including_file(self):
        self.expect({"ir/a.cpp": '#include "type.h"\n'}, ["ir/a.cpp:1: path:", "type.h"])
        self.expect({"ir/a.cpp": '#include "../ir/type.h"\n'}, ["path:"])
        self.expect({"codegen/a.cpp": '#include "gradus_source_hash.h"\n'})

    def test_third_party_libraries(self):
        self.expect({"ir/a.cpp": '#include "fmt/format.h"\n#include <absl/status/status.h>\n',
                     "frontend/a.cpp": "#include <nlohmann/json.hpp>\n"})
        self.expect({"passes/a.cpp": "#include <nlohmann/json.hpp>\n"},
                    ["passes/a.cpp:1: library: passes may not include nlohmann/json.hpp"])
        self.expect({"frontend/a.cpp": '#include "CLI/CLI.hpp"\n'}, ["frontend/a.cpp:1: library:"])
        self.expect({"runtime/a.cpp": "#include <gtest/gtest.h>\n"}, ["runtime/a.cpp:1: library:"])

    def test_llvm_outside_codegen(self):
        self.expect({"passes/a.cpp": "#include <llvm/IR/Module.h>\n"}, ["passes/a.cpp:1: llvm:"])
        self.expect({"frontend/a.cpp": '#include "llvm-c/Core.h"\n'}, ["frontend/a.cpp:1: llvm:"])

    def test_llvm_reached_through_a_codegen_header(self):
        self.expect({"codegen/emit.h": '#include "llvm/IR/IRBuilder.h"\n',
                     "codegen/emit.cpp": '#include "codegen/emit.h"\n'})
        self.expect({"codegen/emit.h": '#include "llvm/IR/IRBuilder.h"\n',
                     "codegen/outer.h": '#include "codegen/emit.h"\n',
                     "frontend/a.cpp": '#include "codegen/outer.h"\n'},
                    ["frontend/a.cpp:1: llvm: reaches"])

    def test_abi_stays_plain_c(self):
        self.expect({"runtime/abi.h": "#include <stdint.h>\n#include <vector>\n"},
                    ["runtime/abi.h:2: abi:", "vector"])

    def test_cycle_of_headers(self):
        self.expect({"ir/type.h": '#include "ir/a.h"\n', "ir/a.h": '#include "ir/b.h"\n',
                     "ir/b.h": '#include "ir/type.h"\n'},
                    ["cycle: ir/a.h -> ir/b.h -> ir/type.h -> ir/a.h"])

    def test_header_that_includes_itself(self):
        self.expect({"ir/type.h": '#include "ir/type.h"\n'}, ["cycle: ir/type.h -> ir/type.h"])

    def test_comparing_the_name_of_an_op(self):
        for code in ('if (node->op->name == "exotic") {}', 'if (node.op().name() != "exotic") {}',
                     'if ("exotic" == node->op->name) {}', 'return op_name() == "exotic";'):
            with self.subTest(code=code):
                self.expect({"passes/a.cpp": code + "\n"}, ["passes/a.cpp:1: op-name:"])

    def test_comparing_an_op_with_a_record(self):
        self.expect({"frontend/a.cpp": "if (node->op == &ir::kTanh) {}\n"}, ["op-name:", "kTanh"])
        self.expect({"passes/a.cpp": "if (node->op() != &kTanh) {}\n"}, ["op-name:", "kTanh"])

    def test_names_of_other_things_may_be_compared(self):
        self.expect({"passes/a.cpp": 'if (pass.name == "cse") {}\nif (loop.name() == "i") {}\n'
                                     "if (node->op == other->op) {}\n"
                                     "if (node->op() == &kPoison) {}\n"})

    def test_switching_over_ops(self):
        for code in ("switch (node->op) {", "switch (node->op()->kind()) {", "switch (op.kind) {",
                     "switch (node->op_kind()) {"):
            with self.subTest(code=code):
                self.expect({"codegen/a.cpp": code}, ["codegen/a.cpp:1: op-switch:"])
        self.expect({"codegen/emit_scalar.cpp": "switch (scalar->op) {",
                     "codegen/a.cpp": "switch (type.dtype) {"})

    def test_naming_an_op_in_the_core(self):
        self.expect({"passes/a.cpp": 'std::set<std::string> s = {"tanh"};\n'},
                    ["passes/a.cpp:1: op-list:", "tanh"])
        self.expect({"ir/a.cpp": 'Emit("tanh");\n'}, ["op-list:"])
        self.expect({"frontend/a.cpp": 'Named("tanh");\n', "tests/a.cpp": 'Op("tanh");\n'})


if __name__ == "__main__":
    unittest.main()
