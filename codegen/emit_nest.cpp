// Nests: loops around stores, vectorised along one variable.

#include <algorithm>

#include "codegen/emit_kernel.h"
#include "codegen/nest_parts.h"

namespace gradus::codegen {

using loop::Nest;
using loop::Scalar;
using loop::ScalarKind;
using loop::Variable;

namespace {

// How many vectors at a time: more for short bodies, where loop overhead and latency count.
int Copies(Frame& frame, const Nest& nest, int lanes) {
  int size = 0;
  bool reduces = false;
  for (const auto& s : nest.stores) {
    size += frame.FactsOf(s.value).size;
    if (!IsContiguous(Stride(s.offset, nest.vector))) return 1;
  }
  for (const GuardedLoad& l : LoadsOf(nest.stores)) {
    if (!IsContiguous(Stride(l.load->indices[0], nest.vector))) return 1;
    if (l.load->kind == ScalarKind::kGather && l.load->operands[0]->depends_on(nest.vector)) {
      return 1;
    }
    reduces |= l.in_reduction && l.load->depends_on(nest.vector);
  }
  int64_t copies = size <= 12 ? 4 : size <= 40 ? 2 : 1;
  if (reduces && size <= 60) copies = 4;
  return CopiesWithoutRest(nest.vector->extent(), lanes, copies);
}
void EmitPlain(Frame& frame, const Nest& nest) {
  const int lanes = nest.vector == nullptr ? 1 : frame.LanesFor(ValuesOf(nest));
  const int copies =
      nest.vector == nullptr || frame.emitter().small() ? 1 : Copies(frame, nest, lanes);
  std::function<Values(size_t)> loops = [&](size_t level) -> Values {
    if (level == nest.loops.size()) {
      EmitStores(frame, nest.stores, nest.domain);
      return {};
    }
    const Variable* v = nest.loops[level];
    auto body = [&](const Values&) { return loops(level + 1); };
    return v == nest.vector ? frame.VectorLoopOver(v, lanes, copies, {}, body)
                            : frame.LoopOver(v, {}, body);
  };
  loops(0);
}

// Tiles of lanes x lanes. Loads that are strided along the vector variable but contiguous along
// `cross` are read in rows along `cross` and transposed through a stack tile; then each row of the
// tile is an ordinary vector.
class TransposingNest {
 public:
  TransposingNest(Frame& frame, const Nest& nest) : frame_(frame), nest_(nest) {
    lanes_ = frame.LanesFor(ValuesOf(nest));
    FindTransposedLoads();
    SplitDomain();
  }

  void Emit() { Loops(0); }

 private:
  struct TransposedLoad {
    const Scalar* load;
    std::vector<loop::Condition> conditions;
    llvm::Value* tile = nullptr;
  };

  void FindTransposedLoads() {
    absl::flat_hash_map<const Scalar*, int> times;
    std::vector<GuardedLoad> loads = LoadsOf(nest_.stores);
    for (const auto& l : loads) ++times[l.load];
    for (const auto& l : loads) {
      if (l.load->kind != ScalarKind::kLoad) continue;
      const loop::Index& form = l.load->indices[0];
      if (IsContiguous(Stride(form, nest_.vector)) || Stride(form, nest_.cross) != 1) continue;
      int64_t bytes = ir::ByteSize(l.load->dtype);
      bool fits = bytes >= 4 && frame_.emitter().target().lanes(static_cast<int>(bytes)) == lanes_;
      if (l.in_reduction || times[l.load] > 1 || !fits || !Stride(form, nest_.vector)) continue;
      TransposedLoad t{l.load, {}};
      for (const Scalar* g : l.guards) {
        t.conditions.insert(t.conditions.end(), g->conditions.begin(), g->conditions.end());
      }
      transposed_.push_back(std::move(t));
    }
  }

  // `0 <= f < high` with a form that grows by one along a tile's axis shortens the tile; the rest
  // stays a guard.
  void SplitDomain() {
    for (const loop::Condition& c : nest_.domain) {
      const Variable* along = nullptr;
      for (const Variable* v : {nest_.vector, nest_.cross}) {
        const Variable* other = v == nest_.vector ? nest_.cross : nest_.vector;
        if (Stride(c.form, v) == 1 && !c.form.depends_on(other) && !c.high.depends_on(v) &&
            !c.high.depends_on(other)) {
          along = v;
        }
      }
      auto above = loop::Range(c.form - c.low);
      bool low_holds = above.low.has_value() && *above.low >= 0;
      if (along == nullptr || !low_holds) {
        guarded_.push_back(c);
      } else {
        (along == nest_.vector ? vector_limits_ : cross_limits_).push_back(c);
      }
    }
  }

