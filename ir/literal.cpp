#include "ir/literal.h"

#include <charconv>

#include "fmt/format.h"
#include "ir/printer.h"
#include "ir/registry.h"

namespace gradus::ir {
namespace {

// A splat constant holds `value` if it is of floats, `integer` otherwise.
std::string_view NumberName(const Type& type) { return IsFloat(type.dtype) ? "value" : "integer"; }

template <typename T>
absl::StatusOr<T> ParseNumber(std::string_view text, const Type& type) {
  T number{};
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, number);
  if (code == std::errc::result_out_of_range) {
    return absl::InvalidArgumentError(
        fmt::format("{} is outside the range of {}", text, Name(type.dtype)));
  }
  if (code != std::errc() || stop != end) {
    return absl::InvalidArgumentError(
        fmt::format("{} is not a number of {}", text, Name(type.dtype)));
  }
  return number;
}

}  // namespace

bool IsLiteral(const Node& node) {
  if (!node.op().has(kSplat) || node.num_operands() != 0 || node.num_results() != 1) return false;
  const Type& type = node.type();
  for (const AttrSpec& spec : node.op().attrs) {
    const Attribute* a = node.FindAttr(spec.name);
    if (a == nullptr) return false;
    if (spec.name == NumberName(type)) continue;
    const auto* dtype = std::get_if<DType>(a);
    const auto* shape = std::get_if<Shape>(a);
    const bool of_type =
        (dtype != nullptr && *dtype == type.dtype) || (shape != nullptr && *shape == type.shape);
    if (!of_type && (spec.required || !Same(*a, spec.Default()))) return false;
  }
  return true;
}

std::string LiteralText(const Node& node) {
  const Attribute* number = node.FindAttr(NumberName(node.type()));
  return number == nullptr ? "" : ToString(*number);
}

const OpDef& LiteralOp() {
  for (const OpDef* op : AllOps()) {
    if (op->has(kSplat)) return *op;
  }
  CheckFailed("an op with trait kSplat", __FILE__, __LINE__, "");
}

absl::StatusOr<AttrList> LiteralAttrs(std::string_view text, const Type& type) {
  AttrList attrs = {{"dtype", type.dtype}, {"shape", type.shape}};
  if (IsFloat(type.dtype)) {
    const absl::StatusOr<double> number = ParseNumber<double>(text, type);
    if (!number.ok()) return number.status();
    attrs.push_back({NumberName(type), *number});
  } else {
    const absl::StatusOr<int64_t> number = ParseNumber<int64_t>(text, type);
    if (!number.ok()) return number.status();
    attrs.push_back({NumberName(type), *number});
  }
  return attrs;
}

}  // namespace gradus::ir
