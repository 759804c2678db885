#include "passes/split_rows.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "ir/function.h"
#include "ir/loop/entry_plan.h"
#include "ir/loop/plan.h"
#include "passes/memory/workspace.h"
#include "passes/threads/row_run.h"
#include "passes/threads/work.h"

namespace gradus::passes {
namespace {

using loop::EntryPlan;
using loop::EntryStep;
using loop::Extent;
using loop::Polynomial;
using loop::SizeTerm;

// Runs that would be too small with so many rows are left as they are.
constexpr double kManyRows = 1024;

struct Run {
  size_t begin = 0, end = 0;  // steps
  ir::Symbol rows;
  Polynomial work;
};

// A size at `rows` = count; nullopt if it depends on another symbol.
std::optional<int64_t> BytesAt(const SizeTerm& size, ir::Symbol rows, int64_t count) {
  int64_t bytes = size.coefficient;
  for (const Extent& e : size.factors) {
    int64_t product = e.scale;
    for (const ir::Symbol s : e.symbols) {
      if (s != rows) return std::nullopt;
      product *= count;
    }
    bytes *= (product + e.divisor - 1) / e.divisor;
  }
  return bytes;
}

class EntrySplitter {
 public:
  EntrySplitter(EntryPlan& plan, const ir::Sharing& sharing) : plan_(plan), sharing_(sharing) {}

  bool Process() {
    std::vector<EntryStep> steps;
    bool changed = false;
    for (size_t i = 0; i < plan_.steps.size();) {
      const Run run = LongestRun(i);
      if (run.end > i && Add(run, steps)) {
        changed = true;
        i = run.end;
        continue;
      }
      const size_t end = run.end > i ? run.end : EndOf(i);
      std::move(plan_.steps.begin() + static_cast<std::ptrdiff_t>(i),
                plan_.steps.begin() + static_cast<std::ptrdiff_t>(end), std::back_inserter(steps));
      i = end;
    }
    plan_.steps = std::move(steps);
    PlaceScratch();
    return changed;
  }

 private:
  // The step after the one at `begin`, or after the loop that begins there.
  size_t EndOf(size_t begin) const {
    size_t depth = 0, i = begin;
    do {
      depth += std::holds_alternative<loop::LoopBegin>(plan_.steps[i]) ? 1 : 0;
      depth -= std::holds_alternative<loop::LoopEnd>(plan_.steps[i]) ? 1 : 0;
      ++i;
    } while (depth > 0);
    return i;
  }

  // Of the runs that begin at a step, by what is known of the sizes, the one with the most work.
  Run LongestRun(size_t begin) const {
    Run best;
    for (const ir::Symbol rows : plan_.symbols) {
      RowRun taken(plan_, rows, sharing_.part_rows);
      Run run{begin, begin, rows, {}};
      while (run.end < plan_.steps.size()) {
        const size_t end = EndOf(run.end);
        if (!taken.Take(run.end, end)) break;
        run.end = end;
      }
      run.work = WorkOfSteps(run.begin, run.end);
      if (run.end > run.begin &&
          (best.end == 0 || WorkAt(run.work, kTypicalSize) > WorkAt(best.work, kTypicalSize))) {
        best = std::move(run);
      }
    }
    return best;
  }

  Polynomial WorkOfSteps(size_t begin, size_t end) const {
    Polynomial work;
    std::vector<Extent> loops = {Extent(1)};
    for (size_t i = begin; i < end; ++i) {
      const EntryStep& step = plan_.steps[i];
      if (const auto* loop = std::get_if<loop::LoopBegin>(&step)) {
        loops.push_back(loops.back() * loop->count);
      } else if (std::holds_alternative<loop::LoopEnd>(step)) {
        loops.pop_back();
      } else if (const auto* call = std::get_if<loop::KernelCall>(&step)) {
        AddWork(work, WorkOf(*call->kernel->plan), loops.back());
      }
    }
    return work;
  }

  // True if what all parts need beside the workspace is little of it: memory is everybody's,
  // threads are for those who have them, and may share each step alone.
  bool IsSmall(const loop::RowsBegin& run) const {
    constexpr int64_t kSmallPart = 16;
    const auto typical = [](ir::Symbol) { return static_cast<int64_t>(kTypicalSize); };
    const int64_t parts = (typical(run.rows) + run.part_rows - 1) / run.part_rows;
    return run.scratch_bytes <= loop::ValueAt(plan_.workspace, typical) / kSmallPart / parts;
  }

