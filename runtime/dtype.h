// Element types of tensors in memory, the C++ face of enum gradus_dtype.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "runtime/abi.h"

namespace gradus::runtime {

enum class DType : int32_t {
  kI1 = GRADUS_I1,  // one byte, 0 or 1
  kI32 = GRADUS_I32,
  kI64 = GRADUS_I64,
  kF32 = GRADUS_F32,
  kF64 = GRADUS_F64,
};

// "f32", as types are spelled in the IR.
std::string_view DTypeName(DType dtype);

// Bytes of one element.
int64_t DTypeSize(DType dtype);

// Nothing if `value` is not one of enum gradus_dtype.
std::optional<DType> DTypeFromAbi(int32_t value);

// The element type that a C++ type stands for; uint8_t also reads i1.
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::kI1;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::kI1;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::kI32;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::kI64;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kF32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::kF64;
};

template <class T>
inline constexpr DType kDTypeOf = DTypeOf<T>::value;

}  // namespace gradus::runtime
