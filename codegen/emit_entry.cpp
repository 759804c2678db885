#include "codegen/emit_entry.h"

#include <algorithm>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "codegen/compile.h"
#include "codegen/emit_kernel.h"
#include "fmt/format.h"
#include "ir/loop/entry_plan.h"
#include "runtime/abi.h"

namespace gradus::codegen {

namespace {

using loop::EntryPlan;

// Constants in the layout of runtime/abi.h.
class InfoEmitter {
 public:
  InfoEmitter(ModuleEmitter& emitter, const std::string& symbol,
              const std::vector<ir::Symbol>& symbols)
      : e_(emitter), symbol_(symbol), symbols_(symbols) {
    auto& c = e_.context();
    i32_ = llvm::Type::getInt32Ty(c);
    i64_ = e_.i64();
    auto* p = e_.pointer();
    // gradus_factor, gradus_term, gradus_dim, gradus_tensor_info, gradus_entry_info: natural
    // alignment, as in C.
    factor_ = llvm::StructType::get(c, {i64_, i64_, i32_, llvm::ArrayType::get(i32_, 3)});
    term_ = llvm::StructType::get(c, {i64_, i32_, llvm::ArrayType::get(factor_, 2), i32_});
    dim_ = llvm::StructType::get(c, {i64_, i32_});
    tensor_ = llvm::StructType::get(c, {p, i32_, i32_, p, i32_});
    entry_ = llvm::StructType::get(c, {i32_, p, i32_, i32_, i32_, i32_, p, p, p, p, i32_, p});
  }

  absl::Status Emit(const ir::Function& f) {
    const EntryPlan& plan = *f.entry;
    std::vector<llvm::Constant*> arguments, results, names, terms, live;
    for (int i = 0; i < f.num_args(); ++i) {
      arguments.push_back(Tensor(f.arg(i).node()->name(), f.arg(i).type(), -1));
    }
    for (const ir::Result& r : f.results())
      results.push_back(Tensor(r.name, r.value.type(), r.alias));
    for (ir::Symbol s : plan.symbols) names.push_back(String(s.name()));
    for (const auto& [size, list] :
         {std::pair(&plan.workspace, &terms), std::pair(&plan.live, &live)}) {
      if (absl::Status s = Append(*size, *list); !s.ok()) return s;
    }
    auto size = [](const auto& v) { return static_cast<int64_t>(v.size()); };
    llvm::Constant* info = llvm::ConstantStruct::get(
        entry_,
        {I32(GRADUS_ABI_VERSION), String(f.name()), I32(size(arguments)), I32(size(results)),
         I32(size(names)), I32(size(terms)), Array(tensor_, arguments), Array(tensor_, results),
         Array(e_.pointer(), names), Array(term_, terms), I32(size(live)), Array(term_, live)});
    new llvm::GlobalVariable(e_.module(), entry_, true, llvm::GlobalValue::ExternalLinkage, info,
                             symbol_ + "_info");
    return absl::OkStatus();
  }

 private:
  // The terms of `size`, sum by sum.
  absl::Status Append(const loop::Maximum& size, std::vector<llvm::Constant*>& terms) {
    for (size_t sum = 0; sum < size.sums().size(); ++sum) {
      for (const loop::SizeTerm& t : size.sums()[sum]) {
        if (t.factors.size() > 2)
          return absl::UnimplementedError("entry info: a size of more than two factors");
        std::vector<llvm::Constant*> factors;
        for (const loop::Extent& x : t.factors) {
          if (x.symbols.size() > 3)
            return absl::UnimplementedError("entry info: a factor of more than three symbols");
          factors.push_back(Factor(x));
        }
        factors.resize(2, llvm::Constant::getNullValue(factor_));
        terms.push_back(llvm::ConstantStruct::get(
            term_, {I64(t.coefficient), I32(static_cast<int64_t>(t.factors.size())),
                    llvm::ConstantArray::get(llvm::ArrayType::get(factor_, 2), factors),
                    I32(static_cast<int64_t>(sum))}));
      }
    }
    return absl::OkStatus();
  }

  llvm::Constant* I32(int64_t n) { return llvm::ConstantInt::getSigned(i32_, n); }
  llvm::Constant* I64(int64_t n) { return llvm::ConstantInt::getSigned(i64_, n); }

