#include "ir/loop/plan.h"

#include "fmt/format.h"
#include "ir/loop/print_scalar.h"

namespace gradus::loop {
namespace {

std::string Names(std::span<const Variable* const> variables) {
  std::string text;
  for (const Variable* v : variables) text += (text.empty() ? "" : ",") + v->name();
  return text.empty() ? "-" : text;
}

class PlanPrinter {
 public:
  explicit PlanPrinter(const Plan& plan) : plan_(plan) {}

  std::string Process() {
    out_ = fmt::format("plan @{} {{\n", plan_.kernel);
    for (const Buffer& b : plan_.buffers) {
      if (b.kind != Buffer::Kind::kScratch) continue;
      std::string elements;
      for (const Extent& e : b.elements) {
        elements += (elements.empty() ? "" : " * ") + ToString(e);
      }
      out_ += fmt::format("  scratch %{}: {}[{}]\n", b.name, ir::Name(b.type.dtype), elements);
    }
    for (const Step& step : plan_.steps) {
      std::visit([&](const auto& s) { PrintStep(s); }, step);
    }
    for (const std::string& remark : plan_.remarks) out_ += "  remark: " + remark + "\n";
    return out_ + "}\n";
  }

 private:
  static std::vector<const Scalar*> Roots(std::span<const FlatStore> a,
                                          std::span<const FlatStore> b = {}) {
    std::vector<const Scalar*> roots;
    for (const std::span<const FlatStore> stores : {a, b}) {
      for (const FlatStore& s : stores) {
        for (const Scalar* root : {s.value, s.jump, s.where}) {
          if (root != nullptr) roots.push_back(root);
        }
      }
    }
    return roots;
  }

  void PrintStores(std::span<const FlatStore> stores, std::string_view prefix,
                   ScalarPrinter& printer) {
    for (const FlatStore& s : stores) {
      std::string place = printer.Access(s.buffer, {&s.offset, 1});
      if (s.jump != nullptr) {
        place = printer.Access(s.buffer, {&s.offset, 1}, 0, printer.Print(s.jump, "    ", &out_));
      }
      std::string where;
      if (s.where != nullptr) where = ", where " + printer.Print(s.where, "    ", &out_);
      const std::string value = printer.Print(s.value, "    ", &out_);
      out_ +=
          fmt::format("    {}{} {} {}{}\n", prefix, place, s.accumulate ? "+=" : "=", value, where);
    }
  }

  void PrintPass(const RowPass& pass, ScalarPrinter& printer) {
    std::string results;
    for (const auto& [word, list] : {std::pair("", &pass.reductions), {"keep ", &pass.kept}}) {
      for (const Scalar* s : *list) {
        results += (results.empty() ? "" : ", ") + (word + printer.Print(s, "    ", &out_));
      }
    }
    const std::string across = pass.across == nullptr ? "" : " across " + pass.across->name();
    out_ += fmt::format("    pass{}: {}\n", across, results);
  }

  // "parallel over i in parts of 16 tiles": the least that a part has.
  void PrintSplit(const Split& split, std::string_view unit) {
    if (split.variable == nullptr) return;
    out_ += fmt::format(", parallel over {} in parts of {}{}", split.variable->name(),
                        split.least_units * (unit.empty() ? split.unit : 1), unit);
    if (split.block_units > 0) {
      out_ += fmt::format(", in blocks of {}{}",
                          split.block_units * (unit.empty() ? split.unit : 1), unit);
    }
  }

  void PrintTurns(const Turns& turns) {
    if (turns.units > 0) out_ += fmt::format(", in turns of {} with the next", turns.units);
  }

  void PrintSums(const ColumnSums& sums) {
    const Variable* const over[] = {sums.block, sums.column};
    out_ += fmt::format("    beside rows, {}:\n", LoopsToString(over));
    ScalarPrinter printer(plan_.buffers, Roots(sums.stores));
    PrintPass(sums.pass, printer);
    PrintStores(sums.stores, "", printer);
  }

