// From each row of the op table: that the type rule accepts and refuses, the text round trip,
// values at every sample in f32 and f64 by every way to run them, and special values; for this
// machine, or the level that GRADUS_TARGET_CPU names.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "ir/builder.h"
#include "ir/parser.h"
#include "ir/printer.h"
#include "ir/registry.h"
#include "ir/verifier.h"
#include "tests/ops/executors.h"
#include "tests/ops/op_row.h"

namespace gradus::test {
namespace {

using ir::Function;
using ir::Module;
using ir::Type;
using ir::Value;

TEST(OpTable, EveryRegisteredOpHasARow) {
  for (const ir::OpDef* op : ir::AllOps()) {
    bool found = false;
    for (const OpCase& c : OpCases()) found = found || c.name == op->name;
    EXPECT_TRUE(found) << op->name << " has no row in tests/ops";
  }
}

TEST(OpTable, EveryRowIsOfAnOpOrBuildsItself) {
  for (const OpCase& c : OpCases()) {
    EXPECT_TRUE(ir::FindOp(c.name) != nullptr || c.build) << c.name;
    EXPECT_TRUE(ir::FindOp(c.name) == nullptr || !c.refused.empty())
        << c.name << ": no use that must be refused";
  }
}

TEST(OpTable, EveryRecordIsComplete) {
  for (const ir::OpDef* op : ir::AllOps()) {
    EXPECT_FALSE(op->summary.empty()) << op->name;
    EXPECT_NE(op->infer, nullptr) << op->name;
    const int rules = (op->at != nullptr) + (op->emit != nullptr) + op->has(ir::kCall);
    EXPECT_EQ(rules, 1) << op->name << ": `at`, `emit` or a call";
    for (const ir::AttrSpec& a : op->attrs)
      EXPECT_FALSE(a.summary.empty()) << op->name << "." << a.name;
  }
}

bool SameBits(const std::vector<double>& a, const std::vector<double>& b) {
  return std::ranges::equal(a, b, [](double x, double y) {
    return std::bit_cast<uint64_t>(x) == std::bit_cast<uint64_t>(y);
  });
}

class OpRow : public testing::TestWithParam<size_t> {
 protected:
  const OpCase& row() const { return OpCases()[GetParam()]; }
};

TEST_P(OpRow, RefusesWithAMessage) {
  const ir::OpDef* op = ir::FindOp(row().name);
  if (!op) GTEST_SKIP() << "a composite: its ops refuse";
  for (const Refused& r : row().refused) {
    Module m("refused");
    Function& f = m.AddFunction("f");
    std::vector<Value> operands;
    for (const Type& t : r.operands)
      operands.push_back(f.AddArgument(fmt::format("x{}", operands.size()), t));
    ir::Diagnostic error;
    EXPECT_EQ(ir::TryEmit(f, *op, operands, r.attrs, {}, &m, &error), nullptr)
        << op->name << ": " << r.message;
    EXPECT_EQ(error.message.rfind(fmt::format("{}: ", op->name), 0), 0u) << error.message;
    EXPECT_NE(error.message.find(r.message), std::string::npos)
        << "got: " << error.message << "\nwant: " << r.message;
  }
}

TEST_P(OpRow, PrintsAndParses) {
  for (const DType d : DTypesOf(row())) {
    Module m("round_trip");
    int n = 0;
    for (const Sample& s : row().samples(d)) {
      absl::StatusOr<Built> b = Build(row(), s, m, fmt::format("s{}", n++));
      ASSERT_TRUE(b.ok()) << Label(row(), s, 0) << ": " << b.status();
      b->function->AddResult(b->result);
    }
    ASSERT_TRUE(ir::Verify(m).ok()) << ir::Verify(m);
    const std::string text = ir::Print(m);
    absl::StatusOr<std::unique_ptr<Module>> parsed = ir::Parse(text, "row.ir");
    ASSERT_TRUE(parsed.ok()) << parsed.status() << "\n" << text;
    EXPECT_EQ(ir::Print(**parsed), text);
    const std::string folded = ir::Print(m, {.folded = true});
    parsed = ir::Parse(folded, "folded.ir");
    ASSERT_TRUE(parsed.ok()) << parsed.status() << "\n" << folded;
    EXPECT_EQ(ir::Print(**parsed, {.folded = true}), folded);
  }
}

TEST_P(OpRow, ValuesAgreeWithTheReference) {
  for (const DType d : DTypesOf(row())) {
    Module m("values");
    std::vector<std::pair<Sample, Built>> built;
    for (Sample& s : row().samples(d)) {
      absl::StatusOr<Built> b = Build(row(), s, m, fmt::format("s{}", built.size()));
      ASSERT_TRUE(b.ok()) << Label(row(), s, 0) << ": " << b.status();
      b->function->AddResult(b->result);
      built.emplace_back(std::move(s), *b);
    }
    std::map<std::pair<size_t, int64_t>, std::vector<double>> by_default;
    for (const std::string_view way : kWays) {
      if (way == "interpreted" && HasCalls(m)) continue;
      absl::StatusOr<Executor> executor = Executor::Create(m, way);
      ASSERT_TRUE(executor.ok()) << row().name << " " << way << ": " << executor.status();
      for (size_t n = 0; n < built.size(); ++n) {
        const auto& [s, b] = built[n];
        for (const int64_t batch : BatchesOf(s)) {
          const std::vector<Array> operands = FillAll(row(), b, batch);
          const Array want = row().reference(GivenOf(s, operands, batch));
          absl::StatusOr<std::vector<Array>> got = executor->Run(fmt::format("s{}", n), operands);
          ASSERT_TRUE(got.ok()) << way << " " << Label(row(), s, batch) << ": " << got.status();
          const bool exact = !ir::IsFloat(want.dtype);
          const Tolerance tolerance = exact                       ? Tolerance{}
                                      : want.dtype == DType::kF32 ? row().f32
                                                                  : row().f64;
          const std::string wrong = Difference((*got)[0], want, tolerance);
          EXPECT_EQ(wrong, "") << way << " " << Label(row(), s, batch);
          // Bit for bit, however the work is shared.
          if (way == "default") by_default[{n, batch}] = (*got)[0].values;
          if (way == "shared") {
            EXPECT_TRUE(SameBits((*got)[0].values, by_default[{n, batch}]))
                << Label(row(), s, batch);
          }
        }
      }
    }
  }
}

TEST_P(OpRow, SpecialValues) {
  for (const DType d : kAllDTypes) {
    const absl::StatusOr<std::optional<SpecialCall>> special = SpecialsOf(row(), d);
    ASSERT_TRUE(special.ok()) << special.status();
    if (!*special) continue;
    for (const std::string_view way : kWays) {
      absl::StatusOr<Executor> executor = Executor::Create(*(*special)->module, way);
      ASSERT_TRUE(executor.ok()) << row().name << " " << way << ": " << executor.status();
      absl::StatusOr<std::vector<Array>> got = executor->Run("special", (*special)->operands);
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(Difference((*got)[0], (*special)->want, {}), "") << way << " " << row().name;
    }
  }
}

// All of it for the target that the environment chooses, if this machine can run its code.
class RunsHere : public testing::Environment {
 public:
  void SetUp() override {
    const absl::Status runs = codegen::CheckRunsHere(codegen::DefaultTarget());
    if (runs.code() == absl::StatusCode::kFailedPrecondition) GTEST_SKIP() << runs;
    ASSERT_TRUE(runs.ok()) << runs;
  }
};
const testing::Environment* const kRunsHere = testing::AddGlobalTestEnvironment(new RunsHere);

INSTANTIATE_TEST_SUITE_P(All, OpRow, testing::Range(size_t{0}, OpCases().size()),
                         [](const testing::TestParamInfo<size_t>& row) {
                           return std::string(OpCases()[row.param].name);
                         });

}  // namespace
}  // namespace gradus::test
