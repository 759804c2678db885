#pragma once

// The targets that a fuzzer is told to try: --target-cpu=NAME[,NAME...].

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "codegen/compile.h"

namespace gradus::fuzz {

struct NamedTarget {
  std::string name;
  ir::Target target;
};

// All of them must run here, or be the one that is emulated; "all": every level by name that does.
inline absl::StatusOr<std::vector<NamedTarget>> TargetsOf(std::string_view list,
                                                          std::string_view emulated = "") {
  const auto runs = [&](std::string_view name, const ir::Target& t) {
    return name == emulated ? absl::OkStatus() : codegen::CheckRunsHere(t);
  };
  std::vector<NamedTarget> targets;
  if (list == "all") {
    for (const std::string_view name : codegen::TargetNames()) {
      const ir::Target t = *codegen::NamedTarget(name);
      if (name != "host" && runs(name, t).ok()) targets.push_back({std::string(name), t});
    }
    return targets;
  }
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), name.size() + 1));
    const auto t = codegen::NamedTarget(name);
    if (!t.ok()) return t.status();
    if (absl::Status s = runs(name, *t); !s.ok()) return s;
    targets.push_back({std::string(name), *t});
  }
  return targets;
}

// A machine on which little is much: what is planned for what passes the caches, or is worth
// sharing, is planned for small cases.
inline ir::Target WithSmallCaches(ir::Target target) {
  target.far_caches = true;
  target.l1_bytes = 1 << 10;
  target.l2_bytes = 1 << 15;
  target.l3_bytes = 1 << 16;
  target.sharing.least_work = target.sharing.part_work = 1;
  return target;
}

}  // namespace gradus::fuzz
