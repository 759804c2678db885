#include "passes/scheduling/stagger.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "ir/loop/walk.h"
#include "passes/scheduling/row_work.h"

namespace gradus::passes::scheduling {
namespace {

// Staggered rows: of so many bytes, those which the passes are at, and the next, in the first level
// of cache. Where no pass has as many operations an element that arithmetic takes the time, memory
// is what does not wait for the end of a row (layer norm of 1024x256 takes 0.8 of the time of eight
// rows at once), and shorter rows wait less for eight sums at once.
constexpr int64_t kShortestStaggered = 128, kLongestStaggered = 8192;
constexpr int64_t kShortestLight = 512;
constexpr int64_t kStaggeredBytes = 32 << 10;
// Where there is much arithmetic and results go past the caches, something has to be read and
// stored all the time, and the second level of cache is near enough (softmax of 4096x4096 takes
// 0.74 of the time, of 4096x2048 0.81; where results do not go past the caches, 2048x3000 would
// take 1.3).
constexpr int64_t kLongestOfLarge = 16384, kStaggeredBytesOfLarge = 64 << 10;
constexpr int kMuchArithmetic = 12;
// Where there is little, rows that begin so many bytes further on are asked for; where there is
// much, the next row is if it is not short (softmax of 1024x1024 takes 0.98 of the time, that of
// 4096x128 would take 1.05) and there is room for it.
constexpr int64_t kAheadBytes = 2048, kLongestAhead = 4096;

class Staggering {
 public:
  Staggering(Arena& arena, loop::Nest& nest, const ir::Target& target, const Variable* row,
             const Variable* within)
      : arena_(arena), nest_(nest), target_(target), row_(row), within_(within) {}

  bool Process() {
    if (!CanStagger()) return false;
    Stagger();
    return true;
  }

 private:
  // Staggered passes begin with numbers that mean nothing, and what comes of these is dropped: they
  // must not trap or decide where memory is read. All are of one size, hence of as many lanes.
  bool CanStagger() const {
    if (!CanGroup(nest_, row_, within_) || nest_.vector != row_ || !Contains(nest_.loops, row_))
      return false;
    const loop::Extent& rows = within_->extent();
    if (rows.is_number() && rows.number() < loop::RowGroup::kLeastStaggered) return false;
    const ir::DType dtype = nest_.passes[0].reductions[0]->dtype;
    const int64_t bytes = BytesOfRow();
    if (bytes > (IsLarge() ? kLongestOfLarge : kLongestStaggered)) return false;
    absl::flat_hash_set<int> written;
    for (const loop::FlatStore& s : nest_.stores) {
      if (!written.insert(s.buffer).second || InAtom(s.offset, row_)) return false;
      if (Stride(s.offset, row_) != 1 || s.value->kind == ScalarKind::kIndex) return false;
    }
    bool can = true;
    loop::ForEachReached(RootsOf(nest_), [&](const Scalar* s) {
      const bool is_flag = s->dtype == ir::DType::kI1;
      for (const Scalar* o : s->operands) {
        // A place in the row is as narrow as what it becomes.
        can &= o->kind != ScalarKind::kIndex ||
               (s->kind == ScalarKind::kCast && s->dtype == ir::DType::kI32);
      }
      if (s->depends_on(row_) && !is_flag && s->kind != ScalarKind::kIndex) {
        can &= ir::ByteSize(s->dtype) == ir::ByteSize(dtype);
      }
      if (s->kind == ScalarKind::kReduce) can &= IsOfPass(s) && ir::IsFloat(s->dtype);
      if (s->kind == ScalarKind::kDiv) can &= ir::IsFloat(s->dtype);
      can &= s->kind != ScalarKind::kGather && s->kind != ScalarKind::kGuard;
    });
    for (const loop::RowPass& pass : nest_.passes) {
      for (const Scalar* k : pass.kept) can &= k->depends_on(within_);
    }
    const auto operations = static_cast<int>(Along(RootsOf(nest_), row_).size());
    const int64_t shortest = HasMuchArithmetic() ? kShortestStaggered : kShortestLight;
    return can && bytes >= shortest && operations <= kGroupOperations &&
           StaggeredRows(1) * bytes <= (IsLarge() ? kStaggeredBytesOfLarge : kStaggeredBytes);
  }

  int64_t BytesOfRow() const {
    return row_->extent().number() * ir::ByteSize(nest_.passes[0].reductions[0]->dtype);
  }

  // Whether there is much arithmetic and each result is more than a third of the last level of
  // cache, in rows of whole vectors: it is stored past the caches.
  bool IsLarge() const {
    if (!HasMuchArithmetic() || BytesOfRow() % target_.vector_bytes != 0) return false;
    auto bytes = static_cast<double>(ir::ByteSize(nest_.passes[0].reductions[0]->dtype));
    for (const Variable* v : nest_.loops) {
      if (!v->extent().is_number()) return false;
      bytes *= static_cast<double>(v->extent().number());
    }
    return bytes >= static_cast<double>(target_.l3_bytes) / 3;
  }

  bool HasMuchArithmetic() const {
    return std::ranges::any_of(nest_.passes, [&](const loop::RowPass& pass) {
      int cost = 0;
      for (const Scalar* s : Along(BodiesOf(pass), row_)) cost += OperationCost(*s);
      return cost > kMuchArithmetic;
    });
  }

  // Rows that are in use at once: of what is read, from the first pass that does, or where it is
  // asked for, to the last, of what is kept, and of what is stored.
  int64_t StaggeredRows(int behind) const {
    absl::flat_hash_map<const Scalar*, std::pair<int, int>> read;  // the first and the last pass
    ScalarSet known;
    auto rows = static_cast<int64_t>(nest_.stores.size());
    const int asked_for = HasMuchArithmetic() ? 0 : 1;
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
      rows += is_of_all_rows ? 1 : (passes.second - passes.first) * behind + 1 + asked_for;
    }
    return rows;
  }

  void Stagger() {
    loop::RowGroup& group = nest_.group;
    const size_t behind = nest_.passes.size();
    const int64_t bytes = BytesOfRow();
    group.behind = StaggeredRows(2) * bytes <= kStaggeredBytes ? 2 : 1;
    group.rows = static_cast<int>(behind) + 1;
    if (!HasMuchArithmetic() || IsLarge() || (bytes >= kAheadBytes && bytes <= kLongestAhead)) {
      group.ahead = static_cast<int>(std::max<int64_t>(1, kAheadBytes / bytes));
    }
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

  bool IsOfPass(const Scalar* reduction) const {
    return std::ranges::any_of(nest_.passes, [&](const loop::RowPass& pass) {
      return std::ranges::find(pass.reductions, reduction) != pass.reductions.end();
    });
  }

  Arena& arena_;
  loop::Nest& nest_;
  const ir::Target& target_;
  const Variable* row_;
  const Variable* within_;
};

}  // namespace

bool StaggerRows(Arena& arena, loop::Nest& nest, const ir::Target& target, const Variable* row,
                 const Variable* within) {
  return Staggering(arena, nest, target, row, within).Process();
}

}  // namespace gradus::passes::scheduling
