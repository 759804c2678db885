#include "examples/mnist/mnist_files.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>

#include "examples/mnist/glyphs.h"
#include "fmt/format.h"
#include "frontend/data/idx.h"

namespace gradus::mnist {
namespace {

using runtime::DType;

// The file, or the compressed one where that alone is there.
std::string PathOf(std::string_view folder, std::string_view name) {
  const std::string path = fmt::format("{}/{}", folder, name);
  std::error_code error;
  const bool compressed =
      !std::filesystem::exists(path, error) && std::filesystem::exists(path + ".gz", error);
  return compressed ? path + ".gz" : path;
}

absl::StatusOr<data::Dataset> ReadPart(std::string_view folder, std::string_view part) {
  const std::string images_path = PathOf(folder, fmt::format("{}-images-idx3-ubyte", part));
  const std::string labels_path = PathOf(folder, fmt::format("{}-labels-idx1-ubyte", part));
  auto images = data::ReadIdx(images_path, {.dtype = DType::kF32, .scale = 1.0 / 255});
  if (!images.ok()) return images.status();
  auto labels = data::ReadIdx(labels_path, {.dtype = DType::kI64});
  if (!labels.ok()) return labels.status();

  const auto refuse = [](std::string_view path, std::string_view what) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", path, what));
  };
  if (images->rank() != 3 || images->shape()[1] != kSide || images->shape()[2] != kSide) {
    return refuse(images_path, fmt::format("expected images [samples, {0}, {0}], got {1}", kSide,
                                           runtime::FormatShape(images->shape())));
  }
  const int64_t samples = images->shape()[0];
  if (labels->rank() != 1 || labels->shape()[0] != samples) {
    return refuse(labels_path, fmt::format("expected {} labels, one an image, got {}", samples,
                                           runtime::FormatShape(labels->shape())));
  }
  const auto numbers = std::as_const(*labels).data<int64_t>();
  const auto wrong =
      std::ranges::find_if(numbers, [](int64_t n) { return n < 0 || n >= kClasses; });
  if (wrong != numbers.end()) {
    return refuse(labels_path, fmt::format("label {} of image {}: expected 0 to {}", *wrong,
                                           wrong - numbers.begin(), kClasses - 1));
  }
  // The same pixels with an axis for the one channel.
  auto pixels =
      runtime::Tensor::FromSpan({samples, kSide, kSide, 1}, std::as_const(*images).data<float>());
  if (!pixels.ok()) return pixels.status();
  return data::Dataset::Of({"x", std::move(*pixels)}, {"target", std::move(*labels)});
}

}  // namespace

absl::StatusOr<Mnist> ReadMnist(std::string_view folder) {
  auto train = ReadPart(folder, "train");
  if (!train.ok()) return train.status();
  auto test = ReadPart(folder, "t10k");
  if (!test.ok()) return test.status();
  return Mnist{std::move(*train), std::move(*test)};
}

}  // namespace gradus::mnist
