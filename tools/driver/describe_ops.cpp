#include "tools/driver/describe_ops.h"

#include <array>
#include <utility>

#include "fmt/format.h"
#include "ir/registry.h"
#include "passes/pipelines.h"

namespace gradus::tools {
namespace {

constexpr std::array<std::string_view, 8> kKinds = {"bool",     "int",   "float", "text",
                                                    "int list", "shape", "dtype", "function"};

constexpr auto kTraitNames = std::to_array<std::pair<ir::Trait, std::string_view>>({
    {ir::kPointwise, "pointwise"},
    {ir::kMovement, "movement"},
    {ir::kReduction, "reduction"},
    {ir::kContraction, "contraction"},
    {ir::kLeaf, "leaf"},
    {ir::kTranscendental, "transcendental"},
    {ir::kCommutative, "commutative"},
    {ir::kCall, "call"},
    {ir::kStopsGradient, "stops gradients"},
});

std::string Signature(const ir::OpDef& op) {
  std::string text(op.name);
  std::string_view separator = " ";
  for (const std::string_view operand : op.operands) {
    text += fmt::format("{}%{}", separator, operand);
    separator = ", ";
  }
  return op.variadic ? text + "..." : text;
}

std::string Differentiable(const ir::OpDef& op) {
  if (op.vjp_all != nullptr) return "in every operand";
  std::string text;
  for (size_t i = 0; i < op.operands.size() && i < op.vjp.size(); ++i) {
    if (op.vjp[i] != nullptr)
      text += fmt::format("{}{}", text.empty() ? "in " : ", ", op.operands[i]);
  }
  return text.empty() ? "no" : text;
}

std::string DescribeOp(const ir::OpDef& op) {
  std::string text = fmt::format("{}\n    {}\n", Signature(op), op.summary);
  std::string traits;
  for (const auto& [trait, name] : kTraitNames) {
    if (op.has(trait)) traits += fmt::format("{}{}", traits.empty() ? "" : ", ", name);
  }
  if (!traits.empty()) text += fmt::format("    traits: {}\n", traits);
  text += fmt::format("    differentiable: {}\n", Differentiable(op));
  for (const ir::AttrSpec& spec : op.attrs) {
    const std::string given =
        spec.required ? "required" : fmt::format("default {}", ir::ToString(spec.Default()));
    text += fmt::format("    {}: {}, {}; {}\n", spec.name, kKinds[static_cast<size_t>(spec.kind)],
                        given, spec.summary);
  }
  return text;
}

}  // namespace

std::string DescribeOps() {
  std::string text;
  for (const ir::OpDef* op : ir::AllOps()) text += DescribeOp(*op);
  return text + fmt::format("{} ops\n", ir::AllOps().size());
}

std::string DescribePasses() {
  std::string text = "pipelines\n";
  for (const passes::Pipeline& p : passes::AllPipelines()) {
    text += fmt::format("  {:<18} {}\n  {:<18}   {}\n", p.name, p.summary, "", p.passes);
  }
  text += "passes\n";
  for (const passes::Pass& p : passes::AllPasses()) {
    text +=
        fmt::format("  {:<18} {}{}\n", p.name, p.summary, p.required ? "" : " (may be left out)");
  }
  return text;
}

}  // namespace gradus::tools
