// Each optimiser's compiled update against its formula in double, over several steps.

#include "frontend/optimizers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "frontend/compile.h"

namespace gradus {
namespace {

constexpr int kSize = 5;
using Row = std::array<double, kSize>;

// The parameter and up to three slots in the optimiser's order.
struct State {
  Row p{};
  std::array<Row, 3> slot{};
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
  UpdateContext c{g.Input("p", shape), g.Input("g", shape), {},
                  g.Input("rate", {}), g.Input("step", {}), {}};
  const std::vector<Slot> slots = optimizer.slots();
  for (const Slot& slot : slots) c.state.push_back(g.Input(slot.name, shape));
  c.common = optimizer.Prepare(c.learning_rate, c.step);
  const Update update = optimizer.Apply(c);
  ASSERT_EQ(update.state.size(), slots.size());
  g.Output("new_p", update.parameter);
  for (size_t i = 0; i < slots.size(); ++i) g.Output("new_" + slots[i].name, update.state[i]);
  auto f = Compile(g, {.cache_dir = ""});
  ASSERT_TRUE(f.ok()) << f.status();

  State want;
  for (int i = 0; i < kSize; ++i) want.p[static_cast<size_t>(i)] = 0.1 * i - 0.2;
  for (size_t i = 0; i < slots.size(); ++i) want.slot[i].fill(slots[i].start);
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
    for (size_t i = 0; i < slots.size(); ++i) give(got.slot[i]);
    const auto out = f->Run(std::move(in));
    ASSERT_TRUE(out.ok()) << out.status();
    std::ranges::copy((*out)[0].data<double>(), got.p.begin());
    for (size_t i = 0; i < slots.size(); ++i) {
      std::ranges::copy((*out)[i + 1].data<double>(), got.slot[i].begin());
    }
    expected(want, gradient_now, learning_rate, t);
    for (size_t i = 0; i < kSize; ++i) {
      EXPECT_NEAR(got.p[i], want.p[i], 1e-13) << "p, step " << t << ", element " << i;
      for (size_t k = 0; k < slots.size(); ++k) {
        EXPECT_NEAR(got.slot[k][i], want.slot[k][i], 1e-15)
            << slots[k].name << ", step " << t << ", element " << i;
      }
    }
  }
}

TEST(Optimizers, SgdGoesDownTheGradient) {
  ExpectSteps(SGD(0.05), [](State& s, const Row& g, double rate, int) {
    for (size_t i = 0; i < kSize; ++i) s.p[i] -= rate * g[i];
  });
}

TEST(Optimizers, SgdWithMomentumSumsVelocities) {
  ExpectSteps(SGD({.learning_rate = 0.05, .momentum = 0.8}),
              [](State& s, const Row& g, double rate, int) {
                for (size_t i = 0; i < kSize; ++i) {
                  s.slot[0][i] = 0.8 * s.slot[0][i] + g[i];
                  s.p[i] -= rate * s.slot[0][i];
                }
              });
}

TEST(Optimizers, NesterovLooksOneStepAhead) {
  ExpectSteps(SGD({.learning_rate = 0.05, .momentum = 0.8, .nesterov = true}),
              [](State& s, const Row& g, double rate, int) {
                for (size_t i = 0; i < kSize; ++i) {
                  s.slot[0][i] = 0.8 * s.slot[0][i] + g[i];
                  s.p[i] -= rate * (g[i] + 0.8 * s.slot[0][i]);
                }
              });
}

TEST(Optimizers, AdagradDividesByTheRootOfAllSquares) {
  ExpectSteps(Adagrad({.learning_rate = 0.05, .initial_accumulator = 0.3, .epsilon = 1e-3}),
              [](State& s, const Row& g, double rate, int t) {
                for (size_t i = 0; i < kSize; ++i) {
                  double sum = 0.3;
                  for (int k = 1; k <= t; ++k) sum += GradientAt(k)[i] * GradientAt(k)[i];
                  s.slot[0][i] = sum;
                  s.p[i] -= rate * g[i] / (std::sqrt(sum) + 1e-3);
                }
              });
}

TEST(Optimizers, RmspropDividesByTheRootOfTheMeanSquare) {
  ExpectSteps(RMSprop({.learning_rate = 0.01, .rho = 0.7, .epsilon = 1e-3}),
              [](State& s, const Row& g, double rate, int) {
                for (size_t i = 0; i < kSize; ++i) {
                  s.slot[0][i] = 0.7 * s.slot[0][i] + 0.3 * g[i] * g[i];
                  s.p[i] -= rate * g[i] / (std::sqrt(s.slot[0][i]) + 1e-3);
                }
              });
}

TEST(Optimizers, RmspropCentredWithMomentum) {
  ExpectSteps(
      RMSprop(
          {.learning_rate = 0.01, .rho = 0.7, .momentum = 0.6, .epsilon = 1e-3, .centered = true}),
      [](State& s, const Row& g, double rate, int) {
        for (size_t i = 0; i < kSize; ++i) {
          auto& [v, m, u] = s.slot;
          v[i] = 0.7 * v[i] + 0.3 * g[i] * g[i];
          m[i] = 0.7 * m[i] + 0.3 * g[i];
          u[i] = 0.6 * u[i] + g[i] / (std::sqrt(v[i] - m[i] * m[i]) + 1e-3);
          s.p[i] -= rate * u[i];
        }
      });
}

void Moments(State& s, const Row& g) {
  auto& [m, v, unused] = s.slot;
  for (size_t i = 0; i < kSize; ++i) {
    m[i] = 0.9 * m[i] + 0.1 * g[i];
    v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
  }
}

// Adam's usual direction with epsilon 1e-4, from the moments `m` and `v`.
double Direction(double m, double v, int t) {
  return m / (1 - std::pow(0.9, t)) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-4);
}

