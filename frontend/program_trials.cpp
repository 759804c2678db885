#include "frontend/program_trials.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <utility>
#include <vector>

#include "codegen/compile.h"
#include "frontend/call_trials.h"
#include "ir/loop/plan.h"
#include "passes/operations.h"
#include "passes/pipelines.h"

namespace gradus {
namespace {

using passes::PassContext;

constexpr int kRounds = 2;
// Passes over both programs in a round: about so long, with limits.
constexpr double kRound = 1;  // seconds
constexpr int kLeastPasses = 3, kMostPasses = 60;

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

struct Version {
  std::unique_ptr<ir::Module> module;
  std::vector<codegen::LoadedEntry> entries;
  std::map<std::string, size_t> kernels;  // numbers of their counters

  static absl::StatusOr<Version> Compile(const ir::Module& module, std::string_view pipeline,
                                         const PassContext& context) {
    Version v;
    v.module = module.Clone();
    codegen::CodegenOptions options;
    options.target = context.target;
    options.profile = true;
    absl::Status lowered =
        passes::RunPipeline(*v.module, pipeline, context, {.verify_each = false});
    if (!lowered.ok()) return lowered;
    auto entries = codegen::CompileAndLoad(*v.module, options);
    if (!entries.ok()) return entries.status();
    v.entries = *std::move(entries);
    for (const ir::Function* kernel : codegen::KernelsOf(*v.module)) {
      v.kernels.emplace(kernel->name(), v.kernels.size());
    }
    return v;
  }

  const codegen::LoadedEntry* Find(const std::string& name) const {
    const auto found = std::ranges::find(entries, name, &codegen::LoadedEntry::name);
    return found == entries.end() ? nullptr : &*found;
  }
};

// One entry of both versions.
class EntryTrials {
 public:
  EntryTrials(std::span<const Version> versions, const ir::Function& entry,
              const std::function<bool()>& time_is_up)
      : versions_(versions), entry_(entry), time_is_up_(time_is_up) {}

  // Of the kernels named, the larger ratio of the rounds.
  absl::StatusOr<std::map<std::string, double>> Process(const std::vector<std::string>& kernels,
                                                        const PassContext& context) {
    std::vector<runtime::Executable> executables;
    for (const Version& v : versions_) {
      loaded_.push_back(v.Find(entry_.name()));
      if (loaded_.back() == nullptr) return absl::InternalError("tune: an entry is gone");
      executables.push_back(loaded_.back()->executable);
    }
    auto trials = CallTrials::Create(executables, entry_, 0, context);
    if (!trials.ok()) return trials.status();
    std::map<std::string, double> ratios;
    for (int round = 0; round < kRounds; ++round) {
      std::map<std::string, std::vector<double>> of_round;
      if (absl::Status s = Round(*trials, kernels, of_round); !s.ok()) return s;
      for (auto& [name, list] : of_round) {
        ratios[name] = std::max(ratios[name], Median(std::move(list)));
      }
    }
    return ratios;
  }

 private:
  // The ticks of each kernel in one call.
  absl::Status Count(CallTrials& trials, size_t version, const std::vector<std::string>& kernels,
                     std::vector<double>& ticks) const {
    if (time_is_up_()) return absl::DeadlineExceededError("tune: time is up");
    const auto read = [&] {
      std::vector<double> all;
      for (const std::string& name : kernels) {
        const size_t number = versions_[version].kernels.at(name);
        all.push_back(static_cast<double>(loaded_[version]->profile[number].ticks));
      }
      return all;
    };
    const std::vector<double> before = read();
    if (absl::Status s = trials.Run(version); !s.ok()) return s;
    ticks = read();
    for (size_t i = 0; i < ticks.size(); ++i) ticks[i] -= before[i];
    return absl::OkStatus();
  }

  absl::Status Round(CallTrials& trials, const std::vector<std::string>& kernels,
                     std::map<std::string, std::vector<double>>& ratios) const {
    if (absl::Status s = trials.Prepare(0, true); !s.ok()) return s;
    const auto start = std::chrono::steady_clock::now();
    if (absl::Status s = trials.Run(1); !s.ok()) return s;
    const double took =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const int passes = static_cast<int>(
        std::clamp(kRound / (2 * took), double{kLeastPasses}, double{kMostPasses}));
    for (int pass = 0; pass < passes; ++pass) {
      std::array<std::vector<double>, 2> ticks;
      for (size_t v = 0; v < ticks.size(); ++v) {
        if (absl::Status s = Count(trials, v, kernels, ticks[v]); !s.ok()) return s;
      }
      for (size_t i = 0; i < kernels.size(); ++i) {
        ratios[kernels[i]].push_back(ticks[1][i] / std::max(ticks[0][i], 1.0));
      }
    }
    return absl::OkStatus();
  }

  std::span<const Version> versions_;
  const ir::Function& entry_;
  const std::function<bool()>& time_is_up_;
  std::vector<const codegen::LoadedEntry*> loaded_;
};

bool Differ(const PassContext& a, const PassContext& b, const std::string& kernel) {
  const auto text = [&](const PassContext& context) -> std::string {
    const auto found = context.choices.find(kernel);
    return found == context.choices.end() ? "" : passes::scheduling::ToString(found->second);
  };
  return text(a) != text(b);
}

}  // namespace

absl::StatusOr<std::map<std::string, double>> RatiosInProgram(
    const ir::Module& module, std::string_view pipeline, const PassContext& before,
    const PassContext& after, const std::function<bool()>& time_is_up) {
  std::vector<Version> versions;
  for (const PassContext* context : {&before, &after}) {
    if (time_is_up()) return absl::DeadlineExceededError("tune: time is up");
    auto version = Version::Compile(module, pipeline, *context);
    if (!version.ok()) return version.status();
    versions.push_back(*std::move(version));
  }
  std::set<std::string> left;
  for (const auto& [name, choices] : after.choices) {
    if (Differ(before, after, name)) left.insert(name);
  }
  // Entries that do most first: a training step has what the forward pass has.
  const ir::Module& lowered = *versions[0].module;
  std::vector<std::pair<double, const ir::Function*>> entries;
  for (const auto& f : lowered.functions()) {
    if (f->kind() != ir::FunctionKind::kGraph) continue;
    entries.emplace_back(static_cast<double>(f->nodes().size()), f.get());
  }
  std::ranges::stable_sort(entries, std::greater<>(), [](const auto& e) { return e.first; });
  std::map<std::string, double> ratios;
  for (const auto& [size, entry] : entries) {
    std::vector<std::string> kernels;
    for (const auto& [name, operations] : passes::OperationsByKernel(lowered, *entry, {})) {
      if (left.erase(name) > 0) kernels.push_back(name);
    }
    if (kernels.empty()) continue;
    const auto more = EntryTrials(versions, *entry, time_is_up).Process(kernels, before);
    if (!more.ok()) return more.status();
    ratios.insert(more->begin(), more->end());
  }
  return ratios;
}

}  // namespace gradus
