// Rows: ops that move elements. All exact.

#include "tests/ops/cases_elementwise.h"

namespace gradus::test {
namespace {

using ir::IntList;
using ir::Shape;

Sizes Numbers(const Shape& shape) {
  Sizes sizes;
  for (const ir::Dim& d : shape) sizes.push_back(d.size());
  return sizes;
}

Array BroadcastReference(const Given& g) {
  const Array& x = g.operands[0];
  const IntList& axes = g.attr<IntList>("axes");
  return Filled(x.dtype, Numbers(g.attr<Shape>("shape")), [&](const Sizes& i) {
    Sizes from;
    for (size_t k = 0; k < axes.size(); ++k)
      from.push_back(x.shape[k] == 1 ? 0 : i[static_cast<size_t>(axes[k])]);
    return x.at(from);
  });
}

Array ReshapeReference(const Given& g) {
  return {g.dtype(), Numbers(g.attr<Shape>("shape")), g.operands[0].values};
}

Array TransposeReference(const Given& g) {
  const Array& x = g.operands[0];
  const IntList& permutation = g.attr<IntList>("permutation");
  Sizes shape;
  for (const int64_t axis : permutation) shape.push_back(x.shape[static_cast<size_t>(axis)]);
  return Filled(x.dtype, shape, [&](const Sizes& i) {
    Sizes from(i.size());
    for (size_t k = 0; k < i.size(); ++k) from[static_cast<size_t>(permutation[k])] = i[k];
    return x.at(from);
  });
}

Array SliceReference(const Given& g) {
  const Array& x = g.operands[0];
  const IntList &begin = g.attr<IntList>("begin"), &step = g.attr<IntList>("step");
  return Filled(x.dtype, Numbers(g.attr<Shape>("shape")), [&](const Sizes& i) {
    Sizes from;
    for (size_t k = 0; k < i.size(); ++k) {
      from.push_back((begin[k] == -1 ? x.shape[k] - 1 : begin[k]) + i[k] * step[k]);
    }
    return x.at(from);
  });
}

// Writes x into an array of the value, rather than asking where each element comes from.
Array PadReference(const Given& g) {
  const Array& x = g.operands[0];
  const IntList &low = g.attr<IntList>("low"), &high = g.attr<IntList>("high"),
                &interior = g.attr<IntList>("interior");
  Sizes shape;
  for (size_t k = 0; k < x.shape.size(); ++k) {
    shape.push_back(low[k] + high[k] + x.shape[k] +
                    (x.shape[k] > 1 ? (x.shape[k] - 1) * interior[k] : 0));
  }
  Array result = Filled(x.dtype, shape, [&](const Sizes&) { return g.attr<double>("value"); });
  ForEachIndex(x.shape, [&](const Sizes& i) {
    Sizes to;
    for (size_t k = 0; k < i.size(); ++k) to.push_back(low[k] + i[k] * (interior[k] + 1));
    result.at(to) = x.at(i);
  });
  return result;
}

Array ConcatReference(const Given& g) {
  const auto axis = static_cast<size_t>(g.attr<int64_t>("axis"));
  Sizes shape = g.operands[0].shape;
  shape[axis] = 0;
  for (const Array& part : g.operands) shape[axis] += part.shape[axis];
  Array result = Filled(g.dtype(), shape, [](const Sizes&) { return 0; });
  int64_t offset = 0;
  for (const Array& part : g.operands) {
    ForEachIndex(part.shape, [&](const Sizes& i) {
      Sizes to = i;
      to[axis] += offset;
      result.at(to) = part.at(i);
    });
    offset += part.shape[axis];
  }
  return result;
}

Sample Padded(ir::Type x, IntList low, IntList high, IntList interior, double value,
              Sizes batch = {}) {
  return {{std::move(x)},
          {{"low", std::move(low)},
           {"high", std::move(high)},
           {"interior", std::move(interior)},
           {"value", value}},
          std::move(batch)};
}

Sample Sliced(ir::Type x, IntList begin, Shape shape, IntList step, Sizes batch = {}) {
  return {{std::move(x)},
          {{"begin", std::move(begin)}, {"shape", std::move(shape)}, {"step", std::move(step)}},
          std::move(batch)};
}

Sample Broadcast(ir::Type x, IntList axes, Shape shape, Sizes batch = {}) {
  return {
      {std::move(x)}, {{"axes", std::move(axes)}, {"shape", std::move(shape)}}, std::move(batch)};
}

}  // namespace

std::vector<OpCase> MovementCases() {
  const ir::Dim b(kB);
  const Sizes few = {0, 1, 7, 16, 17};
  std::vector<OpCase> cases;
  cases.push_back({.name = "broadcast",
                   .samples =
                       [=](DType d) {
                         return std::vector<Sample>{
                             Broadcast({d, {}}, {}, {}),
                             Broadcast({d, {}}, {}, {17}),
                             Broadcast({d, {5}}, {1}, {3, 5}),
                             Broadcast({d, {5}}, {0}, {5, 17}),
                             Broadcast({d, {1, 5}}, {0, 1}, {4, 5}),
                             Broadcast({d, {4, 1}}, {0, 2}, {4, 3, 16}),
                             Broadcast({d, {1}}, {0}, {0}),
                             Broadcast({d, {0}}, {1}, {3, 0}),
                             Broadcast({d, {16}}, {1}, {b, 16}, few),
                             Broadcast({d, {b}}, {0}, {b, 5}, few),
                             Broadcast({d, {b, 1}}, {0, 1}, {b, 17}, few),
                             Broadcast({d, {1, 3}}, {0, 1}, {b, 3}, few),
                             Broadcast({DType::kI1, {3}}, {1}, {2, 3}),
                         };
                       },
                   .domains = {{}},
                   .reference = BroadcastReference,
                   .refused = {{{F32({3})},
                                {{"axes", IntList{0}}, {"shape", Shape{4}}},
                                "axis 0 of [3] does not stretch to axis 0 of [4]"},
                               {{F32({b})},
                                {{"axes", IntList{0}}, {"shape", Shape{4}}},
                                "axis 0 of [B] does not stretch to axis 0 of [4]"},
                               {{F32({3})},
                                {{"axes", IntList{}}, {"shape", Shape{3}}},
                                "axes has 0 entries for 1 axis"},
                               {{F32({3, 3})},
                                {{"axes", IntList{1, 0}}, {"shape", Shape{3, 3}}},
                                "axes must be in increasing order"},
                               {{F32({3})},
                                {{"axes", IntList{1}}, {"shape", Shape{3}}},
                                "axis 1 is out of range for [3] (1 axis)"}},
                   .specials = {}});
  cases.push_back(
      {.name = "reshape",
       .samples =
           [=](DType d) {
             const auto to = [&](Shape from, Shape shape, Sizes batch = {}) {
               return Sample{
                   {{d, std::move(from)}}, {{"shape", std::move(shape)}}, std::move(batch)};
             };
             return std::vector<Sample>{
                 to({}, {1, 1}),
                 to({1}, {}),
                 to({6}, {2, 3}),
                 to({2, 3}, {6}),
                 to({4, 6}, {3, 8}),
                 to({2, 3, 4}, {4, 3, 2}),
                 to({2, 1, 17}, {34}),
                 to({0, 3}, {5, 0}),
                 to({12, 5}, {3, 4, 5}),
                 to({b, 12}, {b, 3, 4}, few),
                 to({b, 3, 4}, {b, 12}, few),
                 to({b, 12}, {b, 12, 1}, few),
                 to({b}, {1, b, 1}, few),
                 to({2, 3, b, 4}, {6, b, 2, 2}, few),
                 to({b, 4, 6}, {b, 3, 8}, few),
             };
           },
       .domains = {{}},
       .reference = ReshapeReference,
       .refused = {{{F32({2, 3})},
                    {{"shape", Shape{7}}},
                    "[2, 3] does not reshape to [7]: 6 elements, 7 wanted"},
                   {{F32({b, 12})},
                    {{"shape", Shape{b, 5}}},
                    "[B, 12] does not reshape to [B, 5]: 12 elements after B, 5 wanted"},
                   {{F32({b, 12})},
                    {{"shape", Shape{12, b}}},
                    "[B, 12] does not reshape to [12, B]: 1 elements before B, 12 wanted"},
                   {{F32({b, 12})}, {{"shape", Shape{12}}}, "the symbolic sizes differ"},
                   {{F32({6})}, {{"shape", Shape{-1, 3}}}, "size -1 in [-1, 3] is negative"}},
       .specials = {}});
  cases.push_back(
      {.name = "transpose",
       .samples =
           [=](DType d) {
             const auto by = [&](Shape shape, IntList permutation, Sizes batch = {}) {
               return Sample{{{d, std::move(shape)}},
                             {{"permutation", std::move(permutation)}},
                             std::move(batch)};
             };
             return std::vector<Sample>{
                 by({}, {}),
                 by({5}, {0}),
                 by({3, 17}, {1, 0}),
                 by({17, 16}, {1, 0}),
                 by({33, 40}, {1, 0}),
                 by({2, 3, 4}, {2, 0, 1}),
                 by({2, 3, 4}, {1, 2, 0}),
                 by({2, 3, 4, 5}, {0, 2, 1, 3}),
                 by({0, 3}, {1, 0}),
                 by({b, 17}, {1, 0}, few),
                 by({b, 3, 4}, {0, 2, 1}, few),
                 by({b, 3, 4}, {2, 1, 0}, few),
             };
           },
       .domains = {{}},
       .reference = TransposeReference,
       .refused = {{{F32({2, 3})},
                    {{"permutation", IntList{0}}},
                    "permutation has 1 entries for 2 axes"},
                   {{F32({2, 3})}, {{"permutation", IntList{0, 0}}}, "axis 0 is given twice"},
                   {{F32({2, 3})},
                    {{"permutation", IntList{0, 2}}},
                    "axis 2 is out of range for [2, 3] (2 axes)"}},
       .specials = {}});
  cases.push_back(
      {.name = "slice",
       .samples =
           [=](DType d) {
             return std::vector<Sample>{
                 Sliced({d, {}}, {}, {}, {}),
                 Sliced({d, {17}}, {0}, {17}, {1}),
                 Sliced({d, {17}}, {3}, {9}, {1}),
                 Sliced({d, {17}}, {1}, {8}, {2}),
                 Sliced({d, {17}}, {16}, {17}, {-1}),
                 Sliced({d, {17}}, {-1}, {6}, {-3}),
                 Sliced({d, {17}}, {15}, {4}, {-4}),
                 Sliced({d, {17}}, {4}, {1}, {1000}),
                 Sliced({d, {17}}, {0}, {0}, {1}),
                 Sliced({d, {0}}, {0}, {0}, {1}),
                 Sliced({d, {5, 6}}, {1, 0}, {3, 6}, {1, 1}),
                 Sliced({d, {5, 6}}, {4, 1}, {2, 3}, {-2, 2}),
                 Sliced({d, {3, 4, 18}}, {0, 3, 1}, {3, 4, 17}, {1, -1, 1}),
                 Sliced({d, {b, 6}}, {0, 2}, {b, 3}, {1, 1}, few),
                 Sliced({d, {b, 6}}, {-1, 5}, {b, 3}, {-1, -2}, few),
                 Sliced({d, {b}}, {-1}, {b}, {-1}, SweptBatches()),
             };
           },
       .domains = {{}},
       .reference = SliceReference,
       .refused = {{{F32({5})},
                    {{"begin", IntList{3}}, {"shape", Shape{3}}, {"step", IntList{1}}},
                    "3 elements from 3 in steps of 1 do not fit axis 0 of size 5"},
                   {{F32({5})},
                    {{"begin", IntList{2}}, {"shape", Shape{4}}, {"step", IntList{-1}}},
                    "4 elements from 2 in steps of -1 do not fit axis 0 of size 5"},
                   {{F32({5})},
                    {{"begin", IntList{0}}, {"shape", Shape{1}}, {"step", IntList{0}}},
                    "step 0 along axis 0"},
                   {{F32({5})},
                    {{"begin", IntList{-2}}, {"shape", Shape{1}}, {"step", IntList{1}}},
                    "do not fit axis 0 of size 5"},
                   {{F32({b})},
                    {{"begin", IntList{1}}, {"shape", Shape{b}}, {"step", IntList{1}}},
                    "axis 0 has the symbolic size B, of which a part cannot be taken"},
                   {{F32({5})},
                    {{"begin", IntList{0}}, {"shape", Shape{b}}, {"step", IntList{1}}},
                    "axis 0 has 5 elements, B wanted"},
                   {{F32({5})},
                    {{"begin", IntList{0, 0}}, {"shape", Shape{5}}, {"step", IntList{1}}},
                    "begin has 2 entries for 1 axis"}},
       .specials = {}});
  cases.push_back(
      {.name = "pad",
       .samples =
           [=](DType d) {
             return std::vector<Sample>{
                 Padded({d, {}}, {}, {}, {}, 0),
                 Padded({d, {5}}, {0}, {0}, {0}, 0),
                 Padded({d, {5}}, {2}, {1}, {0}, 0),
                 Padded({d, {5}}, {2}, {1}, {0}, 0.5),
                 Padded({d, {5}}, {0}, {0}, {2}, 0),
                 Padded({d, {5}}, {1}, {3}, {2}, -1.5),
                 Padded({d, {1}}, {0}, {0}, {7}, 3),
                 Padded({d, {0}}, {2}, {1}, {4}, 3),
                 Padded({d, {17}}, {16}, {1}, {0}, 0),
                 Padded({d, {4, 5}}, {1, 0}, {1, 2}, {0, 1}, 0),
                 Padded({d, {4, 5}}, {1, 0}, {1, 2}, {1, 0}, 2),
                 Padded({d, {b, 5}}, {0, 1}, {0, 2}, {0, 1}, 0, few),
                 Padded({d, {b, 5}}, {0, 1}, {0, 2}, {0, 0}, 1, few),
                 Padded({DType::kI32, {5}}, {2}, {1}, {0}, -7),
             };
           },
       .domains = {{}},
       .reference = PadReference,
       .refused =
           {{{F32({5})},
             {{"low", IntList{-1}}, {"high", IntList{0}}, {"interior", IntList{0}}},
             "negative padding along axis 0"},
            {{F32({b})},
             {{"low", IntList{1}}, {"high", IntList{0}}, {"interior", IntList{0}}},
             "axis 0 has the symbolic size B, which padding would change"},
            {{F32({5})},
             {{"low", IntList{1, 1}}, {"high", IntList{0}}, {"interior", IntList{0}}},
             "low has 2 entries for 1 axis"},
            {{F32({5})},
             {{"low", IntList{INT64_MAX}}, {"high", IntList{0}}, {"interior", IntList{0}}},
             "axis 0 becomes too large"},
            {{I32({5})},
             {{"low", IntList{1}}, {"high", IntList{0}}, {"interior", IntList{0}}, {"value", 0.5}},
             "the value 0.5 is not one of i32"}},
       .specials = {}});
  cases.push_back({.name = "concat",
                   .samples =
                       [=](DType d) {
                         const auto joined = [&](std::vector<Shape> parts, int64_t axis,
                                                 Sizes batch = {}) {
                           Sample s{{}, {{"axis", axis}}, std::move(batch)};
                           for (Shape& part : parts) s.operands.push_back({d, std::move(part)});
                           return s;
                         };
                         return std::vector<Sample>{
                             joined({{5}}, 0),
                             joined({{2}, {3}}, 0),
                             joined({{16}, {0}, {1}, {17}}, 0),
                             joined({{0}, {0}}, 0),
                             joined({{2, 3}, {1, 3}}, 0),
                             joined({{2, 3}, {2, 4}, {2, 1}}, 1),
                             joined({{3, 1, 17}, {3, 2, 17}}, 1),
                             joined({{b, 3}, {b, 16}, {b, 1}}, 1, few),
                             joined({{2, b}, {1, b}}, 0, few),
                         };
                       },
                   .domains = {{}},
                   .reference = ConcatReference,
                   .refused = {{{}, {{"axis", int64_t{0}}}, "takes one operand at least"},
                               {{F32({2, 3}), F32({2, 4})},
                                {{"axis", int64_t{0}}},
                                "part 1 is [2, 4], part 0 is [2, 3]"},
                               {{F32({2}), F64({2})},
                                {{"axis", int64_t{0}}},
                                "f32 and f64 are different element types"},
                               {{F32({2}), F32({b})},
                                {{"axis", int64_t{0}}},
                                "part 1 has the symbolic size B along the joined axis 0"},
                               {{F32({2}), F32({2})},
                                {{"axis", int64_t{1}}},
                                "axis 1 is out of range for [2] (1 axis)"}},
                   .specials = {}});
  return cases;
}

}  // namespace gradus::test
