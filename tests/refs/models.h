#pragma once

// Which graph a case stands for: chosen by the case's name, with every size and attribute taken
// from the case.

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "frontend/compile.h"
#include "tests/refs/case_file.h"

namespace gradus::refs {

// A case's graph while it is built: its inputs and parameters as arguments, and what the case names
// as results.
struct CaseGraph {
  const RefCase& reference;
  Graph& graph;
  std::map<std::string, Tensor> tensors;                // "in.x", "param.W1": the arguments
  std::vector<std::pair<std::string, Tensor>> outputs;  // "out.y"
  Tensor loss;

  Tensor in(const std::string& name) const { return tensors.at("in." + name); }
  Tensor param(const std::string& name) const { return tensors.at("param." + name); }
  void Output(const std::string& name, Tensor value) { outputs.emplace_back("out." + name, value); }
};

// Writes outputs and loss. An error: an attribute that the case should have stated.
using BuildCase = absl::Status (*)(CaseGraph&);
// Null if the case is not supported.
BuildCase FindModel(const RefCase& reference);

// The optimiser of a case; an error if there is no such optimiser.
absl::StatusOr<AnyOptimizer> MakeOptimizer(const RefOptimizer& optimizer);
// Of the gradients of all parameters, where the case clips them; else none.
Clipping MakeClipping(const RefOptimizer& optimizer);

// Tables of the files beside this.
struct NamedModel {
  std::string_view name;
  BuildCase build;
};
std::span<const NamedModel> NetworkModels();
std::span<const NamedModel> AttentionModels();
std::span<const NamedModel> ConvolutionModels();
std::span<const NamedModel> NormalizationModels();
std::span<const NamedModel> OpModels();
std::span<const NamedModel> RecurrentModels();

}  // namespace gradus::refs
