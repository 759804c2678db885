#pragma once

// Loops over time: one op, not unrolled, so that code size and compile time do not depend on the
// number of steps.
//
//   body @step(%h: f32[B, 8], %x: f32[B, 4], %w: f32[4, 8]) -> (f32[B, 8], f32[B, 8]) { ... }
//
//   %0:2 = scan %h0, %xs, %w {callee = @step, carries = 1, sequences = 1, length = [T]}
//       : f32[B, 8], f32[T, B, 8]
//
// Operands are initial carries, sequences, invariants; results are final carries, stacked outputs:
//
//   for t in 0..T:  (carries, outputs[t]) = body(carries, sequences[t], invariants)
//
// Time is the outermost axis of sequences and outputs; the body's types lack it. With `reverse`,
// t runs from T - 1 down to 0. With T = 0 the final carries are the initial ones.

#include <span>

#include "ir/builder.h"

namespace gradus::ir {

// The operands and results of a scan node by what they are.
class ScanView {
 public:
  // `node` has the trait kLoop.
  explicit ScanView(const Node& node);

  const Function& body() const { return *body_; }
  int carries() const { return carries_; }
  int sequences() const { return sequences_; }
  int invariants() const { return node_.num_operands() - carries_ - sequences_; }
  int outputs() const { return node_.num_results() - carries_; }
  Dim length() const { return length_; }
  bool reverse() const { return reverse_; }

  // Operands; argument i of the body stands for operand i.
  Value carry(int i) const { return node_.operand(i); }
  Value sequence(int i) const { return node_.operand(carries_ + i); }
  Value invariant(int i) const { return node_.operand(carries_ + sequences_ + i); }

 private:
  const Node& node_;
  const Function* body_ = nullptr;
  int carries_ = 0, sequences_ = 0;
  Dim length_{0};
  bool reverse_ = false;
};

struct ScanOptions {
  Dim length{0};  // T: a number or a symbol
  bool reverse = false;
};

// One node with the final carries and the stacked outputs; null after an error, which f remembers.
// `body` is a function of kind kBody of f's module.
Node* scan(Function& f, const Function& body, std::span<const Value> carries,
           std::span<const Value> sequences, std::span<const Value> invariants,
           const ScanOptions& options, const Location& location = {});

// A type with the axis of time before its own, and without it.
Type Stacked(const Dim& length, const Type& step);
Type StepOf(const Type& stacked);

}  // namespace gradus::ir
