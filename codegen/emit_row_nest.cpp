// Nests along rows: passes over each row, or over several rows at once, then the loop that stores.

#include <algorithm>

#include "codegen/nest_parts.h"
#include "llvm/IR/IntrinsicsX86.h"

namespace gradus::codegen {

using loop::Nest;
using loop::Scalar;
using loop::ScalarKind;
using loop::Variable;

namespace {

// How many vectors at a time, in the loop over a row that passes have gone over.
int RowCopies(Frame& frame, const Nest& nest, std::span<const loop::FlatStore> stores, int lanes) {
  int size = 0;
  for (const auto& s : stores) {
    size += frame.SizeAlong(s.value, nest.vector);
    if (!IsContiguous(Stride(s.offset, nest.vector))) return 1;
  }
  const int copies = size <= 12 ? 4 : size <= 40 ? 2 : 1;
  return CopiesWithoutRest(nest.vector->extent(), lanes, copies);
}
// Passes over rows, and the loop over each row that stores.
class RowNest {
 public:
  RowNest(Frame& frame, const Nest& nest) : frame_(frame), nest_(nest) {
    has_loop_ = !nest.loops.empty() && nest.loops.back() == nest.row;
    outer_ = nest.loops.size() - (has_loop_ ? 1 : 0);
    lanes_ = nest.vector == nullptr ? 1 : frame.LanesFor(ValuesOf(nest));
  }

  void Emit() {
    if (!StoresPastCaches()) {
      Run();
      return;
    }
    auto& b = frame_.builder();
    const auto unit = static_cast<uint64_t>(frame_.emitter().target().vector_bytes);
    llvm::Type* index = frame_.emitter().index();
    llvm::Value* bits = llvm::ConstantInt::get(index, 0);
    for (const loop::FlatStore& s : nest_.stores) {
      if (s.read_soon) continue;
      bits = b.CreateOr(bits, b.CreatePtrToInt(frame_.pointer(s.buffer), index));
    }
    bits = b.CreateAnd(bits, llvm::ConstantInt::get(index, unit - 1));
    aligned_ = b.CreateICmpEQ(bits, llvm::ConstantInt::get(index, 0));
    Run();
    // What follows, perhaps in another thread, sees what was stored.
    b.CreateIntrinsic(llvm::Intrinsic::x86_sse_sfence, {}, {});
  }

 private:
  // True if a result is larger than a third of the last level of cache, hence pushes out what it is
  // made of and is not there when it is read (softmax of 4096x1024 takes 0.55 of the time; with 8
  // MiB of 32 a layer norm would take 1.1 of it), and whole vectors of it are aligned where its
  // array is.
  bool StoresPastCaches() const {
    const ir::Target& target = frame_.emitter().target();
    if (!has_loop_ || nest_.row != nest_.vector || frame_.emitter().small()) return false;
    if (!target.triple.starts_with("x86_64") || !nest_.domain.empty()) return false;
    double elements = 1;
    for (const Variable* v : nest_.loops) {
      if (!v->extent().is_number()) return false;
      elements *= static_cast<double>(v->extent().number());
    }
    bool any = false;
    const bool all = std::ranges::all_of(nest_.stores, [&](const loop::FlatStore& s) {
      if (s.read_soon) return true;
      any = true;
      const int64_t bytes = ir::ByteSize(s.value->dtype);
      const auto is_whole = [&](const loop::Term& t) {
        if (t.variable == nest_.row) return t.coefficient == 1;
        const bool is_loop = t.variable == nullptr || t.variable->kind() == Variable::Kind::kLoop;
        return is_loop && t.coefficient * bytes % target.vector_bytes == 0;
      };
      return elements * static_cast<double>(bytes) >= static_cast<double>(target.l3_bytes) / 3 &&
             lanes_ * bytes == target.vector_bytes && !s.accumulate && s.jump == nullptr &&
             s.value->dtype != ir::DType::kI1 &&
             std::ranges::all_of(s.offset.terms(), [&](const loop::Term& t) {
               return t.symbols.empty() && is_whole(t);
             });
    });
    return any && all;
  }

  void Run() {
    if (nest_.sums.block == nullptr) {
      Loops(0);
    } else {
      Blocks();
    }
  }

