#include "frontend/kernel_search.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "fmt/format.h"
#include "ir/loop/plan.h"
#include "passes/scheduling/candidates.h"
#include "passes/scheduling/kernel_scheduler.h"

namespace gradus {
namespace {

using passes::scheduling::Candidates;
using passes::scheduling::Changed;
using passes::scheduling::Choice;

// Samples of each schedule: of all, of the best and what they are together, of the finalists,
// twice. Fewer where one takes long.
struct Passes {
  int first, second, last;
};
constexpr Passes kPasses = {4, 7, 11}, kFewPasses = {1, 2, 5};
constexpr double kLong = 5e-3;   // seconds
constexpr int kMostCalls = 256;  // in a sample
// Of the fastest so far: what is slower after one pass is not run again.
constexpr double kLoses = 1.3;
// A winner takes at most so much of the tables' time, in each of two rounds.
constexpr double kWins = 0.97;
constexpr size_t kMostFinalists = 3, kMostCombinations = 8;
// Products of a kernel that are tuned, the largest.
constexpr size_t kMostProducts = 4;

// A sample: as many calls as make the clock's own time not count, `most` at most.
absl::StatusOr<double> WallTime(const std::function<absl::Status()>& run, int most) {
  constexpr double kSample = 300e-6;
  const auto start = std::chrono::steady_clock::now();
  double seconds = 0;
  int calls = 0;
  while (seconds < kSample && calls < most) {
    if (absl::Status s = run(); !s.ok()) return s;
    ++calls;
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return seconds / calls * 1e3;
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

class Search {
 public:
  Search(const KernelUse& use, const passes::PassContext& context, const TuneTimer& timer,
         bool decides, const std::function<bool()>& time_is_up)
      : use_(use), context_(context), timer_(timer), decides_(decides), time_is_up_(time_is_up) {}

  std::optional<std::vector<KernelChoices>> Process() {
    const std::vector<loop::Contraction> products = Products({});
    KernelChoices best(products.size());
    Schedules found;
    for (const size_t number : LargestFirst(products)) {
      Schedules finalists = {best};
      if (!Narrow(number, products[number], finalists)) return std::nullopt;
      if (decides_) {
        if (!Decide(finalists, number, best)) return std::nullopt;
      } else {
        // Of products but the largest, one.
        const size_t count =
            found.empty() ? finalists.size() : std::min<size_t>(finalists.size(), 2);
        found.insert(found.end(), finalists.begin() + 1,
                     finalists.begin() + static_cast<std::ptrdiff_t>(count));
      }
    }
    const bool differs = std::ranges::any_of(best, [](const Choice& c) { return !c.empty(); });
    if (differs) found.push_back(best);
    return found;
  }

 private:
  using Schedules = std::vector<KernelChoices>;  // the first is the tables'

  std::vector<loop::Contraction> Products(const KernelChoices& choices) const {
    std::vector<loop::Contraction> products;
    const auto plan = passes::scheduling::ScheduleKernel(*use_.kernel->kernel, context_.target,
                                                         use_.in_loop, choices);
    if (!plan.ok()) return products;
    for (const loop::Step& step : (*plan)->steps) {
      if (const auto* c = std::get_if<loop::Contraction>(&step)) products.push_back(*c);
    }
    return products;
  }

  double Size(std::span<const loop::Variable* const> variables) const {
    double size = 1;
    for (const loop::Variable* v : variables) {
      size *= static_cast<double>(v->extent().scale) / static_cast<double>(v->extent().divisor);
      for (const ir::Symbol s : v->extent().symbols) {
        size *= static_cast<double>(context_.SizeOf(s.name()));
      }
    }
    return size;
  }

  std::vector<size_t> LargestFirst(const std::vector<loop::Contraction>& products) const {
    std::vector<size_t> order(products.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, std::greater<>(), [&](size_t i) {
      const loop::Contraction& c = products[i];
      return Size(c.batch) * Size(c.m) * Size(c.k) * Size({&c.n, 1});
    });
    if (order.size() > kMostProducts) order.resize(kMostProducts);
    return order;
  }

  static KernelChoices With(KernelChoices choices, size_t number, const Choice& choice) {
    choices[number] = choice;
    return choices;
  }

  // Times of one product's schedules, one after the other again and again: times[schedule][pass].
  // A schedule whose times are fewer lost. False: time is up, or it does not run.
  bool Measure(const Schedules& schedules, int Passes::* passes, bool drops_losers,
               std::vector<std::vector<double>>& times) {
    if (time_is_up_()) return false;
    auto trials = TryKernel(use_, context_, schedules);
    if (!trials.ok()) return false;
    times.assign(schedules.size(), {});
    if (absl::Status s = Warm(*trials); !s.ok()) return false;
    const int count = (is_long_ ? kFewPasses : kPasses).*passes;
    for (int pass = 0; pass < count; ++pass) {
      double fastest = std::numeric_limits<double>::infinity();
      for (const std::vector<double>& t : times) {
        if (!t.empty()) fastest = std::min(fastest, t.front());
      }
      for (size_t i = 0; i < schedules.size(); ++i) {
        if (drops_losers && i > 0 && pass > 0 && times[i].front() > kLoses * fastest) continue;
        if (time_is_up_() || !trials->Prepare(i, !is_long_).ok()) return false;
        const auto run = [&] { return trials->Run(i); };
        const auto time =
            timer_ ? timer_(schedules[i], run) : WallTime(run, trials->is_cold() ? 1 : kMostCalls);
        if (!time.ok()) return false;
        times[i].push_back(*time);
      }
    }
    return true;
  }

  // The first call of all, which finds pages that were not touched yet; and how long the next
  // takes.
  absl::Status Warm(CallTrials& trials) {
    if (absl::Status s = trials.Prepare(0, true); !s.ok()) return s;
    const auto start = std::chrono::steady_clock::now();
    absl::Status status = trials.Run(0);
    const auto took = std::chrono::steady_clock::now() - start;
    is_long_ = std::chrono::duration<double>(took).count() > kLong;
    return status;
  }

  // Of the tables' time in the same pass.
  static double Ratio(const std::vector<double>& times, const std::vector<double>& of_tables) {
    std::vector<double> ratios;
    for (size_t i = 0; i < times.size(); ++i) ratios.push_back(times[i] / of_tables[i]);
    return Median(std::move(ratios));
  }

  // The schedules in the order of their times, the fastest first, without the tables'.
  static std::vector<std::pair<double, size_t>> Ranked(
      const std::vector<std::vector<double>>& times) {
    std::vector<std::pair<double, size_t>> ranked;
    for (size_t i = 1; i < times.size(); ++i) {
      if (times[i].size() == times[0].size()) ranked.emplace_back(Ratio(times[i], times[0]), i);
    }
    std::ranges::sort(ranked);
    return ranked;
  }

  static std::string Why(double ratio, const loop::Contraction& tables) {
    return fmt::format("{:.0f} % less time than {}x{}", std::floor(100 * (1 - ratio)),
                       tables.tile_rows, tables.tile_vectors);
  }

  // To the schedule that is there, adds the few that need less time.
  bool Narrow(size_t number, const loop::Contraction& planned, Schedules& finalists) {
    Schedules schedules = finalists;
    for (const Choice& c :
         Candidates(*use_.kernel->kernel, context_.target, use_.in_loop, schedules[0], number)) {
      schedules.push_back(With(schedules[0], number, c));
    }
    if (schedules.size() == 1) return true;
    std::vector<std::vector<double>> times;
    if (!Measure(schedules, &Passes::first, true, times)) return false;
    schedules = Second(schedules, Ranked(times), number);
    if (schedules.size() == 1) return true;
    if (!Measure(schedules, &Passes::second, true, times)) return false;
    for (const auto& [ratio, i] : Ranked(times)) {
      if (ratio >= 1 || finalists.size() > kMostFinalists) break;
      finalists.push_back(schedules[i]);
      finalists.back()[number].why = Why(ratio, planned);
    }
    return true;
  }

  // Which of the finalists is better than the first in two more rounds.
  bool Decide(const Schedules& finalists, size_t number, KernelChoices& best) {
    if (finalists.size() == 1) return true;
    std::vector<std::vector<double>> times, again;
    if (!Measure(finalists, &Passes::last, false, times) ||
        !Measure(finalists, &Passes::last, false, again)) {
      return false;
    }
    double least = kWins;
    for (size_t i = 1; i < finalists.size(); ++i) {
      const double ratio = std::max(Ratio(times[i], times[0]), Ratio(again[i], again[0]));
      if (ratio > least) continue;
      least = ratio;
      best[number] = finalists[i][number];
    }
    return true;
  }

  // The best so far, and what they are together: what is better in two respects may be best in
  // both.
  Schedules Second(const Schedules& first, const std::vector<std::pair<double, size_t>>& ranked,
                   size_t number) const {
    constexpr double kNearly = 1.03;
    Schedules second = {first[0]};
    std::vector<Choice> good;
    for (const auto& [ratio, i] : ranked) {
      if (ratio < kNearly && good.size() < 2 * kMostFinalists) good.push_back(first[i][number]);
    }
    const auto add = [&](const Choice& choice) {
      const KernelChoices choices = With(first[0], number, choice);
      if (second.size() > kMostCombinations + kMostFinalists || Products(choices).empty()) return;
      const bool known = std::ranges::any_of(
          second, [&](const KernelChoices& s) { return ToString(s[number]) == ToString(choice); });
      if (!known) second.push_back(choices);
    };
    for (size_t i = 0; i < std::min(good.size(), kMostFinalists); ++i) add(good[i]);
    for (size_t i = 0; i < good.size(); ++i) {
      for (size_t j = i + 1; j < good.size(); ++j) add(Changed(good[j], good[i]));
    }
    return second;
  }

  const KernelUse& use_;
  const passes::PassContext& context_;
  const TuneTimer& timer_;
  const bool decides_;
  const std::function<bool()>& time_is_up_;
  bool is_long_ = false;  // one call
};

}  // namespace

std::optional<std::vector<KernelChoices>> FindSchedules(const KernelUse& use,
                                                        const passes::PassContext& context,
                                                        const TuneTimer& timer, bool decides,
                                                        const std::function<bool()>& time_is_up) {
  return Search(use, context, timer, decides, time_is_up).Process();
}

}  // namespace gradus
