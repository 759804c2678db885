// reshape: the same elements in row-major order. Symbols cut both shapes into segments of numbers;
// each segment keeps its number of elements, so an index is taken apart within its segment and no
// symbol is ever divided by.

#include <algorithm>

#include "absl/numeric/int128.h"
#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/leaf.h"
#include "ir/ops/lowering.h"
#include "ir/ops/movement.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

// Axes [begin, end) hold numbers; `symbol` follows them, or is empty at the end of the shape.
struct Segment {
  int begin = 0, end = 0;
  Symbol symbol;
};
using Segments = absl::InlinedVector<Segment, 3>;

Segments SegmentsOf(const Shape& shape) {
  Segments segments;
  int begin = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (!shape[axis].is_symbol()) continue;
    segments.push_back({begin, axis, shape[axis].symbol()});
    begin = axis + 1;
  }
  segments.push_back({begin, shape.rank(), Symbol()});
  return segments;
}

// Saturates at INT64_MAX.
int64_t Elements(const Shape& shape, const Segment& s) {
  return Shape(shape.dims().subspan(static_cast<size_t>(s.begin),
                                    static_cast<size_t>(s.end - s.begin)))
      .num_elements()
      .value();
}

absl::StatusOr<Types> InferReshape(const InferContext& c) {
  const Type& x = c.operands[0];
  const Shape& shape = c.attr<Shape>("shape");
  if (absl::Status s = CheckSizes(shape); !s.ok()) return s;
  const auto refuse = [&](std::string_view why) {
    return TypeError(
        fmt::format("{} does not reshape to {}: {}", ToString(x.shape), ToString(shape), why));
  };
  const Segments from = SegmentsOf(x.shape), to = SegmentsOf(shape);
  for (size_t i = 0; i < std::min(from.size(), to.size()); ++i) {
    if (from[i].symbol != to[i].symbol) break;
    const int64_t n = Elements(x.shape, from[i]), m = Elements(shape, to[i]);
    if (n != m && from.size() == 1) return refuse(fmt::format("{} elements, {} wanted", n, m));
    if (n != m && from.size() == to.size()) {
      return refuse(
          fmt::format("{} elements {} {}, {} wanted\nhelp: a symbolic size may move, but neither "
                      "split nor merge",
                      n, from[i].symbol.empty() ? "after" : "before",
                      (from[i].symbol.empty() ? from[i - 1] : from[i]).symbol.name(), m));
    }
  }
  for (size_t i = 0; i < std::max(from.size(), to.size()); ++i) {
    if (i < from.size() && i < to.size() && from[i].symbol == to[i].symbol) continue;
    return refuse(
        "the symbolic sizes differ\nhelp: a symbolic size may move, but neither split nor merge");
  }
  return Types{Type{x.dtype, shape}};
}

loop::Expr ReshapeAt(const loop::At& at) {
  const Shape& from = at.operand_type(0).shape;
  const Shape& to = at.type().shape;
  const Segments operand_segments = SegmentsOf(from), result_segments = SegmentsOf(to);
  Indices index(static_cast<size_t>(from.rank()));
  for (size_t s = 0; s < operand_segments.size(); ++s) {
    const Segment &a = operand_segments[s], &r = result_segments[s];
    loop::Index flat;
    int64_t stride = 1;
    for (int axis = r.end - 1; axis >= r.begin; --axis) {
      if (to[axis] != Dim(1)) flat = flat + at.index()[static_cast<size_t>(axis)] * stride;
      stride *= std::max<int64_t>(to[axis].size(), 1);
    }
    // The outermost axis that is not of size 1 takes what is left, without a remainder.
    int outermost = a.begin;
    while (outermost < a.end && from[outermost] == Dim(1)) ++outermost;
    for (int axis = a.end - 1; axis >= a.begin; --axis) {
      loop::Index& i = index[static_cast<size_t>(axis)];
      if (from[axis] == Dim(1)) {
        i = loop::Index(0);
      } else if (axis == outermost) {
        i = flat;
      } else {
        const loop::DivModResult parts =
            loop::DivMod(at.arena(), flat, std::max<int64_t>(from[axis].size(), 1));
        i = parts.remainder;
        flat = parts.quotient;
      }
    }
    if (!a.symbol.empty())
      index[static_cast<size_t>(a.end)] = at.index()[static_cast<size_t>(r.end)];
  }
  return at.Operand(0, index);
}

