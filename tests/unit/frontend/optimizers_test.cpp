// Each optimiser's compiled update against its formula in double, over several steps.

#include "frontend/optimizers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "frontend/compile.h"

namespace gradus {
namespace {

constexpr int kSize = 5;
using Row = std::array<double, kSize>;

struct State {
  Row p{}, m{}, v{};
};

Row GradientAt(int step) {
  Row g{};
  for (int i = 0; i < kSize; ++i)
    g[static_cast<size_t>(i)] = (i - 1.7) * std::pow(10.0, -i) * (step % 2 == 0 ? 1 : -0.3);
  return g;
}

// Runs an optimiser in f64 for some steps and compares each with `expected`.
void ExpectSteps(const Optimizer& optimizer,
                 void (*expected)(State&, const Row& g, double rate, int t)) {
  Graph g("optimizer", DType::kF64);
  const Shape shape = {kSize};
  const Tensor p = g.Input("p", shape), gradient = g.Input("g", shape), rate = g.Input("rate", {}),
               step = g.Input("step", {});
  std::vector<Tensor> state;
  for (const std::string& slot : optimizer.slots()) state.push_back(g.Input(slot, shape));
  const Update update = optimizer.Apply({p, gradient, state, rate, step});
  ASSERT_EQ(update.state.size(), state.size());
  g.Output("new_p", update.parameter);
  for (size_t i = 0; i < state.size(); ++i)
    g.Output("new_" + optimizer.slots()[i], update.state[i]);
  auto f = Compile(g, {.cache_dir = ""});
  ASSERT_TRUE(f.ok()) << f.status();

  State want;
  for (int i = 0; i < kSize; ++i) want.p[static_cast<size_t>(i)] = 0.1 * i - 0.2;
  State got = want;
  const double learning_rate = optimizer.learning_rate();
  for (int t = 1; t <= 5; ++t) {
    const Row gradient_now = GradientAt(t);
    std::vector<runtime::Tensor> in;
    const auto give = [&](const Row& r) {
      in.push_back(runtime::Tensor::FromVector<double>({kSize}, {r.begin(), r.end()}).value());
    };
    give(got.p);
    give(gradient_now);
    in.push_back(runtime::Tensor::FromVector<double>({}, {learning_rate}).value());
    in.push_back(runtime::Tensor::FromVector<double>({}, {static_cast<double>(t)}).value());
    if (state.size() > 0) give(got.m);
    if (state.size() > 1) give(got.v);
    const auto out = f->Run(std::move(in));
    ASSERT_TRUE(out.ok()) << out.status();
    std::ranges::copy((*out)[0].data<double>(), got.p.begin());
    if (state.size() > 0) std::ranges::copy((*out)[1].data<double>(), got.m.begin());
    if (state.size() > 1) std::ranges::copy((*out)[2].data<double>(), got.v.begin());
    expected(want, gradient_now, learning_rate, t);
    for (size_t i = 0; i < kSize; ++i) {
      EXPECT_NEAR(got.p[i], want.p[i], 1e-13) << "p, step " << t << ", element " << i;
      EXPECT_NEAR(got.m[i], want.m[i], 1e-15) << "m, step " << t << ", element " << i;
      EXPECT_NEAR(got.v[i], want.v[i], 1e-15) << "v, step " << t << ", element " << i;
    }
  }
}

TEST(Optimizers, SgdGoesDownTheGradient) {
  ExpectSteps(SGD(0.05), [](State& s, const Row& g, double rate, int) {
    for (size_t i = 0; i < kSize; ++i) s.p[i] -= rate * g[i];
  });
}

void Moments(State& s, const Row& g) {
  for (size_t i = 0; i < kSize; ++i) {
    s.m[i] = 0.9 * s.m[i] + 0.1 * g[i];
    s.v[i] = 0.999 * s.v[i] + 0.001 * g[i] * g[i];
  }
}

TEST(Optimizers, AdamIsThePapersWithTheUsualEpsilon) {
  ExpectSteps(Adam({.learning_rate = 0.01, .epsilon = 1e-4, .epsilon_form = AdamEpsilon::kUsual}),
              [](State& s, const Row& g, double rate, int t) {
                Moments(s, g);
                for (size_t i = 0; i < kSize; ++i) {
                  const double m = s.m[i] / (1 - std::pow(0.9, t)),
                               v = s.v[i] / (1 - std::pow(0.999, t));
                  s.p[i] -= rate * m / (std::sqrt(v) + 1e-4);
                }
              });
}

TEST(Optimizers, AdamAddsEpsilonToTheUncorrectedRootAsKerasDoes) {
  ExpectSteps(Adam({.learning_rate = 0.01, .epsilon = 1e-4}), [](State& s, const Row& g,
                                                                 double rate, int t) {
    Moments(s, g);
    const double corrected = rate * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
    for (size_t i = 0; i < kSize; ++i) s.p[i] -= corrected * s.m[i] / (std::sqrt(s.v[i]) + 1e-4);
  });
}

TEST(Optimizers, AdamWithoutMomentumDividesByTheGradientsSize) {
  ExpectSteps(Adam({.learning_rate = 0.01, .beta1 = 0, .beta2 = 0, .epsilon = 1e-3}),
              [](State& s, const Row& g, double rate, int) {
                for (size_t i = 0; i < kSize; ++i) {
                  s.m[i] = g[i];
                  s.v[i] = g[i] * g[i];
                  s.p[i] -= rate * g[i] / (std::abs(g[i]) + 1e-3);
                }
              });
}

TEST(Optimizers, DefaultsAreThoseOfKeras) {
  EXPECT_EQ(SGD().learning_rate(), 0.01);
  const Adam adam;
  EXPECT_EQ(adam.learning_rate(), 0.001);
  EXPECT_EQ(adam.options.beta1, 0.9);
  EXPECT_EQ(adam.options.beta2, 0.999);
  EXPECT_EQ(adam.options.epsilon, 1e-7);
}

}  // namespace
}  // namespace gradus
