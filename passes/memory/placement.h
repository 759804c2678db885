#pragma once

// Where blocks of known sizes and lifetimes go, such that the memory that holds them all is small:
// dynamic storage allocation with everything known beforehand, as in Sekiyama, Imamichi and Kamiya,
// "Profile-guided memory optimization for deep neural networks", 2018. Optimal placement is
// NP-hard. What is here takes blocks in several orders, each to the lowest gap that holds it, and
// then lets the blocks that reach the top go first until nothing is gained.

#include <cstdint>
#include <span>
#include <vector>

namespace gradus::passes {

struct Block {
  int64_t bytes = 0;
  int begin = 0, end = 0;  // the first step in which it lives, and the last
};

inline bool LiveAtOnce(const Block& a, const Block& b) {
  return a.begin <= b.end && b.begin <= a.end;
}

struct Placement {
  std::vector<int64_t> offsets;  // by block
  int64_t bytes = 0;
};
// No two blocks that live at once overlap.
Placement PlaceBlocks(std::span<const Block> blocks);

// The most bytes that live at once, and the first step in which they do: no placement needs less.
struct Peak {
  int64_t bytes = 0;
  int step = 0;
};
Peak MostLive(std::span<const Block> blocks);

}  // namespace gradus::passes
