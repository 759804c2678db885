#pragma once

// What the parser has read of a module before any op's type rule runs: bodies are built in an order
// in which callees come before their callers, while the text may hold functions in any order.

#include <optional>
#include <string>
#include <vector>

#include "ir/module.h"
#include "ir/op_def.h"
#include "ir/source_text.h"

namespace gradus::ir {

// A use of a value of the same function, or a number.
struct UseDraft {
  int node = -1;             // index of the node's draft; -1: an argument
  int index = 0;             // of the argument, or of the node's result
  std::string_view literal;  // not empty: a number, whose type follows from the operands beside it
  TextPlace place;
};

struct NodeDraft {
  const OpDef* op = nullptr;
  absl::InlinedVector<UseDraft, 2> operands;
  AttrList attrs;
  bool nested = false;  // op(...) in the place of an operand, before the node that uses it
  Types types;          // as written; none if nested
  Location location;
  TextPlace place;  // of the op's name
  TextPlace type_place;
};

struct ResultDraft {
  std::string name;
  Type type;  // as written
  int alias = -1;
  TextPlace place;
};

struct FunctionDraft {
  Function* function = nullptr;  // in the module, with its arguments
  std::vector<ResultDraft> results;
  std::vector<NodeDraft> nodes;
  std::vector<UseDraft> returns;
  TextPlace place;  // of its name
  TextPlace return_place;
};

// Fills in the functions' bodies. Returns the first error: a type rule, a written type that is not
// the rule's, an unknown callee, functions that call each other in a circle.
std::optional<Diagnostic> BuildFunctions(Module& module, const SourceText& source,
                                         std::vector<FunctionDraft>& drafts);

}  // namespace gradus::ir
