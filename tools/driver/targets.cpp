#include "tools/driver/targets.h"

#include "codegen/compile.h"
#include "fmt/format.h"

namespace gradus::tools {

Flag TargetFlag(std::string* name) {
  return {"target-cpu", "NAME", "what to make code for (default host; see --print-targets)", name};
}

absl::StatusOr<ir::Target> TargetOf(std::string_view name) {
  if (!name.empty()) return codegen::NamedTarget(name);
  ir::Target target = codegen::DefaultTarget();
  if (target.triple.empty()) return codegen::CheckRunsHere(target);
  return target;
}

std::string DescribeTargets() {
  std::string text = fmt::format("{:<10} {:>11} {:>9} {:>4} {:>9}  {}\n", "target", "vector bits",
                                 "registers", "fma", "runs here", "triple");
  for (const std::string_view name : codegen::TargetNames()) {
    const ir::Target t = *codegen::NamedTarget(name);
    const std::string bits = t.lanes(4) == 1 ? "none" : std::to_string(int64_t{8} * t.vector_bytes);
    text += fmt::format("{:<10} {:>11} {:>9} {:>4} {:>9}  {}\n", name, bits, t.vector_registers,
                        t.has_fma ? "yes" : "no", codegen::CheckRunsHere(t).ok() ? "yes" : "no",
                        t.triple);
  }
  return text;
}

}  // namespace gradus::tools
