#pragma once

// A trained model's answers on a part of the data, kept for curves and confusion matrices.

#include <string_view>

#include "absl/status/status.h"
#include "frontend/data/batches.h"
#include "frontend/training/history.h"

namespace gradus {

class Trainer;

// Adds a record for each output that classifies: one score a sample ([n] or [n, 1]) against labels
// 0 and 1 of that shape, or scores [n, classes] against class numbers [n] or one-hot rows. Outputs
// of another kind, and those with more than kMaxRecordedScores scores, are left out.
absl::Status RecordScores(Trainer& trainer, const data::Dataset& data, std::string_view part,
                          History& history);
inline constexpr int64_t kMaxRecordedScores = 200'000;

}  // namespace gradus
