#pragma once

// Times a compiled function.

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/aligned_buffer.h"
#include "runtime/executable.h"
#include "runtime/tensor.h"

namespace gradus::tools {

// A function with its memory. Arguments that it updates can be put back: a training step that runs
// ten thousand times on one batch leaves weights and moments that nobody meets, such as denormal
// numbers, with which processors are slower.
class BoundFunction {
 public:
  // `threads` may be null and must outlive the function.
  static absl::StatusOr<BoundFunction> Create(const runtime::Executable& executable,
                                              std::vector<runtime::Tensor> arguments,
                                              const gradus_threads* threads);
  absl::Status Run() const { return call_.Run(); }
  void Restore();
  int64_t workspace_bytes() const { return static_cast<int64_t>(workspace_.size()); }
  // Of arguments and results; memory that both use counts twice.
  int64_t argument_and_result_bytes() const { return io_bytes_; }

 private:
  BoundFunction() = default;
  struct Saved {
    size_t argument;
    runtime::Tensor value;
  };
  std::vector<runtime::Tensor> arguments_, results_;
  std::vector<Saved> saved_;
  runtime::AlignedBuffer workspace_;
  runtime::BoundCall call_;
  int64_t io_bytes_ = 0;
};

struct Timing {
  double median_ms = 0, p10_ms = 0, p90_ms = 0;  // of wall time
  double cpu_median_ms = 0;                      // of the calling thread
  int64_t samples = 0, calls_a_sample = 0;
};

// Warms up, then takes samples for about `seconds`, at least five. A sample is as many calls as
// make the clock's own time not count.
absl::StatusOr<Timing> MeasureCalls(BoundFunction& function, double seconds);

}  // namespace gradus::tools
