#include "frontend/tensor.h"

#include "passes/autodiff.h"

namespace gradus {

std::vector<Tensor> Grad(Tensor result, std::span<const Tensor> wanted) {
  absl::StatusOr<std::vector<Tensor>> gradients = passes::Gradients(result, wanted);
  if (gradients.ok()) return *std::move(gradients);
  if (!result) return std::vector<Tensor>(wanted.size());
  result.function().ReportError(ir::Diagnostic::FromStatus(gradients.status()));
  return std::vector<Tensor>(wanted.size(), result.function().poison());
}

std::vector<Tensor> Grad(Tensor result, std::initializer_list<Tensor> wanted) {
  return Grad(result, std::span<const Tensor>(wanted.begin(), wanted.size()));
}

}  // namespace gradus
