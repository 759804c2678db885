#include "frontend/training/history.h"

namespace gradus {
namespace {

// Keeps the entries whose steps are multiples of the stride.
template <typename T>
void Thin(std::vector<T>& column, const std::vector<int64_t>& step, int64_t stride) {
  size_t kept = 0;
  for (size_t i = 0; i < column.size(); ++i) {
    if ((step[i] - 1) % stride == 0) column[kept++] = column[i];
  }
  column.resize(kept);
}

}  // namespace

void StepRecords::Reserve() {
  step.reserve(kMaxRecordedSteps);
  milliseconds.reserve(kMaxRecordedSteps);
  loss.reserve(kMaxRecordedSteps);
  learning_rate.reserve(kMaxRecordedSteps);
  for (ParameterNorms& n : norms) {
    n.gradient.reserve(kMaxRecordedSteps);
    n.weight.reserve(kMaxRecordedSteps);
  }
}

bool StepRecords::Wants(int64_t step_number) {
  if ((step_number - 1) % stride != 0) return false;
  if (step.size() < kMaxRecordedSteps) return true;
  stride *= 2;
  Thin(milliseconds, step, stride);
  Thin(loss, step, stride);
  Thin(learning_rate, step, stride);
  for (ParameterNorms& n : norms) {
    Thin(n.gradient, step, stride);
    Thin(n.weight, step, stride);
  }
  Thin(step, step, stride);  // last, and in place: an entry moves only to where it has been read
  return (step_number - 1) % stride == 0;
}

}  // namespace gradus
