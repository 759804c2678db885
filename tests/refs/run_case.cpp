#include "tests/refs/run_case.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "fmt/format.h"

namespace gradus::refs {
namespace {

using Values = std::vector<double>;

Values ToDoubles(const runtime::Tensor& t) {
  Values out;
  switch (t.dtype()) {
    case runtime::DType::kF32:
      for (const float x : t.data<float>()) out.push_back(x);
      break;
    case runtime::DType::kF64:
      for (const double x : t.data<double>()) out.push_back(x);
      break;
    case runtime::DType::kI64:
      for (const int64_t x : t.data<int64_t>()) out.push_back(static_cast<double>(x));
      break;
    case runtime::DType::kI32:
      for (const int32_t x : t.data<int32_t>()) out.push_back(x);
      break;
    case runtime::DType::kI1:
      for (const uint8_t x : t.data<uint8_t>()) out.push_back(x);
      break;
  }
  return out;
}

bool IsFloat(runtime::DType d) { return d == runtime::DType::kF32 || d == runtime::DType::kF64; }

absl::StatusOr<runtime::Tensor> Converted(const runtime::Tensor& t, DType dtype) {
  if (!IsFloat(t.dtype())) return t.Clone();
  const Values values = ToDoubles(t);
  if (dtype == DType::kF64) return runtime::Tensor::FromVector<double>(t.shape(), values);
  return runtime::Tensor::FromVector<float>(t.shape(),
                                            std::vector<float>(values.begin(), values.end()));
}

// In float64 the tolerances of loss, out and grad are a thousandth, but no less than the rounding
// of the stored values.
constexpr double kStoredRounding = 6e-8;

std::string Compare(const RefTensor& want_tensor, const runtime::Tensor& got_tensor, DType dtype) {
  const Values want = ToDoubles(want_tensor.values);
  Values got = ToDoubles(got_tensor);
  if (want_tensor.probe) {
    Values sampled;
    for (const int64_t i : want_tensor.probe->data<int64_t>()) {
      sampled.push_back(i >= 0 && i < static_cast<int64_t>(got.size())
                            ? got[static_cast<size_t>(i)]
                            : std::numeric_limits<double>::quiet_NaN());
    }
    got = std::move(sampled);
  } else if (got_tensor.shape() != want_tensor.values.shape()) {
    return fmt::format("{}: shape [{}], want [{}]", want_tensor.name,
                       fmt::join(got_tensor.shape(), ", "),
                       fmt::join(want_tensor.values.shape(), ", "));
  }
  double atol = want_tensor.atol, rtol = want_tensor.rtol;
  const bool tighter = dtype == DType::kF64 && !want_tensor.name.starts_with("after");
  if (tighter) {
    atol *= 1e-3;
    rtol = std::max(rtol * 1e-3, kStoredRounding);
  }
  double worst = 0;
  size_t worst_at = 0;
  bool failed = false;
  for (size_t i = 0; i < want.size(); ++i) {
    if (want_tensor.mask && want_tensor.mask->data<uint8_t>()[i] == 0) continue;
    const double error = std::abs(got[i] - want[i]);
    const double excess = error / (atol + rtol * std::abs(want[i]));
    const bool bad = !(error <= atol + rtol * std::abs(want[i]));
    if (bad && (!failed || !(excess <= worst))) {
      failed = true;
      worst = excess;
      worst_at = i;
    }
  }
  if (!failed) return "";
  return fmt::format("{}: element {} got {:.9g} want {:.9g} ({:.3g} times the tolerance)",
                     want_tensor.name, worst_at, got[worst_at], want[worst_at], worst);
}

class Runner {
 public:
  Runner(const RefCase& reference, DType dtype)
      : reference_(reference), dtype_(dtype), graph_("reference", dtype) {}

