#include "ir/ops/leaf.h"

#include <charconv>
#include <cmath>

#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/lowering.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

// A splat constant holds `value` if it is of floats, `integer` otherwise; the other one is 0.
absl::StatusOr<Types> InferConstant(const InferContext& c) {
  const DType dtype = c.attr<DType>("dtype");
  const int64_t integer = c.attr<int64_t>("integer");
  if (absl::Status s = CheckSizes(c.attr<Shape>("shape")); !s.ok()) return s;
  if (IsFloat(dtype) && integer != 0) {
    return TypeError(fmt::format("a constant of {} has no integer\nhelp: write value = {}.0",
                                 Name(dtype), integer));
  }
  if (!IsFloat(dtype) && !(c.attr<double>("value") == 0)) {
    return TypeError(
        fmt::format("a constant of {} has no value\nhelp: write integer = ...", Name(dtype)));
  }
  const bool fits = dtype == DType::kI1    ? integer == 0 || integer == 1
                    : dtype == DType::kI32 ? integer == static_cast<int32_t>(integer)
                                           : true;
  if (!fits) return TypeError(fmt::format("the integer {} is not one of {}", integer, Name(dtype)));
  return Types{Type{dtype, c.attr<Shape>("shape")}};
}

loop::Expr ConstantAt(const loop::At& at) {
  const DType dtype = at.type().dtype;
  if (!IsFloat(dtype)) return at.Integer(dtype, at.attr<int64_t>("integer"));
  const double value = at.attr<double>("value");
  return at.Float(dtype == DType::kF32 ? static_cast<double>(static_cast<float>(value)) : value);
}

absl::StatusOr<Types> InferIota(const InferContext& c) {
  const DType dtype = c.attr<DType>("dtype");
  const Shape& shape = c.attr<Shape>("shape");
  if (absl::Status s = CheckDType(dtype, DTypes::kNumeric); !s.ok()) return s;
  if (absl::Status s = CheckSizes(shape); !s.ok()) return s;
  if (absl::Status s = CheckAxes({c.attr<int64_t>("axis")}, shape); !s.ok()) return s;
  return Types{Type{dtype, shape}};
}

loop::Expr IotaAt(const loop::At& at) {
  const loop::Expr index = at.IndexValue(at.index()[static_cast<size_t>(at.attr<int64_t>("axis"))]);
  return Cast(at.type().dtype, index);
}

constinit const OpDef kConstant{
    .name = "constant",
    .summary = "one number in every element",
    .attrs = {AttrSpec{.name = "dtype",
                       .kind = AttrKind::kDType,
                       .summary = "element type of the result"},
              AttrSpec{.name = "shape", .kind = AttrKind::kShape, .summary = "shape of the result"},
              AttrSpec{.name = "value",
                       .kind = AttrKind::kFloat,
                       .summary = "the number, of floats",
                       .required = false},
              AttrSpec{.name = "integer",
                       .kind = AttrKind::kInt,
                       .summary = "the number, of integers and of i1",
                       .required = false}},
    .traits = kLeaf | kSplat,
    .infer = InferConstant,
    .at = ConstantAt,
};

constinit const OpDef kIota{
    .name = "iota",
    .summary = "the index along an axis at each element",
    .attrs = {AttrSpec{.name = "dtype",
                       .kind = AttrKind::kDType,
                       .summary = "element type of the result"},
              AttrSpec{.name = "shape", .kind = AttrKind::kShape, .summary = "shape of the result"},
              AttrSpec{.name = "axis", .kind = AttrKind::kInt, .summary = "the axis counted"}},
    .traits = kLeaf,
    .infer = InferIota,
    .at = IotaAt,
};

constexpr const OpDef* kTable[] = {&kConstant, &kIota};

// A double that rounds to the float nearest to x and has that float's shortest decimal, so that
// dumps read 0.1 and equal floats are equal attributes.
double ShortestFloat(double x) {
  const auto narrow = static_cast<float>(x);
  if (!std::isfinite(narrow)) return static_cast<double>(narrow);
  char text[32];
  const std::to_chars_result written = std::to_chars(text, text + sizeof text, narrow);
  double shortest = 0;
  std::from_chars(text, written.ptr, shortest);
  return static_cast<float>(shortest) == narrow ? shortest : static_cast<double>(narrow);
}

Value EmitLeaf(Function& f, const OpDef& op, AttrList attrs, const std::source_location& where) {
  Location location = f.location_override().value_or(Location(where));
  if (!location.scope) location.scope = f.scope();
  Diagnostic error;
  Node* node = TryEmit(f, op, {}, std::move(attrs), location, nullptr, &error);
  if (node) return node->result();
  f.ReportError(std::move(error));
  return f.poison();
}

}  // namespace

OpTable LeafOps() { return kTable; }

Value constant(Function& f, const Type& type, double value, const std::source_location& where) {
  if (!IsFloat(type.dtype)) return constant_int(f, type, static_cast<int64_t>(value), where);
  const double kept = type.dtype == DType::kF32 ? ShortestFloat(value) : value;
  return EmitLeaf(f, kConstant, {{"dtype", type.dtype}, {"shape", type.shape}, {"value", kept}},
                  where);
}

Value constant_int(Function& f, const Type& type, int64_t value,
                   const std::source_location& where) {
  if (IsFloat(type.dtype)) return constant(f, type, static_cast<double>(value), where);
  return EmitLeaf(f, kConstant, {{"dtype", type.dtype}, {"shape", type.shape}, {"integer", value}},
                  where);
}

Value full_like(Value x, double value) {
  if (!x || x.is_poison()) return x;
  return constant(x.function(), x.type(), value);
}

Value zeros_like(Value x) { return full_like(x, 0); }

Value scalar_like(Value x, double value) {
  if (!x || x.is_poison()) return x;
  return constant(x.function(), Type{x.dtype(), {}}, value);
}

Value SplatLike(Value x, const Shape& shape) {
  const Node& n = *x.node();
  const Type type{x.dtype(), shape};
  if (IsFloat(type.dtype)) return constant(x.function(), type, n.attr<double>("value"));
  return constant_int(x.function(), type, n.attr<int64_t>("integer"));
}

Value iota(Function& f, const Type& type, int64_t axis, const std::source_location& where) {
  return EmitLeaf(
      f, kIota,
      {{"dtype", type.dtype}, {"shape", type.shape}, {"axis", NormalAxis(axis, type.rank())}},
      where);
}

}  // namespace gradus::ir
