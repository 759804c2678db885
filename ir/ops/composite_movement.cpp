// split, stack, expand, pad_reflect: written in slice, concat, reshape and broadcast.

#include <numeric>

#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/movement.h"

namespace gradus::ir {
namespace {

Value Fail(const Operand& x, std::string message, std::string help) {
  Function& f = x.value().function();
  f.ReportError({.location = x.location(), .message = std::move(message), .help = std::move(help)});
  return f.poison();
}

}  // namespace

std::vector<Value> split(Operand x, const std::vector<int64_t>& sizes, int64_t axis) {
  if (std::optional<Value> stop = Stopped({x})) return std::vector<Value>(sizes.size(), *stop);
  const CallerScope scope({x});
  const Shape& shape = x.value().shape();
  axis = NormalAxis(axis, shape.rank());
  const bool known = axis >= 0 && axis < shape.rank();
  const Dim size = known ? shape[static_cast<int>(axis)] : Dim(-1);
  if (!known || size.is_symbol() ||
      size.size() != std::accumulate(sizes.begin(), sizes.end(), int64_t{0})) {
    const Value bad = Fail(x,
                           fmt::format("split: parts of sizes [{}] do not make up axis {} of {}",
                                       fmt::join(sizes, ", "), axis, ToString(shape)),
                           "the sizes must add up to that of the axis, which must be a number");
    return std::vector<Value>(sizes.size(), bad);
  }
  std::vector<Value> parts;
  int64_t begin = 0;
  for (const int64_t part : sizes) {
    std::vector<Range1> ranges(static_cast<size_t>(shape.rank()));
    ranges[static_cast<size_t>(axis)] = {.begin = begin, .end = begin + part};
    parts.push_back(slice(x, ranges));
    begin += part;
  }
  return parts;
}

std::vector<Value> split(Operand x, int64_t parts, int64_t axis) {
  const auto count = static_cast<size_t>(std::max<int64_t>(parts, 0));
  if (std::optional<Value> stop = Stopped({x})) return std::vector<Value>(count, *stop);
  const Shape& shape = x.value().shape();
  const int64_t normal = NormalAxis(axis, shape.rank());
  const bool known =
      normal >= 0 && normal < shape.rank() && !shape[static_cast<int>(normal)].is_symbol();
  if (!known || parts < 1 || shape[static_cast<int>(normal)].size() % parts != 0) {
    const Value bad = Fail(
        x, fmt::format("split: axis {} of {} is not {} equal parts", axis, ToString(shape), parts),
        "give the sizes of the parts");
    return std::vector<Value>(count, bad);
  }
  const int64_t size = shape[static_cast<int>(normal)].size() / parts;
  return split(x, std::vector<int64_t>(count, size), normal);
}

Value stack(const std::vector<Operand>& parts, int64_t axis) {
  if (std::optional<Value> stop = Stopped(parts)) return *stop;
  const Operand& first = parts.front();
  if (first.is_number()) return concat(parts, axis);  // says why not
  const CallerScope scope({first});
  axis = NormalAxis(axis, first.value().rank() + 1);
  std::vector<Operand> rows;
  for (const Operand& part : parts) {
    if (part.is_number()) return concat(parts, axis);
    rows.emplace_back(expand_dims(part, axis), part.where());
  }
  return concat(rows, axis);
}

Value expand(Operand x, const Shape& shape) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  Shape to = shape;
  const Shape& from = x.value().shape();
  const int added = to.rank() - from.rank();
  for (int axis = std::max(added, 0); axis < to.rank(); ++axis) {
    if (!to[axis].is_symbol() && to[axis].size() == -1) to[axis] = from[axis - added];
  }
  return broadcast_to(x, to);
}

Value pad_reflect(Operand x, std::vector<int64_t> low, std::vector<int64_t> high) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  const CallerScope scope({x});
  const auto rank = static_cast<size_t>(x.value().rank());
  if (low.size() != rank || high.size() != rank) {
    return Fail(x,
                fmt::format("pad_reflect: {} low and {} high sizes for {} axes", low.size(),
                            high.size(), rank),
                "give one of each for every axis");
  }
  Value y = x.value();
  for (size_t axis = 0; axis < rank; ++axis) {
    if (low[axis] == 0 && high[axis] == 0) continue;
    const Dim size = y.shape()[static_cast<int>(axis)];
    const int64_t most = std::max(low[axis], high[axis]);
    if (size.is_symbol() || most >= size.size() || low[axis] < 0 || high[axis] < 0) {
      return Fail(x,
                  fmt::format("pad_reflect: {} and {} elements cannot be mirrored from axis {} "
                              "of {}",
                              low[axis], high[axis], axis, ToString(y.shape())),
                  "at most one less than the axis has, which must be a number");
    }
    std::vector<Range1> front(rank), back(rank);
    front[axis] = {.begin = low[axis], .end = 0, .step = -1};
    back[axis] = {.begin = size.size() - 2, .end = size.size() - 2 - high[axis], .step = -1};
    if (size.size() - 2 - high[axis] < 0) back[axis].end = kEnd;
    std::vector<Operand> parts;
    if (low[axis] > 0) parts.emplace_back(slice(y, front));
    parts.emplace_back(y);
    if (high[axis] > 0) parts.emplace_back(slice(y, back));
    y = concat(parts, static_cast<int64_t>(axis));
  }
  return y;
}

}  // namespace gradus::ir
