#pragma once

// Sums of columns beside a nest along the same rows: what it has just read and stored of some rows
// is in the first level of cache, where their columns are summed before it goes on
// (loop::ColumnSums). They are sums of blocks of rows, so that threads can share these, and are
// summed once more.

#include "passes/scheduling/draft.h"

namespace gradus::passes::scheduling {

// Moves sums of columns behind what goes along the same rows as something before them, so that they
// do not stand between what can be one nest.
void MoveSumsOfColumnsBack(const loop::Kernel& kernel, std::vector<Block>& blocks);

// Gives nests along rows the sums of columns among the plan's steps that are about the same rows,
// but where these are in the second level of cache anyhow.
void SumColumnsBesideRows(Planner& planner, const loop::Kernel& kernel);

}  // namespace gradus::passes::scheduling
