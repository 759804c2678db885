// A small model with everything that a checkpoint must hold (Adam's state, running statistics,
// random layers), and data for it. Compiled once a test program.
#pragma once

#include <string>
#include <vector>

#include "frontend/data/philox.h"
#include "frontend/gradus.h"
#include "frontend/normalization.h"
#include "frontend/regularization.h"

namespace gradus::testing {

// Two classes: is the sum of three numbers positive?
inline data::Dataset SumsData(int64_t samples, uint64_t seed) {
  data::PhiloxStream random(seed);
  std::vector<float> x, y;
  for (int64_t i = 0; i < samples; ++i) {
    double sum = 0;
    for (int k = 0; k < 3; ++k) {
      x.push_back(static_cast<float>(random.Normal()));
      sum += x.back();
    }
    y.push_back(sum > 0 ? 1.0F : 0.0F);
  }
  return data::Dataset::Of({"x", runtime::Tensor::FromVector<float>({samples, 3}, x).value()},
                           {"y", runtime::Tensor::FromVector<float>({samples, 1}, y).value()})
      .value();
}

inline absl::StatusOr<Trainer> MakeSumsTrainer(const std::string& cache_dir = "",
                                               int64_t units = 8) {
  Model m("sums");
  const Tensor x = m.Input("x", {kBatch, 3});
  Tensor h = m.Add<Dense>("hidden", units, tanh)(x);
  h = m.Add<BatchNorm>("norm")(h);
  h = m.Add<Dropout>("dropout", 0.25)(h);
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(h));
  return Compile(m,
                 {.optimizer = Adam({.learning_rate = 0.02}),
                  .loss = binary_crossentropy,
                  .metrics = {accuracy}},
                 {.cache_dir = cache_dir});
}

// One trainer for all tests of a program; its weights and optimiser are new each time.
inline Trainer& FreshSumsTrainer(uint64_t seed = 0) {
  static Trainer trainer = MakeSumsTrainer().value();
  if (!trainer.Reset(seed).ok()) std::abort();
  trainer.SetLearningRate(0.02);
  return trainer;
}

inline FitOptions QuietFit(int64_t epochs, int64_t batch_size = 16) {
  FitOptions options;
  options.epochs = epochs;
  options.batch_size = batch_size;
  options.seed = 7;
  options.progress = ProgressMode::kOff;
  return options;
}

// Every bit of weights, layers' states, optimiser, step and rate.
inline std::string StateBits(const Trainer& trainer) {
  std::string bits;
  for (const runtime::NamedTensorView& v : trainer.StateViews()) {
    const int64_t bytes = runtime::DenseBytes(v.tensor.dtype, v.tensor.shape).value();
    bits.append(static_cast<const char*>(v.tensor.data), static_cast<size_t>(bytes));
  }
  return bits;
}

}  // namespace gradus::testing
