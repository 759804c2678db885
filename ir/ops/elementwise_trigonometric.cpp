// tan, atan, asin, acos, sinh, cosh.

#include "ir/ops/approx.h"
#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/lowering.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

constinit const OpDef kTan{
    .name = "tan",
    .summary = "tangent of each element, in radians",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return c.grad * (1.0 + c.result() * c.result()); }},
    .at = Pointwise<approx::Tan>,
};

constinit const OpDef kAtan{
    .name = "atan",
    .summary = "inverse tangent of each element, in (-pi/2, pi/2)",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return c.grad / (1.0 + c.operand(0) * c.operand(0)); }},
    .at = Pointwise<approx::Atan>,
};

constinit const OpDef kAsin{
    .name = "asin",
    .summary = "inverse sine of each element; NaN outside of [-1, 1]",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return c.grad * rsqrt(1.0 - c.operand(0) * c.operand(0)); }},
    .at = Pointwise<approx::Asin>,
};

constinit const OpDef kAcos{
    .name = "acos",
    .summary = "inverse cosine of each element, in [0, pi]; NaN outside of [-1, 1]",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return -(c.grad * rsqrt(1.0 - c.operand(0) * c.operand(0))); }},
    .at = Pointwise<approx::Acos>,
};

constinit const OpDef kSinh{
    .name = "sinh",
    .summary = "hyperbolic sine of each element",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return c.grad * cosh(c.operand(0)); }},
    .at = Pointwise<approx::Sinh>,
};

constinit const OpDef kCosh{
    .name = "cosh",
    .summary = "hyperbolic cosine of each element",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return c.grad * sinh(c.operand(0)); }},
    .at = Pointwise<approx::Cosh>,
};

constexpr const OpDef* kTable[] = {&kTan, &kAtan, &kAsin, &kAcos, &kSinh, &kCosh};

}  // namespace

OpTable TrigonometricOps() { return kTable; }

Value tan(Operand x) { return EmitElementwise(kTan, {x}); }
Value atan(Operand x) { return EmitElementwise(kAtan, {x}); }
Value asin(Operand x) { return EmitElementwise(kAsin, {x}); }
Value acos(Operand x) { return EmitElementwise(kAcos, {x}); }
Value sinh(Operand x) { return EmitElementwise(kSinh, {x}); }
Value cosh(Operand x) { return EmitElementwise(kCosh, {x}); }

}  // namespace gradus::ir
