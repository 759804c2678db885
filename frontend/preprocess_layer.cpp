#include "frontend/preprocess_layer.h"

#include "fmt/format.h"
#include "frontend/initializers.h"

namespace gradus {

PreprocessLayer::PreprocessLayer(Model& model, std::string name, const data::Preprocess& fitted)
    : Layer(model, std::move(name), "preprocess") {
  for (const data::FittedColumn& c : fitted.columns()) {
    const auto features = static_cast<size_t>(c.features());
    fill_.insert(fill_.end(), features, c.fill);
    offset_.insert(offset_.end(), features, c.offset);
    scale_.insert(scale_.end(), features, c.scale);
  }
}

Tensor PreprocessLayer::Call(Operand x) {
  const auto features = static_cast<int64_t>(fill_.size());
  const Tensor in = x.value();
  const int rank = in.rank();
  if (rank < 1 || !(in.shape()[rank - 1] == Dim(features))) {
    return Fail(
        x, fmt::format("was fitted to {} features, got {}", features, ir::ToString(in.type())));
  }
  const Tensor fill = State("fill", {features}, Values(fill_));
  const Tensor offset = State("offset", {features}, Values(offset_));
  const Tensor scale = State("scale", {features}, Values(scale_));
  // Only NaN differs from itself.
  const Tensor missing = not_equal(in, in);
  return (select(missing, fill, in) - offset) / scale;
}

}  // namespace gradus
