// The four files of MNIST.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "frontend/data/batches.h"

namespace gradus::mnist {

struct Mnist {
  data::Dataset train, test;
};

// Reads train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
// t10k-labels-idx1-ubyte in a folder, each as it is or with .gz at its end: images x: f32
// [samples, 28, 28, 1] in 0..1, labels y: i64 [samples]. Errors name the file: it is not there, no
// IDX, of other sizes, has labels beyond 9, or as many labels as there are no images.
absl::StatusOr<Mnist> ReadMnist(std::string_view folder);

}  // namespace gradus::mnist