Value ReshapeGradient(const Vjp& c) { return reshape(c.grad, c.operand(0).shape()); }

Value SimplifyReshape(Node& n) {
  const Value x = n.operand(0);
  if (x.shape() == n.type().shape) return x;
  if (SplatNumber(x)) return SplatLike(x, n.type().shape);
  if (&x.node()->op() == &n.op()) return reshape(x.node()->operand(0), n.type().shape);
  return {};
}

constinit const OpDef kReshape{
    .name = "reshape",
    .summary = "the same elements, in row-major order, in another shape",
    .operands = {"x"},
    .attrs = {AttrSpec{
        .name = "shape", .kind = AttrKind::kShape, .summary = "shape of the result"}},
    .traits = kMovement,
    .infer = InferReshape,
    .vjp = {ReshapeGradient},
    .at = ReshapeAt,
    .simplify = SimplifyReshape,
};

constexpr const OpDef* kTable[] = {&kReshape};

// Fills in the one size that is -1: the symbol of `from` that `to` lacks, or what the numbers leave
// over. Where neither works the -1 stays, for the type rule to refuse.
Shape InferMissingSize(const Shape& from, Shape to) {
  int missing = -1;
  for (int axis = 0; axis < to.rank(); ++axis) {
    if (to[axis] != Dim(-1)) continue;
    if (missing >= 0) return to;
    missing = axis;
  }
  if (missing < 0) return to;
  // Products of the numbers, and the symbols of `from` that `to` does not have.
  absl::int128 have = 1, want = 1;
  const auto saturate = [](absl::int128 x) { return std::min(x, absl::int128(INT64_MAX)); };
  absl::InlinedVector<Dim, 4> symbols;
  for (const Dim& d : from) {
    if (d.is_symbol()) symbols.push_back(d);
    if (!d.is_symbol()) have = saturate(have * d.size());
  }
  for (const Dim& d : to) {
    if (d == Dim(-1)) continue;
    if (!d.is_symbol() && d.size() < 0) return to;
    if (!d.is_symbol()) want = saturate(want * d.size());
    if (!d.is_symbol()) continue;
    const auto found = std::find(symbols.begin(), symbols.end(), d);
    if (found == symbols.end()) return to;
    symbols.erase(found);
  }
  if (symbols.size() == 1 && have == want) {
    to[missing] = symbols[0];
  } else if (symbols.empty() && want != 0 && have % want == 0) {
    to[missing] = Dim(static_cast<int64_t>(have / want));
  }
  return to;
}

}  // namespace

bool IsReshape(Value v) { return &v.node()->op() == &kReshape; }

OpTable ReshapeOps() { return kTable; }

Value reshape(Operand x, const Shape& shape) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  return Emit(kReshape, {x}, {{"shape", InferMissingSize(x.value().shape(), shape)}});
}

Value expand_dims(Operand x, int64_t axis) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  const Shape& from = x.value().shape();
  const int64_t place = std::clamp<int64_t>(NormalAxis(axis, from.rank() + 1), 0, from.rank());
  Shape to;
  for (int i = 0; i <= from.rank(); ++i) {
    if (i == place) to.push_back(1);
    if (i < from.rank()) to.push_back(from[i]);
  }
  return reshape(x, to);
}

Value squeeze(Operand x, int64_t axis) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  const Shape& from = x.value().shape();
  Shape to;
  for (int i = 0; i < from.rank(); ++i) {
    if (i != NormalAxis(axis, from.rank())) to.push_back(from[i]);
  }
  return reshape(x, to);
}

}  // namespace gradus::ir
