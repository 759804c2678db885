#pragma once

// Merging loops: adjacent p (outer) and q become one loop where every access, guards included, has
// coefficient(p) = extent(q) * coefficient(q). [B, T, C] then is a plain matrix, and an elementwise
// kernel one flat loop.

#include <array>

#include "passes/scheduling/blocks.h"

namespace gradus::passes::scheduling {

// True if every form lets `p` and `q` become one variable p * extent(q) + q.
bool CanMerge(std::span<const Index> forms, const Variable* p, const Variable* q);

// What stands for both variables. They are to be replaced at once: with one of them alone at 0, a
// guard might seem always to hold, or never.
using Merge = std::array<loop::Substitution, 2>;

// Merges in `list` (outermost first) what the forms allow. Returns the merges, to be applied in
// order, one after the other; `list` and `forms` have them applied already.
std::vector<Merge> MergeAdjacent(Arena& arena, Variables& list, std::vector<Index>& forms);

// All index forms of a block: offsets, loads, index values, guards.
std::vector<Index> FormsOf(const Block& block);

// Merges the loops of a block, and the variables of each of its reductions, as far as they go.
void MergeLoops(Arena& arena, Block& block);

// Merges an innermost loop shorter than `lanes` with the one around it where guards alone stand in
// the way: low <= p < high is low * E <= p * E + q < high * E for every q of an extent E. Then
// copies of [position, few channels] with zeros around the positions run along whole vectors.
void MergeUnderGuards(Arena& arena, Block& block, int64_t lanes);

}  // namespace gradus::passes::scheduling
