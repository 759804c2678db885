// Logistic regression by gradient descent, without a Model: a function of tensors, its gradient,
// and a loop. One neuron: p = sigmoid(x w + b).

#include <cmath>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "frontend/data/philox.h"
#include "frontend/gradus.h"

using namespace gradus;
using Array = runtime::Tensor;  // numbers; a Tensor is a value of a graph

namespace {

// Two clouds of points; the line 2 x0 - x1 = 0.5 divides them but for noise.
std::pair<std::vector<float>, std::vector<float>> Points(int64_t n, uint64_t seed) {
  data::PhiloxStream random(seed);
  std::vector<float> x, y;
  for (int64_t i = 0; i < n; ++i) {
    const double x0 = 4 * random.Uniform() - 2, x1 = 4 * random.Uniform() - 2;
    const double noise = 0.5 * (random.Uniform() - 0.5);
    x.push_back(static_cast<float>(x0));
    x.push_back(static_cast<float>(x1));
    y.push_back(2 * x0 - x1 + noise > 0.5 ? 1.0F : 0.0F);
  }
  return {x, y};
}

// One step of gradient descent on the mean binary cross-entropy:
//   w -= rate * dloss/dw, b -= rate * dloss/db.
absl::StatusOr<runtime::Executable> Step(double rate) {
  Graph g("logistic_regression");
  const auto x = g.Input("x", {kBatch, 2});
  const auto y = g.Input("y", {kBatch, 1});
  const auto w = g.Input("w", {2, 1});
  const auto b = g.Input("b", {1});
  const auto p = sigmoid(matmul(x, w) + b);
  const auto loss = -reduce_mean(y * log(p) + (1.0 - y) * log(1.0 - p));
  const auto right = equal(greater(p, 0.5), greater(y, 0.5));
  const std::vector<Tensor> gradient = Grad(loss, {w, b});
  g.Output("loss", loss);
  g.Output("accuracy", reduce_mean(cast(right, DType::kF32)));
  g.Output("w", w - rate * gradient[0]);
  g.Output("b", b - rate * gradient[1]);
  return Compile(g);
}

absl::Status Run() {
  constexpr int64_t kPoints = 1000;
  const auto [x, y] = Points(kPoints, 1);
  const auto step = Step(0.5);
  if (!step.ok()) return step.status();

  Array w = Array::FromVector<float>({2, 1}, {0, 0}).value();
  Array b = Array::FromVector<float>({1}, {0}).value();
  fmt::print("step     loss  accuracy        w0        w1         b\n");
  for (int i = 0; i <= 500; ++i) {
    std::vector<Array> arguments;
    arguments.push_back(Array::FromVector({kPoints, 2}, x).value());
    arguments.push_back(Array::FromVector({kPoints, 1}, y).value());
    arguments.push_back(std::move(w));
    arguments.push_back(std::move(b));
    auto results = step->Run(std::move(arguments));
    if (!results.ok()) return results.status();
    w = std::move((*results)[2]);
    b = std::move((*results)[3]);
    if (i % 100 == 0) {
      const auto wi = w.data<float>();
      fmt::print("{:4}  {:7.4f}  {:8.3f}  {:8.3f}  {:8.3f}  {:8.3f}\n", i,
                 (*results)[0].data<float>()[0], (*results)[1].data<float>()[0], wi[0], wi[1],
                 b.data<float>()[0]);
    }
  }
  const auto wi = w.data<float>();
  fmt::print("the line: {:.2f} x0 - x1 = {:.2f}, drawn from 2 x0 - x1 = 0.5\n", -wi[0] / wi[1],
             b.data<float>()[0] / wi[1]);
  return absl::OkStatus();
}

}  // namespace

int main() {
  const absl::Status status = Run();
  if (status.ok()) return 0;
  fmt::print(stderr, "{}\n", std::string(status.message()));
  return 1;
}
