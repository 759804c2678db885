#include "codegen/epilogue_fetch.h"

#include <algorithm>
#include <utility>

#include "ir/loop/walk.h"
#include "llvm/IR/Intrinsics.h"

namespace gradus::codegen {

using loop::Index;
using loop::Variable;

namespace {

// Of an extent that is known only when called.
constexpr int64_t kTypicalExtent = 32;

int64_t Steps(const Variable* k) {
  return k->extent().is_number() ? k->extent().number() : kTypicalExtent;
}

}  // namespace

std::vector<EpilogueFetch::Place> EpilogueFetch::FindPlaces() const {
  std::vector<Place> found;
  auto add = [&](int buffer, DType dtype, const Index& offset, bool written) {
    const std::optional<int64_t> of_row = offset.numeric_coefficient(t_.row);
    if (!of_row || *of_row == 0 || offset.numeric_coefficient(t_.c.n) != 1) return;
    auto known = std::ranges::find_if(
        found, [&](const Place& p) { return p.buffer == buffer && *p.offset == offset; });
    if (known == found.end()) {
      found.push_back({buffer, dtype, &offset, written});
    } else {
      known->written |= written;
    }
  };
  std::vector<const loop::Scalar*> values;
  for (const loop::FlatStore& s : t_.c.epilogue) {
    add(s.buffer, frame_.buffers()[static_cast<size_t>(s.buffer)].type.dtype, s.offset, true);
    values.push_back(s.value);
  }
  loop::ForEachReached(values, [&](const loop::Scalar* x) {
    if (x->kind == loop::ScalarKind::kLoad) add(x->buffer, x->dtype, x->indices[0], false);
  });
  return found;
}

int64_t EpilogueFetch::StepsOfSum() const {
  int64_t steps = 1;
  for (const Variable* k : t_.tile_k) {
    const bool in_block = t_.blocked && k == t_.tile_k.front();
    steps *= in_block ? std::min(Steps(k), t_.c.k_block) : Steps(k);
  }
  return steps;
}

void EpilogueFetch::Begin(llvm::Value* last) {
  std::vector<Place> places = FindPlaces();
  // The rest is for the last lines to arrive in.
  const int64_t steps = StepsOfSum() * 3 / 4;
  if (steps < Lines() * std::max(t_.c.k_unroll, 1)) {
    if (last == nullptr) return FetchAll(places);
    return frame_.If(last, [&] { FetchAll(places); });
  }
  lines_per_step_ = ((Lines() << 16) + steps - 1) / steps;
  frame_.BindAt(t_.row, frame_.EvaluateHere(Index(t_.row)), 0, 0);
  for (Place& p : places) {
    p.begin = frame_.Address(frame_.pointer(p.buffer), t_.e.MemoryType(p.dtype), *p.offset);
    if (last == nullptr) continue;
    llvm::Value* partial =
        frame_.Address(frame_.pointer(t_.c.partial_buffer), t_.element, t_.c.partial_offset);
    p.begin = b_.CreateSelect(last, p.begin, partial);
  }
  if (last != nullptr) lines_ = b_.CreateSExt(last, t_.e.index());
  places_ = std::move(places);
}

void EpilogueFetch::Step() {
  if (places_.empty()) return;
  Index step;
  int64_t stride = 1;
  for (size_t i = t_.tile_k.size(); i-- > 0;) {
    step = step + Index(t_.tile_k[i]) * stride;
    stride *= Steps(t_.tile_k[i]);
  }
  llvm::Value* line = b_.CreateLShr(
      b_.CreateMul(frame_.EvaluateHere(step), t_.Number(lines_per_step_)), t_.Number(16));
  llvm::Value* most = t_.Number(Lines() - 1);
  line = b_.CreateSelect(b_.CreateICmpULT(line, most), line, most);
  if (lines_ != nullptr) line = b_.CreateAnd(line, lines_);
  llvm::Value* row = b_.CreateUDiv(line, t_.Number(size_.vectors));
  llvm::Value* vector = b_.CreateURem(line, t_.Number(size_.vectors));
  for (const Place& p : places_) {
    llvm::Value* at = b_.CreateAdd(b_.CreateMul(row, t_.Number(p.offset->coefficient(t_.row))),
                                   b_.CreateMul(vector, t_.Number(t_.lanes)));
    Fetch(b_.CreateGEP(t_.e.MemoryType(p.dtype), p.begin, at), p.written);
  }
}

void EpilogueFetch::FetchAll(const std::vector<Place>& places) {
  llvm::Value* row_base = frame_.EvaluateHere(Index(t_.row));
  for (const Place& p : places) {
    for (int row = 0; row < size_.rows; ++row) {
      frame_.InScope([&] {
        frame_.BindAt(t_.row, row_base, row, 0);
        for (int v = 0; v < size_.vectors; ++v) {
          Fetch(frame_.Address(frame_.pointer(p.buffer), t_.e.MemoryType(p.dtype), *p.offset,
                               int64_t{v} * t_.lanes),
                p.written);
        }
      });
    }
  }
}

void EpilogueFetch::Fetch(llvm::Value* address, bool written) {
  constexpr int kRead = 0, kWrite = 1, kFirstCache = 3, kData = 1;  // LLVM's numbers
  b_.CreateIntrinsic(llvm::Intrinsic::prefetch, {address->getType()},
                     {address, b_.getInt32(written ? kWrite : kRead), b_.getInt32(kFirstCache),
                      b_.getInt32(kData)});
}

}  // namespace gradus::codegen
