#include "ir/ops/pooling.h"

#include <algorithm>
#include <limits>

#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"
#include "ir/ops/movement.h"
#include "ir/ops/reduction.h"
#include "ir/ops/windows.h"

namespace gradus::ir {
namespace {

using List = std::vector<int64_t>;

// A pooling with all of its numbers.
struct Pooling {
  Windows windows;
  Shape sizes;          // positions
  List low, high;       // padding that is asked for, one entry an axis of x
  List beyond;          // and what ceil_mode needs beyond it
  bool padded = false;  // any of it
};

// Positions along an axis, and how far the last window reaches beyond the padding.
struct Positions {
  int64_t count = 0, beyond = 0;
};
Positions PositionsOf(int64_t padded, int64_t low, int64_t size, int64_t reach, int64_t stride,
                      bool ceil_mode) {
  const int64_t room = padded - reach - 1;
  if (size == 0 || (room < 0 && !ceil_mode)) return {};
  int64_t count = room < 0 ? 0 : room / stride + 1;
  if (ceil_mode && (room < 0 || room % stride != 0) && count * stride < size + low) ++count;
  if (count == 0) return {};
  return {count, std::max<int64_t>((count - 1) * stride + reach + 1 - padded, 0)};
}

// The first thing that is wrong, or an empty text.
std::string Complete(const Shape& x, PoolingOptions o, Pooling* pooling) {
  const size_t axes = o.window.size();
  if (axes == 0 || static_cast<size_t>(x.rank()) < axes + 1) {
    return fmt::format(
        "a window of {} axes does not fit {}, which is [leading..., spatial..., "
        "channels]",
        axes, ToString(x));
  }
  if (o.strides.empty()) o.strides = o.window;
  for (List* list : {&o.low, &o.high}) {
    if (list->empty()) list->assign(axes, 0);
  }
  if (o.dilation.empty()) o.dilation.assign(axes, 1);
  for (const List* list : {&o.strides, &o.low, &o.high, &o.dilation}) {
    if (list->size() == axes) continue;
    return fmt::format("an option has {} numbers for {} spatial axes", list->size(), axes);
  }
  const size_t first = static_cast<size_t>(x.rank()) - 1 - axes;
  pooling->windows = {static_cast<int64_t>(first), o.window, o.strides, o.dilation};
  pooling->low = pooling->high = pooling->beyond = List(static_cast<size_t>(x.rank()), 0);
  for (size_t i = 0; i < axes; ++i) {
    constexpr int64_t kMost = int64_t{1} << 31;
    const Dim& size = x[static_cast<int>(first + i)];
    for (const int64_t n : {o.window[i], o.strides[i], o.dilation[i]}) {
      if (n < 1 || n > kMost) return fmt::format("a window, stride or dilation of {}", n);
    }
    if (std::min(o.low[i], o.high[i]) < 0 || std::max(o.low[i], o.high[i]) > kMost) {
      return fmt::format("padding of {} and {}", o.low[i], o.high[i]);
    }
    if (size.is_symbol()) {
      if (o.window[i] == 1 && o.strides[i] == 1 && o.low[i] == 0 && o.high[i] == 0) {
        pooling->sizes.push_back(size);
        continue;
      }
      return fmt::format("axis {} has the symbolic size {}; pooling needs a number", first + i,
                         ToString(size));
    }
    const Positions p = PositionsOf(size.size() + o.low[i] + o.high[i], o.low[i], size.size(),
                                    (o.window[i] - 1) * o.dilation[i], o.strides[i], o.ceil_mode);
    pooling->sizes.push_back(p.count);
    pooling->low[first + i] = o.low[i];
    pooling->high[first + i] = o.high[i];
    pooling->beyond[first + i] = p.beyond;
    pooling->padded = pooling->padded || o.low[i] > 0 || o.high[i] > 0 || p.beyond > 0;
  }
  return {};
}

List Sum(List a, const List& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

// What stops a pooling before it starts, or nullopt with its numbers.
std::optional<Value> Prepare(std::string_view name, const Operand& x, const PoolingOptions& options,
                             Pooling* pooling) {
  if (std::optional<Value> stop = Stopped({x})) return stop;
  std::string why = Complete(x.value().shape(), options, pooling);
  if (why.empty() && !IsFloat(x.value().dtype())) {
    why = fmt::format("takes f32 or f64, got {}", Name(x.value().dtype()));
  }
  if (why.empty()) return std::nullopt;
  Function& f = x.value().function();
  f.ReportError({.location = x.location(), .message = fmt::format("{}: {}", name, why)});
  return f.poison();
}

// The sum of each window of x, padded with zeros.
Value WindowSum(Value x, const Pooling& p) {
  const Value elements = unfold(x, p.windows, p.sizes);
  Axes window;
  const auto axes = static_cast<int64_t>(p.windows.window.size());
  for (int64_t i = 0; i < axes; ++i) window.push_back(p.windows.first + axes + i);
  return reduce_sum(elements, window);
}

// How many elements of each window count, as [spatial...].
Value Counts(Value x, const Pooling& p, bool count_padding) {
  const auto first = static_cast<size_t>(p.windows.first), axes = p.windows.window.size();
  const auto spatial = [&](const List& list) {
    return List(list.begin() + static_cast<std::ptrdiff_t>(first),
                list.begin() + static_cast<std::ptrdiff_t>(first + axes));
  };
  const List low = spatial(p.low), high = spatial(p.high), beyond = spatial(p.beyond);
  const Shape sizes(x.shape().dims().subspan(first, axes));
  Value ones = constant(x.function(), {x.dtype(), sizes}, 1);
  if (count_padding) ones = pad(ones, low, high, 1);
  ones = pad(ones, count_padding ? List(axes, 0) : low, count_padding ? beyond : Sum(high, beyond));
  Pooling alone = p;
  alone.windows.first = 0;
  return WindowSum(ones, alone);
}

}  // namespace

Value max_pool(Operand x, const PoolingOptions& options) {
  Pooling p;
  if (std::optional<Value> stop = Prepare("max_pool", x, options, &p)) return *stop;
  const CallerScope scope({x});
  const Value padded =
      p.padded ? pad(x, p.low, Sum(p.high, p.beyond), -std::numeric_limits<double>::infinity())
               : x.value();
  return window_max(padded, p.windows, p.sizes);
}

Value average_pool(Operand x, const PoolingOptions& options, bool count_padding) {
  Pooling p;
  if (std::optional<Value> stop = Prepare("average_pool", x, options, &p)) return *stop;
  const CallerScope scope({x});
  const Value padded = p.padded ? pad(x, p.low, Sum(p.high, p.beyond)) : x.value();
  const Value sum = WindowSum(padded, p);
  const bool beyond =
      std::any_of(p.beyond.begin(), p.beyond.end(), [](int64_t n) { return n > 0; });
  if (!p.padded || (count_padding && !beyond)) {
    double elements = 1;
    for (const int64_t n : p.windows.window) elements *= static_cast<double>(n);
    return elements == 1 ? sum : sum / elements;
  }
  Axes axes;
  for (size_t i = 0; i < p.windows.window.size(); ++i) {
    axes.push_back(p.windows.first + static_cast<int64_t>(i));
  }
  return sum / broadcast(Counts(x.value(), p, count_padding), sum.shape(), axes);
}

}  // namespace gradus::ir
