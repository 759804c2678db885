#pragma once

// What rows of elementwise ops share.

#include "tests/ops/op_cases.h"

namespace gradus::test {

// The reference of an elementwise op, from its formula in double.
std::function<Array(const Given&)> Each(double (*f)(double));
std::function<Array(const Given&)> Each(double (*f)(double, double));
// The same with another element type for the result.
std::function<Array(const Given&)> EachTo(DType to, double (*f)(double, double));

// Samples of a unary or binary op of floats.
std::function<std::vector<Sample>(DType)> Floats(int operands);
// Of floats, and of integers beside the f32 ones.
std::function<std::vector<Sample>(DType)> Numbers(int operands);

inline ir::Type F32(ir::Shape shape) { return {DType::kF32, std::move(shape)}; }
inline ir::Type F64(ir::Shape shape) { return {DType::kF64, std::move(shape)}; }
inline ir::Type I32(ir::Shape shape) { return {DType::kI32, std::move(shape)}; }
inline ir::Type I64(ir::Shape shape) { return {DType::kI64, std::move(shape)}; }
inline ir::Type I1(ir::Shape shape) { return {DType::kI1, std::move(shape)}; }

}  // namespace gradus::test
