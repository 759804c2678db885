// Rows of composites: functions written in other ops.

#include "ir/ops/composite.h"

#include <cmath>
#include <limits>

#include "ir/ops/elementwise.h"
#include "tests/ops/cases_elementwise.h"

namespace gradus::test {
namespace {

using ir::Value;
using Operands = std::vector<Value>;
using BuildFn = std::function<Value(ir::Module&, ir::Function&, const Operands&, const Sample&)>;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

BuildFn Of(Value (*f)(ir::Operand)) {
  return [f](ir::Module&, ir::Function&, const Operands& x, const Sample&) { return f(x[0]); };
}
BuildFn Of(std::function<Value(Value)> f) {
  return [f = std::move(f)](ir::Module&, ir::Function&, const Operands& x, const Sample&) {
    return f(x[0]);
  };
}
BuildFn Of(std::function<Value(Value, Value)> f) {
  return [f = std::move(f)](ir::Module&, ir::Function&, const Operands& x, const Sample&) {
    return f(x[0], x[1]);
  };
}

OpCase Activation(std::string_view name, BuildFn build, double (*reference)(double),
                  Tolerance tolerance, std::vector<Special> specials) {
  return {.name = name,
          .samples =
              [](DType d) {
                return std::vector<Sample>{{{{d, {}}}, {}},
                                           {{{d, {37}}}, {}},
                                           {{{d, {ir::Dim(kB), 3}}}, {}, {0, 1, 6, 17}}};
              },
          .domains = {{.low = -5, .high = 5}},
          .reference = Each(reference),
          .f32 = tolerance,
          .f64 = {tolerance.ulps, tolerance.absolute * 0x1p-29},
          .specials = std::move(specials),
          .build = std::move(build)};
}

// --- losses: target, prediction -> scalar
// ----------------------------------------------------------------------------

Array Scalar(const Given& g, double x) { return {g.operands[1].dtype, {}, {x}}; }

// The mean over all elements of f(target, prediction).
std::function<Array(const Given&)> MeanOf(double (*f)(double, double)) {
  return [f](const Given& g) {
    const Array &t = g.operands[0], &p = g.operands[1];
    double sum = 0;
    for (size_t i = 0; i < p.values.size(); ++i) sum += f(t.values[i], p.values[i]);
    return Scalar(g, sum / static_cast<double>(p.values.size()));
  };
}

// The mean over rows of f(target row or class, prediction row).
struct Row {
  const double* target;
  const double* x;
  size_t classes;
};
std::function<Array(const Given&)> MeanOfRows(bool sparse, double (*f)(const Row&)) {
  return [sparse, f](const Given& g) {
    const Array &t = g.operands[0], &p = g.operands[1];
    const auto classes = static_cast<size_t>(p.shape.back());
    const size_t rows = p.values.size() / classes;
    double sum = 0;
    for (size_t r = 0; r < rows; ++r) {
      sum += f({&t.values[sparse ? r : r * classes], &p.values[r * classes], classes});
    }
    return Scalar(g, sum / static_cast<double>(rows));
  };
}

double LogSumExp(const Row& r) {
  double largest = -kInf, sum = 0;
  for (size_t k = 0; k < r.classes; ++k) largest = std::fmax(largest, r.x[k]);
  for (size_t k = 0; k < r.classes; ++k) sum += std::exp(r.x[k] - largest);
  return largest + std::log(sum);
}
double Clipped(double p) { return std::fmin(std::fmax(p, 1e-7), 1 - 1e-7); }

OpCase Loss(std::string_view name, Value (*f)(ir::Operand, ir::Operand), Domain target,
            Domain prediction, std::function<Array(const Given&)> reference) {
  return {.name = name,
          .samples =
              [](DType d) {
                return std::vector<Sample>{
                    {{{d, {7, 3}}, {d, {7, 3}}}, {}},
                    {{{d, {ir::Dim(kB), 5}}, {d, {ir::Dim(kB), 5}}}, {}, {1, 2, 17}}};
              },
          .domains = {target, prediction},
          .reference = std::move(reference),
          .f32 = {.ulps = 16, .absolute = 2e-6},
          .f64 = {.ulps = 16, .absolute = 1e-14},
          .build = [f](ir::Module&, ir::Function&, const Operands& x,
                       const Sample&) { return f(x[0], x[1]); }};
}

OpCase SparseLoss(std::string_view name, Value (*f)(ir::Operand, ir::Operand), Domain prediction,
                  std::function<Array(const Given&)> reference) {
  OpCase c = Loss(name, f, {.low = 0, .high = 3.99}, prediction, std::move(reference));
  c.samples = [](DType d) {
    return std::vector<Sample>{{{I32({7}), {d, {7, 4}}}, {}},
                               {{I64({ir::Dim(kB)}), {d, {ir::Dim(kB), 4}}}, {}, {1, 2, 17}}};
  };
  return c;
}

void AddActivations(std::vector<OpCase>& cases) {
  cases.push_back(
      Activation("relu", Of(ir::relu), [](double x) { return x <= 0 ? 0.0 : x; }, {},
                 {{{-1}, 0}, {{-0.0}, 0}, {{2}, 2}, {{kNan}, kNan}, {{kInf}, kInf}, {{-kInf}, 0}}));
  cases.push_back(Activation("leaky_relu", Of([](Value x) { return ir::leaky_relu(x, 0.25); }),
                             [](double x) { return x > 0 ? x : 0.25 * x; }, {},
                             {{{-4}, -1}, {{kNan}, kNan}}));
  cases.push_back(Activation("elu", Of([](Value x) { return ir::elu(x, 1.5); }),
                             [](double x) { return x > 0 ? x : 1.5 * std::expm1(x); }, {5},
                             {{{1000}, 1000}, {{-1000}, -1.5}}));
  cases.push_back(Activation("selu", Of(ir::selu),
                             [](double x) {
                               return 1.0507009873554805 *
                                      (x > 0 ? x : 1.6732632423543772 * std::expm1(x));
                             },
                             {6}, {}));
  // 1 + erf cancels in the lower tail: the error there is absolute.
  cases.push_back(Activation("gelu", Of(ir::gelu),
                             [](double x) { return x * 0.5 * std::erfc(-x * std::sqrt(0.5)); },
                             {4, 1e-6}, {{{0}, 0}, {{20}, 20}}));
  cases.push_back(Activation(
      "gelu_tanh", Of(ir::gelu_tanh),
      [](double x) {
        return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
      },
      {4, 1e-6}, {{{0}, 0}, {{20}, 20}}));
  cases.push_back(Activation("silu", Of(ir::silu), [](double x) { return x / (1 + std::exp(-x)); },
                             {5}, {{{1000}, 1000}, {{-1000}, -0.0}}));
  cases.push_back(Activation(
      "softplus", Of(ir::softplus),
      [](double x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))); }, {6},
      {{{1000}, 1000}, {{-1000}, 0}, {{kNan}, kNan}, {{kInf}, kInf}, {{-kInf}, 0}}));
  cases.push_back(Activation("hard_sigmoid", Of(ir::hard_sigmoid),
                             [](double x) { return std::fmin(std::fmax(x / 6 + 0.5, 0), 1); },
                             {1, 1e-7}, {{{-4}, 0}, {{4}, 1}, {{0}, 0.5}}));
  cases.push_back(Activation("clip", Of([](Value x) { return ir::clip(x, -0.5, 1.5); }),
                             [](double x) { return std::fmin(std::fmax(x, -0.5), 1.5); }, {},
                             {{{kNan}, kNan}, {{-kInf}, -0.5}}));
  cases.push_back(
      Activation("square", Of(ir::square), [](double x) { return x * x; }, {0.51}, {{{-3}, 9}}));
  cases.push_back({.name = "prelu",
                   .samples =
                       [](DType d) {
                         return std::vector<Sample>{
                             {{{d, {ir::Dim(kB), 3}}, {d, {3}}}, {}, {1, 17}}};
                       },
                   .domains = {{.low = -5, .high = 5}, {.low = 0.1, .high = 0.5}},
                   .reference =
                       [](const Given& g) {
                         return Filled(g.dtype(), g.operands[0].shape, [&](const Sizes& i) {
                           const double x = g.operands[0].at(i);
                           return x > 0 ? x : g.operands[1].values[static_cast<size_t>(i[1])] * x;
                         });
                       },
                   .f32 = {0.51},
                   .f64 = {0.51},
                   .build = Of([](Value x, Value slope) { return ir::prelu(x, slope); })});
}

