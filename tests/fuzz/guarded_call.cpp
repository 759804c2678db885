#include "tests/fuzz/guarded_call.h"

#include <cmath>

#include "fmt/format.h"
#include "tests/guarded_run.h"

namespace gradus::fuzz {
namespace {

runtime::Tensor ToTensor(ir::DType dtype, const Array& array) {
  if (dtype == ir::DType::kF64) {
    return runtime::Tensor::FromVector<double>(array.shape, array.values).value();
  }
  const std::vector<float> singles(array.values.begin(), array.values.end());
  return runtime::Tensor::FromVector<float>(array.shape, singles).value();
}

double At(const runtime::Tensor& t, size_t i) {
  return t.dtype() == runtime::DType::kF64 ? t.data<double>()[i]
                                           : static_cast<double>(t.data<float>()[i]);
}

}  // namespace

std::string CallAndCompare(const runtime::Executable& executable, ir::DType dtype,
                           const ProductCall& call, std::string_view label) {
  std::vector<runtime::Tensor> arguments;
  for (const Array& a : call.arguments) arguments.push_back(ToTensor(dtype, a));
  const auto results = tests::RunGuarded(executable, arguments, label);
  if (!results.ok()) return std::string(results.status().message());
  if (results->size() != call.results.size()) return "has another number of results";
  for (size_t r = 0; r < call.results.size(); ++r) {
    const std::vector<double>& values = call.results[r].values;
    if ((*results)[r].num_elements() != static_cast<int64_t>(values.size())) {
      return fmt::format("result {} has {} elements, want {}", r, (*results)[r].num_elements(),
                         values.size());
    }
    for (size_t i = 0; i < values.size(); ++i) {
      const double got = At((*results)[r], i), want = values[i];
      if (std::abs(got - want) <= call.bounds[r][i]) continue;
      return fmt::format("result {} element {} of {}: got {}, want {} within {}", r, i,
                         values.size(), got, want, call.bounds[r][i]);
    }
  }
  return {};
}

}  // namespace gradus::fuzz
