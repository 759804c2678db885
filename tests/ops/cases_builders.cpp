// Rows of builders that move or multiply: split, stack, expand, pad_reflect, einsum, norms.

#include <cmath>

#include "ir/ops/composite.h"
#include "ir/ops/contraction.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/movement.h"
#include "tests/ops/cases_elementwise.h"

namespace gradus::test {
namespace {

using ir::Value;
using Operands = std::vector<Value>;

constexpr Domain kQuarters{.low = -2, .high = 2, .grid = 0.25};

OpCase Moving(std::string_view name, std::vector<Sample> (*samples)(DType),
              Array (*reference)(const Given&), std::function<Value(const Operands&)> f) {
  return {.name = name,
          .samples = samples,
          .domains = {kQuarters},
          .reference = reference,
          .build = [f = std::move(f)](ir::Module&, ir::Function&, const Operands& x,
                                      const Sample&) { return f(x); }};
}

// x[.., 0:2] * 3 + x[.., 2:4] of an axis of 4, and the same with parts of 1 and 3.
Array SplitReference(const Given& g) {
  const Array& x = g.operands[0];
  Sizes shape = x.shape;
  shape.back() = 2;
  return Filled(x.dtype, shape, [&](const Sizes& i) {
    Sizes right = i, first = i;
    right.back() += 2;
    first.back() = 0;
    return x.at(i) * 3 + x.at(right) + x.at(first);
  });
}

Array StackReference(const Given& g) {
  const Array& x = g.operands[0];
  Sizes shape = x.shape;
  shape.insert(shape.begin() + 1, 2);
  return Filled(x.dtype, shape, [&](const Sizes& i) {
    const Sizes from = {i[0], i[2]};
    return g.operands[static_cast<size_t>(i[1])].at(from);
  });
}

Array ExpandReference(const Given& g) {
  const Array& x = g.operands[0];
  return Filled(x.dtype, {2, x.shape[0], 5}, [&](const Sizes& i) { return x.at({i[1], 0}); });
}

Array ReflectReference(const Given& g) {
  const Array& x = g.operands[0];
  return Filled(x.dtype, {x.shape[0], x.shape[1] + 5}, [&](const Sizes& i) {
    int64_t j = std::abs(i[1] - 2);
    const int64_t last = x.shape[1] - 1;
    if (j > last) j = 2 * last - j;
    return x.at({i[0], j});
  });
}

// By definition: over all values of all letters.
struct Einsum {
  std::string_view name, subscripts;
  std::vector<std::string> inputs;
  std::string output;
  std::vector<ir::Shape> shapes;
  Sizes batch;
};

Array EinsumReference(const Einsum& e, const Given& g) {
  std::string letters;
  Sizes sizes;
  for (size_t k = 0; k < e.inputs.size(); ++k) {
    for (size_t i = 0; i < e.inputs[k].size(); ++i) {
      if (letters.find(e.inputs[k][i]) != std::string::npos) continue;
      letters += e.inputs[k][i];
      sizes.push_back(g.operands[k].shape[i]);
    }
  }
  const auto pick = [&](const std::string& names, const Sizes& from) {
    Sizes out;
    for (const char c : names) out.push_back(from[letters.find(c)]);
    return out;
  };
  Array result = Filled(g.dtype(), pick(e.output, sizes), [](const Sizes&) { return 0; });
  ForEachIndex(sizes, [&](const Sizes& i) {
    double product = 1;
    for (size_t k = 0; k < e.inputs.size(); ++k) product *= g.operands[k].at(pick(e.inputs[k], i));
    result.at(pick(e.output, i)) += product;
  });
  return result;
}

OpCase EinsumCase(const Einsum& e) {
  return {.name = e.name,
          .samples =
              [e](DType d) {
                Sample s{.operands = {}, .attrs = {}, .batch = e.batch};
                for (const ir::Shape& shape : e.shapes) s.operands.push_back({d, shape});
                return std::vector<Sample>{s};
              },
          .domains = {{.low = -2, .high = 2, .grid = 0.5}},
          .reference = [e](const Given& g) { return EinsumReference(e, g); },
          .build = [e](ir::Module&, ir::Function&, const Operands& x,
                       const Sample&) { return ir::einsum(e.subscripts, {x.begin(), x.end()}); }};
}

std::vector<Einsum> Einsums() {
  const ir::Dim b(kB);
  return {
      {"einsum_matmul", "ij,jk->ik", {"ij", "jk"}, "ik", {{3, 4}, {4, 5}}, {}},
      {"einsum_implicit", "ij,jk", {"ij", "jk"}, "ik", {{3, 4}, {4, 5}}, {}},
      {"einsum_bilinear",
       "bi,ijk,bj->bk",
       {"bi", "ijk", "bj"},
       "bk",
       {{b, 3}, {3, 4, 5}, {b, 4}},
       {0, 1, 2, 9}},
      {"einsum_scores",
       "bhqd,bhkd->bhqk",
       {"bhqd", "bhkd"},
       "bhqk",
       {{b, 2, 3, 4}, {b, 2, 5, 4}},
       {0, 1, 3}},
      {"einsum_scores_heads_inside",
       "bqhd,bkhd->bhqk",
       {"bqhd", "bkhd"},
       "bhqk",
       {{b, 3, 2, 4}, {b, 5, 2, 4}},
       {1, 3}},
      {"einsum_transpose", "ij->ji", {"ij"}, "ji", {{3, 4}}, {}},
      {"einsum_sum", "ij->", {"ij"}, "", {{3, 4}}, {}},
      {"einsum_outer", "i,j->ij", {"i", "j"}, "ij", {{3}, {4}}, {}},
      {"einsum_dot", "i,i->", {"i", "i"}, "", {{5}, {5}}, {}},
      {"einsum_row_dots", "bij,bij->b", {"bij", "bij"}, "b", {{b, 3, 4}, {b, 3, 4}}, {1, 2}},
      {"einsum_over_the_batch", "bi,bj->ij", {"bi", "bj"}, "ij", {{b, 3}, {b, 4}}, {0, 1, 7}},
      {"einsum_two_sums", "bci,bcj->ij", {"bci", "bcj"}, "ij", {{b, 2, 3}, {b, 2, 4}}, {1, 5}},
  };
}

OpCase Norm(std::string_view name, Value (*f)(ir::Operand, ir::Axes, bool),
            double (*reference)(const std::vector<double>&)) {
  return {.name = name,
          .samples =
              [](DType d) {
                return std::vector<Sample>{{{{d, {3, 7}}}, {}},
                                           {{{d, {ir::Dim(kB), 5}}}, {}, {0, 1, 9}}};
              },
          .domains = {{.low = 0.25, .high = 3}},
          .reference =
              [reference](const Given& g) {
                const Array& x = g.operands[0];
                return Filled(x.dtype, {x.shape[0]}, [&](const Sizes& i) {
                  std::vector<double> row;
                  for (int64_t j = 0; j < x.shape[1]; ++j) row.push_back(x.at({i[0], j}));
                  return reference(row);
                });
              },
          .f32 = {.ulps = 8},
          .f64 = {.ulps = 8},
          .build = [f](ir::Module&, ir::Function&, const Operands& x,
                       const Sample&) { return f(x[0], {1}, false); }};
}

double Deviation(const std::vector<double>& row) {
  double mean = 0, squares = 0;
  for (const double x : row) mean += x / static_cast<double>(row.size());
  for (const double x : row) squares += (x - mean) * (x - mean);
  return std::sqrt(squares / static_cast<double>(row.size()));
}

std::vector<Sample> Rows(DType d, const ir::Shape& fixed, const ir::Shape& batched,
                         size_t operands) {
  return {{std::vector<ir::Type>(operands, {d, fixed}), {}},
          {std::vector<ir::Type>(operands, {d, batched}), {}, {0, 1, 9}}};
}

}  // namespace

std::vector<OpCase> BuilderCases() {
  std::vector<OpCase> cases;
  cases.push_back(Moving(
      "split", [](DType d) { return Rows(d, {3, 4}, {ir::Dim(kB), 4}, 1); }, SplitReference,
      [](const Operands& x) {
        const std::vector<Value> halves = ir::split(x[0], 2, -1);
        const Value first = ir::split(x[0], {1, 3}, 1)[0];
        return halves[0] * 3 + halves[1] + first;
      }));
  cases.push_back(Moving(
      "stack", [](DType d) { return Rows(d, {3, 4}, {ir::Dim(kB), 4}, 2); }, StackReference,
      [](const Operands& x) { return ir::stack({x[0], x[1]}, 1); }));
  cases.push_back(Moving(
      "expand", [](DType d) { return Rows(d, {3, 1}, {ir::Dim(kB), 1}, 1); }, ExpandReference,
      [](const Operands& x) { return ir::expand(x[0], {2, -1, 5}); }));
  cases.push_back(Moving(
      "pad_reflect", [](DType d) { return Rows(d, {3, 4}, {ir::Dim(kB), 6}, 1); }, ReflectReference,
      [](const Operands& x) { return ir::pad_reflect(x[0], {0, 2}, {0, 3}); }));
  for (const Einsum& e : Einsums()) cases.push_back(EinsumCase(e));
  cases.push_back(Norm("norm_l1", ir::norm_l1, [](const std::vector<double>& row) {
    double sum = 0;
    for (const double x : row) sum += std::fabs(x);
    return sum;
  }));
  cases.push_back(Norm("norm_l2", ir::norm_l2, [](const std::vector<double>& row) {
    double sum = 0;
    for (const double x : row) sum += x * x;
    return std::sqrt(sum);
  }));
  cases.push_back(Norm("standard_deviation", ir::standard_deviation, Deviation));
  return cases;
}

}  // namespace gradus::test
