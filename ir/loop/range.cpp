#include <algorithm>

#include "ir/check.h"
#include "ir/loop/atoms.h"
#include "ir/loop/index.h"

namespace gradus::loop {
namespace {

std::optional<int64_t> CheckedAdd(std::optional<int64_t> a, std::optional<int64_t> b) {
  int64_t sum = 0;
  if (!a || !b || __builtin_add_overflow(*a, *b, &sum)) return std::nullopt;
  return sum;
}

std::optional<int64_t> CheckedMul(std::optional<int64_t> a, int64_t b) {
  int64_t product = 0;
  if (!a || __builtin_mul_overflow(*a, b, &product)) return std::nullopt;
  return product;
}

// Bounds of a variable as numbers.
Bounds RangeOf(const Variable& v) {
  switch (v.kind()) {
    case Variable::Kind::kLoop:
      if (!v.extent().is_number()) return {0, std::nullopt};
      return {0, std::max<int64_t>(v.extent().number() - 1, 0)};
    case Variable::Kind::kMod: return {0, v.divisor() - 1};
    case Variable::Kind::kFloorDiv: {
      Bounds b = Range(v.numerator());
      if (b.low) b.low = FloorDiv(*b.low, v.divisor());
      if (b.high) b.high = FloorDiv(*b.high, v.divisor());
      return b;
    }
  }
  return {};
}

// The least value of `form`, or nullopt. Loop variables of symbolic extent that lower it are put at
// their last value first, so that symbols may cancel: B - i - 1 >= 0 for i in 0..B.
std::optional<int64_t> LowerBound(Index form) {
  for (bool again = true; again;) {
    again = false;
    for (const Term& t : form.terms()) {
      if (t.variable == nullptr || t.coefficient > 0) continue;
      if (t.variable->kind() != Variable::Kind::kLoop) continue;
      const Extent& extent = t.variable->extent();
      if (extent.is_number() || extent.divisor != 1) continue;
      Extent scale;
      scale.scale = t.coefficient;
      scale.symbols = t.symbols;
      form = form - FormOf(t) + (Index::Of(extent) - Index(1)).Times(scale);
      again = true;
      break;
    }
  }
  std::optional<int64_t> low = 0;
  for (const Term& t : form.terms()) {
    const Bounds b = t.variable == nullptr ? Bounds{1, 1} : RangeOf(*t.variable);
    std::optional<int64_t> least = CheckedMul(t.coefficient > 0 ? b.low : b.high, t.coefficient);
    if (!t.symbols.empty()) {  // times something >= 0
      if (!least || *least < 0) return std::nullopt;
      least = 0;
    }
    low = CheckedAdd(low, least);
    if (!low) return std::nullopt;
  }
  return low;
}

}  // namespace

Bounds Range(const Index& form) {
  Bounds bounds;
  bounds.low = LowerBound(form);
  bounds.high = CheckedMul(LowerBound(form * -1), -1);
  return bounds;
}

}  // namespace gradus::loop
