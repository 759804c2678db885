#pragma once

// From a kernel function (SSA of ops) to loop IR, by asking each op: what is the scalar at this
// index? Fusing a producer is asking it that question instead of loading its result.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "ir/function.h"
#include "ir/loop/kernel.h"
#include "ir/op_def.h"

namespace gradus::loop {

class Lowerer;

// What an op's `at` rule sees: the node, which of its results, and the index, one form an axis of
// that result.
class At {
 public:
  At(Lowerer& lowerer, const ir::Node& node, int result, std::span<const Index> index)
      : lowerer_(lowerer), node_(node), result_(result), index_(index) {}
  const ir::Node& node() const { return node_; }
  int result() const { return result_; }
  std::span<const Index> index() const { return index_; }
  const ir::Type& type() const { return node_.type(result_); }  // of the result
  const ir::Type& operand_type(int i) const { return node_.operand(i).type(); }
  template <typename T>
  const T& attr(std::string_view name) const {
    return node_.attr<T>(name);
  }

  Arena& arena() const;
  Expr Operand(int i, std::span<const Index> index) const;
  Expr Operand(int i) const { return Operand(i, index_); }  // at the same index
  // Operand i where `position`, an i64 scalar in [0, size of the axis), stands for index[axis].
  // Quick for what is in memory; what the kernel computes is searched for along the axis.
  Expr OperandAt(int i, std::span<const Index> index, int axis, Expr position) const;
  // The reduction variable of this node for `axis` (any number that tells the node's variables
  // apart): one per (node, axis), not per call, so that equal sums are one scalar.
  const Variable* ReductionVariable(int axis, const Extent& extent) const;
  Expr Reduce(ReduceKind kind, std::span<const Variable* const> variables, Expr x) const;
  Expr Float(double value) const;  // of the result's dtype
  Expr Integer(DType dtype, int64_t value) const;
  Expr IndexValue(const Index& form) const;      // i64
  Expr ExtentValue(const Extent& extent) const;  // i64
  // x where all conditions hold, else 0 (x is not evaluated there).
  Expr Guard(std::span<const Condition> conditions, Expr x) const;

 private:
  Lowerer& lowerer_;
  const ir::Node& node_;
  int result_;
  std::span<const Index> index_;
};

class Lowerer {
 public:
  explicit Lowerer(Kernel& kernel) : kernel_(kernel) {}
  // Scalar of `v` at an index, memoised by (node, result, index). Arguments load their buffer; a
  // value that an earlier store wrote (see SetStored) is loaded from there. Recursion depth is
  // bounded by the size of a kernel, which form_kernels limits.
  const Scalar* ScalarAt(ir::Value v, std::span<const Index> index);
  // The buffer that holds `v`, an argument or stored by then; -1 if there is none.
  int BufferOf(ir::Value v) const;
  // From now on `v` is in `buffer`: it is loaded, except at `home`, the index of the store that
  // wrote it, where it stays the scalar that it is, so that statements over the same loops share
  // their sums.
  void SetStored(ir::Value v, int buffer, std::span<const Index> home);
  // From now on `v` is in `buffer`, from where it is loaded.
  void SetStored(ir::Value v, int buffer);
  const Variable* ReductionVariable(const ir::Node& node, int axis, const Extent& extent);
  // A new loop for each axis of a shape, outermost first.
  std::vector<const Variable*> NewLoops(const ir::Shape& shape);
  Kernel& kernel() { return kernel_; }

 private:
  Kernel& kernel_;
  struct Stored {
    int buffer = 0;
    std::optional<std::vector<Index>> home;
  };
  absl::flat_hash_map<ir::Value, Stored> stored_;
  absl::flat_hash_map<std::pair<const ir::Node*, int>, const Variable*> reduction_variables_;
  absl::flat_hash_map<std::pair<ir::Value, std::vector<Index>>, const Scalar*> memo_;
};

// Lowers a kernel function: one store a result; stores of equal shape share loop variables. A
// result that another one reads elsewhere than at its own index (the sum of a stored column) is
// loaded, after its store. Otherwise the later value is stored first: an update may then overwrite
// an argument that only it reads, while the others still follow. What an op with an `emit` rule
// writes is loaded by all who use it, from scratch if it is no result. `has_tables`: see Arena.
// Errors: an op without a lowering rule.
absl::StatusOr<std::unique_ptr<Kernel>> Lower(const ir::Function& kernel_function,
                                              bool has_tables = false);

}  // namespace gradus::loop
