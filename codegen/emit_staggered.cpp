// Staggered rows: one loop over the row for passes that are at neighbouring rows. In turn t pass k
// is at row t - k * behind, and the stores come last. In the first turns what is behind has no row
// yet, in the last what is ahead has none left: it is at a row all the same, from numbers that mean
// nothing, and what comes of them goes nowhere.

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "codegen/frame.h"
#include "ir/loop/walk.h"

namespace gradus::codegen {

using loop::Scalar;

// The pointers of what is stored, or of memory that nobody reads, seen from where the row begins.
Values Frame::StoresToNowhere(const loop::RowGroup& group, const loop::Variable* row,
                              llvm::Value* is_real) {
  Values saved;
  for (const loop::FlatStore& s : group.stores) {
    llvm::Value* real = pointer(s.buffer);
    llvm::Value* nowhere = RowMemory(s.value->dtype, row);
    llvm::Value* first = nullptr;
    InScope([&] {
      Bind(row, nullptr, 0);
      first = Address(real, emitter_.MemoryType(s.value->dtype), s.offset);
    });
    llvm::Type* index = emitter_.index();
    llvm::Value* distance = builder_.CreateSub(builder_.CreatePtrToInt(nowhere, index),
                                               builder_.CreatePtrToInt(first, index));
    llvm::Value* other = builder_.CreateGEP(builder_.getInt8Ty(), real, distance);
    saved.push_back(real);
    SetPointer(s.buffer, builder_.CreateSelect(is_real, real, other));
  }
  return saved;
}

// What is asked for before its turn, where the rows of several arrays are read: what passes and
// stores read, where that is first, and what they store to. (The gradient of softmax of 1024x1024
// takes 0.72 of the time.) The rows of one array the processor finds by itself, in time where there
// is much arithmetic: softmax takes 1.09 of it, layer norm of 1024x256 0.82.
std::vector<Frame::Fetch> Frame::RowsAhead(const loop::RowGroup& group, const loop::Variable* row) {
  std::vector<Fetch> list;
  absl::flat_hash_set<int> known;  // buffers
  const auto add = [&](int buffer, ir::DType dtype, const loop::Index& form, size_t q, bool write) {
    const loop::Variable* at = group.at[q];
    if (form.coefficient(at) == 0 || form.coefficient(row) != 1) return;
    if (known.insert(buffer).second) list.push_back({buffer, dtype, form, at, write});
  };
  for (size_t q = 0; q < group.at.size(); ++q) {
    std::vector<const Scalar*> roots;
    if (q < group.passes.size()) {
      for (const Scalar* r : group.passes[q].reductions) roots.push_back(r->operands[0]);
    } else {
      for (const loop::FlatStore& s : group.stores) roots.push_back(s.value);
    }
    loop::ForEachReached(roots, [&](const Scalar* x) {
      if (x->kind == loop::ScalarKind::kReduce) return false;
      if (x->kind == loop::ScalarKind::kLoad) add(x->buffer, x->dtype, x->indices[0], q, false);
      return true;
    });
  }
  if (list.size() < 2) return group.ahead == 0 ? std::vector<Fetch>() : list;
  for (const loop::FlatStore& s : group.stores) {
    add(s.buffer, s.value->dtype, s.offset, group.passes.size(), true);
  }
  return list;
}

// 1. What passes found in earlier turns is known; what they kept is where it was stored. What is
//    needed d turns later has d memories in turn: the oldest is read for the last time, each
//    element before the new one takes its place.
// 2. In each step of one loop what is to be stored is read, the passes do their steps, from the
//    last to the first, and then everything is stored: a load after a store to an address with the
//    same last 12 bits, as rows of a power of two have, would wait for it.
// 3. Everything is passed on to the next turn.
void Frame::EmitStaggered(const loop::RowGroup& group, const loop::Variable* row,
                          llvm::Value* begin, llvm::Value* end, int lanes, int copies,
                          const EachTurn& each_turn) {
  const auto passes_behind = static_cast<int>(group.passes.size());
  const auto apart = static_cast<size_t>(group.behind);
  const auto number = [&](int n) { return llvm::ConstantInt::get(emitter_.index(), n); };
  Values start;
  for (const auto& f : group.found) {
    llvm::Type* type = emitter_.RegisterType(f.value->dtype);
    start.append(f.later.size() * apart, llvm::Constant::getNullValue(type));
  }
  for (const auto& k : group.kept) {
    for (size_t d = 0; d < k.later.size() * apart; ++d) {
      start.push_back(RowMemory(k.value->dtype, row));
    }
  }
  llvm::Value* last = builder_.CreateSub(end, number(1));
  llvm::Value* turns = builder_.CreateAdd(end, number(passes_behind * group.behind));
  Loop(begin, turns, 1, false, start, nullptr, [&](llvm::Value* turn, const Values& known) {
    for (int q = 0; q <= passes_behind; ++q) {
      llvm::Value* at = builder_.CreateSub(turn, number(q * group.behind));
      at = builder_.CreateSelect(builder_.CreateICmpSLT(at, begin), begin, at);
      Bind(group.at[static_cast<size_t>(q)],
           builder_.CreateSelect(builder_.CreateICmpSGT(at, last), last, at));
    }
    llvm::Value* is_real = builder_.CreateICmpSGE(
        turn, builder_.CreateAdd(begin, number(passes_behind * group.behind)));
    const auto* next = known.begin();  // of each value, that of the last turn, the one before, ...
    for (const auto& f : group.found) {
      for (const Scalar* s : f.later) {
        next += apart;
        scope_->values[{s, nullptr}] = {{*(next - 1)}, false};
      }
    }
    Values memory;  // of what is kept in this turn
    for (const auto& k : group.kept) {
      for (const Scalar* s : k.later) {
        next += apart;
        kept_[s] = {*(next - 1), row};
      }
      memory.push_back(*(next - 1));
    }
    if (!group.row_stores.empty()) {
      If(is_real, [&] {
        for (const loop::FlatStore& s : group.row_stores) Store(s);
      });
    }
    llvm::Value* stored_row = EvaluateHere(loop::Index(group.at.back()));
    if (each_turn.before) each_turn.before(stored_row);
    const Values pointers = StoresToNowhere(group, row, is_real);

    const std::vector<Fetch> fetched = RowsAhead(group, row);
    std::vector<Along> passes;
    Values carried;
    size_t kept = 0;
    for (const loop::RowPass& p : group.passes) {
      passes.push_back({p.reductions, p.kept, std::span(memory).subspan(kept, p.kept.size()), row,
                        lanes, copies});
      carried.append(StartAlong(passes.back()));
      kept += p.kept.size();
    }
    const Values sums = VectorLoopOver(
        row, lanes, copies, carried,
        [&](const Values& now) {
          for (const Fetch& f : fetched) {
            if (f.to_write && past_caches) continue;
            const int ahead = f.to_write ? 1 : std::max(1, group.ahead);
            Prefetch(f.buffer, f.dtype, f.form, f.at, ahead, f.to_write);
          }
          std::vector<Packet> stored;
          for (const loop::FlatStore& s : group.stores) stored.push_back(Evaluate(s.value));
          Values results = now;
          size_t at = now.size();
          for (size_t p = passes.size(); p-- > 0;) {
            size_t width = 0;
            for (const Scalar* r : passes[p].reductions) width += AccumulatorsOf(r, passes[p]);
            at -= width;
            const Values part = StepAlong(passes[p], std::span(now).subspan(at, width), nullptr);
            std::ranges::copy(part, results.begin() + at);
          }
          for (const Along& p : passes) StoreKept(p);
          for (size_t i = 0; i < stored.size(); ++i) StorePacket(group.stores[i], stored[i]);
          return results;
        },
        /*carries_copies=*/false);
    for (size_t i = 0; i < pointers.size(); ++i) SetPointer(group.stores[i].buffer, pointers[i]);
    kept_.clear();
    if (each_turn.after) each_turn.after(stored_row, is_real);

    Values found, passed;
    size_t at = 0;
    for (const Along& p : passes) {
      size_t width = 0;
      for (const Scalar* r : p.reductions) width += AccumulatorsOf(r, p);
      found.append(EndAlong(p, std::span(sums).subspan(at, width)));
      at += width;
    }
    next = known.begin();
    const auto pass_on = [&](llvm::Value* newest, size_t count) {
      passed.push_back(newest);
      passed.append(next, next + count - 1);
      next += count;
    };
    for (size_t i = 0; i < group.found.size(); ++i) {
      const size_t count = group.found[i].later.size() * apart;
      if (count > 0) pass_on(found[i], count);
    }
    for (const auto& k : group.kept) {
      const size_t count = k.later.size() * apart;
      pass_on(next[count - 1], count);
    }
    return passed;
  });
}

}  // namespace gradus::codegen
