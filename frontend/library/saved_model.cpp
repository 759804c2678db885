#include "frontend/library/saved_model.h"

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "frontend/data/preprocess.h"
#include "frontend/library/model_description.h"
#include "frontend/training_module.h"
#include "ir/parser.h"
#include "ir/printer.h"
#include "ir/verifier.h"
#include "runtime/safetensors.h"

namespace gradus {
namespace {

constexpr std::string_view kFormat = "gradus-model";
constexpr std::string_view kVersion = "1";

absl::Status Bad(std::string_view path, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", path, what));
}

// Each parameter once, of the type that the graph gives it. `source` stands for the weights.
absl::Status CheckWeights(const ir::Module& module, const Weights& weights,
                          std::string_view source) {
  for (const ir::Parameter& p : module.parameters()) {
    const auto it = weights.find(p.name);
    if (it == weights.end()) return Bad(source, fmt::format("there is no parameter {}", p.name));
    std::vector<int64_t> shape;
    for (const Dim& d : p.type.shape) shape.push_back(d.size());
    const auto dtype = static_cast<runtime::DType>(p.type.dtype);
    if (it->second.dtype() != dtype || it->second.shape() != shape) {
      return Bad(source,
                 fmt::format("{}: expected {}, got {}", p.name, runtime::FormatType(dtype, shape),
                             runtime::FormatType(it->second.dtype(), it->second.shape())));
    }
  }
  if (weights.size() == module.parameters().size()) return absl::OkStatus();
  for (const auto& [name, tensor] : weights) {
    bool known = false;
    for (const ir::Parameter& p : module.parameters()) known = known || p.name == name;
    if (!known) return Bad(source, fmt::format("the model has no parameter {}", name));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Metadata(const runtime::Safetensors& file, std::string_view key) {
  const auto it = file.metadata().find(key);
  if (it != file.metadata().end()) return it->second;
  return Bad(file.name(),
             fmt::format("is no model: its metadata has no \"{}\"\n  help: Model::Save writes "
                         "models; a file of weights alone is not enough",
                         key));
}

}  // namespace

absl::Status Model::Save(std::string_view path, const SaveOptions& options) const {
  auto saved = DescribeModel(*this, options);
  if (!saved.ok()) return saved.status();
  return WriteModelFile(path, *saved);
}

absl::StatusOr<SavedModel> DescribeModel(const Model& model, const SaveOptions& options) {
  auto module = options.training == nullptr ? BuildInferenceModule(model)
                                            : BuildTrainingModule(model, *options.training);
  if (!module.ok()) return module.status();
  SavedModel saved;
  saved.module = *std::move(module);
  saved.layers = model.layers();
  if (options.training != nullptr) {
    saved.loss = options.training->loss.name();
    saved.optimizer = options.training->optimizer->name();
    saved.learning_rate = options.training->optimizer->learning_rate();
    for (const StateTensor& s : TrainingState(model, *options.training)) {
      saved.state.push_back({s.name, s.start});
    }
  }
  if (options.preprocess != nullptr) saved.preprocess = options.preprocess->ToJson();
  if (options.weights == nullptr) return saved;
  const std::string source = "weights of " + model.name();
  if (absl::Status s = CheckWeights(*saved.module, *options.weights, source); !s.ok()) return s;
  for (const auto& [name, tensor] : *options.weights) {
    auto copy = tensor.Clone();
    if (!copy.ok()) return copy.status();
    saved.weights.emplace(name, *std::move(copy));
  }
  return saved;
}

absl::Status WriteModelFile(std::string_view path, const SavedModel& model) {
  std::vector<runtime::NamedTensorView> views;
  for (const auto& [name, tensor] : model.weights) views.push_back({name, tensor});
  runtime::SafetensorsMetadata metadata = {{"format", std::string(kFormat)},
                                           {"version", std::string(kVersion)},
                                           {"model", model.module->name()},
                                           {"graph", ir::Print(*model.module)},
                                           {"description", DescriptionText(model)}};
  if (!model.preprocess.empty()) metadata.emplace("preprocess", model.preprocess);
  return runtime::WriteSafetensors(path, views, metadata);
}

absl::StatusOr<SavedModel> ReadModelFile(std::string_view path) {
  const auto file = runtime::Safetensors::Read(path);
  if (!file.ok()) return file.status();
  const auto format = Metadata(*file, "format");
  if (!format.ok()) return format.status();
  if (*format != kFormat) {
    return Bad(path, fmt::format("expected a model (\"{}\"), got \"{}\"\n  help: Model::Save "
                                 "writes models",
                                 kFormat, *format));
  }
  const auto version = Metadata(*file, "version");
  if (!version.ok()) return version.status();
  if (*version != kVersion) {
    return Bad(path, fmt::format("is of version {}, expected {}: another Gradus wrote it", *version,
                                 kVersion));
  }
  const auto graph = Metadata(*file, "graph");
  if (!graph.ok()) return graph.status();
  const auto description = Metadata(*file, "description");
  if (!description.ok()) return description.status();

  SavedModel model;
  auto module = ir::Parse(*graph, fmt::format("{} (graph)", path));
  if (!module.ok()) return module.status();
  model.module = *std::move(module);
  if (absl::Status s = ir::Verify(*model.module); !s.ok()) {
    return Bad(path, fmt::format("its graph is not valid: {}", std::string(s.message())));
  }
  if (model.module->Find("forward") == nullptr) return Bad(path, "its graph has no @forward");
  if (absl::Status s = ReadDescription(*description, model); !s.ok()) {
    return Bad(path, std::string(s.message()));
  }
  if (const auto it = file->metadata().find("preprocess"); it != file->metadata().end()) {
    auto preprocess = data::Preprocess::ParseJson(it->second, fmt::format("{} (preprocess)", path));
    if (!preprocess.ok()) return preprocess.status();
    model.preprocess = it->second;
  }
  for (const runtime::SafetensorsEntry& entry : file->tensors()) {
    auto tensor = file->Load(entry.name);
    if (!tensor.ok()) return tensor.status();
    model.weights.emplace(entry.name, *std::move(tensor));
  }
  if (model.weights.empty()) return model;
  if (absl::Status s = CheckWeights(*model.module, model.weights, path); !s.ok()) return s;
  return model;
}

}  // namespace gradus
