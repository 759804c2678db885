// Text as numbers: the characters of a file, the windows that a model learns from, and new text
// drawn from what it answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/data/batches.h"
#include "frontend/trainer.h"

namespace gradus::text_models {

// The bytes that a text is made of, numbered from 0 in their order. A text in another encoding than
// ASCII works, too: its longer characters are several bytes, which the model learns to put
// together.
class Alphabet {
 public:
  explicit Alphabet(std::string_view text);
  int64_t size() const { return static_cast<int64_t>(bytes_.size()); }
  char At(int64_t number) const { return bytes_[static_cast<size_t>(number)]; }
  // Error: a byte that was not in the text.
  absl::StatusOr<std::vector<int64_t>> Encode(std::string_view text) const;

 private:
  std::string bytes_;
  std::vector<int64_t> numbers_;  // of each byte; -1: not in the text
};

// Windows of `window` characters, one after another, x: i64 [windows, window]; the answers are the
// same characters one place on, so that every place asks for the next one. Error: less text than
// one window and a character.
absl::StatusOr<data::Dataset> Windows(const std::vector<int64_t>& numbers, int64_t window);

struct SamplingOptions {
  int64_t characters = 200;
  double temperature = 1;  // below 1: likelier characters still likelier; 0: always the likeliest
  uint64_t seed = 0;
};

// What follows on `prompt`, one character at a time: the model sees the last `window` characters,
// gives the logits of the next one, and that is drawn from their softmax. `prompt` is not empty.
absl::StatusOr<std::string> Continue(Trainer& trainer, const Alphabet& alphabet, int64_t window,
                                     std::string_view prompt, const SamplingOptions& options);

}  // namespace gradus::text_models
