// TimeDistributed: that a layer over time is the layer at every step, or is refused.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "frontend/gradus.h"

namespace gradus {
namespace {

using testing::HasSubstr;

constexpr int64_t kSteps = 3;

struct Case {
  std::string name;
  Shape step;  // of one sample
  std::function<Layer&(Model&)> add;
};

std::vector<Case> Cases() {
  return {
      {"Dense", {5}, [](Model& m) -> Layer& { return m.Add<Dense>("layer", 4, tanh); }},
      {"Softmax", {5}, [](Model& m) -> Layer& { return m.Add<Softmax>("layer"); }},
      {"PReLU", {4, 5}, [](Model& m) -> Layer& { return m.Add<PReLU>("layer"); }},
      {"Flatten", {4, 5}, [](Model& m) -> Layer& { return m.Add<Flatten>("layer"); }},
      {"Reshape",
       {4, 5},
       [](Model& m) -> Layer& { return m.Add<Reshape>("layer", std::vector<int64_t>{2, 10}); }},
      {"Permute",
       {4, 5},
       [](Model& m) -> Layer& { return m.Add<Permute>("layer", std::vector<int64_t>{2, 1}); }},
      {"Conv1D", {9, 2}, [](Model& m) -> Layer& { return m.Add<Conv1D>("layer", 3, 2); }},
      {"Conv2D", {6, 5, 2}, [](Model& m) -> Layer& { return m.Add<Conv2D>("layer", 3, 2); }},
      {"Conv1DTranspose",
       {5, 2},
       [](Model& m) -> Layer& { return m.Add<Conv1DTranspose>("layer", 3, 2); }},
      {"DepthwiseConv1D",
       {5, 2},
       [](Model& m) -> Layer& { return m.Add<DepthwiseConv1D>("layer", 2); }},
      {"MaxPooling1D", {6, 2}, [](Model& m) -> Layer& { return m.Add<MaxPooling1D>("layer"); }},
      {"GlobalAveragePooling2D",
       {3, 4, 2},
       [](Model& m) -> Layer& { return m.Add<GlobalAveragePooling2D>("layer"); }},
      {"BatchNorm", {4, 5}, [](Model& m) -> Layer& { return m.Add<BatchNorm>("layer"); }},
      {"BatchNormFirst",
       {4, 5},
       [](Model& m) -> Layer& { return m.Add<BatchNorm>("layer", BatchNorm::Options{.axis = 1}); }},
      {"LayerNorm",
       {4, 5},
       [](Model& m) -> Layer& {
         return m.Add<LayerNorm>("layer", LayerNorm::Options{.axes = {1, -1}});
       }},
      {"Dropout", {5}, [](Model& m) -> Layer& { return m.Add<Dropout>("layer", 0.5); }},
      {"GaussianNoise", {5}, [](Model& m) -> Layer& { return m.Add<GaussianNoise>("layer", 1); }},
  };
}

Shape WithLeading(const std::vector<Dim>& leading, const Shape& rest) {
  Shape shape;
  for (const Dim& d : leading) shape.push_back(d);
  for (const Dim& d : rest) shape.push_back(d);
  return shape;
}

TEST(TimeDistributed, IsTheLayerAtEveryStep) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    Model m("m");
    const Tensor x = m.Input("x", WithLeading({kBatch, Dim(kSteps)}, c.step));
    Layer& layer = c.add(m);
    const Tensor at_once = m.Add<TimeDistributed>("over_time", layer)(x);
    std::vector<Operand> each;
    for (int64_t t = 0; t < kSteps; ++t) {
      const Tensor step = squeeze(slice(x, {Range1{}, Range1{t, t + 1}}), 1);
      each.emplace_back(expand_dims(layer(step), 1));
    }
    m.Output("at_once", at_once);
    m.Output("each", concat(each, 1));
    ASSERT_TRUE(m.Check().ok()) << m.Check();
    auto trainer = Compile(m, {}, {.cache_dir = ""});
    ASSERT_TRUE(trainer.ok()) << trainer.status();
    std::vector<int64_t> shape = {2, kSteps};
    int64_t n = 2 * kSteps;
    for (const Dim& d : c.step) {
      shape.push_back(d.size());
      n *= d.size();
    }
    std::vector<float> values;
    for (int64_t i = 0; i < n; ++i) values.push_back(static_cast<float>(i * 37 % 19) / 7 - 1);
    std::vector<data::NamedTensor> inputs;
    inputs.push_back({"x", runtime::Tensor::FromVector<float>(shape, values).value()});
    const auto rows = data::Dataset::Create(std::move(inputs), {});
    ASSERT_TRUE(rows.ok()) << rows.status();
    const auto y = trainer->Predict(*rows);
    ASSERT_TRUE(y.ok()) << y.status();
    const auto got = (*y)[0].data<float>(), want = (*y)[1].data<float>();
    ASSERT_EQ(got.size(), want.size());
    EXPECT_GT(got.size(), 0U);
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-5) << i;
  }
}

std::string ErrorOf(const Shape& input, const std::function<Layer&(Model&)>& add) {
  Model m("m");
  const Tensor x = m.Input("x", input);
  m.Output("y", m.Add<TimeDistributed>("over_time", add(m))(x));
  return std::string(m.Check().message());
}

TEST(TimeDistributed, RefusesWhatItCannotApply) {
  EXPECT_THAT(ErrorOf({kBatch, 3, 4, 5}, [](Model& m) -> Layer& { return m.Add<LSTM>("cell", 4); }),
              HasSubstr("layer cell: a lstm layer cannot be applied to every step of a sequence"));
  EXPECT_THAT(ErrorOf({kBatch, 3, 4},
                      [](Model& m) -> Layer& {
                        return m.Add<Lambda>("square", [](Operand x) { return x.value() * x; });
                      }),
              HasSubstr("a lambda layer cannot be applied to every step"));
  EXPECT_THAT(ErrorOf({kBatch, 3}, [](Model& m) -> Layer& { return m.Add<Dense>("dense", 4); }),
              HasSubstr("takes [batch, time, ...] with at least one more axis, got f32[B, 3]"));
  EXPECT_THAT(ErrorOf({kBatch, 3, 4}, [](Model& m) -> Layer& { return m.Add<Conv1D>("c", 4, 2); }),
              HasSubstr("takes [batch, time, 1 spatial axis, channels] over time"));
}

}  // namespace
}  // namespace gradus
