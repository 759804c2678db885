// From each row of the op table: that the type rule accepts and refuses, the text round trip, values at every sample in
// f32 and f64 by every way to run them, special values, and gradients against central differences in f64.

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "ir/builder.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/reduction.h"
#include "ir/parser.h"
#include "ir/printer.h"
#include "ir/registry.h"
#include "ir/verifier.h"
#include "passes/autodiff.h"
#include "tests/ops/executors.h"
#include "tests/ops/op_cases.h"

namespace gradus::test {
namespace {

using ir::Function;
using ir::Module;
using ir::Type;
using ir::Value;

// --- building --------------------------------------------------------------------------------------------------------

// A function of a sample's operands, and, if they do not hold B, of one more argument that does.
struct Built {
  Function* function = nullptr;
  std::vector<Value> operands;
  Value result;
  std::vector<Type> argument_types;
};

absl::StatusOr<Built> Build(const OpCase& c, const Sample& s, Module& m, std::string name) {
  Built b{.function = &m.AddFunction(std::move(name)), .operands = {}, .result = {}, .argument_types = s.operands};
  bool bound = s.batch.empty();
  for (size_t i = 0; i < s.operands.size(); ++i) {
    b.operands.push_back(b.function->AddArgument(fmt::format("x{}", i), s.operands[i]));
    bound = bound || s.operands[i].shape.has_symbols();
  }
  if (!bound) {
    b.argument_types.push_back({DType::kI1, {ir::Dim(kB)}});
    b.function->AddArgument("batch", b.argument_types.back());
  }
  if (c.build) {
    b.result = c.build(m, *b.function, b.operands, s);
    if (b.function->error()) return b.function->error()->ToStatus();
  } else {
    ir::Diagnostic error;
    ir::Node* node = ir::TryEmit(*b.function, *ir::FindOp(c.name), b.operands, s.attrs, {}, &m, &error);
    if (!node) return error.ToStatus();
    b.result = node->result();
  }
  return b;
}

// --- numbers ---------------------------------------------------------------------------------------------------------

Sizes Bound(const ir::Shape& shape, int64_t batch) {
  Sizes sizes;
  for (const ir::Dim& d : shape) sizes.push_back(d.is_symbol() ? batch : d.size());
  return sizes;
}

Array Fill(const Type& type, int64_t batch, const Domain& domain, uint64_t seed) {
  std::mt19937_64 random(seed * 1000003 + 17);
  const Sizes shape = Bound(type.shape, batch);
  const int64_t n = NumElements(shape);
  std::vector<int64_t> places;  // a permutation, for distinct numbers
  for (int64_t i = 0; i < n; ++i) places.push_back(i);
  for (int64_t i = n - 1; i > 0; --i) {
    std::swap(places[static_cast<size_t>(i)], places[random() % static_cast<uint64_t>(i + 1)]);
  }
  size_t next = 0;
  return Filled(type.dtype, shape, [&](const Sizes&) {
    const double share = domain.distinct ? (static_cast<double>(places[next++]) + 0.5) / static_cast<double>(n)
                                         : static_cast<double>(random() >> 11) * 0x1p-53;
    double x = domain.low + (domain.high - domain.low) * share;
    if (domain.grid > 0) x = std::floor(x / domain.grid) * domain.grid + domain.phase;
    if (domain.zeros > 0 && static_cast<double>(random() >> 11) * 0x1p-53 < domain.zeros) x = 0;
    if (type.dtype == DType::kI1) return std::floor(x) == 0 ? 0.0 : 1.0;
    if (ir::IsInteger(type.dtype)) return std::floor(x) + 0.0;
    return type.dtype == DType::kF32 ? static_cast<double>(static_cast<float>(x)) : x;
  });
}

std::vector<Array> FillAll(const OpCase& c, const Built& b, int64_t batch) {
  std::vector<Array> operands;
  for (size_t i = 0; i < b.argument_types.size(); ++i) {
    const Domain domain = c.domains.empty() ? Domain{} : c.domains[std::min(i, c.domains.size() - 1)];
    operands.push_back(Fill(b.argument_types[i], batch, domain, 31 * i + static_cast<uint64_t>(batch)));
  }
  return operands;
}

// The sample's attributes with B as a number.
ir::AttrList BoundAttrs(ir::AttrList attrs, int64_t batch) {
  for (ir::NamedAttribute& a : attrs) {
    auto* shape = std::get_if<ir::Shape>(&a.value);
    if (!shape) continue;
    for (int axis = 0; axis < shape->rank(); ++axis) {
      if ((*shape)[axis].is_symbol()) (*shape)[axis] = ir::Dim(batch);
    }
  }
  return attrs;
}

Given GivenOf(const Sample& s, const std::vector<Array>& operands, int64_t batch) {
  return {std::vector<Array>(operands.begin(), operands.begin() + static_cast<int64_t>(s.operands.size())),
          BoundAttrs(s.attrs, batch)};
}

Sizes BatchesOf(const Sample& s) { return s.batch.empty() ? Sizes{0} : s.batch; }

std::vector<DType> DTypesOf(const OpCase& c) {
  return c.floats ? std::vector<DType>{DType::kF32, DType::kF64} : std::vector<DType>{DType::kF32};
}

std::string Label(const OpCase& c, const Sample& s, int64_t batch) {
  std::string text(c.name);
  for (const Type& t : s.operands) text += " " + ir::ToString(t);
  for (const ir::NamedAttribute& a : s.attrs) text += fmt::format(" {}={}", a.name, ir::ToString(a.value));
  return fmt::format("{} B={}", text, batch);
}

constexpr std::string_view kWays[] = {"interpreted", "none", "default"};

// --- the tests -------------------------------------------------------------------------------------------------------

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
    EXPECT_TRUE(ir::FindOp(c.name) == nullptr || !c.refused.empty()) << c.name << ": no use that must be refused";
  }
}

