// top_k: k searches, each along the whole axis, for the greatest that none before has found. A few
// are written out; more are the steps of a loop, so that code does not grow with k.

#include "fmt/format.h"
#include "ir/module.h"
#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/indexing.h"
#include "ir/ops/leaf.h"
#include "ir/ops/movement.h"
#include "ir/ops/reduction.h"
#include "ir/ops/scan.h"

namespace gradus::ir {
namespace {

constexpr int64_t kMostWrittenOut = 4;

// What one search finds: indices [.., 1, ..], and all that is taken by then, i1 of x's shape.
struct Found {
  Value index, taken;
};

// `taken`: what others have found, or no value.
Found Search(Value x, Value taken, int64_t axis) {
  Function& f = x.function();
  const int64_t size = x.shape()[static_cast<int>(axis)].size();
  const Value places = iota(f, {DType::kI64, x.shape()}, axis);
  // Among those left: the greatest, or the first NaN. What is taken loses to -inf, too.
  const Value left = taken ? logical_not(taken) : Value();
  Value hit;
  if (IsFloat(x.dtype())) {
    const Value others = left ? select(left, x, -std::numeric_limits<double>::infinity()) : x;
    const Value greatest = reduce_max(others, {axis}, /*keep_dims=*/true);
    hit = logical_or(equal(x, greatest), not_equal(x, x));
  } else {
    // The least integer may be among those left.
    const Value lowest = reduce_min(x, {axis}, /*keep_dims=*/true);
    const Value greatest =
        reduce_max(left ? select(left, x, lowest) : x, {axis}, /*keep_dims=*/true);
    hit = equal(x, greatest);
  }
  if (left) hit = logical_and(hit, left);
  const Value index = reduce_min(select(hit, places, size), {axis}, /*keep_dims=*/true);
  const Value here = equal(places, index);
  return {index, taken ? logical_or(taken, here) : here};
}

Value WrittenOut(Value x, int64_t k, int64_t axis) {
  std::vector<Operand> indices;
  Value taken;
  for (int64_t n = 0; n < k; ++n) {
    const Found found = Search(x, taken, axis);
    indices.emplace_back(found.index);
    taken = found.taken;
  }
  return concat(indices, axis);
}

// Indices of the steps [k, .., 1, ..] have k where x's axis was.
Value Looped(Value x, int64_t k, int64_t axis, const Location& location) {
  Function& f = x.function();
  const Type flags{DType::kI1, x.shape()};
  Module& module = *f.module();
  Function& body = module.AddFunction(module.UniqueName("top_k.step"), FunctionKind::kBody);
  const Value taken = body.AddArgument("taken", flags, location);
  const Found found = Search(body.AddArgument("x", x.type(), location), taken, axis);
  body.AddResult(found.taken);
  body.AddResult(found.index);
  const Value none = constant_int(f, flags, 0);
  Node* loop =
      scan(f, body, std::span(&none, 1), {}, std::span(&x, 1), {.length = Dim(k)}, location);
  if (loop == nullptr) return f.poison();
  const Value steps = squeeze(loop->result(1), axis + 1);
  Axes order;
  for (int64_t i = 1; i < x.rank(); ++i) order.push_back(i);
  order.insert(order.begin() + static_cast<std::ptrdiff_t>(axis), 0);
  return transpose(steps, order);
}

}  // namespace

TopK top_k(Operand x, int64_t k, int64_t axis) {
  if (std::optional<Value> stop = Stopped({x})) return {*stop, *stop};
  const CallerScope scope({x});
  const Value v = x.value();
  Function& f = v.function();
  axis = NormalAxis(axis, v.rank());
  const bool known = axis >= 0 && axis < v.rank() && !v.shape()[static_cast<int>(axis)].is_symbol();
  const int64_t size = known ? v.shape()[static_cast<int>(axis)].size() : 0;
  if (!known || k < 1 || k > size || v.dtype() == DType::kI1) {
    f.ReportError({.location = x.location(),
                   .message = fmt::format("top_k: cannot take {} along axis {} of {}", k, axis,
                                          ToString(v.type())),
                   .help = "k is at least 1 and at most the axis' size, which must be a number"});
    return {f.poison(), f.poison()};
  }
  // A loop needs a module for its step.
  const bool loop = k > kMostWrittenOut && f.module() != nullptr;
  const Value all = loop ? Looped(v, k, axis, x.location()) : WrittenOut(v, k, axis);
  return {take_along_axis(x, all, axis), all};
}

}  // namespace gradus::ir
