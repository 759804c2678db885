#pragma once

// A run of an entry's steps that rows of one size go through independently, while it grows.

#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "ir/loop/entry_plan.h"
#include "ir/loop/plan.h"

namespace gradus::passes {

// Rows of a contraction's tiles that one row of the batch is at least: 1 but for convolutions and
// products over [B, T, ..]. `most` if they are more, or there is no contraction.
int64_t TileRows(const loop::Plan& plan, int64_t most);

// Rows of the batch that stand side by side in vectors, of which a part should be a multiple; 1 if
// none do.
int64_t PanelRows(const loop::Plan& plan);

class RowRun {
 public:
  // `part_rows`: about how many rows of tiles a part will have.
  RowRun(const loop::EntryPlan& plan, ir::Symbol rows, int64_t part_rows)
      : plan_(plan), rows_(rows), part_rows_(part_rows) {}

  // Takes plan.steps[begin, end), one step or a whole loop. False, which ends the run before it, if
  // rows do not go through it, and through all that was taken before, independently: a kernel or a
  // copy that is not row by row, or much of whose work is the same for all rows, so that every part
  // would do it again; a loop as often as there are rows; an array that is written here
  // and whose rows are not the same bytes for all that read or write it; memory in which values of
  // different layout take turns.
  bool Take(size_t begin, size_t end);

 private:
  // How the memory `where` is read and written: the layout of its rows, empty if not by rows.
  struct Use {
    std::string layout;
    bool written = false, mixed = false;
    std::optional<loop::Place> place;  // in the workspace
  };

  bool TakeStep(const loop::EntryStep& step);
  bool AddUse(int place, bool write);
  bool AddUse(const loop::Place& place, const std::string& layout, bool write);
  // Parts are at different steps at once: values that take turns in the same memory would meet.
  bool IsApart(const loop::Place& place, const std::string& where) const;

  const loop::EntryPlan& plan_;
  ir::Symbol rows_;
  int64_t part_rows_;
  absl::flat_hash_map<std::string, Use> uses_;  // by memory
};

}  // namespace gradus::passes