  void PrintStep(const Nest& n) {
    out_ += fmt::format("  {}", n.purpose.empty() ? "nest" : n.purpose);
    if (!n.loops.empty()) out_ += " " + LoopsToString(n.loops);
    if (n.vector != nullptr) out_ += ", vector=" + n.vector->name();
    if (n.running != nullptr) out_ += ", running=" + n.running->name();
    if (n.mode == Nest::Mode::kTranspose) {
      out_ += ", transpose";
      if (n.cross != nullptr) out_ += "=" + n.cross->name();
    }
    if (!n.vector_reductions.empty()) out_ += ", vector_reductions=" + Names(n.vector_reductions);
    for (const Condition& c : n.domain) out_ += ", where " + ToString(c);
    if (n.group.rows > 1) {
      const RowGroup& g = n.group;
      out_ += g.at.empty() ? fmt::format(", {} rows at once", g.rows)
                           : fmt::format(", {} rows staggered by {}", g.rows, g.behind) +
                                 (g.ahead == 0 ? "" : fmt::format(", fetched {} ahead", g.ahead));
    }
    PrintSplit(n.split, "");
    PrintTurns(n.turns);
    out_ += " {\n";
    ScalarPrinter printer(plan_.buffers, Roots(n.row_stores, n.stores));
    for (const RowPass& pass : n.passes) PrintPass(pass, printer);
    PrintStores(n.row_stores, "", printer);
    PrintStores(n.stores, "", printer);
    if (n.sums.block != nullptr) PrintSums(n.sums);
    out_ += "  }\n";
  }

  void PrintStep(const Contraction& c) {
    out_ += "  contract";
    if (!c.batch.empty()) out_ += " batch=" + Names(c.batch);
    out_ += fmt::format(" M={} N={} K={}", Names(c.m), Names({&c.n, 1}), Names(c.k));
    for (const KRange& r : c.k_ranges) {
      out_ += fmt::format(", {} in {}..{}", r.k->name(), ToString(r.first), ToString(r.end));
    }
    for (const auto& [name, side] : {std::pair("A", &c.a), std::pair("B", &c.b)}) {
      out_ += fmt::format(", {}=%{}[{}] {}", name,
                          plan_.buffers[static_cast<size_t>(side->buffer)].name,
                          ToString(side->offset), side->how);
    }
    out_ += fmt::format(", tile {}x{} vectors{}", c.tile_rows, c.tile_vectors,
                        c.rows_balanced ? " balanced" : "");
    if (!c.rule.empty()) out_ += fmt::format(" ({})", c.rule);
    if (c.one_row_vectors > 0) out_ += fmt::format(", one row 1x{}", c.one_row_vectors);
    out_ += fmt::format(", order={}",
                        c.order == Contraction::Order::kColumnsOuter ? "columns" : "rows");
    if (c.k_block > 0) {
      out_ += fmt::format(", k_block={}", c.k_block);
      if (c.k.size() > 1) {
        out_ += fmt::format(" of {}", c.k[static_cast<size_t>(c.k_level)]->name());
      }
      if (c.partial_buffer >= 0) {
        out_ +=
            fmt::format(" in %{}[{}]", plan_.buffers[static_cast<size_t>(c.partial_buffer)].name,
                        ToString(c.partial_offset));
      }
    }
    if (c.b_panel_buffer >= 0) {
      out_ +=
          fmt::format(", panels=%{}", plan_.buffers[static_cast<size_t>(c.b_panel_buffer)].name);
    }
    if (c.k_unroll != 1) out_ += fmt::format(", unroll={}", c.k_unroll);
    if (c.prefetch_epilogue) out_ += ", prefetch";
    const bool tiles = c.split.variable == c.m.back() || c.split.variable == c.n;
    PrintSplit(c.split, tiles ? " tiles" : "");
    PrintTurns(c.turns);
    out_ += fmt::format(", epilogue={} {{\n", c.epilogue_in_registers ? "registers" : "rolled");
    ScalarPrinter printer(plan_.buffers, Roots(c.epilogue));
    PrintStores(c.epilogue, "", printer);
    out_ += "  }\n";
  }

  const Plan& plan_;
  std::string out_;
};

}  // namespace

std::optional<int64_t> BytesOfB(const Contraction& c) {
  int64_t bytes = c.n->extent().number() * ir::ByteSize(c.dtype);
  for (const Variable* k : c.k) {
    if (!k->extent().is_number()) return std::nullopt;
    bytes *= k->extent().number();
  }
  return bytes;
}

std::vector<std::span<const FlatStore>> StoresOf(const Step& step) {
  if (const auto* nest = std::get_if<Nest>(&step)) {
    return {nest->row_stores, nest->stores, nest->sums.stores};
  }
  return {std::get<Contraction>(step).epilogue};
}

std::string Print(const Plan& plan) { return PlanPrinter(plan).Process(); }

}  // namespace gradus::loop
