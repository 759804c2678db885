#pragma once

// A contraction on its way to a plan: roles, the scalars of both sides, and the stores over its
// accumulator. Packing and role swap turn one draft into nests and a draft whose sides are plain
// loads; Finish makes that one a step.

#include "ir/target.h"
#include "passes/scheduling/blocks.h"
#include "passes/scheduling/choice.h"
#include "passes/scheduling/recognize.h"

namespace gradus::passes::scheduling {

// What every part of planning one kernel needs.
struct Planner {
  Arena& arena;
  loop::Plan& plan;
  const ir::Target& target;
  bool in_loop = false;                  // a loop over time calls the kernel
  std::span<const Choice> choices = {};  // of the plan's contractions, in order

  // What was chosen for the contraction that comes next.
  Choice choice() const;

  // A scratch buffer; its number.
  int NewScratch(ir::DType dtype, absl::InlinedVector<Extent, 2> elements);
  // Scratch laid out over the variables in the order given, and the offset of an element.
  struct Laid {
    int buffer;
    Index offset;
  };
  Laid LayOut(ir::DType dtype, std::span<const Variable* const> variables);
};

struct Draft {
  Variables batch, m, n, k;  // outermost first
  const Scalar* a = nullptr;
  const Scalar* b = nullptr;
  ir::DType dtype = ir::DType::kF32;
  std::vector<loop::FlatStore> epilogue;  // over kAcc 0
  std::string how_a = "direct", how_b = "direct";
  // Where else A is 0, so that steps of the sum need not run (k_ranges.h): each has a loop of k and
  // one of m.
  std::vector<loop::Condition> inside;

  // All forms of both sides, the epilogue and the conditions.
  std::vector<Index> forms() const;
  void Substitute(Arena& arena, std::span<const loop::Substitution> list);
  // Merges batch, m, n and k loops as far as all forms allow.
  void MergeLoops(Arena& arena);
};

// A product in place of another draft, whose stores are its own, or read from scratch what it
// stores there.
struct Staged {
  Draft product;
  std::optional<Block> rest;
};
// The draft's stores over m and n, with what stands for its sum.
Block StoresOver(Arena& arena, const Draft& draft, const Scalar* sum);

// A plain load with an affine index and, along the variables given, strides that are numbers.
bool IsDirect(const Scalar* side, ir::DType dtype, std::span<const Variable* const> variables);

// The variable of m that a tile's rows run along: the innermost if it is known to fill a tile or
// nearly so, or one more than twice as large. Null: none has strides that are numbers.
const Variable* RowVariable(const Draft& draft);

// The step for a draft whose sides are direct; nullopt with the reason in `why_not` if a stride is
// not a number.
std::optional<loop::Contraction> Finish(const Planner& planner, Draft draft, std::string& why_not);

}  // namespace gradus::passes::scheduling
