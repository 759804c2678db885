#include "ir/ops/building.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "fmt/format.h"
#include "ir/ops/leaf.h"
#include "ir/ops/movement.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

// Right-aligned; `shape` is known to be a broadcast of x's.
Operand StretchTo(const Operand& x, const Shape& shape) {
  if (x.value().shape() == shape) return x;
  return Operand(broadcast_to(x, shape), x.where());
}

}  // namespace

std::optional<Value> Stopped(std::initializer_list<Operand> operands) {
  return Stopped(std::span<const Operand>(operands.begin(), operands.size()));
}

std::optional<Value> Stopped(std::span<const Operand> operands) {
  std::optional<Value> poison;
  bool has_value = false;
  for (const Operand& o : operands) {
    if (o.is_number()) continue;
    if (!o.value()) return Value();
    has_value = true;
    if (!poison && o.value().is_poison()) poison = o.value();
  }
  if (!has_value) return Value();
  return poison;
}

Operand NumberAs(Function& f, const Type& type, const Operand& number) {
  const double x = number.number();
  if (!IsFloat(type.dtype)) {
    const double low = type.dtype == DType::kI1 ? 0 : type.dtype == DType::kI32 ? -0x1p31 : -0x1p63;
    const double above = type.dtype == DType::kI1 ? 2 : -low;
    if (!(x >= low && x < above) || std::floor(x) != x) {
      Diagnostic d;
      d.location = number.location();
      d.message = fmt::format("the number {} is not one of {}, the other operand's element type", x,
                              Name(type.dtype));
      d.help = "cast the other operand to a float first";
      f.ReportError(std::move(d));
      return Operand(f.poison(), number.where());
    }
    return Operand(constant_int(f, type, static_cast<int64_t>(x), number.where()), number.where());
  }
  return Operand(constant(f, type, x, number.where()), number.where());
}

Value EmitElementwise(const OpDef& op, std::initializer_list<Operand> operands, int first_typed) {
  if (std::optional<Value> stop = Stopped(operands)) return *stop;

  // The dtype for numbers and the shape of all.
  std::optional<DType> dtype;
  std::optional<Shape> shape;
  const Operand* first_value = nullptr;
  bool lined_up = true;
  int i = 0;
  for (const Operand& o : operands) {
    if (!o.is_number()) {
      if (!first_value) first_value = &o;
      if (!dtype && i >= first_typed) dtype = o.value().dtype();
      if (!shape) {
        shape = o.value().shape();
      } else if (std::optional<Shape> both = BroadcastShapes(*shape, o.value().shape())) {
        shape = std::move(both);
      } else {
        lined_up = false;
      }
    }
    ++i;
  }

  Function& f = first_value->value().function();
  const Type number_type{dtype.value_or(DType::kF32), *shape};
  std::vector<Operand> ready;
  for (const Operand& o : operands) {
    if (o.is_number()) {
      ready.push_back(NumberAs(f, number_type, o));
      if (ready.back().value().is_poison()) return ready.back().value();
    } else {
      ready.push_back(lined_up ? StretchTo(o, *shape) : o);
    }
  }
  return Emit(op, ready);
}

int64_t NormalAxis(int64_t axis, int rank) {
  return axis < 0 && axis >= -rank ? axis + rank : axis;
}

IntList NormalAxes(IntList axes, int rank) {
  if (axes.empty()) {
    axes.resize(static_cast<size_t>(rank));
    std::iota(axes.begin(), axes.end(), 0);
    return axes;
  }
  for (int64_t& axis : axes) axis = NormalAxis(axis, rank);
  std::sort(axes.begin(), axes.end());
  return axes;
}

CallerScope::CallerScope(std::initializer_list<Operand> operands) {
  for (const Operand& o : operands) {
    if (o.is_number() || !o.value()) continue;
    Function& f = o.value().function();
    if (f.location_override()) return;  // an outer composite, or a gradient, has said where
    function_ = &f;
    f.set_location_override(operands.begin()->location());
    return;
  }
}

CallerScope::~CallerScope() {
  if (function_) function_->set_location_override(std::nullopt);
}

std::optional<double> SplatNumber(Value v) {
  if (!v || !v.node()->op().has(kSplat)) return std::nullopt;
  if (!IsFloat(v.dtype())) return static_cast<double>(v.node()->attr<int64_t>("integer"));
  const double x = v.node()->attr<double>("value");
  return v.dtype() == DType::kF32 ? static_cast<double>(static_cast<float>(x)) : x;
}

bool IsSplat(Value v, double number) {
  const std::optional<double> x = SplatNumber(v);
  if (!x || *x != number) return false;
  return !IsFloat(v.dtype()) || std::signbit(*x) == std::signbit(number);
}

}  // namespace gradus::ir
