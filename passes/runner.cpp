// The one runner of passes: each pass is verified, dumped and timed alike.

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "fmt/format.h"
#include "ir/check.h"
#include "ir/printer.h"
#include "ir/verifier.h"
#include "passes/pipelines.h"

namespace gradus::passes {
namespace {

using Clock = std::chrono::steady_clock;

void PrintToStderr(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

bool WriteText(const std::string& path, std::string_view text) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return false;
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && written;
}

class Runner {
 public:
  Runner(ir::Module& module, std::span<const Pass* const> pipeline, const PassContext& context,
         const PipelineOptions& options)
      : module_(module),
        pipeline_(pipeline),
        context_(context),
        options_(options),
        print_(options.print ? options.print : PrintToStderr) {}

  absl::Status Process() {
    if (!options_.dump_dir.empty()) {
      std::error_code error;
      std::filesystem::create_directories(options_.dump_dir, error);
      if (error) {
        return absl::InvalidArgumentError(fmt::format("cannot make the folder for dumps {}: {}",
                                                      options_.dump_dir, error.message()));
      }
    }
    if (options_.verify_each) {
      // What comes in may be the user's own text or graph: not our bug yet.
      if (absl::Status status = ir::Verify(module_); !status.ok()) return status;
    }
    input_ = ir::Print(module_);
    const ir::CheckContext check([this] { return DescribeFailure(); });
    for (position_ = 0; position_ < pipeline_.size(); ++position_) {
      if (absl::Status status = RunOne(*pipeline_[position_]); !status.ok()) return status;
    }
    if (options_.time_passes) PrintTimes();
    return absl::OkStatus();
  }

 private:
  struct Timing {
    std::string_view name;
    double ms = 0;
    std::string_view note;
  };

  absl::Status RunOne(const Pass& pass) {
    if (!pass.required && options_.bisect_limit >= 0 && optional_run_ >= options_.bisect_limit) {
      Note(pass, "left out");
      times_.push_back({pass.name, 0, "left out"});
      return absl::OkStatus();
    }
    if (!pass.required) ++optional_run_;
    const Clock::time_point start = Clock::now();
    const absl::StatusOr<bool> changed = pass.run(module_, context_);
    const std::chrono::duration<double, std::milli> took = Clock::now() - start;
    if (!changed.ok()) return changed.status();
    times_.push_back({pass.name, took.count(), *changed ? "" : "unchanged"});
    if (options_.verify_each) {
      const absl::Status status = ir::Verify(module_);
      if (!status.ok()) return VerifyFailed(pass, status);
    }
    return Dump(pass, *changed);
  }

  absl::Status Dump(const Pass& pass, bool changed) {
    const bool print = options_.print_after_all || (options_.print_after_change && changed);
    if (print) {
      print_(fmt::format("// ---- after {}{} ----\n{}\n", pass.name, changed ? "" : " (unchanged)",
                         Text()));
    } else if (options_.print_after_change) {
      Note(pass, "unchanged");
    }
    if (!options_.dump_dir.empty() && changed) {
      const std::string path =
          fmt::format("{}/{:02}-{}.ir", options_.dump_dir, position_ + 1, pass.name);
      if (!WriteText(path, Text())) {
        return absl::InvalidArgumentError(fmt::format("cannot write the dump {}", path));
      }
    }
    return absl::OkStatus();
  }

  std::string Text() const {
    return ir::Print(module_,
                     {.locations = !options_.print_folded, .folded = options_.print_folded});
  }

  void Note(const Pass& pass, std::string_view note) {
    if (options_.print_after_all || options_.print_after_change) {
      print_(fmt::format("// ---- after {} ({}) ----\n", pass.name, note));
    }
  }

  absl::Status VerifyFailed(const Pass& pass, const absl::Status& status) {
    const std::string after = WriteReport(fmt::format("after-{}", pass.name), ir::Print(module_));
    return absl::InternalError(fmt::format(
        "internal error: pass {} left a module that does not verify\n  {}\n  IR after it: {}\n  {}",
        pass.name, std::string(status.message()), after, Reproducer()));
  }

  // Called when a check of ours fails inside a pass; the module may be half changed, so the input
  // is what helps.
  std::string DescribeFailure() {
    if (position_ >= pipeline_.size()) return {};
    return fmt::format("in pass {} ({} of {}) on @{}\n  {}", pipeline_[position_]->name,
                       position_ + 1, pipeline_.size(), module_.name(), Reproducer());
  }

  // Writes the input and says how to run it again.
  std::string Reproducer() {
    std::string names;
    for (size_t i = 0; i <= position_; ++i) {
      names += fmt::format("{}{}", i == 0 ? "" : ",", pipeline_[i]->name);
    }
    const std::string path = WriteReport("input", input_);
    return fmt::format("to reproduce: gradus-opt --passes={} {}", names, path);
  }

  std::string WriteReport(std::string_view what, std::string_view text) const {
    std::error_code error;
    std::string folder = options_.dump_dir;
    if (folder.empty()) folder = std::filesystem::temp_directory_path(error).string();
    if (error) folder = "/tmp";
    const std::string path = fmt::format("{}/gradus-{}-{}.ir", folder, getpid(), what);
    return WriteText(path, text) ? path : fmt::format("(cannot be written: {})", path);
  }

  void PrintTimes() {
    double total = 0;
    for (const Timing& t : times_) total += t.ms;
    std::string table = "// time of each pass\n";
    for (const Timing& t : times_) {
      table += fmt::format("//  {:>9.3f} ms  {:>5.1f} %  {}{}\n", t.ms,
                           total > 0 ? 100 * t.ms / total : 0.0, t.name,
                           t.note.empty() ? "" : fmt::format("  ({})", t.note));
    }
    table += fmt::format("//  {:>9.3f} ms           total\n", total);
    print_(table);
  }

  ir::Module& module_;
  std::span<const Pass* const> pipeline_;
  const PassContext& context_;
  const PipelineOptions& options_;
  std::function<void(std::string_view)> print_;
  std::string input_;
  size_t position_ = 0;
  int optional_run_ = 0;
  std::vector<Timing> times_;
};

}  // namespace

absl::Status RunPipeline(ir::Module& module, std::span<const Pass* const> pipeline,
                         const PassContext& context, const PipelineOptions& options) {
  return Runner(module, pipeline, context, options).Process();
}

absl::Status RunPipeline(ir::Module& module, std::string_view names, const PassContext& context,
                         const PipelineOptions& options) {
  absl::StatusOr<std::vector<const Pass*>> pipeline = ParsePipeline(names);
  if (!pipeline.ok()) return pipeline.status();
  return RunPipeline(module, *pipeline, context, options);
}

}  // namespace gradus::passes
