#pragma once

// Attributes: the compile-time facts of a node (axes, flags, a target shape). Each op record lists
// the attributes that it knows, with kinds and defaults; a node holds all of them, in the record's
// order.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "ir/type.h"

namespace gradus::ir {

// The symbol of a function: prints as @name.
struct FunctionRef {
  std::string name;
  bool operator==(const FunctionRef&) const = default;
};

using IntList = std::vector<int64_t>;

// Text forms: true, 3, 1.5, "text", [0, 1], [B, 784], f32, @name. Floats always print with '.',
// 'e', inf or nan.
using Attribute =
    std::variant<bool, int64_t, double, std::string, IntList, Shape, DType, FunctionRef>;

// In the order of Attribute's alternatives.
enum class AttrKind : uint8_t { kBool, kInt, kFloat, kString, kIntList, kShape, kDType, kFunction };

std::string ToString(const Attribute& attribute);
// Bitwise for floats, so that NaN equals NaN and 0.0 differs from -0.0.
bool Same(const Attribute& a, const Attribute& b);

// One attribute of an op record. A non-required one has the default: false, `default_number`, "" or
// an empty list.
struct AttrSpec {
  std::string_view name;
  AttrKind kind = AttrKind::kInt;
  std::string_view summary;
  bool required = true;
  double default_number = 0;
  Attribute Default() const;
};

struct NamedAttribute {
  std::string_view name;  // the record's, hence of static lifetime
  Attribute value;
};
using AttrList = absl::InlinedVector<NamedAttribute, 2>;

}  // namespace gradus::ir
