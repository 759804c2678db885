#pragma once

// The body of one LLVM function while it is written: scopes (one a loop), and the evaluation of
// index forms and scalars in them. Private to codegen.
//
// Every scope has an anchor, the instruction before which its code goes. A value is emitted at the
// anchor of the outermost scope in which all that it depends on is known, and remembered there:
// loop-invariant code leaves loops by construction, and no pass has to find it.
//
// A scalar is evaluated to a packet: one LLVM value, or, where it depends on the variable that a
// surrounding scope vectorises, that scope's number of vectors. Packets make unrolling (and with it
// several accumulators) a matter of course.

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "codegen/module_emitter.h"
#include "ir/check.h"
#include "ir/loop/plan.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/IRBuilder.h"

namespace gradus::codegen {

using ir::DType;
using Values = llvm::SmallVector<llvm::Value*, 4>;

struct Packet {
  Values values;  // one, or as many as the vector context has copies
  bool vector = false;
};

// Which variable is vectorised: copy c and lane l stand for its binding + c * lanes + l.
struct VectorContext {
  const loop::Variable* variable = nullptr;
  int lanes = 1, copies = 1;
  Values masks;  // one a copy; null: all lanes
};

// The conditions under which the loads inside a guard may touch memory; those of the guards around
// included.
struct Guard {
  int depth = 0;                   // of the scope in which it is known
  llvm::Value* uniform = nullptr;  // i1; null: holds
  Values masks;                    // one a copy of the vector context; empty: hold
};

// A run-time part (null: none) plus a constant, known at `depth`.
struct Form {
  llvm::Value* runtime = nullptr;
  int64_t constant = 0;
  int depth = 0;
};

class Frame {
 public:
  // Writes into `function`, which has no body yet. `buffers`: those of the plan.
  Frame(ModuleEmitter& emitter, llvm::Function* function, const std::vector<loop::Buffer>& buffers);
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  ModuleEmitter& emitter() { return emitter_; }
  llvm::IRBuilder<>& builder() { return builder_; }
  llvm::Function* function() { return function_; }
  const std::vector<loop::Buffer>& buffers() const { return buffers_; }

  void SetPointer(int buffer, llvm::Value* pointer) {
    pointers_[static_cast<size_t>(buffer)] = pointer;
  }
  llvm::Value* pointer(int buffer) const { return pointers_[static_cast<size_t>(buffer)]; }
  void SetSymbol(ir::Symbol symbol, llvm::Value* value) { symbols_.emplace_back(symbol, value); }
  llvm::Value* symbol(ir::Symbol symbol) const;

  // ---- scopes and loops (frame.cpp) ----

  // Puts the builder before the current scope's anchor. Every public function leaves it there.
  void Here();
  void Bind(const loop::Variable* v, llvm::Value* base,
            int64_t offset = 0);  // base null: a constant; known here
  void BindAt(const loop::Variable* v, llvm::Value* base, int64_t offset, int base_depth);
  // Opens a scope without a loop for `body`, optionally with a vector context.
  void InScope(const std::function<void()>& body, const VectorContext* context = nullptr);
  void If(llvm::Value* condition, const std::function<void()>& body);
  // The values of one of two bodies.
  Values Choose(llvm::Value* condition, const std::function<Values()>& yes,
                const std::function<Values()>& no);
  int depth() const { return scope_->depth; }
  // Memory for `elements`, aligned to 64 bytes, for as long as the function runs.
  llvm::Value* Alloca(llvm::Type* element, int64_t elements);
  // Forgets the values that were loaded from memory outside all loops.
  void ForgetLoads();

  // A part of the loop over a variable: units [first, end) of `unit` steps each. The loops below
  // over that variable run over no more.
  struct Range {
    const loop::Variable* variable = nullptr;
    int64_t unit = 1;
    llvm::Value *first = nullptr, *end = nullptr;
  };
  void SetRange(const Range& range) { range_ = range; }
  const Range& range() const { return range_; }
  // The range if it is one of v, else null.
  const Range* RangeOf(const loop::Variable* v) const {
    return range_.variable == v ? &range_ : nullptr;
  }
  // The steps of v that run, [first, second).
  std::pair<llvm::Value*, llvm::Value*> BoundsOf(const loop::Variable* v);

