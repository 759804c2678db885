#pragma once

// A model without the program that built it: its entries as graphs, its layers, how its training
// starts, and its weights. What libraries are made from.
//
// On disk it is one safetensors file (runtime/safetensors.h), which other programs can read too.
// Its tensors are the parameters, all of them or none. Its metadata:
//
//   format       "gradus-model"
//   version      "1"
//   model        the model's name
//   graph        the entries as text of the graph IR (ir/README.md), as training_module.h lists
//                them
//   description  a JSON object: layers, loss, optimizer, learning_rate, and what the state of a
//                training starts from
//   preprocess   how a table becomes what the model takes (data::Preprocess::ToJson), if it is
//   known

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/model.h"
#include "frontend/training_options.h"
#include "frontend/weights.h"

namespace gradus {

// A tensor that steps of training pass on (weight_update.h), and what its elements start from.
struct StateStart {
  std::string name;
  double start = 0;
};

struct SavedModel {
  std::unique_ptr<ir::Module> module;  // verified; @forward is there
  std::vector<LayerInfo> layers;
  // Of the training, if there is one:
  std::string loss, optimizer;
  double learning_rate = 0;
  std::vector<StateStart> state;  // in the order of @train_step's arguments
  // All parameters of the module, or none.
  Weights weights;
  std::string preprocess;  // JSON of data::Preprocess; may be empty

  bool trains() const { return module->Find("train_step") != nullptr; }
};

absl::StatusOr<SavedModel> DescribeModel(const Model& model, const SaveOptions& options = {});

// Written beside the file and renamed.
absl::Status WriteModelFile(std::string_view path, const SavedModel& model);
// Checks everything that the file says against everything else that it says. Errors name the file.
absl::StatusOr<SavedModel> ReadModelFile(std::string_view path);

}  // namespace gradus
