#include "frontend/recurrent.h"

#include <gtest/gtest.h>

#include <cmath>

#include "frontend/compile.h"
#include "ir/verifier.h"

namespace gradus {
namespace {

using Numbers = std::vector<double>;

runtime::Tensor Array(std::vector<int64_t> shape, const Numbers& values) {
  return runtime::Tensor::FromVector<double>(std::move(shape), values).value();
}

Numbers Waves(int64_t n, double phase) {
  Numbers out;
  for (int64_t i = 0; i < n; ++i) {
    out.push_back(std::sin(phase + 1.7 * static_cast<double>(i)) * 0.8);
  }
  return out;
}

Numbers ToNumbers(const runtime::Tensor& t) {
  return {t.data<double>().begin(), t.data<double>().end()};
}

void ExpectNear(const Numbers& got, const Numbers& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], tolerance) << i;
}

using Function = RecurrentResult (*)(Operand, const RecurrentWeights&, const RecurrentOptions&,
                                     const RecurrentInputs&);

constexpr int64_t kFeatures = 3, kUnits = 5;

// A layer with T open, compiled once: x, lengths, weights -> last output, sequence, and the
// gradients of a sum over both by x and the recurrent weights.
struct Compiled {
  Compiled(Function function, int64_t gates, RecurrentOptions options, bool masked,
           const std::string& pipeline = "default")
      : columns(gates * kUnits),
        bias_rows(gates == 3 && options.reset_after ? 2 : 1),
        has_lengths(masked) {
    Graph g("layer", DType::kF64);
    const Tensor x = g.Input("x", {kBatch, kTime, kFeatures});
    RecurrentInputs inputs;
    if (masked) inputs.mask = g.Input("lengths", {kBatch}, DType::kI64);
    const RecurrentWeights w{
        g.Input("kernel", {kFeatures, columns}), g.Input("recurrent", {kUnits, columns}),
        bias_rows == 2 ? g.Input("bias", {2, columns}) : g.Input("bias", {columns})};
    options.return_sequences = true;
    const RecurrentResult r = function(x, w, options, inputs);
    g.Output("last", r.states[0]);
    g.Output("sequence", r.output);
    const Tensor loss = reduce_sum(r.states[0] * r.states[0]) + reduce_sum(sin(r.output));
    const std::vector<Tensor> gradients = Grad(loss, {x, w.recurrent});
    g.Output("dx", gradients[0]);
    g.Output("du", gradients[1]);
    auto compiled = Compile(g, {.pipeline = pipeline, .cache_dir = ""});
    EXPECT_TRUE(compiled.ok()) << compiled.status();
    if (compiled.ok()) executable = std::move(*compiled);
  }

  std::vector<Numbers> Run(int64_t batch, int64_t steps, const Numbers& x,
                           const std::vector<int64_t>& lengths = {}) const {
    std::vector<runtime::Tensor> in;
    in.push_back(Array({batch, steps, kFeatures}, x));
    if (has_lengths) {
      in.push_back(runtime::Tensor::FromVector<int64_t>({batch}, lengths).value());
    }
    in.push_back(Array({kFeatures, columns}, Waves(kFeatures * columns, 0.3)));
    in.push_back(Array({kUnits, columns}, Waves(kUnits * columns, 0.9)));
    in.push_back(bias_rows == 2 ? Array({2, columns}, Waves(2 * columns, 0.1))
                                : Array({columns}, Waves(columns, 0.1)));
    auto out = executable->Run(std::move(in));
    EXPECT_TRUE(out.ok()) << out.status();
    std::vector<Numbers> numbers;
    for (const runtime::Tensor& t : *out) numbers.push_back(ToNumbers(t));
    return numbers;
  }

  int64_t columns, bias_rows;
  bool has_lengths;
  std::optional<runtime::Executable> executable;
};

struct Kind {
  std::string name;
  Function function;
  int64_t gates;
  RecurrentOptions options;
};

std::vector<Kind> Kinds() {
  return {{"simple_rnn", simple_rnn, 1, {}},
          {"lstm", lstm, 4, {}},
          {"gru", gru, 3, {}},
          {"gru_reset_before", gru, 3, {.reset_after = false}},
          {"lstm_backwards", lstm, 4, {.go_backwards = true}}};
}

TEST(Recurrent, OneCompilationServesEveryNumberOfStepsWithAndWithoutPasses) {
  for (const Kind& kind : Kinds()) {
    const Compiled fast(kind.function, kind.gates, kind.options, false);
    const Compiled plain(kind.function, kind.gates, kind.options, false, "none");
    ASSERT_TRUE(fast.executable && plain.executable);
    for (const int64_t steps : {0, 1, 2, 3, 10, 33}) {
      const Numbers x = Waves(2 * steps * kFeatures, 0.5);
      const auto got = fast.Run(2, steps, x), want = plain.Run(2, steps, x);
      for (size_t i = 0; i < got.size(); ++i) {
        SCOPED_TRACE(kind.name + " steps " + std::to_string(steps) + " result " +
                     std::to_string(i));
        ExpectNear(got[i], want[i], 1e-12);
      }
      if (steps == 0) ExpectNear(got[0], Numbers(2 * kUnits, 0.0), 0);
    }
  }
}

