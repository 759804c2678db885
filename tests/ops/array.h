#pragma once

// Arrays of numbers for references: every element type is held as double, so references are plain
// C++ and know nothing of what they check.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ir/type.h"
#include "runtime/tensor.h"

namespace gradus::test {

using ir::DType;
using Sizes = std::vector<int64_t>;

struct Array {
  DType dtype = DType::kF64;
  Sizes shape;
  std::vector<double> values;

  double& at(const Sizes& index);
  double at(const Sizes& index) const;
};

int64_t NumElements(const Sizes& shape);
int64_t FlatIndex(const Sizes& index, const Sizes& shape);
// All indices of a shape, in row-major order.
void ForEachIndex(const Sizes& shape, const std::function<void(const Sizes&)>& visit);
// An array whose element at each index is what `element` says.
Array Filled(DType dtype, const Sizes& shape, const std::function<double(const Sizes&)>& element);

runtime::Tensor ToTensor(const Array& a);
Array FromTensor(const runtime::Tensor& t);

// How near a result must be: within `ulps` units in the last place of the wanted number, plus
// `absolute`. Both 0: the same bits, the sign of zero included.
struct Tolerance {
  double ulps = 0;
  double absolute = 0;
};
// Empty if `got` is near enough to `want`, else the worst element.
std::string Difference(const Array& got, const Array& want, const Tolerance& tolerance);

}  // namespace gradus::test
