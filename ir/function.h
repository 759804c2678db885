#pragma once

// A Function: arguments, nodes in an order in which every value is defined before its use, and
// results. No blocks, no side effects: state is arguments in, results out. A result may live in the
// memory of an argument
// (`-> (w: f32[784, 128] in %w)`), which is how a training step updates weights in place.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/diagnostic.h"
#include "ir/value.h"

namespace gradus::loop {
struct Kernel;
struct Plan;
struct EntryPlan;
}  // namespace gradus::loop

namespace gradus::ir {

struct Result {
  Value value;
  std::string name;  // may be empty
  int alias = -1;    // index of the argument whose memory it uses, or -1
};

// kGraph: what users and passes write, an entry of the compiled module. kKernel: one fused kernel,
// called by a graph function through `call`. kBody: a graph too, but one step of a `scan`: no
// entry, and gone with the last scan that names it.
enum class FunctionKind : uint8_t { kGraph, kKernel, kBody };

class Module;

class Function {
 public:
  explicit Function(std::string name, FunctionKind kind = FunctionKind::kGraph);
  ~Function();
  Function(const Function&) = delete;
  Function& operator=(const Function&) = delete;

  const std::string& name() const { return name_; }
  FunctionKind kind() const { return kind_; }
  // What users write, entries and bodies: a graph of ops, rather than a kernel.
  bool is_graph() const { return kind_ != FunctionKind::kKernel; }
  // The module that owns it; null for a function of its own.
  Module* module() const { return module_; }

  Value AddArgument(std::string name, Type type, Location location = {});
  int num_args() const { return static_cast<int>(args_.size()); }
  Value arg(int i) const { return Value(args_[static_cast<size_t>(i)].get(), 0); }
  // Index of the argument that `v` is, or -1.
  int ArgumentIndex(Value v) const;
  Value FindArgument(std::string_view name) const;

  // Appends a node without any check; ir/builder.h's Emit is the checked way.
  Node* Append(const OpDef& op, std::span<const Value> operands, AttrList attrs,
               std::span<const Type> types, Location location);
  // Gives a node further results, behind those that it has.
  void ExtendResults(Node& node, std::span<const Type> types);
  const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  // One more than the largest Node::id: the size for a side table indexed by id (arguments
  // included).
  int id_bound() const { return next_id_; }

  void AddResult(Value value, std::string name = {}, int alias = -1);
  std::vector<Result>& results() { return results_; }
  const std::vector<Result>& results() const { return results_; }

  // Replaces every use (operands and results) of a value by what `replacement` says: indexed by
  // node id, each entry empty (keep) or one value a result. Replacements may chain; they are
  // followed to their end. Linear time.
  void ReplaceUses(const std::vector<absl::InlinedVector<Value, 1>>& replacement);
  // Puts nodes into the order given (a permutation of nodes()).
  void Reorder(std::vector<int> order);
  // Removes the nodes for which dead[id] is true. Nothing may use them.
  void Erase(const std::vector<bool>& dead);
  // Removes argument i, which nothing uses.
  void EraseArgument(int i);
  // Puts `size` in the place of `symbol`, in all types and attributes. What the type rules make of
  // that is for the verifier to say. Loops, plans and diagnostics that are attached stay as they
  // are.
  void ReplaceSymbol(Symbol symbol, int64_t size);

  // The first error of a builder function on this graph; a bad op gives poison() and later ops on
  // it do, too.
  const std::optional<Diagnostic>& error() const { return error_; }
  void ReportError(Diagnostic diagnostic);
  Value poison();

  // Overrides, while set, the location of emitted nodes: a gradient points at the op it is the
  // gradient of.
  const std::optional<Location>& location_override() const { return location_override_; }
  void set_location_override(std::optional<Location> l) { location_override_ = std::move(l); }
  // The layer that emitted nodes belong to (see Location::scope).
  void set_scope(std::shared_ptr<const std::string> scope) { scope_ = std::move(scope); }
  const std::shared_ptr<const std::string>& scope() const { return scope_; }

  // What later stages attach: a kernel's loops and plan, an entry's memory plan. Null before that
  // stage.
  std::unique_ptr<loop::Kernel> kernel;
  std::unique_ptr<loop::Plan> plan;
  std::unique_ptr<loop::EntryPlan> entry;

 private:
  friend class Module;
  std::string name_;
  FunctionKind kind_;
  Module* module_ = nullptr;
  std::vector<std::unique_ptr<Node>> args_, nodes_;
  std::vector<Result> results_;
  std::unique_ptr<Node> poison_;
  std::optional<Diagnostic> error_;
  std::optional<Location> location_override_;
  std::shared_ptr<const std::string> scope_;
  int next_id_ = 0;
};

}  // namespace gradus::ir
