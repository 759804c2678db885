#include "codegen/emit_kernel.h"

namespace gradus::codegen {

llvm::Function* EmitKernel(ModuleEmitter& emitter, const ir::Function& kernel,
                           const std::vector<ir::Symbol>& symbols) {
  const loop::Plan& plan = *kernel.plan;
  std::vector<llvm::Type*> types(plan.buffers.size(), emitter.pointer());
  types.resize(types.size() + symbols.size(), emitter.i64());
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(emitter.context()), types, false);
  llvm::Function* f = emitter.AddFunction("kernel." + kernel.name(), type, false);
  Frame frame(emitter, f, plan.buffers);
  unsigned next = 0;
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    f->getArg(next)->setName(plan.buffers[i].name);
    frame.SetPointer(static_cast<int>(i), f->getArg(next++));
  }
  for (ir::Symbol s : symbols) {
    f->getArg(next)->setName(llvm::StringRef(s.name().data(), s.name().size()));
    frame.SetSymbol(s, f->getArg(next++));
  }
  for (const loop::Step& step : plan.steps) {
    // A step sees what the steps before it wrote: nothing loaded before is remembered.
    frame.InScope([&] {
      if (const auto* nest = std::get_if<loop::Nest>(&step)) {
        EmitNest(frame, *nest);
      } else {
        EmitContraction(frame, std::get<loop::Contraction>(step), symbols);
      }
    });
    frame.ForgetLoads();
  }
  return f;
}

}  // namespace gradus::codegen
