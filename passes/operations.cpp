#include "passes/operations.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "ir/loop/kernel.h"
#include "ir/op_def.h"
#include "ir/ops/scan.h"
#include "passes/pipelines.h"

namespace gradus::passes {
namespace {

// One kernel an op, and its loops. Before that what a compilation would leave out is left out.
constexpr std::string_view kPasses = "graph,isolate-kernels,lower-to-loops";

double Number(const loop::Extent& extent, const Sizes& sizes) {
  auto n = static_cast<double>(extent.scale);
  for (const ir::Symbol s : extent.symbols) {
    const auto found = sizes.find(s.name());
    n *= found == sizes.end() ? 0 : static_cast<double>(found->second);
  }
  return n / static_cast<double>(extent.divisor);
}

class Counter {
 public:
  explicit Counter(const Sizes& sizes) : sizes_(sizes) {}

  // Recursion is as deep as loops nest in the source.
  double Function(const ir::Function& f) const {
    double sum = 0;
    for (const auto& node : f.nodes()) {
      if (!node->op().has(ir::kCall)) continue;
      const ir::Function& callee = *f.module()->Find(node->attr<ir::FunctionRef>("callee").name);
      if (callee.kind() == ir::FunctionKind::kKernel) {
        sum += Kernel(callee);
        continue;
      }
      const double steps =
          node->op().has(ir::kLoop) ? Number(loop::Extent(ir::ScanView(*node).length())) : 1;
      sum += steps * Function(callee);
    }
    return sum;
  }

 private:
  double Number(const loop::Extent& extent) const { return passes::Number(extent, sizes_); }

  double Kernel(const ir::Function& f) const {
    const bool counts = std::any_of(f.nodes().begin(), f.nodes().end(), [](const auto& node) {
      return node->op().has(ir::kContraction);
    });
    if (!counts || f.kernel == nullptr) return 0;
    double sum = 0;
    for (const loop::Scalar& s : f.kernel->arena->scalars()) {
      if (s.kind == loop::ScalarKind::kReduce && s.reduce == loop::ReduceKind::kSum) sum += Sum(s);
    }
    if (sum > 0) return sum;
    // Sums of one product are no sums any more.
    for (const loop::Store& store : f.kernel->stores) {
      double operations = 2;
      for (const loop::Variable* v : store.variables) operations *= Number(v->extent());
      sum += operations;
    }
    return sum;
  }

  double Sum(const loop::Scalar& s) const {
    double operations = 2;
    for (const loop::Variable* v : s.free) operations *= Number(v->extent());
    for (const loop::Variable* v : s.variables) operations *= Number(v->extent());
    std::vector<const loop::Scalar*> left = {s.operands[0]};
    while (!left.empty()) {  // a product of two loads: a tree of a few scalars
      const loop::Scalar& x = *left.back();
      left.pop_back();
      for (const loop::Condition& c : x.conditions) operations *= ShareThatHolds(c);
      left.insert(left.end(), x.operands.begin(), x.operands.end());
    }
    return operations;
  }

  // Of a condition that a remainder is 0, the part of the loops' steps for which it holds; 1 for
  // the conditions of windows.
  double ShareThatHolds(const loop::Condition& c) const {
    constexpr int64_t kLargest = 4096;
    if (c.form.terms().size() != 1) return 1;
    const loop::Variable* rest = c.form.terms()[0].variable;
    if (rest == nullptr || rest->kind() != loop::Variable::Kind::kMod) return 1;
    const int64_t divisor = rest->divisor();
    const double even = 1 / static_cast<double>(divisor);
    if (divisor > kLargest) return even;
    // How often each remainder occurs, one variable of the numerator after another.
    const auto modulo = [divisor](int64_t n) {
      return static_cast<size_t>(((n % divisor) + divisor) % divisor);
    };
    std::vector<double> shares(static_cast<size_t>(divisor), 0.0);
    shares[modulo(rest->numerator().constant())] = 1;
    for (const loop::Term& t : rest->numerator().terms()) {
      if (t.variable == nullptr && t.symbols.empty()) continue;
      if (!t.symbols.empty() || t.variable->kind() != loop::Variable::Kind::kLoop) return even;
      const auto extent = static_cast<int64_t>(Number(t.variable->extent()));
      const int64_t turns = std::min(extent, divisor);
      std::vector<double> next(shares.size(), 0.0);
      for (int64_t i = 0; i < turns; ++i) {
        // Of the steps i, i + divisor, i + 2 divisor, ... below the extent.
        const int64_t steps = (extent - i + divisor - 1) / divisor;
        const double share = static_cast<double>(steps) / static_cast<double>(extent);
        for (int64_t r = 0; r < divisor; ++r) {
          next[modulo(r + i * t.coefficient)] += share * shares[static_cast<size_t>(r)];
        }
      }
      shares = std::move(next);
    }
    return shares[0];
  }

  const Sizes& sizes_;
};

}  // namespace

absl::StatusOr<double> CountOperations(const ir::Module& module, const std::string& function,
                                       const Sizes& sizes) {
  const std::unique_ptr<ir::Module> copy = module.Clone();
  if (absl::Status s = passes::RunPipeline(*copy, kPasses, {}, {.verify_each = false}); !s.ok()) {
    return s;
  }
  const ir::Function* f = copy->Find(function);
  if (f == nullptr) return absl::InternalError("the function is gone");
  return Counter(sizes).Function(*f);
}

namespace {

// Recursion is as deep as loops nest in the source.
void AddKernels(const ir::Module& module, const ir::Function& f, const Sizes& sizes, double times,
                std::map<std::string, double>& sums) {
  for (const auto& node : f.nodes()) {
    if (!node->op().has(ir::kCall)) continue;
    const ir::Function& callee = *module.Find(node->attr<ir::FunctionRef>("callee").name);
    if (callee.kind() == ir::FunctionKind::kKernel) {
      if (callee.plan != nullptr) {
        sums[callee.name()] += times * PlannedOperations(*callee.plan, sizes);
      }
      continue;
    }
    const bool loops = node->op().has(ir::kLoop);
    const double steps = loops ? Number(loop::Extent(ir::ScanView(*node).length()), sizes) : 1;
    AddKernels(module, callee, sizes, times * steps, sums);
  }
}

}  // namespace

std::map<std::string, double> OperationsByKernel(const ir::Module& module,
                                                 const ir::Function& function, const Sizes& sizes) {
  std::map<std::string, double> sums;
  AddKernels(module, function, sizes, 1, sums);
  return sums;
}

double PlannedOperations(const loop::Plan& plan, const Sizes& sizes) {
  double sum = 0;
  for (const loop::Step& step : plan.steps) {
    const auto* c = std::get_if<loop::Contraction>(&step);
    if (c == nullptr) continue;
    double operations = 2;
    for (const auto* variables : {&c->batch, &c->m, &c->k}) {
      for (const loop::Variable* v : *variables) operations *= Number(v->extent(), sizes);
    }
    sum += operations * Number(c->n->extent(), sizes);
  }
  return sum;
}

}  // namespace gradus::passes
