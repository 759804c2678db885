#include "codegen/emit_entry.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "codegen/compile.h"
#include "codegen/debug_lines.h"
#include "codegen/emit_fork.h"
#include "codegen/emit_info.h"
#include "codegen/emit_kernel.h"
#include "fmt/format.h"
#include "ir/loop/entry_plan.h"

namespace gradus::codegen {

namespace {

using loop::EntryPlan;

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

// The RowsEnd of the run of steps that begins at `begin`.
size_t EndOfRows(std::span<const loop::EntryStep> steps, size_t begin) {
  size_t end = begin;
  while (!std::holds_alternative<loop::RowsEnd>(steps[end])) ++end;
  return end;
}

// Parts of a few steps each, loops and runs over rows whole.
std::vector<std::span<const loop::EntryStep>> Parts(std::span<const loop::EntryStep> steps) {
  std::vector<std::span<const loop::EntryStep>> parts;
  size_t begin = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (std::holds_alternative<loop::LoopBegin>(steps[i])) i = EndOf(steps, i);
    if (std::holds_alternative<loop::RowsBegin>(steps[i])) i = EndOfRows(steps, i);
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

// The fields of what a run over rows is told (gradus_threads' context): the entry's arguments, and
// in how many parts the rows go.
enum RunField : unsigned { kIn, kOut, kDims, kWorkspace, kThreads, kParts, kRunFields };

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
    for (unsigned i = 0; i < kParts; ++i) given_[i] = frame_.function()->getArg(i);
    LoadSymbols();
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
  // Writes `void(ptr context, i64 part)`, which runs steps on a part of the rows.
  void EmitPart(const loop::RowsBegin& run, Steps steps) {
    auto& b = frame_.builder();
    llvm::Value* context = frame_.function()->getArg(0);
    for (unsigned i = 0; i < kParts; ++i) {
      given_[i] = b.CreateLoad(e_.pointer(), Element(context, i));
    }
    LoadSymbols();
    llvm::Value* parts = b.CreateLoad(e_.index(), Element(context, kParts));
    llvm::Value* number = b.CreateTrunc(frame_.function()->getArg(1), e_.index());
    rows_.symbol = run.rows;
    std::tie(rows_.first, rows_.count) = EmitPartOf(frame_, frame_.symbol(run.rows), parts, number);
    rows_.whole = b.CreateICmpEQ(parts, llvm::ConstantInt::get(e_.index(), 1));
    // A part is one thread's.
    given_[kThreads] =
        b.CreateSelect(rows_.whole, given_[kThreads], llvm::ConstantPointerNull::get(e_.pointer()));
    if (run.scratch_bytes > 0) {
      rows_.scratch =
          b.CreateGEP(b.getInt8Ty(), InWorkspace(run.scratch),
                      b.CreateMul(number, llvm::ConstantInt::get(e_.index(), run.scratch_bytes)));
    }
    first_ = steps.data();
    Run(steps);
  }

  // The rows of a part. `scratch`: its own, if it is not `whole`, all rows.
  struct RowsState {
    ir::Symbol symbol;
    llvm::Value *first = nullptr, *count = nullptr, *whole = nullptr, *scratch = nullptr;
  };

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
      } else if (const auto* rows = std::get_if<loop::RowsBegin>(&steps[i])) {
        const size_t end = EndOfRows(steps, i);
        Rows(*rows, steps.subspan(i + 1, end - i - 1));
        i = end;
      } else {
        const size_t end = EndOf(steps, i);
        Loop(std::get<loop::LoopBegin>(steps[i]), steps.subspan(i + 1, end - i - 1));
        i = end;
      }
    }
  }

  // Calls a function of its own for each part of the rows, by the caller's threads if that pays.
  void Rows(const loop::RowsBegin& run, Steps steps) {
    auto& b = frame_.builder();
    auto* type = llvm::FunctionType::get(b.getVoidTy(), {e_.pointer(), e_.i64()}, false);
    llvm::Function* part = e_.AddFunction(
        fmt::format("{}.rows{}", frame_.function()->getName().str(), runs_++), type, false);
    EntryEmitter(e_, part, plan_, symbols_, kernels_).EmitPart(run, steps);

    llvm::Value* context = frame_.Alloca(e_.i64(), kRunFields);
    for (unsigned i = 0; i < kParts; ++i) b.CreateStore(given_[i], Element(context, i));
    EmitFork(frame_,
             {frame_.symbol(run.rows), run.part_rows, frame_.ValueOf(run.work), run.least_work},
             given_[kThreads], part, context, kParts);
  }

  // Recursion is as deep as loops nest in the source. Pointers made within a step are of that step.
  void Loop(const loop::LoopBegin& begin, Steps steps) {
    LoopState& state = StateOf(begin.loop);
    const std::vector<llvm::Value*> outside = places_;
    llvm::Value* zero = llvm::ConstantInt::get(e_.index(), 0);
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

  void LoadSymbols() {
    auto& b = frame_.builder();
    for (size_t i = 0; i < plan_.symbols.size(); ++i) {
      llvm::Value* size = b.CreateLoad(e_.i64(), Element(given_[kDims], i));
      frame_.SetSymbol(plan_.symbols[i], b.CreateTrunc(size, e_.index()));
    }
  }

  void Return() {
    auto& b = frame_.builder();
    llvm::Instruction* end = &frame_.function()->back().back();
    b.SetInsertPoint(end);
    b.CreateRet(b.getInt32(0));
    end->eraseFromParent();
  }

  // Of an array of sizes, or of a context, whose fields are as far apart.
  llvm::Value* Element(llvm::Value* array, size_t i) {
    return frame_.builder().CreateConstGEP1_64(e_.i64(), array, i);
  }
  llvm::Value* LoadPointer(llvm::Value* array, size_t i) {
    auto& b = frame_.builder();
    return b.CreateLoad(e_.pointer(), b.CreateConstGEP1_64(e_.pointer(), array, i));
  }

  llvm::Value* Value(const loop::Maximum& m) {
    llvm::Value* largest = frame_.ValueOf(m.sums().empty() ? loop::Polynomial() : m.sums()[0]);
    for (size_t i = 1; i < m.sums().size(); ++i) {
      largest = frame_.builder().CreateBinaryIntrinsic(llvm::Intrinsic::smax, largest,
                                                       frame_.ValueOf(m.sums()[i]));
    }
    return largest;
  }

  llvm::Value* InWorkspace(const loop::Maximum& offset) {
    auto& b = frame_.builder();
    return b.CreateGEP(b.getInt8Ty(), given_[kWorkspace], Value(offset));
  }

  llvm::Value* Pointer(const loop::Place& p) {
    auto& b = frame_.builder();
    auto index = static_cast<size_t>(p.index);
    switch (p.kind) {
      case loop::Place::Kind::kArgument: return LoadPointer(given_[kIn], index);
      case loop::Place::Kind::kResult: return LoadPointer(given_[kOut], index);
      case loop::Place::Kind::kWorkspace: return InWorkspace(p.offset);
      case loop::Place::Kind::kSlice: return Slice(p);
      case loop::Place::Kind::kEither: break;
    }
    return b.CreateSelect(Holds(p), Place(p.index), Place(p.other));
  }

  llvm::Value* Done(const LoopState& loop) {
    return loop.done == nullptr ? llvm::ConstantInt::get(e_.index(), 0) : loop.done;
  }

  llvm::Value* Slice(const loop::Place& p) {
    auto& b = frame_.builder();
    const LoopState& loop = StateOf(p.loop);
    llvm::Value* step = b.CreateAdd(Done(loop), llvm::ConstantInt::getSigned(e_.index(), p.shift));
    if (loop.reverse) {
      llvm::Value* last = b.CreateSub(loop.count, llvm::ConstantInt::get(e_.index(), 1));
      step = b.CreateSub(last, step);
    }
    return b.CreateGEP(b.getInt8Ty(), Place(p.index), b.CreateMul(step, Value(p.offset)));
  }

  llvm::Value* Holds(const loop::Place& p) {
    auto& b = frame_.builder();
    const LoopState& loop = StateOf(p.loop);
    llvm::Value* left = b.CreateSub(loop.count, Done(loop));
    auto number = [&](int64_t n) { return llvm::ConstantInt::getSigned(e_.index(), n); };
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

  // The bytes of `type` but for its first axis, if that is the rows of this part; else null.
  llvm::Value* RowBytes(const ir::Type& type) {
    if (rows_.count == nullptr || type.shape.rank() == 0 || !type.shape[0].is_symbol() ||
        type.shape[0].symbol() != rows_.symbol) {
      return nullptr;
    }
    loop::Extent bytes(ir::ByteSize(type.dtype));
    for (int axis = 1; axis < type.rank(); ++axis) bytes = bytes * loop::Extent(type.shape[axis]);
    return frame_.Extent(bytes);
  }

  // A place, or where this part's rows of it begin.
  llvm::Value* PartOf(int place) {
    auto& b = frame_.builder();
    llvm::Value* row = RowBytes(plan_.places[static_cast<size_t>(place)].type);
    if (row == nullptr) return Place(place);
    return b.CreateGEP(b.getInt8Ty(), Place(place), b.CreateMul(rows_.first, row));
  }

  llvm::Value* Scratch(const loop::KernelCall& call, size_t i) {
    auto& b = frame_.builder();
    llvm::Value* whole = InWorkspace(call.scratch[i]);
    if (rows_.count == nullptr) return whole;
    llvm::Value* own = b.CreateConstGEP1_64(b.getInt8Ty(), rows_.scratch,
                                            static_cast<uint64_t>(call.part_scratch[i]));
    return b.CreateSelect(rows_.whole, whole, own);
  }

  void Call(const loop::KernelCall& call) {
    Values args;
    for (int place : call.places) args.push_back(PartOf(place));
    for (size_t i = 0; i < call.scratch.size(); ++i) args.push_back(Scratch(call, i));
    for (ir::Symbol s : symbols_) {
      bool known = std::find(plan_.symbols.begin(), plan_.symbols.end(), s) != plan_.symbols.end();
      args.push_back(!known ? llvm::ConstantInt::get(e_.index(), 0)
                     : rows_.count != nullptr && s == rows_.symbol ? rows_.count
                                                                   : frame_.symbol(s));
    }
    const Kernels::Kernel& kernel = kernels_.by_function.at(call.kernel);
    auto& b = frame_.builder();
    if (kernel.function->arg_size() > args.size()) args.push_back(given_[kThreads]);
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
    // Parts of the rows may run at once.
    b.CreateAtomicRMW(llvm::AtomicRMWInst::Add, place, more, llvm::Align(8),
                      llvm::AtomicOrdering::Monotonic);
  }

  void Copy(const loop::CopyStep& step) {
    const ir::Type& type = plan_.places[static_cast<size_t>(step.from)].type;
    llvm::Value* size = nullptr;
    if (llvm::Value* row = RowBytes(type)) {
      size = frame_.builder().CreateMul(rows_.count, row);
    } else {
      loop::Extent bytes(ir::ByteSize(type.dtype));
      for (const ir::Dim& d : type.shape) bytes = bytes * loop::Extent(d);
      size = frame_.Extent(bytes);
    }
    frame_.builder().CreateCall(CopyFunction(e_), {PartOf(step.to), PartOf(step.from), size});
  }

  ModuleEmitter& e_;
  const EntryPlan& plan_;
  const std::vector<ir::Symbol>& symbols_;
  const Kernels& kernels_;
  Frame frame_;
  std::array<llvm::Value*, kParts> given_ = {};  // the entry's arguments
  RowsState rows_;                               // of a part; else empty
  std::vector<llvm::Value*> places_;             // null before the first use
  std::map<int, LoopState> loops_;               // references stay good while loops nest
  const loop::EntryStep* first_ = nullptr;       // of the plan's steps that are emitted here
  int runs_ = 0;                                 // over rows, so far
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

absl::Status EmitModule(ModuleEmitter& emitter, const ir::Module& module,
                        const CodegenOptions& options) {
  std::vector<ir::Symbol> symbols;
  for (const auto& f : module.functions()) {
    if (f->entry == nullptr) continue;
    for (ir::Symbol s : f->entry->symbols) {
      if (std::find(symbols.begin(), symbols.end(), s) == symbols.end()) symbols.push_back(s);
    }
  }
  Kernels kernels;
  const std::vector<const ir::Function*> list = KernelsOf(module);
  const std::vector<ir::Location> locations = LocationsOf(list);
  for (const ir::Function* f : list) {
    if (f->plan == nullptr) {
      return absl::FailedPreconditionError(
          fmt::format("codegen: kernel @{} has no plan; run the pass `schedule` first", f->name()));
    }
    const uint64_t number = kernels.by_function.size();
    const std::string name = options.kernel_prefix + f->name();
    emitter.SetKernel(name, locations[number]);
    kernels.by_function[f] = {EmitKernel(emitter, *f, symbols, name), number};
  }
  emitter.SetKernel("", {});
  if (options.profile) {
    auto* table = llvm::ArrayType::get(emitter.i64(), 2 * kernels.by_function.size());
    kernels.times =
        new llvm::GlobalVariable(emitter.module(), table, false, llvm::GlobalValue::ExternalLinkage,
                                 llvm::Constant::getNullValue(table), options.prefix + "_profile");
  }
  bool any = false;
  for (const auto& f : module.functions()) {
    if (f->entry == nullptr) continue;
    any = true;
    std::string symbol = options.prefix + "_" + f->name();
    auto* p = emitter.pointer();
    auto* type =
        llvm::FunctionType::get(llvm::Type::getInt32Ty(emitter.context()), {p, p, p, p, p}, false);
    llvm::Function* function = emitter.AddFunction(symbol, type, true);
    if (options.in_library) function->setVisibility(llvm::GlobalValue::HiddenVisibility);
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
    if (options.in_library) continue;
    if (absl::Status info = EmitInfo(emitter, *f, symbol); !info.ok()) return info;
  }
  if (!any) {
    return absl::FailedPreconditionError(
        "codegen: no function of the module has a memory plan; run the passes up to `plan_memory` "
        "first");
  }
  return absl::OkStatus();
}

}  // namespace gradus::codegen
