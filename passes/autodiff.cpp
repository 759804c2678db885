#include "passes/autodiff.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "fmt/format.h"
#include "ir/op_def.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"
#include "passes/loop_gradient.h"

namespace gradus::passes {
namespace {

using ir::Function;
using ir::Node;
using ir::Value;

// Adds up gradients that arrive at one value. Where they are multiples of the same gradient,
// g * a + g * b with values a and b of the forward pass, that is g * (a + b): a + b, the derivative
// of an activation such as x * Phi(x), can be computed and kept where x is, in place of its parts.
class GradientSum {
 public:
  explicit GradientSum(const Function& function)
      : function_(function), scanned_(function.nodes().size()) {}

  void AddSeed(Value seed) { SetOfGradient(*seed.node()); }

  Value Process(Value a, Value b) {
    Scan();
    const Multiple of_a = AsMultiple(a), of_b = AsMultiple(b);
    // The last gradient that both are multiples of.
    for (size_t i = 0; i < of_a.gradients.size(); ++i) {
      const auto at = std::ranges::find(of_b.gradients, of_a.gradients[i]);
      if (at == of_b.gradients.end()) continue;
      const auto j = static_cast<size_t>(at - of_b.gradients.begin());
      // Nothing to take out, or a * a, whose derivative would be kept beside a.
      if (SameFactors(of_a, i, of_b, j)) break;
      return ir::mul(*at, ir::add(FactorOf(of_a, i), FactorOf(of_b, j)));
    }
    return ir::add(a, b);
  }

 private:
  // gradients[0] == gradients[i] * factors[i - 1] * .. * factors[0].
  struct Multiple {
    absl::InlinedVector<Value, 4> gradients, factors;
  };

  // As far as a function of the user's is likely to reach: in a chain of products each would look
  // through all the others.
  static constexpr size_t kMostFactors = 8;

  Multiple AsMultiple(Value v) const {
    Multiple m{{v}, {}};
    while (m.factors.size() < kMostFactors && v.node()->op().has(ir::kProduct)) {
      const Value x = v.node()->operand(0), y = v.node()->operand(1);
      if (IsOfGradient(x) == IsOfGradient(y)) break;
      m.factors.push_back(IsOfGradient(x) ? y : x);
      v = IsOfGradient(x) ? x : y;
      m.gradients.push_back(v);
    }
    return m;
  }

  static bool SameFactors(const Multiple& a, size_t i, const Multiple& b, size_t j) {
    return std::ranges::equal(std::span(a.factors).first(i), std::span(b.factors).first(j));
  }

  static Value FactorOf(const Multiple& m, size_t i) {
    if (i == 0) return ir::scalar_like(m.gradients[0], 1.0);
    Value product = m.factors[i - 1];
    while (--i > 0) product = ir::mul(product, m.factors[i - 1]);
    return product;
  }

  // What the nodes that rules have emitted since are made of.
  void Scan() {
    for (; scanned_ < function_.nodes().size(); ++scanned_) {
      const Node& node = *function_.nodes()[scanned_];
      if (std::ranges::any_of(node.operands(), [&](Value v) { return IsOfGradient(v); })) {
        SetOfGradient(node);
      }
    }
  }

  bool IsOfGradient(Value v) const {
    const auto id = static_cast<size_t>(v.node()->id());
    return id < of_gradient_.size() && of_gradient_[id];
  }
  void SetOfGradient(const Node& node) {
    const auto id = static_cast<size_t>(node.id());
    if (of_gradient_.size() <= id) of_gradient_.resize(2 * id + 1);
    of_gradient_[id] = true;
  }

  const Function& function_;
  size_t scanned_;                 // how many of its nodes
  std::vector<bool> of_gradient_;  // by node id
};

class Differentiator {
 public:
  Differentiator(Function& function, std::span<const Value> wanted)
      : function_(function), wanted_(wanted), sum_(function) {
    for (const auto& node : function_.nodes()) forward_.push_back(node.get());
    MarkPaths();
    gradients_.resize(static_cast<size_t>(function_.id_bound()));
  }

