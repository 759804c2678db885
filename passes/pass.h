#pragma once

// A pass is a function on a module that says whether it changed anything. It changes one thing.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/module.h"
#include "ir/target.h"
#include "passes/scheduling/choice.h"

namespace gradus::passes {

struct PassContext {
  ir::Target target;  // for schedule
  // For plan-memory: the sizes of symbols, by name, that the workspace is to be small for. It works
  // with all others, too.
  std::map<std::string, int64_t, std::less<>> sizes;
  // The most bytes that an entry's workspace may have at `sizes`: values are computed again where
  // that is needed. 0: no limit.
  int64_t max_arena = 0;
  // For schedule: what was chosen for the products of kernels, by the kernel's name, in the order
  // of its plan. Kernels that are not named are scheduled by the tables.
  std::map<std::string, std::vector<scheduling::Choice>, std::less<>> choices;

  static constexpr int64_t kTypicalSize = 32;  // of a symbol that is not among them: a batch
  int64_t SizeOf(std::string_view symbol) const {
    const auto given = sizes.find(symbol);
    return given == sizes.end() ? kTypicalSize : given->second;
  }
};

struct Pass {
  std::string_view name, summary;
  absl::StatusOr<bool> (*run)(ir::Module&, const PassContext&);
  bool required = false;  // later stages need it: PipelineOptions::bisect_limit never leaves it out
};

}  // namespace gradus::passes
