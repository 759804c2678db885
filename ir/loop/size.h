#pragma once

// Sizes and offsets in bytes that are known when an entry is called: sums of products of symbols,
// and the largest of several such sums.

#include <functional>
#include <string>
#include <vector>

#include "ir/loop/index.h"

namespace gradus::loop {

// coefficient * product(factors); at most two factors.
struct SizeTerm {
  int64_t coefficient = 0;
  absl::InlinedVector<Extent, 1> factors;
  bool operator==(const SizeTerm&) const = default;
};
// A sum of terms, no coefficient below 0; empty: 0.
using Polynomial = std::vector<SizeTerm>;
std::string ToString(const Polynomial& p);  // "64 + 1024*B"
void AddTo(Polynomial& sum, const SizeTerm& term);

// True only if a >= b whatever the symbols are (0 or more): by coefficients, and with
// floor(s/d) * B <= ceil(s*B/d) <= ceil(s/d) * B.
bool IsAtLeast(const Polynomial& a, const Polynomial& b);

// The size of a symbol.
using SizeOf = std::function<int64_t(Symbol)>;
// Stops at kHuge, so that a few sums of sizes fit in 64 bits.
inline constexpr int64_t kHuge = int64_t{1} << 56;
int64_t ValueAt(const SizeTerm& t, const SizeOf& size);
int64_t ValueAt(const Polynomial& p, const SizeOf& size);

// The largest of several sums.
class Maximum {
 public:
  Maximum() = default;                            // 0
  Maximum(Polynomial p) { Raise(std::move(p)); }  // NOLINT: most sizes are one sum

  // None is 0, or known to be at most another; none: 0.
  const std::vector<Polynomial>& sums() const { return sums_; }
  // max(this, p).
  void Raise(Polynomial p);
  void Raise(const Maximum& m);
  // Rounds up to at most `count` sums: each costs some instructions a call. Joins those that cost
  // least memory over all powers of two for the symbols.
  void Limit(size_t count);
  Maximum operator+(const SizeTerm& term) const;
  bool operator==(const Maximum&) const = default;

 private:
  std::vector<Polynomial> sums_;
};
std::string ToString(const Maximum& m);  // "max(64, 1024*B)"
int64_t ValueAt(const Maximum& m, const SizeOf& size);
bool IsAtLeast(const Maximum& a, const Maximum& b);

std::string FormatBytes(int64_t bytes);  // "64 B", "1.5 MiB"

}  // namespace gradus::loop
