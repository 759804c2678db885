#include "examples/ship_it/stream_model.h"

#include <cmath>
#include <vector>

#include "frontend/data/philox.h"
#include "frontend/gradus.h"

namespace gradus::ship_it {
namespace {

constexpr int64_t kHours = 48;

// A hump of `width` hours around `at`, every day.
double Hump(double hour, double at, double width) {
  const double away = std::remainder(hour - at, 24.0) / width;
  return std::exp(-away * away);
}

}  // namespace

void BuildStream(Model& m) {
  const Tensor x = m.Input("x", {kBatch, kTime, 1});
  const Tensor h = m.Add<LSTM>("lstm", 16, RecurrentOptions{.return_sequences = true})(x);
  m.Output("next", m.Add<Dense>("out", 1)(h));
}

absl::StatusOr<data::Dataset> MakeLoads(int64_t households, uint64_t seed) {
  data::PhiloxStream random(seed);
  std::vector<float> now, next;
  for (int64_t i = 0; i < households; ++i) {
    const double base = 0.2 + 0.3 * random.Uniform(), evening = 1 + random.Uniform();
    const double starts = 24 * random.Uniform();
    double before = 0;
    for (int64_t t = 0; t <= kHours; ++t) {
      const double hour = starts + static_cast<double>(t);
      double kw = base + 0.7 * Hump(hour, 7.5, 2) + evening * Hump(hour, 19.5, 3);
      kw *= 1 + 0.05 * random.Normal();
      if (t > 0) {
        now.push_back(static_cast<float>(before));
        next.push_back(static_cast<float>(kw));
      }
      before = kw;
    }
  }
  auto x = runtime::Tensor::FromVector<float>({households, kHours, 1}, now);
  auto y = runtime::Tensor::FromVector<float>({households, kHours, 1}, next);
  if (!x.ok()) return x.status();
  if (!y.ok()) return y.status();
  return data::Dataset::Of({"x", *std::move(x)}, {"next", *std::move(y)});
}

}  // namespace gradus::ship_it
