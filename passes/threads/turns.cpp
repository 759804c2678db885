#include "passes/threads/turns.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "ir/loop/walk.h"

namespace gradus::passes {
namespace {

using loop::Contraction;
using loop::Index;
using loop::Nest;
using loop::Scalar;
using loop::Variable;

// The elements that belong to one step of `v`, if those of different steps are apart.
std::optional<int64_t> StrideApart(const Index& form, const Variable* v) {
  const std::optional<int64_t> stride = form.numeric_coefficient(v);
  if (!stride || *stride <= 0) return std::nullopt;
  const Index rest = form - Index(v) * *stride;
  const loop::Bounds bounds = loop::Range(rest);
  if (rest.depends_on(v) || !bounds.low || !bounds.high) return std::nullopt;
  if (*bounds.low < 0 || *bounds.high >= *stride) return std::nullopt;
  return stride;
}

std::vector<const Scalar*> ValuesOf(std::span<const loop::FlatStore> stores) {
  std::vector<const Scalar*> values;
  for (const loop::FlatStore& s : stores) values.push_back(s.value);
  return values;
}

bool Reads(std::span<const Scalar* const> values, int buffer) {
  bool reads = false;
  loop::ForEachReached(values, [&](const Scalar* s) {
    reads |= s->reads_buffer() && s->buffer == buffer;
    return true;
  });
  return reads;
}

bool Touches(std::span<const loop::FlatStore> stores, int buffer) {
  return Reads(ValuesOf(stores), buffer) ||
         std::ranges::any_of(stores, [&](const auto& s) { return s.buffer == buffer; });
}

// A aside.
bool Touches(const Contraction& c, int buffer) {
  return c.b.buffer == buffer || c.b_panel_buffer == buffer || c.partial_buffer == buffer ||
         Touches(c.epilogue, buffer);
}

bool Touches(const Nest& n, int buffer) {
  return Touches(n.stores, buffer) || Touches(n.row_stores, buffer) ||
         Touches(n.sums.stores, buffer);
}

// True if no step but these two (null: but the nest) has to do with the buffer.
bool IsBetween(const loop::Plan& plan, int buffer, const Nest& nest, const Contraction* c) {
  return std::ranges::all_of(plan.steps, [&](const loop::Step& step) {
    if (const auto* n = std::get_if<Nest>(&step)) return n == &nest || !Touches(*n, buffer);
    const auto& other = std::get<Contraction>(step);
    return &other == c ? !Touches(other, buffer)
                       : other.a.buffer != buffer && !Touches(other, buffer);
  });
}

// How many steps `inner` takes for each of `outer`, if it is the same number whatever the symbols
// are.
std::optional<int64_t> Ratio(const loop::Extent& inner, const loop::Extent& outer) {
  if (inner.divisor != 1 || outer.divisor != 1 || inner.symbols != outer.symbols) return {};
  if (outer.scale == 0 || inner.scale % outer.scale != 0) return {};
  return inner.scale / outer.scale;
}

// Whether both are shared along loops outside what they do in one step.
bool AreSharedOutside(const Nest& nest, const Contraction& c) {
  const Variable *of_nest = nest.split.variable, *of_c = c.split.variable;
  if (of_nest == nullptr || of_c == nullptr || of_c == c.n || of_c == c.m.back()) return false;
  return nest.split.unit == 1 && c.split.unit == 1;
}

// Whether each turn finds B in the second cache.
bool BStays(const Contraction& c, const ir::Target& target) {
  const std::optional<int64_t> bytes = loop::BytesOfB(c);
  return bytes && *bytes <= target.l2_bytes / 2;
}

// Of a turn, with so many bytes each that pass from step to step.
int64_t UnitsOf(int64_t bytes, const ir::Target& target) {
  return std::max<int64_t>(1, target.l2_bytes / 4 / bytes);
}

}  // namespace

void PassOnToSums(const loop::Plan& plan, Nest& nest,
                  const std::function<bool(int buffer)>& is_read) {
  const std::vector<const Scalar*> summed = ValuesOf(nest.sums.stores);
  for (const loop::FlatStore& s : nest.stores) {
    const auto stores_it = [&](const auto& other) { return other.buffer == s.buffer; };
    if (!Reads(summed, s.buffer) || is_read(s.buffer)) continue;
    if (Touches(nest.row_stores, s.buffer) || Reads(ValuesOf(nest.stores), s.buffer)) continue;
    if (std::ranges::count_if(nest.stores, stores_it) > 1) continue;
    if (!IsBetween(plan, s.buffer, nest, nullptr)) continue;
    const std::optional<int64_t> stride = StrideApart(s.offset, nest.loops[0]);
    if (!stride) continue;
    nest.sums.passed_on = s.buffer;
    nest.sums.stride = *stride;
    return;
  }
}

loop::Turns ChooseTurns(const loop::Plan& plan, const Nest& nest, const Contraction& c,
                        const ir::Target& target) {
  if (!AreSharedOutside(nest, c)) return {};
  const Variable *of_nest = nest.split.variable, *of_c = c.split.variable;
  if (!(of_nest->extent() == of_c->extent())) return {};
  if (nest.stores.size() != 1 || !nest.row_stores.empty() || nest.stores[0].accumulate) return {};
  const int buffer = nest.stores[0].buffer;
  if (plan.buffers[static_cast<size_t>(buffer)].kind != loop::Buffer::Kind::kScratch) return {};
  if (c.a.buffer != buffer || !IsBetween(plan, buffer, nest, &c)) return {};
  const std::optional<int64_t> stride = StrideApart(nest.stores[0].offset, of_nest);
  if (!stride || StrideApart(c.a.offset, of_c) != stride) return {};
  if (!BStays(c, target)) return {};
  return {UnitsOf(*stride * ir::ByteSize(c.dtype), target), *stride, 1};
}

loop::Turns ChooseTurns(const Contraction& c, const Nest& nest, const ir::Target& target) {
  if (!AreSharedOutside(nest, c)) return {};
  const Variable *of_nest = nest.split.variable, *of_c = c.split.variable;
  const std::optional<int64_t> scale = Ratio(of_nest->extent(), of_c->extent());
  if (!scale || *scale < 1) return {};
  if (!c.b.offset.depends_on(of_c) && !BStays(c, target)) return {};
  std::vector<const Scalar*> values = ValuesOf(nest.stores);
  for (const Scalar* s : ValuesOf(nest.row_stores)) values.push_back(s);
  int64_t bytes = 0;  // a unit, of what the nest reads of the product
  for (const loop::FlatStore& s : c.epilogue) {
    const auto stores_it = [&](const loop::FlatStore& other) { return other.buffer == s.buffer; };
    if (std::ranges::any_of(nest.stores, stores_it) ||
        std::ranges::any_of(nest.row_stores, stores_it)) {
      return {};
    }
    if (!Reads(values, s.buffer)) continue;
    const std::optional<int64_t> stride = StrideApart(s.offset, of_c);
    if (!stride || s.accumulate || s.jump != nullptr) return {};
    bool is_own = true;
    loop::ForEachReached(std::span<const Scalar* const>(values), [&](const Scalar* x) {
      if (!x->reads_buffer() || x->buffer != s.buffer) return true;
      const std::optional<int64_t> apart =
          x->kind == loop::ScalarKind::kLoad && x->indices.size() == 1
              ? StrideApart(x->indices[0], of_nest)
              : std::nullopt;
      is_own &= apart && *apart * *scale == *stride;
      return true;
    });
    if (!is_own) return {};
    bytes += *stride * ir::ByteSize(s.value->dtype);
  }
  if (bytes == 0) return {};
  return {UnitsOf(bytes, target), 0, *scale};
}

}  // namespace gradus::passes
