#pragma once

// Types of tensors: an element type and a shape whose sizes are numbers or symbols.
// A symbol (B for batch, T for time) stands for a size that is fixed at call time. It equals only
// itself and there is no arithmetic on symbols. Prints as f32[B, 784]; a scalar prints as f32[].

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"

namespace gradus::ir {

// Values equal those of gradus_dtype in runtime/abi.h.
enum class DType : uint8_t { kI1 = 0, kI32 = 1, kI64 = 2, kF32 = 3, kF64 = 4 };

int64_t ByteSize(DType dtype);       // i1 takes one byte
std::string_view Name(DType dtype);  // "f32"
std::optional<DType> ParseDType(std::string_view name);
constexpr bool IsFloat(DType d) { return d == DType::kF32 || d == DType::kF64; }
constexpr bool IsInteger(DType d) { return d == DType::kI32 || d == DType::kI64; }

// A symbol's name: an identifier of 1 to 23 bytes, held by value so that a Dim is a constant.
class Symbol {
 public:
  static constexpr size_t kMaxLength = 23;
  constexpr Symbol() = default;
  // Longer names are cut; the parser and Model::Input refuse them first.
  constexpr explicit Symbol(std::string_view name) {
    for (size_t i = 0; i < name.size() && i < kMaxLength; ++i) text_[i] = name[i];
  }
  constexpr bool empty() const { return text_[0] == 0; }
  constexpr std::string_view name() const {
    size_t n = 0;
    while (n < kMaxLength && text_[n] != 0) ++n;
    return {text_.data(), n};
  }
  constexpr auto operator<=>(const Symbol&) const = default;

 private:
  std::array<char, kMaxLength + 1> text_{};
};

// One size of a shape: a number >= 0, or a symbol.
class Dim {
 public:
  constexpr Dim() = default;
  constexpr Dim(int64_t size) : size_(size) {}  // NOLINT: shapes are written as {32, kBatch}
  constexpr explicit Dim(Symbol symbol) : size_(-1), symbol_(symbol) {}
  constexpr bool is_symbol() const { return !symbol_.empty(); }
  constexpr int64_t size() const { return size_; }  // -1 for a symbol
  constexpr Symbol symbol() const { return symbol_; }
  constexpr bool operator==(const Dim&) const = default;

 private:
  int64_t size_ = 0;
  Symbol symbol_;
};

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<Dim> dims) : dims_(dims) {}
  explicit Shape(std::span<const Dim> dims) : dims_(dims.begin(), dims.end()) {}

  int rank() const { return static_cast<int>(dims_.size()); }
  const Dim& operator[](int axis) const { return dims_[static_cast<size_t>(axis)]; }
  Dim& operator[](int axis) { return dims_[static_cast<size_t>(axis)]; }
  void push_back(Dim d) { dims_.push_back(d); }
  std::span<const Dim> dims() const { return {dims_.data(), dims_.size()}; }
  auto begin() const { return dims_.begin(); }
  auto end() const { return dims_.end(); }
  bool has_symbols() const;
  // The number of elements if no size is a symbol (saturates at INT64_MAX), else nullopt.
  std::optional<int64_t> num_elements() const;
  bool operator==(const Shape& o) const { return dims_ == o.dims_; }

 private:
  absl::InlinedVector<Dim, 4> dims_;
};

// False if the product of the sizes, symbols and zeros left out, times the largest element
// overflows 64 bits: no memory holds it, and strides could not be computed.
bool SizeFits(const Shape& shape);

struct Type {
  DType dtype = DType::kF32;
  Shape shape;
  int rank() const { return shape.rank(); }
  bool operator==(const Type&) const = default;
};

std::string ToString(const Dim& dim);      // "784" or "B"
std::string ToString(const Shape& shape);  // "[B, 784]"
std::string ToString(const Type& type);    // "f32[B, 784]"

}  // namespace gradus::ir
