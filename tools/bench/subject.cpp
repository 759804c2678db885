#include "tools/bench/subject.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "fmt/format.h"
#include "frontend/compile.h"
#include "frontend/optimizers.h"
#include "frontend/training_module.h"
#include "tools/bench/operations.h"
#include "tools/driver/inputs.h"
#include "tools/driver/module_file.h"

namespace gradus::tools {
namespace {

using runtime::Tensor;

constexpr double kLearningRate = 0.001;

// Leaves the one entry, and what it calls.
void EraseOthers(ir::Module& module, std::string_view entry) {
  for (const char* other : {"init", "forward", "evaluate", "train_step"}) {
    const ir::Function* f = other == entry ? nullptr : module.Find(other);
    if (f != nullptr) module.EraseFunction(f);
  }
}

void Fill(Tensor& tensor, double value) {
  if (tensor.dtype() == runtime::DType::kF32) {
    for (float& x : tensor.data<float>()) x = static_cast<float>(value);
  } else if (tensor.dtype() == runtime::DType::kF64) {
    for (double& x : tensor.data<double>()) x = value;
  } else if (tensor.raw() != nullptr) {
    std::memset(tensor.raw(), 0, static_cast<size_t>(tensor.byte_size()));
  }
}

// Classes in turn, or zeros and ones in turn; numbers stay as they are.
void FillTargets(Tensor& tensor, TargetKind kind) {
  if (kind == TargetKind::kNumbers) return;
  auto data = tensor.data<float>();
  const auto row = static_cast<size_t>(tensor.shape().back());
  for (size_t i = 0; i < data.size(); ++i) {
    const size_t sample = i / row;
    const bool one = kind == TargetKind::kCategorical ? i % row == sample % row : sample % 2 == 1;
    data[i] = one ? 1.0F : 0.0F;
  }
}

std::vector<bool> UpdatedInPlace(const ir::Function& f) {
  std::vector<bool> updated(static_cast<size_t>(f.num_args()), false);
  for (const ir::Result& r : f.results()) {
    if (r.alias >= 0) updated[static_cast<size_t>(r.alias)] = true;
  }
  return updated;
}

// The parameters by @init, in the module's order.
absl::StatusOr<std::vector<Tensor>> InitialWeights(const Model& model) {
  auto module = BuildInferenceModule(model);
  if (!module.ok()) return module.status();
  EraseOthers(**module, "init");
  auto entries = CompileModule(**module);
  if (!entries.ok()) return entries.status();
  absl::StatusOr<Tensor> seed = Tensor::Zeros(runtime::DType::kI64, {});
  if (!seed.ok()) return seed.status();
  std::vector<Tensor> arguments;
  arguments.push_back(*std::move(seed));
  return entries->front().executable.Run(std::move(arguments));
}

std::vector<std::string> BatchDim(const ir::Function& f, int64_t batch) {
  for (int i = 0; i < f.num_args(); ++i) {
    for (const ir::Dim& d : f.arg(i).shape()) {
      if (d == kBatch) return {fmt::format("{}={}", kBatch.symbol().name(), batch)};
    }
  }
  return {};
}

}  // namespace

absl::StatusOr<Subject> NetworkSubject(const Network& network, bool training, int64_t batch) {
  Subject s;
  s.name = network.name;
  s.mode = training ? "train" : "infer";
  s.batch = batch > 0 ? batch : training ? network.batch : network.inference_batch;
  s.is_network = true;
  s.function = training ? "train_step" : "forward";
  const std::unique_ptr<Model> model = BuildNetwork(network, training);
  auto module = training
                    ? BuildTrainingModule(
                          *model, {.optimizer = Adam{}, .loss = LossOf(network), .metrics = {}})
                    : BuildInferenceModule(*model);
  if (!module.ok()) return module.status();
  s.module = *std::move(module);
  EraseOthers(*s.module, s.function);
  const ir::Function& f = *s.module->Find(s.function);
  auto arguments = MakeInputs(f, {.dims = BatchDim(f, s.batch)});
  if (!arguments.ok()) return arguments.status();
  s.arguments = *std::move(arguments);
  auto weights = InitialWeights(*model);
  if (!weights.ok()) return weights.status();
  const std::vector<bool> updated = UpdatedInPlace(f);
  const std::vector<ir::Parameter>& parameters = s.module->parameters();
  for (int i = 0; i < f.num_args(); ++i) {
    const std::string& name = f.arg(i).node()->name();
    Tensor& argument = s.arguments[static_cast<size_t>(i)];
    const auto parameter = std::find_if(parameters.begin(), parameters.end(),
                                        [&name](const ir::Parameter& p) { return p.name == name; });
    if (parameter != parameters.end()) {
      if (parameter->trainable && training) s.updated_parameters += argument.num_elements();
      argument = std::move((*weights)[static_cast<size_t>(parameter - parameters.begin())]);
    } else if (name == "learning_rate") {
      Fill(argument, kLearningRate);
    } else if (name == "target") {
      FillTargets(argument, network.targets);
    } else if (updated[static_cast<size_t>(i)]) {
      Fill(argument, 0);  // of the optimiser
    }
  }
  s.sizes = SizesOf(f, s.arguments);
  return s;
}

absl::StatusOr<Subject> OperationSubject(const std::string& name, bool gradients) {
  auto module = BuildOperation(name, gradients);
  if (!module.ok()) return module.status();
  Subject s;
  s.name = name;
  s.mode = gradients ? "train" : "infer";
  s.module = *std::move(module);
  const ir::Function& f = *s.module->functions().front();
  s.function = f.name();
  auto arguments = MakeInputs(f, {});
  if (!arguments.ok()) return arguments.status();
  s.arguments = *std::move(arguments);
  const std::vector<bool> updated = UpdatedInPlace(f);
  for (size_t i = 0; i < s.arguments.size(); ++i) {
    // Positive, for logarithms.
    for (float& x : s.arguments[i].data<float>()) x = updated[i] ? 0 : std::fabs(x) + 0.001F;
    if (updated[i] && s.updated_parameters == 0) {
      s.updated_parameters = s.arguments[i].num_elements();
    }
  }
  return s;
}

absl::StatusOr<Subject> FileSubject(const FileOptions& options) {
  auto module = ReadModule(options.file);
  if (!module.ok()) return module.status();
  Subject s;
  s.name = options.file;
  s.mode = options.training ? "train" : "infer";
  s.module = *std::move(module);
  s.is_network = true;
  std::string wanted = options.function;
  if (wanted.empty()) {
    const char* usual = options.training ? "train_step" : "forward";
    if (s.module->Find(usual) != nullptr) wanted = usual;
  }
  auto function = ChooseFunction(*s.module, wanted);
  if (!function.ok()) return function.status();
  const ir::Function& f = **function;
  s.function = f.name();
  InputOptions inputs{.dims = options.dims};
  if (options.batch > 0) {
    s.batch = options.batch;
    const std::vector<std::string> batch = BatchDim(f, options.batch);
    inputs.dims.insert(inputs.dims.end(), batch.begin(), batch.end());
  }
  auto arguments = MakeInputs(f, inputs);
  if (!arguments.ok()) return arguments.status();
  s.arguments = *std::move(arguments);
  s.sizes = SizesOf(f, s.arguments);
  return s;
}

}  // namespace gradus::tools
