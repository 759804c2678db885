#include "codegen/plan_text.h"

#include <bit>
#include <iterator>

#include "absl/container/flat_hash_map.h"
#include "fmt/format.h"

namespace gradus::codegen {

namespace {

using loop::Condition;
using loop::Index;
using loop::Scalar;
using loop::Variable;

// Variables and scalars are written out where they first occur, and are numbers from then on.
class Writer {
 public:
  explicit Writer(const loop::Plan& plan) : plan_(plan) {}

  std::string Process() {
    for (const loop::Buffer& b : plan_.buffers) {
      Put("buffer {} {};", static_cast<int>(b.kind), ir::ToString(b.type));
      for (const loop::Extent& e : b.elements) Put("{};", loop::ToString(e));
    }
    for (const loop::Step& step : plan_.steps) {
      std::visit([&](const auto& s) { Step(s); }, step);
    }
    return std::move(out_);
  }

 private:
  template <typename... T>
  void Put(fmt::format_string<T...> format, T&&... values) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<T>(values)...);
  }

  int Number(const Variable* v) {
    if (v == nullptr) return -1;
    auto it = variables_.find(v);
    if (it != variables_.end()) return it->second;
    std::string numerator;
    if (v->kind() != Variable::Kind::kLoop) numerator = Form(v->numerator());
    int number = static_cast<int>(variables_.size());
    variables_[v] = number;
    Put("v{}={} {} {} {};", number, static_cast<int>(v->kind()),
        v->kind() == Variable::Kind::kLoop ? loop::ToString(v->extent()) : "", numerator,
        v->divisor());
    return number;
  }

  std::string Form(const Index& form) {
    std::string text;
    for (const loop::Term& t : form.terms()) {
      text += fmt::format("{}v{}", t.coefficient, Number(t.variable));
      for (ir::Symbol s : t.symbols) text += fmt::format("*{}", s.name());
      text += '+';
    }
    return text;
  }

  std::string Conditions(std::span<const Condition> conditions) {
    std::string text;
    for (const Condition& c : conditions)
      text += fmt::format("[{}<={}<{}]", Form(c.low), Form(c.form), Form(c.high));
    return text;
  }

  template <typename Variables>
  std::string List(const Variables& variables) {
    std::string text;
    for (const Variable* v : variables) text += fmt::format("v{},", Number(v));
    return text;
  }

  int Number(const Scalar* x) {
    auto it = scalars_.find(x);
    if (it != scalars_.end()) return it->second;
    std::string text =
        fmt::format("{} {} {:x} {} {} {} {} ", static_cast<int>(x->kind),
                    static_cast<int>(x->dtype), std::bit_cast<uint64_t>(x->number), x->integer,
                    loop::ToString(x->extent), x->buffer, static_cast<int>(x->reduce));
    for (const Index& i : x->indices) text += Form(i) + " ";
    text += Conditions({x->conditions.data(), x->conditions.size()});
    text += List(x->variables);
    for (const Scalar* o : x->operands) text += fmt::format("s{},", Number(o));
    int number = static_cast<int>(scalars_.size());
    scalars_[x] = number;
    Put("s{}={};", number, text);
    return number;
  }

  void Stores(std::span<const loop::FlatStore> stores) {
    for (const loop::FlatStore& s : stores) {
      std::string offset = Form(s.offset);
      int value = Number(s.value);
      int jump = s.jump == nullptr ? -1 : Number(s.jump);
      int where = s.where == nullptr ? -1 : Number(s.where);
      Put("store {} {} s{} {} s{} s{} {};", s.buffer, offset, value, s.accumulate, jump, where,
          s.read_soon);
    }
  }

  void Split(const loop::Split& split) {
    if (split.variable == nullptr) return;
    const int variable = Number(split.variable);
    Put("split v{} {} {} {} {} {};", variable, split.unit, split.least_units,
        loop::ToString(split.work), split.least_work, split.block_units);
  }

  void Turns(const loop::Turns& turns) {
    if (turns.units > 0) Put("turns {} {} {};", turns.units, turns.stride, turns.scale);
  }

  void Pass(const loop::RowPass& pass) {
    for (const auto& [word, list] : {std::pair("reduce", &pass.reductions), {"keep", &pass.kept}}) {
      for (const Scalar* s : *list) {
        const int number = Number(s);
        Put("{} s{};", word, number);
      }
    }
    const int across = Number(pass.across);
    Put("pass v{};", across);
  }

  void Step(const loop::Nest& n) {
    std::string text =
        fmt::format("nest {} v{} v{} {} v{} {} {};", List(n.loops), Number(n.vector),
                    Number(n.cross), List(n.vector_reductions), Number(n.running),
                    static_cast<int>(n.mode), Conditions({n.domain.data(), n.domain.size()}));
    Put("{}", text);
    if (n.row != nullptr) {
      const int row = Number(n.row);
      Put("row v{} {} {} {};", row, n.group.rows, n.group.at.empty() ? 0 : n.group.behind,
          n.group.ahead);
      for (const loop::RowPass& pass : n.passes) Pass(pass);
      Stores(n.row_stores);
      Put("rows;");
    }
    Stores(n.stores);
    if (n.sums.block != nullptr) {
      const int block = Number(n.sums.block), column = Number(n.sums.column);
      Put("sums v{} v{} {} {};", block, column, n.sums.passed_on, n.sums.stride);
      Pass(n.sums.pass);
      Stores(n.sums.stores);
    }
    Split(n.split);
    Turns(n.turns);
  }

  void Step(const loop::Contraction& c) {
    std::string text =
        fmt::format("contract {} {} v{} {} ", List(c.batch), List(c.m), Number(c.n), List(c.k));
    text += fmt::format("{} {} {} {} ", c.a.buffer, Form(c.a.offset), c.b.buffer, Form(c.b.offset));
    for (const loop::KRange& r : c.k_ranges) {
      text += fmt::format("v{} {} {},", Number(r.k), Form(r.first), Form(r.end));
    }
    text += fmt::format(" {} {} {} {} {} {} ", static_cast<int>(c.dtype), c.tile_rows,
                        c.tile_vectors, c.rows_balanced, static_cast<int>(c.order), c.k_block);
    text += fmt::format("{} {} ", c.one_row_vectors, c.k_level);
    text += fmt::format("{} {} {} {} {} {};", c.partial_buffer, Form(c.partial_offset),
                        c.b_panel_buffer, c.k_unroll, c.prefetch_epilogue, c.epilogue_in_registers);
    Put("{}", text);
    Stores(c.epilogue);
    Split(c.split);
    Turns(c.turns);
  }

  const loop::Plan& plan_;
  std::string out_;
  absl::flat_hash_map<const Variable*, int> variables_;
  absl::flat_hash_map<const Scalar*, int> scalars_;
};

}  // namespace

std::string PlanText(const loop::Plan& plan) { return Writer(plan).Process(); }

}  // namespace gradus::codegen