  absl::StatusOr<std::vector<std::string>> Run(BuildCase build, const CompileOptions& options) {
    if (absl::Status s = BuildGraph(build); !s.ok()) return s;
    auto executable = Compile(graph_, options);
    if (!executable.ok()) return executable.status();
    if (absl::Status s = Initialise(); !s.ok()) return s;
    if (absl::Status s = Call(*executable); !s.ok()) return s;
    CompareFirst();
    for (int64_t step = 1; step <= reference_.steps; ++step) {
      if (step > 1) {
        if (absl::Status s = Call(*executable); !s.ok()) return s;
      }
      if (absl::Status s = Advance(step); !s.ok()) return s;
    }
    if (reference_.steps > 0) {
      if (absl::Status s = Call(*executable); !s.ok()) return s;
      Check("loss_after10", "loss");
    }
    return failures_;
  }

 private:
  absl::Status BuildGraph(BuildCase build) {
    CaseGraph c{reference_, graph_, {}, {}, {}};
    for (const RefTensor& t : reference_.tensors) {
      const bool input = t.name.starts_with("in."), parameter = t.name.starts_with("param.");
      if (!input && !parameter) continue;
      Shape shape;
      for (const int64_t size : t.values.shape()) shape.push_back(Dim(size));
      const DType type = IsFloat(t.values.dtype()) ? dtype_ : static_cast<DType>(t.values.dtype());
      c.tensors[t.name] = graph_.Input(t.name, shape, type);
      argument_names_.push_back(t.name);
    }
    if (absl::Status s = build(c); !s.ok()) return s;
    for (const auto& [name, value] : c.outputs) graph_.Output(name, value);
    graph_.Output("loss", c.loss);

    std::vector<Tensor> wanted;
    for (const std::string& name : argument_names_) {
      const Tensor v = c.tensors.at(name);
      if (!ir::IsFloat(v.dtype())) continue;
      const bool parameter = name.starts_with("param.");
      wanted.push_back(v);
      gradient_names_.push_back((parameter ? "grad." : "grad_input.") +
                                name.substr(name.find('.') + 1));
    }
    const std::vector<Tensor> gradients = Grad(c.loss, wanted);
    for (size_t i = 0; i < gradients.size(); ++i) graph_.Output(gradient_names_[i], gradients[i]);
    return reference_.steps > 0 ? AddUpdates(c, wanted, gradients) : absl::OkStatus();
  }

  absl::Status AddUpdates(CaseGraph& c, const std::vector<Tensor>& wanted,
                          const std::vector<Tensor>& gradients) {
    auto optimizer = MakeOptimizer(reference_.optimizer);
    if (!optimizer.ok()) return optimizer.status();
    std::vector<size_t> parameters;  // their places in `wanted`
    std::vector<Tensor> clipped;
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (!wanted[i].node()->name().starts_with("param.")) continue;
      parameters.push_back(i);
      clipped.push_back(gradients[i]);
    }
    if (const Clipping clipping = MakeClipping(reference_.optimizer)) clipped = clipping(clipped);
    const Tensor rate = graph_.Input("learning_rate", {});
    const Tensor step = graph_.Input("step", {});
    argument_names_.emplace_back("learning_rate");
    argument_names_.emplace_back("step");
    learning_rate_ = (*optimizer)->learning_rate();
    UpdateContext u{.learning_rate = rate, .step = step};
    u.common = (*optimizer)->Prepare(rate, step);
    for (size_t i = 0; i < parameters.size(); ++i) {
      const std::string& name = wanted[parameters[i]].node()->name();
      u.parameter = c.tensors.at(name);
      u.gradient = clipped[i];
      u.state.clear();
      for (const Slot& slot : (*optimizer)->slots()) {
        const std::string state = name + "/" + slot.name;
        u.state.push_back(graph_.Input(state, u.parameter.shape()));
        argument_names_.push_back(state);
        starts_[state] = slot.start;
      }
      const Update update = (*optimizer)->Apply(u);
      graph_.Output("next." + name, update.parameter);
      for (size_t k = 0; k < update.state.size(); ++k) {
        graph_.Output("next." + u.state[k].node()->name(), update.state[k]);
      }
    }
    return absl::OkStatus();
  }