// The gradient of a loop is a loop, which has a gradient, too: of the gradient's product with fixed
// weights, against central differences of fourth order.
TEST(Recurrent, SecondOrderGradientsAgreeWithCentralDifferences) {
  constexpr int64_t kSteps = 4, kBatchSize = 2;
  for (const Kind& kind : Kinds()) {
    SCOPED_TRACE(kind.name);
    const int64_t columns = kind.gates * kUnits;
    const bool two_rows = kind.gates == 3 && kind.options.reset_after;
    const Shape bias = two_rows ? Shape{2, columns} : Shape{columns};
    Graph g("layer", DType::kF64);
    const Tensor x = g.Input("x", {kBatch, kTime, kFeatures});
    const RecurrentWeights w{g.Input("kernel", {kFeatures, columns}),
                             g.Input("recurrent", {kUnits, columns}), g.Input("bias", bias)};
    RecurrentOptions options = kind.options;
    options.return_sequences = true;
    const RecurrentResult r = kind.function(x, w, options, {});
    const Tensor loss = reduce_sum(r.states[0] * r.states[0]) + reduce_sum(sin(r.output));
    const std::vector<Tensor> of = {x, w.kernel, w.recurrent, w.bias};
    Tensor product;
    for (const Tensor first : Grad(loss, of)) {
      // Weights of any fixed kind: cos(place along the last axis).
      const Tensor places = cast(iota(g.function(), {DType::kI64, first.shape()}, -1), DType::kF64);
      const Tensor sum = reduce_sum(first * cos(places));
      product = product ? product + sum : sum;
    }
    g.Output("product", product);
    const std::vector<Tensor> second = Grad(product, of);
    for (size_t i = 0; i < second.size(); ++i) g.Output("d" + std::to_string(i), second[i]);
    auto compiled = Compile(g, {.cache_dir = ""});
    ASSERT_TRUE(compiled.ok()) << compiled.status();

    const std::vector<std::vector<int64_t>> shapes = {
        {kBatchSize, kSteps, kFeatures},
        {kFeatures, columns},
        {kUnits, columns},
        two_rows ? std::vector<int64_t>{2, columns} : std::vector<int64_t>{columns}};
    std::vector<Numbers> values;
    for (const std::vector<int64_t>& shape : shapes) {
      int64_t n = 1;
      for (const int64_t size : shape) n *= size;
      values.push_back(Waves(n, 0.3 + static_cast<double>(values.size())));
    }
    const auto run = [&](const std::vector<Numbers>& at) {
      std::vector<runtime::Tensor> in;
      for (size_t i = 0; i < at.size(); ++i) in.push_back(Array(shapes[i], at[i]));
      return compiled->Run(std::move(in)).value();
    };
    const std::vector<runtime::Tensor> got = run(values);
    for (size_t i = 0; i < values.size(); ++i) {
      const Numbers gradient = ToNumbers(got[i + 1]);
      ASSERT_EQ(gradient.size(), values[i].size());
      double largest = 0;
      for (const double v : gradient) largest = std::max(largest, std::fabs(v));
      EXPECT_GT(largest, 0.1) << i;
      for (size_t e = 0; e < gradient.size(); e += 1 + gradient.size() / 9) {
        constexpr double kStep = 1e-3;
        double slope = 0;
        for (const auto& [steps, weight] : {std::pair{-2, 1.0}, {-1, -8.0}, {1, 8.0}, {2, -1.0}}) {
          std::vector<Numbers> moved = values;
          moved[i][e] += steps * kStep;
          slope += weight * ToNumbers(run(moved)[0])[0] / (12 * kStep);
        }
        EXPECT_NEAR(gradient[e], slope, 1e-8 * std::max(1.0, largest)) << i << " element " << e;
      }
    }
  }
}

TEST(Recurrent, TenThousandSteps) {
  const Compiled c(lstm, 4, {}, false);
  const auto got = c.Run(1, 10'000, Waves(10'000 * kFeatures, 0.5));
  // The sequence's last row is the last state.
  ExpectNear({got[1].end() - kUnits, got[1].end()}, got[0], 0);
  for (const double x : got[3]) EXPECT_TRUE(std::isfinite(x));
}

