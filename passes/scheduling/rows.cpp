#include "passes/scheduling/rows.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "ir/loop/walk.h"

namespace gradus::passes::scheduling {
namespace {

using ScalarSet = absl::flat_hash_set<const Scalar*>;

// Memory that a nest's kept values may take, on the stack: it should stay in the first levels of
// cache beside the rows themselves.
constexpr int64_t kKeptBytes = 64 << 10;
// Sums of columns: elements of a row whose sums the stack may hold, and how many rows it takes, and
// how wide, to be worth it.
constexpr int64_t kColumnElements = 4096;
constexpr int64_t kFewRows = 64;
constexpr int64_t kNarrow = 16;
// Rows at once: those of so many bytes. Longer ones hide their own latencies, and where they are a
// multiple of 4 KiB apart they displace each other in the first level of cache.
constexpr int64_t kRowsOfFour = 2048, kRowsOfTwo = 4095;
// Staggered rows: of so many bytes, those which the passes are at in the first level of cache,
// where a pass has so many operations an element that arithmetic takes the time.
constexpr int64_t kShortestStaggered = 1024, kLongestStaggered = 8192;
constexpr int64_t kStaggeredBytes = 32 << 10;
constexpr int kMuchArithmetic = 12;
// From so many operations along the row on, a group's code takes too long to compile.
constexpr int kGroupOperations = 160;
// From so many operations on, a load and a store cost less than computing a value again.
constexpr int kKeptCost = 6;

std::vector<const Scalar*> ValuesOf(const loop::Nest& nest) {
  std::vector<const Scalar*> values;
  for (const auto* list : {&nest.row_stores, &nest.stores}) {
    for (const loop::FlatStore& s : *list) values.push_back(s.value);
  }
  return values;
}

int OperationCost(const Scalar& s) {
  switch (s.kind) {
    case ScalarKind::kConst:
    case ScalarKind::kLoad: return 0;
    case ScalarKind::kDiv:
    case ScalarKind::kSqrt:
    case ScalarKind::kGather: return 4;
    default: return 1;
  }
}

class RowPasses {
 public:
  RowPasses(Arena& arena, loop::Nest& nest) : arena_(arena), nest_(nest) {}

  void Process() {
    if (nest_.mode != loop::Nest::Mode::kPlain || !nest_.domain.empty()) return;
    row_ = Row();
    if (row_ == nullptr) return;
    if (!nest_.row_stores.empty()) nest_.row = row_;
    Variables outer = nest_.loops;
    if (!outer.empty() && outer.back() == row_) outer.pop_back();
    within_ = outer.empty() ? nullptr : outer.back();
    ShareVariable();
    ShareAcross();
    DropUpperLimits();
    FindReductions();
    if (reductions_.empty()) return;
    nest_.row = row_;
    AssignPasses();
    Keep();
    if (IsOneSum()) {
      nest_.row = nullptr;
      nest_.passes.clear();
    }
    if (CanStagger()) {
      Stagger();
      return;
    }
    nest_.group.rows = RowsAtOnce();
    if (nest_.group.rows > 1) FormGroup();
  }

 private:
  const Variable* Row() const {
    if (!nest_.row_stores.empty()) return nest_.loops.back();
    const bool is_innermost = !nest_.loops.empty() && nest_.vector == nest_.loops.back();
    if (is_innermost) return nest_.vector;
    if (nest_.vector != nullptr || nest_.vector_reductions.empty()) return nullptr;
    return nest_.vector_reductions.front();
  }

  // A reduction a row and nothing else shares nothing.
  bool IsOneSum() const {
    return !Contains(nest_.loops, row_) && nest_.passes.size() == 1 &&
           nest_.passes[0].reductions.size() == 1;
  }

  static bool IsAlong(const Scalar& s, const Variable* v) {
    return s.kind == ScalarKind::kReduce && s.variables.size() == 1 && s.variables[0] == v;
  }

