#include "tools/bench/operations.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "frontend/compile.h"
#include "frontend/normalization.h"
#include "frontend/optimizers.h"
#include "frontend/tensor.h"
#include "passes/autodiff.h"
#include "tools/driver/flags.h"

namespace gradus::tools {
namespace {

constexpr int64_t kLargest = int64_t{1} << 31;

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// A number from 1 to kLargest, or 0.
int64_t ParseSize(std::string_view text) {
  int64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  const bool good = error == std::errc() && end == text.data() + text.size();
  return good && n >= 1 && n <= kLargest ? n : 0;
}

// What stands behind the name: sizes, and switches.
struct Request {
  std::vector<int64_t> sizes;
  bool transpose_a = false, transpose_b = false, valid = false;
  int64_t stride = 1;
};

Tensor Matmul(Graph& g, const Request& r) {
  const int64_t m = r.sizes[0], n = r.sizes[1], k = r.sizes[2];
  const Tensor a = g.Input("a", r.transpose_a ? Shape{k, m} : Shape{m, k});
  const Tensor b = g.Input("b", r.transpose_b ? Shape{n, k} : Shape{k, n});
  return matmul(a, b, {.transpose_a = r.transpose_a, .transpose_b = r.transpose_b});
}

Tensor Convolution(Graph& g, const Request& r) {
  const size_t axes = r.sizes.size() - 4;
  const int64_t channels = r.sizes[axes + 1], filters = r.sizes[axes + 2];
  const int64_t window = r.sizes[axes + 3];
  Shape x = {r.sizes[0]}, kernel;
  ir::ConvolutionOptions options;
  for (size_t i = 0; i < axes; ++i) {
    const int64_t size = r.sizes[i + 1];
    const int64_t positions = (size + r.stride - 1) / r.stride;
    const int64_t padding =
        r.valid ? 0 : std::max<int64_t>((positions - 1) * r.stride + window - size, 0);
    x.push_back(size);
    kernel.push_back(window);
    options.strides.push_back(r.stride);
    options.low.push_back(padding / 2);
    options.high.push_back(padding - padding / 2);
  }
  x.push_back(channels);
  kernel.push_back(channels);
  kernel.push_back(filters);
  return convolution(g.Input("x", x), g.Input("kernel", kernel), options);
}

Tensor Rows(Graph& g, const Request& r) { return g.Input("x", {r.sizes[0], r.sizes[1]}); }

Tensor SoftmaxRows(Graph& g, const Request& r) { return softmax(Rows(g, r), -1); }

Tensor LayernormRows(Graph& g, const Request& r) {
  const Tensor x = Rows(g, r);
  const auto spread = [&](const char* name) {
    return broadcast(g.Input(name, {r.sizes[1]}), x.shape(), {1});
  };
  return standardize(x, {-1}, 1e-5) * spread("gamma") + spread("beta");
}

template <Tensor (*kFunction)(Operand)>
Tensor Elements(Graph& g, const Request& r) {
  return kFunction(g.Input("x", {r.sizes[0]}));
}

// Its results are the arguments' memory.
Tensor AdamStep(Graph& g, const Request& r) {
  const Shape shape = {r.sizes[0]};
  UpdateContext c;
  c.parameter = g.Input("parameter", shape);
  c.gradient = g.Input("gradient", shape);
  c.state = {g.Input("m", shape), g.Input("v", shape)};
  c.learning_rate = g.Input("learning_rate", {});
  c.step = g.Input("step", {});
  const Adam adam;
  c.common = adam.Prepare(c.learning_rate, c.step);
  const Update update = adam.Apply(c);
  ir::Function& f = g.function();
  f.AddResult(update.parameter, "parameter", 0);
  f.AddResult(update.state[0], "m", 2);
  f.AddResult(update.state[1], "v", 3);
  return {};
}

struct Operation {
  std::string_view name, sizes;
  size_t least, most;  // numbers of sizes
  bool transposes, slides;
  Tensor (*build)(Graph&, const Request&);
};

constexpr auto kOperations = std::to_array<Operation>({
    {"matmul", "MxNxK", 3, 3, true, false, Matmul},
    {"conv", "BxLxCxFxW or BxHxWxCxFxK", 5, 6, false, true, Convolution},
    {"softmax", "RxC", 2, 2, false, false, SoftmaxRows},
    {"layernorm", "RxC", 2, 2, false, false, LayernormRows},
    {"adam", "N", 1, 1, false, false, AdamStep},
    {"exp", "N", 1, 1, false, false, Elements<exp>},
    {"tanh", "N", 1, 1, false, false, Elements<tanh>},
    {"sigmoid", "N", 1, 1, false, false, Elements<sigmoid>},
    {"log", "N", 1, 1, false, false, Elements<log>},
});

absl::StatusOr<Request> Parse(const Operation& operation, std::string_view name,
                              std::span<const std::string_view> parts) {
  const auto refuse = [&](std::string_view what) {
    return absl::InvalidArgumentError(
        fmt::format("--workload={}: {}\n  help: {} is written {}:{}{}", name, what, operation.name,
                    operation.name, operation.sizes,
                    operation.transposes ? "[:ta][:tb]"
                    : operation.slides   ? "[:sS][:valid]"
                                         : ""));
  };
  Request r;
  for (const std::string_view size : Split(parts[0], 'x')) {
    r.sizes.push_back(ParseSize(size));
    if (r.sizes.back() == 0) {
      return refuse(fmt::format("'{}' is no size from 1 to {}", size, kLargest));
    }
  }
  if (r.sizes.size() < operation.least || r.sizes.size() > operation.most) {
    return refuse(fmt::format("{} sizes", r.sizes.size()));
  }
  for (const std::string_view part : parts.subspan(1)) {
    if (operation.transposes && part == "ta") {
      r.transpose_a = true;
    } else if (operation.transposes && part == "tb") {
      r.transpose_b = true;
    } else if (operation.slides && part == "valid") {
      r.valid = true;
    } else if (operation.slides && part.starts_with('s') && ParseSize(part.substr(1)) > 0) {
      r.stride = ParseSize(part.substr(1));
    } else {
      return refuse(fmt::format("'{}' is not known", part));
    }
  }
  if (operation.slides && r.valid) {
    const auto window = r.sizes.back();
    const auto last = r.sizes.end() - 3;  // of the spatial sizes, which follow the batch
    if (std::any_of(r.sizes.begin() + 1, last, [&](int64_t n) { return n < window; })) {
      return refuse(fmt::format("windows of {} do not fit", window));
    }
  }
  return r;
}

// The results become the gradients of the arguments.
absl::Status TakeGradients(ir::Function& f, ir::Value y) {
  std::vector<ir::Value> arguments;
  for (int i = 0; i < f.num_args(); ++i) arguments.push_back(f.arg(i));
  const ir::Value seed = f.AddArgument("dy", y.type());
  absl::StatusOr<std::vector<ir::Value>> gradients = passes::Gradients(y, arguments, seed);
  if (!gradients.ok()) return gradients.status();
  for (size_t i = 0; i < gradients->size(); ++i) {
    f.AddResult((*gradients)[i], "d_" + arguments[i].node()->name());
  }
  return absl::OkStatus();
}

}  // namespace

bool IsOperation(std::string_view name) { return name.find(':') != std::string_view::npos; }

absl::StatusOr<std::unique_ptr<ir::Module>> BuildOperation(std::string_view name, bool gradients) {
  const std::vector<std::string_view> parts = Split(name, ':');
  const auto* const found = std::find_if(kOperations.begin(), kOperations.end(),
                                         [&](const Operation& o) { return o.name == parts[0]; });
  if (found == kOperations.end()) {
    return absl::InvalidArgumentError(fmt::format(
        "--workload={}: there is no operation {}\n  help: {}", name, parts[0], kOperationGrammar));
  }
  absl::StatusOr<Request> request = Parse(*found, name, std::span(parts).subspan(1));
  if (!request.ok()) return request.status();
  Graph graph("f");
  ir::Function& f = graph.function();
  const Tensor y = found->build(graph, *request);
  if (f.error()) return f.error()->ToStatus();
  if (!y) {
    if (gradients) {
      return absl::InvalidArgumentError(fmt::format(
          "--workload={}: an update has no gradients\n  help: leave --mode=train out", name));
    }
  } else if (!gradients) {
    f.AddResult(y, "y");
  } else if (absl::Status s = TakeGradients(f, y); !s.ok()) {
    return s;
  }
  if (f.error()) return f.error()->ToStatus();
  return graph.module().Clone();
}

}  // namespace gradus::tools
