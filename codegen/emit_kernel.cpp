#include "codegen/emit_kernel.h"

#include <algorithm>

#include "codegen/emit_fork.h"
#include "fmt/format.h"

namespace gradus::codegen {

namespace {

const loop::Split& SplitOf(const loop::Step& step) {
  return std::visit([](const auto& s) -> const loop::Split& { return s.split; }, step);
}

class KernelEmitter {
 public:
  KernelEmitter(ModuleEmitter& emitter, const ir::Function& kernel,
                const std::vector<ir::Symbol>& symbols, const std::string& name)
      : e_(emitter), plan_(*kernel.plan), symbols_(symbols), name_(name) {}

  llvm::Function* Process() {
    const bool shares = std::ranges::any_of(
        plan_.steps, [](const loop::Step& s) { return SplitOf(s).variable != nullptr; });
    std::vector<llvm::Type*> types(plan_.buffers.size(), e_.pointer());
    types.resize(types.size() + symbols_.size(), e_.index());
    if (shares) types.push_back(e_.pointer());
    auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(e_.context()), types, false);
    llvm::Function* f = e_.AddFunction(name_, type, false);
    Frame frame(e_, f, plan_.buffers);
    Values given;
    for (llvm::Argument& a : f->args()) given.push_back(&a);
    Declare(frame, given);
    for (const loop::Step& step : plan_.steps) {
      // A step sees what the steps before it wrote: nothing loaded before is remembered.
      frame.InScope([&] {
        SplitOf(step).variable == nullptr ? EmitStep(frame, step) : Fork(frame, step, given);
      });
      frame.ForgetLoads();
    }
    return f;
  }

 private:
  // The names of what a function of the kernel is given: buffers, then symbols.
  void Declare(Frame& frame, const Values& given) {
    size_t next = 0;
    for (const loop::Buffer& b : plan_.buffers) {
      given[next]->setName(b.name);
      frame.SetPointer(static_cast<int>(next), given[next]);
      ++next;
    }
    for (ir::Symbol s : symbols_) {
      given[next]->setName(llvm::StringRef(s.name().data(), s.name().size()));
      frame.SetSymbol(s, given[next++]);
    }
  }

  void EmitStep(Frame& frame, const loop::Step& step) {
    if (const auto* nest = std::get_if<loop::Nest>(&step)) {
      EmitNest(frame, *nest);
    } else {
      EmitContraction(frame, std::get<loop::Contraction>(step), symbols_);
    }
  }

  llvm::Value* Field(Frame& frame, llvm::Value* context, size_t i) {
    return frame.builder().CreateConstGEP1_64(e_.i64(), context, i);
  }

  // A step whose parts are a function of their own, `void(ptr context, i64 part)`. The context is
  // what the kernel was given, and the number of parts.
  void Fork(Frame& frame, const loop::Step& step, const Values& given) {
    const loop::Split& split = SplitOf(step);
    auto& b = frame.builder();
    const size_t fields = given.size() - 1;  // threads are not passed on
    llvm::Value* threads = given.back();
    llvm::Value* context = frame.Alloca(e_.i64(), static_cast<int64_t>(fields) + 1);
    for (size_t i = 0; i < fields; ++i) b.CreateStore(given[i], Field(frame, context, i));
    llvm::Value* work = frame.ValueOf(split.work);
    llvm::Value* parts =
        EmitParts(frame, Units(frame, split), split.least_units, threads,
                  b.CreateICmpSGE(work, llvm::ConstantInt::get(e_.index(), split.least_work)));
    b.CreateStore(parts, Field(frame, context, fields));
    EmitFork(frame, threads, parts, PartFunction(step, given), context);
  }

  llvm::Value* Units(Frame& frame, const loop::Split& split) {
    return frame.Extent(loop::CeilDiv(split.variable->extent(), split.unit));
  }

  llvm::Function* PartFunction(const loop::Step& step, const Values& given) {
    const loop::Split& split = SplitOf(step);
    auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(e_.context()),
                                         {e_.pointer(), e_.i64()}, false);
    llvm::Function* f = e_.AddFunction(fmt::format("{}.part{}", name_, parts_++), type, false);
    Frame frame(e_, f, plan_.buffers);
    auto& b = frame.builder();
    const size_t fields = given.size() - 1;
    Values own;
    for (size_t i = 0; i < fields; ++i) {
      own.push_back(b.CreateLoad(given[i]->getType(), Field(frame, f->getArg(0), i)));
    }
    Declare(frame, own);
    llvm::Value* parts = b.CreateLoad(e_.index(), Field(frame, f->getArg(0), fields));
    llvm::Value* number = b.CreateTrunc(f->getArg(1), e_.index());
    const auto [first, count] = EmitPartOf(frame, Units(frame, split), parts, number);
    frame.SetRange({split.variable, split.unit, first, b.CreateAdd(first, count)});
    frame.InScope([&] { EmitStep(frame, step); });
    return f;
  }

  ModuleEmitter& e_;
  const loop::Plan& plan_;
  const std::vector<ir::Symbol>& symbols_;
  const std::string name_;
  int parts_ = 0;
};

}  // namespace

llvm::Function* EmitKernel(ModuleEmitter& emitter, const ir::Function& kernel,
                           const std::vector<ir::Symbol>& symbols, const std::string& name) {
  return KernelEmitter(emitter, kernel, symbols, name).Process();
}

}  // namespace gradus::codegen
