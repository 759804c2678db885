#include "examples/electricity_theft/synthetic_meters.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>
#include <numeric>
#include <string_view>

#include "fmt/format.h"

namespace gradus::electricity_theft {
namespace {

using data::PhiloxStream;

constexpr std::string_view kHeader =
    "CUSTOMER,FLAG,Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec\n";
constexpr std::array<std::string_view, 4> kSpoilt = {"ERR", "#VALUE!", "estimated", "-"};
constexpr int64_t kMostCustomers = 10'000'000;

double Between(PhiloxStream& random, double low, double high) {
  return low + (high - low) * random.Uniform();
}

bool Chance(PhiloxStream& random, double probability) { return random.Uniform() < probability; }

// A factor around 1 whose logarithm has this standard deviation.
double Spread(PhiloxStream& random, double deviation) {
  return std::exp(deviation * random.Normal());
}

// +1 in the middle of winter, -1 in the middle of summer.
double Winter(int month) { return std::cos(2 * std::numbers::pi * (month - 0.5) / kMonths); }

// How the consumption of a household follows the year: 1 on average.
Readings Season(PhiloxStream& random) {
  const double kind = random.Uniform();
  const double strength = random.Uniform();
  Readings season;
  for (int month = 0; month < kMonths; ++month) {
    const double winter = Winter(month);
    double factor = 1 + 0.12 * winter;  // light and cooking
    if (kind < 0.25) {
      factor = 1 + (0.25 + 0.45 * strength) * winter;  // electric heating
    } else if (kind < 0.45) {
      factor += (0.3 + 0.7 * strength) * std::max(0.0, -winter);  // air conditioning
    } else if (kind < 0.55) {
      factor -= (0.15 + 0.35 * strength) * std::max(0.0, -winter);  // solar panels
    }
    season[static_cast<size_t>(month)] = factor;
  }
  return season;
}

double Mean(const Readings& readings) {
  return std::accumulate(readings.begin(), readings.end(), 0.0) / kMonths;
}

double Fraction(PhiloxStream& random) { return Between(random, 0.1, 0.8); }

// One line of the file for customer number `index`.
void AppendCustomer(const SyntheticOptions& options, int64_t index, std::string& csv) {
  PhiloxStream random(options.seed, static_cast<uint64_t>(index));
  Readings readings = MakeHousehold(random);
  const bool thief = Chance(random, options.thieves);
  if (thief) {
    readings = Tamper(static_cast<Tampering>(random.Below(kTamperings)), readings, random);
  }
  fmt::format_to(std::back_inserter(csv), "C{:05},{}", index + 1, thief ? 1 : 0);
  for (double reading : readings) {
    const double fate = random.Uniform();
    csv += ',';
    if (fate < options.empty) continue;
    if (fate < options.empty + options.spoilt) {
      csv += kSpoilt[random.Below(kSpoilt.size())];
    } else {
      fmt::format_to(std::back_inserter(csv), "{}", std::llround(reading));
    }
  }
  csv += '\n';
}

}  // namespace

Readings MakeHousehold(PhiloxStream& random) {
  constexpr std::array<double, 6> kSizeUpTo = {0.30, 0.62, 0.78, 0.92, 0.98, 1.0};
  const double size = random.Uniform();
  const auto people = 1 + std::ranges::count_if(kSizeUpTo, [&](double p) { return size >= p; });
  double monthly = (90 + 75 * static_cast<double>(people)) * Spread(random, 0.35);
  if (Chance(random, 0.03)) monthly *= Between(random, 0.02, 0.15);  // the dwelling stands empty
  const double unrest = Between(random, 0.03, 0.12);
  Readings readings = Season(random);
  for (double& reading : readings) reading *= monthly * Spread(random, unrest);
  if (Chance(random, 0.25)) readings[random.Below(kMonths)] *= Between(random, 0.3, 0.7);  // away
  return readings;
}

Readings Tamper(Tampering kind, const Readings& honest, PhiloxStream& random) {
  Readings shown = honest;
  switch (kind) {
    case Tampering::kConstantFraction: {
      const auto start = static_cast<ptrdiff_t>(random.Below(7));
      const double fraction = Fraction(random);
      std::for_each(shown.begin() + start, shown.end(), [&](double& x) { x *= fraction; });
      break;
    }
    case Tampering::kBypass:
      std::fill(shown.begin() + static_cast<ptrdiff_t>(random.Below(9)), shown.end(), 0.0);
      break;
    case Tampering::kRandomFractions:
      for (double& x : shown) x *= Fraction(random);
      break;
    case Tampering::kFractionsOfMean: {
      const double mean = Mean(honest);
      for (double& x : shown) x = mean * Fraction(random);
      break;
    }
    case Tampering::kMean: shown.fill(Mean(honest)); break;
    case Tampering::kReversed: std::ranges::reverse(shown); break;
    case Tampering::kCeiling: {
      const double ceiling = std::ranges::max(honest) * Between(random, 0.4, 0.8);
      for (double& x : shown) x = std::min(x, ceiling);
      break;
    }
  }
  return shown;
}

absl::StatusOr<std::string> MakeMetersCsv(const SyntheticOptions& options) {
  if (options.customers < 1 || options.customers > kMostCustomers) {
    return absl::InvalidArgumentError(
        fmt::format("expected 1 to {} customers, got {}", kMostCustomers, options.customers));
  }
  std::string csv(kHeader);
  for (int64_t i = 0; i < options.customers; ++i) AppendCustomer(options, i, csv);
  return csv;
}

}  // namespace gradus::electricity_theft
