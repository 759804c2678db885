#include "ir/printer.h"

#include <charconv>
#include <cmath>

#include "fmt/format.h"
#include "ir/folding.h"
#include "ir/lexer.h"
#include "ir/literal.h"
#include "ir/loop/entry_plan.h"
#include "ir/loop/kernel.h"
#include "ir/loop/plan.h"
#include "ir/op_def.h"

namespace gradus::ir {
namespace {

constexpr size_t kWidth = 100;          // signatures and returns are broken here
constexpr size_t kLocationColumn = 64;  // loc(...) of short lines start here

// Collects items separated by ", " and breaks lines between them.
class Wrapped {
 public:
  Wrapped(std::string& out, std::string_view indent) : out_(out), indent_(indent) {
    line_start_ = out.rfind('\n') + 1;  // npos + 1 is 0
  }
  void Add(std::string_view item) {
    if (!first_) out_ += ',';
    const bool fits = out_.size() - line_start_ + item.size() + 2 <= kWidth;
    if (fits) {
      if (!first_) out_ += ' ';
    } else {
      out_ += '\n';
      line_start_ = out_.size();
      out_ += indent_;
    }
    out_ += item;
    first_ = false;
  }

 private:
  std::string& out_;
  std::string_view indent_;
  size_t line_start_ = 0;
  bool first_ = true;
};

bool IsDefault(const OpDef& op, const NamedAttribute& a) {
  for (const AttrSpec& spec : op.attrs) {
    if (spec.name == a.name) return !spec.required && Same(a.value, spec.Default());
  }
  return false;
}

class FunctionPrinter {
 public:
  FunctionPrinter(const Function& f, const PrintOptions& options) : f_(f), options_(options) {
    numbers_.assign(static_cast<size_t>(f.id_bound()), -1);
    if (options.folded) {
      forms_ = FoldedForms(f);
      nested_.resize(forms_.size());
    }
    int next = 0;
    for (int i = 0; i < f.num_args(); ++i) numbers_[static_cast<size_t>(f.arg(i).node()->id())] = i;
    for (const auto& node : f.nodes()) {
      const bool line = Form(*node) == TextForm::kLine;
      numbers_[static_cast<size_t>(node->id())] = line ? next++ : 0;
    }
  }

  void Process(std::string& out) {
    Signature(out);
    for (const auto& node : f_.nodes()) {
      if (Form(*node) == TextForm::kNested) {
        nested_[static_cast<size_t>(node->id())] = Nested(*node);
      }
      if (Form(*node) != TextForm::kLine) continue;
      const size_t line = out.size();
      out += "  ";
      Line(out, *node);
      if (options_.locations) AppendLocation(out, node->location(), line);
      out += '\n';
    }
    out += "  return";
    if (!f_.results().empty()) out += ' ';
    Wrapped values(out, "      ");
    for (const Result& r : f_.results()) values.Add(Name(r.value));
    out += "\n}\n";
  }

  void Line(std::string& out, const Node& node) const {
    out += fmt::format("%{}", numbers_[static_cast<size_t>(node.id())]);
    if (node.num_results() != 1) out += fmt::format(":{}", node.num_results());
    out += " = ";
    out += node.op().name;
    if (node.num_operands() > 0) out += ' ';
    Operands(out, node);
    out += AttributesText(node);
    out += " :";
    std::string_view separator = " ";
    for (const Type& type : node.types()) {
      out += separator;
      out += ToString(type);
      separator = ", ";
    }
    if (node.types().empty()) out += " ()";
  }

 private:
  TextForm Form(const Node& node) const {
    return forms_.empty() ? TextForm::kLine : forms_[static_cast<size_t>(node.id())];
  }

  std::string Nested(const Node& node) const {
    std::string out(node.op().name);
    out += '(';
    Operands(out, node);
    return out + AttributesText(node) + ')';
  }

  void Operands(std::string& out, const Node& node) const {
    std::string_view separator;
    for (const Value& v : node.operands()) {
      out += separator;
      out += Name(v);
      separator = ", ";
    }
  }

  void Signature(std::string& out) const {
    out += f_.kind() == FunctionKind::kKernel ? "kernel @"
           : f_.kind() == FunctionKind::kBody ? "body @"
                                              : "func @";
    out += SpellName(f_.name());
    out += '(';
    Wrapped args(out, "    ");
    for (int i = 0; i < f_.num_args(); ++i) {
      args.Add(
          fmt::format("%{}: {}", SpellName(f_.arg(i).node()->name()), ToString(f_.arg(i).type())));
    }
    out += ") -> (";
    Wrapped results(out, "    ");
    for (const Result& r : f_.results()) {
      std::string item;
      if (!r.name.empty()) item = SpellName(r.name) + ": ";
      item += r.value ? ToString(r.value.type()) : "<no value>";
      if (r.alias >= 0 && r.alias < f_.num_args()) {
        item += " in %" + SpellName(f_.arg(r.alias).node()->name());
      }
      results.Add(item);
    }
    out += ") {\n";
  }

