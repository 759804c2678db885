#pragma once

// Compile: from a model or a graph to native code in this process.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "codegen/compile.h"
#include "frontend/training_module.h"
#include "frontend/tune.h"
#include "passes/pipelines.h"

namespace gradus {

class Trainer;

struct CompileOptions {
  std::string pipeline = "default";  // or "none": without optimisation, to compare with
  std::string cache_dir = codegen::DefaultCacheDir();  // empty: no object cache
  ir::Target target = codegen::DefaultTarget();
  passes::PipelineOptions passes{.verify_each = false};
  // The sizes of symbols, by name, that the workspace is to be small for (32 for those that are not
  // named), and the most bytes that any entry's may have with them (0: no limit). Values are
  // computed again, from what they were computed from, where that is needed; if it does not help,
  // Compile fails and says what takes the memory.
  std::map<std::string, int64_t, std::less<>> sizes;
  int64_t max_arena = 0;
  // Schedules of the products that matter are found by measurement on this machine, for `sizes`,
  // where the cache does not know them (see frontend/tune.h). It takes up
  // to tuning.seconds the first time. Libraries, whose processor is another, are not tuned.
  bool tune = false;
  TuneOptions tuning;
  // Debuggers see the lines of the model's source that code comes from: where its layers were
  // called. Off unless $GRADUS_DEBUG_LINES is set.
  bool debug_lines = codegen::DefaultDebugLines();
};

struct CompileReport {
  double passes_ms = 0, codegen_ms = 0, total_ms = 0;
  bool from_cache = false;
  Tuning tuning;  // with CompileOptions::tune
};

// All entries of a module, by name, after running the pipeline on it.
absl::StatusOr<std::vector<codegen::LoadedEntry>> CompileModule(ir::Module& module,
                                                                const CompileOptions& options = {},
                                                                CompileReport* report = nullptr);

// A model with its training step, its parameters initialised from seed 0 (see Trainer::Reset).
absl::StatusOr<Trainer> Compile(const Model& model, const TrainingOptions& training,
                                const CompileOptions& options = {});

// Functions of tensors without a Model: inputs, results, and Grad.
//
//   Graph g("loss");
//   Tensor w = g.Input("w", {3});
//   Tensor loss = reduce_sum(square(matmul(g.Input("x", {kBatch, 3}), w)));
//   g.Output("loss", loss);
//   g.Output("dw", Grad(loss, {w})[0]);
//   runtime::Executable f = Compile(g).value();
//   std::vector<runtime::Tensor> out = f.Run(...).value();   // arguments in the order of Input
class Graph {
 public:
  explicit Graph(std::string name, DType dtype = DType::kF32) : model_(std::move(name), dtype) {}
  Tensor Input(const std::string& name, const Shape& shape,
               const std::source_location& where = std::source_location::current()) {
    return model_.Input(name, shape, where);
  }
  Tensor Input(const std::string& name, const Shape& shape, DType dtype,
               const std::source_location& where = std::source_location::current()) {
    return model_.Input(name, shape, dtype, where);
  }
  void Output(const std::string& name, Tensor value,
              const std::source_location& where = std::source_location::current()) {
    model_.Output(name, value, where);
  }
  ir::Module& module() { return model_.module(); }
  ir::Function& function() { return model_.forward(); }

 private:
  friend absl::StatusOr<runtime::Executable> Compile(Graph&, const CompileOptions&, CompileReport*);
  Model model_;
};

// Runs the pipeline on the graph's module itself, so a graph can be compiled once.
absl::StatusOr<runtime::Executable> Compile(Graph& graph, const CompileOptions& options = {},
                                            CompileReport* report = nullptr);

}  // namespace gradus
