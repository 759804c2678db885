#pragma once

// The op record: all that Gradus knows of an op, in one constant. The parser, printer, verifier,
// autodiff, fusion, lowering, documentation and tests are generic over it: none of them names an
// op.
//
//   constinit const OpDef kTanh{
//       .name = "tanh",
//       .summary = "hyperbolic tangent of each element",
//       .operands = {"x"},
//       .traits = kPointwise | kTranscendental,
//       .infer = SameAsFirstFloat,
//       .vjp = {[](const Vjp& c) { return c.grad * (1.0 - c.result() * c.result()); }},
//       .at = Pointwise<approx::Tanh>,
//   };

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "ir/attribute.h"
#include "ir/value.h"

namespace gradus::loop {
class Expr;
class At;        // ir/loop/lowerer.h
class Emission;  // ir/loop/emission.h
}  // namespace gradus::loop

namespace gradus::ir {

class Module;

// A short list that can be a compile-time constant.
template <typename T, size_t N>
struct FixedList {
  std::array<T, N> items{};
  size_t count = 0;
  constexpr FixedList() = default;
  constexpr FixedList(std::initializer_list<T> list) {
    for (const T& t : list) items[count++] = t;
  }
  constexpr size_t size() const { return count; }
  constexpr bool empty() const { return count == 0; }
  constexpr const T& operator[](size_t i) const { return items[i]; }
  constexpr const T* begin() const { return items.data(); }
  constexpr const T* end() const { return items.data() + count; }
};

enum Trait : uint32_t {
  kNoTraits = 0,
  kPointwise = 1u << 0,       // result[i] depends on operand[i] alone, all of one shape
  kMovement = 1u << 1,        // each result element is one element of an operand, or a constant
  kReduction = 1u << 2,       // reads a whole axis for one result element
  kContraction = 1u << 3,     // a sum of products of two operands
  kLeaf = 1u << 4,            // has no operands; costs nothing to repeat (constant, iota)
  kTranscendental = 1u << 5,  // tens of instructions an element: store rather than repeat
  kCommutative = 1u << 6,     // operands 0 and 1 may change places
  kCall = 1u << 7,            // calls the function named by attribute "callee"
  kArgumentTrait = 1u << 8,   // a function's argument; not an instruction
  kStopsGradient = 1u << 9,   // gradient is zero because the user says so
  kSplat = 1u << 10,          // every element equals attribute "value" (constant)
  kTypeOnly = 1u << 11,       // depends on the types of its operands, not on their elements (count)
  kByPhase = 1u << 12,        // operand 0 while training, operand 1 otherwise
  kLoop = 1u << 13,           // with kCall: runs the callee once for each step of time (ops/scan.h)
  kGathers = 1u << 14,        // reads operand 0 where operand 1 says: wants it in memory
  kSum = 1u << 15,            // operand 0 + operand 1
  kProduct = 1u << 16,        // operand 0 * operand 1
  kCostly = 1u << 17,         // hundreds of instructions an element: never computed at two places
};
using Traits = uint32_t;

// What a type rule sees. An error's message is what stands after "add: "; a second line "help: ..."
// is the next step.
struct InferContext {
  std::span<const Type> operands;
  const AttrList* attrs = nullptr;
  const Module* module = nullptr;  // for `call`; may be null elsewhere
  template <typename T>
  const T& attr(std::string_view name) const {
    for (const NamedAttribute& a : *attrs) {
      if (a.name == name) return std::get<T>(a.value);
    }
    CheckFailed("attribute listed by the record", __FILE__, __LINE__, name);
  }
};
using Types = absl::InlinedVector<Type, 1>;
using InferFn = absl::StatusOr<Types> (*)(const InferContext&);

// What a gradient rule sees: the node and the gradient of its result. Rules emit ordinary ops.
struct Vjp {
  Node* node = nullptr;
  Value grad;                           // gradient of result 0 (of each result in `grads`)
  absl::InlinedVector<Value, 1> grads;  // one a result; empty value where nothing arrived
  Value operand(int i) const { return node->operand(i); }
  Value result(int i = 0) const { return node->result(i); }
};
// Gives the gradient of one operand, of the operand's type.
using VjpRule = Value (*)(const Vjp&);
// For variadic ops: one gradient an operand (empty value: none).
using VjpAllRule = absl::InlinedVector<Value, 4> (*)(const Vjp&);

// Many steps of a loop over time at once. `step` is a node of the body; operands are stacked along
// a new first axis where `stacked` says so, and the others are what every step sees.
struct OverSteps {
  const Node* step = nullptr;
  std::span<const Value> operands;
  std::span<const bool> stacked;
};
// Results of all steps, stacked; or their sum over the steps. No value: the op cannot do it.
using OverStepsRule = Value (*)(const OverSteps&);

// Answers: what is the scalar at this index of this result?
using AtRule = loop::Expr (*)(const loop::At&);
// For ops whose elements are cheap only together (a running sum, updates that say where they go):
// writes the stores that compute the one result, which whoever uses it loads.
using EmitRule = void (*)(const loop::Emission&);
// An identity that is exact in IEEE arithmetic: the value that can stand for result 0, or no value.
// May emit nodes.
using SimplifyRule = Value (*)(Node&);

// An op that reads operand 0 at times before its own: what it is for one time alone, where `axis`
// is operand 0's axis of time. It then reads `past` elements and the present one along that axis,
// and gives one, with these attributes. An error says why it looks elsewhere.
struct LookBack {
  int64_t past = 0;
  AttrList attrs;
};
using LookBackRule = absl::StatusOr<LookBack> (*)(const Node&, int axis);

struct OpDef {
  std::string_view name;
  std::string_view summary;  // one line for --print-ops and the reference
  FixedList<std::string_view, 4> operands;
  bool variadic = false;  // the last operand name stands for any number (>= 0) of operands
  FixedList<AttrSpec, 6> attrs;
  Traits traits = kNoTraits;
  InferFn infer = nullptr;
  // One rule an operand; a missing or null rule on a float operand: not differentiable, which
  // autodiff reports.
  FixedList<VjpRule, 4> vjp;
  VjpAllRule vjp_all = nullptr;
  AtRule at = nullptr;
  EmitRule emit = nullptr;  // instead of `at`
  SimplifyRule simplify = nullptr;
  // How the op leaves a loop over time (hoist_scan, sink_scan). Pointwise ops need no rule.
  OverStepsRule over_steps = nullptr;
  OverStepsRule sum_over_steps = nullptr;
  LookBackRule look_back = nullptr;  // what reads its own time alone needs no rule

  constexpr bool has(Trait t) const { return (traits & t) != 0; }
};

// The op of a function's arguments.
extern const OpDef kArgument;

}  // namespace gradus::ir
