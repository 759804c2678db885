#pragma once

// Normalisation: to mean 0 and variance 1 over a batch, over the axes of a sample, or over groups
// of its channels, then scaled and shifted by what is learned. Variances are biased.

#include "frontend/model.h"

namespace gradus {

// standardize over each sample's groups of channels: `axis` is cut into `groups` parts of equal
// size; mean and variance are over a part and all other axes but the first.
Tensor standardize_groups(Operand x, int64_t groups, int64_t axis, double epsilon);
// (x - mean) / sqrt(variance + epsilon) * gamma + beta, all four of the channels along `axis`;
// gamma and beta may be left out.
Tensor normalize_channels(Operand x, int64_t axis, Tensor mean, Tensor variance, Tensor gamma,
                          Tensor beta, double epsilon);

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
  Tensor Call(Operand x) override { return Apply(x, options_.axis); }
  Tensor CallOnSteps(Operand x) override;

 private:
  Tensor Apply(Operand x, int64_t axis);

  Options options_;
};

// Ba, Kiros and Hinton 2016, over the axes given of each sample. Parameters gamma and beta, of the
// sizes of these axes.
class LayerNorm : public Layer {
 public:
  struct Options {
    std::vector<int64_t> axes = {-1};
    double epsilon = 1e-3;
    bool center = true, scale = true;
  };
  LayerNorm(Model& model, std::string name) : LayerNorm(model, std::move(name), Options()) {}
  LayerNorm(Model& model, std::string name, Options options);

 protected:
  Tensor Call(Operand x) override { return Apply(x, options_.axes); }
  Tensor CallOnSteps(Operand x) override;

 private:
  Tensor Apply(Operand x, const std::vector<int64_t>& of);

  Options options_;
};

// Wu and He 2018: over groups of channels of each sample. Parameters gamma and beta [channels].
class GroupNorm : public Layer {
 public:
  struct Options {
    int64_t axis = -1;
    double epsilon = 1e-3;
    bool center = true, scale = true;
  };
  GroupNorm(Model& model, std::string name, int64_t groups)
      : GroupNorm(model, std::move(name), groups, Options()) {}
  GroupNorm(Model& model, std::string name, int64_t groups, Options options);

 protected:
  Tensor Call(Operand x) override;

 private:
  int64_t groups_;
  Options options_;
};

}  // namespace gradus
