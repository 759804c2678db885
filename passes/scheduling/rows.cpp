#include "passes/scheduling/rows.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "ir/loop/walk.h"
#include "passes/scheduling/row_work.h"
#include "passes/scheduling/stagger.h"

namespace gradus::passes::scheduling {
namespace {

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
// Eight of them, of which the ends of so many sums are short, where few operations are between
// (layer norm of 4096x128 takes 0.83 of the time), and few rows are left over.
constexpr int64_t kShortestOfEight = 256, kLongestOfEight = 768, kLeastOfEight = 32;
constexpr int kFewOperations = 12;
// From so many operations on, a load and a store cost less than computing a value again.
constexpr int kKeptCost = 6;

class RowPasses {
 public:
  RowPasses(Arena& arena, loop::Nest& nest, const ir::Target& target)
      : arena_(arena), nest_(nest), target_(target) {}

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
    if (StaggerRows(arena_, nest_, target_, row_, within_)) return;
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
      if (IsColumnSum(*s) && in_step && !ReadsStored(nest_, s)) {
        reductions_.insert(s);
        return true;
      }
      if (IsAlong(*s, row_) && Contains(nest_.vector_reductions, row_) && in_step &&
          !ReadsStored(nest_, s)) {
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
      const ScalarSet now = Along(BodiesOf(nest_.passes[p]), row_);
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
    if (!CanGroup(nest_, row_, within_)) return 1;
    int64_t element = 4;
    for (const auto* list : {&nest_.row_stores, &nest_.stores}) {
      for (const loop::FlatStore& s : *list) {
        element = std::max(element, ir::ByteSize(s.value->dtype));
      }
    }
    const int64_t bytes = row_->extent().number() * element;
    const loop::Extent& all = within_->extent();
    const auto operations = static_cast<int>(Along(RootsOf(nest_), row_).size());
    const bool suits_eight = bytes >= kShortestOfEight && bytes <= kLongestOfEight &&
                             operations <= kFewOperations && all.is_number() &&
                             all.number() >= kLeastOfEight;
    int rows = suits_eight ? 8 : bytes <= kRowsOfFour ? 4 : bytes <= kRowsOfTwo ? 2 : 1;
    while (rows > 1 && (rows * operations > kGroupOperations || rows * bytes_ > kKeptBytes ||
                        (all.is_number() && all.number() < rows))) {
      rows /= 2;
    }
    return rows;
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

  Arena& arena_;
  loop::Nest& nest_;
  const ir::Target& target_;
  const Variable* row_ = nullptr;
  const Variable* within_ = nullptr;  // the innermost loop around the row
  ScalarSet reductions_, kept_;
  int64_t bytes_ = 0;
};

}  // namespace

void FormRowPasses(Arena& arena, loop::Nest& nest, const ir::Target& target) {
  RowPasses(arena, nest, target).Process();
}

}  // namespace gradus::passes::scheduling
