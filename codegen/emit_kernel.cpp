#include "codegen/emit_kernel.h"

#include <algorithm>

#include "codegen/emit_fork.h"
#include "fmt/format.h"

namespace gradus::codegen {

namespace {

const loop::Split& SplitOf(const loop::Step& step) {
  return std::visit([](const auto& s) -> const loop::Split& { return s.split; }, step);
}

const loop::Turns& TurnsOf(const loop::Step& step) {
  return std::visit([](const auto& s) -> const loop::Turns& { return s.turns; }, step);
}

using Steps = std::span<const loop::Step>;

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
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      const loop::Step& step = plan_.steps[i];
      const size_t first = i;
      while (TurnsOf(plan_.steps[i]).units > 0) ++i;
      const Steps chain = Steps(plan_.steps).subspan(first, i - first + 1);
      // A step sees what the steps before it wrote: nothing loaded before is remembered.
      frame.InScope([&] {
        if (chain.size() > 1) {
          Fork(frame, SplitOf(step), given,
               [&](Frame& part, const Frame::Range& range) { TakeTurns(part, chain, range); });
        } else if (SplitOf(step).variable != nullptr) {
          Fork(frame, SplitOf(step), given,
               [&](Frame& part, const Frame::Range& range) { InBlocks(part, step, range); });
        } else if (e_.small() && plan_.steps.size() > 1) {
          CallStep(frame, step, given);
        } else {
          EmitStep(frame, step);
        }
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

  // A part of a step, in blocks of much the same size if it says so.
  void InBlocks(Frame& frame, const loop::Step& step, const Frame::Range& range) {
    const int64_t units = SplitOf(step).block_units;
    if (units == 0) {
      frame.SetRange(range);
      return EmitStep(frame, step);
    }
    auto& b = frame.builder();
    const auto number = [&](int64_t n) { return llvm::ConstantInt::getSigned(e_.index(), n); };
    llvm::Value* all = b.CreateSub(range.end, range.first);
    llvm::Value* blocks = b.CreateUDiv(b.CreateAdd(all, number(units - 1)), number(units));
    frame.Loop(number(0), blocks, 1, true, {}, nullptr,
               [&](llvm::Value* block, const Values&) -> Values {
                 const auto [before, count] = EmitPartOf(frame, all, blocks, block);
                 llvm::Value* begin = b.CreateAdd(range.first, before);
                 frame.SetRange({range.variable, range.unit, begin, b.CreateAdd(begin, count)});
                 EmitStep(frame, step);
                 return {};
               });
  }

  // The steps of a part that take turns (loop::Turns).
  void TakeTurns(Frame& frame, Steps chain, const Frame::Range& range) {
    auto& b = frame.builder();
    const auto number = [&](int64_t n) { return llvm::ConstantInt::getSigned(e_.index(), n); };
    const loop::Turns& first = TurnsOf(chain.front());
    // What a nest at the front passes on, which is where that of the first turn was.
    const auto* nest = std::get_if<loop::Nest>(&chain.front());
    const int buffer = nest == nullptr ? -1 : nest->stores.front().buffer;
    llvm::Value* whole = nest == nullptr ? nullptr : frame.pointer(buffer);
    frame.Loop(range.first, range.end, first.units, true, {}, nullptr,
               [&](llvm::Value* turn, const Values&) -> Values {
                 llvm::Value* end = b.CreateAdd(turn, number(first.units));
                 end = b.CreateSelect(b.CreateICmpSLT(end, range.end), end, range.end);
                 if (nest != nullptr) {
                   llvm::Type* element = e_.MemoryType(nest->stores.front().value->dtype);
                   llvm::Value* back =
                       b.CreateMul(b.CreateSub(range.first, turn), number(first.stride));
                   frame.SetPointer(buffer, b.CreateGEP(element, whole, back));
                 }
                 llvm::Value* begin = turn;
                 for (const loop::Step& step : chain) {
                   const loop::Split& split = SplitOf(step);
                   frame.SetRange({split.variable, split.unit, begin, end});
                   frame.InScope([&] { EmitStep(frame, step); });
                   frame.ForgetLoads();
                   const int64_t scale = TurnsOf(step).scale;
                   if (scale == 1) continue;
                   begin = b.CreateMul(begin, number(scale));
                   end = b.CreateMul(end, number(scale));
                 }
                 return {};
               });
  }

  llvm::Value* Field(Frame& frame, llvm::Value* context, size_t i) {
    return frame.builder().CreateConstGEP1_64(e_.i64(), context, i);
  }

  using EmitPart = std::function<void(Frame&, const Frame::Range&)>;

  // A step whose parts are a function of their own, `void(ptr context, i64 part)`. The context is
  // what the kernel was given, and the number of parts.
  void Fork(Frame& frame, const loop::Split& split, const Values& given, const EmitPart& emit) {
    Values used;  // threads are not passed on
    llvm::Function* part = PartFunction(split, {given.begin(), given.end() - 1}, emit, &used);
    llvm::Value* context = frame.Alloca(e_.i64(), static_cast<int64_t>(used.size()) + 1);
    for (size_t i = 0; i < used.size(); ++i) {
      frame.builder().CreateStore(used[i], Field(frame, context, i));
    }
    EmitFork(frame,
             {Units(frame, split), split.least_units, frame.ValueOf(split.work), split.least_work},
             given.back(), part, context, used.size());
  }

  // A step as a function of what it uses, in the order of its uses: steps of several kernels are
  // often alike, and become one (merge_functions.h).
  void CallStep(Frame& frame, const loop::Step& step, const Values& given) {
    llvm::Type* nothing = llvm::Type::getVoidTy(e_.context());
    std::vector<llvm::Type*> types;
    for (const llvm::Value* v : given) types.push_back(v->getType());
    llvm::Function* all = llvm::Function::Create(
        llvm::FunctionType::get(nothing, types, false), llvm::GlobalValue::InternalLinkage,
        fmt::format("{}.step{}", name_, parts_++), e_.module());
    {
      Frame own(e_, all, plan_.buffers);
      Values arguments;
      for (llvm::Argument& a : all->args()) arguments.push_back(&a);
      Declare(own, arguments);
      own.InScope([&] { EmitStep(own, step); });
    }
    llvm::SmallVector<llvm::Argument*, 16> used;
    types.clear();
    Values arguments;
    for (llvm::BasicBlock& block : *all) {
      for (llvm::Instruction& i : block) {
        for (llvm::Value* operand : i.operands()) {
          auto* argument = llvm::dyn_cast<llvm::Argument>(operand);
          if (argument == nullptr || llvm::is_contained(used, argument)) continue;
          used.push_back(argument);
          types.push_back(argument->getType());
          arguments.push_back(given[argument->getArgNo()]);
        }
      }
    }
    llvm::Function* f =
        e_.AddFunction(name_, llvm::FunctionType::get(nothing, types, false), false);
    f->takeName(all);
    f->splice(f->end(), all);
    for (size_t i = 0; i < used.size(); ++i)
      used[i]->replaceAllUsesWith(f->getArg(static_cast<unsigned>(i)));
    all->eraseFromParent();
    frame.builder().CreateCall(f, arguments);
  }

  llvm::Value* Units(Frame& frame, const loop::Split& split) {
    return frame.Extent(loop::CeilDiv(split.variable->extent(), split.unit));
  }

  // `used`: of what the kernel was given, what the function reads from its context, in order; the
  // number of parts is behind it.
  llvm::Function* PartFunction(const loop::Split& split, const Values& given, const EmitPart& emit,
                               Values* used) {
    auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(e_.context()),
                                         {e_.pointer(), e_.i64()}, false);
    llvm::Function* f = e_.AddFunction(fmt::format("{}.part{}", name_, parts_++), type, false);
    Frame frame(e_, f, plan_.buffers);
    auto& b = frame.builder();
    // Each has an address of its own until it is known which are there.
    Values own;
    std::vector<llvm::Instruction*> addresses;
    const auto load = [&](llvm::Type* loaded) {
      auto* at = llvm::GetElementPtrInst::Create(e_.i64(), f->getArg(0), {b.getInt64(0)});
      addresses.push_back(b.Insert(at));
      return b.CreateLoad(loaded, at);
    };
    for (llvm::Value* v : given) own.push_back(load(v->getType()));
    llvm::Value* parts = load(e_.index());
    Declare(frame, own);
    llvm::Value* number = b.CreateTrunc(f->getArg(1), e_.index());
    const auto [first, count] = EmitPartOf(frame, Units(frame, split), parts, number);
    const Frame::Range range{split.variable, split.unit, first, b.CreateAdd(first, count)};
    frame.InScope([&] { emit(frame, range); });
    for (size_t i = 0; i < own.size(); ++i) {
      if (own[i]->use_empty()) {
        llvm::cast<llvm::Instruction>(own[i])->eraseFromParent();
        addresses[i]->eraseFromParent();
      } else {
        addresses[i]->setOperand(1, b.getInt64(used->size()));
        used->push_back(given[i]);
      }
    }
    addresses.back()->setOperand(1, b.getInt64(used->size()));
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
