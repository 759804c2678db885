#pragma once

// What builders share: numbers become constants, shapes are broadcast, and bad operands stop a
// builder before it looks at types that are not there.

#include <initializer_list>
#include <optional>
#include <span>

#include "ir/builder.h"

namespace gradus::ir {

// What a builder must return at once: an empty value if an operand has none, poison if one is
// poison; nullopt if all are good. Numbers are good, but one operand at least must be a value.
std::optional<Value> Stopped(std::initializer_list<Operand> operands);
std::optional<Value> Stopped(std::span<const Operand> operands);

// A scalar or splat constant for a number in an operand's place; poison (and an error) where an
// integer type cannot hold it.
Operand NumberAs(Function& f, const Type& type, const Operand& number);

// Emits an elementwise op after broadcasting its operands to one shape and turning numbers into
// constants. Numbers take the dtype of the first value from operand `first_typed` on. Where shapes
// do not line up the op's type rule says so.
Value EmitElementwise(const OpDef& op, std::initializer_list<Operand> operands,
                      int first_typed = 0);

// -1 is the last axis. An axis that is out of range stays so, for the type rule to refuse.
int64_t NormalAxis(int64_t axis, int rank);
// The same for a list, sorted; no axes: all.
IntList NormalAxes(IntList axes, int rank);

// While it lives, nodes are placed where the user called a composite, not inside of it.
class CallerScope {
 public:
  explicit CallerScope(std::initializer_list<Operand> operands);
  ~CallerScope();
  CallerScope(const CallerScope&) = delete;
  CallerScope& operator=(const CallerScope&) = delete;

 private:
  Function* function_ = nullptr;
};

// Logits x where p is softmax(x) along the last axis; where p is sigmoid(x).
std::optional<Value> LogitsOfSoftmax(const Operand& p);
std::optional<Value> LogitsOfSigmoid(const Operand& p);

// The number that every element of `v` equals, rounded to its dtype, if v is a splat constant.
std::optional<double> SplatNumber(Value v);
// Whether every element equals `number`; 0.0 and -0.0 differ unless v is of integers.
bool IsSplat(Value v, double number);
// Whether a value is a comparison a <= b.
bool IsLessEqual(Value v);
bool IsMul(Value v);
bool IsBroadcast(Value v);
bool IsReshape(Value v);

}  // namespace gradus::ir
