#include "ir/ops/custom_gradient.h"

#include <algorithm>

#include "fmt/format.h"
#include "ir/module.h"
#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/lowering.h"
#include "ir/ops/movement.h"
#include "ir/ops/reduction.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

// Whether @backward takes x.., y and y's gradient, and gives one gradient for each of x.
absl::StatusOr<Types> InferWithGradient(const InferContext& c) {
  if (c.operands.empty()) return TypeError("takes a value and what it is made of, got nothing");
  const std::string& name = c.attr<FunctionRef>("backward").name;
  const Function* backward = c.module ? c.module->Find(name) : nullptr;
  if (!backward) return TypeError(fmt::format("there is no function @{}", name));
  const Type& y = c.operands[0];
  const size_t count = c.operands.size() - 1;
  if (static_cast<size_t>(backward->num_args()) != count + 2 ||
      backward->results().size() != count) {
    return TypeError(fmt::format(
        "@{} takes {} arguments and gives {}, expected {} (x.., y, gradient of y) and {}", name,
        backward->num_args(), backward->results().size(), count + 2, count));
  }
  for (size_t i = 0; i < count + 2; ++i) {
    const Type& want = i < count ? c.operands[i + 1] : y;
    const Type& got = backward->arg(static_cast<int>(i)).type();
    if (!(got == want)) {
      return TypeError(fmt::format("argument {} of @{} is {}, expected {}", i, name, ToString(got),
                                   ToString(want)));
    }
    if (i >= count) continue;
    const Type& result = backward->results()[i].value.type();
    if (!(result == want)) {
      return TypeError(fmt::format("result {} of @{} is {}, expected {}", i, name, ToString(result),
                                   ToString(want)));
    }
  }
  return Types{y};
}

absl::InlinedVector<Value, 4> GradientsFrom(const Vjp& c) {
  Function& f = c.node->function();
  const Module* module = f.module();
  IR_CHECK_MSG(module != nullptr, "a gradient of its own in a function without a module");
  const Function* backward = module->Find(c.node->attr<FunctionRef>("backward").name);
  std::vector<Value> given(c.node->operands().begin() + 1, c.node->operands().end());
  given.push_back(c.result());  // not operand 0: its gradient is this one, too
  given.push_back(c.grad);
  absl::InlinedVector<Value, 4> gradients = {Value()};
  for (const Value v : InlineInto(f, *backward, given)) gradients.push_back(v);
  return gradients;
}

constinit const OpDef kWithGradient{
    .name = "with_gradient",
    .summary = "y itself, differentiated as the function backward says",
    .operands = {"y", "x"},
    .variadic = true,
    .attrs = {AttrSpec{.name = "backward",
                       .kind = AttrKind::kFunction,
                       .summary = "(x.., y, gradient of y) -> (gradients of x..)"}},
    .infer = InferWithGradient,
    .vjp_all = GradientsFrom,
    .at = [](const loop::At& at) { return at.Operand(0); },
    .simplify = [](Node& n) { return n.operand(0); },
};

absl::StatusOr<Types> InferAsSoftmax(const InferContext& c) {
  const Type &y = c.operands[0], &x = c.operands[1];
  if (absl::Status s = CheckDType(x.dtype, DTypes::kFloat); !s.ok()) return s;
  if (!(y == x)) {
    return TypeError(fmt::format("{} is not the softmax of {}", ToString(y), ToString(x)));
  }
  if (absl::Status s = CheckAxes({c.attr<int64_t>("axis")}, x.shape); !s.ok()) return s;
  return Types{y};
}

absl::InlinedVector<Value, 4> SoftmaxGradient(const Vjp& c) {
  const Value y = c.result();  // so that its derivative is this formula's, too
  const Value weighted = c.grad * y;
  const Value sum = reduce_sum(weighted, {c.node->attr<int64_t>("axis")}, /*keep_dims=*/true);
  return {Value(), weighted - y * sum};
}

constinit const OpDef kAsSoftmax{
    .name = "as_softmax",
    .summary = "y itself, differentiated as what it is, the softmax of x along an axis",
    .operands = {"y", "x"},
    .attrs = {AttrSpec{
        .name = "axis", .kind = AttrKind::kInt, .summary = "along which y sums up to 1"}},
    .traits = kPointwise,
    .infer = InferAsSoftmax,
    .vjp_all = SoftmaxGradient,
    .at = [](const loop::At& at) { return at.Operand(0); },
    .simplify = [](Node& n) { return n.operand(0); },
};

