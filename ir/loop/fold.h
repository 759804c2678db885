#pragma once

// Arithmetic on constants, exactly as generated code does it: floats round in their own format,
// integers wrap, an integer divided by zero is 0.

#include <array>
#include <cstdint>
#include <optional>

#include "ir/loop/scalar.h"

namespace gradus::loop::fold {

double Round(DType dtype, double value);  // to the nearest number of the float format
int64_t Wrap(DType dtype,
             int64_t value);  // to the integer format, sign extended; i1: the lowest bit
double Unary(ScalarKind kind, DType dtype, double x);
int64_t Unary(ScalarKind kind, int64_t x);  // not wrapped yet
double Binary(ScalarKind kind, DType dtype, double a, double b);
int64_t Binary(ScalarKind kind, DType dtype, int64_t a, int64_t b);  // not wrapped yet
double Fma(DType dtype, double a, double b, double c);
bool Compare(ScalarKind kind, double a, double b);
bool Compare(ScalarKind kind, int64_t a, int64_t b);
double ToFloat(DType dtype, int64_t x);
int64_t ToInteger(DType dtype, double x);  // truncates and saturates; NaN gives 0; to i1: x != 0
// 1 / x if that is exact and not subnormal (x a power of two): then y / x = y * (1 / x).
std::optional<double> ExactReciprocal(DType dtype, double x);
// 2^(j / 16), rounded: what kExp2Table looks up.
inline constexpr std::array<float, 16> kExp2Table = {
    0x1p0F,        0x1.0b5586p0F, 0x1.172b84p0F, 0x1.2387a6p0F, 0x1.306fep0F,  0x1.3dea64p0F,
    0x1.4bfdaep0F, 0x1.5ab07ep0F, 0x1.6a09e6p0F, 0x1.7a1148p0F, 0x1.8ace54p0F, 0x1.9c4918p0F,
    0x1.ae89fap0F, 0x1.c199bep0F, 0x1.d5818ep0F, 0x1.ea4afap0F};
// What a reduction over nothing gives.
const Scalar* Identity(Arena& arena, ReduceKind kind, DType dtype);

}  // namespace gradus::loop::fold
