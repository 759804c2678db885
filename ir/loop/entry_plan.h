#pragma once

// How an entry (a graph function whose nodes are all calls of kernels) runs: kernels in order, and
// where every value lives. Made by passes/plan_memory, followed by codegen/emit_entry. Sizes and
// offsets are polynomials in the symbols, so memory is planned once and sized per call.

#include <string>
#include <variant>
#include <vector>

#include "ir/function.h"
#include "ir/loop/index.h"

namespace gradus::loop {

// coefficient * product(factors); at most two factors.
struct SizeTerm {
  int64_t coefficient = 0;
  absl::InlinedVector<Extent, 1> factors;
  bool operator==(const SizeTerm&) const = default;
};
// A sum of terms, in bytes; empty: 0.
using Polynomial = std::vector<SizeTerm>;
std::string ToString(const Polynomial& p);

struct Place {
  enum class Kind : uint8_t { kArgument, kResult, kWorkspace };
  Kind kind = Kind::kArgument;
  int index = 0;      // of the argument or result
  Polynomial offset;  // kWorkspace: from its start, a multiple of 64
  ir::Type type;
};

struct KernelCall {
  const ir::Function* kernel = nullptr;  // kind kKernel, with kernel and plan attached
  std::vector<int> places;               // one a buffer of the kernel: inputs, then outputs
  std::vector<Polynomial> scratch;  // offset in the workspace of each scratch buffer of its plan
};

// Copies a whole place to another (a result that is an argument, or an update that could not be
// made in place).
struct CopyStep {
  int from = 0, to = 0;
};

struct EntryPlan {
  std::vector<Symbol> symbols;  // in order of first appearance in the arguments' types
  std::vector<Place> places;
  std::vector<std::variant<KernelCall, CopyStep>> steps;
  Polynomial workspace;  // bytes
};

std::string Print(const EntryPlan& plan);

}  // namespace gradus::loop