  // The rows of each block, with the sums of their columns.
  void Blocks() {
    auto& b = frame_.builder();
    const loop::ColumnSums& sums = nest_.sums;
    const Variable* rows = nest_.loops[0];
    const auto unit = static_cast<int>(sums.pass.across->extent().number());
    columns_ = frame_.MakeColumns(sums.pass, sums.column);
    columns_.fetched.clear();
    at_once_ = RowsOfSums();
    columns_.at_once = std::min(columns_.at_once, at_once_);
    if (sums.passed_on >= 0) passed_on_ = frame_.pointer(sums.passed_on);
    const auto [begin, end] = frame_.BoundsOf(rows);
    const Frame::Range range = frame_.range();
    frame_.Loop(begin, end, unit, true, {}, nullptr,
                [&, last = end](llvm::Value* first, const Values&) -> Values {
                  first_ = first;
                  frame_.Bind(sums.block, b.CreateUDiv(first, Number(unit)));
                  llvm::Value* next = b.CreateAdd(first, Number(unit));
                  next = b.CreateSelect(b.CreateICmpSLT(next, last), next, last);
                  frame_.ClearColumns(columns_);
                  frame_.SetRange({rows, 1, first, next});
                  frame_.InScope([&] { Loops(0); });
                  llvm::Value* count = b.CreateSub(next, first);
                  llvm::Value* whole = b.CreateAnd(count, Number(-at_once_));
                  PassOn(b.CreateAdd(first, whole));
                  frame_.AddSingleRows(columns_, whole, count);
                  frame_.KeepColumns(columns_);
                  frame_.VectorLoopOver(sums.column, columns_.lanes, 1, {},
                                        [&](const Values&) -> Values {
                                          for (const loop::FlatStore& s : sums.stores)
                                            frame_.Store(s);
                                          return {};
                                        });
                  frame_.ForgetKept();
                  return {};
                });
    frame_.SetRange(range);
    if (passed_on_ != nullptr) frame_.SetPointer(sums.passed_on, passed_on_);
  }

  // How many rows are summed at once: of each array so many bytes, with much else in the first
  // level of cache (the gradient of layer norm of 4096x1024 takes 0.78 of the time of eight rows).
  int RowsOfSums() const {
    constexpr int64_t kTogether = 8 << 10;
    int64_t element = 0;
    for (const Scalar* r : nest_.sums.pass.reductions) {
      element = std::max(element, ir::ByteSize(r->dtype));
    }
    int rows = loop::ColumnSums::kRowsAtOnce;
    while (rows > 2 && rows * element * nest_.row->extent().number() > kTogether) rows /= 2;
    return rows;
  }

  llvm::Value* Number(int64_t n) {
    return llvm::ConstantInt::getSigned(frame_.emitter().index(), n);
  }

  // Before `row`, or several from there on: what it passes on to the sums goes where the first rows
  // of the block put it.
  void PassOn(llvm::Value* row) {
    if (passed_on_ == nullptr) return;
    auto& b = frame_.builder();
    const loop::ColumnSums& sums = nest_.sums;
    const loop::FlatStore& store = *std::ranges::find_if(
        nest_.stores, [&](const loop::FlatStore& s) { return s.buffer == sums.passed_on; });
    llvm::Value* back = b.CreateSub(row, first_);
    back = b.CreateAnd(back, Number(-at_once_));
    llvm::Type* element = frame_.emitter().MemoryType(store.value->dtype);
    frame_.SetPointer(sums.passed_on,
                      b.CreateGEP(element, passed_on_, b.CreateMul(back, Number(-sums.stride))));
  }

  // After the row before `next`, if `is_real` (null: it is): adds the rows that are complete.
  void SumColumns(llvm::Value* next, llvm::Value* is_real) {
    auto& b = frame_.builder();
    llvm::Value* done = b.CreateSub(next, first_);
    llvm::Value* is_whole = b.CreateICmpEQ(b.CreateAnd(done, Number(at_once_ - 1)), Number(0));
    if (is_real != nullptr) is_whole = b.CreateAnd(is_whole, is_real);
    frame_.If(is_whole,
              [&] { frame_.AddRows(columns_, b.CreateSub(done, Number(at_once_)), at_once_); });
  }

  // What one row or a group of them is about.
  struct Work {
    int rows;
    const std::vector<loop::RowPass>& passes;
    const std::vector<loop::FlatStore>&row_stores, &stores;
  };

  Values Loops(size_t level) {
    const Work single{1, nest_.passes, nest_.row_stores, nest_.stores};
    if (level == outer_) {
      RowsAndSums(single);
      return {};
    }
    const Variable* v = nest_.loops[level];
    if (level + 1 < outer_ || nest_.group.rows == 1 || frame_.emitter().small()) {
      return frame_.LoopOver(v, {}, [&](const Values&) { return Loops(level + 1); });
    }
    const loop::RowGroup& g = nest_.group;
    if (!g.at.empty()) {
      Staggered(v);
      return {};
    }
    const Work group{g.rows, g.passes, g.row_stores, g.stores};
    frame_.GroupLoopOver(v, g.rows, [&](bool is_group) { RowsAndSums(is_group ? group : single); });
    return {};
  }