  using LoopBody = std::function<Values(llvm::Value* iv, const Values& carried)>;
  // for (iv = begin; iv < end; iv += step), carrying values. `may_be_empty`: begin < end must be
  // asked first.
  Values Loop(llvm::Value* begin, llvm::Value* end, int64_t step, bool may_be_empty,
              const Values& carried, const VectorContext* context, const LoopBody& body);
  using Body = std::function<Values(const Values& carried)>;
  // v over its extent.
  Values LoopOver(const loop::Variable* v, const Values& carried, const Body& body);
  // The same in vectors of `lanes`, `copies` at a time; what is left over is masked. The body sees
  // fewer copies there.
  // What is carried is some values a copy (a group of `copies` after the other) or, without
  // `carries_copies`, the body's own affair.
  Values VectorLoopOver(const loop::Variable* v, int lanes, int copies, const Values& carried,
                        const Body& body, bool carries_copies = true);
  // v over its extent, `steps` at a time, and one at a time what is left over.
  void GroupLoopOver(const loop::Variable* v, int steps,
                     const std::function<void(bool is_group)>& body);

  // ---- index forms (emit_index.cpp) ----

  llvm::Value* Extent(const loop::Extent& extent);
  llvm::Value* ValueOf(const loop::Polynomial& polynomial);
  // `vector_offset` is added to the vectorised variable.
  Form Evaluate(const loop::Index& form, int64_t vector_offset = 0);
  llvm::Value* Materialize(const Form& form);  // here
  llvm::Value* EvaluateHere(const loop::Index& form) { return Materialize(Evaluate(form)); }
  // Address of buffer[form], `type` the element's type in memory.
  llvm::Value* Address(llvm::Value* buffer, llvm::Type* type, const loop::Index& form,
                       int64_t vector_offset = 0);
  // <lanes x index> of one copy.
  llvm::Value* EvaluateLanes(const loop::Index& form, int copy);
  // lanes with low <= lane < high; null stands for no bound.
  llvm::Value* LaneMask(llvm::Value* low, llvm::Value* high, int lanes);

  // ---- scalars (emit_scalar.cpp, emit_memory.cpp, emit_reduce.cpp) ----

  const VectorContext* vector() const;  // of the innermost scope that has one
  Packet Evaluate(const loop::Scalar* x, const Guard* guard = nullptr);
  Values EvaluateVector(const loop::Scalar* x, const Guard* guard);  // a packet of vectors always
  // buffer[offset] = (or +=) value, where the guard and the vector context's masks allow.
  void Store(const loop::FlatStore& store, const Guard* guard = nullptr);
  // The same with a value at hand in place of the store's.
  void StorePacket(const loop::FlatStore& store, const Packet& packet,
                   const Guard* guard = nullptr);
  llvm::Value* KeptWhole(llvm::Value* value, const llvm::Value* mask);
  const Guard* MakeGuard(std::span<const loop::Condition> conditions, const Guard* outer);
  llvm::Value* Combine(loop::ReduceKind kind, DType dtype, llvm::Value* a, llvm::Value* b);

