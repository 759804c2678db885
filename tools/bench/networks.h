#pragma once

// The networks that gradus-bench measures: what the article's detectors and the field's usual
// examples are made of. Optimiser Adam.

#include <memory>
#include <span>
#include <string_view>

#include "frontend/losses.h"
#include "frontend/model.h"

namespace gradus::tools {

struct Network {
  std::string_view name, summary;
  int64_t batch;  // by default
  // Inference is measured on another form of the network where the field does so (ResNet: small
  // images are trained on, large ones inferred).
  int64_t inference_batch;
  void (*build)(Model& model, bool training);
  // Of the loss: targets are 0 or 1, one-hot, or any numbers.
  TargetKind targets;
};

std::span<const Network> Networks();
// Null if there is none of that name.
const Network* FindNetwork(std::string_view name);

std::unique_ptr<Model> BuildNetwork(const Network& network, bool training);
Loss LossOf(const Network& network);

}  // namespace gradus::tools