TEST(OpTable, EveryRecordIsComplete) {
  for (const ir::OpDef* op : ir::AllOps()) {
    EXPECT_FALSE(op->summary.empty()) << op->name;
    EXPECT_NE(op->infer, nullptr) << op->name;
    EXPECT_TRUE(op->at != nullptr || op->has(ir::kCall)) << op->name;
    for (const ir::AttrSpec& a : op->attrs) EXPECT_FALSE(a.summary.empty()) << op->name << "." << a.name;
  }
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
    for (const Type& t : r.operands) operands.push_back(f.AddArgument(fmt::format("x{}", operands.size()), t));
    ir::Diagnostic error;
    EXPECT_EQ(ir::TryEmit(f, *op, operands, r.attrs, {}, &m, &error), nullptr) << op->name << ": " << r.message;
    EXPECT_EQ(error.message.rfind(fmt::format("{}: ", op->name), 0), 0u) << error.message;
    EXPECT_NE(error.message.find(r.message), std::string::npos) << "got: " << error.message << "\nwant: " << r.message;
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
    for (const std::string_view way : kWays) {
      if (way == "interpreted" && ir::FindOp(row().name) && ir::FindOp(row().name)->has(ir::kCall)) continue;
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
          const Tolerance tolerance = exact ? Tolerance{} : want.dtype == DType::kF32 ? row().f32 : row().f64;
          const std::string wrong = Difference((*got)[0], want, tolerance);
          EXPECT_EQ(wrong, "") << way << " " << Label(row(), s, batch);
        }
      }
    }
  }
}

