#pragma once

// Loop IR, unscheduled: one kernel as stores of scalars over named loops. A later store may load an
// output that an earlier one wrote. The loops of a store that writes have no order; only the
// planner adds one. Those of a store that adds up do: the first of `variables` is the outermost.
//
//   loops @dense_relu(%x, %w, %b, out %o) {
//     %sum = sum k in 0..784 of %x[i, k] * %w[k, j]
//     store %o[i, j] = max(%sum + %b[j], 0)  for i in 0..B, j in 0..128
//   }

#include <memory>
#include <string>
#include <vector>

#include "ir/loop/scalar.h"

namespace gradus::loop {

struct Buffer {
  enum class Kind : uint8_t { kInput, kOutput, kScratch };
  std::string name;
  ir::Type type;  // kScratch: in plans only its dtype counts
  Kind kind = Kind::kInput;
  absl::InlinedVector<Extent, 2>
      elements;  // kScratch: how many, as a product, e.g. {16 * K, ceil(B/16)}
};

struct Store {
  enum class Kind : uint8_t {
    kWrite,
    // Adds to what an earlier store wrote there, in the order of the loops. The place is `position`
    // further along `axis`, as in a kGather; where that is outside of the axis, nothing is stored.
    kAdd,
    // Writes the sum of `value` over the steps of `running` so far, this one included.
    kRunningSum,
  };
  int buffer = 0;
  absl::InlinedVector<Index, 3> indices;  // one an axis of the buffer
  const Scalar* value = nullptr;
  std::vector<const Variable*> variables;  // outermost first
  Kind kind = Kind::kWrite;
  int axis = 0;                       // kAdd
  const Scalar* position = nullptr;   // kAdd: i64
  const Variable* running = nullptr;  // kRunningSum: one of `variables`
};

struct Kernel {
  std::string name;
  std::unique_ptr<Arena> arena = std::make_unique<Arena>();
  std::vector<Buffer> buffers;  // inputs (the kernel function's arguments, in order), outputs (its
                                // results), scratch
  std::vector<Store> stores;
  int num_inputs = 0;
  int num_outputs = 0;
};

// True if output `output` may share memory with input `input`: every load of the input, in whatever
// store, stands at the very index that the store to the output writes, outside any reduction, and
// no later store reads the input. An output that is added to is written before it is complete.
bool InPlaceSafe(const Kernel& kernel, int input, int output);

std::string Print(const Kernel& kernel);
// The same with types of buffers rather than names that users gave: equal for kernels that compute
// the same.
std::string Structure(const Kernel& kernel);

}  // namespace gradus::loop
