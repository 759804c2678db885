// Initial weights as compiled code draws them: all kinds in one module, so that one compilation
// serves all tests.

#include "frontend/initializers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "frontend/compile.h"

namespace gradus {
namespace {

using testing::HasSubstr;

constexpr int64_t kIn = 160, kOut = 90;
constexpr double kCount = kIn * kOut;

using Weights = std::map<std::string, runtime::Tensor>;

absl::StatusOr<std::vector<codegen::LoadedEntry>> CompileInit() {
  Model m("init_test");
  const auto add = [&](const char* name, const Initializer& i) {
    m.Parameter(name, {kIn, kOut}, i);
  };
  add("zeros", Zeros());
  add("ones", Ones());
  add("constant", Constant(-2.5));
  add("random_uniform", RandomUniform(-1, 3));
  add("random_normal", RandomNormal(2, 0.5));
  add("glorot_uniform", GlorotUniform());
  add("glorot_normal", GlorotNormal());
  add("he_uniform", HeUniform());
  add("he_normal", HeNormal());
  add("lecun_uniform", LecunUniform());
  add("lecun_normal", LecunNormal());
  add("same_kind", GlorotUniform());
  m.Parameter("tall", {48, 20}, Orthogonal());
  m.Parameter("wide", {20, 48}, Orthogonal(3));
  m.Parameter("square", {32, 32}, Orthogonal());
  m.Parameter("window", {3, 5, 8, 16}, HeUniform());
  m.Output("y", m.Input("x", {kBatch}) * 2);
  auto module = BuildInferenceModule(m);
  if (!module.ok()) return module.status();
  return CompileModule(**module, {.cache_dir = ""});
}

Weights Draw(int64_t seed) {
  static const auto* entries = new auto(CompileInit());
  EXPECT_TRUE(entries->ok()) << entries->status();
  Weights weights;
  if (!entries->ok()) return weights;
  for (const codegen::LoadedEntry& e : **entries) {
    if (e.name != "init") continue;
    std::vector<runtime::Tensor> in;
    in.push_back(runtime::Tensor::FromVector<int64_t>({}, {seed}).value());
    auto out = e.executable.Run(std::move(in));
    EXPECT_TRUE(out.ok()) << out.status();
    if (!out.ok()) return weights;
    for (size_t i = 0; i < out->size(); ++i) {
      weights[e.executable.info().results[i].name] = std::move((*out)[i]);
    }
  }
  return weights;
}

struct Moments {
  double mean = 0, deviation = 0, low = INFINITY, high = -INFINITY;
};

Moments MomentsOf(const runtime::Tensor& t) {
  Moments m;
  double squares = 0;
  for (const float v : t.data<float>()) {
    m.mean += v;
    squares += static_cast<double>(v) * v;
    m.low = std::min<double>(m.low, v);
    m.high = std::max<double>(m.high, v);
  }
  const auto n = static_cast<double>(t.num_elements());
  m.mean /= n;
  m.deviation = std::sqrt(squares / n - m.mean * m.mean);
  return m;
}

class InitializersTest : public testing::Test {
 protected:
  void SetUp() override {
    weights_ = Draw(17);
    ASSERT_EQ(weights_.size(), 16U);
  }
  Weights weights_;
};

TEST_F(InitializersTest, ConstantsAreExact) {
  for (const auto& [name, value] :
       std::map<std::string, float>{{"zeros", 0}, {"ones", 1}, {"constant", -2.5F}}) {
    for (const float v : weights_[name].data<float>()) ASSERT_EQ(v, value) << name;
  }
}

// Five standard errors: a right generator fails one seed in a million, and the seed is fixed.
TEST_F(InitializersTest, UniformsFillTheirRange) {
  const std::map<std::string, std::pair<double, double>> ranges = {
      {"random_uniform", {-1, 3}},
      {"glorot_uniform", {-std::sqrt(6.0 / (kIn + kOut)), std::sqrt(6.0 / (kIn + kOut))}},
      {"he_uniform", {-std::sqrt(6.0 / kIn), std::sqrt(6.0 / kIn)}},
      {"lecun_uniform", {-std::sqrt(3.0 / kIn), std::sqrt(3.0 / kIn)}}};
  for (const auto& [name, range] : ranges) {
    const auto [low, high] = range;
    const Moments m = MomentsOf(weights_[name]);
    const double width = high - low;
    EXPECT_GE(m.low, low * (low < 0 ? 1 + 1e-6 : 1 - 1e-6)) << name;
    EXPECT_LE(m.high, high * (1 + 1e-6)) << name;
    EXPECT_LT(m.low, low + 10 * width / kCount) << name;
    EXPECT_GT(m.high, high - 10 * width / kCount) << name;
    const double deviation = width / std::sqrt(12.0);
    EXPECT_NEAR(m.mean, (low + high) / 2, 5 * deviation / std::sqrt(kCount)) << name;
    EXPECT_NEAR(m.deviation, deviation, 5 * deviation * std::sqrt(0.2 / kCount)) << name;
  }
}

TEST_F(InitializersTest, NormalsHaveTheirMeanAndDeviation) {
  const std::map<std::string, std::pair<double, double>> expected = {
      {"random_normal", {2, 0.5}},
      {"glorot_normal", {0, std::sqrt(2.0 / (kIn + kOut))}},
      {"he_normal", {0, std::sqrt(2.0 / kIn)}},
      {"lecun_normal", {0, std::sqrt(1.0 / kIn)}}};
  for (const auto& [name, numbers] : expected) {
    const auto [mean, deviation] = numbers;
    const Moments m = MomentsOf(weights_[name]);
    EXPECT_NEAR(m.mean, mean, 5 * deviation / std::sqrt(kCount)) << name;
    EXPECT_NEAR(m.deviation, deviation, 5 * deviation / std::sqrt(2 * kCount)) << name;
    // A tail as long as a normal's: of 14,400 draws the largest lies between 3 and 6 deviations.
    EXPECT_GT(m.high, mean + 3 * deviation) << name;
    EXPECT_LT(m.high, mean + 6 * deviation) << name;
  }
}

TEST_F(InitializersTest, FansOfAConvolutionCountItsWindow) {
  const double limit = std::sqrt(6.0 / (3 * 5 * 8));
  const Moments m = MomentsOf(weights_["window"]);
  EXPECT_LE(m.high, limit * (1 + 1e-6));
  EXPECT_GT(m.high, limit * 0.99);
}

// The largest |element| of a a^T - gain^2 I over rows, or of a^T a over columns if those are fewer.
double OrthogonalityError(const runtime::Tensor& t, double gain) {
  const int64_t rows = t.shape()[0], columns = t.shape()[1];
  const bool by_rows = rows <= columns;
  const int64_t n = by_rows ? rows : columns, k = by_rows ? columns : rows;
  const auto a = t.data<float>();
  const auto at = [&](int64_t i, int64_t j) -> double {
    return a[static_cast<size_t>(by_rows ? i * columns + j : j * columns + i)];
  };
  double worst = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l) sum += at(i, l) * at(j, l);
      worst = std::max(worst, std::abs(sum - (i == j ? gain * gain : 0)));
    }
  }
  return worst;
}

