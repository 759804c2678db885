// Gradients of every row against central differences in f64, of first and second order.

#include <gtest/gtest.h>

#include <cmath>

#include "fmt/format.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"
#include "ir/ops/reduction.h"
#include "ir/registry.h"
#include "ir/verifier.h"
#include "passes/autodiff.h"
#include "tests/ops/executors.h"
#include "tests/ops/op_row.h"

namespace gradus::test {
namespace {

using ir::Module;
using ir::Type;
using ir::Value;

bool AllFloatsAreF64(const Sample& s, Value result) {
  for (const Type& t : s.operands) {
    if (t.dtype == DType::kF32) return false;
  }
  return result.dtype() == DType::kF64;
}

std::vector<Value> FloatsAmong(const std::vector<Value>& values) {
  std::vector<Value> floats;
  for (const Value v : values) {
    if (ir::IsFloat(v.dtype())) floats.push_back(v);
  }
  return floats;
}

// The scalar that is differentiated. Order 1: the result's elements, weighted to tell them apart.
// Order 2: the sum of squares of that scalar's gradients.
absl::StatusOr<Value> Loss(Built& b, int order) {
  const Value weights = b.function->AddArgument("weights", b.result.type());
  b.argument_types.push_back(b.result.type());
  const Value weighted = ir::reduce_sum(ir::mul(b.result, weights));
  if (order == 1) return weighted;
  absl::StatusOr<std::vector<Value>> gradients =
      passes::Gradients(weighted, FloatsAmong(b.operands));
  if (!gradients.ok()) return gradients.status();
  Value sum;
  for (const Value g : *gradients) {
    const Value squares = ir::reduce_sum(ir::mul(g, g));
    sum = sum ? ir::add(sum, squares) : squares;
  }
  return sum;
}

// Two functions of one sample: its loss, which is perturbed, and the loss' gradients, which are
// checked.
struct Differentiated {
  Sample sample;
  Built loss;
  std::string name;  // of the loss; the other's is this and "_gradient"
};

absl::StatusOr<Differentiated> Differentiate(const OpCase& c, const Sample& s, int order, Module& m,
                                             const std::string& name) {
  absl::StatusOr<Built> plain = Build(c, s, m, name);
  if (!plain.ok()) return plain.status();
  absl::StatusOr<Value> loss = Loss(*plain, order);
  if (!loss.ok()) return loss.status();
  plain->function->AddResult(*loss);
  absl::StatusOr<Built> derived = Build(c, s, m, name + "_gradient");
  if (!derived.ok()) return derived.status();
  loss = Loss(*derived, order);
  if (!loss.ok()) return loss.status();
  absl::StatusOr<std::vector<Value>> gradients =
      passes::Gradients(*loss, FloatsAmong(derived->operands));
  if (!gradients.ok()) return gradients.status();
  for (const Value g : *gradients) derived->function->AddResult(g);
  return Differentiated{s, *plain, name};
}

// The samples of a row whose floats, the result's included, are all f64.
std::vector<Sample> UsableSamples(const OpCase& c) {
  std::vector<Sample> usable;
  for (Sample& s : c.samples(DType::kF64)) {
    Module scratch("scratch");
    const absl::StatusOr<Built> b = Build(c, s, scratch, "f");
    if (b.ok() && AllFloatsAreF64(s, b->result)) usable.push_back(std::move(s));
  }
  return usable;
}

// d(loss) / d(element of operand k), by central differences of fourth order.
absl::StatusOr<double> CentralDifference(const Executor& executor, const std::string& loss,
                                         std::vector<Array> operands, size_t k, size_t element,
                                         double step) {
  const double x = operands[k].values[element];
  double sum = 0;
  for (const auto& [steps, weight] : {std::pair{-2, 1.0}, {-1, -8.0}, {1, 8.0}, {2, -1.0}}) {
    operands[k].values[element] = x + steps * step;
    absl::StatusOr<std::vector<Array>> f = executor.Run(loss, operands);
    if (!f.ok()) return f.status();
    sum += weight * (*f)[0].values[0];
  }
  return sum / (12 * step);
}

class OpGradient : public testing::TestWithParam<size_t> {
 protected:
  const OpCase& row() const { return OpCases()[GetParam()]; }

