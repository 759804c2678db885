#include "tools/driver/compare.h"

#include <cmath>

#include "fmt/format.h"
#include "runtime/shape.h"

namespace gradus::tools {
namespace {

using runtime::DType;
using runtime::Tensor;

template <typename Visit>
auto VisitElements(const Tensor& tensor, Visit visit) {
  switch (tensor.dtype()) {
    case DType::kI1: return visit(tensor.data<uint8_t>());
    case DType::kI32: return visit(tensor.data<int32_t>());
    case DType::kI64: return visit(tensor.data<int64_t>());
    case DType::kF32: return visit(tensor.data<float>());
    case DType::kF64: break;
  }
  return visit(tensor.data<double>());
}

// "[3, 4]" of the element with that number in row-major order.
std::string Position(const Tensor& tensor, int64_t element) {
  std::vector<int64_t> index(tensor.shape().size());
  for (size_t axis = index.size(); axis-- > 0;) {
    index[axis] = element % tensor.shape()[axis];
    element /= tensor.shape()[axis];
  }
  return runtime::FormatShape(index);
}

struct Worst {
  int64_t element = -1;
  double excess = 0;  // error over what is allowed; above 1: outside
  double error = 0;
  int64_t outside = 0;
};

template <typename T>
Worst FindWorst(std::span<const T> got, std::span<const T> want, double relative, double absolute) {
  Worst worst;
  for (size_t i = 0; i < got.size(); ++i) {
    double error = 0, excess = 0;
    if constexpr (std::is_floating_point_v<T>) {
      const double g = got[i], w = want[i];
      if (std::isnan(g) && std::isnan(w)) continue;
      if (g != w) {
        error = std::abs(g - w);
        const double allowed = absolute + relative * std::abs(w);
        const bool comparable = std::isfinite(g) && std::isfinite(w) && allowed > 0;
        excess = comparable ? error / allowed : HUGE_VAL;
      }
    } else if (got[i] != want[i]) {
      error = std::abs(static_cast<double>(got[i]) - static_cast<double>(want[i]));
      excess = HUGE_VAL;
    }
    if (!(excess <= 1)) ++worst.outside;
    if (excess > worst.excess) {
      worst.element = static_cast<int64_t>(i);
      worst.excess = excess;
      worst.error = error;
    }
  }
  return worst;
}

}  // namespace

absl::StatusOr<std::string> Compare(const Tensor& got, const Tensor& want, Tolerance tolerance) {
  if (got.dtype() != want.dtype() || got.shape() != want.shape()) {
    return absl::InvalidArgumentError(fmt::format("expected {}, got {}",
                                                  runtime::FormatType(want.dtype(), want.shape()),
                                                  runtime::FormatType(got.dtype(), got.shape())));
  }
  const bool f64 = got.dtype() == DType::kF64;
  if (tolerance.relative < 0) tolerance.relative = f64 ? 1e-11 : 1e-5;
  if (tolerance.absolute < 0) tolerance.absolute = f64 ? 1e-12 : 1e-6;
  return VisitElements(got, [&](auto g) -> absl::StatusOr<std::string> {
    using T = std::remove_const_t<std::remove_reference_t<decltype(g[0])>>;
    const std::span<const T> w = want.data<T>();
    const Worst worst = FindWorst<T>(g, w, tolerance.relative, tolerance.absolute);
    if (worst.element < 0) return fmt::format("{} elements, all equal", g.size());
    const auto at = static_cast<size_t>(worst.element);
    const std::string where = fmt::format("at {}: got {}, want {}, difference {:.3g}",
                                          Position(got, worst.element), g[at], w[at], worst.error);
    if (worst.outside == 0) return fmt::format("{} elements, worst {}", g.size(), where);
    return absl::InvalidArgumentError(
        fmt::format("{} of {} elements differ, worst {}", worst.outside, g.size(), where));
  });
}

std::string Show(const Tensor& tensor, int64_t limit) {
  std::string text = runtime::FormatType(tensor.dtype(), tensor.shape()) + " = ";
  return VisitElements(tensor, [&](auto elements) {
    const auto shown = static_cast<size_t>(std::min<int64_t>(limit, tensor.num_elements()));
    if (tensor.rank() == 0) return text + fmt::format("{}", elements[0]);
    text += '[';
    for (size_t i = 0; i < shown; ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", elements[i]);
    if (shown < elements.size()) text += ", ...";
    return text + ']';
  });
}

}  // namespace gradus::tools
