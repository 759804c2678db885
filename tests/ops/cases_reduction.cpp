// Rows: reductions, count, argmax.

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/ops/cases_elementwise.h"

namespace gradus::test {
namespace {

using ir::IntList;

constexpr double kInf = std::numeric_limits<double>::infinity();

bool Has(const IntList& axes, size_t axis) {
  return std::find(axes.begin(), axes.end(), static_cast<int64_t>(axis)) != axes.end();
}

// Folds the elements of each group in row-major order.
std::function<Array(const Given&)> Fold(double start, double (*f)(double, double)) {
  return [start, f](const Given& g) {
    const Array& x = g.operands[0];
    const IntList& axes = g.attr<IntList>("axes");
    const bool keep = g.attr<bool>("keep_dims");
    const auto reduced = [&](const Sizes& full, bool of_shape) {
      Sizes kept;
      for (size_t i = 0; i < full.size(); ++i) {
        if (!Has(axes, i))
          kept.push_back(full[i]);
        else if (keep)
          kept.push_back(of_shape ? 1 : 0);
      }
      return kept;
    };
    Array result = Filled(x.dtype, reduced(x.shape, true), [&](const Sizes&) { return start; });
    ForEachIndex(x.shape, [&](const Sizes& i) {
      double& into = result.at(reduced(i, false));
      into = f(into, x.at(i));
    });
    return result;
  };
}

Sample Over(ir::Type x, IntList axes, bool keep_dims, Sizes batch = {}) {
  return {{std::move(x)}, {{"axes", std::move(axes)}, {"keep_dims", keep_dims}}, std::move(batch)};
}

std::vector<Sample> ReduceSamples(DType d) {
  const ir::Dim b(kB);
  std::vector<Sample> samples = {
      Over({d, {}}, {}, false),
      Over({d, {1}}, {0}, false),
      Over({d, {0}}, {0}, true),
      Over({d, {16}}, {0}, false),
      Over({d, {37}}, {0}, true),
      Over({d, {3, 0}}, {1}, false),
      Over({d, {5, 17}}, {1}, false),
      Over({d, {5, 17}}, {0}, true),
      Over({d, {3, 4, 9}}, {0, 2}, true),
      Over({d, {3, 4, 9}}, {0, 1, 2}, false),
      Over({d, {3, 4, 9}}, {}, false),
      Over({d, {b}}, {0}, false, SweptBatches()),
      Over({d, {b, 5}}, {0}, false, SweptBatches()),
      Over({d, {b, 5}}, {1}, true, SweptBatches()),
      Over({d, {b, 5, 3}}, {0, 2}, false, {0, 1, 9}),
  };
  if (d != DType::kF32) return samples;
  for (const DType integer : {DType::kI32, DType::kI64}) {
    samples.push_back(Over({integer, {5, 17}}, {1}, false));
    samples.push_back(Over({integer, {b, 5}}, {0}, true, {1, 16, 17}));
  }
  return samples;
}

const std::vector<Refused> kRefused = {
    {{F32({2, 3})}, {{"axes", IntList{2}}}, "axis 2 is out of range for [2, 3] (2 axes)"},
    {{F32({2, 3})}, {{"axes", IntList{1, 1}}}, "axis 1 is given twice"},
    {{F32({2, 3})}, {{"axes", IntList{1, 0}}}, "axes must be in increasing order, got 0 after 1"},
    {{I1({2, 3})}, {{"axes", IntList{0}}}, "takes f32, f64, i32 or i64, got i1"},
    {{F32({2, 3})}, {}, "attribute axes is missing"},
};

double Larger(double a, double b) { return a > b ? a : b; }
double Smaller(double a, double b) { return a < b ? a : b; }

Array CountReference(const Given& g) {
  double n = 1;
  for (const int64_t axis : g.attr<IntList>("axes")) {
    n *= static_cast<double>(g.operands[0].shape[static_cast<size_t>(axis)]);
  }
  return Array{g.attr<DType>("dtype"), {}, {n}};
}

Array ArgmaxReference(const Given& g) {
  const Array& x = g.operands[0];
  const auto axis = static_cast<size_t>(g.attr<int64_t>("axis"));
  Sizes shape = x.shape;
  shape[axis] = 1;
  Array result = Filled(DType::kI64, shape, [&](const Sizes& i) {
    Sizes best = i;
    for (Sizes k = i; k[axis] < x.shape[axis]; ++k[axis]) {
      if (x.at(k) > x.at(best)) best = k;
    }
    return static_cast<double>(best[axis]);
  });
  if (!g.attr<bool>("keep_dims"))
    result.shape.erase(result.shape.begin() + static_cast<int64_t>(axis));
  return result;
}

}  // namespace

std::vector<OpCase> ReductionCases() {
  const ir::Dim b(kB);
  std::vector<OpCase> cases;
  cases.push_back({.name = "reduce_sum",
                   .samples = ReduceSamples,
                   .domains = {{.low = -4, .high = 4, .grid = 0.125}},
                   .reference = Fold(0, [](double a, double x) { return a + x; }),
                   .f32 = {.absolute = 1e-300},  // of either sign, where it is 0
                   .f64 = {.absolute = 1e-300},
                   .refused = kRefused,
                   .specials = {}});
  // Of integers the extremum of nothing is the type's own limit: in no sample here.
  cases.push_back({.name = "reduce_max",
                   .samples = ReduceSamples,
                   .domains = {{.low = -4, .high = 4, .distinct = true}},
                   .reference = Fold(-kInf, Larger),
                   .refused = kRefused,
                   .specials = {}});
  cases.push_back({.name = "reduce_min",
                   .samples = ReduceSamples,
                   .domains = {{.low = -4, .high = 4, .distinct = true}},
                   .reference = Fold(kInf, Smaller),
                   .refused = kRefused,
                   .specials = {}});
  cases.push_back({.name = "reduce_prod",
                   .samples = ReduceSamples,
                   .domains = {{.low = 0.8, .high = 1.25}},
                   .reference = Fold(1, [](double a, double x) { return a * x; }),
                   .f32 = {.ulps = 54},  // 108 factors, half an ulp a factor
                   .f64 = {.ulps = 54},
                   .refused = kRefused,
                   .specials = {}});
  cases.push_back(
      {.name = "count",
       .samples =
           [=](DType d) {
             return std::vector<Sample>{
                 {{{d, {b, 3}}}, {{"axes", IntList{0}}, {"dtype", d}}, {0, 1, 17}},
                 {{{d, {b, 3}}}, {{"axes", IntList{0, 1}}, {"dtype", DType::kI64}}, {0, 1, 17}},
                 {{{d, {4, 3}}}, {{"axes", IntList{0, 1}}, {"dtype", d}}},
                 {{{d, {4, 3}}}, {{"axes", IntList{}}, {"dtype", DType::kI32}}},
                 {{{d, {0, 3}}}, {{"axes", IntList{0}}, {"dtype", d}}},
             };
           },
       .domains = {{}},
       .reference = CountReference,
       .gradient = Gradient::kZero,
       .refused = {{{F32({2})},
                    {{"axes", IntList{1}}, {"dtype", DType::kF32}},
                    "axis 1 is out of range for [2] (1 axis)"},
                   {{F32({2})},
                    {{"axes", IntList{0}}, {"dtype", DType::kI1}},
                    "takes f32, f64, i32 or i64, got i1"}},
       .specials = {}});
  cases.push_back(
      {.name = "argmax",
       .samples =
           [=](DType d) {
             std::vector<Sample> samples = {
                 {{{d, {1}}}, {{"axis", int64_t{0}}, {"keep_dims", false}}},
                 {{{d, {37}}}, {{"axis", int64_t{0}}, {"keep_dims", true}}},
                 {{{d, {4, 17}}}, {{"axis", int64_t{1}}, {"keep_dims", false}}},
                 {{{d, {17, 4}}}, {{"axis", int64_t{0}}, {"keep_dims", true}}},
                 {{{d, {b, 10}}}, {{"axis", int64_t{1}}, {"keep_dims", false}}, SweptBatches()},
                 {{{d, {b, 3}}}, {{"axis", int64_t{0}}, {"keep_dims", false}}, {1, 2, 17}},
             };
             samples.push_back({{I32({4, 17})}, {{"axis", int64_t{1}}, {"keep_dims", false}}});
             return samples;
           },
       .domains = {{.low = -2, .high = 2, .grid = 0.5}},  // with ties: the first counts
       .reference = ArgmaxReference,
       .gradient = Gradient::kNone,
       .refused = {{{F32({2, 0})},
                    {{"axis", int64_t{1}}},
                    "there is no maximum along axis 1 of [2, 0], which has no elements"},
                   {{F32({2})}, {{"axis", int64_t{1}}}, "axis 1 is out of range for [2] (1 axis)"}},
       .specials = {}});
  return cases;
}

}  // namespace gradus::test
