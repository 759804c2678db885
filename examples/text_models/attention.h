// Two layers of one's own, as a user of Gradus writes them: a class with a function of tensors.
// What trains them is derived from it.
#pragma once

#include <cstdint>
#include <string>

#include "frontend/model.h"

namespace gradus::text_models {

// To mean 0 and variance 1 over the last axis, then scaled and shifted by what is learned (Ba,
// Kiros and Hinton 2016): any shape. Parameters gamma, beta [last axis].
class LayerNorm : public Layer {
 public:
  LayerNorm(Model& model, std::string name) : Layer(model, std::move(name), "layer_norm") {}

 protected:
  Tensor Call(Operand x) override;
};

// [B, T, width] -> [B, T, width]: each place asks (query) all places up to its own (key) and takes
// what they have to say (value), the more the better a key fits its query:
//   softmax(q k^T / sqrt(d), of places up to its own) v
// in `heads` parts of d = width / heads numbers each. Parameters kernel [width, 3 width], out
// [width, width]. T is a number.
class CausalSelfAttention : public Layer {
 public:
  CausalSelfAttention(Model& model, std::string name, int64_t heads)
      : Layer(model, std::move(name), "attention"), heads_(heads) {}

 protected:
  Tensor Call(Operand x) override;

 private:
  int64_t heads_;
};

}  // namespace gradus::text_models
