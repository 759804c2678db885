#pragma once

// Fitted preprocessing as a part of the graph: the compiled model takes numbers as they were
// measured, and needs no code of the host before it.

#include <string>

#include "frontend/data/preprocess.h"
#include "frontend/model.h"

namespace gradus {

// [B, features], as Preprocess::ApplyRaw makes them (NaN: missing), -> the same shape: filled and
// scaled as fitted. The numbers are constant states fill, offset and scale [features]: they are in
// saved weights and checkpoints, and training leaves them.
class PreprocessLayer : public Layer {
 public:
  PreprocessLayer(Model& model, std::string name, const data::Preprocess& fitted);

 protected:
  Tensor Call(Operand x) override;

 private:
  std::vector<double> fill_, offset_, scale_;
};

}  // namespace gradus