  void RowsAndSums(const Work& work) {
    if (nest_.sums.block == nullptr) return Rows(work);
    llvm::Value* row = frame_.EvaluateHere(loop::Index(nest_.loops[0]));
    PassOn(row);
    Rows(work);
    SumColumns(frame_.builder().CreateAdd(row, Number(work.rows)), nullptr);
  }

  // Few rows go one by one. By the rows in all, not by those of a thread's part: the two ways may
  // differ in the last bit of what follows from a sum.
  void Staggered(const Variable* v) {
    auto& b = frame_.builder();
    const std::pair bounds = frame_.BoundsOf(v);
    Frame::EachTurn each_turn;
    if (nest_.sums.block != nullptr) {
      each_turn.before = [&](llvm::Value* row) { PassOn(row); };
      each_turn.after = [&](llvm::Value* row, llvm::Value* is_real) {
        SumColumns(b.CreateAdd(row, Number(1)), is_real);
      };
    }
    const auto staggered = [&] {
      frame_.EmitStaggered(nest_.group, nest_.row, bounds.first, bounds.second, lanes_, Copies(0),
                           each_turn);
    };
    const auto run = [&] { PastCachesIfAligned(staggered); };
    if (v->extent().is_number()) {
      run();
      return;
    }
    llvm::Value* least =
        llvm::ConstantInt::get(frame_.emitter().index(), loop::RowGroup::kLeastStaggered);
    llvm::Value* enough = b.CreateICmpSGE(frame_.Extent(v->extent()), least);
    frame_.If(enough, run);
    frame_.If(b.CreateNot(enough),
              [&] { frame_.LoopOver(v, {}, [&](const Values&) { return Loops(outer_); }); });
  }

  // The same code twice where results are stored past the caches: if they are aligned, and if not.
  template <typename Run>
  void PastCachesIfAligned(const Run& run) {
    if (aligned_ == nullptr) {
      run();
      return;
    }
    frame_.If(aligned_, [&] {
      frame_.past_caches = true;
      run();
      frame_.past_caches = false;
    });
    frame_.If(frame_.builder().CreateNot(aligned_), run);
  }

  // How many vectors at a time, in pass p: of staggered rows in all of them.
  int Copies(size_t p) {
    const auto in = [&](size_t q, int rows) {
      const loop::RowPass& pass = nest_.passes[q];
      return frame_.CopiesOf(pass, nest_.row, static_cast<int>(pass.reductions.size()) * rows);
    };
    if (nest_.group.at.empty()) return in(p, nest_.group.rows);
    constexpr int kManyRegisters = 32;
    int copies = frame_.emitter().target().vector_registers < kManyRegisters ? 2 : 4;
    for (size_t q = 0; q < nest_.passes.size(); ++q) copies = std::min(copies, in(q, 1));
    return copies;
  }

  void Rows(const Work& work) {
    const Fetched fetched = ToFetch(work);
    const auto fetch = [&](const loop::RowPass* pass) {  // null: the loop of the stores
      if (frame_.vector() == nullptr) return;
      const Variable* around = outer_ == 0 ? nullptr : nest_.loops[outer_ - 1];
      if (pass == fetched.loads_in) {
        for (const Scalar* x : fetched.loads) {
          frame_.Prefetch(x->buffer, x->dtype, x->indices[0], around, fetched.ahead * work.rows);
        }
      }
      if (pass == nullptr || pass != fetched.stores_in) return;
      for (const loop::FlatStore& s : fetched.stores) {
        frame_.Prefetch(s.buffer, s.value->dtype, s.offset, around, work.rows, /*to_write=*/true);
      }
    };
    for (size_t p = 0; p < work.passes.size(); ++p) {
      frame_.EmitRowPass(work.passes[p], nest_.row, Copies(p), [&] { fetch(&work.passes[p]); });
    }
    for (const auto& s : work.row_stores) frame_.Store(s);
    const auto stores = [&](const Values&) -> Values {
      fetch(nullptr);
      EmitStores(frame_, work.stores, nest_.domain);
      return {};
    };
    if (!has_loop_) {
      stores({});
    } else if (nest_.row == nest_.vector) {
      const bool small = frame_.emitter().small();
      const int copies = small ? 1 : RowCopies(frame_, nest_, work.stores, lanes_);
      const auto run = [&] { frame_.VectorLoopOver(nest_.row, lanes_, copies, {}, stores); };
      PastCachesIfAligned(run);
    } else {
      frame_.LoopOver(nest_.row, {}, stores);
    }
    frame_.ForgetKept();
  }

