#include "frontend/regularization.h"

#include "fmt/format.h"

namespace gradus {

Tensor DropoutMask(RandomKey key, const Type& type, double rate) {
  const Tensor uniform = random_uniform(key.seed, key.stream, type);
  return cast(greater_equal(uniform, rate), type.dtype) * (1 / (1 - rate));
}

Tensor dropout(Operand x, const RandomKey& key, double rate) {
  const Tensor v = x.value();
  if (!v || v.is_poison()) return v;
  if (!(rate >= 0 && rate < 1) || !ir::IsFloat(v.dtype())) {
    v.function().ReportError(
        {.location = x.location(),
         .message = fmt::format("dropout: takes floats and a rate in [0, 1), got {} and {}",
                                ir::ToString(v.type()), rate),
         .help = "the rate is the share of elements that become 0"});
    return v.function().poison();
  }
  if (rate == 0) return v;
  return by_phase(mul(x, DropoutMask(key, v.type(), rate)), x);
}

Dropout::Dropout(Model& model, std::string name, double rate, std::vector<int64_t> shared_axes)
    : Layer(model, std::move(name), "dropout"), rate_(rate), shared_axes_(std::move(shared_axes)) {}

Tensor Dropout::CallOnSteps(Operand x) {
  std::vector<int64_t> shared;  // axes of a step, which has no axis of time
  for (const int64_t axis : shared_axes_) shared.push_back(axis > 0 ? axis + 1 : axis);
  return Apply(x, shared);
}

Tensor Dropout::Apply(Operand x, const std::vector<int64_t>& shared_axes) {
  if (!(rate_ >= 0 && rate_ < 1)) {
    return Fail(x, fmt::format("has the rate {}, expected 0 <= rate < 1", rate_),
                "the rate is the share of elements that become 0");
  }
  Type mask = x.value().type();
  if (!ir::IsFloat(mask.dtype)) return Fail(x, "takes floats, got " + ir::ToString(mask));
  for (const int64_t given : shared_axes) {
    const int64_t axis = given < 0 ? given + mask.rank() : given;
    if (axis < 0 || axis >= mask.rank()) {
      return Fail(x, fmt::format("shares axis {} of {}", given, ir::ToString(mask.shape)));
    }
    mask.shape[static_cast<int>(axis)] = 1;
  }
  if (rate_ == 0) return x.value();
  return by_phase(mul(x, DropoutMask(NextRandomKey(), mask, rate_)), x);
}

GaussianNoise::GaussianNoise(Model& model, std::string name, double deviation)
    : Layer(model, std::move(name), "gaussian_noise"), deviation_(deviation) {}

Tensor GaussianNoise::Call(Operand x) {
  if (!(deviation_ >= 0)) {
    return Fail(x, fmt::format("has the deviation {}, expected at least 0", deviation_));
  }
  const Type type = x.value().type();
  if (!ir::IsFloat(type.dtype)) return Fail(x, "takes floats, got " + ir::ToString(type));
  const RandomKey key = NextRandomKey();
  return by_phase(add(x, random_normal(key.seed, key.stream, type) * deviation_), x);
}

}  // namespace gradus
