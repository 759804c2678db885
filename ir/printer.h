#pragma once

// Text of graph IR: one generic form for all ops. parse(print(m)) == m (see parser.h).

#include <string>

#include "ir/module.h"

namespace gradus::ir {

struct PrintOptions {
  bool locations = true;
  bool text_locations = false;  // with them: places in the IR text that was read, too
  bool loops = true;            // after a kernel, its loops and its plan where they are attached
  bool folded = false;          // what is used once is written where it is used (see folding.h)
};

std::string Print(const Module& module, const PrintOptions& options = {});
std::string Print(const Function& function, const PrintOptions& options = {});
// The node's line, numbered as in its function's text; for messages. Takes time linear in the
// function.
std::string Print(const Node& node);
// The attributes of a node as in its line, without those that equal their default:
// " {axes = [0]}", or nothing.
std::string AttributesText(const Node& node);
// The shortest text that reads back as the same double (inf, -inf, nan included), always with '.',
// 'e', inf or nan.
std::string PrintFloat(double value);

}  // namespace gradus::ir
