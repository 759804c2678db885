#include "passes/memory/workspace.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <ranges>
#include <utility>

#include "passes/memory/placement.h"

namespace gradus::passes {
namespace {

using loop::Extent;
using loop::Maximum;
using loop::Polynomial;
using loop::SizeTerm;

constexpr int64_t kLine = 64;
// Sizes that a layout is looked at for, times the typical ones, and how much worse than the best it
// may be at the typical ones.
constexpr double kFactors[] = {0, 0.25, 8};
constexpr double kNear = 1.02;
// Of a value's bytes.
constexpr double kPadding = 1.0 / 32;
// Sums in an offset, of which each costs some instructions a call.
constexpr size_t kMostSums = 4;

int64_t RoundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Whole cache lines. A size such as 512*B bytes stays one coefficient, so that sums of sizes stay
// short; where rounding each element up would add more than kPadding of it, the sum of all is
// rounded: 64 * ceil(4*B/64).
SizeTerm WholeLines(SizeTerm t) {
  if (t.factors.empty()) return {RoundUp(t.coefficient, kLine), {}};
  if (t.coefficient % kLine == 0) return t;
  if (t.factors.size() == 1 && t.factors[0].divisor == 1) {
    Extent unit = t.factors[0];
    const int64_t scale = t.coefficient * unit.scale;
    const int64_t rounded = RoundUp(scale, kLine);
    if (static_cast<double>(rounded - scale) <= kPadding * static_cast<double>(scale)) {
      unit.scale = 1;
      return {rounded, {unit}};
    }
    unit.scale = scale;
    unit.divisor = kLine;
    return {kLine, {unit}};
  }
  return {RoundUp(t.coefficient, kLine), t.factors};
}

}  // namespace

SizeTerm BytesOf(const ir::Type& type) {
  SizeTerm t{ir::ByteSize(type.dtype), {}};
  Extent symbolic(1);
  for (const ir::Dim& d : type.shape) {
    if (d.is_symbol()) {
      symbolic = symbolic * Extent(d);
    } else {
      t.coefficient *= d.size();
    }
  }
  if (!symbolic.is_number()) t.factors.push_back(symbolic);
  return t;
}

SizeTerm BytesOf(const loop::Buffer& scratch) {
  SizeTerm t{ir::ByteSize(scratch.type.dtype), {}};
  for (const Extent& e : scratch.elements) {
    if (e.is_number()) {
      t.coefficient *= e.number();
    } else if (e.divisor == 1) {
      t.coefficient *= e.scale;
      Extent unit = e;
      unit.scale = 1;
      t.factors.push_back(unit);
    } else {
      t.factors.push_back(e);
    }
  }
  return t;
}

int Workspace::Allocate(const SizeTerm& bytes, int begin) {
  blocks_.push_back({bytes, WholeLines(bytes), begin, -1});
  return static_cast<int>(blocks_.size()) - 1;
}

void Workspace::Release(int block, int end) { blocks_[static_cast<size_t>(block)].end = end; }

Block Workspace::BlockAt(int block, int last, const loop::SizeOf& size) const {
  const SizedBlock& b = blocks_[static_cast<size_t>(block)];
  return {ValueAt(b.bytes, size), b.begin, b.end < 0 ? last : b.end};
}

// Layouts for typical sizes, and for a few others: of those that are near the best at typical sizes
// the one that needs least in all, each beside what lives at once there.
Workspace::Layout Workspace::Place(int last, const loop::SizeOf& typical) const {
  struct Candidate {
    Layout layout;
    double at_typical = 0, in_all = 0;
  };
  std::vector<loop::SizeOf> sizes = {typical};
  for (const double factor : kFactors) {
    sizes.emplace_back([&typical, factor](ir::Symbol s) {
      return std::max<int64_t>(static_cast<int64_t>(static_cast<double>(typical(s)) * factor), 1);
    });
  }
  std::vector<Candidate> candidates;
  for (const loop::SizeOf& size : sizes) {
    Candidate c{LayoutFor(last, size)};
    for (const loop::SizeOf& call : sizes) {
      const auto live = static_cast<double>(ValueAt(c.layout.live, call));
      const double ratio =
          live > 0 ? static_cast<double>(ValueAt(c.layout.bytes, call)) / live : 1.0;
      if (&call == &sizes[0]) c.at_typical = ratio;
      c.in_all += ratio;
    }
    candidates.push_back(std::move(c));
    const bool has_symbols =
        std::ranges::any_of(blocks_, [](const SizedBlock& b) { return !b.bytes.factors.empty(); });
    if (!has_symbols) break;
  }
  double least = candidates[0].at_typical;
  for (const Candidate& c : candidates) least = std::min(least, c.at_typical);
  std::erase_if(candidates, [&](const Candidate& c) { return c.at_typical > kNear * least; });
  return std::move(std::ranges::min_element(candidates, {}, &Candidate::in_all)->layout);
}

// Steps:
// 1. places for these sizes;
// 2. from the lowest block to the highest: its offset is the largest end of those below that live
// at once with it. Of two of these, of which one stands on the other, the upper one is enough.
Workspace::Layout Workspace::LayoutFor(int last, const loop::SizeOf& typical) const {
  const size_t n = blocks_.size();
  const int64_t most = int64_t{1} << 56 >> std::bit_width(n);
  std::vector<Block> blocks;
  for (const SizedBlock& b : blocks_) {
    blocks.push_back(
        {std::min(ValueAt(b.rounded, typical), most), b.begin, b.end < 0 ? last : b.end});
  }
  const Placement placement = PlaceBlocks(blocks);
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) { return placement.offsets[i]; });

  Layout layout;
  layout.offsets.resize(n);
  std::vector<size_t> below, touching;
  for (const size_t i : order) {
    if (blocks[i].bytes == 0) continue;  // whatever the symbols are
    touching.clear();
    for (const size_t at : below | std::views::reverse) {
      if (!LiveAtOnce(blocks[at], blocks[i])) continue;
      const bool is_covered = std::ranges::any_of(
          touching, [&](size_t upper) { return LiveAtOnce(blocks[upper], blocks[at]); });
      if (is_covered) continue;
      touching.push_back(at);
      layout.offsets[i].Raise(layout.offsets[at] + blocks_[at].rounded);
    }
    layout.offsets[i].Limit(kMostSums);
    layout.bytes.Raise(layout.offsets[i] + blocks_[i].rounded);
    below.push_back(i);
  }
  layout.bytes.Limit(kMostSums);
  layout.live = MostLive(blocks);
  return layout;
}

// `lives`: when each lives.
Maximum Workspace::MostLive(std::span<const Block> lives) const {
  int steps = 0;
  for (const Block& b : lives) steps = std::max(steps, b.end + 1);
  std::vector<std::vector<size_t>> begin(static_cast<size_t>(steps)), end = begin;
  for (size_t i = 0; i < lives.size(); ++i) {
    begin[static_cast<size_t>(lives[i].begin)].push_back(i);
    end[static_cast<size_t>(lives[i].end)].push_back(i);
  }
  Maximum most;
  Polynomial live;
  for (size_t step = 0; step < begin.size(); ++step) {
    for (const size_t i : begin[step]) AddTo(live, blocks_[i].bytes);
    if (end[step].empty()) continue;  // no more than in the next step
    most.Raise(live);
    for (const size_t i : end[step]) {
      const SizeTerm& bytes = blocks_[i].bytes;
      AddTo(live, {-bytes.coefficient, bytes.factors});
    }
    std::erase_if(live, [](const SizeTerm& t) { return t.coefficient == 0; });
  }
  return most;
}

}  // namespace gradus::passes