absl::StatusOr<Types> InferAsStandardized(const InferContext& c) {
  const Type &y = c.operands[0], &x = c.operands[1], &scale = c.operands[2];
  if (absl::Status s = CheckDType(x.dtype, DTypes::kFloat); !s.ok()) return s;
  if (!(y == x) || !(scale == x)) {
    return TypeError(fmt::format("y, x and scale are of one type, got {}, {} and {}", ToString(y),
                                 ToString(x), ToString(scale)));
  }
  if (absl::Status s = CheckAxes(c.attr<IntList>("axes"), x.shape); !s.ok()) return s;
  return Types{y};
}

// Whether `v` repeats along `axes` what it is broadcast from.
bool RepeatsAlong(Value v, const IntList& axes) {
  if (!IsBroadcast(v)) return false;
  const IntList& own = v.node()->attr<IntList>("axes");
  const Shape& from = v.node()->operand(0).shape();
  for (size_t i = 0; i < own.size(); ++i) {
    const bool is_one = from[static_cast<int>(i)] == Dim(1);
    if (!is_one && std::find(axes.begin(), axes.end(), own[i]) != axes.end()) return false;
  }
  return true;
}

// a * b, of what both are broadcast from where they are in the same way.
Value Product(Value a, Value b) {
  if (!IsBroadcast(a) || !IsBroadcast(b)) return a * b;
  const Node &of_a = *a.node(), &of_b = *b.node();
  const IntList& axes = of_a.attr<IntList>("axes");
  const Value x = of_a.operand(0), y = of_b.operand(0);
  if (axes != of_b.attr<IntList>("axes") || x.shape() != y.shape()) return a * b;
  return broadcast(x * y, a.shape(), axes);
}

// A factor that repeats along the axes of a mean stands outside it. The gradients of a scale and an
// offset after the standardised value are then the same sums.
absl::InlinedVector<Value, 4> StandardizedGradient(const Vjp& c) {
  const Value y = c.result();  // so that its derivative is this formula's, too
  const IntList& axes = c.node->attr<IntList>("axes");
  Axes kept;
  for (int64_t axis = 0; axis < y.shape().rank(); ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) kept.push_back(axis);
  }
  const auto mean = [&](Value v) {
    return broadcast(reduce_mean(v, axes, /*keep_dims=*/false), y.shape(), kept);
  };
  Value grad = c.grad, scale = c.node->operand(2);
  if (IsMul(grad)) {
    const Value a = grad.node()->operand(0), b = grad.node()->operand(1);
    const Value factor = RepeatsAlong(b, axes) ? b : RepeatsAlong(a, axes) ? a : Value();
    if (factor) {
      grad = factor == a ? b : a;
      scale = Product(scale, factor);
    }
  }
  return {Value(), scale * (grad - mean(grad) - y * mean(grad * y)), Value()};
}

constinit const OpDef kAsStandardized{
    .name = "as_standardized",
    .summary =
        "y itself, differentiated as what it is: x less its mean over axes, times scale, the "
        "inverse of its deviation",
    .operands = {"y", "x", "scale"},
    .attrs = {AttrSpec{.name = "axes",
                       .kind = AttrKind::kIntList,
                       .summary = "over which y has mean 0, in increasing order"}},
    .traits = kPointwise,
    .infer = InferAsStandardized,
    .vjp_all = StandardizedGradient,
    .at = [](const loop::At& at) { return at.Operand(0); },
    .simplify = [](Node& n) { return n.operand(0); },
};

constexpr const OpDef* kTable[] = {&kWithGradient, &kAsSoftmax, &kAsStandardized};

}  // namespace

OpTable CustomGradientOps() { return kTable; }

Value with_gradient(Operand y, const std::vector<Operand>& x, const Function& backward) {
  std::vector<Operand> operands = {y};
  operands.insert(operands.end(), x.begin(), x.end());
  if (std::optional<Value> stop = Stopped(operands)) return *stop;
  Function& f = y.value().function();
  std::vector<Value> values;
  for (const Operand& o : operands) values.push_back(o.value());
  Diagnostic error;
  Node* node = TryEmit(f, kWithGradient, values, {{"backward", FunctionRef{backward.name()}}},
                       y.location(), f.module(), &error);
  if (node != nullptr) return node->result();
  f.ReportError(std::move(error));
  return f.poison();
}

Value as_softmax(Operand y, Operand x, int64_t axis) {
  if (std::optional<Value> stop = Stopped({y, x})) return *stop;
  return Emit(kAsSoftmax, {y, x}, {{"axis", NormalAxis(axis, x.value().rank())}});
}

Value as_standardized(Operand y, Operand x, Operand scale, IntList axes) {
  if (std::optional<Value> stop = Stopped({y, x, scale})) return *stop;
  return Emit(kAsStandardized, {y, x, scale},
              {{"axes", NormalAxes(std::move(axes), x.value().rank())}});
}

}  // namespace gradus::ir
