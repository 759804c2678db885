#include "tools/bench/profile.h"

#include <algorithm>
#include <utility>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "passes/operations.h"
#include "passes/pipelines.h"
#include "tools/bench/machine.h"
#include "tools/bench/measure.h"

namespace gradus::tools {

absl::StatusOr<std::vector<KernelShare>> ProfileKernels(Subject subject,
                                                        const std::optional<Tuning>& tuning,
                                                        double seconds,
                                                        const gradus_threads* threads) {
  constexpr int64_t kCallsBetweenRestores = 256, kMostCalls = 4096;
  codegen::CodegenOptions options;
  options.profile = true;
  passes::PassContext context{.target = options.target};
  if (tuning) {
    context.sizes = subject.sizes;
    context.choices = tuning->choices;
  }
  absl::Status lowered =
      passes::RunPipeline(*subject.module, "default", context, {.verify_each = false});
  if (!lowered.ok()) return lowered;
  auto entries = codegen::CompileAndLoad(*subject.module, options);
  if (!entries.ok()) return entries.status();
  const auto entry = std::find_if(entries->begin(), entries->end(),
                                  [&](const auto& e) { return e.name == subject.function; });
  if (entry == entries->end()) {
    return absl::InternalError(fmt::format("the compiled module lacks @{}", subject.function));
  }
  auto function = BoundFunction::Create(entry->executable, std::move(subject.arguments), threads);
  if (!function.ok()) return function.status();

  const std::vector<const ir::Function*> kernels = codegen::KernelsOf(*subject.module);
  std::vector<std::vector<int64_t>> ticks(kernels.size());  // of each call of the entry
  std::vector<codegen::KernelTime> before(kernels.size()), after(kernels.size());
  const auto read = [&](std::vector<codegen::KernelTime>& to) {
    std::copy_n(entry->profile, kernels.size(), to.begin());
  };
  const double start = WallSeconds();
  for (int64_t call = 0; call < kMostCalls && (WallSeconds() - start < seconds || call < 2);
       ++call) {
    if (call % kCallsBetweenRestores == 0) {
      function->Restore();
      if (absl::Status s = function->Run(); !s.ok()) return s;  // into the caches
    }
    read(before);
    if (absl::Status s = function->Run(); !s.ok()) return s;
    read(after);
    for (size_t k = 0; k < kernels.size(); ++k) {
      ticks[k].push_back(after[k].ticks - before[k].ticks);
    }
  }
  const double ticks_a_ms = MeasureTicksPerSecond() * 1e-3;
  std::vector<KernelShare> shares;
  for (size_t k = 0; k < kernels.size(); ++k) {
    const auto middle = ticks[k].begin() + static_cast<std::ptrdiff_t>(ticks[k].size() / 2);
    std::nth_element(ticks[k].begin(), middle, ticks[k].end());
    const auto calls = static_cast<double>(after[k].calls - before[k].calls);
    shares.push_back({.name = kernels[k]->name(),
                      .calls = calls,
                      .ms = static_cast<double>(*middle) / ticks_a_ms,
                      .operations = calls * PlannedOperations(*kernels[k]->plan, subject.sizes)});
  }
  std::stable_sort(shares.begin(), shares.end(),
                   [](const KernelShare& a, const KernelShare& b) { return a.ms > b.ms; });
  return shares;
}

}  // namespace gradus::tools
