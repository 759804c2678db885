#include "ir/ops/structure.h"

#include "fmt/format.h"
#include "ir/module.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"
#include "ir/strings.h"

namespace gradus::ir {
namespace {

absl::StatusOr<Types> ResultsOfCall(const Function& callee, std::span<const Type> operands) {
  if (callee.kind() == FunctionKind::kBody) {
    return TypeError(
        fmt::format("@{} is a body\nhelp: bodies are for scan; make it a func", callee.name()));
  }
  if (operands.size() != static_cast<size_t>(callee.num_args())) {
    return TypeError(fmt::format("@{} takes {} arguments, got {}", callee.name(), callee.num_args(),
                                 operands.size()));
  }
  for (int i = 0; i < callee.num_args(); ++i) {
    const Type& want = callee.arg(i).type();
    const Type& got = operands[static_cast<size_t>(i)];
    if (want == got) continue;
    return TypeError(fmt::format("argument {} (%{}) of @{} is {}, got {}", i,
                                 callee.arg(i).node()->name(), callee.name(), ToString(want),
                                 ToString(got)));
  }
  Types types;
  for (const Result& result : callee.results()) types.push_back(result.value.type());
  return types;
}

absl::StatusOr<Types> InferCall(const InferContext& c) {
  const std::string& name = c.attr<FunctionRef>("callee").name;
  const Function* callee = c.module ? c.module->Find(name) : nullptr;
  if (!callee) return TypeError(fmt::format("there is no function @{}", name));
  return ResultsOfCall(*callee, c.operands);
}

constinit const OpDef kCallOp{
    .name = "call",
    .summary = "the results of another function of the module",
    .operands = {"operands"},
    .variadic = true,
    .attrs = {AttrSpec{
        .name = "callee", .kind = AttrKind::kFunction, .summary = "the function called"}},
    .traits = kCall,
    .infer = InferCall,
};

constexpr const OpDef* kTable[] = {&kCallOp};

}  // namespace

OpTable StructureOps() { return kTable; }

Node* call(Function& f, const Function& callee, std::span<const Value> operands,
           const Location& location) {
  absl::InlinedVector<Type, 4> operand_types;
  for (const Value v : operands) operand_types.push_back(v.type());
  absl::StatusOr<Types> types = ResultsOfCall(callee, operand_types);
  if (!types.ok()) {
    f.ReportError({.location = location,
                   .message = fmt::format("call: {}", ToStd(types.status().message()))});
    return nullptr;
  }
  return f.Append(kCallOp, operands, {{"callee", FunctionRef{callee.name()}}}, *types, location);
}

}  // namespace gradus::ir
