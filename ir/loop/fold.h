#pragma once

// Arithmetic on constants, exactly as generated code does it: floats round in their own format,
// integers wrap, an integer divided by zero is 0.

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
// What a reduction over nothing gives.
const Scalar* Identity(Arena& arena, ReduceKind kind, DType dtype);

}  // namespace gradus::loop::fold
