// slice and pad: each is the other's gradient.

#include <algorithm>

#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/leaf.h"
#include "ir/ops/lowering.h"
#include "ir/ops/movement.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

size_t At(int axis) { return static_cast<size_t>(axis); }

// --- slice
// -----------------------------------------------------------------------------------------------------------
// In the attributes begin is the first element's index, -1 for the last (of a symbolic axis too),
// and the result's shape says how many are taken.

absl::Status CheckSlicedAxis(const Dim& size, int64_t begin, int64_t step, const Dim& taken,
                             int axis) {
  if (step == 0 || step == INT64_MIN)
    return TypeError(fmt::format("step {} along axis {}", step, axis));
  if (size.is_symbol()) {
    const bool whole = begin == 0 && step == 1 && taken == size;
    const bool reversed = begin == -1 && step == -1 && taken == size;
    if (whole || reversed) return absl::OkStatus();
    return TypeError(fmt::format(
        "axis {} has the symbolic size {}, of which a part cannot be taken\nhelp: take it "
        "whole or reversed, or give it a number",
        axis, ToString(size)));
  }
  if (taken.is_symbol()) {
    return TypeError(
        fmt::format("axis {} has {} elements, {} wanted", axis, size.size(), ToString(taken)));
  }
  if (taken.size() == 0) return absl::OkStatus();
  const int64_t first = begin == -1 ? size.size() - 1 : begin;
  const int64_t room = first < 0 || first >= size.size() ? 0
                       : step > 0                        ? (size.size() - 1 - first) / step + 1
                                                         : first / -step + 1;
  if (taken.size() <= room) return absl::OkStatus();
  return TypeError(fmt::format("{} elements from {} in steps of {} do not fit axis {} of size {}",
                               taken.size(), begin, step, axis, size.size()));
}

absl::StatusOr<Types> InferSlice(const InferContext& c) {
  const Type& x = c.operands[0];
  const IntList &begin = c.attr<IntList>("begin"), &step = c.attr<IntList>("step");
  const Shape& shape = c.attr<Shape>("shape");
  if (absl::Status s = CheckSizes(shape); !s.ok()) return s;
  if (absl::Status s = CheckLength("begin", begin.size(), x.rank()); !s.ok()) return s;
  if (absl::Status s = CheckLength("step", step.size(), x.rank()); !s.ok()) return s;
  if (absl::Status s = CheckLength("shape", At(shape.rank()), x.rank()); !s.ok()) return s;
  for (int axis = 0; axis < x.rank(); ++axis) {
    absl::Status s =
        CheckSlicedAxis(x.shape[axis], begin[At(axis)], step[At(axis)], shape[axis], axis);
    if (!s.ok()) return s;
  }
  return Types{Type{x.dtype, shape}};
}

loop::Expr SliceAt(const loop::At& at) {
  const IntList &begin = at.attr<IntList>("begin"), &step = at.attr<IntList>("step");
  const Shape& shape = at.operand_type(0).shape;
  Indices index;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    loop::Index first(begin[At(axis)]);
    if (begin[At(axis)] == -1) first = loop::Index::Of(loop::Extent(shape[axis])) - loop::Index(1);
    index.push_back(first + at.index()[At(axis)] * step[At(axis)]);
  }
  return at.Operand(0, index);
}

// Puts the elements back where they came from, zeros between them: a pad, after reversing what ran
// backward.
Value SliceGradient(const Vjp& c) {
  const Shape& from = c.operand(0).shape();
  const Shape& taken = c.grad.shape();
  const IntList &begin = c.node->attr<IntList>("begin"), &step = c.node->attr<IntList>("step");
  std::vector<Range1> forward(At(from.rank()));
  std::vector<int64_t> low(At(from.rank())), high(low), interior(low);
  bool reverses = false;
  for (int axis = 0; axis < from.rank(); ++axis) {
    if (step[At(axis)] < 0) {
      forward[At(axis)] = {.begin = kEnd, .end = kEnd, .step = -1};
      reverses = true;
    }
    if (from[axis].is_symbol()) continue;
    const int64_t size = from[axis].size(), n = taken[axis].size();
    if (n == 0) {
      low[At(axis)] = size;
      continue;
    }
    const int64_t first = begin[At(axis)] == -1 ? size - 1 : begin[At(axis)];
    const int64_t last = first + (n - 1) * step[At(axis)];
    low[At(axis)] = std::min(first, last);
    high[At(axis)] = size - 1 - std::max(first, last);
    if (n > 1) interior[At(axis)] = std::abs(step[At(axis)]) - 1;
  }
  const Value ordered = reverses ? slice(c.grad, forward) : c.grad;
  return pad(ordered, low, high, 0, interior);
}

