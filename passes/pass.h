#pragma once

// A pass is a function on a module that says whether it changed anything. It changes one thing.

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "ir/module.h"
#include "ir/target.h"

namespace gradus::passes {

struct PassContext {
  ir::Target target;  // for schedule
};

struct Pass {
  std::string_view name, summary;
  absl::StatusOr<bool> (*run)(ir::Module&, const PassContext&);
  bool required = false;  // later stages need it: PipelineOptions::bisect_limit never leaves it out
};

}  // namespace gradus::passes
