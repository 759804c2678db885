// SYNTHETIC meter readings for the electricity theft example: no customer in them exists, and no
// result on them says anything about real grids. They have the form of the data that utilities
// publish (CUSTOMER,FLAG,Jan..Dec, kWh a month), so that the example reads them as it reads a file.
//
// Honest households have a size, a season (electric heating, air conditioning, solar panels or none
// of them), holidays and chance; some dwellings stand empty. Thieves tamper with such readings in
// one of seven ways. The first six are the false data injections of P. Jokar, N. Arianpoo and V. C.
// M. Leung, "Electricity Theft Detection in AMI Using Customers' Consumption Patterns", IEEE
// Transactions on Smart Grid 7(1), 2016, taken from days to months; the seventh is a meter that
// stops counting at a ceiling. That thieves are about one customer in nine, and that cells are
// missing or spoilt, is as in the SGCC data of Z. Zheng et al., "Wide and Deep Convolutional Neural
// Networks for Electricity-Theft Detection to Secure Smart Grids", IEEE Transactions on Industrial
// Informatics 14(4), 2018.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "frontend/data/philox.h"

namespace gradus::electricity_theft {

inline constexpr int kMonths = 12;
using Readings = std::array<double, kMonths>;  // kWh, January first

enum class Tampering {
  kConstantFraction,  // from some month on, the same fraction is reported
  kBypass,            // nothing is reported from some month on
  kRandomFractions,   // every month reports another fraction
  kFractionsOfMean,   // every month reports a random fraction of the yearly mean
  kMean,              // every month reports the yearly mean
  kReversed,          // December's consumption is reported in January, and so on
  kCeiling,           // months above a ceiling report the ceiling
};
inline constexpr int kTamperings = 7;

// What an honest meter shows.
Readings MakeHousehold(data::PhiloxStream& random);
// What it shows after tampering; the fractions are uniform in [0.1, 0.8) as in Jokar et al.
Readings Tamper(Tampering kind, const Readings& honest, data::PhiloxStream& random);

struct SyntheticOptions {
  int64_t customers = 5000;
  uint64_t seed = 1;
  double thieves = 0.11;  // chance of being one
  double empty = 0.006;   // chance of a cell without a reading
  double spoilt = 0.003;  // chance of a cell that is no number
};

// The same text for the same options on every machine: customer i follows from (seed, i) alone, and
// readings are whole kWh. FLAG is 1 for thieves.
absl::StatusOr<std::string> MakeMetersCsv(const SyntheticOptions& options = {});

}  // namespace gradus::electricity_theft
