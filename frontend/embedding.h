#pragma once

// A row of numbers for each of a set of things.

#include "frontend/model.h"

namespace gradus {

// Integers [B, ...] (i32 or i64, in [0, rows)) -> [B, ..., width]. Parameter table [rows, width].
// An integer outside gives zeros, and no gradient: -1 can stand for "nothing".
class Embedding : public Layer {
 public:
  Embedding(Model& model, std::string name, int64_t rows, int64_t width,
            Initializer initializer = RandomUniform(-0.05, 0.05));

 protected:
  Tensor Call(Operand x) override;
  Tensor CallOnSteps(Operand x) override { return Call(x); }

 private:
  int64_t rows_, width_;
  Initializer initializer_;
};

}  // namespace gradus
