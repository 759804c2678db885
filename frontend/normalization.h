#pragma once

// Normalisation: to mean 0 and variance 1 over a batch, over the axes of a sample, or over groups
// of its channels, then scaled and shifted by what is learned.

#include "frontend/model.h"

namespace gradus {

// Ioffe and Szegedy 2015; defaults as in Keras. Over all axes but `axis` (the channels):
//   training   y = (x - mean) / sqrt(var + epsilon) * gamma + beta, of this batch (var biased), and
//              moving = momentum * moving + (1 - momentum) * of this batch;
//   otherwise  the same with the moving mean and variance.
// Parameters gamma, beta (where scale, center say so), and the states moving_mean, moving_variance,
// all [channels]. A shared layer moves them once a call.
class BatchNorm : public Layer {
 public:
  struct Options {
    int64_t axis = -1;
    double momentum = 0.99, epsilon = 1e-3;
    bool center = true, scale = true;
    // Whether `moving_variance` moves towards the unbiased variance (n / (n - 1) of the biased), as
    // in PyTorch.
    bool unbiased_moving_variance = false;
  };
  BatchNorm(Model& model, std::string name) : BatchNorm(model, std::move(name), Options()) {}
  BatchNorm(Model& model, std::string name, Options options);

 protected:
  Tensor Call(Operand x) override;

 private:
  Options options_;
};

}  // namespace gradus
