// Learns which points of a square lie in a circle.
#include <cmath>

#include "fmt/format.h"
#include "frontend/data/philox.h"
#include "frontend/gradus.h"

using namespace gradus;

static data::Dataset Points(int64_t n, uint64_t seed) {
  data::PhiloxStream random(seed);
  std::vector<float> x, inside;
  for (int64_t i = 0; i < 2 * n; ++i) x.push_back(static_cast<float>(2 * random.Uniform() - 1));
  for (size_t i = 0; i < x.size(); i += 2) inside.push_back(std::hypot(x[i], x[i + 1]) < 0.7F ? 1.0F : 0.0F);
  return data::Dataset::Of({"x", runtime::Tensor::FromVector({n, 2}, x).value()},
                           {"inside", runtime::Tensor::FromVector({n, 1}, inside).value()}).value();
}

int main() {
  Model m("circle");
  const Tensor x = m.Input("x", {kBatch, 2});
  const Tensor h = m.Add<Dense>("hidden", 32, relu)(x);
  m.Output("inside", m.Add<Dense>("out", 1, sigmoid)(h));

  const data::Dataset train = Points(2000, 1), test = Points(1000, 2);
  Trainer trainer = Compile(m, {.optimizer = Adam({.learning_rate = 0.01}),
                                .loss = binary_crossentropy,
                                .metrics = {accuracy}}).value();
  trainer.Summary();
  trainer.Fit(train, {.epochs = 30, .batch_size = 32, .validation = &test}).value();
  fmt::print("accuracy {:.3f} on points that it never saw\n", trainer.Evaluate(test)->metrics[0]);
}
