#include "ir/loop/fold.h"

#include <cmath>
#include <limits>

#include "ir/check.h"

namespace gradus::loop::fold {
namespace {

template <typename T>
T FloatBinary(ScalarKind kind, T a, T b) {
  switch (kind) {
    case ScalarKind::kAdd: return a + b;
    case ScalarKind::kSub: return a - b;
    case ScalarKind::kMul: return a * b;
    case ScalarKind::kDiv: return a / b;
    case ScalarKind::kMin:
      if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<T>::quiet_NaN();
      return b < a ? b : a;
    case ScalarKind::kMax:
      if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<T>::quiet_NaN();
      return a < b ? b : a;
    default: IR_CHECK_MSG(false, "a binary kind of floats");
  }
}

template <typename T>
bool CompareValues(ScalarKind kind, T a, T b) {
  switch (kind) {
    case ScalarKind::kEq: return a == b;
    case ScalarKind::kNe: return a != b;
    case ScalarKind::kLt: return a < b;
    case ScalarKind::kLe: return a <= b;
    default: IR_CHECK_MSG(false, "a comparison");
  }
}

}  // namespace

double Round(DType dtype, double value) {
  return dtype == DType::kF32 ? static_cast<double>(static_cast<float>(value)) : value;
}

int64_t Wrap(DType dtype, int64_t value) {
  switch (dtype) {
    case DType::kI1: return value & 1;
    case DType::kI32: return static_cast<int32_t>(value);
    default: return value;
  }
}

double Unary(ScalarKind kind, DType dtype, double x) {
  switch (kind) {
    case ScalarKind::kNeg: return -x;
    case ScalarKind::kAbs: return std::fabs(x);
    case ScalarKind::kFloor: return std::floor(x);
    case ScalarKind::kRoundEven: return std::nearbyint(x);
    case ScalarKind::kSqrt:
      return dtype == DType::kF32 ? double{std::sqrt(static_cast<float>(x))} : std::sqrt(x);
    default: IR_CHECK_MSG(false, "a unary kind of floats");
  }
}

int64_t Unary(ScalarKind kind, int64_t x) {
  IR_CHECK_MSG(kind == ScalarKind::kNeg || kind == ScalarKind::kAbs, "a unary kind of integers");
  const bool negate = kind == ScalarKind::kNeg || x < 0;
  return negate ? static_cast<int64_t>(0 - static_cast<uint64_t>(x)) : x;
}

double Binary(ScalarKind kind, DType dtype, double a, double b) {
  return dtype == DType::kF32
             ? double{FloatBinary(kind, static_cast<float>(a), static_cast<float>(b))}
             : FloatBinary(kind, a, b);
}

int64_t Binary(ScalarKind kind, DType dtype, int64_t a, int64_t b) {
  const auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  const uint64_t bits = dtype == DType::kI64 ? 64 : dtype == DType::kI32 ? 32 : 1;
  switch (kind) {
    case ScalarKind::kAdd: return static_cast<int64_t>(ua + ub);
    case ScalarKind::kSub: return static_cast<int64_t>(ua - ub);
    case ScalarKind::kMul: return static_cast<int64_t>(ua * ub);
    case ScalarKind::kDiv:
      if (b == 0) return 0;
      return b == -1 ? static_cast<int64_t>(0 - ua) : a / b;
    case ScalarKind::kMin: return b < a ? b : a;
    case ScalarKind::kMax: return a < b ? b : a;
    case ScalarKind::kAnd: return a & b;
    case ScalarKind::kOr: return a | b;
    case ScalarKind::kXor: return a ^ b;
    case ScalarKind::kShl: return ub >= bits ? 0 : static_cast<int64_t>(ua << ub);
    case ScalarKind::kShr: {
      const uint64_t low = bits == 64 ? ua : ua & ((uint64_t{1} << bits) - 1);
      return ub >= bits ? 0 : static_cast<int64_t>(low >> ub);
    }
    default: IR_CHECK_MSG(false, "a binary kind of integers");
  }
}

double Fma(DType dtype, double a, double b, double c) {
  return dtype == DType::kF32
             ? double{std::fma(static_cast<float>(a), static_cast<float>(b), static_cast<float>(c))}
             : std::fma(a, b, c);
}

bool Compare(ScalarKind kind, double a, double b) { return CompareValues(kind, a, b); }
bool Compare(ScalarKind kind, int64_t a, int64_t b) { return CompareValues(kind, a, b); }

double ToFloat(DType dtype, int64_t x) {
  return dtype == DType::kF32 ? double{static_cast<float>(x)} : static_cast<double>(x);
}

int64_t ToInteger(DType dtype, double x) {
  if (dtype == DType::kI1) return x != 0;
  if (std::isnan(x)) return 0;
  const double limit = dtype == DType::kI32 ? 0x1p31 : 0x1p63;
  if (x >= limit) {
    return dtype == DType::kI32 ? std::numeric_limits<int32_t>::max()
                                : std::numeric_limits<int64_t>::max();
  }
  if (x < -limit) {
    return dtype == DType::kI32 ? std::numeric_limits<int32_t>::min()
                                : std::numeric_limits<int64_t>::min();
  }
  return static_cast<int64_t>(x);
}

std::optional<double> ExactReciprocal(DType dtype, double x) {
  int exponent = 0;
  if (!std::isfinite(x) || x == 0 || std::fabs(std::frexp(x, &exponent)) != 0.5) {
    return std::nullopt;
  }
  const double r = 1 / x;
  const double smallest = dtype == DType::kF32 ? double{std::numeric_limits<float>::min()}
                                               : std::numeric_limits<double>::min();
  if (!std::isfinite(Round(dtype, r)) || std::fabs(r) < smallest) return std::nullopt;
  return r;
}

const Scalar* Identity(Arena& arena, ReduceKind kind, DType dtype) {
  const bool is_float = ir::IsFloat(dtype);
  switch (kind) {
    case ReduceKind::kSum:
    case ReduceKind::kProd: {
      const int one = kind == ReduceKind::kProd ? 1 : 0;
      return is_float ? arena.Float(dtype, one) : arena.Integer(dtype, one);
    }
    case ReduceKind::kMax:
    case ReduceKind::kMin: {
      const double infinity = std::numeric_limits<double>::infinity();
      if (is_float) return arena.Float(dtype, kind == ReduceKind::kMax ? -infinity : infinity);
      const bool narrow = dtype == DType::kI32;
      if (dtype == DType::kI1) return arena.Integer(dtype, kind == ReduceKind::kMax ? 0 : 1);
      if (kind == ReduceKind::kMax) {
        return arena.Integer(dtype, narrow ? std::numeric_limits<int32_t>::min()
                                           : std::numeric_limits<int64_t>::min());
      }
      return arena.Integer(dtype, narrow ? std::numeric_limits<int32_t>::max()
                                         : std::numeric_limits<int64_t>::max());
    }
  }
  IR_CHECK_MSG(false, "a reduction");
}

}  // namespace gradus::loop::fold
