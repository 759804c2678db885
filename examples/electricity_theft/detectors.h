#pragma once

// The detectors by name: a new one is a function that builds a model, and one row of the table.

#include <span>
#include <string_view>

#include "frontend/model.h"

namespace gradus::electricity_theft {

// What a detector is shown.
enum class View {
  kStandardised,  // [B, months]: each month with mean 0 and deviation 1 over the training part
  kRaw,           // [B, months]: kWh as read
  kWindows,       // [B, 12, months]: kWh of 12 consecutive customers, the answer for the last one
};
inline constexpr int64_t kWindow = 12;

struct Detector {
  std::string_view name, summary;
  View view;
  int64_t epochs, batch_size;  // what it is trained with unless the user says otherwise
  // Adds to `m` an input "x" of the view's shape and an output "theft" [B, 1], a probability.
  void (*build)(Model& m, int64_t months);
};

std::span<const Detector> Detectors();
const Detector* FindDetector(std::string_view name);

}  // namespace gradus::electricity_theft
