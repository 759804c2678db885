// The op table on other processors: every row, sample and batch, compiled by the pipeline that is
// used, in one program under an emulator, against the same references as everywhere; and the
// special values. Objects need nothing of others; what a target cannot do without them is left out
// (Toolchain::lacks, without).

#include <gtest/gtest.h>

#include <filesystem>

#include "codegen/compile.h"
#include "codegen/library.h"
#include "fmt/format.h"
#include "passes/pipelines.h"
#include "tests/cross/cross_program.h"
#include "tests/ops/op_row.h"

namespace gradus::test {
namespace {

// A call that was added, and what must come of it.
struct Expected {
  std::string label;
  Array want;
  Tolerance tolerance;
};

class OpTableElsewhere {
 public:
  OpTableElsewhere(const tests::Toolchain& toolchain, std::string_view pipeline)
      : toolchain_(toolchain),
        pipeline_(pipeline),
        program_(toolchain, std::filesystem::temp_directory_path().string()) {}

  void AddValues(const OpCase& row, DType d) {
    ir::Module m("values");
    std::vector<std::pair<Sample, Built>> built;
    for (Sample& s : row.samples(d)) {
      absl::StatusOr<Built> b = Build(row, s, m, fmt::format("s{}", built.size()));
      ASSERT_TRUE(b.ok()) << Label(row, s, 0) << ": " << b.status();
      b->function->AddResult(b->result);
      built.emplace_back(std::move(s), *b);
    }
    const std::string prefix = AddModule(m, row.name);
    for (size_t n = 0; n < built.size(); ++n) {
      const auto& [s, b] = built[n];
      for (const int64_t batch : BatchesOf(s)) {
        const std::vector<Array> operands = FillAll(row, b, batch);
        const Array want = row.reference(GivenOf(s, operands, batch));
        const Tolerance tolerance = !ir::IsFloat(want.dtype)    ? Tolerance{}
                                    : want.dtype == DType::kF32 ? row.f32
                                                                : row.f64;
        AddCall(fmt::format("{}_s{}", prefix, n), operands,
                {Label(row, s, batch), want, tolerance});
      }
    }
  }

  void AddSpecials(const OpCase& row, DType d) {
    absl::StatusOr<std::optional<SpecialCall>> special = SpecialsOf(row, d);
    ASSERT_TRUE(special.ok()) << special.status();
    if (!*special) return;
    const std::string prefix = AddModule(*(*special)->module, row.name);
    AddCall(prefix + "_special", (*special)->operands,
            {fmt::format("special values of {}", row.name), (*special)->want, {}});
  }

  void RunAndCompare() {
    const auto results = program_.Run();
    ASSERT_TRUE(results.ok()) << results.status();
    ASSERT_EQ(results->size(), expected_.size());
    for (size_t i = 0; i < expected_.size(); ++i) {
      EXPECT_EQ(Difference(FromTensor((*results)[i][0]), expected_[i].want, expected_[i].tolerance),
                "")
          << pipeline_ << " " << expected_[i].label;
    }
  }
  size_t num_calls() const { return expected_.size(); }

 private:
  // The prefix of the module's entries.
  std::string AddModule(ir::Module& m, std::string_view row) {
    const std::string prefix = fmt::format("m{}", num_modules_++);
    codegen::CodegenOptions options{.target = *codegen::NamedTarget(toolchain_.target),
                                    .prefix = prefix};
    const absl::Status lowered = passes::RunPipeline(m, pipeline_, {options.target});
    EXPECT_TRUE(lowered.ok()) << row << ": " << lowered;
    const absl::StatusOr<std::string> object = codegen::EmitObject(m, options);
    EXPECT_TRUE(object.ok()) << row << ": " << object.status();
    if (!object.ok()) return prefix;
    const codegen::LibraryObject member{"", *object};
    const auto summary = codegen::Summarize({&member, 1});
    EXPECT_TRUE(summary.ok()) << summary.status();
    for (const std::string& symbol : summary->undefined) {
      EXPECT_TRUE(symbol == "memcpy" || symbol == "memset" || symbol == "memmove")
          << row << " calls " << symbol;
    }
    std::vector<std::string> symbols;
    for (const auto& f : m.functions()) {
      if (f->entry != nullptr) symbols.push_back(prefix + "_" + f->name());
    }
    const absl::Status added = program_.AddObject(*object, symbols);
    EXPECT_TRUE(added.ok()) << added;
    return prefix;
  }

  void AddCall(const std::string& symbol, const std::vector<Array>& operands, Expected expected) {
    std::vector<runtime::Tensor> tensors;
    for (const Array& a : operands) tensors.push_back(ToTensor(a));
    const absl::Status added = program_.AddCall(symbol, tensors);
    ASSERT_TRUE(added.ok()) << expected.label << ": " << added;
    expected_.push_back(std::move(expected));
  }

  const tests::Toolchain& toolchain_;
  std::string pipeline_;
  tests::CrossProgram program_;
  std::vector<Expected> expected_;
  int num_modules_ = 0;
};

struct Setting {
  const char *target, *pipeline;
};
void PrintTo(const Setting& s, std::ostream* out) { *out << s.target << " " << s.pipeline; }

class CrossOps : public testing::TestWithParam<Setting> {
 protected:
  void SetUp() override {
    const std::string missing = tests::CrossProgram::Missing(Toolchain());
    if (!missing.empty()) GTEST_SKIP() << missing << " is not installed";
  }
  static const tests::Toolchain& Toolchain() { return tests::ToolchainFor(GetParam().target); }
  static bool Has(const OpCase& row, DType d) {
    return Toolchain().lacks != ir::Name(d) && !Toolchain().without.contains(row.name);
  }
};

TEST_P(CrossOps, ValuesAgreeWithTheReference) {
  OpTableElsewhere table(Toolchain(), GetParam().pipeline);
  for (const OpCase& row : OpCases()) {
    for (const DType d : DTypesOf(row)) {
      if (Has(row, d)) table.AddValues(row, d);
    }
  }
  EXPECT_GT(table.num_calls(), 1000U);
  table.RunAndCompare();
}

TEST_P(CrossOps, SpecialValues) {
  OpTableElsewhere table(Toolchain(), GetParam().pipeline);
  for (const OpCase& row : OpCases()) {
    for (const DType d : kAllDTypes) {
      if (Has(row, d)) table.AddSpecials(row, d);
    }
  }
  EXPECT_GT(table.num_calls(), 40U);
  table.RunAndCompare();
}

std::string NameOf(const testing::TestParamInfo<Setting>& test) {
  std::string name = fmt::format("{}_{}", test.param.target, test.param.pipeline);
  std::ranges::replace(name, '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, CrossOps,
                         testing::Values(Setting{"aarch64", "default"}, Setting{"aarch64", "none"},
                                         Setting{"riscv64", "default"},
                                         Setting{"riscv64-v", "default"},
                                         Setting{"cortex-m4", "default"}),
                         NameOf);

}  // namespace
}  // namespace gradus::test
