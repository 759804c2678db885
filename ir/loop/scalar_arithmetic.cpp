// Arithmetic on scalars as it is built: constants are folded, and what an exact identity or index
// forms decide is decided.

#include <bit>
#include <cmath>
#include <optional>
#include <utility>

#include "ir/check.h"
#include "ir/loop/fold.h"
#include "ir/loop/scalar.h"

namespace gradus::loop {
namespace {

bool IsConst(const Scalar* s) { return s->kind == ScalarKind::kConst; }
bool IsFloatConst(const Scalar* s, double value) {
  return IsConst(s) && ir::IsFloat(s->dtype) &&
         std::bit_cast<uint64_t>(s->number) == std::bit_cast<uint64_t>(value);
}
bool IsIntConst(const Scalar* s, int64_t value) {
  return IsConst(s) && !ir::IsFloat(s->dtype) && s->integer == value;
}
bool IsOne(const Scalar* s) { return IsFloatConst(s, 1.0) || IsIntConst(s, 1); }

bool IsComparison(ScalarKind k) {
  return k == ScalarKind::kEq || k == ScalarKind::kNe || k == ScalarKind::kLt ||
         k == ScalarKind::kLe;
}
bool IsBitwise(ScalarKind k) {
  return k == ScalarKind::kAnd || k == ScalarKind::kOr || k == ScalarKind::kXor;
}
// Not kMin and kMax: which operand a NaN or a signed zero comes from may depend on their order.
bool OperandsCommute(ScalarKind k) {
  return k == ScalarKind::kAdd || k == ScalarKind::kMul || k == ScalarKind::kEq ||
         k == ScalarKind::kNe || IsBitwise(k);
}

// An i64 scalar that is an index form.
std::optional<Index> AsForm(const Scalar* s) {
  if (s->dtype != DType::kI64) return std::nullopt;
  if (s->kind == ScalarKind::kConst) return Index(s->integer);
  if (s->kind == ScalarKind::kIndex) return s->indices[0];
  if (s->kind == ScalarKind::kExtent && s->extent.divisor == 1) return Index::Of(s->extent);
  return std::nullopt;
}

// What two known bounds say of a comparison of forms; nullopt: nothing.
std::optional<bool> CompareForms(ScalarKind kind, const Index& a, const Index& b) {
  const Bounds d = Range(b - a);
  const bool equal = a == b;
  const bool apart = (d.low && *d.low > 0) || (d.high && *d.high < 0);
  switch (kind) {
    case ScalarKind::kEq:
    case ScalarKind::kNe:
      if (equal || apart) return equal == (kind == ScalarKind::kEq);
      return std::nullopt;
    case ScalarKind::kLt:
      if (d.low && *d.low > 0) return true;
      if (d.high && *d.high <= 0) return false;
      return std::nullopt;
    default:
      if (d.low && *d.low >= 0) return true;
      if (d.high && *d.high < 0) return false;
      return std::nullopt;
  }
}

}  // namespace

const Scalar* Arena::Unary(ScalarKind kind, const Scalar* x) {
  const bool is_float = ir::IsFloat(x->dtype);
  switch (kind) {
    case ScalarKind::kNeg:
      if (x->kind == ScalarKind::kNeg) return x->operands[0];
      break;
    case ScalarKind::kAbs:
      if (x->kind == ScalarKind::kAbs) return x;
      if (x->kind == ScalarKind::kNeg) return Unary(ScalarKind::kAbs, x->operands[0]);
      break;
    case ScalarKind::kFloor:
    case ScalarKind::kRoundEven:
    case ScalarKind::kSqrt: IR_CHECK_MSG(is_float, "a float operand"); break;
    default: IR_CHECK_MSG(false, "a unary kind");
  }
  if (IsConst(x)) {
    return is_float ? Float(x->dtype, fold::Unary(kind, x->dtype, x->number))
                    : Integer(x->dtype, fold::Unary(kind, x->integer));
  }
  Scalar s;
  s.kind = kind;
  s.dtype = x->dtype;
  s.operands = {x};
  return Intern(std::move(s));
}

const Scalar* Arena::Binary(ScalarKind kind, const Scalar* a, const Scalar* b) {
  IR_CHECK_MSG(a->dtype == b->dtype, "operands of one dtype");
  const DType dtype = a->dtype;
  const bool is_float = ir::IsFloat(dtype);
  IR_CHECK_MSG(
      !is_float || (!IsBitwise(kind) && kind != ScalarKind::kShl && kind != ScalarKind::kShr),
      "integer operands");
  if (IsConst(a) && IsConst(b)) {
    if (IsComparison(kind)) {
      return Integer(DType::kI1, is_float ? fold::Compare(kind, a->number, b->number)
                                          : fold::Compare(kind, a->integer, b->integer));
    }
    return is_float ? Float(dtype, fold::Binary(kind, dtype, a->number, b->number))
                    : Integer(dtype, fold::Binary(kind, dtype, a->integer, b->integer));
  }
  if (dtype == DType::kI64) {  // arithmetic of forms stays a form
    const std::optional<Index> fa = AsForm(a), fb = AsForm(b);
    if (fa && fb) {
      if (kind == ScalarKind::kAdd) return IndexValue(*fa + *fb);
      if (kind == ScalarKind::kSub) return IndexValue(*fa - *fb);
      if (kind == ScalarKind::kMul && IsConst(a)) return IndexValue(*fb * a->integer);
      if (kind == ScalarKind::kMul && IsConst(b)) return IndexValue(*fa * b->integer);
      if (IsComparison(kind)) {
        if (const auto known = CompareForms(kind, *fa, *fb)) return Integer(DType::kI1, *known);
      }
    }
  }
  switch (kind) {
    case ScalarKind::kAdd:
      if (IsFloatConst(a, -0.0) || IsIntConst(a, 0)) return b;
      if (IsFloatConst(b, -0.0) || IsIntConst(b, 0)) return a;
      break;
    case ScalarKind::kSub:
      if (IsFloatConst(b, 0.0) || IsIntConst(b, 0)) return a;
      if (a == b && !is_float) return Integer(dtype, 0);
      break;
    case ScalarKind::kMul:
      if (IsOne(a)) return b;
      if (IsOne(b)) return a;
      if (IsIntConst(a, 0)) return a;
      if (IsIntConst(b, 0)) return b;
      break;
    case ScalarKind::kDiv:
      if (IsOne(b)) return a;
      if (is_float && IsConst(b)) {
        if (const auto r = fold::ExactReciprocal(dtype, b->number)) {
          return Binary(ScalarKind::kMul, a, Float(dtype, *r));
        }
      }
      break;
    case ScalarKind::kMin:
    case ScalarKind::kMax:
      if (a == b) return a;
      break;
    case ScalarKind::kAnd:
    case ScalarKind::kOr: {
      if (a == b) return a;
      const int64_t ones = fold::Wrap(dtype, dtype == DType::kI1 ? 1 : -1);
      const int64_t keeps = kind == ScalarKind::kAnd ? ones : 0;
      const int64_t wins = kind == ScalarKind::kAnd ? 0 : ones;
      if (IsIntConst(a, keeps) || IsIntConst(b, wins)) return b;
      if (IsIntConst(b, keeps) || IsIntConst(a, wins)) return a;
      break;
    }
    case ScalarKind::kXor:
      if (a == b) return Integer(dtype, 0);
      if (IsIntConst(a, 0)) return b;
      if (IsIntConst(b, 0)) return a;
      break;
    case ScalarKind::kShl:
    case ScalarKind::kShr:
      if (IsIntConst(b, 0)) return a;
      break;
    case ScalarKind::kEq:
    case ScalarKind::kNe:
    case ScalarKind::kLt:
    case ScalarKind::kLe: break;
    default: IR_CHECK_MSG(false, "a binary kind");
  }
  if (OperandsCommute(kind) && b->id < a->id) std::swap(a, b);
  Scalar s;
  s.kind = kind;
  s.dtype = IsComparison(kind) ? DType::kI1 : dtype;
  s.operands = {a, b};
  return Intern(std::move(s));
}

const Scalar* Arena::Fma(const Scalar* a, const Scalar* b, const Scalar* c) {
  IR_CHECK_MSG(a->dtype == b->dtype && b->dtype == c->dtype && ir::IsFloat(a->dtype),
               "float operands of one dtype");
  if (IsConst(a) && IsConst(b) && IsConst(c)) {
    return Float(a->dtype, fold::Fma(a->dtype, a->number, b->number, c->number));
  }
  if (IsOne(a)) return Binary(ScalarKind::kAdd, b, c);
  if (IsOne(b)) return Binary(ScalarKind::kAdd, a, c);
  if (b->id < a->id) std::swap(a, b);
  Scalar s;
  s.kind = ScalarKind::kFma;
  s.dtype = a->dtype;
  s.operands = {a, b, c};
  return Intern(std::move(s));
}

const Scalar* Arena::Select(const Scalar* condition, const Scalar* a, const Scalar* b) {
  IR_CHECK_MSG(condition->dtype == DType::kI1 && a->dtype == b->dtype,
               "an i1 condition and two values of one dtype");
  if (IsConst(condition)) return condition->integer != 0 ? a : b;
  if (a == b) return a;
  Scalar s;
  s.kind = ScalarKind::kSelect;
  s.dtype = a->dtype;
  s.operands = {condition, a, b};
  return Intern(std::move(s));
}

const Scalar* Arena::Cast(DType dtype, const Scalar* x) {
  if (dtype == x->dtype) return x;
  if (IsConst(x)) {
    if (ir::IsFloat(dtype)) {
      return ir::IsFloat(x->dtype) ? Float(dtype, x->number)
                                   : Float(dtype, fold::ToFloat(dtype, x->integer));
    }
    return Integer(dtype, ir::IsFloat(x->dtype) ? fold::ToInteger(dtype, x->number)
                          : dtype == DType::kI1 ? int64_t{x->integer != 0}
                                                : x->integer);
  }
  Scalar s;
  s.kind = ScalarKind::kCast;
  s.dtype = dtype;
  s.operands = {x};
  return Intern(std::move(s));
}

const Scalar* Arena::Bitcast(DType dtype, const Scalar* x) {
  IR_CHECK_MSG(ir::ByteSize(dtype) == ir::ByteSize(x->dtype), "dtypes of one size");
  if (dtype == x->dtype) return x;
  if (x->kind == ScalarKind::kBitcast) return Bitcast(dtype, x->operands[0]);
  if (IsConst(x)) {
    switch (x->dtype) {
      case DType::kF32:
        if (dtype != DType::kI32 || std::isnan(x->number)) break;
        return Integer(dtype, std::bit_cast<int32_t>(static_cast<float>(x->number)));
      case DType::kF64:
        if (dtype != DType::kI64 || std::isnan(x->number)) break;
        return Integer(dtype, std::bit_cast<int64_t>(x->number));
      case DType::kI32: {
        const float f = std::bit_cast<float>(static_cast<int32_t>(x->integer));
        if (dtype != DType::kF32 || std::isnan(f)) break;
        return Float(dtype, f);
      }
      case DType::kI64: {
        const double d = std::bit_cast<double>(x->integer);
        if (dtype != DType::kF64 || std::isnan(d)) break;
        return Float(dtype, d);
      }
      case DType::kI1: break;
    }
  }
  Scalar s;
  s.kind = ScalarKind::kBitcast;
  s.dtype = dtype;
  s.operands = {x};
  return Intern(std::move(s));
}

const Scalar* Arena::Exp2Table(const Scalar* x) {
  IR_CHECK_MSG(x->dtype == DType::kI32, "an i32");
  if (IsConst(x)) return Float(DType::kF32, fold::kExp2Table[x->integer & 15]);
  Scalar s;
  s.kind = ScalarKind::kExp2Table;
  s.dtype = DType::kF32;
  s.operands = {x};
  return Intern(std::move(s));
}

}  // namespace gradus::loop
