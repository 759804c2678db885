// Row: matmul. Operands are multiples of 1/8, so that every sum is exact in any order, fused or
// not.

#include "tests/ops/cases_elementwise.h"

namespace gradus::test {
namespace {

struct Options {
  int64_t batch = 0;
  bool transpose_a = false, transpose_b = false;
};

Sample Product(ir::Type a, ir::Type b, Options o = {}, Sizes batch = {}) {
  return {{std::move(a), std::move(b)},
          {{"batch", o.batch}, {"transpose_a", o.transpose_a}, {"transpose_b", o.transpose_b}},
          std::move(batch)};
}

std::vector<Sample> MatmulSamples(DType d) {
  const ir::Dim b(kB);
  const Sizes few = {0, 1, 5, 17};
  return {
      Product({d, {1, 1}}, {d, {1, 1}}),
      Product({d, {3, 4}}, {d, {4, 5}}),
      Product({d, {0, 4}}, {d, {4, 5}}),
      Product({d, {3, 0}}, {d, {0, 5}}),
      Product({d, {7}}, {d, {7, 5}}),  // no rows
      Product({d, {7}}, {d, {5, 7}}, {.transpose_b = true}),
      Product({d, {7}}, {d, {5}}, {.transpose_a = true}),  // outer product: nothing summed
      Product({d, {17, 33}}, {d, {33, 16}}),
      Product({d, {6, 64}}, {d, {64, 65}}),
      Product({d, {33, 17}}, {d, {33, 31}}, {.transpose_a = true}),
      Product({d, {17, 33}}, {d, {31, 33}}, {.transpose_b = true}),
      Product({d, {9, 6}}, {d, {5, 9}}, {.transpose_a = true, .transpose_b = true}),
      Product({d, {2, 3, 4}}, {d, {4, 5}}),                            // rows of two axes
      Product({d, {2, 3, 4}}, {d, {2, 3, 5}}, {.transpose_a = true}),  // two inner axes
      Product({d, {2, 3, 4}}, {d, {2, 4, 5}}, {.batch = 1}),
      Product({d, {2, 3, 4, 5}}, {d, {2, 3, 6, 5}}, {.batch = 2, .transpose_b = true}),
      Product({d, {2, 4, 3}}, {d, {2, 4, 5}}, {.batch = 1, .transpose_a = true}),
      Product({d, {b, 12}}, {d, {12, 64}}, {}, SweptBatches()),
      Product({d, {b, 12}}, {d, {20, 12}}, {.transpose_b = true}, few),
      Product({d, {b, 12}}, {d, {b, 20}}, {.transpose_a = true}, SweptBatches()),
      Product({d, {b, 3, 4}}, {d, {4, 5}}, {}, few),
      Product({d, {b, 3, 4}}, {d, {b, 3, 5}}, {.transpose_a = true}, few),
      Product({d, {b, 3, 4}}, {d, {b, 4, 5}}, {.batch = 1}, few),
      Product({d, {b, 3, 4}}, {d, {b, 5, 4}}, {.batch = 1, .transpose_b = true}, few),
  };
}

Array MatmulReference(const Given& g) {
  const Array &a = g.operands[0], &b = g.operands[1];
  const auto batch = static_cast<size_t>(g.attr<int64_t>("batch"));
  const bool ta = g.attr<bool>("transpose_a"), tb = g.attr<bool>("transpose_b");
  using Part = std::pair<size_t, size_t>;  // axes
  const size_t ar = a.shape.size(), br = b.shape.size();
  const Part rows = ta ? Part{ar - 1, ar} : Part{batch, ar - 1};
  const Part k = ta ? Part{batch, ar - 1} : Part{ar - 1, ar};
  const size_t column = tb ? batch : br - 1, b_k = tb ? batch + 1 : batch;
  Sizes shape(a.shape.begin(), a.shape.begin() + static_cast<int64_t>(batch));
  shape.insert(shape.end(), a.shape.begin() + static_cast<int64_t>(rows.first),
               a.shape.begin() + static_cast<int64_t>(rows.second));
  shape.push_back(b.shape[column]);
  const Sizes inner(a.shape.begin() + static_cast<int64_t>(k.first),
                    a.shape.begin() + static_cast<int64_t>(k.second));
  return Filled(a.dtype, shape, [&](const Sizes& i) {
    Sizes at(ar), bt(br);
    for (size_t axis = 0; axis < batch; ++axis) at[axis] = bt[axis] = i[axis];
    for (size_t axis = rows.first; axis < rows.second; ++axis)
      at[axis] = i[batch + axis - rows.first];
    bt[column] = i.back();
    double sum = 0;
    ForEachIndex(inner, [&](const Sizes& n) {
      for (size_t axis = 0; axis < n.size(); ++axis) at[k.first + axis] = bt[b_k + axis] = n[axis];
      sum += a.at(at) * b.at(bt);
    });
    return sum;
  });
}

}  // namespace

std::vector<OpCase> ContractionCases() {
  const ir::Dim b(kB);
  return {{
      .name = "matmul",
      .samples = MatmulSamples,
      .domains = {{.low = -2, .high = 2, .grid = 0.125}},
      .reference = MatmulReference,
      .f32 = {.absolute = 1e-300},  // of either sign, where it is 0
      .f64 = {.absolute = 1e-300},
      .refused = {{{F32({b, 784}), F32({512, 128})},
                   {},
                   "[B, 784] times [512, 128]: the inner sizes differ (784, 512)"},
                  {{F32({2, 3}), F64({3, 4})}, {}, "f32 and f64 are different element types"},
                  {{F32({2, 3, 4}), F32({3, 4, 5})},
                   {{"batch", int64_t{1}}},
                   "batch axis 0 differs (2, 3)"},
                  {{F32({2, 3}), F32({3, 4})},
                   {{"batch", int64_t{3}}},
                   "there are no 3 leading axes that both have"},
                  {{F32({}), F32({3, 4})}, {}, "the left operand needs an inner axis"},
                  {{F32({4}), F32({})}, {}, "the right operand needs a column axis"},
                  {{F32({2, 3}), F32({4, 5, 3})},
                   {{"transpose_b", true}},
                   "a transposed right operand is [columns, inner]"},
                  {{F32({2, 3}), F32({2, 3, 5})}, {}, "1 inner axes on the left, 2 on the right"},
                  {{I1({2, 3}), I1({3, 5})}, {}, "takes f32, f64, i32 or i64, got i1"}},
      .specials = {},
  }};
}

}  // namespace gradus::test
