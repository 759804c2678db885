#include "frontend/library/c_names.h"

#include <algorithm>
#include <iterator>

#include "fmt/format.h"

namespace gradus {
namespace {

// Of C23 and C++20, and what <stdint.h> and <stddef.h> may define. Sorted.
constexpr std::string_view kKeywords[] = {"alignas",
                                          "alignof",
                                          "and",
                                          "and_eq",
                                          "asm",
                                          "auto",
                                          "bitand",
                                          "bitor",
                                          "bool",
                                          "break",
                                          "case",
                                          "catch",
                                          "char",
                                          "char16_t",
                                          "char32_t",
                                          "char8_t",
                                          "class",
                                          "co_await",
                                          "co_return",
                                          "co_yield",
                                          "compl",
                                          "concept",
                                          "const",
                                          "const_cast",
                                          "consteval",
                                          "constexpr",
                                          "constinit",
                                          "continue",
                                          "decltype",
                                          "default",
                                          "delete",
                                          "do",
                                          "double",
                                          "dynamic_cast",
                                          "else",
                                          "enum",
                                          "explicit",
                                          "export",
                                          "extern",
                                          "false",
                                          "float",
                                          "for",
                                          "friend",
                                          "goto",
                                          "if",
                                          "inline",
                                          "int",
                                          "long",
                                          "mutable",
                                          "namespace",
                                          "new",
                                          "noexcept",
                                          "not",
                                          "not_eq",
                                          "nullptr",
                                          "operator",
                                          "or",
                                          "or_eq",
                                          "private",
                                          "protected",
                                          "public",
                                          "register",
                                          "reinterpret_cast",
                                          "requires",
                                          "restrict",
                                          "return",
                                          "short",
                                          "signed",
                                          "sizeof",
                                          "static",
                                          "static_assert",
                                          "static_cast",
                                          "struct",
                                          "switch",
                                          "template",
                                          "this",
                                          "thread_local",
                                          "throw",
                                          "true",
                                          "try",
                                          "typedef",
                                          "typeid",
                                          "typename",
                                          "typeof",
                                          "union",
                                          "unsigned",
                                          "using",
                                          "virtual",
                                          "void",
                                          "volatile",
                                          "wchar_t",
                                          "while",
                                          "xor",
                                          "xor_eq"};

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::string CName(std::string_view name) {
  std::string c;
  for (const char one : name) {
    const bool good = IsLetter(one) || IsDigit(one);
    // No two underscores in a row: such names belong to C++.
    if (good) {
      c += one;
    } else if (c.empty() || c.back() != '_') {
      c += '_';
    }
  }
  if (c.empty() || !IsLetter(c.front())) c = "v" + (c.starts_with('_') ? c : "_" + c);
  if (std::ranges::find(kKeywords, std::string_view(c)) != std::end(kKeywords)) c += "_";
  return c;
}

std::string MacroName(std::string_view name) {
  std::string macro = CName(name);
  for (char& c : macro) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return macro;
}

std::string CNames::Add(std::string_view name) {
  const std::string stem = CName(name);
  std::string c = stem;
  for (int n = 2; !taken_.insert(c).second; ++n) c = fmt::format("{}_{}", stem, n);
  return c;
}

}  // namespace gradus
