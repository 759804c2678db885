// The models that continue a text.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "frontend/model.h"

namespace gradus::text_models {

struct Sizes {
  int64_t alphabet = 0;  // characters there are
  int64_t window = 0;    // characters a model sees
  int64_t width = 0;     // numbers that stand for a character
  int64_t layers = 1;
  int64_t heads = 4;  // of a transformer, width / heads numbers each
};

struct TextModel {
  std::string_view name;
  std::string_view about;
  int64_t layers;  // unless the user says
  double learning_rate;
  // Makes the input "x", i64 [B, window], and the output "next", logits [B, window, alphabet]:
  // place t answers from the characters up to t alone.
  void (*build)(Model& model, const Sizes& sizes);
};

std::span<const TextModel> TextModels();

}  // namespace gradus::text_models
