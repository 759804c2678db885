// Rows: gather, take_along_axis, the scatter_adds, cumsum, top_k. Indices lie outside of their axis
// now and then.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ir/ops/elementwise.h"
#include "ir/ops/indexing.h"
#include "tests/ops/cases_elementwise.h"

namespace gradus::test {
namespace {

using ir::Shape;
using ir::Value;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Sums of these are exact.
constexpr Domain kQuarters{.low = -2, .high = 2, .grid = 0.25};

Sizes Numbers(const Shape& shape) {
  Sizes sizes;
  for (const ir::Dim& d : shape) sizes.push_back(d.size());
  return sizes;
}

Sample Along(ir::Type a, ir::Type b, int64_t axis, Sizes batch = {}) {
  return {{std::move(a), std::move(b)}, {{"axis", axis}}, std::move(batch)};
}

Sample Into(ir::Type indices, ir::Type updates, int64_t axis, Shape shape, Sizes batch = {}) {
  return {{std::move(indices), std::move(updates)},
          {{"axis", axis}, {"shape", std::move(shape)}},
          std::move(batch)};
}

// The place in x that result index i of a gather reads: axis -1 marks one outside.
Sizes Source(const Sizes& i, const Array& indices, size_t axis, int64_t size) {
  const size_t chosen = indices.shape.size();
  const Sizes r(i.begin() + static_cast<int64_t>(axis),
                i.begin() + static_cast<int64_t>(axis + chosen));
  Sizes from(i.begin(), i.begin() + static_cast<int64_t>(axis));
  const auto place = static_cast<int64_t>(indices.at(r));
  from.push_back(place >= 0 && place < size ? place : -1);
  from.insert(from.end(), i.begin() + static_cast<int64_t>(axis + chosen), i.end());
  return from;
}

Array GatherReference(const Given& g) {
  const Array &x = g.operands[0], &indices = g.operands[1];
  const auto axis = static_cast<size_t>(g.attr<int64_t>("axis"));
  Sizes shape(x.shape.begin(), x.shape.begin() + static_cast<int64_t>(axis));
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  shape.insert(shape.end(), x.shape.begin() + static_cast<int64_t>(axis) + 1, x.shape.end());
  return Filled(x.dtype, shape, [&](const Sizes& i) {
    const Sizes from = Source(i, indices, axis, x.shape[axis]);
    return from[axis] < 0 ? 0.0 : x.at(from);
  });
}

Array ScatterAddReference(const Given& g) {
  const Array &indices = g.operands[0], &updates = g.operands[1];
  const auto axis = static_cast<size_t>(g.attr<int64_t>("axis"));
  Array result =
      Filled(updates.dtype, Numbers(g.attr<Shape>("shape")), [](const Sizes&) { return 0; });
  ForEachIndex(updates.shape, [&](const Sizes& i) {
    const Sizes to = Source(i, indices, axis, result.shape[axis]);
    if (to[axis] >= 0) result.at(to) += updates.at(i);
  });
  return result;
}

Array TakeAlongAxisReference(const Given& g) {
  const Array &x = g.operands[0], &indices = g.operands[1];
  const auto axis = static_cast<size_t>(g.attr<int64_t>("axis"));
  return Filled(x.dtype, indices.shape, [&](const Sizes& i) {
    Sizes from = i;
    from[axis] = static_cast<int64_t>(indices.at(i));
    return from[axis] < 0 || from[axis] >= x.shape[axis] ? 0.0 : x.at(from);
  });
}

Array ScatterAddAlongAxisReference(const Given& g) {
  const Array &indices = g.operands[0], &updates = g.operands[1];
  const auto axis = static_cast<size_t>(g.attr<int64_t>("axis"));
  Array result =
      Filled(updates.dtype, Numbers(g.attr<Shape>("shape")), [](const Sizes&) { return 0; });
  ForEachIndex(updates.shape, [&](const Sizes& i) {
    Sizes to = i;
    to[axis] = static_cast<int64_t>(indices.at(i));
    if (to[axis] >= 0 && to[axis] < result.shape[axis]) result.at(to) += updates.at(i);
  });
  return result;
}

std::vector<Sample> GatherSamples(DType d) {
  const ir::Dim b(kB);
  return {
      Along({d, {5}}, I64({}), 0),
      Along({d, {5}}, I32({37}), 0),
      Along({d, {0}}, I64({3}), 0),
      Along({d, {5, 17}}, I64({3, 4}), 0),
      Along({d, {3, 5, 4}}, I32({7}), 1),
      Along({d, {9, 5}}, I64({19}), 1),
      Along({d, {5, 3}}, I64({b, 4}), 0, {0, 1, 2, 17}),
      Along({d, {b, 5, 3}}, I32({2, 3}), 1, {0, 1, 9}),
      Along({d, {b, 3}}, I64({6}), 0, {0, 1, 4, 9}),
  };
}

std::vector<Sample> ScatterAddSamples(DType d) {
  const ir::Dim b(kB);
  return {
      Into(I64({}), {d, {}}, 0, {5}),
      Into(I32({37}), {d, {37}}, 0, {5}),
      Into(I64({3}), {d, {3}}, 0, {0}),
      Into(I64({9}), {DType::kI32, {9, 5}}, 0, {5, 5}),
      // Rows of one element; of a vector and each side of it; of four and each side of them.
      Into(I64({9}), {d, {9, 1}}, 0, {5, 1}),
      Into(I64({9}), {d, {9, 15}}, 0, {5, 15}),
      Into(I64({9}), {d, {9, 16}}, 0, {5, 16}),
      Into(I64({9}), {d, {9, 63}}, 0, {5, 63}),
      Into(I64({9}), {d, {9, 64}}, 0, {5, 64}),
      Into(I64({9}), {d, {9, 150}}, 0, {5, 150}),
      Into(I64({3, 4}), {d, {3, 4, 17}}, 0, {5, 17}),
      Into(I32({7}), {d, {3, 7, 4}}, 1, {3, 5, 4}),
      Into(I64({19}), {d, {9, 19}}, 1, {9, 5}),
      Into(I64({b, 4}), {d, {b, 4, 3}}, 0, {5, 3}, {0, 1, 2, 17}),
      Into(I32({2, 3}), {d, {b, 2, 3, 3}}, 1, {b, 5, 3}, {0, 1, 9}),
      Into(I64({6}), {d, {6, 3}}, 0, {b, 3}, {0, 1, 4, 9}),
  };
}

std::vector<Sample> TakeSamples(DType d) {
  const ir::Dim b(kB);
  return {
      Along({d, {5}}, I64({7}), 0),
      Along({d, {5, 8}}, I32({5, 2}), 1),
      Along({d, {5, 17}}, I64({3, 17}), 0),
      Along({d, {3, 5, 4}}, I32({3, 9, 4}), 1),
      Along({d, {b, 5}}, I64({b, 3}), 1, {0, 1, 2, 17}),
      Along({d, {b, 3}}, I64({6, 3}), 0, {0, 1, 4}),
  };
}

std::vector<Sample> ScatterAddAlongSamples(DType d) {
  const ir::Dim b(kB);
  return {
      Into(I64({7}), {d, {7}}, 0, {5}),
      Into(I32({5, 2}), {d, {5, 2}}, 1, {5, 8}),
      Into(I64({3, 17}), {d, {3, 17}}, 0, {5, 17}),
      Into(I32({3, 9, 4}), {d, {3, 9, 4}}, 1, {3, 5, 4}),
      Into(I64({b, 3}), {d, {b, 3}}, 1, {b, 5}, {0, 1, 2, 17}),
      Into(I64({6, 3}), {d, {6, 3}}, 0, {b, 3}, {0, 1, 4}),
  };
}

Sample Cumulative(ir::Type x, int64_t axis, bool reverse, bool exclusive, Sizes batch = {}) {
  return {{std::move(x)},
          {{"axis", axis}, {"reverse", reverse}, {"exclusive", exclusive}},
          std::move(batch)};
}

std::vector<Sample> CumsumSamples(DType d) {
  const ir::Dim b(kB);
  std::vector<Sample> samples = {
      Cumulative({d, {1}}, 0, false, false),
      Cumulative({d, {0}}, 0, true, false),
      Cumulative({d, {37}}, 0, false, true),
      Cumulative({d, {5, 17}}, 0, true, true),
      Cumulative({d, {3, 9, 4}}, 1, true, false),
      Cumulative({d, {3, 9, 4}}, 1, false, true),
      Cumulative({DType::kI32, {4, 3}}, 1, false, false),
      Cumulative({DType::kI64, {3, 40}}, 1, true, true),
  };
  // Each side of a vector, of several, and of none; along the unit stride and across it.
  for (const int64_t n : {2, 7, 8, 9, 15, 16, 17, 64, 100}) {
    samples.push_back(Cumulative({d, {n}}, 0, n % 2 == 0, false));
    samples.push_back(Cumulative({d, {3, n}}, 1, n % 2 != 0, n % 2 == 0));
    samples.push_back(Cumulative({d, {n, 3}}, 0, false, n % 2 != 0));
    samples.push_back(Cumulative({d, {3, n}}, 0, true, false));
    samples.push_back(Cumulative({d, {2, n, 1}}, 1, false, false));
  }
  for (const bool reverse : {false, true}) {
    for (const bool exclusive : {false, true}) {
      samples.push_back(Cumulative({d, {b, 5}}, 0, reverse, exclusive, {0, 1, 2, 9, 17}));
      samples.push_back(Cumulative({d, {b, 5}}, 1, reverse, exclusive, {0, 1, 9}));
    }
  }
  return samples;
}

Array CumsumReference(const Given& g) {
  const Array& x = g.operands[0];
  const auto axis = static_cast<size_t>(g.attr<int64_t>("axis"));
  const bool reverse = g.attr<bool>("reverse"), exclusive = g.attr<bool>("exclusive");
  return Filled(x.dtype, x.shape, [&](const Sizes& i) {
    double sum = 0;
    Sizes at = i;
    for (at[axis] = 0; at[axis] < x.shape[axis]; ++at[axis]) {
      const bool before = reverse ? at[axis] > i[axis] : at[axis] < i[axis];
      if (before || (at[axis] == i[axis] && !exclusive)) sum += x.at(at);
    }
    return sum;
  });
}

// The places of the k greatest along the last axis, by sorting.
std::vector<size_t> Order(const Array& x, size_t row) {
  const auto n = static_cast<size_t>(x.shape.back());
  std::vector<size_t> places(n);
  std::iota(places.begin(), places.end(), size_t{0});
  const double* v = x.values.data() + row * n;
  std::stable_sort(places.begin(), places.end(), [&](size_t a, size_t b) {
    if (std::isnan(v[a]) || std::isnan(v[b])) return std::isnan(v[a]) && !std::isnan(v[b]);
    return v[a] > v[b];
  });
  return places;
}

OpCase TopKCase(std::string_view name, bool values, int64_t k, bool infinite) {
  return {.name = name,
          .samples =
              [k](DType d) {
                return std::vector<Sample>{{{{d, {k}}}, {}},
                                           {{{d, {3, 17}}}, {}},
                                           {{{d, {ir::Dim(kB), 6}}}, {}, {0, 1, 9}}};
              },
          .domains = {values ? Domain{.low = -5, .high = 5, .distinct = true}
                             : Domain{.low = -2, .high = 2, .grid = 1}},
          .reference =
              [values, k, infinite](const Given& g) {
                Array x = g.operands[0];
                if (infinite) {
                  for (double& v : x.values) v = v < 0 ? -kInf : v == 0 ? kNan : v;
                }
                Sizes shape = x.shape;
                shape.back() = k;
                return Filled(values ? x.dtype : DType::kI64, shape, [&](const Sizes& i) {
                  Sizes first = i;
                  first.back() = 0;
                  const auto row = static_cast<size_t>(FlatIndex(first, shape) / k);
                  const size_t place = Order(x, row)[static_cast<size_t>(i.back())];
                  if (!values) return static_cast<double>(place);
                  return x.values[row * static_cast<size_t>(x.shape.back()) + place];
                });
              },
          .gradient = values ? Gradient::kChecked : Gradient::kNone,
          .build =
              [values, k, infinite](ir::Module&, ir::Function&, const std::vector<Value>& x,
                                    const Sample&) {
                Value v = x[0];
                if (infinite) {
                  v = ir::select(ir::less(v, 0), -kInf, ir::select(ir::equal(v, 0), kNan, v));
                }
                const ir::TopK top = ir::top_k(v, k);
                return values ? top.values : top.indices;
              },
          .second_order = false};
}

}  // namespace

std::vector<OpCase> IndexingCases() {
  constexpr Domain kPlaces{.low = -1, .high = 6.99, .grid = 1};
  constexpr std::string_view kWrongIndices = "indices are i32 or i64, got f32";
  std::vector<OpCase> cases;
  cases.push_back({.name = "gather",
                   .samples = GatherSamples,
                   .domains = {kQuarters, kPlaces},
                   .reference = GatherReference,
                   .refused = {{{F32({2}), F32({3})}, {{"axis", int64_t{0}}}, kWrongIndices},
                               {{F32({2}), I64({3})}, {{"axis", int64_t{1}}}, "axis 1"}}});
  cases.push_back(
      {.name = "scatter_add",
       .samples = ScatterAddSamples,
       .domains = {kPlaces, kQuarters},
       .reference = ScatterAddReference,
       .refused = {
           {{F32({2}), F32({2})}, {{"axis", int64_t{0}}, {"shape", Shape{3}}}, kWrongIndices},
           {{I64({2}), I1({2})}, {{"axis", int64_t{0}}, {"shape", Shape{3}}}, "got i1"},
           {{I64({2}), F32({3})},
            {{"axis", int64_t{0}}, {"shape", Shape{3}}},
            "updates are [3], expected [2] for indices [2] into [3]"}}});
  cases.push_back({.name = "take_along_axis",
                   .samples = TakeSamples,
                   .domains = {kQuarters, kPlaces},
                   .reference = TakeAlongAxisReference,
                   .refused = {{{F32({2}), F32({3})}, {{"axis", int64_t{0}}}, kWrongIndices},
                               {{F32({2, 3}), I64({3, 3})},
                                {{"axis", int64_t{1}}},
                                "[2, 3] and [3, 3] may differ along axis 1 only"}}});
  cases.push_back(
      {.name = "scatter_add_along_axis",
       .samples = ScatterAddAlongSamples,
       .domains = {kPlaces, kQuarters},
       .reference = ScatterAddAlongAxisReference,
       .refused = {
           {{F32({2}), F32({2})}, {{"axis", int64_t{0}}, {"shape", Shape{3}}}, kWrongIndices},
           {{I64({2, 2}), F32({2, 2})},
            {{"axis", int64_t{1}}, {"shape", Shape{3, 3}}},
            "[3, 3] and [2, 2] may differ along axis 1 only"}}});
  cases.push_back(
      {.name = "cumsum",
       .samples = CumsumSamples,
       .domains = {kQuarters},
       .reference = CumsumReference,
       .refused = {
           {{I1({2})}, {{"axis", int64_t{0}}, {"reverse", false}, {"exclusive", false}}, "got i1"},
           {{F32({2})},
            {{"axis", int64_t{1}}, {"reverse", false}, {"exclusive", false}},
            "axis 1"}}});
  cases.push_back(TopKCase("top_k_values", /*values=*/true, 3, false));
  cases.push_back(TopKCase("top_k_indices", /*values=*/false, 3, false));
  cases.push_back(TopKCase("top_k_of_infinities", /*values=*/false, 4, true));
  // More than are written out.
  cases.push_back(TopKCase("top_k_values_in_a_loop", /*values=*/true, 5, false));
  cases.push_back(TopKCase("top_k_indices_in_a_loop", /*values=*/false, 6, false));
  cases.push_back(TopKCase("top_k_of_infinities_in_a_loop", /*values=*/false, 5, true));
  return cases;
}

}  // namespace gradus::test