  // What is asked for before its turn. Where there is much arithmetic, only the next rows, in the
  // longest pass. Where there is little, memory is the limit: rows are on their way for twice as
  // long, through the loop that stores, and so are the lines that it will store to (layer norm of
  // 4096x1024 takes 0.88 of the time).
  struct Fetched {
    std::vector<const Scalar*> loads;
    const loop::RowPass* loads_in = nullptr;  // null: the loop of the stores
    int ahead = 1;                            // times as many rows as are gone over at once
    std::vector<loop::FlatStore> stores;      // of the next rows
    const loop::RowPass* stores_in = nullptr;
  };

  Fetched ToFetch(const Work& work) const {
    constexpr int64_t kInFlight = 16 << 10;  // bytes, with much else in the first level of cache
    Fetched fetched{RowsToFetch(work), FetchingPass(work)};
    if (fetched.loads.empty() || !has_loop_ || !IsLight(work)) return fetched;
    Fetched early{fetched.loads, nullptr, 2, {}, &work.passes.back()};
    int64_t bytes = 0;  // a row
    for (const Scalar* x : early.loads) bytes += early.ahead * ir::ByteSize(x->dtype);
    for (const loop::FlatStore& s : work.stores) {
      if (aligned_ != nullptr || s.jump != nullptr || s.read_soon) continue;
      if (!IsLongAlongRow(s.offset, s.value->dtype)) continue;
      early.stores.push_back(s);
      bytes += ir::ByteSize(s.value->dtype);
    }
    // (the loads of a group are those of all its rows)
    return bytes * nest_.row->extent().number() <= kInFlight ? early : fetched;
  }

  bool IsLight(const Work& work) const {
    constexpr int kLight = 12;  // operations an element
    if (work.passes.empty() || nest_.row != nest_.vector) return false;
    return std::ranges::all_of(work.passes, [&](const loop::RowPass& pass) {
      return pass.across == nullptr && std::ranges::all_of(pass.reductions, [&](const Scalar* r) {
               return frame_.SizeAlong(r->operands[0], nest_.row) <= kLight;
             });
    });
  }

  bool IsLongAlongRow(const loop::Index& form, ir::DType dtype) const {
    constexpr int64_t kLongRow = 512;  // bytes; shorter ones are on the way anyhow
    return nest_.row->extent().number() * ir::ByteSize(dtype) >= kLongRow &&
           Stride(form, nest_.row) == 1 && Stride(form, nest_.loops[outer_ - 1]).value_or(0) != 0;
  }

  // Loads along the row that run over it more than once, hence wait for memory only the first time,
  // from addresses that the processor does not guess: those of the next row.
  std::vector<const Scalar*> RowsToFetch(const Work& work) const {
    std::vector<const Scalar*> loads;
    if (work.passes.size() + (has_loop_ ? 1 : 0) < 2) return loads;
    if (outer_ == 0 || !nest_.row->extent().is_number()) return loads;
    for (const GuardedLoad& l : LoadsOf(work.stores)) {
      const loop::Index& form = l.load->indices[0];
      const auto is_same = [&](const Scalar* known) { return known == l.load; };
      if (l.load->kind != ScalarKind::kLoad || !l.guards.empty()) continue;
      if (!IsLongAlongRow(form, l.load->dtype)) continue;
      // (a sum of columns reads other rows, too)
      const bool is_in_row = std::ranges::all_of(loop::LoopVariables(form), [&](const Variable* v) {
        return v == nest_.row || std::ranges::find(nest_.loops, v) != nest_.loops.end();
      });
      if (is_in_row && std::ranges::none_of(loads, is_same)) loads.push_back(l.load);
    }
    return loads;
  }

  // The pass in which the next rows are fetched: the longest of those that find theirs in cache and
  // store nothing. Null: the loop of the stores.
  const loop::RowPass* FetchingPass(const Work& work) const {
    const bool none = has_loop_ || work.passes.empty();
    const loop::RowPass* longest = none ? nullptr : &work.passes.back();
    int most = 0;
    for (size_t p = 1; p < work.passes.size(); ++p) {
      int size = 0;
      for (const Scalar* r : work.passes[p].reductions) {
        size = std::max(size, frame_.SizeAlong(r->operands[0], nest_.row));
      }
      if (size > most && work.passes[p].across == nullptr) longest = &work.passes[p];
      most = std::max(most, size);
    }
    return longest;
  }

  Frame& frame_;
  const Nest& nest_;
  bool has_loop_;
  size_t outer_;                      // loops around the row
  Frame::Columns columns_;            // their sums, beside the rows
  int at_once_ = 0;                   // rows that are added to them
  llvm::Value* first_ = nullptr;      // row of the block
  llvm::Value* passed_on_ = nullptr;  // the array of what is passed on to the sums
  llvm::Value* aligned_ = nullptr;    // of results that are stored past the caches; null: of none
  int lanes_;
};
}  // namespace

void EmitRowNest(Frame& frame, const Nest& nest) { RowNest(frame, nest).Emit(); }

}  // namespace gradus::codegen
