#include "passes/memory/placement.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace gradus::passes {
namespace {

// Rounds of improvement, and what they may cost: pairs of blocks looked at.
constexpr int64_t kRounds = 300;
constexpr int64_t kPairs = 20'000'000;

class Placer {
 public:
  explicit Placer(std::span<const Block> blocks)
      : blocks_(blocks), least_(MostLive(blocks).bytes) {}

  Placement Process() {
    const auto n = static_cast<int64_t>(blocks_.size());
    std::vector<std::vector<int>> orders;
    orders.push_back(OrderBy([](const Block& b) { return b.bytes; }));
    orders.push_back(OrderBy(
        [](const Block& b) { return static_cast<double>(b.bytes) * (b.end - b.begin + 1); }));
    orders.push_back(OrderBy([](const Block& b) { return std::pair(b.end - b.begin, b.bytes); }));
    orders.push_back(OrderBy([](const Block& b) { return std::pair(-b.begin, b.bytes); }));
    orders.push_back(OrderBy([](const Block& b) { return std::pair(b.end, b.bytes); }));
    std::vector<int>* best_order = &orders[0];
    Placement best;
    for (std::vector<int>& order : orders) {
      Placement p = InOrder(order);
      if (best.offsets.empty() || p.bytes < best.bytes) {
        best = std::move(p);
        best_order = &order;
      }
      if (best.bytes == least_ || n * n > kPairs) return best;
    }
    return Improve(std::move(best), std::move(*best_order));
  }

 private:
  // The largest key first; of equals the one that comes first.
  template <typename Key>
  std::vector<int> OrderBy(const Key& key) const {
    std::vector<int> order(blocks_.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return key(block(a)) > key(block(b)); });
    return order;
  }

  const Block& block(int i) const { return blocks_[static_cast<size_t>(i)]; }

  // Each to the lowest gap that holds it between those placed before.
  Placement InOrder(std::span<const int> order) {
    Placement p;
    p.offsets.assign(blocks_.size(), 0);
    placed_.clear();  // sorted by offset
    for (const int i : order) {
      int64_t at = 0;
      for (const int other : placed_) {
        if (!LiveAtOnce(block(i), block(other))) continue;
        const int64_t offset = p.offsets[static_cast<size_t>(other)];
        if (offset - at >= block(i).bytes) break;
        at = std::max(at, offset + block(other).bytes);
      }
      p.offsets[static_cast<size_t>(i)] = at;
      p.bytes = std::max(p.bytes, at + block(i).bytes);
      if (block(i).bytes == 0) continue;
      const auto after = std::ranges::upper_bound(
          placed_, at, {}, [&](int other) { return p.offsets[static_cast<size_t>(other)]; });
      placed_.insert(after, i);
    }
    return p;
  }

  // One of the blocks that reach the top goes first, in turn.
  Placement Improve(Placement best, std::vector<int> order) {
    const auto n = static_cast<int64_t>(blocks_.size());
    const int64_t rounds = std::min(kRounds, kPairs / std::max<int64_t>(n * n, 1));
    Placement now = best;
    for (int64_t round = 0; round < rounds && best.bytes > least_; ++round) {
      std::vector<int> top;
      for (const int i : order) {
        if (now.offsets[static_cast<size_t>(i)] + block(i).bytes == now.bytes) top.push_back(i);
      }
      const auto chosen = std::ranges::find(order, top[static_cast<size_t>(round) % top.size()]);
      std::rotate(order.begin(), chosen, chosen + 1);
      now = InOrder(order);
      if (now.bytes < best.bytes) best = now;
    }
    return best;
  }

  std::span<const Block> blocks_;
  int64_t least_;
  std::vector<int> placed_;
};

}  // namespace

Placement PlaceBlocks(std::span<const Block> blocks) { return Placer(blocks).Process(); }

Peak MostLive(std::span<const Block> blocks) {
  int steps = 0;
  for (const Block& b : blocks) steps = std::max(steps, b.end + 1);
  std::vector<int64_t> change(static_cast<size_t>(steps) + 1, 0);
  for (const Block& b : blocks) {
    change[static_cast<size_t>(b.begin)] += b.bytes;
    change[static_cast<size_t>(b.end) + 1] -= b.bytes;
  }
  int64_t live = 0;
  Peak peak;
  for (size_t step = 0; step < change.size(); ++step) {
    live += change[step];
    if (live > peak.bytes) peak = {live, static_cast<int>(step)};
  }
  return peak;
}

}  // namespace gradus::passes
