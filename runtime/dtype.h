// Element types of tensors in memory, the C++ face of enum gradus_dtype.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

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

// The element type that a C++ type stands for: bool and uint8_t both are i1.
template <class T>
consteval DType DTypeFor() {
  if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, uint8_t>) return DType::kI1;
  if constexpr (std::is_same_v<T, int32_t>) return DType::kI32;
  if constexpr (std::is_same_v<T, int64_t>) return DType::kI64;
  if constexpr (std::is_same_v<T, float>) return DType::kF32;
  if constexpr (std::is_same_v<T, double>) return DType::kF64;
  // Any other type ends here without a value, which does not compile.
}

template <class T>
inline constexpr DType kDTypeOf = DTypeFor<T>();

}  // namespace gradus::runtime