// Applies f to each row along axis 1 of [n, k, m] or [n, k].
std::function<Array(const Given&)> OverAxis1(void (*f)(std::vector<double>&)) {
  return [f](const Given& g) {
    Array x = g.operands[0];
    Sizes outer = x.shape;
    outer[1] = 1;
    ForEachIndex(outer, [&](const Sizes& i) {
      std::vector<double> row;
      Sizes at = i;
      for (at[1] = 0; at[1] < x.shape[1]; ++at[1]) row.push_back(x.at(at));
      f(row);
      for (at[1] = 0; at[1] < x.shape[1]; ++at[1]) x.at(at) = row[static_cast<size_t>(at[1])];
    });
    return x;
  };
}

std::vector<Sample> Rows(DType d) {
  return {{{{d, {4, 17}}}, {}}, {{{d, {3, 5, 2}}}, {}}, {{{d, {ir::Dim(kB), 10}}}, {}, {0, 1, 17}}};
}

void AddSoftmax(std::vector<OpCase>& cases) {
  const Domain wide{.low = -30, .high = 30};
  // A record of its own only for its gradient, so it is tested as what it is the mark of.
  OpCase softmax = {
      .name = "softmax",
      .samples = Rows,
      .domains = {wide},
      .reference = OverAxis1([](std::vector<double>& row) {
        const double lse = LogSumExp({nullptr, row.data(), row.size()});
        for (double& x : row) x = std::exp(x - lse);
      }),
      .f32 = {.ulps = 100},  // the rounding of x - max, up to 60, is a relative error of exp
      .f64 = {.ulps = 100},
      .build = Of([](Value x) { return ir::softmax(x, 1); })};
  cases.push_back(softmax);
  softmax.name = "as_softmax";
  softmax.refused = {
      {{F32({2, 3}), F32({2})}, {{"axis", int64_t{0}}}, "f32[2, 3] is not the softmax of f32[2]"},
      {{F32({2}), F32({2})}, {{"axis", int64_t{1}}}, "axis 1"}};
  cases.push_back(std::move(softmax));
  cases.push_back({.name = "log_softmax",
                   .samples = Rows,
                   .domains = {wide},
                   .reference = OverAxis1([](std::vector<double>& row) {
                     const double lse = LogSumExp({nullptr, row.data(), row.size()});
                     for (double& x : row) x -= lse;
                   }),
                   .f32 = {.ulps = 2, .absolute = 1e-6},
                   .f64 = {.ulps = 2, .absolute = 1e-14},
                   .build = Of([](Value x) { return ir::log_softmax(x, 1); })});
  cases.push_back({.name = "logsumexp",
                   .samples =
                       [](DType d) {
                         return std::vector<Sample>{{{{d, {4, 17}}}, {}},
                                                    {{{d, {ir::Dim(kB), 10}}}, {}, {0, 1, 17}}};
                       },
                   .domains = {wide},
                   .reference =
                       [](const Given& g) {
                         const Array& x = g.operands[0];
                         return Filled(x.dtype, {x.shape[0]}, [&](const Sizes& i) {
                           return LogSumExp({nullptr,
                                             &x.values[static_cast<size_t>(i[0] * x.shape[1])],
                                             static_cast<size_t>(x.shape[1])});
                         });
                       },
                   .f32 = {.ulps = 2, .absolute = 1e-6},
                   .f64 = {.ulps = 2, .absolute = 1e-14},
                   .build = Of([](Value x) { return ir::logsumexp(x, {1}); })});
  cases.push_back(
      {.name = "variance",
       .samples =
           [](DType d) {
             return std::vector<Sample>{{{{d, {4, 17}}}, {}},
                                        {{{d, {ir::Dim(kB), 10}}}, {}, {1, 17}}};
           },
       .domains = {{.low = 1000, .high = 1001}},  // one pass would lose all digits in f32
       .reference =
           [](const Given& g) {
             const Array& x = g.operands[0];
             return Filled(x.dtype, {x.shape[0]}, [&](const Sizes& i) {
               double mean = 0, sum = 0;
               for (int64_t k = 0; k < x.shape[1]; ++k)
                 mean += x.at({i[0], k}) / static_cast<double>(x.shape[1]);
               for (int64_t k = 0; k < x.shape[1]; ++k) sum += std::pow(x.at({i[0], k}) - mean, 2);
               return sum / static_cast<double>(x.shape[1]);
             });
           },
       .f32 = {.absolute = 1e-4},
       .f64 = {.absolute = 1e-12},
       .build = Of([](Value x) { return ir::variance(x, {1}); })});
  OpCase standardize = {.name = "standardize",
                        .samples = Rows,
                        .domains = {wide},
                        .reference = OverAxis1([](std::vector<double>& row) {
                          const auto n = static_cast<double>(row.size());
                          double mean = 0, variance = 0;
                          for (const double x : row) mean += x / n;
                          for (const double x : row) variance += (x - mean) * (x - mean) / n;
                          for (double& x : row) x = (x - mean) / std::sqrt(variance + 1e-3);
                        }),
                        .f32 = {.absolute = 1e-5},
                        .f64 = {.absolute = 1e-13},
                        .build = Of([](Value x) { return ir::standardize(x, {1}, 1e-3); })};
  cases.push_back(standardize);
  // A factor that its axis repeats, which stands outside the means in the gradient.
  OpCase scaled = standardize;
  scaled.name = "standardize_scaled";
  scaled.reference = OverAxis1([](std::vector<double>& row) {
    const auto n = static_cast<double>(row.size());
    double mean = 0, variance = 0, size = 0;
    for (const double x : row) mean += x / n;
    for (const double x : row) variance += (x - mean) * (x - mean) / n;
    for (const double x : row) size += x * x / n / 900;
    for (double& x : row) x = (x - mean) / std::sqrt(variance + 1e-3) * size;
  });
  scaled.build = Of([](Value x) {
    const Value size = ir::reduce_mean(ir::div(ir::square(x), 900), {1}, /*keep_dims=*/true);
    return ir::mul(ir::standardize(x, {1}, 1e-3), ir::broadcast_to(size, x.shape()));
  });
  cases.push_back(std::move(scaled));
  // As as_softmax: a record of its own only for its gradient.
  standardize.name = "as_standardized";
  const auto over = [](int64_t axis) { return ir::AttrList{{"axes", ir::IntList{axis}}}; };
  standardize.refused = {{{F32({2, 3}), F32({2, 3}), F32({2, 1})}, over(1), "f32[2, 1]"},
                         {{F32({2}), F32({2}), F32({2})}, over(1), "axis 1"}};
  cases.push_back(std::move(standardize));
  cases.push_back({.name = "one_hot",
                   .samples =
                       [](DType) {
                         return std::vector<Sample>{{{I32({7})}, {}},
                                                    {{I64({ir::Dim(kB), 2})}, {}, {0, 1, 17}}};
                       },
                   .domains = {{.low = -1, .high = 5.99}},  // -1 and 4, 5: no class
                   .reference =
                       [](const Given& g) {
                         Sizes shape = g.operands[0].shape;
                         shape.push_back(4);
                         return Filled(DType::kF32, shape, [&](const Sizes& i) {
                           const Sizes at(i.begin(), i.end() - 1);
                           return g.operands[0].at(at) == static_cast<double>(i.back()) ? 1.0 : 0.0;
                         });
                       },
                   .gradient = Gradient::kNone,
                   .floats = false,
                   .build = Of([](Value x) { return ir::one_hot(x, 4, DType::kF32); })});
}

