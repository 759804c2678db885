// Rows: loops over time.

#include "ir/ops/elementwise.h"
#include "ir/ops/movement.h"
#include "ir/ops/scan.h"
#include "tests/ops/op_cases.h"

namespace gradus::test {
namespace {

using ir::Shape;
using ir::Value;

const ir::Type& TypeOf(const std::vector<Value>& operands, size_t i) { return operands[i].type(); }

// Carry h, sequence x, invariant w of the same row:  h' = h w + x,  y = h' x + h. The result is
// y[t] + h at the end, so that both kinds of results count.
Value BuildScan(ir::Module& m, ir::Function& f, const std::vector<Value>& operands,
                const Sample& s) {
  ir::Function& body = m.AddFunction(m.UniqueName("step"), ir::FunctionKind::kBody);
  const Value h = body.AddArgument("h", TypeOf(operands, 0));
  const Value x = body.AddArgument("x", TypeOf(operands, 0));
  const Value w = body.AddArgument("w", TypeOf(operands, 2));
  const Value next = ir::add(ir::mul(h, w), x);
  body.AddResult(next);
  body.AddResult(ir::add(ir::mul(next, x), h));
  const bool reverse = !s.attrs.empty() && std::get<bool>(s.attrs[0].value);
  ir::Node* node = ir::scan(f, body, std::span(&operands[0], 1), std::span(&operands[1], 1),
                            std::span(&operands[2], 1),
                            {.length = TypeOf(operands, 1).shape[0], .reverse = reverse});
  if (node == nullptr) return f.poison();
  return ir::add(node->result(1), node->result(0));
}

Array ReferenceScan(const Given& g) {
  const Array &h0 = g.operands[0], &x = g.operands[1], &w = g.operands[2];
  const bool reverse = !g.attrs.empty() && std::get<bool>(g.attrs[0].value);
  const int64_t steps = x.shape[0], n = h0.shape[0];
  std::vector<double> h = h0.values;
  Array out = Filled(x.dtype, x.shape, [](const Sizes&) { return 0.0; });
  for (int64_t s = 0; s < steps; ++s) {
    const int64_t t = reverse ? steps - 1 - s : s;
    for (int64_t i = 0; i < n; ++i) {
      double& at = h[static_cast<size_t>(i)];
      const double next = at * w.at({i}) + x.at({t, i});
      out.at({t, i}) = next * x.at({t, i}) + at;
      at = next;
    }
  }
  for (int64_t t = 0; t < steps; ++t) {
    for (int64_t i = 0; i < n; ++i) out.at({t, i}) += h[static_cast<size_t>(i)];
  }
  return out;
}

ir::AttrList Attributes(int64_t carries, int64_t sequences, const Shape& length) {
  return {{"callee", ir::FunctionRef{"f"}},
          {"carries", carries},
          {"sequences", sequences},
          {"length", length}};
}

}  // namespace

std::vector<OpCase> ScanCases() {
  const ir::Dim t(kB);
  std::vector<OpCase> cases;
  cases.push_back(
      {.name = "scan",
       .samples =
           [=](DType d) {
             std::vector<Sample> samples;
             for (const int64_t n : {1, 3, 16, 17}) {
               samples.push_back({{{d, {n}}, {d, {4, n}}, {d, {n}}}, {}});
               samples.push_back({{{d, {n}}, {d, {t, n}}, {d, {n}}}, {}, {0, 1, 2, 9}});
             }
             samples.push_back(
                 {{{d, {3}}, {d, {t, 3}}, {d, {3}}}, {{"reverse", true}}, {0, 1, 2, 9}});
             return samples;
           },
       .domains = {{.low = -2, .high = 2}, {.low = -2, .high = 2}, {.low = -0.9, .high = 0.9}},
       .reference = ReferenceScan,
       .f32 = {.ulps = 4, .absolute = 1e-5},
       .f64 = {.ulps = 4, .absolute = 1e-13},
       .refused = {{{{DType::kF32, {2}}},
                    {{"callee", ir::FunctionRef{"nobody"}},
                     {"carries", int64_t{0}},
                     {"sequences", int64_t{0}},
                     {"length", Shape{t}}},
                    "there is no function @nobody"},
                   {{{DType::kF32, {2}}}, Attributes(0, 0, {t}), "@f is not a body"},
                   {{{DType::kF32, {2}}},
                    Attributes(-1, 0, {t}),
                    "a number of operands is negative"},
                   {{{DType::kF32, {2}}},
                    Attributes(0, 0, {t, t}),
                    "length is one number of steps or a symbol, got [B, B]"}},
       .specials = {},
       .build = BuildScan});
  return cases;
}

}  // namespace gradus::test
