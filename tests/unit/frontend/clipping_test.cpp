// Clipping of gradients against its formulas in double.

#include "frontend/clipping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "frontend/compile.h"

namespace gradus {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

// Clips the gradients [3, -4] and [12], whose norms are 5 and 12, together 13.
std::vector<double> Clipped(const Clipping& clipping, double scale = 1) {
  Graph g("clipping", DType::kF64);
  const std::vector<Tensor> gradients = {g.Input("a", {2}), g.Input("b", {1})};
  const std::vector<Tensor> clipped = clipping(gradients);
  g.Output("clipped_a", clipped[0]);
  g.Output("clipped_b", clipped[1]);
  auto f = Compile(g, {.cache_dir = ""});
  EXPECT_TRUE(f.ok()) << f.status();
  std::vector<runtime::Tensor> in;
  in.push_back(runtime::Tensor::FromVector<double>({2}, {3 * scale, -4 * scale}).value());
  in.push_back(runtime::Tensor::FromVector<double>({1}, {12 * scale}).value());
  const auto out = f->Run(std::move(in));
  EXPECT_TRUE(out.ok()) << out.status();
  std::vector<double> all((*out)[0].data<double>().begin(), (*out)[0].data<double>().end());
  all.push_back((*out)[1].data<double>()[0]);
  return all;
}

TEST(Clipping, ByValueBoundsEachElement) {
  EXPECT_THAT(Clipped(ClipByValue(3.5)), ElementsAre(3, -3.5, 3.5));
}

TEST(Clipping, ByNormScalesEachGradientAlone) {
  const double a = 6 / (12 + 1e-6);
  EXPECT_THAT(Clipped(ClipByNorm(6)),
              ElementsAre(3, -4, DoubleNear(12 * a, 1e-13)));  // the first is short enough
}

TEST(Clipping, ByGlobalNormKeepsTheDirection) {
  const double a = 6.5 / (13 + 1e-6);
  EXPECT_THAT(
      Clipped(ClipByGlobalNorm(6.5)),
      ElementsAre(DoubleNear(3 * a, 1e-13), DoubleNear(-4 * a, 1e-13), DoubleNear(12 * a, 1e-13)));
  EXPECT_THAT(Clipped(ClipByGlobalNorm(13.5)), ElementsAre(3, -4, 12));
}

TEST(Clipping, GradientsOfZeroStayZero) {
  EXPECT_THAT(Clipped(ClipByGlobalNorm(1), 0), ElementsAre(0, 0, 0));
  EXPECT_THAT(Clipped(ClipByNorm(1), 0), ElementsAre(0, 0, 0));
}

}  // namespace
}  // namespace gradus
