// A model whose weights are known: the next load is the mean of the last three.
#include <cstdio>

#include "frontend/gradus.h"

int main(int argc, char** argv) {
  using namespace gradus;
  if (argc != 2) return 2;
  Model m("load");
  m.Output("next", m.Add<Dense>("mean", 1)(m.Input("x", {kBatch, 3})));
  Weights weights;
  const float third = 1.0F / 3.0F;
  weights["mean.kernel"] =
      runtime::Tensor::FromVector<float>({3, 1}, {third, third, third}).value();
  weights["mean.bias"] = runtime::Tensor::FromVector<float>({1}, {0}).value();
  const absl::Status saved = m.Save(argv[1], {.weights = &weights});
  if (!saved.ok()) fprintf(stderr, "%s\n", saved.ToString().c_str());
  return saved.ok() ? 0 : 1;
}
