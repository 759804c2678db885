#include "ir/ops/type_rules.h"

#include <algorithm>

#include "fmt/format.h"
#include "ir/strings.h"

namespace gradus::ir {
namespace {

std::string CountAxes(int n) { return fmt::format("{} {}", n, n == 1 ? "axis" : "axes"); }

absl::StatusOr<Types> First(const InferContext& c, DTypes accepted) {
  if (absl::Status s = CheckDType(c.operands[0].dtype, accepted); !s.ok()) return s;
  return Types{c.operands[0]};
}

absl::Status CheckAlike(const InferContext& c, DTypes accepted) {
  const Type& a = c.operands[0];
  const Type& b = c.operands[1];
  if (absl::Status s = CheckDType(a.dtype, accepted); !s.ok()) return s;
  if (absl::Status s = CheckSameDType(a.dtype, b.dtype); !s.ok()) return s;
  return CheckSameShape(a.shape, b.shape);
}

absl::StatusOr<Types> TwoAlike(const InferContext& c, DTypes accepted) {
  if (absl::Status s = CheckAlike(c, accepted); !s.ok()) return s;
  return Types{c.operands[0]};
}

absl::StatusOr<Types> Compare(const InferContext& c, DTypes accepted) {
  if (absl::Status s = CheckAlike(c, accepted); !s.ok()) return s;
  return Types{Type{DType::kI1, c.operands[0].shape}};
}

}  // namespace

absl::Status TypeError(std::string_view message) {
  return absl::InvalidArgumentError(ToAbsl(message));
}

absl::Status CheckDType(DType dtype, DTypes accepted) {
  switch (accepted) {
    case DTypes::kAny: return absl::OkStatus();
    case DTypes::kFloat:
      if (IsFloat(dtype)) return absl::OkStatus();
      return TypeError(
          fmt::format("takes f32 or f64, got {}\nhelp: cast it to a float first", Name(dtype)));
    case DTypes::kNumeric:
      if (IsFloat(dtype) || IsInteger(dtype)) return absl::OkStatus();
      return TypeError(fmt::format(
          "takes f32, f64, i32 or i64, got {}\nhelp: cast it to a number first", Name(dtype)));
    case DTypes::kBoolean:
      if (dtype == DType::kI1) return absl::OkStatus();
      return TypeError(fmt::format(
          "takes i1, got {}\nhelp: a comparison such as not_equal(x, 0) gives i1", Name(dtype)));
  }
  return absl::OkStatus();
}

absl::Status CheckSameDType(DType a, DType b) {
  if (a == b) return absl::OkStatus();
  return TypeError(fmt::format("{} and {} are different element types\nhelp: cast one of them",
                               Name(a), Name(b)));
}

absl::Status CheckSameShape(const Shape& a, const Shape& b) {
  if (a == b) return absl::OkStatus();
  std::string where;
  if (a.rank() != b.rank()) {
    where = fmt::format("{}, {}", CountAxes(a.rank()), CountAxes(b.rank()));
  } else {
    int axis = 0;
    while (a[axis] == b[axis]) ++axis;
    where = fmt::format("axis {}: {}, {}", axis, ToString(a[axis]), ToString(b[axis]));
  }
  const std::optional<Shape> joined = BroadcastShapes(a, b);
  const std::string help =
      joined
          ? fmt::format("broadcast to {} first", ToString(*joined))
          : std::string("shapes line up from the right, where sizes are equal or one of them is 1");
  return TypeError(fmt::format("{} and {} do not line up ({})\nhelp: {}", ToString(a), ToString(b),
                               where, help));
}

absl::Status CheckAxes(const IntList& axes, const Shape& shape) {
  int64_t last = -1;
  for (const int64_t axis : axes) {
    if (axis < 0 || axis >= shape.rank()) {
      return TypeError(fmt::format("axis {} is out of range for {} ({})", axis, ToString(shape),
                                   CountAxes(shape.rank())));
    }
    if (axis == last) return TypeError(fmt::format("axis {} is given twice", axis));
    if (axis < last) {
      return TypeError(
          fmt::format("axes must be in increasing order, got {} after {}", axis, last));
    }
    last = axis;
  }
  return absl::OkStatus();
}

absl::Status CheckSizes(const Shape& shape) {
  for (const Dim& d : shape) {
    if (!d.is_symbol() && d.size() < 0) {
      return TypeError(fmt::format("size {} in {} is negative", d.size(), ToString(shape)));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckLength(std::string_view attr, size_t length, int rank) {
  if (length == static_cast<size_t>(rank)) return absl::OkStatus();
  return TypeError(fmt::format("{} has {} entries for {}", attr, length, CountAxes(rank)));
}

absl::StatusOr<Types> SameAsFirst(const InferContext& c) { return First(c, DTypes::kAny); }
absl::StatusOr<Types> SameAsFirstFloat(const InferContext& c) { return First(c, DTypes::kFloat); }
absl::StatusOr<Types> SameAsFirstNumeric(const InferContext& c) {
  return First(c, DTypes::kNumeric);
}
absl::StatusOr<Types> SameAsFirstBoolean(const InferContext& c) {
  return First(c, DTypes::kBoolean);
}
absl::StatusOr<Types> TwoAlikeFloat(const InferContext& c) { return TwoAlike(c, DTypes::kFloat); }
absl::StatusOr<Types> TwoAlikeNumeric(const InferContext& c) {
  return TwoAlike(c, DTypes::kNumeric);
}
absl::StatusOr<Types> TwoAlikeBoolean(const InferContext& c) {
  return TwoAlike(c, DTypes::kBoolean);
}
absl::StatusOr<Types> CompareTwo(const InferContext& c) { return Compare(c, DTypes::kAny); }
absl::StatusOr<Types> CompareTwoNumeric(const InferContext& c) {
  return Compare(c, DTypes::kNumeric);
}

std::optional<Shape> BroadcastShapes(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape result;
  for (int axis = 0; axis < rank; ++axis) {
    const int i = axis - (rank - a.rank()), j = axis - (rank - b.rank());
    const Dim x = i < 0 ? Dim(1) : a[i];
    const Dim y = j < 0 ? Dim(1) : b[j];
    if (x == y || y == Dim(1)) {
      result.push_back(x);
    } else if (x == Dim(1)) {
      result.push_back(y);
    } else {
      return std::nullopt;
    }
  }
  return result;
}

}  // namespace gradus::ir