Value SimplifySlice(Node& n) {
  const Value x = n.operand(0);
  const IntList& step = n.attr<IntList>("step");
  const bool forward = std::all_of(step.begin(), step.end(), [](int64_t s) { return s > 0; });
  if (x.shape() == n.type().shape && forward) return x;
  if (SplatNumber(x)) return SplatLike(x, n.type().shape);
  return {};
}

// Python's rules for one axis of a known size: where it starts and how many it takes.
struct Taken {
  int64_t begin = 0, step = 1;
  Dim count;
};
Taken TakenOf(const Range1& r, const Dim& size) {
  if (size.is_symbol()) {
    const bool from_last = r.begin == kEnd || r.begin == -1;
    if (r.step == -1 && from_last && r.end == kEnd) return {-1, -1, size};
    if (r.step == 1 && r.begin == 0 && r.end == kEnd) return {0, 1, size};
    return {r.begin, r.step, Dim(1)};  // the type rule refuses it
  }
  const int64_t n = size.size();
  if (r.step == 0) return {0, 0, Dim(0)};
  const int64_t low = r.step > 0 ? 0 : -1, high = r.step > 0 ? n : n - 1;  // of begin and end
  const auto place = [&](int64_t i) {
    return std::clamp(i < 0 && i >= -n ? i + n : i < -n ? low : i, low, high);
  };
  const int64_t begin = place(r.begin);
  const int64_t end = r.end == kEnd ? (r.step > 0 ? n : -1) : place(r.end);
  const int64_t distance = r.step > 0 ? end - begin : begin - end;
  if (distance <= 0) return {0, 1, Dim(0)};
  const int64_t stride = std::abs(std::max(r.step, -kEnd));
  return {begin, r.step > 0 ? stride : -stride, Dim((distance - 1) / stride + 1)};
}

constinit const OpDef kSlice{
    .name = "slice",
    .summary = "elements at begin, begin + step, ... along each axis",
    .operands = {"x"},
    .attrs = {AttrSpec{
                  .name = "begin",
                  .kind = AttrKind::kIntList,
                  .summary = "index of the first element taken along each axis, -1 for the last"},
              AttrSpec{.name = "shape",
                       .kind = AttrKind::kShape,
                       .summary = "shape of the result: how many are taken along each axis"},
              AttrSpec{.name = "step",
                       .kind = AttrKind::kIntList,
                       .summary = "step along each axis, not 0"}},
    .traits = kMovement,
    .infer = InferSlice,
    .vjp = {SliceGradient},
    .at = SliceAt,
    .simplify = SimplifySlice,
};

// --- pad
// -------------------------------------------------------------------------------------------------------------

// low + high + n + interior * (n - 1), or nullopt if that does not fit.
std::optional<int64_t> PaddedSize(int64_t n, int64_t low, int64_t high, int64_t interior) {
  int64_t size = 0;
  if (__builtin_mul_overflow(interior, std::max<int64_t>(n - 1, 0), &size)) return std::nullopt;
  for (const int64_t part : {n, low, high}) {
    if (__builtin_add_overflow(size, part, &size)) return std::nullopt;
  }
  return size;
}

absl::StatusOr<Types> InferPad(const InferContext& c) {
  const Type& x = c.operands[0];
  const IntList &low = c.attr<IntList>("low"), &high = c.attr<IntList>("high");
  const IntList& interior = c.attr<IntList>("interior");
  if (absl::Status s = CheckDType(x.dtype, DTypes::kNumeric); !s.ok()) return s;
  if (absl::Status s = CheckLength("low", low.size(), x.rank()); !s.ok()) return s;
  if (absl::Status s = CheckLength("high", high.size(), x.rank()); !s.ok()) return s;
  if (absl::Status s = CheckLength("interior", interior.size(), x.rank()); !s.ok()) return s;
  const double value = c.attr<double>("value");
  if (!IsFloat(x.dtype) && !(std::abs(value) < 0x1p31 && value == static_cast<int32_t>(value))) {
    return TypeError(fmt::format("the value {} is not one of {}", value, Name(x.dtype)));
  }
  Type result = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const int64_t l = low[At(axis)], h = high[At(axis)], i = interior[At(axis)];
    if (l < 0 || h < 0 || i < 0) {
      return TypeError(
          fmt::format("negative padding along axis {}\nhelp: slice takes elements away", axis));
    }
    if (l == 0 && h == 0 && i == 0) continue;
    if (x.shape[axis].is_symbol()) {
      return TypeError(fmt::format(
          "axis {} has the symbolic size {}, which padding would change\nhelp: give it a "
          "number",
          axis, ToString(x.shape[axis])));
    }
    const std::optional<int64_t> size = PaddedSize(x.shape[axis].size(), l, h, i);
    if (!size) return TypeError(fmt::format("axis {} becomes too large", axis));
    result.shape[axis] = Dim(*size);
  }
  return Types{result};
}

