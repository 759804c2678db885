#include "frontend/compile.h"

#include <chrono>

#include "fmt/format.h"
#include "frontend/trainer.h"

namespace gradus {
namespace {

double MillisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

absl::StatusOr<std::vector<codegen::LoadedEntry>> CompileModule(ir::Module& module,
                                                                const CompileOptions& options,
                                                                CompileReport* report) {
  const auto start = std::chrono::steady_clock::now();
  passes::PassContext context;
  context.target = options.target;
  if (absl::Status s = passes::RunPipeline(module, options.pipeline, context, options.passes);
      !s.ok()) {
    return s;
  }
  const double passes_ms = MillisecondsSince(start);
  codegen::CodegenOptions codegen_options;
  codegen_options.target = options.target;
  codegen_options.cache_dir = options.cache_dir;
  codegen_options.prefix = module.name();
  codegen::CompileTimes times;
  auto entries = codegen::CompileAndLoad(module, codegen_options, &times);
  if (report != nullptr) {
    report->passes_ms = passes_ms;
    report->codegen_ms = times.emit_ms + times.codegen_ms + times.link_ms;
    report->total_ms = MillisecondsSince(start);
    report->from_cache = times.from_cache;
  }
  return entries;
}

absl::StatusOr<Trainer> Compile(const Model& model, const TrainingOptions& training,
                                const CompileOptions& options) {
  absl::StatusOr<std::unique_ptr<ir::Module>> module = BuildTrainingModule(model, training);
  if (!module.ok()) return module.status();
  CompileReport report;
  auto entries = CompileModule(**module, options, &report);
  if (!entries.ok()) return entries.status();
  return Trainer::Create(model, training, *std::move(entries), report);
}

absl::StatusOr<runtime::Executable> Compile(Graph& graph, const CompileOptions& options,
                                            CompileReport* report) {
  if (graph.function().error()) return graph.function().error()->ToStatus();
  if (graph.function().results().empty()) {
    return ir::Diagnostic{.message = fmt::format("graph {} has no output", graph.module().name()),
                          .help = "call Output(name, tensor) before Compile"}
        .ToStatus();
  }
  auto entries = CompileModule(graph.module(), options, report);
  if (!entries.ok()) return entries.status();
  for (codegen::LoadedEntry& e : *entries) {
    if (e.name == graph.function().name()) return std::move(e.executable);
  }
  return absl::InternalError("the compiled module lacks its function");
}

}  // namespace gradus
