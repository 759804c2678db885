// A model over sequences fed sample by sample gives, bit for bit, what it gives for the sequence.

#include <gtest/gtest.h>

#include <cstring>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "frontend/data/philox.h"
#include "frontend/gradus.h"
#include "frontend/training_module.h"
#include "passes/one_step.h"
#include "passes/pipelines.h"

namespace gradus {
namespace {

constexpr int64_t kSteps = 11, kFeatures = 5;

RecurrentOptions Sequences() { return {.return_sequences = true}; }
Conv1D::Options Causal(int64_t reach, int64_t dilation = 1) {
  return {.activation = relu, .padding = Padding::Of(reach, 0), .dilation = dilation};
}
Tensor Input(Model& m) { return m.Input("x", {kBatch, kSteps, kFeatures}); }

struct Case {
  const char* name;
  void (*build)(Model&);
  const char* refusal = nullptr;  // what the message has in it; null: it can be done
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const Case kCases[] = {
    {"SimpleRnn",
     [](Model& m) {
       m.Output("y", m.Add<Dense>("out", 3)(m.Add<SimpleRNN>("rnn", 24)(Input(m))));
     }},
    {"LstmOverLstm",
     [](Model& m) {
       const Tensor h = m.Add<LSTM>("one", 20, Sequences())(Input(m));
       m.Output("y", m.Add<Dense>("out", 1, sigmoid)(m.Add<LSTM>("two", 16)(h)));
     }},
    {"GruSequences",
     [](Model& m) {
       const Tensor h = m.Add<GRU>("gru", 18, Sequences())(Input(m));
       m.Output("y", m.Add<Dense>("out", 3, softmax)(h));
     }},
    {"SymbolicLength",
     [](Model& m) {
       const Tensor x = m.Input("x", {kBatch, Dim(ir::Symbol("T")), kFeatures});
       m.Output("y", m.Add<Dense>("out", 3)(m.Add<GRU>("gru", 18, Sequences())(x)));
     }},
    {"CausalConvolutions",
     [](Model& m) {
       Tensor h = m.Add<Conv1D>("one", 16, 3, Causal(2))(Input(m));
       h = m.Add<LayerNorm>("norm")(m.Add<Conv1D>("two", 24, 3, Causal(4, 2))(h));
       h = h + m.Add<Conv1D>("three", 24, 2, Causal(4, 4))(h);
       m.Output("y", m.Add<Dense>("out", 3)(h));
     }},
    {"ConvolutionThenLstm",
     [](Model& m) {
       const Tensor h = m.Add<Conv1D>("conv", 16, 3, Causal(2))(Input(m));
       m.Output("y", m.Add<LSTM>("lstm", 8)(m.Add<MaxPooling1D>("pool", 1)(h)));
     }},
    {"TwoOutputs",
     [](Model& m) {
       const Tensor h = m.Add<GRU>("gru", 8, Sequences())(Input(m));
       m.Output("each", h * 2.0);
       m.Output("last", m.Add<SimpleRNN>("rnn", 4)(h));
     }},
    {"Bidirectional",
     [](Model& m) {
       m.Output("y", m.Add<Bidirectional>("both", std::in_place_type<LSTM>, 4)(Input(m)));
     },
     "both: scan goes from the last step to the first"},
    {"Backwards",
     [](Model& m) {
       m.Output("y", m.Add<GRU>("gru", 4, GRU::Options{.go_backwards = true})(Input(m)));
     },
     "gru: scan goes from the last step to the first"},
    {"NotCausal",
     [](Model& m) {
       m.Output("y",
                m.Add<Conv1D>("conv", 4, 3, Conv1D::Options{.padding = Padding::Same()})(Input(m)));
     },
     "conv: convolution looks 1 steps ahead; with padding of 2 before and 0 after"},
    {"Strided",
     [](Model& m) {
       m.Output("y", m.Add<Conv1D>("conv", 4, 3, Conv1D::Options{.strides = 2})(Input(m)));
     },
     "conv: convolution does not give one step for each"},
    {"PooledOverTime",
     [](Model& m) { m.Output("y", m.Add<GlobalAveragePooling1D>("mean")(Input(m))); },
     "mean: reduce_sum takes all steps of time together"},
    {"Flattened",
     [](Model& m) { m.Output("y", m.Add<Dense>("out", 1)(m.Add<Flatten>("flat")(Input(m)))); },
     "flat: reshape reads other steps of time than its own"},
    {"WindowsOverTime",
     [](Model& m) {
       m.Output("y", m.Add<MaxPooling1D>(
                         "max", 2, MaxPooling1D::Options{.strides = 1, .padding = Padding::Same()})(
                         Input(m)));
     },
     "max: pad gives 12 steps for 11"},
    {"LastStateEverywhere",
     [](Model& m) {
       const Tensor x = Input(m);
       const Tensor last = m.Add<SimpleRNN>("rnn", kFeatures)(x);
       m.Output("y", x + expand_dims(last, 1));
     },
     "needs at every step what is known at the end"},
    {"NoTime", [](Model& m) { m.Output("y", m.Input("x", {kBatch}) * 2.0); },
     "without an axis of time"},
};

class Step : public testing::TestWithParam<Case> {};

runtime::Tensor Numbers(std::vector<int64_t> shape, uint64_t stream) {
  data::PhiloxStream random(stream);
  int64_t count = 1;
  for (const int64_t n : shape) count *= n;
  std::vector<float> numbers(static_cast<size_t>(count));
  for (float& v : numbers) v = static_cast<float>(random.Normal());
  return runtime::Tensor::FromVector(std::move(shape), numbers).value();
}

TEST_P(Step, GivesTheBitsOfTheSequence) {
  Model model("m");
  GetParam().build(model);
  auto module = BuildInferenceModule(model);
  if (GetParam().refusal != nullptr && !module.ok()) GTEST_FAIL() << module.status();
  ASSERT_TRUE(module.ok()) << module.status();
  const auto found = passes::AddOneStep(**module);
  if (GetParam().refusal != nullptr) {
    ASSERT_FALSE(found.ok());
    EXPECT_NE(found.status().message().find(GetParam().refusal), std::string::npos)
        << found.status();
    EXPECT_EQ((*module)->Find("step"), nullptr);
    return;
  }
  ASSERT_TRUE(found.ok()) << found.status();
  const int64_t columns = found->state.shape[1].size();
  int levels = 0;
  for (const char* level : {"x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    const auto target = codegen::NamedTarget(level);
    ASSERT_TRUE(target.ok());
    if (!codegen::CheckRunsHere(*target).ok()) continue;
    ++levels;
    const auto lowered = (*module)->Clone();
    ASSERT_TRUE(passes::RunPipeline(*lowered, "default", {.target = *target}).ok());
    const auto entries = codegen::CompileAndLoad(*lowered, {.target = *target});
    ASSERT_TRUE(entries.ok()) << entries.status();
    const auto entry = [&](std::string_view name) {
      for (const auto& e : *entries) {
        if (e.name == name) return &e.executable;
      }
      return static_cast<const runtime::Executable*>(nullptr);
    };
    for (const int64_t batch : {1, 7}) {
      SCOPED_TRACE(fmt::format("{} batch {}", level, batch));
      auto x = Numbers({batch, kSteps, kFeatures}, 1);
      std::vector<runtime::Tensor> weights;
      for (const ir::Parameter& p : lowered->parameters()) {
        std::vector<int64_t> shape;
        for (const Dim& d : p.type.shape) shape.push_back(d.size());
        weights.push_back(Numbers(shape, 2 + weights.size()));
      }
      const auto call = [&](std::string_view name, std::vector<runtime::Tensor> inputs) {
        for (const auto& w : weights) inputs.push_back(w.Clone().value());
        return entry(name)->Run(std::move(inputs));
      };
      std::vector<runtime::Tensor> whole;
      whole.push_back(x.Clone().value());
      const auto want = call("forward", std::move(whole));
      ASSERT_TRUE(want.ok()) << want.status();
      auto state = runtime::Tensor::Zeros(runtime::DType::kF32, {batch, columns}).value();
      EXPECT_TRUE(found->fills.empty());
      for (int64_t t = 0; t < kSteps; ++t) {
        auto sample = runtime::Tensor::Zeros(runtime::DType::kF32, {batch, kFeatures}).value();
        for (int64_t b = 0; b < batch; ++b) {
          std::memcpy(sample.data<float>().data() + b * kFeatures,
                      x.data<float>().data() + (b * kSteps + t) * kFeatures,
                      kFeatures * sizeof(float));
        }
        std::vector<runtime::Tensor> inputs;
        inputs.push_back(std::move(sample));
        inputs.push_back(std::move(state));
        auto got = call("step", std::move(inputs));
        ASSERT_TRUE(got.ok()) << got.status();
        ASSERT_EQ(got->size(), want->size() + 1);
        state = std::move(got->back());
        for (size_t r = 0; r < want->size(); ++r) {
          const runtime::Tensor &all = (*want)[r], &one = (*got)[r];
          const bool each = all.shape().size() > one.shape().size();
          if (!each && t + 1 < kSteps) continue;
          const auto row = static_cast<int64_t>(one.byte_size()) / batch;
          for (int64_t b = 0; b < batch; ++b) {
            const int64_t at = each ? (b * kSteps + t) * row : b * row;
            EXPECT_EQ(std::memcmp(reinterpret_cast<const char*>(all.raw()) + at,
                                  reinterpret_cast<const char*>(one.raw()) + b * row,
                                  static_cast<size_t>(row)),
                      0)
                << "output " << r << " step " << t << " row " << b;
          }
        }
      }
    }
  }
  EXPECT_GT(levels, 0);
}

INSTANTIATE_TEST_SUITE_P(All, Step, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace gradus