// x where the index, less `low`, is a multiple of interior + 1 and inside x; else the value. A
// guard gives 0 elsewhere, so for another value a guarded `true` says where x is.
loop::Expr PadAt(const loop::At& at) {
  const IntList &low = at.attr<IntList>("low"), &interior = at.attr<IntList>("interior");
  const Shape& shape = at.operand_type(0).shape;
  Indices index;
  absl::InlinedVector<loop::Condition, 4> inside;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == at.type().shape[axis]) {
      index.push_back(at.index()[At(axis)]);
      continue;
    }
    const loop::Index place = at.index()[At(axis)] - loop::Index(low[At(axis)]);
    const loop::DivModResult parts = loop::DivMod(at.arena(), place, interior[At(axis)] + 1);
    inside.push_back({loop::Index(0), parts.quotient, loop::Index(shape[axis].size())});
    if (interior[At(axis)] > 0) inside.push_back({loop::Index(0), parts.remainder, loop::Index(1)});
    index.push_back(parts.quotient);
  }
  const loop::Expr x = at.Operand(0, index);
  if (inside.empty()) return x;
  const loop::Expr guarded = at.Guard(inside, x);
  const double value = at.attr<double>("value");
  if (value == 0 && !std::signbit(value)) return guarded;
  const loop::Expr is_inside = at.Guard(inside, at.Integer(DType::kI1, 1));
  const DType dtype = at.type().dtype;
  const loop::Expr outside =
      IsFloat(dtype) ? at.Float(value) : at.Integer(dtype, static_cast<int64_t>(value));
  return Select(is_inside, guarded, outside);
}

Value PadGradient(const Vjp& c) {
  const Shape& from = c.operand(0).shape();
  const IntList &low = c.node->attr<IntList>("low"), &interior = c.node->attr<IntList>("interior");
  std::vector<Range1> ranges(At(from.rank()));
  for (int axis = 0; axis < from.rank(); ++axis) {
    if (from[axis].is_symbol()) continue;
    const int64_t n = from[axis].size(), step = interior[At(axis)] + 1;
    ranges[At(axis)] = {.begin = low[At(axis)],
                        .end = n == 0 ? low[At(axis)] : low[At(axis)] + (n - 1) * step + 1,
                        .step = step};
  }
  return slice(c.grad, ranges);
}

Value SimplifyPad(Node& n) {
  return n.operand(0).shape() == n.type().shape ? n.operand(0) : Value();
}

constinit const OpDef kPad{
    .name = "pad",
    .summary = "x with a constant before, after and between its elements",
    .operands = {"x"},
    .attrs = {AttrSpec{.name = "low",
                       .kind = AttrKind::kIntList,
                       .summary = "how many before, along each axis"},
              AttrSpec{.name = "high",
                       .kind = AttrKind::kIntList,
                       .summary = "how many after, along each axis"},
              AttrSpec{.name = "interior",
                       .kind = AttrKind::kIntList,
                       .summary = "how many between neighbours, along each axis"},
              AttrSpec{.name = "value",
                       .kind = AttrKind::kFloat,
                       .summary = "the constant",
                       .required = false}},
    .traits = kMovement,
    .infer = InferPad,
    .vjp = {PadGradient},
    .at = PadAt,
    .simplify = SimplifyPad,
};

constexpr const OpDef* kTable[] = {&kSlice, &kPad};

}  // namespace

OpTable SliceOps() { return kTable; }

Value slice(Operand x, std::vector<Range1> ranges) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  const Shape& from = x.value().shape();
  if (ranges.size() < At(from.rank())) ranges.resize(At(from.rank()));
  IntList begin, step;
  Shape shape;
  for (size_t axis = 0; axis < ranges.size(); ++axis) {
    const Dim size = axis < At(from.rank()) ? from[static_cast<int>(axis)] : Dim(0);
    const Taken taken = TakenOf(ranges[axis], size);
    begin.push_back(taken.begin);
    step.push_back(taken.step);
    shape.push_back(taken.count);
  }
  return Emit(
      kSlice, {x},
      {{"begin", std::move(begin)}, {"shape", std::move(shape)}, {"step", std::move(step)}});
}

Value pad(Operand x, std::vector<int64_t> low, std::vector<int64_t> high, double value,
          std::vector<int64_t> interior) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  if (interior.empty()) interior.resize(low.size());
  return Emit(kPad, {x},
              {{"low", std::move(low)},
               {"high", std::move(high)},
               {"interior", std::move(interior)},
               {"value", value}});
}

}  // namespace gradus::ir