void AddLosses(std::vector<OpCase>& cases) {
  const Domain any{.low = -3, .high = 3}, share{.low = 0, .high = 1},
      probability{.low = 0.1, .high = 0.9};
  // Logits up to 1,000 and beyond, of either sign.
  const Domain far{.low = -1200, .high = 1200};
  cases.push_back(Loss("mean_squared_error", ir::mean_squared_error, any, any,
                       MeanOf([](double t, double p) { return (t - p) * (t - p); })));
  cases.push_back(Loss("mean_absolute_error", ir::mean_absolute_error, any, any,
                       MeanOf([](double t, double p) { return std::fabs(t - p); })));
  cases.push_back(Loss(
      "huber", [](ir::Operand t, ir::Operand p) { return ir::huber(t, p, 1.5); }, any, any,
      MeanOf([](double t, double p) {
        const double d = std::fabs(t - p);
        return d <= 1.5 ? 0.5 * d * d : 1.5 * (d - 0.75);
      })));
  cases.push_back(Loss("binary_crossentropy", ir::binary_crossentropy, share, probability,
                       MeanOf([](double t, double p) {
                         return -t * std::log(Clipped(p)) - (1 - t) * std::log1p(-Clipped(p));
                       })));
  const auto from_logits = MeanOf([](double t, double x) {
    return std::fmax(x, 0) - x * t + std::log1p(std::exp(-std::fabs(x)));
  });
  cases.push_back(Loss("binary_crossentropy_from_logits", ir::binary_crossentropy_from_logits,
                       share, any, from_logits));
  cases.push_back(Loss("binary_crossentropy_from_far_logits", ir::binary_crossentropy_from_logits,
                       share, far, from_logits));
  const auto cross = MeanOfRows(false, [](const Row& r) {
    double sum = 0;
    for (size_t k = 0; k < r.classes; ++k) sum -= r.target[k] * std::log(Clipped(r.x[k]));
    return sum;
  });
  const auto cross_logits = MeanOfRows(false, [](const Row& r) {
    double sum = 0;
    for (size_t k = 0; k < r.classes; ++k) sum -= r.target[k] * (r.x[k] - LogSumExp(r));
    return sum;
  });
  cases.push_back(
      Loss("categorical_crossentropy", ir::categorical_crossentropy, share, probability, cross));
  cases.push_back(Loss("categorical_crossentropy_from_logits",
                       ir::categorical_crossentropy_from_logits, share, any, cross_logits));
  cases.push_back(Loss("categorical_crossentropy_from_far_logits",
                       ir::categorical_crossentropy_from_logits, share, far, cross_logits));
  const auto sparse = MeanOfRows(
      true, [](const Row& r) { return -std::log(Clipped(r.x[static_cast<size_t>(*r.target)])); });
  const auto sparse_logits = MeanOfRows(
      true, [](const Row& r) { return LogSumExp(r) - r.x[static_cast<size_t>(*r.target)]; });
  cases.push_back(SparseLoss("sparse_categorical_crossentropy", ir::sparse_categorical_crossentropy,
                             probability, sparse));
  cases.push_back(SparseLoss("sparse_categorical_crossentropy_from_logits",
                             ir::sparse_categorical_crossentropy_from_logits, any, sparse_logits));
  cases.push_back(SparseLoss("sparse_categorical_crossentropy_from_far_logits",
                             ir::sparse_categorical_crossentropy_from_logits, far, sparse_logits));
}