  // Compares at a few elements of each operand; counts them.
  void Compare(const Differentiated& d, int64_t batch, const Executor& oracle,
               const Executor& executor, std::string_view way, double step) {
    std::vector<Array> operands = FillAll(row(), d.loss, batch);
    Array& weights = operands.back();
    for (size_t e = 0; e < weights.values.size(); ++e) {
      weights.values[e] = std::cos(0.7 * static_cast<double>(e));
    }
    const std::string label = fmt::format("{} {}", way, Label(row(), d.sample, batch));
    const absl::StatusOr<std::vector<Array>> got = executor.Run(d.name + "_gradient", operands);
    ASSERT_TRUE(got.ok()) << label << ": " << got.status();
    size_t next = 0;
    for (size_t k = 0; k < d.loss.operands.size(); ++k) {
      if (!ir::IsFloat(operands[k].dtype)) continue;
      const Array& gradient = (*got)[next++];
      ASSERT_EQ(gradient.shape, operands[k].shape) << label;
      double largest = 1e-3;
      for (const double x : gradient.values) largest = std::fmax(largest, std::fabs(x));
      const size_t stride = std::max<size_t>(1, gradient.values.size() / 12);
      for (size_t e = 0; e < gradient.values.size(); e += stride) {
        ++checked_;
        if (row().gradient == Gradient::kZero) {
          EXPECT_EQ(gradient.values[e], 0) << label;
          continue;
        }
        const absl::StatusOr<double> slope =
            CentralDifference(oracle, d.name, operands, k, e, step);
        ASSERT_TRUE(slope.ok()) << label << ": " << slope.status();
        EXPECT_NEAR(gradient.values[e], *slope, row().gradient_tolerance * largest)
            << label << " operand " << k << " element " << e;
      }
    }
  }

  void CompareAll(const Module& m, const std::vector<Differentiated>& all,
                  std::span<const std::string_view> ways, double step) {
    ASSERT_TRUE(ir::Verify(m).ok()) << ir::Verify(m);
    const absl::StatusOr<Executor> oracle = Executor::Create(m, "none");
    ASSERT_TRUE(oracle.ok()) << oracle.status();
    for (const std::string_view way : ways) {
      if (way == "interpreted" && HasCalls(m)) continue;
      const absl::StatusOr<Executor> executor = Executor::Create(m, way);
      ASSERT_TRUE(executor.ok()) << row().name << " " << way << ": " << executor.status();
      for (const Differentiated& d : all) {
        // The smallest, an odd and the largest batch suffice here.
        Sizes batches = BatchesOf(d.sample);
        if (batches.size() > 3) batches = {batches[0], batches[3], batches.back()};
        for (const int64_t batch : batches) Compare(d, batch, *oracle, *executor, way, step);
      }
    }
  }

  int checked_ = 0;
};

TEST_P(OpGradient, AgreesWithCentralDifferences) {
  if (row().gradient == Gradient::kNone) GTEST_SKIP() << "nothing differentiable";
  Module m("gradients");
  std::vector<Differentiated> all;
  for (const Sample& s : UsableSamples(row())) {
    absl::StatusOr<Differentiated> d =
        Differentiate(row(), s, 1, m, fmt::format("s{}", all.size()));
    if (row().gradient == Gradient::kRefused) {
      ASSERT_FALSE(d.ok()) << row().name;
      EXPECT_NE(d.status().message().find(fmt::format("{} is not differentiable", row().name)),
                std::string::npos)
          << d.status();
      return;
    }
    ASSERT_TRUE(d.ok()) << Label(row(), s, 0) << ": " << d.status();
    all.push_back(*std::move(d));
  }
  CompareAll(m, all, kWays, 1e-3);
  EXPECT_GT(checked_, 0) << row().name << ": no sample can be checked";
}

// A gradient is made of ordinary ops, so it has a gradient, too.
TEST_P(OpGradient, OfTheGradientAgreesWithCentralDifferences) {
  if (row().gradient != Gradient::kChecked) GTEST_SKIP() << "no gradient to differentiate";
  if (!row().second_order) GTEST_SKIP() << "central differences cannot tell";
  Module m("gradients_of_gradients");
  std::vector<Differentiated> all;
  const std::vector<Sample> samples = UsableSamples(row());
  for (size_t n = samples.size() > 1 ? 1 : 0; n < samples.size();
       n += 3) {  // the rules are the same for all
    const Sample& s = samples[n];
    absl::StatusOr<Differentiated> d =
        Differentiate(row(), s, 2, m, fmt::format("s{}", all.size()));
    ASSERT_TRUE(d.ok()) << Label(row(), s, 0) << ": " << d.status();
    all.push_back(*std::move(d));
  }
  constexpr std::string_view kCompiled[] = {"default"};
  CompareAll(m, all, kCompiled, 1e-4);
  EXPECT_GT(checked_, 0) << row().name << ": no sample can be checked";
}

INSTANTIATE_TEST_SUITE_P(All, OpGradient, testing::Range(size_t{0}, OpCases().size()),
                         [](const testing::TestParamInfo<size_t>& row) {
                           return std::string(OpCases()[row.param].name);
                         });

}  // namespace
}  // namespace gradus::test
