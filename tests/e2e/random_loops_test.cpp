// Random loops over time with their gradients: optimised they give what they give unoptimised, and
// the gradient what central differences say.

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "frontend/compile.h"
#include "frontend/scan.h"
#include "tests/guarded_run.h"

namespace gradus {
namespace {

constexpr int64_t kColumns = 3, kRows = 2, kSteps = 5;

using Numbers = std::vector<double>;

class RandomLoop {
 public:
  explicit RandomLoop(uint64_t seed) : random_(seed) {}

  // The graph of seed's loop: a weighted sum of all that it gives, and its gradients.
  absl::StatusOr<runtime::Executable> Make(const std::string& pipeline) {
    Graph g("loop", DType::kF64);
    const Tensor w = g.Input("w", {kColumns, kColumns});
    const Tensor b = g.Input("b", {kColumns});
    const Tensor x = g.Input("x", {kTime, kBatch, kColumns});
    const Tensor h = g.Input("h", {kBatch, kColumns});
    const Tensor c = g.Input("c", {kBatch, kColumns});
    const bool reverse = Below(2) == 1;
    const auto step = [&](const ScanStep& s) {
      values_ = {s.carries[0], s.carries[1], s.elements[0]};
      weights_ = {s.invariants[0]};
      bias_ = s.invariants[1];
      const int count = 3 + Below(6);
      for (int i = 0; i < count; ++i) values_.push_back(Node());
      return ScanValues{.carries = {tanh(Any()), tanh(Any() + s.carries[1])},
                        .outputs = {Any(), Any()}};
    };
    const ScanValues r = Scan("random", {{h, c}, {x}, {w, b}}, step, {.reverse = reverse});
    Tensor loss = reduce_sum(sin(r.carries[0])) + reduce_sum(r.carries[1] * h);
    for (const Tensor y : r.outputs) loss = loss + reduce_sum(tanh(y) * 0.3);
    g.Output("loss", loss);
    for (const Tensor d : Grad(loss, {w, b, x, h, c})) {
      g.Output("d" + std::to_string(g.function().results().size()), d);
    }
    return Compile(g, {.pipeline = pipeline, .cache_dir = ""});
  }

 private:
  int Below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  Tensor Any() { return values_[static_cast<size_t>(Below(static_cast<int>(values_.size())))]; }
  Tensor Node() {
    switch (Below(8)) {
      case 0: return tanh(Any());
      case 1: return Any() + bias_;
      case 2: return Any() * tanh(Any());
      case 3: return matmul(Any(), weights_[0]) * 0.5;
      case 4: return matmul(Any(), tanh(weights_[0]), MatmulOptions{.transpose_b = true});
      case 5: return maximum(Any(), Any() * 0.5);
      case 6: return Any() - reduce_mean(Any(), {1}, true);
      default:
        return concat(
            {slice(Any(), {Range1{}, Range1{1, 3}}), slice(Any(), {Range1{}, Range1{0, 1}})}, 1);
    }
  }

  std::mt19937_64 random_;
  std::vector<Tensor> values_, weights_;
  Tensor bias_;
};

// Arguments: w, b, x, h, c.
std::vector<Numbers> Arguments(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Numbers> all;
  for (const int64_t n : {kColumns * kColumns, kColumns, kSteps * kRows * kColumns,
                          kRows * kColumns, kRows * kColumns}) {
    Numbers numbers;
    for (int64_t i = 0; i < n; ++i) {
      numbers.push_back(static_cast<double>(random() >> 11) * 0x1p-53 * 1.8 - 0.9);
    }
    all.push_back(std::move(numbers));
  }
  return all;
}

std::vector<Numbers> ResultsOf(const runtime::Executable& e,
                               const std::vector<Numbers>& arguments) {
  const std::vector<std::vector<int64_t>> shapes = {{kColumns, kColumns},
                                                    {kColumns},
                                                    {kSteps, kRows, kColumns},
                                                    {kRows, kColumns},
                                                    {kRows, kColumns}};
  std::vector<runtime::Tensor> in;
  for (size_t i = 0; i < shapes.size(); ++i) {
    in.push_back(runtime::Tensor::FromVector<double>(shapes[i], arguments[i]).value());
  }
  const auto out = tests::RunGuarded(e, in, "a random loop");
  EXPECT_TRUE(out.ok()) << out.status();
  std::vector<Numbers> numbers;
  for (const runtime::Tensor& t : *out) {
    numbers.emplace_back(t.data<double>().begin(), t.data<double>().end());
  }
  return numbers;
}

TEST(RandomLoops, OptimisedAreUnoptimisedAndGradientsAreRight) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    auto fast = RandomLoop(seed).Make("default");
    auto plain = RandomLoop(seed).Make("none");
    ASSERT_TRUE(fast.ok()) << fast.status();
    ASSERT_TRUE(plain.ok()) << plain.status();
    std::vector<Numbers> arguments = Arguments(seed);
    const auto got = ResultsOf(*fast, arguments), want = ResultsOf(*plain, arguments);
    for (size_t r = 0; r < want.size(); ++r) {
      for (size_t i = 0; i < want[r].size(); ++i) {
        EXPECT_NEAR(got[r][i], want[r][i], 1e-11 * (1 + std::abs(want[r][i]))) << r << " " << i;
      }
    }
    // A few elements of each argument.
    for (size_t k = 0; k < arguments.size(); ++k) {
      for (size_t i = 0; i < arguments[k].size(); i += 4) {
        const double x = arguments[k][i], h = 1e-3;
        double slope = 0;
        for (const auto& [steps, weight] :
             {std::pair{-2, 1.0}, std::pair{-1, -8.0}, std::pair{1, 8.0}, std::pair{2, -1.0}}) {
          arguments[k][i] = x + steps * h;
          slope += weight * ResultsOf(*plain, arguments)[0][0] / (12 * h);
        }
        arguments[k][i] = x;
        EXPECT_NEAR(got[k + 1][i], slope, 1e-6 * (1 + std::abs(slope))) << k << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace gradus
