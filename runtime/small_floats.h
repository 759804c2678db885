// Floating point of 8 and 16 bits as files hold it, to float; exact for every input.
#pragma once

#include <bit>
#include <cstdint>

namespace gradus::runtime {

// IEEE 754 binary16.
inline float HalfToFloat(uint16_t half) {
  uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  uint32_t exponent = (half >> 10) & 31u;
  uint32_t mantissa = half & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  float subnormal = static_cast<float>(mantissa) * 0x1p-24f;
  return sign != 0 ? -subnormal : subnormal;
}

// bfloat16: the upper half of a float.
inline float BfloatToFloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

// OCP 8-bit floating point (Micikevicius et al., "FP8 formats for deep learning", 2022). E5M2 is
// the upper half of a binary16; E4M3 has no infinity, and one NaN of either sign.
inline float Fp8E5m2ToFloat(uint8_t bits) { return HalfToFloat(static_cast<uint16_t>(bits << 8)); }
inline float Fp8E4m3ToFloat(uint8_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x80u) << 24;
  uint32_t exponent = (bits >> 3) & 15u;
  uint32_t mantissa = bits & 7u;
  if (exponent == 15 && mantissa == 7) return std::bit_cast<float>(sign | 0x7fc00000u);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 120) << 23 | mantissa << 20);
  float subnormal = static_cast<float>(mantissa) * 0x1p-9f;
  return sign != 0 ? -subnormal : subnormal;
}

}  // namespace gradus::runtime