  // One pass over a row (emit_rows.cpp): its reductions are known afterwards, and what it keeps is
  // read from memory until ForgetKept.
  using InEachStep = std::function<void()>;
  void EmitRowPass(const loop::RowPass& pass, const loop::Variable* row, int copies,
                   const InEachStep& in_each_step);
  // How many vectors at a time suit a pass, on which the order of each sum depends. `sums`: how
  // many numbers it finds in all rows that may be gone over together.
  int CopiesOf(const loop::RowPass& pass, const loop::Variable* row, int sums);
  // The rows [begin, end), not empty, of a staggered group (emit_staggered.cpp). Of each turn,
  // `before` is told the row of the stores, and `after` also whether they were those of a row.
  struct EachTurn {
    std::function<void(llvm::Value* row)> before;
    std::function<void(llvm::Value* row, llvm::Value* is_real)> after;
  };
  void EmitStaggered(const loop::RowGroup& group, const loop::Variable* row, llvm::Value* begin,
                     llvm::Value* end, int lanes, int copies, const EachTurn& each_turn);
  // Sums of columns (emit_columns.cpp): their memory, and what is done with it. `Add`: the rows
  // [begin, begin + count), or one by one [begin, end).
  struct Columns {
    struct Sum {
      const loop::Scalar* reduction;
      llvm::Value *memory, *excess;
    };
    const loop::RowPass* pass;
    const loop::Variable* row;
    std::vector<Sum> sums;
    std::vector<const loop::Scalar*> fetched;  // some rows ahead
    int lanes, at_once;
  };
  Columns MakeColumns(const loop::RowPass& pass, const loop::Variable* row);
  void ClearColumns(const Columns& columns);
  void AddRows(const Columns& columns, llvm::Value* begin, int count);
  void AddSingleRows(const Columns& columns, llvm::Value* begin, llvm::Value* end);
  void KeepColumns(const Columns& columns);  // as what is known of the row
  void ForgetKept() { kept_.clear(); }
  // Asks for what stands at this form `steps` later in the loop over `v`, to read or to write it,
  // if its step is a number.
  void Prefetch(int buffer, DType dtype, const loop::Index& form, const loop::Variable* v,
                int steps, bool to_write = false);
  // Operations that each element along `v` costs; what is kept or reduced counts as a load.
  int SizeAlong(const loop::Scalar* root, const loop::Variable* v) const;

  // The tile's accumulator, in an epilogue.
  std::function<Packet()> accumulator;
  // If set, may give the value of a load (transposed tiles).
  std::function<bool(const loop::Scalar* load, const Guard* guard, Packet* out)> load_hook;
  // Buffers that the running nest stores to: loads of them are not moved, and forgotten at each
  // store.
  uint64_t written = 0;
  // Whole vectors go to memory past the caches; they are aligned.
  bool past_caches = false;
  // Reduction variables to vectorise.
  absl::flat_hash_set<const loop::Variable*> vector_reductions;

  // Facts about a scalar's DAG, memoised.
  struct Facts {
    uint64_t loads = 0;  // buffers; those from 63 on share a bit
    bool has_accumulator = false;
    int size = 0;  // nodes, shared ones counted again (saturates)
  };
  const Facts& FactsOf(const loop::Scalar* x);
  // Lanes of a vector that suit these values: of the narrowest numbers among them.
  int LanesFor(std::span<const loop::Scalar* const> values);

 private:
  struct Binding {
    const loop::Variable* variable;
    llvm::Value* base;
    int64_t offset;
    int base_depth, depth;
  };
  using Sum = absl::InlinedVector<std::pair<llvm::Value*, int64_t>, 4>;
  using ScalarKey = std::pair<const loop::Scalar*, const Guard*>;
  struct Scope {
    Scope* parent = nullptr;
    int depth = 0;
    llvm::Instruction* anchor = nullptr;
    const VectorContext* vector = nullptr;
    llvm::SmallVector<Binding, 2> bindings;
    absl::flat_hash_map<ScalarKey, Packet> values;
    absl::flat_hash_map<ScalarKey, Values> splats;
    absl::flat_hash_map<Sum, llvm::Value*> sums;
    absl::flat_hash_map<std::pair<llvm::Value*, llvm::Value*>, llvm::Value*>
        pairs;  // products, addresses
    absl::flat_hash_map<std::tuple<const loop::Variable*, llvm::Value*, int64_t>, llvm::Value*>
        atoms;
    absl::flat_hash_map<std::tuple<llvm::Value*, llvm::Value*, int>, llvm::Value*> lane_masks;
    absl::flat_hash_map<ScalarKey, const Guard*> guards;
    std::vector<std::unique_ptr<Guard>> owned_guards;
    absl::flat_hash_map<const Guard*, std::unique_ptr<Guard>> uniform_guards;
  };
  // While it lives, `scope_` is the scope of that depth.
  class AtDepth {
   public:
    AtDepth(Frame& frame, int depth) : frame_(frame), saved_(frame.scope_) {
      frame_.scope_ = frame_.ScopeAt(depth);
      frame_.Here();
    }
    ~AtDepth() {
      frame_.scope_ = saved_;
      frame_.Here();
    }
    AtDepth(const AtDepth&) = delete;
    AtDepth& operator=(const AtDepth&) = delete;

