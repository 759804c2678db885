#pragma once

// Calls of compiled code in memory whose neighbours on both sides may not be touched.

#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/executable.h"
#include "runtime/tensor.h"

namespace gradus::tests {

// Runs `executable` twice with every argument, result and the workspace between two pages that
// cannot be read or written: with the end of each buffer against the page behind it, and with its
// beginning against the page before. Whoever reads or writes a byte too far ends the program with a
// message that names the buffer and `context`. An error if a byte beside a buffer changed that is
// on the buffer's own pages, if an argument changed whose memory no result uses, or if the two runs
// differ in a bit. Memory is full of NaNs before.
absl::StatusOr<std::vector<runtime::Tensor>> RunGuarded(const runtime::Executable& executable,
                                                        std::span<const runtime::Tensor> arguments,
                                                        std::string_view context,
                                                        const gradus_threads* threads = nullptr);

}  // namespace gradus::tests