  absl::Status Initialise() {
    for (const std::string& name : argument_names_) {
      absl::StatusOr<runtime::Tensor> value;
      const RefTensor* reference = reference_.Find(name);
      if (reference != nullptr) {
        value = Converted(reference->values, dtype_);
      } else if (const size_t slash = name.find('/'); slash != std::string::npos) {
        value = Filled(reference_.Find(name.substr(0, slash))->values.shape(), starts_.at(name));
      } else {
        value = Scalar(name == "learning_rate" ? learning_rate_ : 1.0);
      }
      if (!value.ok()) return value.status();
      arguments_[name] = *std::move(value);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<runtime::Tensor> Filled(const std::vector<int64_t>& shape, double value) const {
    auto t = runtime::Tensor::Zeros(static_cast<runtime::DType>(dtype_), shape);
    if (!t.ok()) return t;
    if (dtype_ == DType::kF64) {
      std::ranges::fill(t->data<double>(), value);
    } else {
      std::ranges::fill(t->data<float>(), static_cast<float>(value));
    }
    return t;
  }

  absl::StatusOr<runtime::Tensor> Scalar(double value) const { return Filled({}, value); }

  absl::Status Call(const runtime::Executable& executable) {
    std::vector<runtime::Tensor> inputs;
    for (const std::string& name : argument_names_) {
      auto copy = arguments_.at(name).Clone();
      if (!copy.ok()) return copy.status();
      inputs.push_back(*std::move(copy));
    }
    auto outputs = executable.Run(std::move(inputs));
    if (!outputs.ok()) return outputs.status();
    for (size_t i = 0; i < outputs->size(); ++i) {
      results_[executable.info().results[i].name] = std::move((*outputs)[i]);
    }
    return absl::OkStatus();
  }

  void Check(const std::string& reference, const std::string& result) {
    const RefTensor* want = reference_.Find(reference);
    if (want == nullptr) return;
    ++compared_;
    if (std::string failure = Compare(*want, results_.at(result), dtype_); !failure.empty()) {
      failures_.push_back(std::move(failure));
    }
  }

  void CompareFirst() {
    for (const RefTensor& t : reference_.tensors) {
      const bool now = t.name == "loss" || t.name.starts_with("out.") || t.name.starts_with("grad");
      if (!now) continue;
      if (results_.contains(t.name)) {
        Check(t.name, t.name);
      } else {
        failures_.push_back(t.name + ": the model does not compute it");
      }
    }
  }

  // The parameters and the state of the next step, compared where the case has them.
  absl::Status Advance(int64_t step) {
    for (auto& [name, value] : arguments_) {
      const auto next = results_.find("next." + name);
      if (next == results_.end()) continue;
      if (name.starts_with("param.") && name.find('/') == std::string::npos) {
        Check(fmt::format("after{}.{}", step, name.substr(6)), "next." + name);
      }
      value = std::move(next->second);
    }
    auto number = Scalar(static_cast<double>(step + 1));
    if (!number.ok()) return number.status();
    arguments_["step"] = *std::move(number);
    return absl::OkStatus();
  }

  const RefCase& reference_;
  DType dtype_;
  Graph graph_;
  std::vector<std::string> argument_names_, gradient_names_;
  std::map<std::string, runtime::Tensor> arguments_, results_;
  double learning_rate_ = 0;
  std::map<std::string, double> starts_;  // of the optimiser's state
  int compared_ = 0;
  std::vector<std::string> failures_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> RunCase(const RefCase& reference, BuildCase build,
                                                 DType dtype, const CompileOptions& options) {
  return Runner(reference, dtype).Run(build, options);
}

}  // namespace gradus::refs
