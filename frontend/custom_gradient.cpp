#include "frontend/custom_gradient.h"

#include "fmt/format.h"
#include "ir/module.h"
#include "ir/ops/custom_gradient.h"

namespace gradus {

Tensor CustomGradient(const Tensors& x, absl::FunctionRef<Tensor(std::span<const Tensor>)> forward,
                      absl::FunctionRef<Tensors(const Backward&)> backward,
                      const std::source_location& where) {
  for (const Tensor v : x) {
    if (!v || v.is_poison()) return v;
  }
  if (x.empty()) return {};
  const Tensor y = forward(x);
  if (!y || y.is_poison()) return y;
  ir::Function& f = y.function();
  ir::Module& module = *f.module();
  ir::Function& body =
      module.AddFunction(module.UniqueName(f.name() + ".backward"), ir::FunctionKind::kBody);
  const ir::Location location(where);
  Backward given;
  for (const Tensor v : x) {
    given.x.push_back(body.AddArgument(fmt::format("x{}", given.x.size()), v.type(), location));
  }
  given.y = body.AddArgument("y", y.type(), location);
  given.dy = body.AddArgument("dy", y.type(), location);
  const Tensors gradients = backward(given);
  std::string problem;
  if (gradients.size() != x.size()) {
    problem = fmt::format("the gradient gives {} tensors, expected one for each of {}",
                          gradients.size(), x.size());
  }
  for (size_t i = 0; i < gradients.size() && problem.empty(); ++i) {
    const Tensor g = gradients[i];
    if (!g || g.is_poison()) {
      if (body.error()) f.ReportError(*body.error());
      problem = fmt::format("gradient {} is no tensor", i);
    } else if (&g.function() != &body) {
      problem = fmt::format("gradient {} is made of tensors from outside of it", i);
    } else {
      body.AddResult(g);
    }
  }
  if (!problem.empty()) {
    f.ReportError({.location = location,
                   .message = "custom gradient: " + problem,
                   .help = "make each from what the function is given: x, y and dy"});
    module.EraseFunction(&body);
    return f.poison();
  }
  std::vector<Operand> operands;
  for (const Tensor v : x) operands.emplace_back(v, where);
  return ir::with_gradient(Operand(y, where), operands, body);
}

}  // namespace gradus
