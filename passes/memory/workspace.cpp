#include "passes/memory/workspace.h"

#include <algorithm>

namespace gradus::passes {
namespace {

using loop::Extent;
using loop::Polynomial;
using loop::SizeTerm;

constexpr int64_t kLine = 64;

int64_t RoundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Whole cache lines. A size such as 512*B bytes stays one coefficient, so that sums of sizes stay
// short; below a line an element (4*B) it is counted exactly, as 64 * ceil(4*B/64).
SizeTerm WholeLines(SizeTerm t) {
  if (t.factors.empty()) return {RoundUp(t.coefficient, kLine), {}};
  if (t.coefficient % kLine == 0) return t;
  if (t.factors.size() == 1 && t.factors[0].divisor == 1) {
    const int64_t scale = t.coefficient * t.factors[0].scale;
    Extent unit = t.factors[0];
    if (scale >= kLine) {
      unit.scale = 1;
      return {RoundUp(scale, kLine), {unit}};
    }
    unit.scale = scale;
    unit.divisor = kLine;
    return {kLine, {unit}};
  }
  return {RoundUp(t.coefficient, kLine), t.factors};
}

void AddTo(Polynomial& sum, const SizeTerm& term) {
  for (SizeTerm& t : sum) {
    if (t.factors == term.factors) {
      t.coefficient += term.coefficient;
      return;
    }
  }
  sum.push_back(term);
}

}  // namespace

SizeTerm BytesOf(const ir::Type& type) {
  SizeTerm t{ir::ByteSize(type.dtype), {}};
  Extent symbolic(1);
  for (const ir::Dim& d : type.shape) {
    if (d.is_symbol()) {
      symbolic = symbolic * Extent(d);
    } else {
      t.coefficient *= d.size();
    }
  }
  if (!symbolic.is_number()) t.factors.push_back(symbolic);
  return t;
}

SizeTerm BytesOf(const loop::Buffer& scratch) {
  SizeTerm t{ir::ByteSize(scratch.type.dtype), {}};
  for (const Extent& e : scratch.elements) {
    if (e.is_number()) {
      t.coefficient *= e.number();
    } else if (e.divisor == 1) {
      t.coefficient *= e.scale;
      Extent unit = e;
      unit.scale = 1;
      t.factors.push_back(unit);
    } else {
      t.factors.push_back(e);
    }
  }
  return t;
}

int Workspace::Allocate(const SizeTerm& bytes) {
  const SizeTerm need = WholeLines(bytes);
  // The smallest free slot that is large enough; else the largest free one, enlarged; else a new
  // one.
  int best = -1;
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& s = slots_[i];
    if (!s.free || s.bytes.factors != need.factors) continue;
    if (best < 0) {
      best = static_cast<int>(i);
      continue;
    }
    const int64_t size = s.bytes.coefficient;
    const int64_t best_size = slots_[static_cast<size_t>(best)].bytes.coefficient;
    const bool fits = size >= need.coefficient, best_fits = best_size >= need.coefficient;
    if (fits != best_fits ? fits : (fits ? size < best_size : size > best_size)) {
      best = static_cast<int>(i);
    }
  }
  if (best < 0) {
    slots_.push_back({need, false});
    return static_cast<int>(slots_.size()) - 1;
  }
  Slot& slot = slots_[static_cast<size_t>(best)];
  slot.free = false;
  slot.bytes.coefficient = std::max(slot.bytes.coefficient, need.coefficient);
  return best;
}

void Workspace::Release(int slot) { slots_[static_cast<size_t>(slot)].free = true; }

std::vector<Polynomial> Workspace::Offsets() const {
  std::vector<Polynomial> offsets;
  Polynomial sum;
  for (const Slot& s : slots_) {
    offsets.push_back(sum);
    AddTo(sum, s.bytes);
  }
  return offsets;
}

Polynomial Workspace::Size() const {
  Polynomial sum;
  for (const Slot& s : slots_) AddTo(sum, s.bytes);
  return sum;
}

}  // namespace gradus::passes