  Values Loops(size_t level) {
    if (level == nest_.loops.size()) {
      Tile();
      return {};
    }
    const Variable* v = nest_.loops[level];
    if (v != nest_.vector && v != nest_.cross) {
      return frame_.LoopOver(v, {}, [&](const Values&) { return Loops(level + 1); });
    }
    bool whole = frame_.RangeOf(v) == nullptr;
    bool number = v->extent().is_number() && whole;
    if (number && v->extent().number() == 0) return {};
    llvm::Value* zero = llvm::ConstantInt::get(frame_.emitter().index(), 0);
    if (number && v->extent().number() <= lanes_) {
      (v == nest_.vector ? vector_base_ : cross_base_) = zero;
      return Loops(level + 1);
    }
    // A range begins at a whole tile.
    const auto [begin, end] = frame_.BoundsOf(v);
    return frame_.Loop(begin, end, lanes_, !number, {}, nullptr,
                       [&](llvm::Value* iv, const Values&) {
                         (v == nest_.vector ? vector_base_ : cross_base_) = iv;
                         frame_.Bind(v, iv);
                         return Loops(level + 1);
                       });
  }

  // Elements of this tile along v: lanes but at the end of the extent, or of the domain. A constant
  // if always lanes.
  llvm::Value* Count(const Variable* v, llvm::Value* base,
                     const std::vector<loop::Condition>& limits) {
    auto& b = frame_.builder();
    llvm::Value* lanes =
        llvm::ConstantInt::get(frame_.emitter().index(), static_cast<uint64_t>(lanes_));
    llvm::Value* count = lanes;
    auto limit = [&](llvm::Value* rest) {
      count = b.CreateSelect(b.CreateICmpSLT(rest, count), rest, count);
    };
    if (!v->extent().is_number() || v->extent().number() % lanes_ != 0) {
      limit(b.CreateSub(frame_.Extent(v->extent()), base));
    }
    for (const loop::Condition& c : limits) {
      limit(b.CreateSub(frame_.EvaluateHere(c.high), frame_.EvaluateHere(c.form)));
    }
    return count;
  }

  // null: all lanes.
  llvm::Value* MaskOf(llvm::Value* count) {
    auto* number = llvm::dyn_cast<llvm::ConstantInt>(count);
    if (number != nullptr && number->getSExtValue() == lanes_) return nullptr;
    return frame_.LaneMask(nullptr, count, lanes_);
  }

  void Tile() {
    auto& b = frame_.builder();
    frame_.InScope([&] {
      if (llvm::isa<llvm::Constant>(vector_base_)) frame_.Bind(nest_.vector, nullptr, 0);
      if (llvm::isa<llvm::Constant>(cross_base_)) frame_.Bind(nest_.cross, nullptr, 0);
      llvm::Value* columns = Count(nest_.vector, vector_base_, vector_limits_);
      llvm::Value* rows = Count(nest_.cross, cross_base_, cross_limits_);
      llvm::Value* lanes =
          llvm::ConstantInt::get(frame_.emitter().index(), static_cast<uint64_t>(lanes_));
      llvm::Value* full = b.CreateAnd(b.CreateICmpEQ(rows, lanes), b.CreateICmpEQ(columns, lanes));
      if (IsPureTransposition()) {
        const loop::FlatStore& s = nest_.stores[0];
        DType dtype = transposed_[0].load->dtype;
        llvm::Type* type = frame_.emitter().MemoryType(dtype);
        Transpose(transposed_[0], frame_.Address(frame_.pointer(s.buffer), type, s.offset),
                  *Stride(s.offset, nest_.cross), full, rows, columns);
        return;
      }
      for (TransposedLoad& t : transposed_) {
        t.tile = StackTile(t);
        if (t.conditions.empty() && guarded_.empty()) {
          Transpose(t, t.tile, lanes_, full, rows, columns);
        } else {
          TransposeGuarded(t, rows, columns);
        }
      }
      Rows(rows, columns);
    });
  }

  bool IsPureTransposition() const {
    if (nest_.stores.size() != 1 || transposed_.size() != 1 || !guarded_.empty()) return false;
    const loop::FlatStore& s = nest_.stores[0];
    return s.value == transposed_[0].load && !s.accumulate && Stride(s.offset, nest_.vector) == 1 &&
           Stride(s.offset, nest_.cross).has_value();
  }

  llvm::Value* StackTile(const TransposedLoad& t) {
    return frame_.Alloca(frame_.emitter().MemoryType(t.load->dtype), lanes_ * lanes_);
  }

  // The tile of the load at (vector_base_, cross_base_) to `target`, one row a step of `cross`.
  void Transpose(const TransposedLoad& t, llvm::Value* target, int64_t target_stride,
                 llvm::Value* full, llvm::Value* rows, llvm::Value* columns) {
    auto& e = frame_.emitter();
    auto& b = frame_.builder();
    llvm::Type* type = e.MemoryType(t.load->dtype);
    int bytes = static_cast<int>(ir::ByteSize(t.load->dtype));
    llvm::Value* source = frame_.Address(frame_.pointer(t.load->buffer), type, t.load->indices[0]);
    llvm::Value* source_stride =
        llvm::ConstantInt::getSigned(e.index(), *Stride(t.load->indices[0], nest_.vector));
    Values args{source,  source_stride,
                target,  llvm::ConstantInt::getSigned(e.index(), target_stride),
                columns, rows};
    auto* known = llvm::dyn_cast<llvm::ConstantInt>(full);
    if (known == nullptr || known->isOne()) {
      frame_.If(full, [&] { b.CreateCall(TransposeFunction(e, bytes, true), args); });
    }
    if (known == nullptr || known->isZero()) {
      frame_.If(b.CreateNot(full), [&] { b.CreateCall(TransposeFunction(e, bytes, false), args); });
    }
  }

