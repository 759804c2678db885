#pragma once

// A Module: functions, and named parameters (shape, initialiser) that functions take as arguments
// of the same name.
//
//   module @dense
//   param %hidden.kernel: f32[784, 128] = glorot_uniform {fan_in = 784, fan_out = 128}
//   func @forward(%x: f32[B, 784], %hidden.kernel: f32[784, 128]) -> (y: f32[B, 128]) { ... }

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "ir/function.h"

namespace gradus::ir {

// How a parameter starts: a name known to frontend/initializers and its numbers.
struct Initializer {
  std::string kind;                                     // "zeros", "glorot_uniform", ...
  std::vector<std::pair<std::string, double>> numbers;  // e.g. {"fan_in", 784}
};

struct Parameter {
  std::string name;
  Type type;
  Initializer initializer;
  bool trainable = true;
};

class Module {
 public:
  explicit Module(std::string name) : name_(std::move(name)) {}
  const std::string& name() const { return name_; }

  Function& AddFunction(std::string name, FunctionKind kind = FunctionKind::kGraph);
  // A copy of a function, of this module or another: graph alone, no attached loops or plans.
  Function& AddCopy(const Function& from, std::string name);
  // A name derived from `stem` that no function has: stem, stem_1, ...
  std::string UniqueName(std::string_view stem) const;
  Function* Find(std::string_view name) const;
  void EraseFunction(const Function* function);
  const std::vector<std::unique_ptr<Function>>& functions() const { return functions_; }

  std::vector<Parameter>& parameters() { return parameters_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }

  std::unique_ptr<Module> Clone() const;  // graph and parameters; no attached loops or plans

 private:
  std::string name_;
  std::vector<std::unique_ptr<Function>> functions_;
  absl::flat_hash_map<std::string, size_t> by_name_;  // position in functions_
  std::vector<Parameter> parameters_;
};

// Copies `from`'s nodes to the end of `to`, with `args[i]` standing for from.arg(i). Returns from's
// results there.
std::vector<Value> InlineInto(Function& to, const Function& from, std::span<const Value> args);

}  // namespace gradus::ir