  llvm::Constant* Private(llvm::Constant* value) {
    auto* g = new llvm::GlobalVariable(e_.module(), value->getType(), true,
                                       llvm::GlobalValue::PrivateLinkage, value);
    g->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
    return g;
  }
  llvm::Constant* String(std::string_view text) {
    return Private(llvm::ConstantDataArray::getString(e_.context(),
                                                      llvm::StringRef(text.data(), text.size())));
  }
  llvm::Constant* Array(llvm::Type* type, const std::vector<llvm::Constant*>& elements) {
    if (elements.empty()) return llvm::ConstantPointerNull::get(e_.pointer());
    return Private(llvm::ConstantArray::get(llvm::ArrayType::get(type, elements.size()), elements));
  }
  llvm::Constant* SymbolIndex(ir::Symbol s) {
    auto it = std::find(symbols_.begin(), symbols_.end(), s);
    IR_CHECK_MSG(it != symbols_.end(), s.name());
    return I32(it - symbols_.begin());
  }
  llvm::Constant* Factor(const loop::Extent& x) {
    std::vector<llvm::Constant*> symbols;
    for (ir::Symbol s : x.symbols) symbols.push_back(SymbolIndex(s));
    auto count = static_cast<int64_t>(symbols.size());
    symbols.resize(3, I32(0));
    return llvm::ConstantStruct::get(
        factor_, {I64(x.scale), I64(x.divisor), I32(count),
                  llvm::ConstantArray::get(llvm::ArrayType::get(i32_, 3), symbols)});
  }
  llvm::Constant* Tensor(std::string_view name, const ir::Type& type, int alias) {
    std::vector<llvm::Constant*> dims;
    for (const ir::Dim& d : type.shape) {
      dims.push_back(llvm::ConstantStruct::get(
          dim_,
          {I64(d.is_symbol() ? -1 : d.size()), d.is_symbol() ? SymbolIndex(d.symbol()) : I32(-1)}));
    }
    return llvm::ConstantStruct::get(tensor_, {String(name), I32(static_cast<int64_t>(type.dtype)),
                                               I32(type.rank()), Array(dim_, dims), I32(alias)});
  }

  ModuleEmitter& e_;
  std::string symbol_;
  const std::vector<ir::Symbol>& symbols_;
  llvm::Type *i32_, *i64_;
  llvm::StructType *factor_, *term_, *dim_, *tensor_, *entry_;
};

const std::vector<loop::Buffer> kNoBuffers;

// Steps a function: an entry of thousands of calls would be one basic block, and code generation
// slower than linear in it.
constexpr size_t kStepsAFunction = 64;

// The LoopEnd of the loop that begins at `begin`.
size_t EndOf(std::span<const loop::EntryStep> steps, size_t begin) {
  const int number = std::get<loop::LoopBegin>(steps[begin]).loop;
  for (size_t i = begin + 1; i < steps.size(); ++i) {
    const auto* end = std::get_if<loop::LoopEnd>(&steps[i]);
    if (end != nullptr && end->loop == number) return i;
  }
  ir::CheckFailed("a loop that ends", __FILE__, __LINE__, "");
}

// Parts of a few steps each, loops whole.
std::vector<std::span<const loop::EntryStep>> Parts(std::span<const loop::EntryStep> steps) {
  std::vector<std::span<const loop::EntryStep>> parts;
  size_t begin = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (std::holds_alternative<loop::LoopBegin>(steps[i])) i = EndOf(steps, i);
    if (i + 1 - begin < kStepsAFunction && i + 1 < steps.size()) continue;
    parts.push_back(steps.subspan(begin, i + 1 - begin));
    begin = i + 1;
  }
  return parts;
}

// The kernels of a module as functions and, if calls are timed, the table with their times.
struct Kernels {
  struct Kernel {
    llvm::Function* function = nullptr;
    uint64_t number = 0;
  };
  absl::flat_hash_map<const ir::Function*, Kernel> by_function;
  llvm::GlobalVariable* times = nullptr;
};

// Writes a function of an entry's type that runs some of its steps.
class EntryEmitter {
 public:
  using Steps = std::span<const loop::EntryStep>;
  EntryEmitter(ModuleEmitter& emitter, llvm::Function* function, const EntryPlan& plan,
               const std::vector<ir::Symbol>& module_symbols, const Kernels& kernels)
      : e_(emitter),
        plan_(plan),
        symbols_(module_symbols),
        kernels_(kernels),
        frame_(emitter, function, kNoBuffers),
        places_(plan.places.size(), nullptr) {}

