#include "examples/electricity_theft/detectors.h"

#include <array>

#include "frontend/layers.h"

namespace gradus::electricity_theft {
namespace {

void BuildMlp(Model& m, int64_t months) {
  const Tensor x = m.Input("x", {kBatch, months});
  const Tensor h = m.Add<Dense>("hidden", 64, relu)(x);
  m.Output("theft", m.Add<Dense>("out", 1, sigmoid)(h));
}

constexpr std::array<Detector, 1> kDetectors = {{
    {"mlp", "Dense(64, relu), Dense(1, sigmoid)", 40, 32, BuildMlp},
}};

}  // namespace

std::span<const Detector> Detectors() { return kDetectors; }

const Detector* FindDetector(std::string_view name) {
  for (const Detector& d : kDetectors) {
    if (d.name == name) return &d;
  }
  return nullptr;
}

}  // namespace gradus::electricity_theft