TEST_P(OpRow, SpecialValues) {
  for (const DType d : {DType::kI1, DType::kI32, DType::kI64, DType::kF32, DType::kF64}) {
    Sample s;
    std::vector<Array> operands;
    Array want;
    for (const Special& special : row().specials) {
      if (special.dtype ? *special.dtype != d : !ir::IsFloat(d)) continue;
      operands.resize(special.operands.size());
      for (size_t k = 0; k < operands.size(); ++k) operands[k].values.push_back(special.operands[k]);
      want.values.push_back(special.want);
    }
    const auto n = static_cast<int64_t>(want.values.size());
    if (n == 0) continue;
    for (Array& a : operands) {
      a.dtype = d;
      a.shape = {n};
      s.operands.push_back({d, {n}});
    }
    Module m("special");
    absl::StatusOr<Built> b = Build(row(), s, m, "special");
    ASSERT_TRUE(b.ok()) << b.status();
    b->function->AddResult(b->result);
    want.dtype = b->result.dtype();
    want.shape = {n};
    for (const std::string_view way : kWays) {
      absl::StatusOr<Executor> executor = Executor::Create(m, way);
      ASSERT_TRUE(executor.ok()) << row().name << " " << way << ": " << executor.status();
      absl::StatusOr<std::vector<Array>> got = executor->Run("special", operands);
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(Difference((*got)[0], want, {}), "") << way << " " << row().name;
    }
  }
}

// --- gradients -------------------------------------------------------------------------------------------------------

bool AllFloatsAreF64(const Sample& s, Value result) {
  for (const Type& t : s.operands) {
    if (t.dtype == DType::kF32) return false;
  }
  return result.dtype() == DType::kF64;
}

// d(loss)/d(operand k) at a few places by central differences of fourth order.
struct Probe {
  size_t operand = 0, element = 0;
  double slope = 0;
};
absl::StatusOr<std::vector<Probe>> CentralDifferences(const Executor& executor, std::string_view loss,
                                                      const std::vector<Array>& operands, size_t wanted_operands) {
  constexpr double kStep = 1e-3;
  std::vector<Probe> probes;
  for (size_t k = 0; k < wanted_operands; ++k) {
    if (operands[k].dtype != DType::kF64) continue;
    const size_t n = operands[k].values.size();
    const size_t stride = n <= 12 ? 1 : n / 12;
    for (size_t e = 0; e < n; e += stride) {
      double slope = 0;
      for (const auto& [steps, weight] : {std::pair{-2, 1.0}, {-1, -8.0}, {1, 8.0}, {2, -1.0}}) {
        std::vector<Array> moved = operands;
        moved[k].values[e] += steps * kStep;
        const double taken = moved[k].values[e] - operands[k].values[e];  // what the addition really gave
        absl::StatusOr<std::vector<Array>> f = executor.Run(loss, moved);
        if (!f.ok()) return f.status();
        slope += weight * (*f)[0].values[0] * (steps * kStep / taken);
      }
      probes.push_back({k, e, slope / (12 * kStep)});
    }
  }
  return probes;
}