  void Emit(Steps steps) {
    auto& b = frame_.builder();
    llvm::Function* f = frame_.function();
    for (size_t i = 0; i < plan_.symbols.size(); ++i) {
      frame_.SetSymbol(plan_.symbols[i], b.CreateLoad(e_.i64(), Element(f->getArg(2), i)));
    }
    first_ = steps.data();
    Run(steps);
    Return();
  }
  // Runs other functions of an entry's type, which have its arguments.
  void Emit(std::span<llvm::Function* const> parts) {
    Values args;
    for (llvm::Argument& a : frame_.function()->args()) args.push_back(&a);
    for (llvm::Function* part : parts) frame_.builder().CreateCall(part, args);
    Return();
  }

 private:
  // A loop over time: its count, and how many of its steps are done (null: none yet).
  struct LoopState {
    llvm::Value* count = nullptr;
    llvm::Value* done = nullptr;
    bool reverse = false;
  };

  void Run(Steps steps) {
    for (size_t i = 0; i < steps.size(); ++i) {
      if (const auto* call = std::get_if<loop::KernelCall>(&steps[i])) {
        Call(*call);
      } else if (const auto* copy = std::get_if<loop::CopyStep>(&steps[i])) {
        Copy(*copy);
      } else {
        const size_t end = EndOf(steps, i);
        Loop(std::get<loop::LoopBegin>(steps[i]), steps.subspan(i + 1, end - i - 1));
        i = end;
      }
    }
  }

  // Recursion is as deep as loops nest in the source. Pointers made within a step are of that step.
  void Loop(const loop::LoopBegin& begin, Steps steps) {
    LoopState& state = StateOf(begin.loop);
    const std::vector<llvm::Value*> outside = places_;
    llvm::Value* zero = llvm::ConstantInt::get(e_.i64(), 0);
    frame_.Loop(zero, state.count, 1, true, {}, nullptr,
                [&](llvm::Value* step, const Values&) -> Values {
                  state.done = step;
                  Run(steps);
                  return {};
                });
    places_ = outside;
    state.done = state.count;
  }

  // Loops are known from the plan before they begin: what a carry starts in depends on their count.
  LoopState& StateOf(int loop) {
    auto [at, is_new] = loops_.try_emplace(loop);
    if (!is_new) return at->second;
    for (const loop::EntryStep& step : plan_.steps) {
      const auto* begin = std::get_if<loop::LoopBegin>(&step);
      if (begin == nullptr || begin->loop != loop) continue;
      at->second.count = frame_.Extent(begin->count);
      at->second.reverse = begin->reverse;
      // In an earlier part: it has run.
      if (&step < first_) at->second.done = at->second.count;
    }
    return at->second;
  }

  void Return() {
    auto& b = frame_.builder();
    llvm::Instruction* end = &frame_.function()->back().back();
    b.SetInsertPoint(end);
    b.CreateRet(b.getInt32(0));
    end->eraseFromParent();
  }

  llvm::Value* Element(llvm::Value* array, size_t i) {
    return frame_.builder().CreateConstGEP1_64(e_.i64(), array, i);
  }

  llvm::Value* Value(const loop::Polynomial& p) {
    auto& b = frame_.builder();
    llvm::Value* sum = nullptr;
    for (const loop::SizeTerm& t : p) {
      llvm::Value* x = llvm::ConstantInt::getSigned(e_.i64(), t.coefficient);
      for (const loop::Extent& factor : t.factors) x = b.CreateMul(x, frame_.Extent(factor));
      sum = sum == nullptr ? x : b.CreateAdd(sum, x);
    }
    return sum == nullptr ? llvm::ConstantInt::get(e_.i64(), 0) : sum;
  }

