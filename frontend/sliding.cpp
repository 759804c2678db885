#include "frontend/sliding.h"

#include <algorithm>

#include "fmt/format.h"

namespace gradus {

std::string MakeSliding(const Type& x, int axes, const PerAxis& window, const PerAxis& strides,
                        const PerAxis& dilation, const Padding& padding, Sliding* sliding) {
  if (x.rank() < axes + 1) {
    return fmt::format("takes [..., {} spatial {}, channels], got {}", axes,
                       axes == 1 ? "axis" : "axes", ir::ToString(x));
  }
  Sliding& s = *sliding;
  s = {window.On(axes), strides.On(axes), dilation.On(axes), padding.low().On(axes),
       padding.high().On(axes)};
  for (const auto& [what, list, least] : {std::tuple("window", &s.window, 1),
                                          {"strides", &s.strides, 1},
                                          {"dilation", &s.dilation, 1},
                                          {"padding", &s.low, 0},
                                          {"padding", &s.high, 0}}) {
    if (list->empty()) return fmt::format("has {}, expected {} numbers", what, axes);
    for (const int64_t n : *list) {
      if (n >= least && n <= int64_t{1} << 30) continue;
      return fmt::format("has a {} of {}, expected at least {}", what, n, least);
    }
  }
  if (!padding.is_same()) return {};
  for (int i = 0; i < axes; ++i) {
    const auto at = static_cast<size_t>(i);
    const Dim& size = x.shape[x.rank() - 1 - axes + i];
    const int64_t reach = (s.window[at] - 1) * s.dilation[at];
    int64_t all = reach;  // of a size that is not known: right without strides
    if (!size.is_symbol()) {
      const int64_t positions = (size.size() + s.strides[at] - 1) / s.strides[at];
      all = std::max<int64_t>((positions - 1) * s.strides[at] + reach + 1 - size.size(), 0);
    }
    s.low[at] = all / 2;
    s.high[at] = all - all / 2;
  }
  return {};
}

std::string WhyNotOnSteps(const Type& x, int axes) {
  if (x.rank() >= axes + 3) return {};
  return fmt::format("takes [batch, time, {} spatial {}, channels] over time, got {}", axes,
                     axes == 1 ? "axis" : "axes", ir::ToString(x));
}

}  // namespace gradus