  // Renames the variables of reductions that run over as much as the row.
  void ShareVariable() {
    std::vector<loop::Substitution> renamed;
    const std::vector<const Scalar*> scalars = PostOrder(ValuesOf(nest_));
    for (const Variable* v : nest_.vector_reductions) {
      if (v == row_ || !(v->extent() == row_->extent())) continue;
      const bool can_be = std::ranges::all_of(scalars, [&](const Scalar* s) {
        if (s->kind != ScalarKind::kReduce || !Contains(s->variables, v)) return true;
        return IsAlong(*s, v) && !s->depends_on(row_);
      });
      if (can_be) renamed.push_back({v, Index(row_)});
    }
    if (renamed.empty()) return;
    Rename(renamed);
    std::erase_if(nest_.vector_reductions, [&](const Variable* v) {
      return std::ranges::any_of(renamed, [&](const auto& r) { return r.from == v; });
    });
    if (!Contains(nest_.vector_reductions, row_)) nest_.vector_reductions.push_back(row_);
  }

  void Rename(std::span<const loop::Substitution> list) {
    for (auto* stores : {&nest_.row_stores, &nest_.stores}) {
      for (loop::FlatStore& s : *stores) s.value = arena_.Substitute(s.value, list);
    }
  }

  // Renames the variables of sums of columns that run over as many rows: one pass finds them all.
  void ShareAcross() {
    Variables known;
    std::vector<loop::Substitution> renamed;
    const std::vector<const Scalar*> scalars = PostOrder(ValuesOf(nest_));
    for (const Scalar* sum : scalars) {
      if (!IsColumnSum(*sum) || Contains(known, sum->variables[0])) continue;
      const Variable* v = sum->variables[0];
      known.push_back(v);
      const auto first = std::ranges::find_if(
          known, [&](const Variable* other) { return other->extent() == v->extent(); });
      const bool can_be = std::ranges::all_of(scalars, [&](const Scalar* s) {
        if (s->kind != ScalarKind::kReduce || !Contains(s->variables, v)) return true;
        return IsColumnSum(*s) && !s->depends_on(*first);
      });
      if (*first != v && can_be) renamed.push_back({v, Index(*first)});
    }
    if (!renamed.empty()) Rename(renamed);
  }

  // Whether x is 0 at most, or NaN: the difference of an element and the maximum of its row.
  bool IsNotPositive(const Scalar* x) const {
    if (x->kind == ScalarKind::kSub) {
      const Scalar* maximum = x->operands[1];
      return ir::IsFloat(x->dtype) && IsAlong(*maximum, row_) &&
             maximum->reduce == loop::ReduceKind::kMax && maximum->operands[0] == x->operands[0];
    }
    // As `Select(Lt(x, low), low, x)`.
    if (x->kind != ScalarKind::kSelect || x->operands[0]->kind != ScalarKind::kLt) return false;
    const Scalar *low = x->operands[1], *rest = x->operands[2];
    return low->kind == ScalarKind::kConst && low->number <= 0 && IsNotPositive(rest);
  }

  // What is 0 at most is not limited to something positive, as the argument of exp is: softmax of
  // 256x1000 takes 0.95 of the time.
  void DropUpperLimits() {
    absl::flat_hash_map<const Scalar*, const Scalar*> without;
    loop::ForEachReached(ValuesOf(nest_), [&](const Scalar* s) {
      if (s->kind != ScalarKind::kSelect || !ir::IsFloat(s->dtype)) return;
      const Scalar *condition = s->operands[0], *high = s->operands[1], *x = s->operands[2];
      if (condition->kind != ScalarKind::kLt || high->kind != ScalarKind::kConst) return;
      if (condition->operands[0] != high || condition->operands[1] != x || high->number < 0) return;
      if (IsNotPositive(x)) without.emplace(s, x);
    });
    if (without.empty()) return;
    for (auto* list : {&nest_.row_stores, &nest_.stores}) {
      for (loop::FlatStore& s : *list) s.value = arena_.Substitute(s.value, {}, without);
    }
  }

