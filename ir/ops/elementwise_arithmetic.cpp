// add, sub, mul, div, neg.

#include <cmath>

#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/lowering.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

bool IsNeg(Value v);

// Each identity below holds for every IEEE value, signed zeros and infinities included. Those that
// do not (x + 0.0, x * 0.0) are left out, but for integers.

Value SimplifyAdd(Node& n) {
  const Value a = n.operand(0), b = n.operand(1);
  if (IsSplat(b, -0.0)) return a;
  if (IsSplat(a, -0.0)) return b;
  if (IsNeg(b)) return sub(a, b.node()->operand(0));
  if (IsNeg(a)) return sub(b, a.node()->operand(0));
  return {};
}

Value SimplifySub(Node& n) {
  const Value a = n.operand(0), b = n.operand(1);
  if (IsSplat(b, 0.0)) return a;
  if (IsSplat(a, -0.0)) return neg(b);
  if (IsNeg(b)) return add(a, b.node()->operand(0));
  return {};
}

Value SimplifyMul(Node& n) {
  const Value a = n.operand(0), b = n.operand(1);
  if (IsSplat(b, 1)) return a;
  if (IsSplat(a, 1)) return b;
  if (IsSplat(b, -1)) return neg(a);
  if (IsSplat(a, -1)) return neg(b);
  if (IsNeg(a) && IsNeg(b)) return mul(a.node()->operand(0), b.node()->operand(0));
  if (!IsFloat(a.dtype())) {
    if (IsSplat(b, 0)) return b;
    if (IsSplat(a, 0)) return a;
  }
  return {};
}

// True if dividing by x and multiplying by 1 / x round alike: x is a power of two whose reciprocal
// is normal.
bool HasExactReciprocal(double x, DType dtype) {
  int exponent = 0;
  if (!std::isfinite(x) || std::fabs(std::frexp(x, &exponent)) != 0.5) return false;
  const int limit = dtype == DType::kF32 ? 126 : 1022;
  return exponent - 1 <= limit && exponent - 1 >= -limit;
}

Value SimplifyDiv(Node& n) {
  const Value a = n.operand(0), b = n.operand(1);
  if (IsSplat(b, 1)) return a;
  if (IsSplat(b, -1)) return neg(a);
  if (!IsFloat(a.dtype())) return {};
  const std::optional<double> by = SplatNumber(b);
  if (by && HasExactReciprocal(*by, a.dtype())) return mul(a, 1 / *by);
  return {};
}

Value SimplifyNeg(Node& n) {
  const Value x = n.operand(0);
  if (IsNeg(x)) return x.node()->operand(0);
  return {};
}

// Truncates. A division by zero gives 0, and the smallest integer by -1 gives itself: neither may
// trap, so the divisor that the machine sees is never 0 or -1.
loop::Expr DivideIntegers(loop::Expr a, loop::Expr b) {
  const loop::Expr zero = a.IntConst(a.dtype(), 0);
  const loop::Expr one = a.IntConst(a.dtype(), 1);
  const loop::Expr minus_one = a.IntConst(a.dtype(), -1);
  const loop::Expr by_zero = Eq(b, zero);
  const loop::Expr by_minus_one = Eq(b, minus_one);
  const loop::Expr divisor = Select(Or(by_zero, by_minus_one), one, b);
  const loop::Expr quotient = a / divisor;
  const loop::Expr negated = zero - a;
  return Select(by_zero, zero, Select(by_minus_one, negated, quotient));
}

loop::Expr NegateInteger(loop::Expr x) { return x.IntConst(x.dtype(), 0) - x; }

loop::Expr Difference(loop::Expr a, loop::Expr b) { return a - b; }

constinit const OpDef kAdd{
    .name = "add",
    .summary = "sum of two values, element by element",
    .operands = {"a", "b"},
    .traits = kPointwise | kCommutative | kSum,
    .infer = TwoAlikeNumeric,
    .vjp = {[](const Vjp& c) { return c.grad; }, [](const Vjp& c) { return c.grad; }},
    .at = Pointwise2<&loop::operator+ >,
    .simplify = SimplifyAdd,
};

constinit const OpDef kSub{
    .name = "sub",
    .summary = "difference of two values, element by element",
    .operands = {"a", "b"},
    .traits = kPointwise,
    .infer = TwoAlikeNumeric,
    .vjp = {[](const Vjp& c) { return c.grad; }, [](const Vjp& c) { return neg(c.grad); }},
    .at = Pointwise2<Difference>,
    .simplify = SimplifySub,
};

constinit const OpDef kMul{
    .name = "mul",
    .summary = "product of two values, element by element",
    .operands = {"a", "b"},
    .traits = kPointwise | kCommutative | kProduct,
    .infer = TwoAlikeNumeric,
    .vjp = {[](const Vjp& c) { return c.grad * c.operand(1); },
            [](const Vjp& c) { return c.grad * c.operand(0); }},
    .at = Pointwise2<&loop::operator*>,
    .simplify = SimplifyMul,
};

constinit const OpDef kDiv{
    .name = "div",
    .summary =
        "quotient of two values, element by element; of integers truncated, and 0 where the "
        "divisor is 0",
    .operands = {"a", "b"},
    .traits = kPointwise,
    .infer = TwoAlikeNumeric,
    .vjp = {[](const Vjp& c) { return c.grad / c.operand(1); },
            [](const Vjp& c) { return -(c.grad * c.result() / c.operand(1)); }},
    .at = PointwiseByDType2<&loop::operator/, DivideIntegers>,
    .simplify = SimplifyDiv,
};

constinit const OpDef kNeg{
    .name = "neg",
    .summary = "each element with its sign changed",
    .operands = {"x"},
    .traits = kPointwise,
    .infer = SameAsFirstNumeric,
    .vjp = {[](const Vjp& c) { return neg(c.grad); }},
    .at = PointwiseByDType<&loop::operator-, NegateInteger>,
    .simplify = SimplifyNeg,
};

bool IsNeg(Value v) { return &v.node()->op() == &kNeg; }

constexpr const OpDef* kTable[] = {&kAdd, &kSub, &kMul, &kDiv, &kNeg};

}  // namespace

OpTable ArithmeticOps() { return kTable; }

bool IsMul(Value v) { return &v.node()->op() == &kMul; }

Value add(Operand a, Operand b) { return EmitElementwise(kAdd, {a, b}); }
Value sub(Operand a, Operand b) { return EmitElementwise(kSub, {a, b}); }
Value mul(Operand a, Operand b) { return EmitElementwise(kMul, {a, b}); }
Value div(Operand a, Operand b) { return EmitElementwise(kDiv, {a, b}); }
Value neg(Operand x) { return EmitElementwise(kNeg, {x}); }

Value operator+(Operand a, Operand b) { return add(a, b); }
Value operator-(Operand a, Operand b) { return sub(a, b); }
Value operator*(Operand a, Operand b) { return mul(a, b); }
Value operator/(Operand a, Operand b) { return div(a, b); }
Value operator-(Operand a) { return neg(a); }

}  // namespace gradus::ir
