#pragma once

// Evaluates a scalar expression over a batch of operands, on the host and in the arithmetic of each
// dtype: what native code should compute, without a compiler. For tests of lowering rules; loads
// stand for the operands.

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "ir/check.h"
#include "ir/loop/fold.h"
#include "ir/loop/scalar.h"

namespace gradus::testing {

class BatchEvaluator {
 public:
  using Scalar = loop::Scalar;
  using Kind = loop::ScalarKind;
  using DType = ir::DType;

  // Values of kLoad of buffer b are operands[b]; they and `result` hold `count` elements of their
  // dtypes.
  BatchEvaluator(const loop::Arena& arena, const Scalar* result, size_t count)
      : result_(result), count_(count), values_(arena.scalars().size()) {
    std::vector<const Scalar*> pending{result};
    std::vector<bool> wanted(values_.size(), false);
    while (!pending.empty()) {
      const Scalar* s = pending.back();
      pending.pop_back();
      if (wanted[Id(s)]) continue;
      wanted[Id(s)] = true;
      pending.insert(pending.end(), s->operands.begin(), s->operands.end());
    }
    // An operand is created before its user, so that order of creation is an order of evaluation.
    for (const Scalar& s : arena.scalars()) {
      if (!wanted[Id(&s)]) continue;
      values_[Id(&s)].resize(count);
      if (s.kind == Kind::kConst) {
        FillConstant(s);
      } else {
        order_.push_back(&s);
      }
    }
  }

  // The number of scalar operations, without constants and loads.
  size_t operation_count() const {
    size_t n = 0;
    for (const Scalar* s : order_) n += s->kind != Kind::kLoad && s->kind != Kind::kBitcast;
    return n;
  }

  template <typename T>
  std::span<const T> Run(std::span<const T* const> operands) {
    for (const Scalar* s : order_) {
      if (s->kind == Kind::kLoad) {
        std::memcpy(values_[Id(s)].data(), operands[static_cast<size_t>(s->buffer)],
                    count_ * sizeof(T));
      } else {
        Evaluate(*s);
      }
    }
    return {As<T>(result_), count_};
  }

 private:
  static size_t Id(const Scalar* s) { return static_cast<size_t>(s->id); }
  template <typename T>
  T* As(const Scalar* s) {
    return reinterpret_cast<T*>(values_[Id(s)].data());
  }

  void FillConstant(const Scalar& s) {
    for (size_t i = 0; i < count_; ++i) {
      switch (s.dtype) {
        case DType::kF32: As<float>(&s)[i] = static_cast<float>(s.number); break;
        case DType::kF64: As<double>(&s)[i] = s.number; break;
        case DType::kI32: As<int32_t>(&s)[i] = static_cast<int32_t>(s.integer); break;
        case DType::kI64: As<int64_t>(&s)[i] = s.integer; break;
        case DType::kI1: As<uint8_t>(&s)[i] = s.integer != 0; break;
      }
    }
  }

  template <typename R, typename T, typename F>
  void Map(const Scalar& s, F f) {
    R* out = As<R>(&s);
    const T* a = As<T>(s.operands[0]);
    const T* b = As<T>(s.operands[s.operands.size() > 1 ? 1 : 0]);
    const T* c = As<T>(s.operands[s.operands.size() > 2 ? 2 : 0]);
    for (size_t i = 0; i < count_; ++i) out[i] = f(a[i], b[i], c[i]);
  }

  void Evaluate(const Scalar& s) {
    switch (s.operands[0]->dtype) {
      case DType::kF32: return EvaluateFloat<float>(s);
      case DType::kF64: return EvaluateFloat<double>(s);
      case DType::kI32: return EvaluateInteger<int32_t, uint32_t>(s);
      case DType::kI64: return EvaluateInteger<int64_t, uint64_t>(s);
      case DType::kI1: return EvaluateBit(s);
    }
  }

