#pragma once

// Is a sum a contraction, and which variable plays which part?

#include "passes/scheduling/factors.h"

namespace gradus::passes::scheduling {

struct Roles {
  Variables batch;  // in both sides
  Variables m;      // in A alone
  Variables n;      // in B alone; the last has stride 1 in the output
  Variables k;      // summed over
  const Scalar* a = nullptr;
  const Scalar* b = nullptr;
  // What the sum is, given the sum of products `acc`: acc times what does not depend on k.
  std::vector<const Scalar*> outside;
  bool negated = false;
};

struct Recognition {
  Roles roles;
  std::string why_not;  // not empty: not a contraction, or not worth one
  bool missed =
      false;  // a product of two factors, and large: the user should be told that it is slow
};

// `loops` are the output's variables, all of which the sum must depend on; `n` the one with
// stride 1.
Recognition Recognize(Arena& arena, const Scalar& sum, std::span<const Variable* const> loops,
                      const Variable* n);

// Steps of the loops, where a symbol counts as a typical batch.
double Passes(std::span<const Variable* const> variables);

// Below this many multiply-adds, setting up tiles costs more than they save.
inline constexpr double kSmallestContraction = 4096;

}  // namespace gradus::passes::scheduling