// A sample's results are those of the sample alone without its padding, which gets no gradient.
TEST(Recurrent, PaddingChangesNothing) {
  constexpr int64_t kSteps = 6;
  const std::vector<int64_t> lengths = {6, 2, 0, 5};
  for (const Kind& kind : Kinds()) {
    const Compiled c(kind.function, kind.gates, kind.options, true);
    ASSERT_TRUE(c.executable);
    const Numbers x = Waves(4 * kSteps * kFeatures, 0.5);
    const auto all = c.Run(4, kSteps, x, lengths);
    for (int64_t b = 0; b < 4; ++b) {
      SCOPED_TRACE(kind.name + " sample " + std::to_string(b));
      const int64_t n = lengths[static_cast<size_t>(b)];
      const auto begin = x.begin() + b * kSteps * kFeatures;
      const auto alone = c.Run(1, n, {begin, begin + n * kFeatures}, {n});
      const auto last = all[0].begin() + b * kUnits;
      ExpectNear({last, last + kUnits}, alone[0], 1e-12);
      const auto sequence = all[1].begin() + b * kSteps * kUnits;
      const bool backwards = kind.options.go_backwards;  // padding comes first
      const int64_t first = backwards ? kSteps - n : 0;
      ExpectNear({sequence + first * kUnits, sequence + (first + n) * kUnits}, alone[1], 1e-12);
      for (int64_t t = n; t < kSteps && !backwards; ++t) {  // the last one again
        ExpectNear({sequence + t * kUnits, sequence + (t + 1) * kUnits}, alone[0], 1e-12);
      }
      for (int64_t i = n * kFeatures; i < kSteps * kFeatures; ++i) {
        EXPECT_EQ(all[2][static_cast<size_t>(b * kSteps * kFeatures + i)], 0.0);
      }
    }
  }
}

TEST(Recurrent, ModelsHaveTheParametersOfKeras) {
  Model rnn("rnn");
  Tensor x = rnn.Input("x", {kBatch, 12, 12});
  x = rnn.Add<SimpleRNN>("rnn", 128)(x);
  rnn.Output("p", rnn.Add<Dense>("out", 1, sigmoid)(rnn.Add<Dense>("hidden", 64, relu)(x)));
  ASSERT_TRUE(rnn.Check().ok()) << rnn.Check();
  EXPECT_EQ(rnn.num_parameters(), 26369);
  Model m("lstm");
  x = m.Input("x", {kBatch, 1, 12});
  x = m.Add<LSTM>("lstm", 128)(x);
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(m.Add<Dense>("hidden", 64, relu)(x)));
  ASSERT_TRUE(m.Check().ok()) << m.Check();
  EXPECT_EQ(m.num_parameters(), 80513);
  EXPECT_EQ(m.layers()[0].parameters, 72192);
  EXPECT_EQ(m.module().parameters()[2].initializer.kind, "unit_forget_bias");
}

TEST(Recurrent, BothDirections) {
  Model m("both");
  const Tensor x = m.Input("x", {kBatch, kTime, 3});
  Bidirectional& both = m.Add<Bidirectional>("both", std::in_place_type<GRU>, 4,
                                             RecurrentOptions{.return_sequences = true});
  const RecurrentResult r = both.Apply(x);
  m.Output("y", r.output);
  ASSERT_TRUE(m.Check().ok()) << m.Check();
  EXPECT_EQ(ir::ToString(r.output.type()), "f32[B, T, 8]");
  EXPECT_EQ(r.states.size(), 2U);
  EXPECT_EQ(m.num_parameters(), 2 * (3 * 12 + 4 * 12 + 2 * 12));
  EXPECT_EQ(m.layers()[0].parameters, m.num_parameters());
  EXPECT_TRUE(ir::Verify(m.module()).ok()) << ir::Verify(m.module());
}

TEST(Recurrent, RefusesWithALocationAndTheNextStep) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 3});
  m.Output("y", m.Add<LSTM>("lstm", 4)(x));
  const std::string error(m.Check().message());
  EXPECT_NE(error.find("layer lstm: takes [batch, time, features] with a fixed number of "
                       "features, got f32[B, 3]"),
            std::string::npos)
      << error;
  EXPECT_NE(error.find("return_sequences"), std::string::npos) << error;
  EXPECT_NE(error.find("recurrent_test.cpp"), std::string::npos) << error;

  Model n("n");
  const Tensor sequence = n.Input("x", {kBatch, 7, 3});
  const Tensor mask = n.Input("mask", {kBatch, 3}, DType::kI1);
  n.Output("y", n.Add<LSTM>("lstm", 4).Apply(sequence, {.mask = mask}).output);
  EXPECT_NE(n.Check().message().find("takes a mask i1[batch, time] or lengths"),
            std::string_view::npos)
      << n.Check();
}

TEST(Scan, TheStepMayUseOnlyWhatItIsGiven) {
  Graph g("g");
  const Tensor x = g.Input("x", {kTime, 3});
  const Tensor h = g.Input("h", {3});
  const ScanValues r = Scan("sum", {.carries = {h}, .sequences = {x}}, [&](const ScanStep& s) {
    return ScanValues{.carries = {s.carries[0] + s.elements[0]}, .outputs = {h}};
  });
  EXPECT_TRUE(r.outputs[0].is_poison());
  ASSERT_TRUE(g.function().error());
  EXPECT_NE(g.function().error()->ToString().find("pass weights as invariants"), std::string::npos);
}

}  // namespace
}  // namespace gradus
