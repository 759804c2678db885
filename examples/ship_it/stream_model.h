#pragma once

// A model of a household's load, hour by hour: what the next hour will be.

#include "absl/status/statusor.h"
#include "frontend/data/batches.h"
#include "frontend/model.h"

namespace gradus::ship_it {

// x [B, T, 1], kW, to next [B, T, 1].
void BuildStream(Model& m);
// Sequences of two days, from a seed: a night, a morning, an evening, and chance.
absl::StatusOr<data::Dataset> MakeLoads(int64_t households, uint64_t seed);

}  // namespace gradus::ship_it