  llvm::Value* Value(const loop::Maximum& m) {
    llvm::Value* largest = Value(m.sums().empty() ? loop::Polynomial() : m.sums()[0]);
    for (size_t i = 1; i < m.sums().size(); ++i) {
      largest = frame_.builder().CreateBinaryIntrinsic(llvm::Intrinsic::smax, largest,
                                                       Value(m.sums()[i]));
    }
    return largest;
  }

  llvm::Value* InWorkspace(const loop::Maximum& offset) {
    auto& b = frame_.builder();
    return b.CreateGEP(b.getInt8Ty(), frame_.function()->getArg(3), Value(offset));
  }

  llvm::Value* Pointer(const loop::Place& p) {
    auto& b = frame_.builder();
    auto index = static_cast<size_t>(p.index);
    switch (p.kind) {
      case loop::Place::Kind::kArgument:
        return b.CreateLoad(e_.pointer(), Element(frame_.function()->getArg(0), index));
      case loop::Place::Kind::kResult:
        return b.CreateLoad(e_.pointer(), Element(frame_.function()->getArg(1), index));
      case loop::Place::Kind::kWorkspace: return InWorkspace(p.offset);
      case loop::Place::Kind::kSlice: return Slice(p);
      case loop::Place::Kind::kEither: break;
    }
    return b.CreateSelect(Holds(p), Place(p.index), Place(p.other));
  }

  llvm::Value* Done(const LoopState& loop) {
    return loop.done == nullptr ? llvm::ConstantInt::get(e_.i64(), 0) : loop.done;
  }

  llvm::Value* Slice(const loop::Place& p) {
    auto& b = frame_.builder();
    const LoopState& loop = StateOf(p.loop);
    llvm::Value* step = b.CreateAdd(Done(loop), llvm::ConstantInt::getSigned(e_.i64(), p.shift));
    if (loop.reverse) {
      llvm::Value* last = b.CreateSub(loop.count, llvm::ConstantInt::get(e_.i64(), 1));
      step = b.CreateSub(last, step);
    }
    return b.CreateGEP(b.getInt8Ty(), Place(p.index), b.CreateMul(step, Value(p.offset)));
  }

  llvm::Value* Holds(const loop::Place& p) {
    auto& b = frame_.builder();
    const LoopState& loop = StateOf(p.loop);
    llvm::Value* left = b.CreateSub(loop.count, Done(loop));
    auto number = [&](int64_t n) { return llvm::ConstantInt::getSigned(e_.i64(), n); };
    switch (p.when) {
      case loop::When::kEmpty: return b.CreateICmpEQ(loop.count, number(0));
      case loop::When::kFirst: return b.CreateICmpEQ(Done(loop), number(0));
      case loop::When::kLast: return b.CreateICmpEQ(left, number(1));
      case loop::When::kOddLeft: break;
    }
    return b.CreateTrunc(left, b.getInt1Ty());
  }

  // Made at the first use: pointers that wait for their step would fill the registers.
  llvm::Value* Place(int index) {
    llvm::Value*& pointer = places_[static_cast<size_t>(index)];
    if (pointer == nullptr) pointer = Pointer(plan_.places[static_cast<size_t>(index)]);
    return pointer;
  }

  void Call(const loop::KernelCall& call) {
    Values args;
    for (int place : call.places) args.push_back(Place(place));
    for (const loop::Maximum& offset : call.scratch) args.push_back(InWorkspace(offset));
    for (ir::Symbol s : symbols_) {
      bool known = std::find(plan_.symbols.begin(), plan_.symbols.end(), s) != plan_.symbols.end();
      args.push_back(known ? frame_.symbol(s) : llvm::ConstantInt::get(e_.i64(), 0));
    }
    const Kernels::Kernel& kernel = kernels_.by_function.at(call.kernel);
    auto& b = frame_.builder();
    if (kernels_.times == nullptr) {
      b.CreateCall(kernel.function, args);
      return;
    }
    const auto ticks = [&] { return b.CreateIntrinsic(llvm::Intrinsic::readcyclecounter, {}, {}); };
    llvm::Value* start = ticks();
    b.CreateCall(kernel.function, args);
    AddToTimes(2 * kernel.number, b.CreateSub(ticks(), start));
    AddToTimes(2 * kernel.number + 1, llvm::ConstantInt::get(e_.i64(), 1));
  }

