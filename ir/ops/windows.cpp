// unfold, fold and window_max.

#include "ir/ops/windows.h"

#include <algorithm>

#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"
#include "ir/ops/lowering.h"
#include "ir/ops/movement.h"
#include "ir/ops/reduction.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

size_t At(int i) { return static_cast<size_t>(i); }

Windows WindowsOf(const AttrList& attrs) {
  Windows w;
  for (const NamedAttribute& a : attrs) {
    if (a.name == "first") w.first = std::get<int64_t>(a.value);
    if (a.name == "window") w.window = std::get<IntList>(a.value);
    if (a.name == "strides") w.strides = std::get<IntList>(a.value);
    if (a.name == "dilation") w.dilation = std::get<IntList>(a.value);
  }
  return w;
}

AttrList AttrsOf(const Windows& w, const Shape& sizes) {
  return {{"first", w.first},
          {"sizes", sizes},
          {"window", w.window},
          {"strides", w.strides},
          {"dilation", w.dilation}};
}

// Windows of `axes` axes, in a tensor with so many after the first one.
absl::Status CheckWindows(const Windows& w, int axes, int after_first) {
  if (axes < 1) return TypeError("there are no spatial axes");
  if (w.first < 0 || axes > after_first) {
    return TypeError(
        fmt::format("{} spatial axes from axis {} on are more than there are", axes, w.first));
  }
  for (const auto& [attr, list] :
       {std::pair("window", &w.window), {"strides", &w.strides}, {"dilation", &w.dilation}}) {
    if (absl::Status s = CheckLength(attr, list->size(), axes); !s.ok()) return s;
    for (const int64_t n : *list) {
      if (n < 1 || n > kFarthest) return TypeError(fmt::format("{} of {}", attr, n));
    }
  }
  return absl::OkStatus();
}

// All windows at `positions` lie within `size` elements.
absl::Status CheckReach(const Windows& w, int i, const Dim& positions, const Dim& size) {
  const int64_t reach = (w.window[At(i)] - 1) * w.dilation[At(i)];
  if (positions == size && reach == 0 && w.strides[At(i)] == 1) return absl::OkStatus();
  if (positions.is_symbol() || size.is_symbol()) {
    return TypeError(fmt::format(
        "axis {} has {} elements and {} positions\nhelp: sliding along an axis changes its size, "
        "which then must be a number",
        w.first + i, ToString(size), ToString(positions)));
  }
  if (positions.size() == 0) return absl::OkStatus();
  if (positions.size() <= kFarthest &&
      (positions.size() - 1) * w.strides[At(i)] + reach < size.size()) {
    return absl::OkStatus();
  }
  return TypeError(fmt::format("axis {} has {} elements, fewer than {} windows reach", w.first + i,
                               size.size(), positions.size()));
}

// --- unfold, window_max
// ----------------------------------------------------------------------------------------------

absl::StatusOr<Types> InferSliding(const InferContext& c, bool keeps_window) {
  const Type& x = c.operands[0];
  const Windows w = WindowsOf(*c.attrs);
  const Shape& sizes = c.attr<Shape>("sizes");
  const int axes = sizes.rank();
  if (absl::Status s = CheckDType(x.dtype, DTypes::kNumeric); !s.ok()) return s;
  if (absl::Status s = CheckSizes(sizes); !s.ok()) return s;
  const int after_first = static_cast<int>(std::max<int64_t>(x.rank() - w.first, 0));
  if (absl::Status s = CheckWindows(w, axes, after_first); !s.ok()) return s;
  const auto first = static_cast<int>(w.first);
  for (int i = 0; i < axes; ++i) {
    if (absl::Status s = CheckReach(w, i, sizes[i], x.shape[first + i]); !s.ok()) return s;
  }
  Type result{x.dtype, Shape(x.shape.dims().first(At(first)))};
  for (const Dim& d : sizes) result.shape.push_back(d);
  for (int i = 0; keeps_window && i < axes; ++i) result.shape.push_back(w.window[At(i)]);
  for (int i = first + axes; i < x.rank(); ++i) result.shape.push_back(x.shape[i]);
  return Types{result};
}

absl::StatusOr<Types> InferUnfold(const InferContext& c) { return InferSliding(c, true); }
absl::StatusOr<Types> InferWindowMax(const InferContext& c) { return InferSliding(c, false); }

loop::Expr UnfoldAt(const loop::At& at) {
  const Windows w = WindowsOf(at.node().attrs());
  const size_t axes = w.window.size(), first = static_cast<size_t>(w.first);
  Indices index;
  for (size_t i = 0; i < At(at.operand_type(0).rank()); ++i) {
    if (i < first) {
      index.push_back(at.index()[i]);
    } else if (i < first + axes) {
      index.push_back(at.index()[i] * w.strides[i - first] +
                      at.index()[i + axes] * w.dilation[i - first]);
    } else {
      index.push_back(at.index()[i + axes]);
    }
  }
  return at.Operand(0, index);
}

