#include "examples/text_models/text.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <utility>

#include "fmt/format.h"
#include "frontend/data/philox.h"
#include "frontend/data/windows.h"

namespace gradus::text_models {
namespace {

// An index of `logits`, each as likely as softmax(logits / temperature) says.
int64_t Draw(std::span<const float> logits, double temperature, data::PhiloxStream& random) {
  const auto likeliest = std::ranges::max_element(logits);
  if (temperature == 0) return likeliest - logits.begin();
  double sum = 0;
  std::vector<double> up_to;  // sums of the chances so far, but for their common factor
  for (float logit : logits) {
    up_to.push_back(sum += std::exp((logit - *likeliest) / temperature));
  }
  const auto drawn = std::ranges::upper_bound(up_to, random.Uniform() * sum);
  return std::min(drawn, up_to.end() - 1) - up_to.begin();
}

}  // namespace

Alphabet::Alphabet(std::string_view text) : numbers_(256, -1) {
  std::set<unsigned char> seen;
  for (char c : text) seen.insert(static_cast<unsigned char>(c));
  for (unsigned char c : seen) {
    numbers_[c] = size();
    bytes_ += static_cast<char>(c);
  }
}

absl::StatusOr<std::vector<int64_t>> Alphabet::Encode(std::string_view text) const {
  std::vector<int64_t> numbers;
  numbers.reserve(text.size());
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (numbers_[byte] < 0) {
      return absl::InvalidArgumentError(fmt::format(
          "the byte 0x{:02x} at {} of the prompt is not in the text that the model learned from",
          byte, numbers.size()));
    }
    numbers.push_back(numbers_[byte]);
  }
  return numbers;
}

absl::StatusOr<data::Dataset> Windows(const std::vector<int64_t>& numbers, int64_t window) {
  const auto size = static_cast<int64_t>(numbers.size());
  if (size < window + 1) {
    return absl::InvalidArgumentError(
        fmt::format("{} characters are less than a window of {} and the next one", size, window));
  }
  const std::span<const int64_t> all(numbers);
  auto seen = runtime::Tensor::FromSpan({size - 1}, all.first(numbers.size() - 1));
  if (!seen.ok()) return seen.status();
  auto next = runtime::Tensor::FromSpan({size - 1}, all.last(numbers.size() - 1));
  if (!next.ok()) return next.status();
  auto x = data::RowWindows(*seen, window, window);
  if (!x.ok()) return x.status();
  auto y = data::RowWindows(*next, window, window);
  if (!y.ok()) return y.status();
  return data::Dataset::Of({"x", std::move(*x)}, {"target", std::move(*y)});
}

absl::StatusOr<std::string> Continue(Trainer& trainer, const Alphabet& alphabet, int64_t window,
                                     std::string_view prompt, const SamplingOptions& options) {
  auto numbers = alphabet.Encode(prompt);
  if (!numbers.ok()) return numbers.status();
  data::PhiloxStream random(options.seed);
  const auto places = static_cast<size_t>(window), classes = static_cast<size_t>(alphabet.size());
  std::string text;
  for (int64_t i = 0; i < options.characters; ++i) {
    // The last characters from the window's first place on. What comes after them is filled with
    // anything: no place sees those behind it.
    const size_t seen = std::min(numbers->size(), places);
    std::vector<int64_t> context(numbers->end() - static_cast<ptrdiff_t>(seen), numbers->end());
    context.resize(places);
    auto x = runtime::Tensor::FromVector({1, window}, context);
    if (!x.ok()) return x.status();
    auto outputs = trainer.Forward({{*x}});
    if (!outputs.ok()) return outputs.status();
    const std::span<const float> logits = std::as_const(outputs->front()).data<float>();
    const int64_t next =
        Draw(logits.subspan((seen - 1) * classes, classes), options.temperature, random);
    numbers->push_back(next);
    text += alphabet.At(next);
  }
  return text;
}

}  // namespace gradus::text_models