TEST_P(OpRow, GradientsAgreeWithCentralDifferences) {
  if (row().gradient == Gradient::kNone) GTEST_SKIP() << "nothing differentiable";
  int checked = 0;
  Module m("gradients");
  struct Differentiated {
    Sample sample;
    Built loss;
    size_t wanted = 0;  // operands
  };
  std::vector<Differentiated> all;
  for (Sample& s : row().samples(DType::kF64)) {
    // The same op twice: the loss alone, which is perturbed, and the gradients, which are checked.
    const std::string name = fmt::format("s{}", all.size());
    Built built[2];
    bool usable = true;
    for (int twice = 0; twice < 2 && usable; ++twice) {
      absl::StatusOr<Built> b = Build(row(), s, m, name + (twice ? "_gradient" : "_loss"));
      ASSERT_TRUE(b.ok()) << b.status();
      usable = AllFloatsAreF64(s, b->result);
      if (!usable) {
        m.EraseFunction(b->function);
        break;
      }
      // The weights tell the elements of the result apart.
      const Value weights = b->function->AddArgument("weights", b->result.type());
      b->argument_types.push_back(b->result.type());
      const Value loss = ir::reduce_sum(ir::mul(b->result, weights));
      built[twice] = *b;
      if (twice == 0) {
        b->function->AddResult(loss);
        continue;
      }
      std::vector<Value> wanted;
      for (const Value v : b->operands) {
        if (ir::IsFloat(v.dtype())) wanted.push_back(v);
      }
      absl::StatusOr<std::vector<Value>> gradients = passes::Gradients(loss, wanted);
      if (row().gradient == Gradient::kRefused) {
        ASSERT_FALSE(gradients.ok()) << row().name;
        EXPECT_NE(gradients.status().message().find(fmt::format("{} is not differentiable", row().name)), std::string::npos)
            << gradients.status();
        return;
      }
      ASSERT_TRUE(gradients.ok()) << Label(row(), s, 0) << ": " << gradients.status();
      for (const Value g : *gradients) b->function->AddResult(g);
    }
    if (usable) all.push_back({std::move(s), built[0], built[0].operands.size()});
  }
  ASSERT_TRUE(ir::Verify(m).ok()) << ir::Verify(m);
  absl::StatusOr<Executor> oracle = Executor::Create(m, "none");
  ASSERT_TRUE(oracle.ok()) << oracle.status();
  for (const std::string_view way : kWays) {
    absl::StatusOr<Executor> executor = Executor::Create(m, way);
    ASSERT_TRUE(executor.ok()) << row().name << " " << way << ": " << executor.status();
    for (size_t n = 0; n < all.size(); ++n) {
      const Differentiated& one = all[n];
      // The smallest, an odd and the largest batch suffice here.
      Sizes batches = BatchesOf(one.sample);
      if (batches.size() > 3) batches = {batches[0], batches[3], batches.back()};
      for (const int64_t batch : batches) {
        std::vector<Array> operands = FillAll(row(), one.loss, batch);
        Array& weights = operands.back();
        for (size_t e = 0; e < weights.values.size(); ++e) weights.values[e] = std::cos(0.7 * static_cast<double>(e));
        absl::StatusOr<std::vector<Array>> got = executor->Run(fmt::format("s{}_gradient", n), operands);
        ASSERT_TRUE(got.ok()) << way << " " << Label(row(), one.sample, batch) << ": " << got.status();
        if (row().gradient == Gradient::kZero) {
          for (const Array& g : *got) {
            for (const double x : g.values) EXPECT_EQ(x, 0) << way << " " << Label(row(), one.sample, batch);
          }
          ++checked;
          continue;
        }
        absl::StatusOr<std::vector<Probe>> probes =
            CentralDifferences(*oracle, fmt::format("s{}_loss", n), operands, one.wanted);
        ASSERT_TRUE(probes.ok()) << probes.status();
        // Results are the gradients of the float operands, in order.
        std::vector<size_t> result_of(one.wanted);
        size_t next = 0;
        for (size_t k = 0; k < one.wanted; ++k) {
          result_of[k] = next;
          if (ir::IsFloat(operands[k].dtype)) ++next;
        }
        for (const Probe& p : *probes) {
          const Array& g = (*got)[result_of[p.operand]];
          ASSERT_EQ(g.shape, operands[p.operand].shape);
          double largest = 1e-3;
          for (const double x : g.values) largest = std::fmax(largest, std::fabs(x));
          EXPECT_NEAR(g.values[p.element], p.slope, row().gradient_tolerance * largest)
              << way << " " << Label(row(), one.sample, batch) << " operand " << p.operand << " element " << p.element;
          ++checked;
        }
      }
    }
  }
  EXPECT_GT(checked, 0) << row().name << ": no sample can be checked";
}

INSTANTIATE_TEST_SUITE_P(All, OpRow, testing::Range(size_t{0}, OpCases().size()),
                         [](const testing::TestParamInfo<size_t>& row) { return std::string(OpCases()[row.param].name); });

}  // namespace
}  // namespace gradus::test
