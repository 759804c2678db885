#pragma once

// How nodes are made, checked: Emit runs the op's type rule and remembers the user's location. The
// builder functions in ir/ops call it, and are the DSL.

#include <source_location>
#include <span>
#include <type_traits>

#include "ir/function.h"
#include "ir/op_def.h"

namespace gradus::ir {

// An operand as users write it: a value or a number, with the caller's file and line.
// A number becomes a scalar constant of the other operand's dtype, broadcast where the op
// broadcasts.
class Operand {
 public:
  Operand(Value value,  // NOLINT: implicit so that tanh(x) captures where it was written
          const std::source_location& where = std::source_location::current())
      : value_(value), where_(where) {}
  template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>>
  Operand(T number,  // NOLINT: implicit so that x * 2 works
          const std::source_location& where = std::source_location::current())
      : number_(static_cast<double>(number)), is_number_(true), where_(where) {}

  bool is_number() const { return is_number_; }
  double number() const { return number_; }
  Value value() const { return value_; }
  Location location() const { return Location(where_); }
  const std::source_location& where() const { return where_; }

 private:
  Value value_;
  double number_ = 0;
  bool is_number_ = false;
  std::source_location where_;
};

// Appends `op` to the operands' function. `attrs` may leave out those with a default.
// On an error: reports a Diagnostic to the function (with a note an operand) and returns its
// poison.
Value Emit(const OpDef& op, std::span<const Operand> operands, AttrList attrs = {});
Value Emit(const OpDef& op, std::initializer_list<Operand> operands, AttrList attrs = {});
// The same into a given function: for leaves, multi-result ops and the parser. Returns null on an
// error, which is put into `error`; `module` lets `call` find its callee.
Node* TryEmit(Function& function, const OpDef& op, std::span<const Value> operands, AttrList attrs,
              const Location& location, const Module* module, Diagnostic* error);

// Fills in defaults and puts attributes into the record's order; errors on unknown, missing or
// ill-typed ones.
absl::StatusOr<AttrList> CompleteAttrs(const OpDef& op, AttrList attrs);

}  // namespace gradus::ir
