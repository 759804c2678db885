#pragma once

// Schedules to measure against the one that the tables give.

#include <vector>

#include "ir/loop/kernel.h"
#include "passes/scheduling/choice.h"

namespace gradus::passes::scheduling {

// At most so many for a product.
inline constexpr size_t kMostCandidates = 30;

// What could be chosen for product `number` of a kernel, those before and after it being as in
// `chosen`: tiles that fit the registers, the other order, other steps of K at a time, blocks of K
// with and without copies of B, and the other way to lay out a B without stride 1. Each can be
// followed and gives another plan than every other and than `chosen`. Deterministic.
std::vector<Choice> Candidates(const loop::Kernel& kernel, const ir::Target& target, bool in_loop,
                               std::span<const Choice> chosen, size_t number);

}  // namespace gradus::passes::scheduling
