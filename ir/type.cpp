#include "ir/type.h"

#include <limits>

#include "fmt/format.h"

namespace gradus::ir {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"i1", "i32", "i64", "f32", "f64"};
constexpr std::array<int64_t, 5> kSizes = {1, 4, 8, 4, 8};

}  // namespace

int64_t ByteSize(DType dtype) { return kSizes[static_cast<size_t>(dtype)]; }

std::string_view Name(DType dtype) { return kNames[static_cast<size_t>(dtype)]; }

std::optional<DType> ParseDType(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

bool Shape::has_symbols() const {
  for (const Dim& d : dims_) {
    if (d.is_symbol()) return true;
  }
  return false;
}

std::optional<int64_t> Shape::num_elements() const {
  int64_t n = 1;
  bool overflow = false;
  for (const Dim& d : dims_) {
    if (d.is_symbol()) return std::nullopt;
    if (d.size() == 0) return 0;
    overflow = overflow || __builtin_mul_overflow(n, d.size(), &n);
  }
  return overflow ? std::numeric_limits<int64_t>::max() : n;
}

bool SizeFits(const Shape& shape) {
  int64_t bytes = 8;
  for (const Dim& d : shape) {
    if (d.is_symbol() || d.size() == 0) continue;
    if (__builtin_mul_overflow(bytes, d.size(), &bytes)) return false;
  }
  return true;
}

std::string ToString(const Dim& dim) {
  return dim.is_symbol() ? std::string(dim.symbol().name()) : fmt::format("{}", dim.size());
}

std::string ToString(const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank(); ++i) {
    if (i > 0) text += ", ";
    text += ToString(shape[i]);
  }
  return text + "]";
}

std::string ToString(const Type& type) {
  return std::string(Name(type.dtype)) + ToString(type.shape);
}

}  // namespace gradus::ir
