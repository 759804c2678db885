#include "frontend/program_trials.h"

#include <algorithm>
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
// Passes over all programs in a round: about so long, with limits.
constexpr double kRound = 1;  // seconds
constexpr int kLeastPasses = 2, kMostPasses = 60;

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

using Ratios = std::vector<std::map<std::string, double>>;  // of each version but the first
// Of one round: [version][kernel], a ratio a pass.
using Samples = std::vector<std::map<std::string, std::vector<double>>>;

// One entry of all versions.
class EntryTrials {
 public:
  EntryTrials(std::span<const Version> versions, const ir::Function& entry,
              const std::vector<std::string>& kernels, const std::function<bool()>& time_is_up)
      : versions_(versions), entry_(entry), kernels_(kernels), time_is_up_(time_is_up) {}

  // The larger ratios of the rounds.
  absl::Status Process(const PassContext& context, Ratios& ratios) {
    std::vector<runtime::Executable> executables;
    for (const Version& v : versions_) {
      loaded_.push_back(v.Find(entry_.name()));
      if (loaded_.back() == nullptr) return absl::InternalError("tune: an entry is gone");
      executables.push_back(loaded_.back()->executable);
    }
    auto trials = CallTrials::Create(executables, entry_, 0, context);
    if (!trials.ok()) return trials.status();
    for (int round = 0; round < kRounds; ++round) {
      Samples samples(ratios.size());
      if (absl::Status s = Round(*trials, samples); !s.ok()) return s;
      for (size_t v = 0; v < ratios.size(); ++v) {
        for (auto& [name, list] : samples[v]) {
          ratios[v][name] = std::max(ratios[v][name], Median(std::move(list)));
        }
      }
    }
    return absl::OkStatus();
  }

 private:
  std::vector<double> Ticks(size_t version) const {
    std::vector<double> all;
    for (const std::string& name : kernels_) {
      const size_t number = versions_[version].kernels.at(name);
      all.push_back(static_cast<double>(loaded_[version]->profile[number].ticks));
    }
    return all;
  }

  // The ticks of each kernel in one call.
  absl::StatusOr<std::vector<double>> Count(const CallTrials& trials, size_t version) const {
    if (time_is_up_()) return absl::DeadlineExceededError("tune: time is up");
    const std::vector<double> before = Ticks(version);
    if (absl::Status s = trials.Run(version); !s.ok()) return s;
    std::vector<double> ticks = Ticks(version);
    for (size_t i = 0; i < ticks.size(); ++i) ticks[i] -= before[i];
    return ticks;
  }

  absl::Status Round(CallTrials& trials, Samples& samples) const {
    if (absl::Status s = trials.Prepare(0, false); !s.ok()) return s;
    const auto start = std::chrono::steady_clock::now();
    for (size_t v = 0; v < versions_.size(); ++v) {
      if (absl::Status s = trials.Run(v); !s.ok()) return s;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const int passes = static_cast<int>(
        std::clamp(kRound / took.count(), double{kLeastPasses}, double{kMostPasses}));
    for (int pass = 0; pass < passes; ++pass) {
      const auto first = Count(trials, 0);
      if (!first.ok()) return first.status();
      for (size_t v = 1; v < versions_.size(); ++v) {
        const auto ticks = Count(trials, v);
        if (!ticks.ok()) return ticks.status();
        for (size_t i = 0; i < kernels_.size(); ++i) {
          samples[v - 1][kernels_[i]].push_back((*ticks)[i] / std::max((*first)[i], 1.0));
        }
      }
    }
    return absl::OkStatus();
  }

  std::span<const Version> versions_;
  const ir::Function& entry_;
  const std::vector<std::string>& kernels_;
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

absl::StatusOr<std::vector<std::map<std::string, double>>> RatiosInProgram(
    const ir::Module& module, std::string_view pipeline, const PassContext& before,
    std::span<const PassContext> after, const std::function<bool()>& time_is_up) {
  std::vector<const PassContext*> contexts = {&before};
  for (const PassContext& context : after) contexts.push_back(&context);
  std::vector<Version> versions;
  for (const PassContext* context : contexts) {
    if (time_is_up()) return absl::DeadlineExceededError("tune: time is up");
    auto version = Version::Compile(module, pipeline, *context);
    if (!version.ok()) return version.status();
    versions.push_back(*std::move(version));
  }
  std::set<std::string> left;
  for (const PassContext& context : after) {
    for (const auto& [name, choices] : context.choices) {
      if (Differ(before, context, name)) left.insert(name);
    }
  }
  // Entries that call most first: a training step has what the forward pass has.
  const ir::Module& lowered = *versions[0].module;
  std::vector<std::pair<size_t, const ir::Function*>> entries;
  for (const auto& f : lowered.functions()) {
    if (f->kind() == ir::FunctionKind::kGraph) entries.emplace_back(f->nodes().size(), f.get());
  }
  std::ranges::stable_sort(entries, std::greater<>(), [](const auto& e) { return e.first; });
  Ratios ratios(after.size());
  for (const auto& [size, entry] : entries) {
    std::vector<std::string> kernels;
    for (const auto& [name, operations] : passes::OperationsByKernel(lowered, *entry, {})) {
      if (left.erase(name) > 0) kernels.push_back(name);
    }
    if (kernels.empty()) continue;
    EntryTrials trials(versions, *entry, kernels, time_is_up);
    if (absl::Status s = trials.Process(before, ratios); !s.ok()) return s;
  }
  return ratios;
}

}  // namespace gradus
