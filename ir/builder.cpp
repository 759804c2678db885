#include "ir/builder.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "ir/ops/leaf.h"
#include "ir/strings.h"

namespace gradus::ir {
namespace {

// "left:  lstm_1  (theft.cpp:10:12) -> f32[B, 32]": what an operand of a refused op is and where it
// was made.
std::string OperandNote(std::string_view label, size_t label_width, const Value& v) {
  const Location& where = v.node()->location();
  std::string what;
  if (!where.scope_name().empty()) {
    what = std::string(where.scope_name());
  } else if (v.node()->is_argument()) {
    what = (where.from_ir_text ? "%" : "") + v.node()->name();
  } else {
    what = std::string(v.node()->op().name);
  }
  const std::string place = where.known() ? fmt::format("  ({})", where.ToString()) : "";
  return fmt::format("{}:{:{}} {}{} -> {}", label, "", label_width - label.size(), what, place,
                     ToString(v.type()));
}

// Of an op on `a` and `b` users say left and right; other operands go by the record's names.
std::string_view OperandLabel(const OpDef& op, size_t i) {
  if (op.operands.empty()) return "operand";
  if (op.operands.size() == 2 && op.operands[0] == "a" && op.operands[1] == "b") {
    return i == 0 ? "left" : "right";
  }
  return op.operands[std::min(i, op.operands.size() - 1)];
}

std::vector<std::string> OperandNotes(const OpDef& op, std::span<const Value> operands) {
  constexpr size_t kMostNotes = 8;
  const std::span<const Value> shown = operands.first(std::min(operands.size(), kMostNotes));
  size_t width = 0;
  for (size_t i = 0; i < shown.size(); ++i) width = std::max(width, OperandLabel(op, i).size());
  std::vector<std::string> notes;
  for (size_t i = 0; i < shown.size(); ++i) {
    notes.push_back(OperandNote(OperandLabel(op, i), width, shown[i]));
  }
  return notes;
}

Diagnostic Describe(const OpDef& op, std::span<const Value> operands, const Location& location,
                    const absl::Status& status) {
  Diagnostic d;
  d.location = location;
  std::string text(status.message());
  if (const size_t help = text.find("\nhelp: "); help != std::string::npos) {
    d.help = text.substr(help + 7);
    text.resize(help);
  }
  d.message = fmt::format("{}: {}", op.name, text);
  d.notes = OperandNotes(op, operands);
  return d;
}

// The other operand's dtype decides what a number becomes.
Value Materialise(Function& f, const Operand& operand, std::span<const Operand> all) {
  if (!operand.is_number()) return operand.value();
  DType dtype = DType::kF32;
  for (const Operand& o : all) {
    if (!o.is_number() && o.value().dtype() != DType::kI1) dtype = o.value().dtype();
  }
  const Type type{dtype, {}};
  if (IsFloat(dtype)) return constant(f, type, operand.number(), operand.where());
  return constant_int(f, type, static_cast<int64_t>(operand.number()), operand.where());
}

}  // namespace

absl::StatusOr<AttrList> CompleteAttrs(const OpDef& op, AttrList attrs) {
  AttrList complete;
  for (const AttrSpec& spec : op.attrs) {
    NamedAttribute* given = nullptr;
    for (NamedAttribute& a : attrs) {
      if (a.name != spec.name) continue;
      if (given != nullptr) {
        return absl::InvalidArgumentError(fmt::format("attribute {} is given twice", spec.name));
      }
      given = &a;
    }
    if (given == nullptr && spec.required) {
      return absl::InvalidArgumentError(fmt::format("attribute {} is missing", spec.name));
    }
    if (given != nullptr && given->value.index() != static_cast<size_t>(spec.kind)) {
      return absl::InvalidArgumentError(fmt::format("attribute {} has the wrong kind of value: {}",
                                                    spec.name, ToString(given->value)));
    }
    complete.push_back({spec.name, given != nullptr ? std::move(given->value) : spec.Default()});
  }
  for (const NamedAttribute& a : attrs) {
    bool known = false;
    for (const AttrSpec& spec : op.attrs) known = known || spec.name == a.name;
    if (!known) {
      return absl::InvalidArgumentError(fmt::format("there is no attribute {}", a.name));
    }
  }
  return complete;
}

Node* TryEmit(Function& function, const OpDef& op, std::span<const Value> operands, AttrList attrs,
              const Location& location, const Module* module, Diagnostic* error) {
  const size_t named = op.operands.size();
  if (op.variadic ? operands.size() + 1 < named : operands.size() != named) {
    *error = Describe(op, operands, location,
                      absl::InvalidArgumentError(
                          fmt::format("takes {}{} operands, got {}", op.variadic ? "at least " : "",
                                      op.variadic ? named - 1 : named, operands.size())));
    return nullptr;
  }
  absl::StatusOr<AttrList> complete = CompleteAttrs(op, std::move(attrs));
  if (!complete.ok()) {
    *error = Describe(op, operands, location, complete.status());
    return nullptr;
  }
  absl::InlinedVector<Type, 4> types;
  for (const Value& v : operands) types.push_back(v.type());
  InferContext context;
  context.operands = {types.data(), types.size()};
  context.attrs = &*complete;
  context.module = module;
  absl::StatusOr<Types> inferred = op.infer(context);
  if (!inferred.ok()) {
    *error = Describe(op, operands, location, inferred.status());
    return nullptr;
  }
  return function.Append(op, operands, *std::move(complete), {inferred->data(), inferred->size()},
                         location);
}

Value Emit(const OpDef& op, std::span<const Operand> operands, AttrList attrs) {
  Function* function = nullptr;
  const Operand* foreign = nullptr;
  for (const Operand& o : operands) {
    if (o.is_number()) continue;
    if (!o.value()) return {};
    if (function == nullptr) function = &o.value().function();
    if (function != &o.value().function()) foreign = &o;
  }
  IR_CHECK_MSG(function != nullptr, "an op needs an operand that is a value");
  Location location = function->location_override().value_or(
      operands.empty() ? Location() : operands[0].location());
  if (!location.scope) location.scope = function->scope();
  if (foreign != nullptr) {
    absl::InlinedVector<Value, 4> values;
    for (const Operand& o : operands) {
      if (!o.is_number()) values.push_back(o.value());
    }
    function->ReportError({.location = location,
                           .message = fmt::format(
                               "{}: the operands belong to different models or functions", op.name),
                           .notes = OperandNotes(op, {values.data(), values.size()}),
                           .help = "build both in one, or make one of them an input of the other"});
    foreign->value().function().ReportError(*function->error());
    return function->poison();
  }
  absl::InlinedVector<Value, 4> values;
  for (const Operand& o : operands) {
    values.push_back(Materialise(*function, o, operands));
    if (values.back().is_poison()) return function->poison();
  }
  Diagnostic error;
  Node* node = TryEmit(*function, op, {values.data(), values.size()}, std::move(attrs), location,
                       nullptr, &error);
  if (node == nullptr) {
    function->ReportError(std::move(error));
    return function->poison();
  }
  return node->result();
}

Value Emit(const OpDef& op, std::initializer_list<Operand> operands, AttrList attrs) {
  return Emit(op, std::span<const Operand>(operands.begin(), operands.size()), std::move(attrs));
}

}  // namespace gradus::ir
