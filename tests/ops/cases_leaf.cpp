// Rows: constants, iota, random numbers, call.

#include <array>
#include <cmath>

#include "ir/builder.h"
#include "ir/ops/custom_gradient.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/structure.h"
#include "tests/ops/cases_elementwise.h"

namespace gradus::test {
namespace {

using ir::Shape;

Sizes Numbers(const Shape& shape) {
  Sizes sizes;
  for (const ir::Dim& d : shape) sizes.push_back(d.size());
  return sizes;
}

Array ConstantReference(const Given& g) {
  const auto dtype = g.attr<DType>("dtype");
  double x = ir::IsFloat(dtype) ? g.attr<double>("value")
                                : static_cast<double>(g.attr<int64_t>("integer"));
  if (dtype == DType::kF32) x = static_cast<double>(static_cast<float>(x));
  return Filled(dtype, Numbers(g.attr<Shape>("shape")), [&](const Sizes&) { return x; });
}

Array IotaReference(const Given& g) {
  const auto axis = static_cast<size_t>(g.attr<int64_t>("axis"));
  return Filled(g.attr<DType>("dtype"), Numbers(g.attr<Shape>("shape")),
                [&](const Sizes& i) { return static_cast<double>(i[axis]); });
}

// Philox 4x32-10 as in the paper, figure 2, on words.
std::array<uint32_t, 4> Words(uint64_t counter, uint64_t stream, uint64_t seed) {
  std::array<uint32_t, 4> c = {static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32),
                               static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
  auto k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c[0], p1 = uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

double Uniform(DType dtype, uint32_t low, uint32_t high) {
  if (dtype == DType::kF32) return static_cast<double>(low >> 8) * 0x1p-24;
  return (static_cast<double>(high >> 5) * 0x1p26 + static_cast<double>(low >> 6)) * 0x1p-53;
}

std::function<Array(const Given&)> Random(bool normal) {
  return [normal](const Given& g) {
    const auto dtype = g.attr<DType>("dtype");
    const auto seed = static_cast<uint64_t>(static_cast<int64_t>(g.operands[0].values[0]));
    const auto stream = static_cast<uint64_t>(static_cast<int64_t>(g.operands[1].values[0]));
    const Sizes shape = Numbers(g.attr<Shape>("shape"));
    uint64_t element = 0;
    return Filled(dtype, shape, [&](const Sizes&) {
      const std::array<uint32_t, 4> w = Words(element++, stream, seed);
      const double u = Uniform(dtype, w[0], w[1]);
      if (!normal) return u;
      const double v = dtype == DType::kF32 ? Uniform(dtype, w[1], 0) : Uniform(dtype, w[2], w[3]);
      return std::sqrt(-2 * std::log(1 - u)) * std::cos(6.283185307179586 * v);
    });
  };
}

std::vector<Sample> RandomSamples(DType d) {
  const auto draw = [&](Shape shape, Sizes batch = {}) {
    return Sample{
        {I64({}), I64({})}, {{"dtype", d}, {"shape", std::move(shape)}}, std::move(batch)};
  };
  return {draw({}), draw({0}), draw({37}), draw({3, 17}), draw({ir::Dim(kB), 3}, {0, 1, 16, 17})};
}

const std::vector<Refused> kRefusedRandom = {
    {{I32({}), I64({})},
     {{"dtype", DType::kF32}, {"shape", Shape{2}}},
     "seed and stream are i64[], got i32[]"},
    {{I64({}), I64({1})},
     {{"dtype", DType::kF32}, {"shape", Shape{2}}},
     "seed and stream are i64[], got i64[1]"},
    {{I64({}), I64({})},
     {{"dtype", DType::kI32}, {"shape", Shape{2}}},
     "takes f32 or f64, got i32"},
    {{I64({}), I64({})},
     {{"dtype", DType::kF32}, {"shape", Shape{-2}}},
     "size -2 in [-2] is negative"},
};

// Calls @twice(a, b) = a + a * b of the same module.
// x^2, whose gradient is written down: dy * 2 x.
ir::Value BuildSquareWithGradient(ir::Module& m, ir::Function& f, const std::vector<ir::Value>& x,
                                  const Sample&) {
  ir::Function& backward =
      m.AddFunction(m.UniqueName(f.name() + ".backward"), ir::FunctionKind::kBody);
  const ir::Value at = backward.AddArgument("x", x[0].type());
  backward.AddArgument("y", x[0].type());
  const ir::Value dy = backward.AddArgument("dy", x[0].type());
  backward.AddResult(dy * at * 2.0);
  return ir::with_gradient(x[0] * x[0], {x[0]}, backward);
}

ir::Value BuildCall(ir::Module& m, ir::Function& f, const std::vector<ir::Value>& operands,
                    const Sample&) {
  ir::Function& callee = m.AddFunction(m.UniqueName("shared"));
  const ir::Value a = callee.AddArgument("a", operands[0].type());
  const ir::Value b = callee.AddArgument("b", operands[1].type());
  const ir::Value product = ir::mul(a, b);
  callee.AddResult(ir::add(a, product));
  return ir::call(f, callee, operands)->result();
}

}  // namespace

std::vector<OpCase> LeafCases() {
  const ir::Dim b(kB);
  std::vector<OpCase> cases;
  cases.push_back(
      {.name = "constant",
       .samples =
           [=](DType d) {
             const auto splat = [&](Shape shape, double value, Sizes batch = {}) {
               return Sample{{},
                             {{"dtype", d},
                              {"shape", std::move(shape)},
                              {"value", value},
                              {"integer", int64_t{0}}},
                             std::move(batch)};
             };
             const auto whole = [&](DType integers, int64_t value) {
               return Sample{
                   {},
                   {{"dtype", integers}, {"shape", Shape{3}}, {"value", 0.0}, {"integer", value}}};
             };
             return std::vector<Sample>{
                 splat({}, 0.1),           splat({17}, -0.0),
                 splat({2, 3}, 1e300),     splat({0}, 1),
                 splat({4}, std::nan("")), whole(DType::kI1, 1),
                 whole(DType::kI32, -7),   whole(DType::kI64, int64_t{1} << 40),
             };
           },
       .domains = {},
       .reference = ConstantReference,
       .gradient = Gradient::kNone,
       .refused = {{{},
                    {{"dtype", DType::kF32}, {"shape", Shape{2}}, {"integer", int64_t{3}}},
                    "a constant of f32 has no integer"},
                   {{},
                    {{"dtype", DType::kI32}, {"shape", Shape{2}}, {"value", 0.5}},
                    "a constant of i32 has no value"},
                   {{},
                    {{"dtype", DType::kI32}, {"shape", Shape{2}}, {"integer", int64_t{1} << 31}},
                    "the integer 2147483648 is not one of i32"},
                   {{},
                    {{"dtype", DType::kI1}, {"shape", Shape{2}}, {"integer", int64_t{2}}},
                    "the integer 2 is not one of i1"},
                   {{},
                    {{"dtype", DType::kF32}, {"shape", Shape{-2}}},
                    "size -2 in [-2] is negative"},
                   {{}, {{"dtype", DType::kF32}}, "attribute shape is missing"}},
       .specials = {}});
  cases.push_back(
      {.name = "iota",
       .samples =
           [=](DType d) {
             std::vector<Sample> samples;
             for (const DType any : {d, DType::kI32, DType::kI64}) {
               samples.push_back(
                   {{}, {{"dtype", any}, {"shape", Shape{37}}, {"axis", int64_t{0}}}});
               samples.push_back(
                   {{}, {{"dtype", any}, {"shape", Shape{3, 5}}, {"axis", int64_t{0}}}});
               samples.push_back(
                   {{}, {{"dtype", any}, {"shape", Shape{3, 5}}, {"axis", int64_t{1}}}});
             }
             return samples;
           },
       .domains = {},
       .reference = IotaReference,
       .gradient = Gradient::kNone,
       .refused = {{{},
                    {{"dtype", DType::kF32}, {"shape", Shape{2}}, {"axis", int64_t{1}}},
                    "axis 1 is out of range for [2] (1 axis)"},
                   {{},
                    {{"dtype", DType::kI1}, {"shape", Shape{2}}, {"axis", int64_t{0}}},
                    "takes f32, f64, i32 or i64, got i1"}},
       .specials = {}});
  cases.push_back({.name = "random_uniform",
                   .samples = RandomSamples,
                   .domains = {{.low = -1e9, .high = 1e9}, {.low = 0, .high = 100}},
                   .reference = Random(false),
                   .gradient = Gradient::kNone,
                   .refused = kRefusedRandom,
                   .specials = {}});
  cases.push_back({.name = "random_normal",
                   .samples = RandomSamples,
                   .domains = {{.low = -1e9, .high = 1e9}, {.low = 0, .high = 100}},
                   .reference = Random(true),
                   // The angle is rounded before its cosine is taken: up to 2 pi * 2^-24 off, times
                   // a radius below 6.
                   .f32 = {.ulps = 6, .absolute = 6 * 6.3 * 0x1p-24},
                   .f64 = {.ulps = 6, .absolute = 9 * 6.3 * 0x1p-53},
                   .gradient = Gradient::kNone,
                   .refused = kRefusedRandom,
                   .specials = {}});
  cases.push_back({.name = "call",
                   .samples =
                       [=](DType d) {
                         return std::vector<Sample>{{{{d, {5}}, {d, {5}}}, {}},
                                                    {{{d, {b, 3}}, {d, {b, 3}}}, {}, {0, 1, 17}}};
                       },
                   .domains = {{.low = -4, .high = 4, .grid = 0.125}},
                   .reference = Each([](double x, double y) { return x + x * y; }),
                   .gradient = Gradient::kRefused,  // calls are inlined before differentiation
                   .refused = {{{F32({2})},
                                {{"callee", ir::FunctionRef{"nobody"}}},
                                "there is no function @nobody"},
                               {{F32({2})}, {}, "attribute callee is missing"}},
                   .specials = {},
                   .build = BuildCall});
  cases.push_back({.name = "with_gradient",
                   .samples =
                       [=](DType d) {
                         return std::vector<Sample>{{{{d, {5}}}, {}},
                                                    {{{d, {b, 3}}}, {}, {0, 1, 17}}};
                       },
                   .domains = {{.low = -4, .high = 4, .grid = 0.125}},
                   .reference = Each([](double x) { return x * x; }),
                   .refused = {{{F32({2}), F32({2})},
                                {{"backward", ir::FunctionRef{"nobody"}}},
                                "there is no function @nobody"},
                               {{F32({2})}, {}, "attribute backward is missing"}},
                   .specials = {},
                   .build = BuildSquareWithGradient});
  return cases;
}

}  // namespace gradus::test