  // Before Process: what arrives at a result.
  void Seed(Value result, Value seed) {
    sum_.AddSeed(seed);
    if (Carries(result)) Accumulate(result, seed);
  }

  // One value a wanted one; no value: nothing arrived.
  absl::StatusOr<std::vector<Value>> Process() {
    for (Node* node : std::views::reverse(forward_)) {
      if (absl::Status s = Visit(*node); !s.ok()) {
        function_.set_location_override(std::nullopt);
        return s;
      }
    }
    function_.set_location_override(std::nullopt);
    std::vector<Value> out;
    for (const Value w : wanted_) out.push_back(GradientOf(w));
    if (function_.error()) return function_.error()->ToStatus();
    return out;
  }

 private:
  // A node is on a path if a wanted value reaches it through float values.
  void MarkPaths() {
    on_path_.assign(static_cast<size_t>(function_.id_bound()), false);
    for (const Value w : wanted_) on_path_[static_cast<size_t>(w.node()->id())] = true;
    for (const Node* node : forward_) {
      if (node->op().has(ir::kStopsGradient)) continue;
      for (const Value v : node->operands()) {
        if (Carries(v)) on_path_[static_cast<size_t>(node->id())] = true;
      }
    }
  }

  bool Carries(Value v) const {
    return ir::IsFloat(v.dtype()) && on_path_[static_cast<size_t>(v.node()->id())];
  }

  Value GradientOf(Value v) const {
    const auto& all = gradients_[static_cast<size_t>(v.node()->id())];
    const auto result = static_cast<size_t>(v.result());
    return result < all.size() ? all[result] : Value();
  }

  void Accumulate(Value v, Value gradient) {
    auto& all = gradients_[static_cast<size_t>(v.node()->id())];
    const auto results = static_cast<size_t>(v.node()->num_results());
    if (all.size() < results) all.resize(results);
    Value& slot = all[static_cast<size_t>(v.result())];
    slot = slot ? sum_.Process(slot, gradient) : gradient;
  }

  absl::Status Visit(Node& node) {
    const auto arrived = gradients_[static_cast<size_t>(node.id())];
    if (arrived.empty() || !on_path_[static_cast<size_t>(node.id())]) return absl::OkStatus();
    if (node.op().has(ir::kStopsGradient)) return absl::OkStatus();
    ir::Location location = node.location();
    location.backward = true;
    function_.set_location_override(std::move(location));
    ir::Vjp context;
    context.node = &node;
    context.grad = arrived[0];
    context.grads.assign(arrived.begin(), arrived.end());
    if (node.op().has(ir::kLoop)) return VisitLoop(node, context.grads);
    return node.op().vjp_all != nullptr ? VisitAll(context) : VisitEach(context);
  }

  absl::Status VisitLoop(Node& node, std::span<const Value> arrived) {
    std::vector<bool> wanted;
    for (const Value v : node.operands()) wanted.push_back(Carries(v));
    const absl::StatusOr<std::vector<Value>> gradients = LoopGradient(node, arrived, wanted);
    if (!gradients.ok()) return gradients.status();
    for (size_t i = 0; i < gradients->size(); ++i) {
      if (wanted[i] && (*gradients)[i]) {
        Accumulate(node.operand(static_cast<int>(i)), (*gradients)[i]);
      }
    }
    return absl::OkStatus();
  }

  absl::Status VisitAll(const ir::Vjp& context) {
    const auto gradients = context.node->op().vjp_all(context);
    for (int i = 0; i < context.node->num_operands(); ++i) {
      const Value g = gradients[static_cast<size_t>(i)];
      if (g && Carries(context.operand(i))) Accumulate(context.operand(i), g);
    }
    return absl::OkStatus();
  }