  // Reductions along the row that are computed once in each step of the loops around it. What
  // stands under a guard is evaluated where its condition is known, and what reads memory that the
  // nest writes, when it has been written.
  void FindReductions() {
    const std::vector<const Scalar*> values = ValuesOf(nest_);
    loop::ForEachReached(values, [&](const Scalar* s) {
      if (s->kind == ScalarKind::kGuard) return false;
      const bool in_step = within_ == nullptr || s->depends_on(within_);
      if (IsColumnSum(*s) && in_step && !ReadsStored(s)) {
        reductions_.insert(s);
        return true;
      }
      if (IsAlong(*s, row_) && Contains(nest_.vector_reductions, row_) && in_step &&
          !ReadsStored(s)) {
        reductions_.insert(s);
      }
      return true;
    });
  }

  // A long sum for each element of the row, of what lies along rows: read column by column it would
  // wait for memory at each step.
  bool IsColumnSum(const Scalar& s) const {
    if (s.kind != ScalarKind::kReduce || s.reduce != loop::ReduceKind::kSum) return false;
    if (!ir::IsFloat(s.dtype) || s.variables.size() != 1 || !s.depends_on(row_)) return false;
    if (nest_.vector != row_ || !row_->extent().is_number()) return false;
    if (row_->extent().number() > kColumnElements || row_->extent().number() < kNarrow) {
      return false;
    }
    const Variable* v = s.variables[0];
    if (v->extent().is_number() && v->extent().number() < kFewRows) return false;
    bool along = true;
    loop::ForEachReached(s.operands[0], [&](const Scalar* x) {
      if (x->kind == ScalarKind::kReduce) along &= !x->depends_on(v);
      if (x->kind == ScalarKind::kGuard) along = false;
      if (!x->reads_buffer() || !x->depends_on(row_)) return;
      along &= x->kind == ScalarKind::kLoad && !InAtom(x->indices[0], row_) &&
               Stride(x->indices[0], row_) == 1;
    });
    return along;
  }

  bool ReadsStored(const Scalar* root) const {
    bool reads = false;
    loop::ForEachReached(root, [&](const Scalar* s) {
      for (const auto* list : {&nest_.row_stores, &nest_.stores}) {
        for (const loop::FlatStore& store : *list) {
          reads |= s->reads_buffer() && s->buffer == store.buffer;
        }
      }
    });
    return reads;
  }

  void AssignPasses() {
    absl::flat_hash_map<const Scalar*, size_t> known;  // how many passes a scalar needs before it
    for (const Scalar* s : PostOrder(ValuesOf(nest_))) {
      size_t passes = 0;
      for (const Scalar* o : s->operands) passes = std::max(passes, known[o]);
      if (reductions_.contains(s)) {
        const Variable* across = IsAlong(*s, row_) ? nullptr : s->variables[0];
        // Those over the row and those across it are no one loop.
        while (passes < nest_.passes.size() && nest_.passes[passes].across != across) ++passes;
        if (nest_.passes.size() == passes) nest_.passes.push_back({across, {}, {}});
        nest_.passes[passes].reductions.push_back(s);
        ++passes;
      }
      known[s] = passes;
    }
  }

  // What is evaluated along the row for these roots: everything outside guards and reductions.
  ScalarSet Along(std::span<const Scalar* const> roots) const {
    ScalarSet reached;
    loop::ForEachReached(roots, [&](const Scalar* s) {
      if (s->kind == ScalarKind::kReduce || !s->depends_on(row_)) return false;
      reached.insert(s);
      return s->kind != ScalarKind::kGuard;
    });
    return reached;
  }