loop::Expr WindowMaxAt(const loop::At& at) {
  const Windows w = WindowsOf(at.node().attrs());
  const auto first = static_cast<size_t>(w.first);
  Indices index(at.index().begin(), at.index().end());
  absl::InlinedVector<const loop::Variable*, 4> variables;
  for (size_t i = 0; i < w.window.size(); ++i) {
    variables.push_back(at.ReductionVariable(static_cast<int>(i), loop::Extent(w.window[i])));
    index[first + i] =
        index[first + i] * w.strides[i] + loop::Index(variables.back()) * w.dilation[i];
  }
  return at.Reduce(loop::ReduceKind::kMax, variables, at.Operand(0, index));
}

bool AllOnes(const IntList& list) {
  return std::all_of(list.begin(), list.end(), [](int64_t n) { return n == 1; });
}

// Windows of one element at every place.
bool Trivial(const Node& n) {
  const Windows w = WindowsOf(n.attrs());
  return AllOnes(w.window) && AllOnes(w.strides);
}

// The part of a shape that are the spatial sizes.
Shape Spatial(const Shape& shape, const Windows& w) {
  return Shape(shape.dims().subspan(static_cast<size_t>(w.first), w.window.size()));
}

Value SimplifyToReshape(Node& n) {
  const Windows w = WindowsOf(n.attrs());
  const Shape& sizes = n.attr<Shape>("sizes");
  if (!Trivial(n) || !(Spatial(n.operand(0).shape(), w) == sizes)) return {};
  return reshape(n.operand(0), n.type().shape);
}

Value SimplifyWindowMax(Node& n) {
  return Trivial(n) && n.operand(0).shape() == n.type().shape ? n.operand(0) : Value();
}

Value UnfoldGradient(const Vjp& c) {
  const Windows w = WindowsOf(c.node->attrs());
  return fold(c.grad, w, Spatial(c.operand(0).shape(), w));
}

// 1. Lay out the windows with their elements along one axis. 2. Where in each is the first that
// equals the maximum (or is NaN)? 3. Put the gradient there, zeros elsewhere, and fold.
// The only element of a window is its first maximum.
Value WindowMaxGradient(const Vjp& c) {
  if (SimplifyWindowMax(*c.node)) return c.grad;
  const Windows w = WindowsOf(c.node->attrs());
  const Value windows = unfold(c.operand(0), w, Spatial(c.grad.shape(), w));
  const int axis = static_cast<int>(w.first) + static_cast<int>(w.window.size());
  int64_t in_window = 1;
  for (const int64_t n : w.window) in_window *= n;
  Shape flat(c.grad.shape().dims().first(At(axis)));
  flat.push_back(in_window);
  for (int i = axis; i < c.grad.rank(); ++i) flat.push_back(c.grad.shape()[i]);
  Axes all_but_window;
  for (int i = 0; i < flat.rank(); ++i) {
    if (i != axis) all_but_window.push_back(i);
  }
  const auto spread = [&](Value v) { return broadcast(v, flat, all_but_window); };
  const Value elements = reshape(windows, flat);
  const Value hit = logical_or(equal(elements, spread(c.result())), not_equal(elements, elements));
  const Value place = iota(c.node->function(), {DType::kI32, flat}, axis);
  const Value first = reduce_min(select(hit, place, static_cast<double>(in_window)), {axis});
  const Value at_first = select(equal(place, spread(first)), spread(c.grad), 0);
  return fold(reshape(at_first, windows.shape()), w, Spatial(c.operand(0).shape(), w));
}

// --- fold
// -----------------------------------------------------------------------------------------------------------

absl::StatusOr<Types> InferFold(const InferContext& c) {
  const Type& x = c.operands[0];
  const Windows w = WindowsOf(*c.attrs);
  const Shape& sizes = c.attr<Shape>("sizes");
  const int axes = sizes.rank();
  if (absl::Status s = CheckDType(x.dtype, DTypes::kNumeric); !s.ok()) return s;
  if (absl::Status s = CheckSizes(sizes); !s.ok()) return s;
  const int after_first = static_cast<int>(std::max<int64_t>(x.rank() - w.first, 0));
  if (absl::Status s = CheckWindows(w, axes, after_first / 2); !s.ok()) return s;
  const auto first = static_cast<int>(w.first);
  for (int i = 0; i < axes; ++i) {
    if (absl::Status s = CheckReach(w, i, x.shape[first + i], sizes[i]); !s.ok()) return s;
    if (x.shape[first + axes + i] == Dim(w.window[At(i)])) continue;
    return TypeError(fmt::format("axis {} of {} is not a window of {}", first + axes + i,
                                 ToString(x.shape), w.window[At(i)]));
  }
  Type result{x.dtype, Shape(x.shape.dims().first(At(first)))};
  for (const Dim& d : sizes) result.shape.push_back(d);
  for (int i = first + 2 * axes; i < x.rank(); ++i) result.shape.push_back(x.shape[i]);
  return Types{result};
}

