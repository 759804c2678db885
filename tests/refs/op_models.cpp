// Cases of single operators: op_*. Their loss is the sum over float outputs of y * cos(0.7 * flat
// index).

#include <array>

#include "fmt/format.h"
#include "tests/refs/models.h"

namespace gradus::refs {
namespace {

void AddLoss(CaseGraph& c) {
  for (const auto& [name, y] : c.outputs) {
    const int64_t n = y.shape().num_elements().value_or(0);
    const Tensor flat = reshape(y, {n});
    const Tensor weight = cos(iota(y.function(), flat.type(), 0) * 0.7);
    const Tensor sum = reduce_sum(flat * weight);
    c.loss = c.loss ? c.loss + sum : sum;
  }
}

template <typename Outputs>
absl::Status Op(CaseGraph& c, Outputs outputs) {
  int index = 0;
  for (const Tensor y : outputs(c)) {
    c.Output(index == 0 ? "y" : fmt::format("y{}", index), y);
    ++index;
  }
  AddLoss(c);
  return absl::OkStatus();
}

using Tensors = std::vector<Tensor>;

absl::Status Pad(CaseGraph& c) {
  const std::string& text = c.reference.text;
  const auto left = NumberAfter(text, "pad "), right = NumberAfter(text, "left "),
             value = NumberAfter(text, "constant "), reflect = NumberAfter(text, "reflect ");
  if (!left || !right || !value || !reflect) {
    return absl::InvalidArgumentError(
        fmt::format("{}: the case does not state its padding", c.reference.name));
  }
  return Op(c, [&](CaseGraph& g) -> Tensors {
    const Tensor a = g.param("a");
    const auto rank = static_cast<size_t>(a.rank());
    std::vector<int64_t> low(rank, 0), high(rank, 0);
    low.back() = static_cast<int64_t>(*left);
    high.back() = static_cast<int64_t>(*right);
    const auto n = static_cast<int64_t>(*reflect);
    std::vector<int64_t> mirrored(rank, 0);
    mirrored.back() = n;
    return {pad(a, low, high, *value), pad_reflect(a, mirrored, mirrored)};
  });
}

absl::Status Slice(CaseGraph& c) {
  return Op(c, [](CaseGraph& g) -> Tensors {
    return {slice(g.param("a"), {Range1{}, Range1{1, -1, 2}, Range1{-1, kEnd, -1}})};
  });
}

absl::Status SplitStackExpand(CaseGraph& c) {
  return Op(c, [](CaseGraph& g) -> Tensors {
    const std::vector<Tensor> parts = split(g.param("a"), 2, -1);
    const Tensor stacked = stack({parts[0], parts[1]}, 0);
    return {stacked * expand(g.param("c"), stacked.shape())};
  });
}

absl::Status Where(CaseGraph& c) {
  const auto threshold = NumberAfter(c.reference.text, "a > ");
  if (!threshold) {
    return absl::InvalidArgumentError(
        fmt::format("{}: the case does not state its threshold", c.reference.name));
  }
  return Op(c, [&](CaseGraph& g) -> Tensors {
    const Tensor a = g.param("a"), b = g.param("b");
    return {where(greater(a, *threshold), a * b, a - b)};
  });
}

absl::Status DivPow(CaseGraph& c) {
  const auto exponent = NumberAfter(c.reference.text, "a^");
  if (!exponent) {
    return absl::InvalidArgumentError(
        fmt::format("{}: the case does not state its exponent", c.reference.name));
  }
  return Op(c, [&](CaseGraph& g) -> Tensors {
    return {g.param("a") / g.param("b") + pow(g.param("a"), *exponent)};
  });
}

absl::Status Clip(CaseGraph& c) {
  const auto low = NumberAfter(c.reference.text, "clip(a,");
  if (!low) {
    return absl::InvalidArgumentError(
        fmt::format("{}: the case does not state its bounds", c.reference.name));
  }
  return Op(c, [&](CaseGraph& g) -> Tensors {
    const Tensor a = g.param("a"), b = g.param("b");
    return {minimum(a, b) + 2.0 * maximum(a, b) + clip(a, *low, -*low) + abs(b)};
  });
}

// All numbers in the brackets after `key`, as a constant of `shape`.
Tensor Indices(const CaseGraph& c, std::string_view key, const Shape& shape) {
  const std::string& text = c.reference.text;
  size_t at = text.find(key);
  std::vector<Operand> numbers;
  ir::Function& f = c.param("a").function();
  for (int depth = 0; at < text.size(); ++at) {
    depth += text[at] == '[' ? 1 : text[at] == ']' ? -1 : 0;
    if (text[at] == ']' && depth == 0) break;
    if (depth == 0 || text[at] < '0' || text[at] > '9') continue;
    size_t used = 0;
    const int64_t number = std::stoll(text.substr(at), &used);
    numbers.emplace_back(ir::constant_int(f, {DType::kI64, {1}}, number));
    at += used - 1;
  }
  return reshape(concat(numbers, 0), shape);
}

const std::array<NamedModel, 26> kModels = {{
    {"op_broadcast_add_mul",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         return {(g.param("a") + g.param("b")) * g.param("c")};
       });
     }},
    {"op_cumsum_reverse",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         const Tensor a = g.param("a");
         return {cumsum(a, 1), cumsum(a, 1, /*reverse=*/true)};
       });
     }},
    {"op_div_pow", DivPow},
    {"op_einsum_bilinear",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         return {einsum("bi,ijk,bj->bk", {g.param("a"), g.param("M"), g.param("c")})};
       });
     }},
    {"op_exp_log_sqrt_rsqrt",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         const Tensor b = g.param("b");
         return {exp(g.param("a")) + log(b) + sqrt(b) + rsqrt(b)};
       });
     }},
    {"op_gather_axis1_repeat",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         const Tensor a = g.param("a");
         const int64_t chosen = g.reference.Find("out.y")->values.shape()[1];
         return {gather(a, Indices(g, "indices ", {chosen}), 1)};
       });
     }},
    {"op_gather_elements",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         const Tensor a = g.param("a");
         const std::vector<int64_t>& shape = g.reference.Find("out.y")->values.shape();
         return {take_along_axis(a, Indices(g, "indices ", {shape[0], shape[1]}), 1)};
       });
     }},
    {"op_l1_l2_norm",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         const Tensor a = g.param("a");
         return {norm_l1(a, {1}), norm_l2(a, {0})};
       });
     }},
    {"op_logsumexp_logsoftmax",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         return {logsumexp(g.param("a"), {1}), log_softmax(g.param("a"), 0)};
       });
     }},
    {"op_matmul_2d",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors { return {matmul(g.param("a"), g.param("b"))}; });
     }},
    {"op_matmul_batched_broadcast",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors { return {matmul(g.param("a"), g.param("b"))}; });
     }},
    {"op_matmul_vec",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         return {matmul(g.param("a"), g.param("b")), matmul(g.param("c"), g.param("a"))};
       });
     }},
    {"op_min_max_clip_abs", Clip},
    {"op_pad_constant_reflect", Pad},
    {"op_reduce_max_min",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         return {reduce_max(g.param("a"), {2}), reduce_min(g.param("a"), {1})};
       });
     }},
    {"op_reduce_prod_var_std",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         const Tensor a = g.param("a");
         return {reduce_prod(a, {1}), variance(a, {2}), standard_deviation(a, {0})};
       });
     }},
    {"op_reduce_sum_mean_axes",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         const Tensor a = g.param("a");
         return {reduce_sum(a, {1}, true) * reduce_mean(a, {0, 2}, true)};
       });
     }},
    {"op_reshape_transpose_concat",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         const Tensor a = g.param("a");
         const Tensor t = transpose(a, {0, 2, 1});
         const int64_t rest = a.shape()[1].size() * a.shape()[2].size();
         return {concat({reshape(t, {a.shape()[0], rest}), g.param("b")}, 1)};
       });
     }},
    {"op_scatter_add",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         const Tensor a = g.param("a");
         const std::vector<int64_t>& shape = g.reference.Find("out.y")->values.shape();
         return {scatter_add(Indices(g, "added at ", {a.shape()[0]}), a, 0, {shape[0], shape[1]})};
       });
     }},
    {"op_shared_subexpression",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         const Tensor t = tanh(g.param("a"));
         return {t * t + t + sigmoid(t * g.param("b"))};
       });
     }},
    {"op_slice_stride_neg", Slice},
    {"op_softmax_axis1_large",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors { return {softmax(g.param("a"), 1)}; });
     }},
    {"op_split_stack_expand", SplitStackExpand},
    {"op_topk_values",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         const int64_t k = g.reference.Find("out.y")->values.shape()[1];
         return {top_k(g.param("a"), k).values};
       });
     }},
    {"op_trig",
     [](CaseGraph& c) {
       return Op(c, [](CaseGraph& g) -> Tensors {
         const Tensor a = g.param("a");
         return {sin(a) * cos(a) + tan(a / 3) + atan(a) + sinh(a / 2) + erf(a)};
       });
     }},
    {"op_where", Where},
}};

}  // namespace

std::span<const NamedModel> OpModels() { return kModels; }

}  // namespace gradus::refs