  // Appends the run's steps between RowsBegin and RowsEnd; false if that would not pay, or the
  // scratch of a part has no size that is a number, or is large.
  bool Add(const Run& run, std::vector<EntryStep>& out) {
    if (WorkAt(run.work, kManyRows) < static_cast<double>(sharing_.least_work)) return false;
    int64_t tile_rows = sharing_.part_rows, panel_rows = 1;
    for (size_t i = run.begin; i < run.end; ++i) {
      const auto* call = std::get_if<loop::KernelCall>(&plan_.steps[i]);
      if (call == nullptr) continue;
      tile_rows = TileRows(*call->kernel->plan, tile_rows);
      if (sharing_.part_rows > 1) panel_rows = std::max(panel_rows, PanelRows(*call->kernel->plan));
    }
    const double a_row = std::max(1.0, WorkAt(run.work, kTypicalSize, run.rows));
    const double rows = std::clamp(
        std::max(static_cast<double>(sharing_.part_rows) / static_cast<double>(tile_rows),
                 static_cast<double>(sharing_.part_work) / a_row),
        static_cast<double>(panel_rows), kManyRows);

    loop::RowsBegin begin;
    begin.rows = run.rows;
    begin.part_rows = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(rows)));
    begin.work = run.work;
    begin.least_work = sharing_.least_work;
    std::vector<EntryStep> steps(plan_.steps.begin() + static_cast<std::ptrdiff_t>(run.begin),
                                 plan_.steps.begin() + static_cast<std::ptrdiff_t>(run.end));
    for (EntryStep& step : steps) {
      auto* call = std::get_if<loop::KernelCall>(&step);
      if (call == nullptr) continue;
      // Kernels of a part run one after the other: they may use the same scratch.
      int64_t bytes = 0;
      for (const loop::Buffer& b : call->kernel->plan->buffers) {
        if (b.kind != loop::Buffer::Kind::kScratch) continue;
        const auto size = BytesAt(BytesOf(b), run.rows, 2 * begin.part_rows);
        if (!size.has_value()) return false;
        call->part_scratch.push_back(bytes);
        bytes += (*size + 63) / 64 * 64;
      }
      begin.scratch_bytes = std::max(begin.scratch_bytes, bytes);
    }
    if (!IsSmall(begin)) return false;
    out.emplace_back(std::move(begin));
    std::move(steps.begin(), steps.end(), std::back_inserter(out));
    out.emplace_back(loop::RowsEnd{});
    return true;
  }

  // After all else in the workspace. Runs follow one another: those with as many parts share it.
  void PlaceScratch() {
    struct Shared {
      Extent parts;
      int64_t bytes = 0;
      loop::Maximum offset;
    };
    std::vector<Shared> all;
    const auto of = [&](const loop::RowsBegin& run) -> Shared& {
      const Extent parts = loop::CeilDiv(Extent(ir::Dim(run.rows)), run.part_rows);
      const auto known = std::ranges::find(all, parts, &Shared::parts);
      return known != all.end() ? *known : all.emplace_back(Shared{parts});
    };
    const auto for_each_run = [&](const auto& visit) {
      for (EntryStep& step : plan_.steps) {
        auto* run = std::get_if<loop::RowsBegin>(&step);
        if (run != nullptr && run->scratch_bytes > 0) visit(*run);
      }
    };
    for_each_run([&](loop::RowsBegin& run) {
      Shared& shared = of(run);
      shared.bytes = std::max(shared.bytes, run.scratch_bytes);
    });
    for (Shared& shared : all) {
      shared.offset = plan_.workspace;
      plan_.workspace = plan_.workspace + SizeTerm{shared.bytes, {shared.parts}};
    }
    for_each_run([&](loop::RowsBegin& run) { run.scratch = of(run).offset; });
  }

  EntryPlan& plan_;
  const ir::Sharing& sharing_;
};

}  // namespace

absl::StatusOr<bool> SplitRows(ir::Module& module, const PassContext& context) {
  bool changed = false;
  for (const auto& f : module.functions()) {
    if (f->entry != nullptr) changed |= EntrySplitter(*f->entry, context.target.sharing).Process();
  }
  return changed;
}

}  // namespace gradus::passes