// The windows that have place i: those at (i - dilation * k) / stride, if there is no rest, for
// each k.
loop::Expr FoldAt(const loop::At& at) {
  const Windows w = WindowsOf(at.node().attrs());
  const size_t axes = w.window.size(), first = static_cast<size_t>(w.first);
  const Shape& shape = at.operand_type(0).shape;
  absl::InlinedVector<const loop::Variable*, 4> variables;
  absl::InlinedVector<loop::Condition, 4> inside;
  Indices index(at.index().begin(), at.index().begin() + static_cast<std::ptrdiff_t>(first));
  for (size_t i = 0; i < axes; ++i) {
    variables.push_back(at.ReductionVariable(static_cast<int>(i), loop::Extent(w.window[i])));
    const loop::Index place = at.index()[first + i] - loop::Index(variables.back()) * w.dilation[i];
    const loop::DivModResult parts = loop::DivMod(at.arena(), place, w.strides[i]);
    const loop::Extent positions(shape[static_cast<int>(first + i)]);
    inside.push_back({loop::Index(0), parts.quotient, loop::Index::Of(positions)});
    if (w.strides[i] > 1) inside.push_back({loop::Index(0), parts.remainder, loop::Index(1)});
    index.push_back(parts.quotient);
  }
  for (const loop::Variable* v : variables) index.push_back(v);
  for (size_t i = first + axes; i < at.index().size(); ++i) index.push_back(at.index()[i]);
  const loop::Expr x = at.Guard(inside, at.Operand(0, index));
  return at.Reduce(loop::ReduceKind::kSum, variables, x);
}

Value FoldGradient(const Vjp& c) {
  const Windows w = WindowsOf(c.node->attrs());
  return unfold(c.grad, w, Spatial(c.operand(0).shape(), w));
}

constexpr AttrSpec kFirst{
    .name = "first", .kind = AttrKind::kInt, .summary = "the first of the spatial axes"};
constexpr AttrSpec kWindow{.name = "window",
                           .kind = AttrKind::kIntList,
                           .summary = "elements of a window along each spatial axis"};
constexpr AttrSpec kStrides{
    .name = "strides", .kind = AttrKind::kIntList, .summary = "step from one window to the next"};
constexpr AttrSpec kDilation{.name = "dilation",
                             .kind = AttrKind::kIntList,
                             .summary = "step from one element of a window to the next"};

constexpr AttrSpec Sizes(std::string_view summary) {
  return {.name = "sizes", .kind = AttrKind::kShape, .summary = summary};
}
constexpr AttrSpec kPositions = Sizes("how many positions along each spatial axis");

constinit const OpDef kUnfold{
    .name = "unfold",
    .summary =
        "the elements of sliding windows: [leading..., positions..., window..., rest...] of x at "
        "stride * position + dilation * element",
    .operands = {"x"},
    .attrs = {kFirst, kPositions, kWindow, kStrides, kDilation},
    .traits = kMovement,
    .infer = InferUnfold,
    .vjp = {UnfoldGradient},
    .at = UnfoldAt,
    .simplify = SimplifyToReshape,
};

constinit const OpDef kFold{
    .name = "fold",
    .summary =
        "the sum at each place of what the windows [leading..., positions..., window..., rest...] "
        "have there: the gradient of unfold",
    .operands = {"x"},
    .attrs = {kFirst, Sizes("the result's spatial sizes"), kWindow, kStrides, kDilation},
    .traits = kReduction,
    .infer = InferFold,
    .vjp = {FoldGradient},
    .at = FoldAt,
    .simplify = SimplifyToReshape,
};

constinit const OpDef kWindowMax{
    .name = "window_max",
    .summary =
        "the maximum of sliding windows, NaN if one element is; the gradient goes to the first "
        "maximum (the first NaN)",
    .operands = {"x"},
    .attrs = {kFirst, kPositions, kWindow, kStrides, kDilation},
    .traits = kReduction,
    .infer = InferWindowMax,
    .vjp = {WindowMaxGradient},
    .at = WindowMaxAt,
    .simplify = SimplifyWindowMax,
};

constexpr const OpDef* kTable[] = {&kUnfold, &kFold, &kWindowMax};

Value EmitWindows(const OpDef& op, const Operand& x, const Windows& windows, const Shape& sizes) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  return Emit(op, {x}, AttrsOf(windows, sizes));
}

}  // namespace

OpTable WindowOps() { return kTable; }

Value unfold(Operand x, const Windows& windows, const Shape& sizes) {
  return EmitWindows(kUnfold, x, windows, sizes);
}
Value fold(Operand x, const Windows& windows, const Shape& sizes) {
  return EmitWindows(kFold, x, windows, sizes);
}
Value window_max(Operand x, const Windows& windows, const Shape& sizes) {
  return EmitWindows(kWindowMax, x, windows, sizes);
}

}  // namespace gradus::ir
