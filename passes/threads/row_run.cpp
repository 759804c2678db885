#include "passes/threads/row_run.h"

#include <algorithm>

#include "fmt/format.h"
#include "ir/function.h"
#include "passes/memory/workspace.h"
#include "passes/threads/row_wise.h"
#include "passes/threads/work.h"

namespace gradus::passes {

using loop::Place;

int64_t TileRows(const loop::Plan& plan, int64_t most) {
  int64_t least = most;
  for (const loop::Step& step : plan.steps) {
    const auto* c = std::get_if<loop::Contraction>(&step);
    if (c == nullptr) continue;
    int64_t rows = 1;
    for (const loop::Variable* v : c->m) rows *= v->extent().scale;
    // Panels of rows, which lie along the vectors.
    const bool swapped = std::ranges::any_of(
        c->batch, [](const loop::Variable* v) { return v->extent().divisor > 1; });
    least = std::min(least, swapped ? 1 : rows);
  }
  return std::max<int64_t>(least, 1);
}

int64_t PanelRows(const loop::Plan& plan) {
  int64_t rows = 1;
  for (const loop::Step& step : plan.steps) {
    const auto* c = std::get_if<loop::Contraction>(&step);
    if (c == nullptr) continue;
    for (const loop::Variable* v : c->batch) rows = std::max(rows, v->extent().divisor);
  }
  return rows;
}

namespace {

// True if what the kernel does once, whatever the number of rows, is more than a small part of what
// it does for a part of them.
bool RepeatsWork(const loop::Plan& plan, ir::Symbol rows, int64_t part_rows) {
  constexpr double kSmallPart = 1.0 / 32;
  double once = 0;
  loop::Polynomial of_rows;
  for (const loop::SizeTerm& t : WorkOf(plan)) {
    const bool has_rows = std::ranges::any_of(t.factors, [&](const loop::Extent& e) {
      return std::ranges::find(e.symbols, rows) != e.symbols.end();
    });
    if (has_rows) {
      of_rows.push_back(t);
    } else {
      once += WorkAt({t}, kTypicalSize);
    }
  }
  const double part = static_cast<double>(part_rows) /
                      static_cast<double>(TileRows(plan, part_rows)) *
                      WorkAt(of_rows, kTypicalSize, rows);
  return once > kSmallPart * part;
}

}  // namespace

bool RowRun::Take(size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i) {
    if (!TakeStep(plan_.steps[i])) return false;
  }
  return true;
}

bool RowRun::TakeStep(const loop::EntryStep& step) {
  if (const auto* call = std::get_if<loop::KernelCall>(&step)) {
    const loop::Kernel& kernel = *call->kernel->kernel;
    if (!IsRowWise(kernel, rows_) || RepeatsWork(*call->kernel->plan, rows_, part_rows_))
      return false;
    for (size_t i = 0; i < call->places.size(); ++i) {
      if (!AddUse(call->places[i], static_cast<int>(i) >= kernel.num_inputs)) return false;
    }
    return true;
  }
  if (const auto* copy = std::get_if<loop::CopyStep>(&step)) {
    return AddUse(copy->from, false) && AddUse(copy->to, true);
  }
  if (const auto* loop = std::get_if<loop::LoopBegin>(&step)) {
    return std::ranges::find(loop->count.symbols, rows_) == loop->count.symbols.end();
  }
  return std::holds_alternative<loop::LoopEnd>(step);
}

bool RowRun::AddUse(int place, bool write) {
  const Place& p = plan_.places[static_cast<size_t>(place)];
  std::string layout;
  if (HasRows(p.type, rows_)) {
    ir::Type row = p.type;
    row.shape = ir::Shape(std::span(p.type.shape.begin(), p.type.shape.end()).subspan(1));
    layout = loop::ToString(loop::Polynomial{BytesOf(row)});
  } else if (write) {
    return false;
  }
  return AddUse(p, layout, write);
}

bool RowRun::IsApart(const Place& place, const std::string& where) const {
  const loop::Maximum end = place.offset + BytesOf(place.type);
  return std::ranges::all_of(uses_, [&](const auto& entry) {
    const auto& [other_where, use] = entry;
    if (!use.place.has_value() || other_where == where) return true;
    return loop::IsAtLeast(use.place->offset, end) ||
           loop::IsAtLeast(place.offset, use.place->offset + BytesOf(use.place->type));
  });
}

bool RowRun::AddUse(const Place& place, const std::string& layout, bool write) {
  const auto at = [&](int index) -> const Place& {
    return plan_.places[static_cast<size_t>(index)];
  };
  std::string where;
  switch (place.kind) {
    case Place::Kind::kArgument: where = fmt::format("argument {}", place.index); break;
    case Place::Kind::kResult: where = fmt::format("result {}", place.index); break;
    case Place::Kind::kWorkspace: where = loop::ToString(place.offset); break;
    case Place::Kind::kSlice:
      // The rows of each step's part.
      return AddUse(at(place.index),
                    layout.empty()
                        ? layout
                        : fmt::format("{} in parts of {}", layout, loop::ToString(place.offset)),
                    write);
    case Place::Kind::kEither:
      return AddUse(at(place.index), layout, write) && AddUse(at(place.other), layout, write);
  }
  const bool in_workspace = place.kind == Place::Kind::kWorkspace;
  if (in_workspace && !uses_.contains(where) && !IsApart(place, where)) return false;
  const auto [use, is_new] = uses_.try_emplace(where, Use{.layout = layout});
  if (in_workspace) use->second.place = place;
  use->second.written |= write;
  use->second.mixed |= layout.empty() || use->second.layout != layout;
  return !(use->second.written && use->second.mixed);
}

}  // namespace gradus::passes
