#include "passes/threads/row_wise.h"

#include <algorithm>

#include "ir/loop/walk.h"

namespace gradus::passes {
namespace {

using loop::Index;
using loop::Scalar;
using loop::ScalarKind;
using loop::Variable;

bool Mentions(const loop::Extent& extent, ir::Symbol rows) {
  return std::ranges::find(extent.symbols, rows) != extent.symbols.end();
}

bool Mentions(const Index& form, ir::Symbol rows) {
  return std::ranges::any_of(form.terms(), [&](const loop::Term& t) {
    return std::ranges::find(t.symbols, rows) != t.symbols.end() ||
           (t.variable != nullptr && t.variable->kind() != Variable::Kind::kLoop &&
            Mentions(t.variable->numerator(), rows));
  });
}

// The loop that runs over all rows; null if there is none, or several.
const Variable* RowLoop(const loop::Store& store, ir::Symbol rows) {
  const Variable* found = nullptr;
  for (const Variable* v : store.variables) {
    if (!Mentions(v->extent(), rows)) continue;
    if (found != nullptr || !(v->extent() == loop::Extent(ir::Dim(rows)))) return nullptr;
    found = v;
  }
  return found;
}

class StoreChecker {
 public:
  StoreChecker(const loop::Kernel& kernel, ir::Symbol rows, const Variable* row)
      : kernel_(kernel), rows_(rows), row_(row) {}

  bool Process(const loop::Store& store) {
    // What adds up does so in the order of its loops, over rows, too.
    if (store.kind == loop::Store::Kind::kAdd || store.running == row_) return false;
    bool holds = IsRow(store.buffer, store.indices);
    loop::ForEachReached(store.value, [&](const Scalar* s) { holds = holds && Allows(*s); });
    return holds;
  }

 private:
  bool IsFree(const Index& form) const { return !form.depends_on(row_) && !Mentions(form, rows_); }

  bool IsRow(int buffer, std::span<const Index> indices) const {
    if (!HasRows(kernel_.buffers[static_cast<size_t>(buffer)].type, rows_)) return false;
    return indices[0] == Index(row_) &&
           std::ranges::all_of(indices.subspan(1), [&](const Index& i) { return IsFree(i); });
  }

  bool Allows(const Scalar& s) const {
    if (s.kind == ScalarKind::kExtent) return !Mentions(s.extent, rows_);
    for (const loop::Condition& c : s.conditions) {
      if (!IsFree(c.low) || !IsFree(c.form) || !IsFree(c.high)) return false;
    }
    if (s.kind == ScalarKind::kReduce) {
      return std::ranges::none_of(s.variables,
                                  [&](const Variable* v) { return Mentions(v->extent(), rows_); });
    }
    if (s.reads_buffer()) {
      const bool has_rows = HasRows(kernel_.buffers[static_cast<size_t>(s.buffer)].type, rows_);
      if (s.kind == ScalarKind::kGather && has_rows && s.integer == 0) return false;
      if (has_rows) return IsRow(s.buffer, s.indices);
    }
    return std::ranges::all_of(s.indices, [&](const Index& i) { return IsFree(i); });
  }

  const loop::Kernel& kernel_;
  ir::Symbol rows_;
  const Variable* row_;
};

}  // namespace

bool HasRows(const ir::Type& type, ir::Symbol rows) {
  const auto is_rows = [&](const ir::Dim& d) { return d.is_symbol() && d.symbol() == rows; };
  return type.rank() > 0 && is_rows(type.shape[0]) &&
         std::count_if(type.shape.begin(), type.shape.end(), is_rows) == 1;
}

bool IsRowWise(const loop::Kernel& kernel, ir::Symbol rows) {
  for (const loop::Buffer& b : kernel.buffers) {
    for (const ir::Dim& d : b.type.shape) {
      if (d.is_symbol() && d.symbol() == rows && !HasRows(b.type, rows)) return false;
    }
  }
  return !kernel.stores.empty() &&
         std::ranges::all_of(kernel.stores, [&](const loop::Store& store) {
           const Variable* row = RowLoop(store, rows);
           return row != nullptr && StoreChecker(kernel, rows, row).Process(store);
         });
}

}  // namespace gradus::passes
