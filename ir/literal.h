#pragma once

// Numbers that stand for splat constants where an operand is written: `mul %x, 0.5`. The number
// says no type; it has the type of an operand beside it (see folding.h).

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "ir/op_def.h"

namespace gradus::ir {

// Whether a number and the node's type say all of it.
bool IsLiteral(const Node& node);
// The number of such a node, as in its attributes: 0.1, -inf, 12.
std::string LiteralText(const Node& node);
// The op of constants that literals are read as: the one with trait kSplat.
const OpDef& LiteralOp();
// Its attributes for a number of that type. Errors: a fraction for an integer, a number beyond the
// range of 64 bits.
absl::StatusOr<AttrList> LiteralAttrs(std::string_view text, const Type& type);

}  // namespace gradus::ir
