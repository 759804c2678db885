#include "frontend/compile.h"

#include <chrono>

#include "fmt/format.h"
#include "frontend/trainer.h"
#include "ir/printer.h"

namespace gradus {
namespace {

double MillisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

absl::StatusOr<std::vector<codegen::LoadedEntry>> CompileModule(ir::Module& module,
                                                                const CompileOptions& options,
                                                                CompileReport* report) {
  const auto start = std::chrono::steady_clock::now();
  if (absl::Status s = codegen::CheckRunsHere(options.target); !s.ok()) return s;
  codegen::CodegenOptions codegen_options;
  codegen_options.target = options.target;
  codegen_options.cache_dir = options.cache_dir;
  codegen_options.prefix = module.name();
  codegen_options.debug_lines = options.debug_lines;
  codegen::CompileTimes times;
  double passes_ms = 0;
  Tuning tuning;
  const auto finish = [&](std::vector<codegen::LoadedEntry> entries) {
    if (report != nullptr) {
      report->passes_ms = passes_ms;
      report->codegen_ms = times.emit_ms + times.codegen_ms + times.link_ms;
      report->total_ms = MillisecondsSince(start);
      report->from_cache = times.from_cache;
      report->tuning = tuning;
    }
    return entries;
  };
  passes::PassContext context{
      .target = options.target, .sizes = options.sizes, .max_arena = options.max_arena};
  if (options.tune && options.passes.bisect_limit < 0) {
    auto found = Tune(module, options.pipeline, context, options.cache_dir, options.tuning);
    if (!found.ok()) return found.status();
    tuning = *std::move(found);
    context.choices = tuning.choices;
  }
  // The graph and what was tuned decide the code, so a hit needs no pass; who asked for dumps gets
  // the passes run.
  const passes::PipelineOptions& p = options.passes;
  const bool dumps =
      p.print_after_all || p.print_after_change || p.time_passes || !p.dump_dir.empty();
  if (!options.cache_dir.empty() && p.bisect_limit < 0) {
    std::string sizes;
    for (const auto& [symbol, size] : options.sizes) sizes += fmt::format(" {}={}", symbol, size);
    const bool lines = options.debug_lines;
    codegen_options.cache_key = fmt::format(
        "{} arena {}{}\n{}\n{}", options.pipeline, options.max_arena, sizes, ToString(tuning),
        ir::Print(module, {.locations = lines, .text_locations = lines}));
    if (auto cached = dumps ? std::nullopt : codegen::LoadCached(module, codegen_options, &times)) {
      return finish(*std::move(cached));
    }
  }
  if (absl::Status s = passes::RunPipeline(module, options.pipeline, context, options.passes);
      !s.ok()) {
    return s;
  }
  passes_ms = MillisecondsSince(start);
  auto entries = codegen::CompileAndLoad(module, codegen_options, &times);
  if (!entries.ok()) return entries.status();
  return finish(*std::move(entries));
}

absl::StatusOr<Trainer> Compile(const Model& model, const TrainingOptions& training,
                                const CompileOptions& options) {
  absl::StatusOr<std::unique_ptr<ir::Module>> module = BuildTrainingModule(model, training);
  if (!module.ok()) return module.status();
  CompileReport report;
  auto entries = CompileModule(**module, options, &report);
  if (!entries.ok()) return entries.status();
  auto trainer = Trainer::Create(model, training, *std::move(entries), report);
  if (!trainer.ok()) return trainer;
  auto graph = BuildInferenceModule(model);
  if (!graph.ok()) return graph.status();
  (*graph)->EraseFunction((*graph)->Find("init"));
  trainer->KeepGraph(*std::move(graph), options.pipeline, options.target);
  return trainer;
}

absl::StatusOr<runtime::Executable> Compile(Graph& graph, const CompileOptions& options,
                                            CompileReport* report) {
  if (absl::Status s = graph.model_.Check(); !s.ok()) return s;
  auto entries = CompileModule(graph.module(), options, report);
  if (!entries.ok()) return entries.status();
  for (codegen::LoadedEntry& e : *entries) {
    if (e.name == graph.function().name()) return std::move(e.executable);
  }
  return absl::InternalError("the compiled module lacks its function");
}

}  // namespace gradus
