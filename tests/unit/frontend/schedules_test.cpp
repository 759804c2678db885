// Schedules as compiled code against their formulas in double.

#include "frontend/schedules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "frontend/compile.h"

namespace gradus {
namespace {

void ExpectFactors(const Schedule& schedule, double (*expected)(double t)) {
  Graph g("schedule", DType::kF64);
  g.Output("factor", schedule(g.Input("t", {})));
  auto f = Compile(g, {.cache_dir = ""});
  ASSERT_TRUE(f.ok()) << f.status();
  for (const double t : {0.0, 1.0, 4.0, 9.0, 10.0, 11.0, 19.0, 20.0, 55.0, 99.0, 100.0, 5000.0}) {
    std::vector<runtime::Tensor> in;
    in.push_back(runtime::Tensor::FromVector<double>({}, {t}).value());
    const auto out = f->Run(std::move(in));
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_NEAR((*out)[0].data<double>()[0], expected(t), 1e-14) << "t = " << t;
  }
}

TEST(Schedules, Constant) {
  ExpectFactors(ConstantRate(0.25), [](double) { return 0.25; });
}

TEST(Schedules, StepsDownAtMultiples) {
  ExpectFactors(StepDecay(10, 0.5), [](double t) { return std::pow(0.5, std::floor(t / 10)); });
}

TEST(Schedules, Exponential) {
  ExpectFactors(ExponentialDecay(10, 0.5), [](double t) { return std::pow(0.5, t / 10); });
}

TEST(Schedules, CosineStaysAtItsEnd) {
  ExpectFactors(CosineDecay(100, 0.1), [](double t) {
    return 0.1 + 0.9 * (1 + std::cos(std::numbers::pi * std::min(t, 100.0) / 100)) / 2;
  });
}

TEST(Schedules, WarmupIsFullAtItsLastUpdate) {
  ExpectFactors(Warmup(20), [](double t) { return std::min((t + 1) / 20, 1.0); });
}

TEST(Schedules, Compose) {
  ExpectFactors(Warmup(10) * After(10, ExponentialDecay(5, 0.5)), [](double t) {
    return std::min((t + 1) / 10, 1.0) * std::pow(0.5, std::max(t - 10, 0.0) / 5);
  });
  ExpectFactors(Schedule() * Warmup(10), [](double t) { return std::min((t + 1) / 10, 1.0); });
  EXPECT_FALSE(Schedule());
}

TEST(Schedules, AreGraphCodeOfOnesOwn) {
  ExpectFactors(Schedule([](Tensor t) { return rsqrt(t + 1); }),
                [](double t) { return 1 / std::sqrt(t + 1); });
}

}  // namespace
}  // namespace gradus
