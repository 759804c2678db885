#pragma once

// What a measurement says, as a line of JSON and as a page.

#include <optional>
#include <string>
#include <vector>

#include "tools/bench/measure.h"
#include "tools/bench/profile.h"
#include "tools/bench/subject.h"

namespace gradus::tools {

// The least time that a call can take here.
struct Floor {
  double operations_ms = 0;  // the sums of products at 93 % of the peak
  double memory_ms = 0;
  double total_ms = 0;
};
// A training step: its operations, then one pass of Adam, 28 bytes a parameter. All else: its
// operations, or reading every argument and writing every result once, whichever takes longer.
// `bandwidth` in billions of bytes a second, for that many bytes; `bytes` of arguments and results.
Floor FloorOf(double operations, double peak_gflops, int64_t updated_parameters, int64_t bytes,
              double bandwidth);

struct Measurement {
  std::string workload, mode;
  int64_t batch = 0, threads = 1;
  Timing timing;
  double operations = 0;  // a call
  double peak_gflops = 0;
  double bandwidth = 0;  // what the floor is made with
  int64_t updated_parameters = 0, io_bytes = 0;
  Floor floor;
  int64_t arena_bytes = 0;
  bool compile_times = false;  // whether the two below were measured
  double compile_cold_ms = 0, compile_cached_ms = 0;
  std::optional<Tuning> tuning;      // with --tune
  std::vector<KernelShare> kernels;  // empty: not asked for
};

std::string ToJson(const Measurement& m);  // one line, without its end
std::string ToText(const Measurement& m);

}  // namespace gradus::tools
