#include "passes/remarks.h"

#include <array>
#include <variant>

#include "fmt/format.h"
#include "ir/loop/kernel.h"
#include "ir/loop/plan.h"
#include "ir/main_node.h"

namespace gradus::passes {
namespace {

constexpr auto kPasses = std::to_array<std::string_view>({"schedule"});

// "7*7*B".
template <typename Variables>
std::string Extents(const Variables& variables) {
  std::string text;
  for (const loop::Variable* v : variables) {
    text += fmt::format("{}{}", text.empty() ? "" : "*", loop::ToString(v->extent()));
  }
  return text.empty() ? "1" : text;
}

std::string Shared(const loop::Split& split) {
  return split.variable == nullptr ? std::string()
                                   : fmt::format("; threads may share {}", split.variable->name());
}

std::string Describe(const loop::Contraction& c) {
  std::string text = c.batch.empty() ? "product" : fmt::format("{} products", Extents(c.batch));
  text += fmt::format(" M={} N={} K={} in tiles of {}x{} vectors", Extents(c.m),
                      loop::ToString(c.n->extent()), Extents(c.k), c.tile_rows, c.tile_vectors);
  if (!c.k_ranges.empty()) text += ", zeros around A left out";
  if (!c.rule.empty()) text += fmt::format(" ({})", c.rule);
  if (c.one_row_vectors > 0) text += fmt::format(", one row in 1x{}", c.one_row_vectors);
  text += c.order == loop::Contraction::Order::kColumnsOuter ? ", columns first" : ", rows first";
  text += fmt::format("; A {}, B {}", c.a.how, c.b.how);
  if (c.k_block > 0) {
    text += fmt::format("; K in blocks of {}{}", c.k_block,
                        c.b_panel_buffer >= 0 ? ", B copied in panels" : "");
  }
  text += fmt::format("; {} store{} in the tile's epilogue", c.epilogue.size(),
                      c.epilogue.size() == 1 ? "" : "s");
  if (c.prefetch_epilogue) text += ", fetched before the sum";
  return text + Shared(c.split);
}

std::string Describe(const loop::Nest& n) {
  std::string text = n.purpose.empty() ? "loops" : n.purpose;
  text += fmt::format(" over {}", Extents(n.loops));
  if (n.mode == loop::Nest::Mode::kTranspose && n.cross != nullptr) {
    text +=
        fmt::format(", transposed in registers, {} against {}", n.vector->name(), n.cross->name());
  } else if (n.vector != nullptr) {
    text += fmt::format(", in vectors along {}", n.vector->name());
  } else if (n.vector_reductions.empty()) {
    text += ", one element at a time";
  }
  if (!n.vector_reductions.empty()) text += ", sums in vectors";
  if (n.running != nullptr) text += ", as a running sum";
  if (!n.passes.empty()) {
    text += fmt::format(", each row read {} time{} before it is written", n.passes.size(),
                        n.passes.size() == 1 ? "" : "s");
  }
  return text + Shared(n.split);
}

std::string OfSchedule(const ir::Function& kernel) {
  const ir::Node* main = ir::MainNode(kernel);
  const std::string place = main == nullptr ? std::string() : main->location().ToString() + ": ";
  std::string text;
  const auto add = [&](std::string_view what) {
    text += fmt::format("{}remark: @{}: {} [-Rpass=schedule]\n", place, kernel.name(), what);
  };
  for (const loop::Step& step : kernel.plan->steps) {
    add(std::visit([](const auto& s) { return Describe(s); }, step));
  }
  for (const std::string& remark : kernel.plan->remarks) add(remark);
  return text;
}

}  // namespace

std::span<const std::string_view> RemarkingPasses() { return kPasses; }

std::string Remarks(const ir::Module& module, std::string_view pass) {
  std::string text;
  if (pass != "schedule") return text;
  for (const auto& f : module.functions()) {
    if (f->plan != nullptr) text += OfSchedule(*f);
  }
  return text;
}

}  // namespace gradus::passes
