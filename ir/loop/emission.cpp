#include "ir/loop/emission.h"

#include <algorithm>
#include <utility>

namespace gradus::loop {

Store Emission::Over(std::span<const Variable* const> loops, std::span<const Index> indices,
                     Expr value) const {
  IR_CHECK_MSG(static_cast<int>(indices.size()) == type().shape.rank(), "one form an axis");
  IR_CHECK(value.dtype() == type().dtype);
  Store store;
  store.buffer = buffer_;
  store.indices.assign(indices.begin(), indices.end());
  store.value = value.scalar();
  store.variables.assign(loops.begin(), loops.end());
  return store;
}

void Emission::Clear() const {
  const std::vector<const Variable*> loops = Loops(type().shape);
  const std::vector<Index> indices(loops.begin(), loops.end());
  const At here = at(indices);
  stores_.push_back(Over(
      loops, indices, ir::IsFloat(type().dtype) ? here.Float(0) : here.Integer(type().dtype, 0)));
}

void Emission::Add(std::span<const Variable* const> loops, std::span<const Index> indices, int axis,
                   Expr position, Expr value) const {
  IR_CHECK(position.dtype() == DType::kI64);
  Store store = Over(loops, indices, value);
  store.kind = Store::Kind::kAdd;
  store.axis = axis;
  store.position = position.scalar();
  store.indices[static_cast<size_t>(axis)] = Index(0);
  stores_.push_back(std::move(store));
}

void Emission::RunningSum(std::span<const Variable* const> loops, const Variable* running,
                          std::span<const Index> indices, Expr value) const {
  IR_CHECK(std::find(loops.begin(), loops.end(), running) != loops.end());
  Store store = Over(loops, indices, value);
  store.kind = Store::Kind::kRunningSum;
  store.running = running;
  stores_.push_back(std::move(store));
}

}  // namespace gradus::loop
