#pragma once

// The part of a model file that is JSON: what the graph does not say.

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "frontend/library/saved_model.h"

namespace gradus {

std::string DescriptionText(const SavedModel& model);
// Fills in what DescriptionText writes. An error says which field is wrong; no exception.
absl::Status ReadDescription(std::string_view text, SavedModel& model);

}  // namespace gradus