  // Operations that keeping `root` saves, given what is kept already.
  int Cost(const Scalar* root) const {
    int cost = 0;
    loop::ForEachReached(root, [&](const Scalar* s) {
      if (s->kind == ScalarKind::kReduce || !s->depends_on(row_)) return false;
      if (s != root && kept_.contains(s)) return false;
      cost += OperationCost(*s);
      return true;
    });
    return cost;
  }

  void Keep() {
    if (!row_->extent().is_number()) return;  // so is the memory
    for (size_t p = 0; p < nest_.passes.size(); ++p) {
      if (nest_.passes[p].across != nullptr) continue;
      const ScalarSet now = Along(BodiesOf(nest_.passes[p]));
      std::vector<const Scalar*> later = ValuesOf(nest_);
      for (size_t q = p + 1; q < nest_.passes.size(); ++q) {
        const std::vector<const Scalar*> bodies = BodiesOf(nest_.passes[q]);
        later.insert(later.end(), bodies.begin(), bodies.end());
      }
      loop::ForEachReached(later, [&](const Scalar* s) {
        if (s->kind == ScalarKind::kReduce || s->kind == ScalarKind::kGuard) return false;
        if (kept_.contains(s)) return false;
        const int64_t bytes = s->dtype == ir::DType::kI1
                                  ? kKeptBytes + 1
                                  : row_->extent().number() * ir::ByteSize(s->dtype);
        if (!now.contains(s) || Cost(s) < kKeptCost || bytes_ + bytes > kKeptBytes) return true;
        bytes_ += bytes;
        kept_.insert(s);
        nest_.passes[p].kept.push_back(s);
        return false;
      });
    }
  }

  // True if rows may be gone over together: no row needs what another one stores.
  bool CanGroup() const {
    if (within_ == nullptr || nest_.passes.empty() || !row_->extent().is_number()) return false;
    for (const loop::RowPass& pass : nest_.passes) {
      if (pass.across != nullptr) return false;
    }
    for (const auto* list : {&nest_.row_stores, &nest_.stores}) {
      for (const loop::FlatStore& s : *list) {
        if (s.accumulate || s.jump != nullptr || ReadsStored(s.value)) return false;
      }
    }
    return true;
  }

  int RowsAtOnce() const {
    if (!CanGroup()) return 1;
    int64_t element = 4;
    for (const auto* list : {&nest_.row_stores, &nest_.stores}) {
      for (const loop::FlatStore& s : *list) {
        element = std::max(element, ir::ByteSize(s.value->dtype));
      }
    }
    const int64_t bytes = row_->extent().number() * element;
    int rows = bytes <= kRowsOfFour ? 4 : bytes <= kRowsOfTwo ? 2 : 1;
    const loop::Extent& all = within_->extent();
    const auto operations = static_cast<int>(Along(AllRoots()).size());
    while (rows > 1 && (rows * operations > kGroupOperations || rows * bytes_ > kKeptBytes ||
                        (all.is_number() && all.number() < rows))) {
      rows /= 2;
    }
    return rows;
  }

  std::vector<const Scalar*> AllRoots() const {
    std::vector<const Scalar*> roots = ValuesOf(nest_);
    for (const loop::RowPass& pass : nest_.passes) {
      const std::vector<const Scalar*> bodies = BodiesOf(pass);
      roots.insert(roots.end(), bodies.begin(), bodies.end());
    }
    return roots;
  }