  absl::Status VisitEach(const ir::Vjp& context) {
    const ir::OpDef& op = context.node->op();
    for (int i = 0; i < context.node->num_operands(); ++i) {
      const Value operand = context.operand(i);
      if (!Carries(operand)) continue;
      const ir::VjpRule rule =
          static_cast<size_t>(i) < op.vjp.size() ? op.vjp[static_cast<size_t>(i)] : nullptr;
      if (rule == nullptr) return NotDifferentiable(*context.node, i);
      const Value gradient = rule(context);
      if (gradient.is_poison()) return function_.error()->ToStatus();
      IR_CHECK_MSG(gradient.type() == operand.type(), op.name);
      Accumulate(operand, gradient);
    }
    return absl::OkStatus();
  }

  absl::Status NotDifferentiable(const Node& node, int operand) const {
    ir::Diagnostic d;
    d.location = node.location();
    d.message = fmt::format("{} is not differentiable with respect to operand {} ({})",
                            node.op().name, operand, ir::ToString(node.operand(operand).type()));
    d.help = "wrap the operand in stop_gradient if its gradient is meant to be zero";
    return d.ToStatus();
  }

  Function& function_;
  std::span<const Value> wanted_;
  GradientSum sum_;
  std::vector<Node*> forward_;
  std::vector<bool> on_path_;
  // By node id: one value a result, or nothing yet. Grows with the nodes that rules emit only in
  // ids never looked up.
  std::vector<absl::InlinedVector<Value, 1>> gradients_;
};

}  // namespace

absl::StatusOr<std::vector<Value>> Gradients(Value result, std::span<const Value> wanted,
                                             Value seed) {
  if (!result || result.is_poison()) {
    if (result && result.function().error()) return result.function().error()->ToStatus();
    return absl::InvalidArgumentError("gradient: the result is no value");
  }
  ir::Diagnostic d;
  d.location = result.node()->location();
  if (!ir::IsFloat(result.dtype())) {
    d.message = fmt::format("gradient: the result has type {}, expected f32 or f64",
                            ir::ToString(result.type()));
    return d.ToStatus();
  }
  if (!seed && result.rank() != 0) {
    d.message = fmt::format("gradient: the result has type {}, expected a scalar",
                            ir::ToString(result.type()));
    d.help = "reduce it first, for example with reduce_mean, or give a seed of its type";
    return d.ToStatus();
  }
  if (seed && !(seed.type() == result.type())) {
    d.message = fmt::format("gradient: the seed has type {}, expected the result's {}",
                            ir::ToString(seed.type()), ir::ToString(result.type()));
    return d.ToStatus();
  }
  for (const Value w : wanted) {
    if (!w || w.is_poison() || &w.function() != &result.function()) {
      d.message = "gradient: a wanted value does not belong to the result's function";
      return d.ToStatus();
    }
    if (!ir::IsFloat(w.dtype())) {
      d.location = w.node()->location();
      d.message = fmt::format("gradient: a wanted value has type {}, expected f32 or f64",
                              ir::ToString(w.type()));
      return d.ToStatus();
    }
  }
  Differentiator differentiator(result.function(), wanted);
  differentiator.Seed(result, seed ? seed : ir::scalar_like(result, 1.0));
  absl::StatusOr<std::vector<Value>> gradients = differentiator.Process();
  if (!gradients.ok()) return gradients;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!(*gradients)[i]) (*gradients)[i] = ir::zeros_like(wanted[i]);
  }
  return gradients;
}

absl::StatusOr<std::vector<Value>> VectorGradients(std::span<const Value> results,
                                                   std::span<const Value> seeds,
                                                   std::span<const Value> wanted) {
  if (results.empty()) return std::vector<Value>(wanted.size());
  Differentiator differentiator(results[0].function(), wanted);
  for (size_t i = 0; i < results.size(); ++i) differentiator.Seed(results[i], seeds[i]);
  return differentiator.Process();
}

}  // namespace gradus::passes
