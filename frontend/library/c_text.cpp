#include "frontend/library/c_text.h"

#include <span>

#include "fmt/format.h"
#include "frontend/library/interface.h"
#include "ir/printer.h"

namespace gradus {
namespace {

// ceil(scale * symbols / divisor) or a number.
std::string FactorText(const loop::Extent& x) {
  std::string text = fmt::format("(size_t){}", x.scale);
  if (x.scale == 1 && !x.symbols.empty()) text.clear();
  for (const ir::Symbol s : x.symbols) {
    text += fmt::format("{}(size_t)({})", text.empty() ? "" : " * ", SizeName(s));
  }
  if (x.divisor == 1) return text;
  return fmt::format("(({} + {}) / {})", text, x.divisor - 1, x.divisor);
}

std::string SumText(const loop::Polynomial& sum) {
  std::string text;
  for (const loop::SizeTerm& t : sum) {
    if (t.coefficient == 0) continue;
    std::string term = fmt::format("(size_t){}", t.coefficient);
    for (const loop::Extent& x : t.factors) term += " * " + FactorText(x);
    text += (text.empty() ? "" : " + ") + term;
  }
  return text.empty() ? "(size_t)0" : text;
}

// The maximum of sums [begin, end).
std::string MaximumText(std::span<const loop::Polynomial> sums) {
  if (sums.size() == 1) return "(" + SumText(sums.front()) + ")";
  const std::string a = MaximumText(sums.first(sums.size() / 2));
  const std::string b = MaximumText(sums.subspan(sums.size() / 2));
  return fmt::format("({0} > {1} ? {0} : {1})", a, b);
}

}  // namespace

std::string_view CType(DType dtype) {
  switch (dtype) {
    case DType::kI1: return "uint8_t";
    case DType::kI32: return "int32_t";
    case DType::kI64: return "int64_t";
    case DType::kF32: return "float";
    case DType::kF64: return "double";
  }
  return "";
}

std::string TypeText(const Type& type) {
  std::string sizes;
  for (const Dim& d : type.shape) {
    if (!sizes.empty()) sizes += ", ";
    sizes += d.is_symbol() ? SizeName(d.symbol()) : fmt::format("{}", d.size());
  }
  return fmt::format("{}[{}]", ir::Name(type.dtype), sizes);
}

std::string Wrapped(const std::vector<std::string>& items, const std::string& indent,
                    std::string_view first, std::string_view last) {
  constexpr size_t kColumns = 100;
  std::string text(first);
  size_t column = first.size();
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string item = items[i] + (i + 1 < items.size() ? "," : std::string(last));
    const size_t space = i > 0 ? 1 : 0;
    if (column + space + item.size() > kColumns) {
      text += "\n" + indent;
      column = indent.size();
    } else if (space > 0) {
      text += ' ';
      ++column;
    }
    text += item;
    column += item.size();
  }
  return items.empty() ? text + std::string(last) : text;
}

std::string CommentText(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const bool ends = c == '/' && text.ends_with('*');
    text += ends || static_cast<unsigned char>(c) < ' ' ? '_' : c;
  }
  return text;
}

std::string SizeExpression(const loop::Maximum& size) {
  if (size.sums().empty()) return "((size_t)0)";
  return MaximumText(size.sums());
}

}  // namespace gradus