   private:
    Frame& frame_;
    Scope* saved_;
  };

  Scope* ScopeAt(int depth);
  void MoveAnchors(llvm::Instruction* from, llvm::Instruction* to);
  const Binding* Find(const loop::Variable* v) const;
  int DepthOf(const loop::Variable* v) const;
  int DepthOf(const loop::Scalar* x, const Guard* guard);
  bool DependsOnVector(const loop::Scalar* x) const;
  bool DependsOnVector(const loop::Index& form) const;
  llvm::Value* SymbolProduct(const loop::Symbols& symbols);
  std::pair<llvm::Value*, int> Atom(const loop::Variable* atom, int64_t vector_offset);
  llvm::Value* AtomLanes(const loop::Variable* atom, int copy);
  llvm::Value* FloorDiv(llvm::Value* a, int64_t divisor, bool non_negative);

  const Guard* Uniform(const Guard* guard);
  Values Splat(const Packet& packet, const VectorContext& context);
  Packet Emit(const loop::Scalar* x, const Guard* guard);
  Values NarrowLanes(const loop::Index& form);
  // x * 2^k as an instruction of its own (emit_scale.cpp), where there is one and x is such a
  // product.
  bool IsScaled(const loop::Scalar* x) const;
  Packet EmitScaled(const loop::Scalar* x, const Guard* guard);
  llvm::Value* EmitOne(const loop::Scalar* x, const Values& operands);
  Packet EmitLoad(const loop::Scalar* x, const Guard* guard);
  Packet EmitGuard(const loop::Scalar* x, const Guard* guard);
  Packet EmitReduce(const loop::Scalar* x, const Guard* guard);
  // The accumulators after one more step of a reduction.
  Values Accumulate(const loop::Scalar* x, const Guard* guard,
                    std::span<llvm::Value* const> carried, bool vectorise, bool may_fuse = true);
  // Maxima and minima of floats in passes leave NaNs out, and note in a flag where there are any.
  static bool FlagsNan(const loop::Scalar* x);
  llvm::Type* FlagType(DType dtype, int lanes);
  llvm::Value* CombineNumbers(loop::ReduceKind kind, llvm::Value* a, llvm::Value* b);
  // The accumulators after one more step, then what to add to the flag.
  Values AccumulateExtreme(const loop::Scalar* x, const Guard* guard,
                           std::span<llvm::Value* const> carried);
  llvm::Value* Across(const loop::Scalar* x, const Values& sums);
  // The numbers of several reductions of one kind, from a vector of each, and their flags.
  Values AcrossAll(const loop::Scalar* x, const Values& vectors, const Values& flags);
  llvm::Value* Gathered(const loop::Scalar* x, Values accumulators, bool numbers);
  // Reductions over `row`, in a loop that also stores `kept` to `memory`: what is carried from step
  // to step, a step, and the numbers at the end.
  struct Along {
    std::span<const loop::Scalar* const> reductions, kept;
    std::span<llvm::Value* const> memory;
    const loop::Variable* row;
    int lanes, copies;
  };
  Values StartAlong(const Along& along);
  void StoreKept(const Along& along);
  Values StepAlong(const Along& along, std::span<llvm::Value* const> carried, const Guard* guard);
  Values EndAlong(const Along& along, std::span<llvm::Value* const> sums);
  Values ReduceAlong(const Along& along, const Guard* guard, const InEachStep& in_each_step);
  static size_t AccumulatorsOf(const loop::Scalar* r, const Along& along);
  int CopiesAlong(std::span<const loop::Scalar* const> reductions, const loop::Variable* row,
                  int lanes, int count);
  int LanesOf(const loop::RowPass& pass);
  llvm::Value* RowMemory(DType dtype, const loop::Variable* row);
  // What `form` of a buffer says in a later step of the loop over `at`.
  struct Fetch {
    int buffer;
    DType dtype;
    loop::Index form;
    const loop::Variable* at;
    bool to_write;
  };
  static std::vector<Fetch> RowsAhead(const loop::RowGroup& group, const loop::Variable* row);
  Values StoresToNowhere(const loop::RowGroup& group, const loop::Variable* row,
                         llvm::Value* is_real);
  void EmitColumnPass(const loop::RowPass& pass, const loop::Variable* row);
  void PrefetchRows(std::span<const loop::Scalar* const> loads, const loop::Variable* across,
                    int rows);
  // A few rows at once, pairwise.
  void AddRowsAtOnce(const Columns& columns, llvm::Value* first, int count);
  void AddRowsInSteps(const Columns& columns, llvm::Value* begin, llvm::Value* end, int step,
                      bool may_be_empty);
  std::pair<llvm::Value*, llvm::Value*> AddCompensated(llvm::Value* sum, llvm::Value* excess,
                                                       llvm::Value* term);
  llvm::Value* AddPairwise(Values terms);
  llvm::Constant* IdentityOf(const loop::Scalar* x);
  bool IsKept(const loop::Scalar* x) const { return kept_.contains(x); }
  Packet LoadKept(const loop::Scalar* x);
  Values ReduceLoops(const loop::Scalar* x, const Guard* guard, size_t level, const Values& carried,
                     bool vectorise, int lanes, int copies);
  llvm::Value* Extreme(DType dtype, llvm::Value* a, llvm::Value* b, bool maximum, bool a_is_number,
                       bool b_is_number);
  llvm::Value* IntegerDivide(llvm::Value* a, llvm::Value* b);
  llvm::Value* Convert(DType from, DType to, llvm::Value* x);
  llvm::Value* I64ToF32(llvm::Value* x);
  llvm::Value* RoundEven(llvm::Value* x, bool floor);
  llvm::Value* LookUp(llvm::Value* index);
  Packet EmitGather(const loop::Scalar* x, const Guard* guard);
  // `jump`, if not empty: elements further on, one number for all or vectors of them.
  Values LoadVectors(llvm::Value* buffer, DType dtype, const loop::Index& form, const Guard* guard,
                     const Packet& jump);
  llvm::Value* FromMemory(DType dtype, llvm::Value* x);
  llvm::Value* ToMemory(DType dtype, llvm::Value* x);
  llvm::Type* WithLanes(llvm::Type* type, int lanes);
  // The stride along the vectorised variable; nullopt if there is none (atoms, run-time strides).
  std::optional<int64_t> VectorStride(const loop::Index& form) const;
  llvm::Value* MaskOf(const Guard* guard, int copy);  // guard and context; null: all lanes

  ModuleEmitter& emitter_;
  llvm::Function* function_;
  const std::vector<loop::Buffer>& buffers_;
  llvm::IRBuilder<> builder_;
  std::vector<llvm::Value*> pointers_;
  std::vector<std::pair<ir::Symbol, llvm::Value*>> symbols_;
  Scope root_;
  Scope* scope_ = nullptr;
  Range range_;
  absl::flat_hash_map<const loop::Scalar*, Facts> facts_;
  struct Kept {
    llvm::Value* memory;
    const loop::Variable* row;
  };
  absl::flat_hash_map<const loop::Scalar*, Kept> kept_;  // values of a row that are in memory
};

}  // namespace gradus::codegen
