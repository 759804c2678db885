#include "passes/memory/arena_limit.h"

#include <algorithm>
#include <vector>

#include "fmt/format.h"
#include "ir/diagnostic.h"
#include "ir/loop/entry_plan.h"

namespace gradus::passes {
namespace {

constexpr size_t kNamed = 5;

// "hidden (theft.cpp:12:12), made by @hidden_relu".
std::string WhatItIs(const Living& living) {
  if (living.producer == nullptr) return "scratch of a kernel, or of a loop";
  const ir::Location& at = living.producer->location();
  std::string text(at.scope_name());
  const std::string where = at.ToString();
  if (!where.empty()) text += text.empty() ? where : fmt::format(" ({})", where);
  const auto* callee = living.producer->FindAttr("callee");
  if (callee != nullptr) {
    text += fmt::format("{}made by @{}", text.empty() ? "" : ", ",
                        std::get<ir::FunctionRef>(*callee).name);
  }
  return text;
}

}  // namespace

absl::Status ArenaTooLarge(const ir::Function& entry, const PlannedEntry& planned,
                           const PassContext& context) {
  std::string symbols;
  for (const ir::Symbol s : planned.plan->symbols) {
    symbols += fmt::format("{}{} = {}", symbols.empty() ? " at " : ", ", s.name(),
                           context.SizeOf(s.name()));
  }
  std::vector<const Living*> at_peak;
  for (const Living& l : planned.living) {
    if (l.block.begin <= planned.peak && planned.peak <= l.block.end) at_peak.push_back(&l);
  }
  std::ranges::stable_sort(at_peak, std::ranges::greater(),
                           [](const Living* l) { return l->block.bytes; });
  ir::Diagnostic diagnostic;
  if (!at_peak.empty() && at_peak[0]->producer != nullptr) {
    diagnostic.location = at_peak[0]->producer->location();
  }
  diagnostic.message = fmt::format(
      "@{} needs an arena of {} bytes{}, {} more than the {} that are allowed", entry.name(),
      planned.bytes, symbols, planned.bytes - context.max_arena, context.max_arena);
  for (size_t i = 0; i < std::min(kNamed, at_peak.size()); ++i) {
    diagnostic.notes.push_back(fmt::format("live at the peak: {}: {}",
                                           loop::FormatBytes(at_peak[i]->block.bytes),
                                           WhatItIs(*at_peak[i])));
  }
  if (at_peak.size() > kNamed) {
    diagnostic.notes.push_back(fmt::format("and {} more", at_peak.size() - kNamed));
  }
  diagnostic.help = fmt::format(
      "{} live at once whatever is computed again; take a smaller batch (the limit is checked at "
      "the sizes given with it), smaller layers, or allow more",
      loop::FormatBytes(planned.live));
  return diagnostic.ToStatus();
}

}  // namespace gradus::passes