TEST_F(InitializersTest, OrthogonalMatricesAreOrthogonal) {
  EXPECT_LT(OrthogonalityError(weights_["tall"], 1), 1e-5);
  EXPECT_LT(OrthogonalityError(weights_["wide"], 3), 9e-5);
  EXPECT_LT(OrthogonalityError(weights_["square"], 1), 1e-5);
}

TEST_F(InitializersTest, ASeedGivesTheSameWeightsAndAnotherSeedOthers) {
  const Weights again = Draw(17), other = Draw(18);
  for (const auto& [name, tensor] : weights_) {
    const auto a = tensor.data<float>(), b = again.at(name).data<float>(),
               c = other.at(name).data<float>();
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin())) << name;
    const bool fixed = name == "zeros" || name == "ones" || name == "constant";
    EXPECT_EQ(std::equal(a.begin(), a.end(), c.begin()), fixed) << name;
  }
}

TEST_F(InitializersTest, ParametersOfOneKindDiffer) {
  const auto a = weights_["glorot_uniform"].data<float>(), b = weights_["same_kind"].data<float>();
  int equal = 0;
  for (size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
  EXPECT_LT(equal, 10);
}

TEST(Initializers, AnUnknownKindIsNamed) {
  Model m("m");
  m.Parameter("w", {3}, {"glorot", {}});
  m.Output("y", m.Input("x", {kBatch}) * 2);
  const auto module = BuildInferenceModule(m);
  ASSERT_FALSE(module.ok());
  EXPECT_THAT(std::string(module.status().message()),
              HasSubstr("parameter w has the unknown initialiser glorot"));
  EXPECT_THAT(std::string(module.status().message()), HasSubstr("glorot_uniform"));
}

TEST(Initializers, OrthogonalNeedsTwoAxes) {
  Model m("m");
  m.Parameter("w", {3}, Orthogonal());
  m.Output("y", m.Input("x", {kBatch}) * 2);
  const auto module = BuildInferenceModule(m);
  ASSERT_FALSE(module.ok());
  EXPECT_THAT(std::string(module.status().message()),
              HasSubstr("parameter w has type f32[3], expected two axes"));
}

}  // namespace
}  // namespace gradus
