#pragma once

// Slots of the workspace: which bytes of it a value gets, for as long as it lives. Slots are reused
// among values whose sizes have the same symbols, since only these can be compared before the
// symbols are known.

#include <vector>

#include "ir/loop/entry_plan.h"
#include "ir/loop/kernel.h"

namespace gradus::passes {

// A size in bytes: constant * product(factors) of a value or of scratch.
loop::SizeTerm BytesOf(const ir::Type& type);
loop::SizeTerm BytesOf(const loop::Buffer& scratch);

class Workspace {
 public:
  // A slot of at least `bytes`. Slots are 64-byte aligned.
  int Allocate(const loop::SizeTerm& bytes);
  void Release(int slot);
  // After the last Allocate: where a slot begins, and the whole size.
  std::vector<loop::Polynomial> Offsets() const;
  loop::Polynomial Size() const;

 private:
  struct Slot {
    loop::SizeTerm bytes;  // rounded up to whole cache lines
    bool free = false;
  };
  std::vector<Slot> slots_;
};

}  // namespace gradus::passes
