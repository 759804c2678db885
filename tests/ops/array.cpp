#include "tests/ops/array.h"

#include <cmath>
#include <limits>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace gradus::test {
namespace {

// The distance from |x| to the next larger number of the dtype.
double UnitInLastPlace(double x, DType dtype) {
  const double size = std::fabs(x);
  if (dtype == DType::kF32) {
    const auto narrow = static_cast<float>(size);
    const float next = std::nextafter(narrow, std::numeric_limits<float>::infinity());
    return static_cast<double>(next) - static_cast<double>(narrow);
  }
  return std::nextafter(size, std::numeric_limits<double>::infinity()) - size;
}

template <typename T>
runtime::Tensor Narrowed(const Array& a) {
  std::vector<T> values;
  for (const double x : a.values) values.push_back(static_cast<T>(x));
  return runtime::Tensor::FromVector<T>(a.shape, values).value();
}

template <typename T>
std::vector<double> Widened(const runtime::Tensor& t) {
  std::vector<double> values;
  for (const T x : t.data<T>()) values.push_back(static_cast<double>(x));
  return values;
}

bool Near(double got, double want, DType dtype, const Tolerance& tolerance) {
  if (std::isnan(want)) return std::isnan(got);
  if (tolerance.ulps == 0 && tolerance.absolute == 0) {
    return got == want && (!ir::IsFloat(dtype) || std::signbit(got) == std::signbit(want));
  }
  if (std::isinf(want)) return got == want;
  return std::fabs(got - want) <=
         tolerance.ulps * UnitInLastPlace(want, dtype) + tolerance.absolute;
}

}  // namespace

int64_t NumElements(const Sizes& shape) {
  int64_t n = 1;
  for (const int64_t s : shape) n *= s;
  return n;
}

int64_t FlatIndex(const Sizes& index, const Sizes& shape) {
  int64_t flat = 0;
  for (size_t i = 0; i < shape.size(); ++i) flat = flat * shape[i] + index[i];
  return flat;
}

void ForEachIndex(const Sizes& shape, const std::function<void(const Sizes&)>& visit) {
  Sizes index(shape.size());
  for (int64_t n = NumElements(shape); n > 0; --n) {
    visit(index);
    for (size_t i = shape.size(); i-- > 0;) {
      if (++index[i] < shape[i]) break;
      index[i] = 0;
    }
  }
}

double& Array::at(const Sizes& index) {
  return values[static_cast<size_t>(FlatIndex(index, shape))];
}
double Array::at(const Sizes& index) const {
  return values[static_cast<size_t>(FlatIndex(index, shape))];
}

Array Filled(DType dtype, const Sizes& shape, const std::function<double(const Sizes&)>& element) {
  Array a{dtype, shape, {}};
  ForEachIndex(shape, [&](const Sizes& index) { a.values.push_back(element(index)); });
  return a;
}

runtime::Tensor ToTensor(const Array& a) {
  switch (a.dtype) {
    case DType::kI1: return Narrowed<uint8_t>(a);
    case DType::kI32: return Narrowed<int32_t>(a);
    case DType::kI64: return Narrowed<int64_t>(a);
    case DType::kF32: return Narrowed<float>(a);
    case DType::kF64: break;
  }
  return Narrowed<double>(a);
}

Array FromTensor(const runtime::Tensor& t) {
  Array a{static_cast<DType>(t.dtype()), t.shape(), {}};
  switch (a.dtype) {
    case DType::kI1: a.values = Widened<uint8_t>(t); break;
    case DType::kI32: a.values = Widened<int32_t>(t); break;
    case DType::kI64: a.values = Widened<int64_t>(t); break;
    case DType::kF32: a.values = Widened<float>(t); break;
    case DType::kF64: a.values = Widened<double>(t); break;
  }
  return a;
}

std::string Difference(const Array& got, const Array& want, const Tolerance& tolerance) {
  if (got.dtype != want.dtype || got.shape != want.shape) {
    return fmt::format("got {}{}, want {}{}", ir::Name(got.dtype), got.shape, ir::Name(want.dtype),
                       want.shape);
  }
  double worst = -1;
  std::string text;
  for (size_t i = 0; i < want.values.size(); ++i) {
    const double g = got.values[i], w = want.values[i];
    if (Near(g, w, want.dtype, tolerance)) continue;
    const double off =
        std::isfinite(g - w) ? std::fabs(g - w) : std::numeric_limits<double>::infinity();
    if (off < worst) continue;
    worst = off;
    text =
        fmt::format("element {} of {}{}: got {:.17g}, want {:.17g} ({:.3g} ulp)", i,
                    ir::Name(want.dtype), want.shape, g, w, off / UnitInLastPlace(w, want.dtype));
  }
  return text;
}

}  // namespace gradus::test
