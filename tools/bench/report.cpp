#include "tools/bench/report.h"

#include <algorithm>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tools/bench/machine.h"

namespace gradus::tools {
namespace {

// What code that is scheduled well reaches of the peak in large products.
constexpr double kReachable = 0.93;

double Gflops(const Measurement& m) {
  return m.timing.median_ms > 0 ? m.operations / m.timing.median_ms * 1e-6 : 0;
}

double PercentOfPeak(const Measurement& m) {
  return m.peak_gflops > 0 ? 100 * Gflops(m) / m.peak_gflops : 0;
}

double OverFloor(const Measurement& m) {
  return m.floor.total_ms > 0 ? m.timing.median_ms / m.floor.total_ms : 0;
}

// Four digits that count.
double Rounded(double x) { return x == 0 ? 0 : std::stod(fmt::format("{:.4g}", x)); }

std::string FormatMs(double ms) {
  return ms < 1 ? fmt::format("{:.4g} us", ms * 1e3) : fmt::format("{:.4g} ms", ms);
}

std::string FormatBytes(int64_t bytes) {
  const auto b = static_cast<double>(bytes);
  if (b < 1024) return fmt::format("{} B", bytes);
  if (b < 1024 * 1024) return fmt::format("{:.1f} KiB", b / 1024);
  return fmt::format("{:.1f} MiB", b / (1024 * 1024));
}

// Where a call's time goes, the longest first.
std::string KernelTable(const Measurement& m) {
  if (m.kernels.empty()) return "";
  double sum = 0;
  for (const KernelShare& k : m.kernels) sum += k.ms;
  std::string text =
      fmt::format("  kernels     {:.4g} ms in all\n{:>10} {:>6} {:>7} {:>8} {:>6}  name\n", sum,
                  "us", "%", "calls", "GFLOP/s", "% peak");
  for (const KernelShare& k : m.kernels) {
    const double gflops = k.ms > 0 ? k.operations / k.ms * 1e-6 : 0;
    text += fmt::format("{:10.2f} {:6.1f} {:7.4g} ", k.ms * 1e3, 100 * k.ms / sum, k.calls);
    text += k.operations > 0 ? fmt::format("{:8.1f} {:6.1f}", gflops, 100 * gflops / m.peak_gflops)
                             : fmt::format("{:8} {:6}", "", "");
    text += fmt::format("  {}\n", k.name);
  }
  return text;
}

// What was tuned, a line a kernel.
std::string TuningTable(const Measurement& m) {
  if (!m.tuning) return "";
  const Tuning& t = *m.tuning;
  std::string text = fmt::format(
      "  tuned       {} kernels ({} measured, {} from the cache, {} left) in {:.2g} s\n",
      t.choices.size(), t.measured, t.remembered, t.left, t.ms * 1e-3);
  std::string lines = ToString(t);
  std::string_view rest = lines;
  while (!rest.empty()) {
    const size_t end = rest.find('\n') + 1;
    text += fmt::format("    {}", rest.substr(0, end));
    rest.remove_prefix(end);
  }
  return text;
}

}  // namespace

Floor FloorOf(double operations, double peak_gflops, int64_t updated_parameters, int64_t bytes,
              double bandwidth) {
  Floor floor;
  floor.operations_ms = operations / (kReachable * peak_gflops) * 1e-6;
  if (updated_parameters > 0) {
    floor.memory_ms = static_cast<double>(updated_parameters * kAdamBytes) / bandwidth * 1e-6;
    floor.total_ms = floor.operations_ms + floor.memory_ms;
  } else {
    floor.memory_ms = static_cast<double>(bytes) / bandwidth * 1e-6;
    floor.total_ms = std::max(floor.operations_ms, floor.memory_ms);
  }
  return floor;
}

std::string ToJson(const Measurement& m) {
  nlohmann::ordered_json j;
  j["workload"] = m.workload;
  j["mode"] = m.mode;
  j["batch"] = m.batch;
  j["threads"] = m.threads;
  j["median_ms"] = Rounded(m.timing.median_ms);
  j["p10_ms"] = Rounded(m.timing.p10_ms);
  j["p90_ms"] = Rounded(m.timing.p90_ms);
  j["cpu_median_ms"] = Rounded(m.timing.cpu_median_ms);
  if (m.compile_times) {
    j["compile_cold_ms"] = Rounded(m.compile_cold_ms);
    j["compile_cached_ms"] = Rounded(m.compile_cached_ms);
  } else {
    j["compile_cold_ms"] = nullptr;
    j["compile_cached_ms"] = nullptr;
  }
  j["arena_bytes"] = m.arena_bytes;
  j["operations"] = m.operations;
  j["gflops"] = Rounded(Gflops(m));
  j["peak_gflops"] = Rounded(m.peak_gflops);
  j["percent_of_peak"] = Rounded(PercentOfPeak(m));
  j["bandwidth_gbs"] = Rounded(m.bandwidth);
  j["floor_ms"] = Rounded(m.floor.total_ms);
  j["over_floor"] = Rounded(OverFloor(m));
  if (m.tuning) j["tuned_kernels"] = m.tuning->choices.size();
  for (const KernelShare& k : m.kernels) {
    j["kernels"].push_back({{"name", k.name},
                            {"calls", Rounded(k.calls)},
                            {"ms", Rounded(k.ms)},
                            {"operations", k.operations}});
  }
  return j.dump();
}

std::string ToText(const Measurement& m) {
  std::string text = fmt::format(
      "{}, {}{}, {}\n", m.workload, m.mode, m.batch > 0 ? fmt::format(", batch {}", m.batch) : "",
      m.threads == 1 ? "one thread" : fmt::format("{} threads", m.threads));
  text += fmt::format("  time        {} (10 %: {}, 90 %: {}; this thread's own: {})\n",
                      FormatMs(m.timing.median_ms), FormatMs(m.timing.p10_ms),
                      FormatMs(m.timing.p90_ms), FormatMs(m.timing.cpu_median_ms));
  text += fmt::format(
      "  floor       {}: {:.4g} MFLOP at 93 % of {:.1f} GFLOP/s {}; {} {} at {:.1f} GB/s {}\n",
      FormatMs(m.floor.total_ms), m.operations * 1e-6, m.peak_gflops,
      FormatMs(m.floor.operations_ms),
      m.updated_parameters > 0 ? fmt::format("Adam on {} parameters", m.updated_parameters)
                               : "in and out:",
      FormatBytes(m.updated_parameters > 0 ? m.updated_parameters * kAdamBytes : m.io_bytes),
      m.bandwidth, FormatMs(m.floor.memory_ms));
  text += fmt::format("  over floor  {:.2f}\n", OverFloor(m));
  text += fmt::format("  speed       {:.1f} GFLOP/s, {:.1f} % of the peak\n", Gflops(m),
                      PercentOfPeak(m));
  if (m.compile_times) {
    text += fmt::format("  compile     {} cold, {} from the object cache\n",
                        FormatMs(m.compile_cold_ms), FormatMs(m.compile_cached_ms));
  }
  text += fmt::format("  workspace   {}\n", FormatBytes(m.arena_bytes));
  return text + TuningTable(m) + KernelTable(m);
}

}  // namespace gradus::tools
