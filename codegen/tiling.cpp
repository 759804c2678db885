#include "codegen/tiling.h"

#include <algorithm>

#include "ir/loop/walk.h"

namespace gradus::codegen {

using loop::Contraction;
using loop::Index;
using loop::Scalar;
using loop::Variable;

Tiling::Tiling(ModuleEmitter& emitter, const Contraction& contraction,
               const std::vector<loop::Buffer>& plan_buffers,
               const std::vector<ir::Symbol>& module_symbols)
    : e(emitter),
      c(contraction),
      buffers(plan_buffers),
      symbols(module_symbols),
      lanes(e.target().lanes(static_cast<int>(ir::ByteSize(c.dtype)))),
      element(e.MemoryType(c.dtype)),
      columns(static_cast<int64_t>(c.tile_vectors) * lanes),
      row_stride(c.a.offset.coefficient(c.m.back())),
      row(c.m.back()),
      blocked(c.k_block > 0),
      tile_k(std::span(c.k).subspan(blocked ? static_cast<size_t>(c.k_level) : 0)),
      fetches_ahead(FetchesAhead()),
      streams_b(StreamsB()),
      copies_as_it_goes(c.b_panel_buffer >= 0 && c.order == Contraction::Order::kColumnsOuter),
      transposes_panels(c.b.offset.coefficient(c.n) != 1) {
  for (const Variable* v : tile_k.subspan(1)) {
    if (blocked) inner_terms *= v->extent().number();
  }
  FindUsed();
}

llvm::Align Tiling::Align() const {
  return llvm::Align(static_cast<uint64_t>(ir::ByteSize(c.dtype)));
}

llvm::Value* Tiling::Number(int64_t n) const { return llvm::ConstantInt::getSigned(e.index(), n); }

llvm::Constant* Tiling::TailMask(int tail) const {
  llvm::SmallVector<llvm::Constant*, 16> bits;
  for (int l = 0; l < lanes; ++l) bits.push_back(llvm::ConstantInt::getBool(e.context(), l < tail));
  return llvm::ConstantVector::get(bits);
}

llvm::Value* Tiling::LoadVector(llvm::IRBuilder<>& b, llvm::Value* address, int tail) const {
  auto* type = llvm::FixedVectorType::get(element, static_cast<unsigned>(lanes));
  if (tail == 0) return b.CreateAlignedLoad(type, address, Align());
  return b.CreateMaskedLoad(type, address, Align(), TailMask(tail),
                            llvm::Constant::getNullValue(type));
}

bool Tiling::FetchesAhead() const {
  if (c.order != Contraction::Order::kColumnsOuter) return false;
  if (c.b_panel_buffer >= 0 && e.small()) return false;
  // With many rows the panel's first use is a small part of all.
  if (row->extent().is_number() &&
      (row->extent().number() > 128 || row->extent().number() <= c.tile_rows))
    return false;
  const std::optional<int64_t> bytes = loop::BytesOfB(c);
  if (!bytes) return false;
  // Small code does so for all, so that their tiles are alike. (Granite Rapids: inference of
  // 784-512-512-10 0.311 ms, with what passes a quarter of its cache, too, 0.300.)
  const int64_t large = e.target().l2_bytes / (e.target().far_caches ? 4 : 2);
  return e.small() || (*bytes > large && c.n->extent().number() > columns);
}

bool Tiling::StreamsB() const {
  constexpr int64_t kMostTimes = 4;
  const std::optional<int64_t> bytes = loop::BytesOfB(c);
  return !e.small() && bytes > e.target().l2_bytes && *bytes <= kMostTimes * e.target().l2_bytes;
}

void Tiling::FindUsed() {
  std::vector<const Scalar*> values;
  auto use_form = [&](const Index& form) {
    for (const Variable* v : loop::LoopVariables(form)) UseVariable(v);
  };
  auto use_buffer = [&](int buffer) {
    if (std::find(used_buffers.begin(), used_buffers.end(), buffer) == used_buffers.end()) {
      used_buffers.push_back(buffer);
    }
  };
  for (const loop::FlatStore& s : c.epilogue) {
    use_buffer(s.buffer);
    use_form(s.offset);
    values.push_back(s.value);
    for (const Variable* v : s.value->free) UseVariable(v);
  }
  if (blocked) {
    use_buffer(c.partial_buffer);
    use_form(c.partial_offset);
  }
  loop::ForEachReached(std::span<const Scalar* const>(values), [&](const Scalar* x) {
    if (x->reads_buffer()) use_buffer(x->buffer);
  });
  for (const Variable* k : tile_k.subspan(blocked ? 1 : 0)) {
    const loop::KRange* range = RangeOf(k);
    if (range == nullptr) continue;
    use_form(range->first);
    use_form(range->end);
  }
  UseVariable(row);
  UseVariable(c.n);
}

const loop::KRange* Tiling::RangeOf(const Variable* k) const {
  const auto it = std::ranges::find(c.k_ranges, k, &loop::KRange::k);
  return it == c.k_ranges.end() ? nullptr : &*it;
}

std::pair<llvm::Value*, llvm::Value*> Tiling::StepsOf(Frame& frame,
                                                      const loop::KRange& range) const {
  llvm::IRBuilder<>& b = frame.builder();
  const int64_t extent = range.k->extent().number();
  llvm::Value* first = frame.EvaluateHere(range.first);
  llvm::Value* end = frame.EvaluateHere(range.end);
  if (loop::Range(range.first).low.value_or(-1) < 0) {
    first = b.CreateSelect(b.CreateICmpSLT(first, Number(0)), Number(0), first);
  }
  if (loop::Range(range.end).high.value_or(extent + 1) > extent) {
    end = b.CreateSelect(b.CreateICmpSGT(end, Number(extent)), Number(extent), end);
  }
  return {first, end};
}

void Tiling::UseVariable(const Variable* v) {
  if (std::find(used_variables.begin(), used_variables.end(), v) == used_variables.end()) {
    used_variables.push_back(v);
  }
}

}  // namespace gradus::codegen
