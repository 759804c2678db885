#include "passes/scheduling/candidates.h"

#include <algorithm>
#include <array>
#include <set>

#include "passes/scheduling/kernel_scheduler.h"

namespace gradus::passes::scheduling {
namespace {

using Order = loop::Contraction::Order;

constexpr auto kRows = std::to_array<int>({28, 24, 20, 16, 14, 12, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1});
// Of one number of vectors. More rows than kMostRows of which the number is known only at the call
// would be a tile function for each number up to that.
constexpr int kTilesOfAWidth = 4, kMostUnknownRows = 16;
// Fewer sums side by side do not hide the latency of multiply-adds, unless there are no more rows.
constexpr int kLeastSums = 8;
constexpr int kMostVectors = 4, kMostVectorsOfOneRow = 8;
constexpr auto kUnrolls = std::to_array<int>({1, 2, 4});
constexpr auto kBlocks = std::to_array<Choice::Blocks>(
    {{0, false}, {512, true}, {512, false}, {256, true}, {1024, true}, {256, false}});

int64_t Number(const loop::Extent& extent) { return extent.is_number() ? extent.number() : 0; }

std::vector<Choice::Tile> Tiles(const loop::Contraction& c, const ir::Target& target) {
  const int64_t rows = Number(c.m.back()->extent()), columns = Number(c.n->extent());
  const int64_t lanes = target.lanes(static_cast<int>(ir::ByteSize(c.dtype)));
  const int64_t all = (columns + lanes - 1) / lanes;
  const int widest = rows == 1 ? kMostVectorsOfOneRow : kMostVectors;
  std::vector<Choice::Tile> tiles;
  for (int v = static_cast<int>(std::min<int64_t>(all, widest)); v >= 1; --v) {
    std::set<int64_t> sizes;  // of the tiles that the rows are shared among
    for (const int r : kRows) {
      if (static_cast<int>(sizes.size()) == kTilesOfAWidth) break;
      if (!FitsRegisters({r, v}, target) || r > (rows == 0 ? kMostUnknownRows : rows)) continue;
      if (r * v < kLeastSums && r != rows) continue;
      const int64_t count = rows == 0 ? 1 : (rows + r - 1) / r;
      const int64_t size = rows == 0 ? r : (rows + count - 1) / count;
      if (sizes.insert(size).second) tiles.push_back({static_cast<int>(size), v});
    }
  }
  return tiles;
}

// What differs from `c` in one respect each.
std::vector<Choice> Neighbours(const loop::Contraction& c, const ir::Target& target) {
  std::vector<Choice> list;
  const auto add = [&list]() -> Choice& { return list.emplace_back(); };
  add().order = c.order == Order::kColumnsOuter ? Order::kRowsOuter : Order::kColumnsOuter;
  for (const int unroll : kUnrolls) add().k_unroll = unroll;
  for (const Choice::Blocks& blocks : kBlocks) add().blocks = blocks;
  for (const Choice::Tile& tile : Tiles(c, target)) add().tile = tile;
  return list;
}

class Finder {
 public:
  Finder(const loop::Kernel& kernel, const ir::Target& target, bool in_loop,
         std::span<const Choice> chosen, size_t number)
      : kernel_(kernel),
        target_(target),
        in_loop_(in_loop),
        choices_(chosen.begin(), chosen.end()),
        number_(number) {
    if (choices_.size() <= number) choices_.resize(number + 1);
  }

  std::vector<Choice> Process() {
    const Choice start = choices_[number_];
    const std::optional<loop::Contraction> planned = Plan(start);
    if (!planned) return {};
    plans_.insert(ToString(ChoiceOf(*planned)));
    std::vector<Choice> list = Neighbours(*planned, target_);
    if (planned->b.how == kTransposed || planned->b.how == kSwapped) AddTurned(*planned, list);
    std::vector<Choice> good;
    for (const Choice& change : list) {
      if (good.size() == kMostCandidates) break;
      const Choice candidate = Changed(start, change);
      const std::optional<loop::Contraction> c = Plan(candidate);
      if (c && plans_.insert(ToString(ChoiceOf(*c))).second) good.push_back(candidate);
    }
    return good;
  }

 private:
  // Before the tiles, of which there are most: the other way to lay out B, with tiles for that.
  void AddTurned(const loop::Contraction& planned, std::vector<Choice>& list) {
    constexpr size_t kTurned = 8;
    Choice turned;
    turned.b = planned.b.how == kSwapped ? Choice::SideB::kTranspose : Choice::SideB::kSwapRoles;
    const std::optional<loop::Contraction> c = Plan(turned);
    if (!c) return;
    std::vector<Choice> more = {turned};
    for (const Choice::Tile& tile : Tiles(*c, target_)) {
      if (more.size() == kTurned) break;
      more.push_back(turned);
      more.back().tile = tile;
    }
    list.insert(list.begin(), more.begin(), more.end());
  }

  std::optional<loop::Contraction> Plan(const Choice& choice) {
    choices_[number_] = choice;
    const auto plan = ScheduleKernel(kernel_, target_, in_loop_, choices_);
    if (!plan.ok()) return std::nullopt;
    size_t number = 0;
    for (const loop::Step& step : (*plan)->steps) {
      const auto* c = std::get_if<loop::Contraction>(&step);
      if (c != nullptr && number++ == number_) return *c;
    }
    return std::nullopt;
  }

  const loop::Kernel& kernel_;
  const ir::Target& target_;
  bool in_loop_;
  std::vector<Choice> choices_;
  size_t number_;
  std::set<std::string> plans_;
};

}  // namespace

std::vector<Choice> Candidates(const loop::Kernel& kernel, const ir::Target& target, bool in_loop,
                               std::span<const Choice> chosen, size_t number) {
  return Finder(kernel, target, in_loop, chosen, number).Process();
}

}  // namespace gradus::passes::scheduling
