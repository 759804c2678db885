#pragma once

// Text of scalars. Expressions are DAGs, so what is used twice, every reduction, and what would
// make a line too long is printed once as `%t3 = ...` and then by its name: text stays as small as
// the DAG.

#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "ir/loop/kernel.h"

namespace gradus::loop {

std::string ToString(const Condition& condition);  // "0 <= i - 1 < 28"
// "i in 0..784, j in 0..128"
std::string LoopsToString(std::span<const Variable* const> variables);

class ScalarPrinter {
 public:
  // `roots`: all that will be printed, so that uses can be counted.
  ScalarPrinter(std::span<const Buffer> buffers, std::span<const Scalar* const> roots);
  // Text of `root`. Lines that define what it names are appended to `out` first, each after
  // `indent`.
  std::string Print(const Scalar* root, std::string_view indent, std::string* out);
  std::string Access(int buffer, std::span<const Index> indices) const;  // "%x[i, k]"
  // The same with what is further on along an axis: "%x[i + (%ids[j]), k]".
  std::string Access(int buffer, std::span<const Index> indices, size_t axis,
                     std::string_view position) const;

 private:
  struct Text {
    std::string text;
    int precedence = 0;  // of its outermost operator; kAtom if it needs no parentheses
  };
  std::string NewName(const Scalar& s);
  Text Format(const Scalar& s) const;
  std::string Operand(const Scalar& s, size_t i, int precedence) const;

  std::span<const Buffer> buffers_;
  absl::flat_hash_map<const Scalar*, int> uses_;
  absl::flat_hash_map<const Scalar*, Text> texts_;
  absl::flat_hash_map<std::string, int> names_;
};

}  // namespace gradus::loop
