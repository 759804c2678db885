#pragma once

// From the stores of a kernel to blocks: stores over the same loops in flat form, which one nest or
// one contraction can hold. All of a block's values of an element may be computed before any of
// them is stored.

#include "passes/scheduling/forms.h"

namespace gradus::passes::scheduling {

struct Block {
  Variables loops;  // outermost first
  std::vector<loop::FlatStore> stores;
  // Over all loops but the innermost (JoinRows): one number a row.
  std::vector<loop::FlatStore> row_stores;
  std::vector<loop::Condition> domain;  // stores happen only where all hold
  const Variable* running = nullptr;    // of a running sum, as in loop::Store: one of `loops`

  // True if the order of the loops matters: the block's one store adds up.
  bool ordered() const { return running != nullptr || stores.front().accumulate; }
  std::vector<loop::FlatStore*> all_stores();  // row_stores first
  // All scalars of the stores: values, and places that data tell.
  std::vector<const Scalar*> values() const;
};

// All that the values load.
std::vector<const Scalar*> LoadsOf(std::span<const Scalar* const> values);

// True if a store to `buffer` may touch memory that one of the loads reads: the same buffer, or an
// argument in whose memory an output of that type may be.
bool MayTouch(std::span<const loop::Buffer> buffers, int buffer,
              std::span<const Scalar* const> loads);

// Replaces each scalar of a store by what `with` makes of it.
template <typename With>
void ReplaceScalars(loop::FlatStore& store, With&& with) {
  for (const Scalar** s : {&store.value, &store.jump, &store.where}) {
    if (*s != nullptr) *s = with(*s);
  }
}

// Flattens every access and groups the stores. A store joins an earlier block of the same loops
// unless it would pass a store that it depends on, or that may share memory with it. What an
// earlier store of the block wrote at the very same place is that store's value, not a load. What
// adds up is a block of its own.
std::vector<Block> FormBlocks(const loop::Kernel& kernel);

// Makes index forms affine where loops can be split: where `v / d` or `v % d` occurs and d divides
// v's extent, v becomes d * vh + vl, to a fixed point. So reshapes of any rank leave no division
// behind. The loop of a running sum stays whole.
void SplitAtoms(Arena& arena, Block& block);

// Loops and reduction variables of extent 1 become 0, that of a running sum excepted.
void DropUnitLoops(Arena& arena, Block& block);

// Orders the variables of each reduction by the strides of its loads, smallest innermost.
void SortReductions(Arena& arena, Block& block);

// Replaces one variable, wherever it is bound, by others (outermost first) and a form over them.
void ReplaceVariable(Arena& arena, Block& block, const Variable* v, const Variables& by,
                     const Index& to);

// Replaces variables in stores and domain; the list of loops is the caller's.
void SubstituteVariables(Arena& arena, Block& block, std::span<const loop::Substitution> list);

}  // namespace gradus::passes::scheduling
