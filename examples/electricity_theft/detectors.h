#pragma once

// The detectors by name: a new one is a function that builds a model, and one row of the table.

#include <span>
#include <string_view>

#include "frontend/model.h"

namespace gradus::electricity_theft {

struct Detector {
  std::string_view name, summary;
  int64_t epochs, batch_size;  // what it is trained with unless the user says otherwise
  // Adds to `m` an input "x" [B, months] and an output "theft" [B, 1], a probability.
  void (*build)(Model& m, int64_t months);
};

std::span<const Detector> Detectors();
const Detector* FindDetector(std::string_view name);

}  // namespace gradus::electricity_theft
