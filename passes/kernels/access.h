#pragma once

// Where an op reads an operand: which of the result's axes, and which variables of its reduction,
// each axis of the operand depends on. Read from the op's own lowering, so that no pass names an
// op.

#include <cstdint>
#include <vector>

#include "ir/value.h"

namespace gradus::passes {

struct AxisUse {
  uint32_t result_axes = 0;  // bit a: depends on axis a of the result
  uint32_t reduced = 0;      // bit v: on variable v of the op's reduction, outermost first
  bool plain = true;         // is one of these variables itself, wherever the op reads it; or fixed
};

// One entry an axis of operand `operand`; entries are empty where the op does not read it. Not for
// ops that write their own stores.
std::vector<AxisUse> AxisUses(const ir::Node& node, int operand);

// Whether a reduction goes along the innermost axis of what it reads and leaves the outermost, or,
// with `columns`, the other way round.
bool ReducesAlong(const ir::Node& node, bool columns);

// Axes along which there is more than one element.
int SpannedAxes(const ir::Type& type);

// Whether a node is a pointwise operation of a few instructions.
bool IsCheap(const ir::Node& node);

}  // namespace gradus::passes
