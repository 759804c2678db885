#pragma once

// Which tile, which order: a table of rules, first match wins, with the measurements that chose
// them; but for what was chosen otherwise.

#include <cstdint>
#include <string>

#include "ir/loop/plan.h"
#include "ir/target.h"
#include "passes/scheduling/choice.h"

namespace gradus::passes::scheduling {

// Rows of A this far apart, in bytes, or a multiple of it, share cache sets: a tile has few of
// them.
inline constexpr int64_t kAliasingStride = 2048;

// What the table looks at. Sizes are 0 where they are known only when called.
struct TileQuery {
  int64_t m = 0, n = 0, k = 0;
  double typical_k = 0;  // with a typical size for what is known only when called
  int64_t a_row_stride_bytes = 0;
  int64_t output_bytes = 0;  // of the result, symbols taken for a typical size
  int element_bytes = 4;
};

struct TileChoice {
  int rows = 1, vectors = 1;
  loop::Contraction::Order order = loop::Contraction::Order::kColumnsOuter;
  int k_unroll = 1;
  int one_row_vectors = 0;  // see loop::Contraction
  std::string rule;
};

TileChoice ChooseTile(const TileQuery& query, const ir::Target& target, const Choice& chosen);

}  // namespace gradus::passes::scheduling
