#include "passes/scheduling/rows.h"

#include <algorithm>

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
    FindReductions();
    if (reductions_.empty()) return;
    nest_.row = row_;
    AssignPasses();
    Keep();
    if (IsOneSum()) {
      nest_.row = nullptr;
      nest_.passes.clear();
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

  int RowsAtOnce() const {
    if (within_ == nullptr || nest_.passes.empty() || !row_->extent().is_number()) return 1;
    for (const loop::RowPass& pass : nest_.passes) {
      if (pass.across != nullptr) return 1;
    }
    int64_t element = 4;
    for (const auto* list : {&nest_.row_stores, &nest_.stores}) {
      for (const loop::FlatStore& s : *list) {
        if (s.accumulate || s.jump != nullptr || ReadsStored(s.value)) return 1;
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
