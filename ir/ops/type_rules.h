#pragma once

// Type rules that several ops share, and the checks that the others are made of. Messages say what
// stands after "add: "; a second line "help: ..." is the next step.

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ir/op_def.h"

namespace gradus::ir {

absl::Status TypeError(std::string_view message);

// Which dtypes a rule accepts.
enum class DTypes : uint8_t { kAny, kFloat, kNumeric, kBoolean };
absl::Status CheckDType(DType dtype, DTypes accepted);
absl::Status CheckSameDType(DType a, DType b);
absl::Status CheckSameShape(const Shape& a, const Shape& b);
// Axes in increasing order, each in [0, rank of shape).
absl::Status CheckAxes(const IntList& axes, const Shape& shape);
// No size below 0: a wanted shape may come from text, or hold a -1 that nobody could infer.
absl::Status CheckSizes(const Shape& shape);
// One entry an axis, for list attributes.
absl::Status CheckLength(std::string_view attr, size_t length, int rank);

// Result of the first operand's type, after its dtype is checked.
absl::StatusOr<Types> SameAsFirst(const InferContext& c);
absl::StatusOr<Types> SameAsFirstFloat(const InferContext& c);
absl::StatusOr<Types> SameAsFirstNumeric(const InferContext& c);
absl::StatusOr<Types> SameAsFirstBoolean(const InferContext& c);
// Two operands of one type, which is the result's.
absl::StatusOr<Types> TwoAlikeFloat(const InferContext& c);
absl::StatusOr<Types> TwoAlikeNumeric(const InferContext& c);
absl::StatusOr<Types> TwoAlikeBoolean(const InferContext& c);
// Two operands of one type; the result is i1 of their shape.
absl::StatusOr<Types> CompareTwo(const InferContext& c);
absl::StatusOr<Types> CompareTwoNumeric(const InferContext& c);

// NumPy's rule: right-aligned, equal sizes or 1. Nullopt where they do not line up.
std::optional<Shape> BroadcastShapes(const Shape& a, const Shape& b);

}  // namespace gradus::ir