  // Staggered passes begin with numbers that mean nothing, and what comes of these is dropped: they
  // must not trap or decide where memory is read. All are of one size, hence of as many lanes.
  bool CanStagger() const {
    if (!CanGroup() || nest_.vector != row_ || !Contains(nest_.loops, row_)) return false;
    const loop::Extent& rows = within_->extent();
    if (rows.is_number() && rows.number() < loop::RowGroup::kLeastStaggered) return false;
    const ir::DType dtype = nest_.passes[0].reductions[0]->dtype;
    const int64_t bytes = row_->extent().number() * ir::ByteSize(dtype);
    if (bytes < kShortestStaggered || bytes > kLongestStaggered) return false;
    absl::flat_hash_set<int> written;
    for (const loop::FlatStore& s : nest_.stores) {
      if (!written.insert(s.buffer).second || InAtom(s.offset, row_)) return false;
      if (Stride(s.offset, row_) != 1) return false;
    }
    bool can = true;
    loop::ForEachReached(AllRoots(), [&](const Scalar* s) {
      const bool is_flag = s->dtype == ir::DType::kI1;
      if (s->depends_on(row_) && !is_flag) can &= ir::ByteSize(s->dtype) == ir::ByteSize(dtype);
      if (s->kind == ScalarKind::kReduce) can &= reductions_.contains(s) && ir::IsFloat(s->dtype);
      if (s->kind == ScalarKind::kDiv) can &= ir::IsFloat(s->dtype);
      can &= s->kind != ScalarKind::kGather && s->kind != ScalarKind::kGuard;
    });
    int most = 0;
    for (const loop::RowPass& pass : nest_.passes) {
      for (const Scalar* k : pass.kept) can &= k->depends_on(within_);
      const std::vector<const Scalar*> bodies = BodiesOf(pass);
      int cost = 0;
      for (const Scalar* s : Along(bodies)) cost += OperationCost(*s);
      most = std::max(most, cost);
    }
    const auto operations = static_cast<int>(Along(AllRoots()).size());
    return can && most > kMuchArithmetic && operations <= kGroupOperations &&
           StaggeredRows(1) * bytes <= kStaggeredBytes;
  }

  // Rows that are in use at once: of what is read, from the first pass that does to the last, of
  // what is kept, and of what is stored.
  int64_t StaggeredRows(int behind) const {
    absl::flat_hash_map<const Scalar*, std::pair<int, int>> read;  // the first and the last pass
    ScalarSet known;
    auto rows = static_cast<int64_t>(nest_.stores.size());
    const auto count = static_cast<int>(nest_.passes.size());
    for (int q = 0; q <= count; ++q) {
      const auto at = static_cast<size_t>(q);
      loop::ForEachReached(q == count ? ValuesOf(nest_) : BodiesOf(nest_.passes[at]),
                           [&](const Scalar* s) {
                             if (s->kind == ScalarKind::kReduce || known.contains(s)) return false;
                             if (s->kind == ScalarKind::kLoad && s->depends_on(row_)) {
                               read.try_emplace(s, q, q).first->second.second = q;
                             }
                             return true;
                           });
      if (q == count) break;
      for (const Scalar* s : nest_.passes[at].kept) {
        known.insert(s);
        rows += static_cast<int64_t>(LastUse(s, at) - at) * behind;
      }
    }
    for (const auto& [load, passes] : read) {
      const bool is_of_all_rows = !load->depends_on(within_);
      rows += is_of_all_rows ? 1 : (passes.second - passes.first) * behind + 1;
    }
    return rows;
  }

