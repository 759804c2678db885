#include "frontend/embedding.h"

#include "fmt/format.h"

namespace gradus {

Embedding::Embedding(Model& model, std::string name, int64_t rows, int64_t width,
                     Initializer initializer)
    : Layer(model, std::move(name), "embedding"),
      rows_(rows),
      width_(width),
      initializer_(std::move(initializer)) {}

Tensor Embedding::Call(Operand x) {
  if (rows_ < 1 || width_ < 1) {
    return Fail(x, fmt::format("has {} rows of {}, expected at least 1 of each", rows_, width_));
  }
  if (!ir::IsInteger(x.value().dtype())) {
    return Fail(x, "takes integers, got " + ir::ToString(x.value().type()),
                "make the input with Input(name, shape, DType::kI64), or cast it");
  }
  return gather(Parameter("table", {rows_, width_}, initializer_), x, 0);
}

}  // namespace gradus