TEST(Optimizers, AdamIsThePapersWithTheUsualEpsilon) {
  ExpectSteps(Adam({.learning_rate = 0.01, .epsilon = 1e-4, .epsilon_form = AdamEpsilon::kUsual}),
              [](State& s, const Row& g, double rate, int t) {
                Moments(s, g);
                for (size_t i = 0; i < kSize; ++i) {
                  s.p[i] -= rate * Direction(s.slot[0][i], s.slot[1][i], t);
                }
              });
}

TEST(Optimizers, AdamAddsEpsilonToTheUncorrectedRootAsKerasDoes) {
  ExpectSteps(Adam({.learning_rate = 0.01, .epsilon = 1e-4}), [](State& s, const Row& g,
                                                                 double rate, int t) {
    Moments(s, g);
    const double corrected = rate * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
    for (size_t i = 0; i < kSize; ++i) {
      s.p[i] -= corrected * s.slot[0][i] / (std::sqrt(s.slot[1][i]) + 1e-4);
    }
  });
}

TEST(Optimizers, AmsgradDividesByTheLargestMoment) {
  ExpectSteps(Adam({.learning_rate = 0.01,
                    .epsilon = 1e-4,
                    .epsilon_form = AdamEpsilon::kUsual,
                    .amsgrad = true}),
              [](State& s, const Row& g, double rate, int t) {
                Moments(s, g);
                for (size_t i = 0; i < kSize; ++i) {
                  s.slot[2][i] = std::max(s.slot[2][i], s.slot[1][i]);
                  s.p[i] -= rate * Direction(s.slot[0][i], s.slot[2][i], t);
                }
              });
}

TEST(Optimizers, AdamWDecaysWeightsBesideTheMoments) {
  ExpectSteps(AdamW({.learning_rate = 0.01,
                     .epsilon = 1e-4,
                     .weight_decay = 0.2,
                     .epsilon_form = AdamEpsilon::kUsual}),
              [](State& s, const Row& g, double rate, int t) {
                Moments(s, g);
                for (size_t i = 0; i < kSize; ++i) {
                  s.p[i] -= rate * 0.2 * s.p[i];
                  s.p[i] -= rate * Direction(s.slot[0][i], s.slot[1][i], t);
                }
              });
}

TEST(Optimizers, AdamWithoutMomentumDividesByTheGradientsSize) {
  ExpectSteps(Adam({.learning_rate = 0.01, .beta1 = 0, .beta2 = 0, .epsilon = 1e-3}),
              [](State& s, const Row& g, double rate, int) {
                for (size_t i = 0; i < kSize; ++i) {
                  s.slot[0][i] = g[i];
                  s.slot[1][i] = g[i] * g[i];
                  s.p[i] -= rate * g[i] / (std::abs(g[i]) + 1e-3);
                }
              });
}

TEST(Optimizers, LionStepsByTheSign) {
  ExpectSteps(Lion({.learning_rate = 0.01, .weight_decay = 0.3}),
              [](State& s, const Row& g, double rate, int) {
                for (size_t i = 0; i < kSize; ++i) {
                  double& m = s.slot[0][i];
                  const double c = 0.9 * m + 0.1 * g[i];
                  s.p[i] -= rate * ((c > 0 ? 1 : c < 0 ? -1 : 0) + 0.3 * s.p[i]);
                  m = 0.99 * m + 0.01 * g[i];
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
  EXPECT_EQ(Adagrad().learning_rate(), 0.001);
  EXPECT_EQ(Adagrad().slots()[0].start, 0.1);
  EXPECT_EQ(RMSprop().options.rho, 0.9);
  EXPECT_EQ(AdamW().options.weight_decay, 0.004);
  EXPECT_EQ(Lion().options.beta2, 0.99);
}

}  // namespace
}  // namespace gradus
