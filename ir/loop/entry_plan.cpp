#include "ir/loop/entry_plan.h"

#include "fmt/format.h"
#include "ir/loop/plan.h"

namespace gradus::loop {

namespace {

std::string_view Name(When when) {
  switch (when) {
    case When::kEmpty: return "without steps";
    case When::kFirst: return "in the first step";
    case When::kLast: return "in the last step";
    case When::kOddLeft: return "while an odd number is left";
  }
  return "";
}

std::string ToString(const Place& p) {
  switch (p.kind) {
    case Place::Kind::kSlice:
      return fmt::format("part of %{} at step {}{}, {} bytes each", p.index, p.loop,
                         p.shift == 0  ? ""
                         : p.shift > 0 ? " + 1"
                                       : " - 1",
                         ToString(p.offset));
    case Place::Kind::kEither:
      return fmt::format("%{} {} of {}, else %{}", p.index, Name(p.when), p.loop, p.other);
    case Place::Kind::kArgument: return fmt::format("argument {}", p.index);
    case Place::Kind::kResult: return fmt::format("result {}", p.index);
    case Place::Kind::kWorkspace: return fmt::format("workspace at {}", ToString(p.offset));
  }
  return "";
}

// "%4, %5 = call @dense(%0, %1)": places by number.
std::string CallText(const KernelCall& call) {
  std::string inputs, outputs, scratch;
  for (size_t i = 0; i < call.places.size(); ++i) {
    const bool is_input = static_cast<int>(i) < call.kernel->num_args();
    std::string& list = is_input ? inputs : outputs;
    list += fmt::format("{}%{}", list.empty() ? "" : ", ", call.places[i]);
  }
  for (const Maximum& s : call.scratch) {
    scratch += fmt::format("{}{}", scratch.empty() ? "" : ", ", ToString(s));
  }
  std::string text = fmt::format("{} = call @{}({})", outputs, call.kernel->name(), inputs);
  if (!scratch.empty()) text += fmt::format(" scratch at {}", scratch);
  return text;
}

}  // namespace

std::string Print(const EntryPlan& plan) {
  std::string symbols;
  for (const Symbol& s : plan.symbols) {
    symbols += (symbols.empty() ? "" : ", ") + std::string(s.name());
  }
  std::string out = fmt::format("entry ({}) workspace {} live {} {{\n", symbols,
                                ToString(plan.workspace), ToString(plan.live));
  for (size_t i = 0; i < plan.places.size(); ++i) {
    out += fmt::format("  %{}: {} {}\n", i, ir::ToString(plan.places[i].type),
                       ToString(plan.places[i]));
  }
  std::string indent = "  ";
  for (const EntryStep& step : plan.steps) {
    if (const auto* call = std::get_if<KernelCall>(&step)) {
      out += fmt::format("{}{}\n", indent, CallText(*call));
    } else if (const auto* copy = std::get_if<CopyStep>(&step)) {
      out += fmt::format("{}%{} = copy %{}\n", indent, copy->to, copy->from);
    } else if (const auto* loop = std::get_if<LoopBegin>(&step)) {
      out += fmt::format("{}for step {} in 0..{}{} {{\n", indent, loop->loop, ToString(loop->count),
                         loop->reverse ? " reversed" : "");
      indent += "  ";
    } else if (const auto* rows = std::get_if<RowsBegin>(&step)) {
      out += fmt::format("{}parallel over {} in parts of {} rows", indent, rows->rows.name(),
                         rows->part_rows);
      if (rows->scratch_bytes > 0) {
        out += fmt::format(", scratch {} each at {}", rows->scratch_bytes, ToString(rows->scratch));
      }
      out += fmt::format(", from {} of work {} {{\n", rows->least_work, ToString(rows->work));
      indent += "  ";
    } else {
      indent.resize(indent.size() - 2);
      out += indent + "}\n";
    }
  }
  return out + "}\n";
}

}  // namespace gradus::loop
