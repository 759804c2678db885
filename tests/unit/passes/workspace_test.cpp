#include "passes/memory/workspace.h"

#include <random>

#include "gtest/gtest.h"
#include "passes/memory/placement.h"

namespace gradus::passes {
namespace {

using loop::Extent;
using loop::SizeTerm;

class Random {
 public:
  explicit Random(unsigned seed) : random_(seed) {}
  int Number(int from, int to) { return std::uniform_int_distribution(from, to)(random_); }

 private:
  std::mt19937 random_;
};

TEST(Placement, NoTwoThatLiveAtOnceOverlap) {
  double needed = 0, least = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    Random random(seed);
    std::vector<Block> blocks(static_cast<size_t>(random.Number(0, 60)));
    for (Block& b : blocks) {
      b.begin = random.Number(0, 50);
      b.end = b.begin + random.Number(0, random.Number(0, 1) == 0 ? 3 : 50);
      b.bytes = 64 * random.Number(0, 100);
    }
    const Placement placement = PlaceBlocks(blocks);
    ASSERT_EQ(placement.offsets.size(), blocks.size());
    for (size_t i = 0; i < blocks.size(); ++i) {
      const int64_t end = placement.offsets[i] + blocks[i].bytes;
      EXPECT_GE(placement.offsets[i], 0);
      EXPECT_LE(end, placement.bytes);
      for (size_t j = 0; j < i; ++j) {
        if (!LiveAtOnce(blocks[i], blocks[j]) || blocks[i].bytes == 0 || blocks[j].bytes == 0)
          continue;
        EXPECT_TRUE(end <= placement.offsets[j] ||
                    placement.offsets[j] + blocks[j].bytes <= placement.offsets[i])
            << "seed " << seed << ": " << i << " and " << j;
      }
    }
    EXPECT_GE(placement.bytes, MostLive(blocks).bytes);
    needed += static_cast<double>(placement.bytes);
    least += static_cast<double>(MostLive(blocks).bytes);
  }
  EXPECT_LT(needed, 1.03 * least);
}

// Each order alone leaves a hole somewhere.
TEST(Placement, AValueIsPutWhereTheNextFits) {
  const std::vector<Block> blocks = {{64, 0, 1}, {128, 1, 3}, {64, 3, 4}, {192, 4, 4}, {64, 2, 2}};
  EXPECT_EQ(MostLive(blocks).bytes, 256);
  EXPECT_EQ(MostLive(blocks).step, 4);
  EXPECT_EQ(PlaceBlocks(blocks).bytes, 256);
}

TEST(Placement, NothingNeedsNothing) {
  EXPECT_EQ(PlaceBlocks({}).bytes, 0);
  EXPECT_EQ(MostLive({}).bytes, 0);
}

// The sizes of symbols are not those that the layout was made for.
TEST(Workspace, NoTwoThatLiveAtOnceOverlapWhateverTheSymbolsAre) {
  const Extent b{ir::Dim(ir::Symbol("B"))}, t{ir::Dim(ir::Symbol("T"))};
  for (unsigned seed = 0; seed < 200; ++seed) {
    Random random(seed);
    Workspace workspace;
    std::vector<SizeTerm> sizes;
    std::vector<Block> lives;
    constexpr int kLast = 30;
    for (int i = random.Number(1, 30); i > 0; --i) {
      SizeTerm size{4 * random.Number(0, 300), {}};
      switch (random.Number(0, 4)) {
        case 0: break;
        case 1: size.factors.push_back(loop::CeilDiv(b, 16)); break;
        case 2: size.factors = {b, t}; break;
        default: size.factors.push_back(b); break;
      }
      const int begin = random.Number(0, kLast), end = random.Number(begin, kLast);
      const int block = workspace.Allocate(size, begin);
      if (end < kLast) workspace.Release(block, end);
      sizes.push_back(size);
      lives.push_back({0, begin, end});
    }
    const int typical = random.Number(1, 64);
    const Workspace::Layout layout = workspace.Place(kLast, [&](ir::Symbol) { return typical; });
    for (int call = 0; call < 20; ++call) {
      const int64_t batch = call < 4 ? call : random.Number(0, 500), steps = random.Number(0, 20);
      const loop::SizeOf at = [&](ir::Symbol s) { return s.name() == "B" ? batch : steps; };
      for (size_t i = 0; i < lives.size(); ++i) lives[i].bytes = ValueAt(sizes[i], at);
      for (size_t i = 0; i < lives.size(); ++i) {
        const int64_t offset = ValueAt(layout.offsets[i], at);
        EXPECT_EQ(offset % 64, 0);
        EXPECT_LE(offset + lives[i].bytes, ValueAt(layout.bytes, at));
        for (size_t j = 0; j < i; ++j) {
          const int64_t other = ValueAt(layout.offsets[j], at);
          if (!LiveAtOnce(lives[i], lives[j]) || lives[i].bytes == 0 || lives[j].bytes == 0)
            continue;
          EXPECT_TRUE(offset + lives[i].bytes <= other || other + lives[j].bytes <= offset)
              << "seed " << seed << ": " << i << " and " << j << " at B = " << batch
              << ", T = " << steps;
        }
      }
      EXPECT_EQ(ValueAt(layout.live, at), MostLive(lives).bytes);
    }
  }
}

}  // namespace
}  // namespace gradus::passes
