#pragma once

// How an entry (a graph function whose nodes are all calls of kernels) runs: kernels in order, and
// where every value lives. Made by passes/plan_memory, followed by codegen/emit_entry. Sizes and
// offsets follow from the symbols (size.h), so memory is planned once and sized per call.

#include <string>
#include <variant>
#include <vector>

#include "ir/function.h"
#include "ir/loop/size.h"

namespace gradus::loop {

// A condition on the loop's number of steps, n, and on how many are done, s: 0 before the loop, n
// after it.
enum class When : uint8_t {
  kEmpty,    // n = 0
  kFirst,    // s = 0
  kLast,     // s = n - 1
  kOddLeft,  // n - s is odd
};

struct Place {
  enum class Kind : uint8_t {
    kArgument,
    kResult,
    kWorkspace,
    kSlice,   // one step's part of the place `index`
    kEither,  // the place `index` when `when` holds, else the place `other`
  };
  Kind kind = Kind::kArgument;
  int index = 0;  // of the argument or result; of another place
  // kWorkspace: from its start. Places overlap, in part too, where their values live at different
  // times. kSlice: bytes of one step.
  Maximum offset;
  ir::Type type;
  int loop = 0;              // kSlice, kEither
  int shift = 0;             // kSlice: +1: the part of the step after this one
  When when = When::kEmpty;  // kEither
  int other = 0;             // kEither
};

struct KernelCall {
  const ir::Function* kernel = nullptr;  // kind kKernel, with kernel and plan attached
  std::vector<int> places;               // one a buffer of the kernel: inputs, then outputs
  std::vector<Maximum> scratch;  // offset in the workspace of each scratch buffer of its plan
  // Between RowsBegin and RowsEnd: where each scratch buffer is in the scratch of a part.
  std::vector<int64_t> part_scratch;
};

// Copies a whole place to another (a result that is an argument, or an update that could not be
// made in place).
struct CopyStep {
  int from = 0, to = 0;
};

// The steps from here to the LoopEnd of the same number run `count` times; places that are parts of
// others move from the first part to the last, or with `reverse` from the last to the first.
struct LoopBegin {
  int loop = 0;  // numbers are unique in an entry
  Extent count;
  bool reverse = false;
};
struct LoopEnd {
  int loop = 0;
};

// The steps from here to the next RowsEnd, loops whole, treat each row of the arrays whose first
// axis has the size `rows` alike, and no row with another: they may run on parts of the rows, each
// from the first step to the last, in any order or at once. A part has 2 * part_rows rows at most,
// and if it is not all rows, scratch of its own: part number p has scratch_bytes at scratch + p *
// scratch_bytes; there are no more parts than rows / part_rows.
struct RowsBegin {
  Symbol rows;
  int64_t part_rows = 1;
  Polynomial work;         // of all rows (passes/threads/work.h)
  int64_t least_work = 0;  // with less it is not worth while
  Maximum scratch;
  int64_t scratch_bytes = 0;
};
struct RowsEnd {};

using EntryStep = std::variant<KernelCall, CopyStep, LoopBegin, LoopEnd, RowsBegin, RowsEnd>;

struct EntryPlan {
  std::vector<Symbol> symbols;  // in order of first appearance in the arguments' types
  std::vector<Place> places;
  std::vector<EntryStep> steps;  // loops nest
  Maximum workspace;             // bytes
  // The most bytes of values and scratch that live at once, each counted exactly: what a workspace
  // for these steps in this order cannot be smaller than.
  Maximum live;
};

std::string Print(const EntryPlan& plan);

}  // namespace gradus::loop