// Losses of differences, margins, angles and distributions.
void AddFurtherLosses(std::vector<OpCase>& cases) {
  const Domain any{.low = -3, .high = 3}, share{.low = 0.05, .high = 0.95};
  // Far from each other, and so near that log(cosh) is half a square.
  const auto log_cosh = MeanOf([](double t, double p) {
    const double d = std::fabs(p - t);
    return d < 1e-2 ? d * d / 2 - d * d * d * d / 12 + std::pow(d, 6) / 45
                    : d + std::log1p(std::exp(-2 * d)) - std::log(2.0);
  });
  cases.push_back(Loss("log_cosh", ir::log_cosh, any, any, log_cosh));
  cases.push_back(
      Loss("log_cosh_of_far", ir::log_cosh, any, {.low = -1200, .high = 1200}, log_cosh));
  cases.push_back(Loss("log_cosh_of_near", ir::log_cosh, {.low = 0, .high = 0},
                       {.low = 1e-3, .high = 2e-3}, log_cosh));
  cases.push_back(Loss("hinge", ir::hinge, any, any,
                       MeanOf([](double t, double p) { return std::fmax(1 - t * p, 0); })));
  cases.push_back(Loss("squared_hinge", ir::squared_hinge, any, any, MeanOf([](double t, double p) {
                         return std::pow(std::fmax(1 - t * p, 0), 2);
                       })));
  cases.push_back(Loss("poisson", ir::poisson, {.low = 0, .high = 6}, {.low = 0.2, .high = 5},
                       MeanOf([](double t, double p) { return p - t * std::log(p + 1e-7); })));
  cases.push_back(
      Loss("kl_divergence", ir::kl_divergence, share, share, MeanOfRows(false, [](const Row& r) {
             double sum = 0;
             for (size_t k = 0; k < r.classes; ++k) {
               sum += r.target[k] * std::log(r.target[k] / r.x[k]);
             }
             return sum;
           })));
  cases.push_back(Loss("cosine_similarity", ir::cosine_similarity, any, any,
                       MeanOfRows(false, [](const Row& r) {
                         double product = 0, target = 0, x = 0;
                         for (size_t k = 0; k < r.classes; ++k) {
                           product += r.target[k] * r.x[k];
                           target += r.target[k] * r.target[k];
                           x += r.x[k] * r.x[k];
                         }
                         return -product / std::sqrt(target * x);
                       })));
}

}  // namespace

std::vector<OpCase> CompositeCases() {
  std::vector<OpCase> cases;
  AddActivations(cases);
  AddSoftmax(cases);
  AddLosses(cases);
  AddFurtherLosses(cases);
  // Their gradients in the target are the logits: the loss of second order is millions, its
  // differences rounding.
  for (OpCase& c : cases) c.second_order = c.name.find("_far_logits") == std::string_view::npos;
  return cases;
}

}  // namespace gradus::test
