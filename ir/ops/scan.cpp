#include "ir/ops/scan.h"

#include "fmt/format.h"
#include "ir/module.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"
#include "ir/strings.h"

namespace gradus::ir {
namespace {

constexpr std::string_view kRoles[] = {"carry", "sequence", "invariant"};

// What a body must be apart from its types.
absl::Status CheckBody(const Function& body, size_t operands, size_t carries, size_t sequences) {
  if (body.kind() != FunctionKind::kBody) {
    return TypeError(
        fmt::format("@{} is not a body\nhelp: write 'body @{}(...)': one step of a "
                    "scan is no entry",
                    body.name(), body.name()));
  }
  if (carries > operands || sequences > operands - carries) {
    return TypeError(
        fmt::format("{} carries and {} sequences, but {} operands", carries, sequences, operands));
  }
  if (static_cast<size_t>(body.num_args()) != operands) {
    return TypeError(fmt::format("@{} takes {} arguments, got {} operands", body.name(),
                                 body.num_args(), operands));
  }
  if (body.results().size() < carries) {
    return TypeError(fmt::format("@{} has {} results, expected at least the {} carries",
                                 body.name(), body.results().size(), carries));
  }
  for (const Result& r : body.results()) {
    if (r.alias >= 0) {
      return TypeError(
          fmt::format("a result of @{} lives in %{}\nhelp: where carries live is "
                      "decided by the compiler: leave 'in' out",
                      body.name(), body.arg(r.alias).node()->name()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Types> InferScan(const InferContext& c) {
  const std::string& name = c.attr<FunctionRef>("callee").name;
  const Function* body = c.module ? c.module->Find(name) : nullptr;
  if (!body) return TypeError(fmt::format("there is no function @{}", name));
  const int64_t carries = c.attr<int64_t>("carries");
  const int64_t sequences = c.attr<int64_t>("sequences");
  const Shape& length = c.attr<Shape>("length");
  if (carries < 0 || sequences < 0) return TypeError("a number of operands is negative");
  if (length.rank() != 1 || (!length[0].is_symbol() && length[0].size() < 0)) {
    return TypeError(
        fmt::format("length is one number of steps or a symbol, got {}", ToString(length)));
  }
  if (absl::Status s = CheckBody(*body, c.operands.size(), static_cast<size_t>(carries),
                                 static_cast<size_t>(sequences));
      !s.ok()) {
    return s;
  }
  for (size_t i = 0; i < c.operands.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const int role = at < carries ? 0 : at < carries + sequences ? 1 : 2;
    const Type& got = c.operands[i];
    const Type& want = body->arg(static_cast<int>(i)).type();
    if (role == 1 && (got.rank() < 1 || !(got.shape[0] == length[0]))) {
      return TypeError(fmt::format("sequence operand {} is {}, its first axis must be time, {}", i,
                                   ToString(got), ToString(length[0])));
    }
    const Type step = role == 1 ? StepOf(got) : got;
    if (step == want) continue;
    return TypeError(fmt::format(
        "{} operand {}: @{} takes %{} as {}, each step has {}", kRoles[role], i, body->name(),
        body->arg(static_cast<int>(i)).node()->name(), ToString(want), ToString(step)));
  }
  Types types;
  for (size_t i = 0; i < body->results().size(); ++i) {
    const Type& type = body->results()[i].value.type();
    if (static_cast<int64_t>(i) >= carries) {
      types.push_back(Stacked(length[0], type));
      continue;
    }
    if (!(type == c.operands[i])) {
      return TypeError(fmt::format("carry {}: @{} gives {}, but it starts as {}", i, body->name(),
                                   ToString(type), ToString(c.operands[i])));
    }
    types.push_back(type);
  }
  return types;
}

constinit const OpDef kScan{
    .name = "scan",
    .summary = "a loop over time: runs a body once a step, with carries from step to step",
    .operands = {"operands"},
    .variadic = true,
    .attrs = {AttrSpec{.name = "callee",
                       .kind = AttrKind::kFunction,
                       .summary = "the body: (carries, elements of sequences, invariants) -> "
                                  "(carries, elements of outputs)"},
              AttrSpec{.name = "carries",
                       .kind = AttrKind::kInt,
                       .summary = "how many operands, the first, are initial carries"},
              AttrSpec{.name = "sequences",
                       .kind = AttrKind::kInt,
                       .summary = "how many operands after those have time as their first axis"},
              AttrSpec{.name = "length",
                       .kind = AttrKind::kShape,
                       .summary = "[T]: the number of steps, or its symbol"},
              AttrSpec{.name = "reverse",
                       .kind = AttrKind::kBool,
                       .summary = "from the last step to the first",
                       .required = false}},
    .traits = kCall | kLoop,
    .infer = InferScan,
};

constexpr const OpDef* kTable[] = {&kScan};

}  // namespace

OpTable ScanOps() { return kTable; }

Type Stacked(const Dim& length, const Type& step) {
  Type type{step.dtype, {length}};
  for (const Dim& d : step.shape) type.shape.push_back(d);
  return type;
}

Type StepOf(const Type& stacked) { return {stacked.dtype, Shape(stacked.shape.dims().subspan(1))}; }

ScanView::ScanView(const Node& node)
    : node_(node),
      carries_(static_cast<int>(node.attr<int64_t>("carries"))),
      sequences_(static_cast<int>(node.attr<int64_t>("sequences"))),
      length_(node.attr<Shape>("length")[0]),
      reverse_(node.attr<bool>("reverse")) {
  const Module* module = node.function().module();
  IR_CHECK_MSG(module != nullptr, "a scan in a function without a module");
  body_ = module->Find(node.attr<FunctionRef>("callee").name);
  IR_CHECK(body_ != nullptr);
}

Node* scan(Function& f, const Function& body, std::span<const Value> carries,
           std::span<const Value> sequences, std::span<const Value> invariants,
           const ScanOptions& options, const Location& location) {
  std::vector<Value> operands(carries.begin(), carries.end());
  operands.insert(operands.end(), sequences.begin(), sequences.end());
  operands.insert(operands.end(), invariants.begin(), invariants.end());
  if (body.error()) f.ReportError(*body.error());
  for (const Value v : operands) {
    if (!v || v.is_poison()) return nullptr;
  }
  Location where = f.location_override().value_or(location);
  if (!where.scope) where.scope = f.scope();
  Diagnostic error;
  Node* node = TryEmit(f, kScan, operands,
                       {{"callee", FunctionRef{body.name()}},
                        {"carries", static_cast<int64_t>(carries.size())},
                        {"sequences", static_cast<int64_t>(sequences.size())},
                        {"length", Shape{options.length}},
                        {"reverse", options.reverse}},
                       where, f.module(), &error);
  if (node == nullptr) f.ReportError(std::move(error));
  return node;
}

}  // namespace gradus::ir
