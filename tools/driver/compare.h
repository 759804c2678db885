#pragma once

// Results against what was expected, and tensors as text.

#include <string>

#include "absl/status/statusor.h"
#include "runtime/tensor.h"

namespace gradus::tools {

struct Tolerance {
  // Negative: by dtype, f32 1e-5 and 1e-6, f64 1e-11 and 1e-12. Integers are compared exactly.
  double relative = -1, absolute = -1;
};

// Every element: |got - want| <= absolute + relative * |want|; NaN meets NaN, infinities their
// equals. Returns a line on the worst element; an error if one lies outside. Dtypes and shapes must
// be equal.
absl::StatusOr<std::string> Compare(const runtime::Tensor& got, const runtime::Tensor& want,
                                    Tolerance tolerance);

// "f32[2, 2] = [0.5, 1, ...]", at most `limit` elements.
std::string Show(const runtime::Tensor& tensor, int64_t limit = 8);

}  // namespace gradus::tools