  void Stagger() {
    loop::RowGroup& group = nest_.group;
    const size_t behind = nest_.passes.size();
    const int64_t bytes =
        row_->extent().number() * ir::ByteSize(nest_.passes[0].reductions[0]->dtype);
    group.behind = StaggeredRows(2) * bytes <= kStaggeredBytes ? 2 : 1;
    group.rows = static_cast<int>(behind) + 1;
    for (size_t q = 0; q <= behind; ++q) {
      group.at.push_back(arena_.NewVariable(within_->name(), within_->extent()));
    }
    const auto at = [&](const Scalar* s, size_t q) {
      const loop::Substitution there{within_, Index(group.at[q])};
      return arena_.Substitute(s, std::span<const loop::Substitution>(&there, 1));
    };
    for (size_t p = 0; p < behind; ++p) {
      loop::RowPass pass;
      for (const Scalar* r : nest_.passes[p].reductions) pass.reductions.push_back(at(r, p));
      for (const Scalar* s : nest_.passes[p].kept) pass.kept.push_back(at(s, p));
      group.passes.push_back(std::move(pass));
    }
    const auto add = [&](std::span<const loop::FlatStore> from, std::vector<loop::FlatStore>& to) {
      const loop::Substitution there{within_, Index(group.at[behind])};
      for (loop::FlatStore s : from) {
        s.value = at(s.value, behind);
        s.offset = loop::Substitute(arena_, s.offset, std::span(&there, 1));
        to.push_back(std::move(s));
      }
    };
    add(nest_.row_stores, group.row_stores);
    add(nest_.stores, group.stores);
    for (size_t p = 0; p < behind; ++p) {
      const auto pass_on = [&](const Scalar* s, std::vector<loop::RowGroup::Passed>& list) {
        loop::RowGroup::Passed passed{at(s, p), {}};
        for (size_t q = p + 1; q <= LastUse(s, p); ++q) passed.later.push_back(at(s, q));
        list.push_back(std::move(passed));
      };
      for (const Scalar* r : nest_.passes[p].reductions) pass_on(r, group.found);
      for (const Scalar* s : nest_.passes[p].kept) pass_on(s, group.kept);
    }
  }

  // The last pass (or, as many as there are, the stores) in which something of pass p is used.
  size_t LastUse(const Scalar* x, size_t p) const {
    size_t last = p;
    ScalarSet kept;  // before pass q
    for (size_t q = 0; q < p; ++q) {
      for (const Scalar* s : nest_.passes[q].kept) kept.insert(s);
    }
    for (size_t q = p + 1; q <= nest_.passes.size(); ++q) {
      for (const Scalar* s : nest_.passes[q - 1].kept) kept.insert(s);
      const bool is_last = q == nest_.passes.size();
      const std::vector<const Scalar*> roots =
          is_last ? ValuesOf(nest_) : BodiesOf(nest_.passes[q]);
      loop::ForEachReached(roots, [&](const Scalar* s) {
        if (s == x) last = q;
        return s->kind != ScalarKind::kReduce && !kept.contains(s);
      });
    }
    return last;
  }

  void FormGroup() {
    loop::RowGroup& group = nest_.group;
    group.passes.resize(nest_.passes.size());
    for (int k = 0; k < group.rows; ++k) {
      const loop::Substitution there{within_, Index(within_) + Index(k)};
      const std::span<const loop::Substitution> list(&there, 1);
      const auto at_row = [&](const Scalar* s) { return k == 0 ? s : arena_.Substitute(s, list); };
      for (size_t p = 0; p < nest_.passes.size(); ++p) {
        for (const Scalar* r : nest_.passes[p].reductions) {
          group.passes[p].reductions.push_back(at_row(r));
        }
        for (const Scalar* s : nest_.passes[p].kept) group.passes[p].kept.push_back(at_row(s));
      }
      const auto add = [&](std::span<const loop::FlatStore> from,
                           std::vector<loop::FlatStore>& to) {
        for (loop::FlatStore s : from) {
          s.value = at_row(s.value);
          s.offset = loop::Substitute(arena_, s.offset, list);
          to.push_back(std::move(s));
        }
      };
      add(nest_.row_stores, group.row_stores);
      add(nest_.stores, group.stores);
    }
  }

  static std::vector<const Scalar*> BodiesOf(const loop::RowPass& pass) {
    std::vector<const Scalar*> bodies;
    for (const Scalar* r : pass.reductions) bodies.push_back(r->operands[0]);
    return bodies;
  }

  Arena& arena_;
  loop::Nest& nest_;
  const Variable* row_ = nullptr;
  const Variable* within_ = nullptr;  // the innermost loop around the row
  ScalarSet reductions_, kept_;
  int64_t bytes_ = 0;
};

}  // namespace

void FormRowPasses(Arena& arena, loop::Nest& nest) { RowPasses(arena, nest).Process(); }

}  // namespace gradus::passes::scheduling