  // Rows along `cross` under the load's guards, first to a stack tile.
  void TransposeGuarded(const TransposedLoad& t, llvm::Value* rows, llvm::Value* columns) {
    auto& e = frame_.emitter();
    auto& b = frame_.builder();
    llvm::Type* type = e.MemoryType(t.load->dtype);
    llvm::Value* raw = StackTile(t);
    VectorContext context{nest_.cross, lanes_, 1, {MaskOf(rows)}};
    llvm::Value* zero = llvm::ConstantInt::get(e.index(), 0);
    frame_.InScope(
        [&] {
          frame_.Bind(nest_.cross, cross_base_);
          frame_.Loop(
              zero, columns, 1, true, {}, nullptr, [&](llvm::Value* iv, const Values&) -> Values {
                frame_.Bind(nest_.vector, b.CreateAdd(vector_base_, iv));
                std::vector<loop::Condition> conditions = t.conditions;
                conditions.insert(conditions.end(), guarded_.begin(), guarded_.end());
                Values row = frame_.EvaluateVector(t.load, frame_.MakeGuard(conditions, nullptr));
                llvm::Value* offset = b.CreateMul(
                    iv, llvm::ConstantInt::get(e.index(), static_cast<uint64_t>(lanes_)));
                b.CreateAlignedStore(row[0], b.CreateGEP(type, raw, offset),
                                     llvm::Align(ir::ByteSize(t.load->dtype)));
                return {};
              });
        },
        &context);
    llvm::Value* stride = llvm::ConstantInt::get(e.index(), static_cast<uint64_t>(lanes_));
    b.CreateCall(TransposeFunction(e, static_cast<int>(ir::ByteSize(t.load->dtype)), true),
                 {raw, stride, t.tile, stride, stride, stride});
  }

  void Rows(llvm::Value* rows, llvm::Value* columns) {
    auto& e = frame_.emitter();
    auto& b = frame_.builder();
    VectorContext context{nest_.vector, lanes_, 1, {MaskOf(columns)}};
    llvm::Value* zero = llvm::ConstantInt::get(e.index(), 0);
    frame_.InScope(
        [&] {
          frame_.Bind(nest_.vector, vector_base_);
          frame_.Loop(
              zero, rows, 1, true, {}, nullptr, [&](llvm::Value* iv, const Values&) -> Values {
                frame_.Bind(nest_.cross, b.CreateAdd(cross_base_, iv));
                frame_.load_hook = [&](const Scalar* load, const Guard*, Packet* out) {
                  for (const TransposedLoad& t : transposed_) {
                    if (t.load != load) continue;
                    llvm::Type* type = e.MemoryType(load->dtype);
                    llvm::Value* offset = b.CreateMul(
                        iv, llvm::ConstantInt::get(e.index(), static_cast<uint64_t>(lanes_)));
                    llvm::Type* vector =
                        llvm::FixedVectorType::get(type, static_cast<unsigned>(lanes_));
                    *out = {{b.CreateAlignedLoad(vector, b.CreateGEP(type, t.tile, offset),
                                                 llvm::Align(64))},
                            true};
                    return true;
                  }
                  return false;
                };
                EmitStores(frame_, nest_.stores, guarded_);
                frame_.load_hook = nullptr;
                return {};
              });
        },
        &context);
  }

  Frame& frame_;
  const Nest& nest_;
  int lanes_ = 0;
  std::vector<TransposedLoad> transposed_;
  std::vector<loop::Condition> guarded_, vector_limits_, cross_limits_;
  llvm::Value* vector_base_ = nullptr;
  llvm::Value* cross_base_ = nullptr;
};
}  // namespace

void EmitNest(Frame& frame, const Nest& nest) {
  frame.written = 0;
  for (const auto* list : {&nest.stores, &nest.row_stores}) {
    for (const auto& s : *list) frame.written |= uint64_t{1} << std::min(s.buffer, 63);
  }
  frame.vector_reductions.clear();
  frame.vector_reductions.insert(nest.vector_reductions.begin(), nest.vector_reductions.end());
  if (nest.running != nullptr) {
    EmitRunningSum(frame, nest);
  } else if (nest.mode == Nest::Mode::kTranspose && nest.vector != nullptr &&
             nest.cross != nullptr) {
    TransposingNest(frame, nest).Emit();
  } else if (nest.row != nullptr) {
    EmitRowNest(frame, nest);
  } else {
    EmitPlain(frame, nest);
  }
  frame.written = 0;
}

}  // namespace gradus::codegen
