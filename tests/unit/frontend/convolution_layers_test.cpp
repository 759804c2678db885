#include "frontend/convolution_layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/layers.h"
#include "frontend/pooling_layers.h"
#include "ir/verifier.h"

namespace gradus {
namespace {

using testing::HasSubstr;

std::string ErrorOf(const Model& m) {
  return m.forward().error() ? m.forward().error()->ToString() : "none";
}

// The output's type after a layer that takes `input`.
template <typename L, typename... Args>
std::string OutputOf(const Shape& input, Args&&... args) {
  Model m("m");
  const Tensor y = m.Add<L>("layer", std::forward<Args>(args)...)(m.Input("x", input));
  return ErrorOf(m) == "none" ? ir::ToString(y.type()) : ErrorOf(m);
}

TEST(ConvolutionLayers, TheArticlesNetworkHasItsParameters) {
  Model m("cnn");
  Tensor h = m.Input("x", {kBatch, 12, 1});
  for (const int filters : {32, 64, 128, 256, 512}) {
    h = m.Add<Conv1D>("conv" + std::to_string(filters), filters, 3,
                      Conv1D::Options{.activation = relu, .padding = Padding::Same()})(h);
    h = m.Add<MaxPooling1D>("pool" + std::to_string(filters), 1)(h);
  }
  h = m.Add<Dense>("hidden", 64, relu)(m.Add<Flatten>("flat")(h));
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(h));
  ASSERT_EQ(ErrorOf(m), "none");
  EXPECT_EQ(m.num_parameters(), 916673);
  EXPECT_EQ(m.layers()[0].type, "conv1d");
  EXPECT_EQ(m.layers()[0].output, "[B, 12, 32]");
  EXPECT_EQ(m.layers()[1].type, "max_pooling1d");
  EXPECT_TRUE(ir::Verify(m.module()).ok()) << ir::Verify(m.module());
}

TEST(ConvolutionLayers, Shapes) {
  using O = ConvolutionLayerOptions;
  EXPECT_EQ(OutputOf<Conv1D>({kBatch, 12, 3}, 8, 5), "f32[B, 8, 8]");
  EXPECT_EQ(OutputOf<Conv1D>({kBatch, 12, 3}, 8, 5, O{.strides = 5, .padding = Padding::Same()}),
            "f32[B, 3, 8]");
  EXPECT_EQ(OutputOf<Conv1D>({kBatch, kTime, 3}, 8, 4, O{.padding = Padding::Same()}),
            "f32[B, T, 8]");
  EXPECT_EQ(OutputOf<Conv1D>({kBatch, 4, 12, 1}, 8, 3), "f32[B, 4, 10, 8]");  // over time
  EXPECT_EQ(OutputOf<Conv2D>({kBatch, 9, 8, 3}, 8, PerAxis{3, 2}), "f32[B, 7, 7, 8]");
  EXPECT_EQ(OutputOf<Conv2D>({kBatch, 9, 8, 3}, 8, 3,
                             O{.padding = Padding::Of(PerAxis{2, 0}, 1), .dilation = 2}),
            "f32[B, 8, 5, 8]");
  EXPECT_EQ(OutputOf<Conv3D>({kBatch, 4, 5, 6, 2}, 3, 2), "f32[B, 3, 4, 5, 3]");
  EXPECT_EQ(OutputOf<Conv2D>({kBatch, 9, 8, 6}, 9, 3, O{.groups = 3}), "f32[B, 7, 6, 9]");
  EXPECT_EQ(OutputOf<DepthwiseConv1D>({kBatch, 9, 6}, 3), "f32[B, 7, 6]");
  EXPECT_EQ(OutputOf<DepthwiseConv2D>({kBatch, 9, 8, 6}, 3, 2), "f32[B, 7, 6, 12]");
}

// As Keras: out = n * stride for `same`, n * stride + max(window - stride, 0) for `valid`, and
// (n - 1) * stride + window - 2 * padding + output_padding with an output padding.
TEST(ConvolutionLayers, ShapesOfTransposedConvolutions) {
  using O = TransposedConvolutionLayerOptions;
  const Shape x = {kBatch, 7, 3};
  EXPECT_EQ(OutputOf<Conv1DTranspose>(x, 8, 3, O{.strides = 2}), "f32[B, 15, 8]");
  EXPECT_EQ(OutputOf<Conv1DTranspose>(x, 8, 2, O{.strides = 3}), "f32[B, 21, 8]");
  EXPECT_EQ(OutputOf<Conv1DTranspose>(x, 8, 3, O{.strides = 2, .padding = Padding::Same()}),
            "f32[B, 14, 8]");
  EXPECT_EQ(OutputOf<Conv1DTranspose>(x, 8, 2, O{.strides = 3, .padding = Padding::Same()}),
            "f32[B, 21, 8]");
  EXPECT_EQ(OutputOf<Conv1DTranspose>(
                x, 8, 3, O{.strides = 2, .padding = Padding::Same(), .output_padding = 1}),
            "f32[B, 14, 8]");
  EXPECT_EQ(OutputOf<Conv1DTranspose>(
                x, 8, 3, O{.strides = 2, .padding = Padding::Same(), .output_padding = 0}),
            "f32[B, 13, 8]");
  EXPECT_EQ(OutputOf<Conv1DTranspose>(x, 8, 3, O{.strides = 2, .output_padding = 1}),
            "f32[B, 16, 8]");
  EXPECT_EQ(OutputOf<Conv2DTranspose>({kBatch, 4, 5, 3}, 8, 3,
                                      O{.strides = PerAxis{2, 1}, .padding = Padding::Of(1, 1)}),
            "f32[B, 7, 5, 8]");
}

TEST(ConvolutionLayers, ShapesOfPoolings) {
  using O = PoolingLayerOptions;
  EXPECT_EQ(OutputOf<MaxPooling1D>({kBatch, 9, 3}), "f32[B, 4, 3]");
  EXPECT_EQ(OutputOf<MaxPooling1D>({kBatch, 9, 3}, 2, O{.padding = Padding::Same()}),
            "f32[B, 5, 3]");
  EXPECT_EQ(OutputOf<MaxPooling1D>({kBatch, 9, 3}, 2, O{.ceil_mode = true}), "f32[B, 5, 3]");
  EXPECT_EQ(OutputOf<MaxPooling1D>({kBatch, kTime, 3}, 1), "f32[B, T, 3]");
  EXPECT_EQ(OutputOf<AveragePooling1D>({kBatch, 9, 3}, 3, O{.strides = 1}), "f32[B, 7, 3]");
  EXPECT_EQ(OutputOf<MaxPooling2D>({kBatch, 9, 8, 3}, PerAxis{3, 2}), "f32[B, 3, 4, 3]");
  EXPECT_EQ(OutputOf<AveragePooling2D>({kBatch, 9, 8, 3}, 2, O{.dilation = 2}), "f32[B, 4, 3, 3]");
  EXPECT_EQ(OutputOf<GlobalMaxPooling1D>({kBatch, kTime, 3}), "f32[B, 3]");
  EXPECT_EQ(OutputOf<GlobalMaxPooling2D>({kBatch, 9, 8, 3}, true), "f32[B, 1, 1, 3]");
  EXPECT_EQ(OutputOf<GlobalAveragePooling1D>({kBatch, 2, 9, 3}), "f32[B, 2, 3]");
  EXPECT_EQ(OutputOf<GlobalAveragePooling2D>({kBatch, 9, 8, 3}), "f32[B, 3]");
}

// An odd number of zeros has one more after than before.
TEST(ConvolutionLayers, SamePaddingIsThatOfKeras) {
  Model m("m");
  const Tensor y = m.Add<Conv1D>(
      "c", 8, 3, Conv1D::Options{.strides = 2, .padding = Padding::Same(), .bias = false})(
      m.Input("x", {kBatch, 12, 4}));
  ASSERT_EQ(ErrorOf(m), "none");
  EXPECT_EQ(y.node()->attr<ir::IntList>("low"), ir::IntList{0});
  EXPECT_EQ(ir::ToString(y.type()), "f32[B, 6, 8]");
}

TEST(ConvolutionLayers, SayWhatIsWrong) {
  using O = ConvolutionLayerOptions;
  EXPECT_THAT(OutputOf<Conv2D>({kBatch, 12}, 8, 3),
              HasSubstr("takes [..., 2 spatial axes, channels]"));
  EXPECT_THAT(OutputOf<Conv1D>({kBatch, 12, 3}, 0, 3), HasSubstr("has 0 filters"));
  EXPECT_THAT(OutputOf<Conv1D>({kBatch, 12, 3}, 8, 0), HasSubstr("has a window of 0"));
  EXPECT_THAT(OutputOf<Conv1D>({kBatch, 12, 3}, 8, PerAxis{3, 3}),
              HasSubstr("has window, expected 1 numbers"));
  EXPECT_THAT(OutputOf<Conv1D>({kBatch, 12, 3}, 8, 3, O{.groups = 2}),
              HasSubstr("has 2 groups, which do not divide 3 channels and 8 filters"));
  EXPECT_THAT(OutputOf<Conv1D>({kBatch, kTime, 3}, 8, 3), HasSubstr("symbolic size T"));
  EXPECT_THAT(OutputOf<Conv1D>({kBatch, 12, kTime}, 8, 3),
              HasSubstr("takes a fixed number of channels"));
  EXPECT_THAT(OutputOf<MaxPooling1D>({kBatch, kTime, 3}), HasSubstr("symbolic size T"));
  EXPECT_THAT(OutputOf<GlobalMaxPooling2D>({kBatch, 3}), HasSubstr("2 spatial axes"));
}

}  // namespace
}  // namespace gradus
