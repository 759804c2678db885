#include "frontend/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "frontend/compile.h"

namespace gradus {
namespace {

using testing::HasSubstr;

double Auc(std::vector<float> labels, std::vector<float> scores) {
  const auto auc = RocAuc(labels, scores);
  EXPECT_TRUE(auc.ok()) << auc.status();
  return auc.value_or(-1);
}

TEST(RocAuc, CountsOrderedPairs) {
  EXPECT_EQ(Auc({0, 0, 1, 1}, {0.1F, 0.2F, 0.3F, 0.4F}), 1);
  EXPECT_EQ(Auc({1, 1, 0, 0}, {0.1F, 0.2F, 0.3F, 0.4F}), 0);
  EXPECT_EQ(Auc({0, 0, 1, 1}, {0.1F, 0.4F, 0.35F, 0.8F}), 0.75);  // scikit-learn's example
  EXPECT_EQ(Auc({0, 1}, {-INFINITY, INFINITY}), 1);
}

TEST(RocAuc, TiesCountHalf) {
  EXPECT_EQ(Auc({0, 1, 0, 1, 1}, {3, 3, 3, 3, 3}), 0.5);
  // Of six pairs: 0.5 is above two of the negatives and ties with one, 0.9 is above all three.
  EXPECT_DOUBLE_EQ(Auc({0, 0, 0, 1, 1}, {0.1F, 0.2F, 0.5F, 0.5F, 0.9F}), 5.5 / 6);
}

TEST(RocAuc, EqualsTheCountOverAllPairs) {
  std::vector<float> labels, scores;
  for (int i = 0; i < 97; ++i) {
    labels.push_back(i % 3 == 0 ? 1.0F : 0.0F);
    scores.push_back(static_cast<float>((i * 37) % 23));
  }
  double won = 0, pairs = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    for (size_t k = 0; k < labels.size(); ++k) {
      if (labels[i] < 0.5F || labels[k] > 0.5F) continue;
      pairs += 1;
      won += scores[i] > scores[k] ? 1 : scores[i] == scores[k] ? 0.5 : 0;
    }
  }
  EXPECT_DOUBLE_EQ(Auc(labels, scores), won / pairs);
}

TEST(RocAuc, SaysWhatIsMissing) {
  const std::vector<float> one = {1}, two = {0, 1}, same = {1, 1}, nan = {0.5F, NAN};
  EXPECT_THAT(std::string(RocAuc(one, two).status().message()), HasSubstr("1 labels and 2 scores"));
  EXPECT_THAT(std::string(RocAuc(same, two).status().message()), HasSubstr("both classes"));
  EXPECT_THAT(std::string(RocAuc(two, nan).status().message()),
              HasSubstr("score 1 is not a number"));
  EXPECT_FALSE(RocAuc({}, {}).ok());
}

// The metrics' values on data, all in one compiled function.
TEST(Metrics, EqualCountsByHand) {
  Graph g("metrics");
  const Tensor p = g.Input("p", {kBatch, 1});
  const Tensor t = g.Input("t", {kBatch, 1});
  const Tensor scores = g.Input("scores", {kBatch, 3});
  const Tensor one_hot = g.Input("one_hot", {kBatch, 3});
  const Tensor classes = g.Input("classes", {kBatch}, DType::kI64);
  g.Output("binary", accuracy.compute(t, p, binary_crossentropy));
  g.Output("logits", binary_accuracy.compute(t, p, binary_crossentropy_from_logits));
  g.Output("categorical", accuracy.compute(one_hot, scores, categorical_crossentropy));
  g.Output("sparse", accuracy.compute(classes, scores, sparse_categorical_crossentropy));
  auto f = Compile(g, {.cache_dir = ""});
  ASSERT_TRUE(f.ok()) << f.status();
  std::vector<runtime::Tensor> in;
  in.push_back(runtime::Tensor::FromVector<float>({4, 1}, {0.2F, 0.7F, 0.5F, -1.0F}).value());
  in.push_back(runtime::Tensor::FromVector<float>({4, 1}, {0, 1, 1, 1}).value());
  in.push_back(
      runtime::Tensor::FromVector<float>({4, 3}, {9, 1, 1, 1, 9, 1, 1, 1, 9, 5, 5, 1}).value());
  in.push_back(
      runtime::Tensor::FromVector<float>({4, 3}, {1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0}).value());
  in.push_back(runtime::Tensor::FromVector<int64_t>({4}, {0, 1, 2, 0}).value());
  const auto out = f->Run(std::move(in));
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].data<float>()[0], 0.5F);  // 0.5 is not above 0.5
  EXPECT_EQ((*out)[1].data<float>()[0], 0.5F);  // 0.2 is above 0
  EXPECT_EQ((*out)[2].data<float>()[0], 0.5F);  // the tie of the last row goes to class 0
  EXPECT_EQ((*out)[3].data<float>()[0], 1.0F);
}

}  // namespace
}  // namespace gradus
