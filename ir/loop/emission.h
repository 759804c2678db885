#pragma once

// What an op's `emit` rule sees: its node, whose result it writes by stores over loops of its own.

#include <span>
#include <string_view>
#include <vector>

#include "ir/loop/lowerer.h"

namespace gradus::loop {

class Emission {
 public:
  // `stores`: those of the kernel so far, to which this adds; `buffer`: the result's.
  Emission(Lowerer& lowerer, const ir::Node& node, int buffer, std::vector<Store>& stores)
      : lowerer_(lowerer), node_(node), buffer_(buffer), stores_(stores) {}

  const ir::Type& type() const { return node_.type(); }  // of the result
  const ir::Type& operand_type(int i) const { return node_.operand(i).type(); }
  template <typename T>
  const T& attr(std::string_view name) const {
    return node_.attr<T>(name);
  }

  // A loop for each axis of a shape, outermost first.
  std::vector<const Variable*> Loops(const ir::Shape& shape) const {
    return lowerer_.NewLoops(shape);
  }
  // Operands and constants at an index, which must outlive this.
  At at(std::span<const Index> index) const { return {lowerer_, node_, 0, index}; }

  // Zero everywhere.
  void Clear() const;
  // result[indices] += value, where indices[axis] is `position` (i64); nothing where that is
  // outside. Each element is added to in the order of the loops.
  void Add(std::span<const Variable* const> loops, std::span<const Index> indices, int axis,
           Expr position, Expr value) const;
  // result[indices] = the sum of value over the steps of `running`, one of the loops, so far.
  void RunningSum(std::span<const Variable* const> loops, const Variable* running,
                  std::span<const Index> indices, Expr value) const;

 private:
  Store Over(std::span<const Variable* const> loops, std::span<const Index> indices,
             Expr value) const;

  Lowerer& lowerer_;
  const ir::Node& node_;
  int buffer_;
  std::vector<Store>& stores_;
};

}  // namespace gradus::loop