  template <typename T>
  void EvaluateFloat(const Scalar& s) {
    switch (s.kind) {
      case Kind::kAdd: return Map<T, T>(s, [](T a, T b, T) { return a + b; });
      case Kind::kSub: return Map<T, T>(s, [](T a, T b, T) { return a - b; });
      case Kind::kMul: return Map<T, T>(s, [](T a, T b, T) { return a * b; });
      case Kind::kDiv: return Map<T, T>(s, [](T a, T b, T) { return a / b; });
      case Kind::kFma: return Map<T, T>(s, [](T a, T b, T c) { return std::fma(a, b, c); });
      case Kind::kNeg: return Map<T, T>(s, [](T a, T, T) { return -a; });
      case Kind::kAbs: return Map<T, T>(s, [](T a, T, T) { return std::fabs(a); });
      case Kind::kFloor: return Map<T, T>(s, [](T a, T, T) { return std::floor(a); });
      case Kind::kRoundEven: return Map<T, T>(s, [](T a, T, T) { return std::nearbyint(a); });
      case Kind::kSqrt: return Map<T, T>(s, [](T a, T, T) { return std::sqrt(a); });
      case Kind::kEq: return Map<uint8_t, T>(s, [](T a, T b, T) { return a == b; });
      case Kind::kNe: return Map<uint8_t, T>(s, [](T a, T b, T) { return a != b; });
      case Kind::kLt: return Map<uint8_t, T>(s, [](T a, T b, T) { return a < b; });
      case Kind::kLe: return Map<uint8_t, T>(s, [](T a, T b, T) { return a <= b; });
      case Kind::kBitcast: values_[Id(&s)] = values_[Id(s.operands[0])]; return;
      case Kind::kCast:
        if (s.dtype == DType::kF32) {
          return Map<float, T>(s, [](T a, T, T) { return static_cast<float>(a); });
        }
        IR_CHECK(s.dtype == DType::kF64);
        return Map<double, T>(s, [](T a, T, T) { return static_cast<double>(a); });
      default: IR_CHECK_MSG(false, "a kind that the approximations use on floats");
    }
  }

  template <typename T, typename U>
  void EvaluateInteger(const Scalar& s) {
    switch (s.kind) {
      case Kind::kAdd: return Map<U, U>(s, [](U a, U b, U) { return a + b; });
      case Kind::kSub: return Map<U, U>(s, [](U a, U b, U) { return a - b; });
      case Kind::kMul: return Map<U, U>(s, [](U a, U b, U) { return a * b; });
      case Kind::kAnd: return Map<U, U>(s, [](U a, U b, U) { return a & b; });
      case Kind::kOr: return Map<U, U>(s, [](U a, U b, U) { return a | b; });
      case Kind::kXor: return Map<U, U>(s, [](U a, U b, U) { return a ^ b; });
      case Kind::kShl: return Map<U, U>(s, [](U a, U b, U) { return a << b; });
      case Kind::kShr: return Map<U, U>(s, [](U a, U b, U) { return a >> b; });
      case Kind::kBitcast: values_[Id(&s)] = values_[Id(s.operands[0])]; return;
      case Kind::kExp2Table:
        return Map<float, U>(
            s, [](U a, U, U) { return loop::fold::kExp2Table[static_cast<size_t>(a & 15)]; });
      case Kind::kCast:
        switch (s.dtype) {
          case DType::kF32:
            return Map<float, T>(s, [](T a, T, T) { return static_cast<float>(a); });
          case DType::kF64:
            return Map<double, T>(s, [](T a, T, T) { return static_cast<double>(a); });
          case DType::kI32:
            return Map<int32_t, T>(s, [](T a, T, T) { return static_cast<int32_t>(a); });
          default: return Map<int64_t, T>(s, [](T a, T, T) { return int64_t{a}; });
        }
      default: IR_CHECK_MSG(false, "a kind that the approximations use on integers");
    }
  }

  template <typename T>
  void Choose(const Scalar& s) {
    const uint8_t* condition = As<uint8_t>(s.operands[0]);
    const T* a = As<T>(s.operands[1]);
    const T* b = As<T>(s.operands[2]);
    T* out = As<T>(&s);
    for (size_t i = 0; i < count_; ++i) out[i] = condition[i] != 0 ? a[i] : b[i];
  }

  void EvaluateBit(const Scalar& s) {
    using U = uint8_t;
    switch (s.kind) {
      case Kind::kAnd: return Map<U, U>(s, [](U a, U b, U) { return static_cast<U>(a & b); });
      case Kind::kOr: return Map<U, U>(s, [](U a, U b, U) { return static_cast<U>(a | b); });
      case Kind::kSelect:
        return ir::ByteSize(s.dtype) == 8 ? Choose<uint64_t>(s) : Choose<uint32_t>(s);
      default: IR_CHECK_MSG(false, "a kind that the approximations use on conditions");
    }
  }

  const Scalar* result_;
  size_t count_;
  std::vector<const Scalar*> order_;
  std::vector<std::vector<uint64_t>> values_;  // count_ elements of up to 8 bytes each
};

}  // namespace gradus::testing
