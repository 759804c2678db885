#include "ir/attribute.h"

#include <bit>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "ir/lexer.h"
#include "ir/printer.h"

namespace gradus::ir {
namespace {

struct AttributePrinter {
  std::string operator()(bool b) const { return b ? "true" : "false"; }
  std::string operator()(int64_t i) const { return fmt::format("{}", i); }
  std::string operator()(double d) const { return PrintFloat(d); }
  std::string operator()(const std::string& s) const { return Quote(s); }
  std::string operator()(const IntList& l) const { return fmt::format("[{}]", fmt::join(l, ", ")); }
  std::string operator()(const Shape& s) const { return ToString(s); }
  std::string operator()(DType d) const { return std::string(Name(d)); }
  std::string operator()(const FunctionRef& f) const { return "@" + SpellName(f.name); }
};

}  // namespace

std::string ToString(const Attribute& attribute) {
  return std::visit(AttributePrinter{}, attribute);
}

bool Same(const Attribute& a, const Attribute& b) {
  if (const double* x = std::get_if<double>(&a)) {
    const double* y = std::get_if<double>(&b);
    return y != nullptr && std::bit_cast<uint64_t>(*x) == std::bit_cast<uint64_t>(*y);
  }
  return a == b;
}

Attribute AttrSpec::Default() const {
  switch (kind) {
    case AttrKind::kBool: return default_number != 0;
    case AttrKind::kInt: return static_cast<int64_t>(default_number);
    case AttrKind::kFloat: return default_number;
    case AttrKind::kString: return std::string();
    case AttrKind::kIntList: return IntList{};
    case AttrKind::kShape: return Shape{};
    case AttrKind::kDType: return DType::kF32;
    case AttrKind::kFunction: return FunctionRef{};
  }
  return false;
}

}  // namespace gradus::ir
