#pragma once

// Where the time of a call goes, kernel by kernel. The subject is compiled once more, with a
// counter around each call of a kernel (codegen::CodegenOptions::profile).

#include <string>
#include <vector>

#include <optional>

#include "absl/status/statusor.h"
#include "frontend/tune.h"
#include "runtime/abi.h"
#include "tools/bench/subject.h"

namespace gradus::tools {

// Of one call of the subject.
struct KernelShare {
  std::string name;
  double calls = 0;  // more than one in loops over time
  double ms = 0;
  double operations = 0;  // of its contractions
};

// The longest first; medians of calls over about `seconds`. `tuning` as the subject was compiled
// with. `threads` may be null.
absl::StatusOr<std::vector<KernelShare>> ProfileKernels(Subject subject,
                                                        const std::optional<Tuning>& tuning,
                                                        double seconds,
                                                        const gradus_threads* threads);

}  // namespace gradus::tools