  void AddToTimes(uint64_t number, llvm::Value* more) {
    auto& b = frame_.builder();
    llvm::Value* place = Element(kernels_.times, number);
    b.CreateStore(b.CreateAdd(b.CreateLoad(e_.i64(), place), more), place);
  }

  void Copy(const loop::CopyStep& step) {
    const ir::Type& type = plan_.places[static_cast<size_t>(step.from)].type;
    loop::Extent bytes(ir::ByteSize(type.dtype));
    for (const ir::Dim& d : type.shape) bytes = bytes * loop::Extent(d);
    frame_.builder().CreateCall(CopyFunction(e_),
                                {Place(step.to), Place(step.from), frame_.Extent(bytes)});
  }

  ModuleEmitter& e_;
  const EntryPlan& plan_;
  const std::vector<ir::Symbol>& symbols_;
  const Kernels& kernels_;
  Frame frame_;
  std::vector<llvm::Value*> places_;  // null before the first use
  absl::flat_hash_map<int, LoopState> loops_;
  const loop::EntryStep* first_ = nullptr;  // of the plan's steps that are emitted here
};

}  // namespace

std::vector<const ir::Function*> KernelsOf(const ir::Module& module) {
  std::vector<const ir::Function*> kernels;
  absl::flat_hash_set<const ir::Function*> known;
  for (const auto& f : module.functions()) {
    if (f->entry == nullptr) continue;
    for (const auto& step : f->entry->steps) {
      const auto* call = std::get_if<loop::KernelCall>(&step);
      if (call != nullptr && known.insert(call->kernel).second) kernels.push_back(call->kernel);
    }
  }
  return kernels;
}

absl::Status EmitModule(ModuleEmitter& emitter, const ir::Module& module, const std::string& prefix,
                        bool profile) {
  std::vector<ir::Symbol> symbols;
  for (const auto& f : module.functions()) {
    if (f->entry == nullptr) continue;
    for (ir::Symbol s : f->entry->symbols) {
      if (std::find(symbols.begin(), symbols.end(), s) == symbols.end()) symbols.push_back(s);
    }
  }
  Kernels kernels;
  for (const ir::Function* f : KernelsOf(module)) {
    if (f->plan == nullptr) {
      return absl::FailedPreconditionError(
          fmt::format("codegen: kernel @{} has no plan; run the pass `schedule` first", f->name()));
    }
    const uint64_t number = kernels.by_function.size();
    kernels.by_function[f] = {EmitKernel(emitter, *f, symbols), number};
  }
  if (profile) {
    auto* table = llvm::ArrayType::get(emitter.i64(), 2 * kernels.by_function.size());
    kernels.times =
        new llvm::GlobalVariable(emitter.module(), table, false, llvm::GlobalValue::ExternalLinkage,
                                 llvm::Constant::getNullValue(table), prefix + "_profile");
  }
  bool any = false;
  for (const auto& f : module.functions()) {
    if (f->entry == nullptr) continue;
    any = true;
    std::string symbol = prefix + "_" + f->name();
    auto* p = emitter.pointer();
    auto* type =
        llvm::FunctionType::get(llvm::Type::getInt32Ty(emitter.context()), {p, p, p, p, p}, false);
    llvm::Function* function = emitter.AddFunction(symbol, type, true);
    const EntryEmitter::Steps steps = f->entry->steps;
    if (steps.size() <= kStepsAFunction) {
      EntryEmitter(emitter, function, *f->entry, symbols, kernels).Emit(steps);
    } else {
      std::vector<llvm::Function*> parts;
      for (const EntryEmitter::Steps part : Parts(steps)) {
        parts.push_back(
            emitter.AddFunction(fmt::format("{}.part{}", symbol, parts.size()), type, false));
        EntryEmitter(emitter, parts.back(), *f->entry, symbols, kernels).Emit(part);
      }
      EntryEmitter(emitter, function, *f->entry, symbols, kernels).Emit(parts);
    }
    absl::Status info = InfoEmitter(emitter, symbol, f->entry->symbols).Emit(*f);
    if (!info.ok()) return info;
  }
  if (!any) {
    return absl::FailedPreconditionError(
        "codegen: no function of the module has a memory plan; run the passes up to `plan_memory` "
        "first");
  }
  return absl::OkStatus();
}

}  // namespace gradus::codegen