  // Also of values that no valid function holds: a dump of a broken function must not break.
  std::string Name(const Value& v) const {
    if (!v) return "%<no value>";
    const Node& node = *v.node();
    const auto id = static_cast<size_t>(node.id());
    if (&node.function() != &f_ || v.is_poison() || id >= numbers_.size() || numbers_[id] < 0) {
      return "%<foreign>";
    }
    if (node.is_argument()) return "%" + SpellName(node.name());
    if (Form(node) == TextForm::kLiteral) return LiteralText(node);
    if (Form(node) == TextForm::kNested) return nested_[id];
    if (node.num_results() == 1) return fmt::format("%{}", numbers_[id]);
    return fmt::format("%{}#{}", numbers_[id], v.result());
  }

  void AppendLocation(std::string& out, const Location& location, size_t line_start) const {
    if (location.from_ir_text && !options_.text_locations) return;
    const bool known = location.known();
    if (!known && location.scope_name().empty() && !location.backward) return;
    out.append(2, ' ');
    const size_t width = out.size() - line_start;
    if (width < kLocationColumn) out.append(kLocationColumn - width, ' ');
    out += "loc(";
    if (known) out += Quote(*location.file);
    if (known && (location.line > 0 || location.column > 0)) {
      out += fmt::format(":{}", location.line);
    }
    if (known && location.column > 0) out += fmt::format(":{}", location.column);
    if (location.scope) {
      out += known ? " in " : "in ";
      out += Quote(*location.scope);
    }
    if (location.backward) out += known || location.scope ? " backward" : "backward";
    out += ')';
  }

  const Function& f_;
  const PrintOptions& options_;
  std::vector<int> numbers_;
  std::vector<TextForm> forms_;      // by node id; empty: each node has a line
  std::vector<std::string> nested_;  // by node id; op(...)
};

void PrintParameter(std::string& out, const Parameter& p) {
  out += fmt::format("param %{}: {} = {}", SpellName(p.name), ToString(p.type),
                     SpellName(p.initializer.kind));
  std::string_view separator = " {";
  for (const auto& [key, number] : p.initializer.numbers) {
    out += separator;
    // Sizes are whole numbers: 784, not 784.0.
    const bool whole = std::trunc(number) == number && std::abs(number) < 1e15;
    const bool minus_zero = number == 0 && std::signbit(number);
    out += SpellName(key) + " = ";
    out +=
        whole && !minus_zero ? fmt::format("{}", static_cast<int64_t>(number)) : PrintFloat(number);
    separator = ", ";
  }
  if (separator == ", ") out += '}';
  if (!p.trainable) out += " frozen";
  out += '\n';
}

void PrintFunction(std::string& out, const Function& f, const PrintOptions& options) {
  FunctionPrinter(f, options).Process(out);
  if (!options.loops) return;
  // For people: the parser skips them, for they follow from the kernel.
  if (f.kernel) out += loop::Print(*f.kernel);
  if (f.plan) out += loop::Print(*f.plan);
  if (f.entry) out += loop::Print(*f.entry);
}

}  // namespace

std::string PrintFloat(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  std::string text(buffer, end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string AttributesText(const Node& node) {
  std::string out;
  std::string_view separator = " {";
  for (const NamedAttribute& a : node.attrs()) {
    if (IsDefault(node.op(), a)) continue;
    out += separator;
    out += a.name;
    out += " = ";
    out += ToString(a.value);
    separator = ", ";
  }
  return out.empty() ? out : out + '}';
}

std::string Print(const Module& module, const PrintOptions& options) {
  std::string out = "module @" + SpellName(module.name()) + "\n";
  if (!module.parameters().empty()) out += '\n';
  for (const Parameter& p : module.parameters()) PrintParameter(out, p);
  for (const auto& f : module.functions()) {
    out += '\n';
    PrintFunction(out, *f, options);
  }
  return out;
}

std::string Print(const Function& function, const PrintOptions& options) {
  std::string out;
  PrintFunction(out, function, options);
  return out;
}

std::string Print(const Node& node) {
  const PrintOptions options;
  const FunctionPrinter printer(node.function(), options);
  std::string out;
  printer.Line(out, node);
  return out;
}

}  // namespace gradus::ir
