// 1. Functions are compared by a shape: their instructions without the values of numbers.
// 2. Where the numbers of equal shapes differ, a number is what the function is given; those that
//    follow from another one as a * x + b (the strides of rows 1, 2, 3, ...) are computed from it.
// 3. Calls of functions that became one function have one shape, too: repeat with their callers.

#include "codegen/merge_functions.h"

#include <map>
#include <optional>
#include <vector>

#include "llvm/ADT/DenseMap.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Operator.h"

namespace gradus::codegen {
namespace {

// More arguments than these would fill the registers of an inner loop.
constexpr size_t kMostNumbers = 12;
// Bytes of code: of an instruction, of handing over a number, of a call or a thunk.
constexpr int64_t kInstructionBytes = 5, kNumberBytes = 8, kCallBytes = 12;

using Words = std::vector<uintptr_t>;

// What a function is but for its numbers, and where these are.
struct Outline {
  Words words;
  std::vector<llvm::Use*> uses;
  std::vector<llvm::AllocaInst*> allocas;
};

// Arrays on the stack may be of any length: the longest will do.
llvm::Type* ElementOf(const llvm::AllocaInst& alloca) {
  llvm::Type* type = alloca.getAllocatedType();
  return type->isArrayTy() ? type->getArrayElementType() : type;
}
uint64_t LengthOf(const llvm::AllocaInst& alloca) {
  llvm::Type* type = alloca.getAllocatedType();
  return type->isArrayTy() ? type->getArrayNumElements() : 1;
}

// What would be given instead of a constant: a number (of which a vector holds copies), or the
// address of a function (of the part of a step that threads share). Null: nothing.
llvm::Constant* Given(llvm::Value* operand) {
  auto* constant = llvm::dyn_cast<llvm::Constant>(operand);
  if (constant == nullptr) return nullptr;
  if (llvm::isa<llvm::Function>(constant)) {
    return llvm::cast<llvm::Function>(constant)->hasLocalLinkage() ? constant : nullptr;
  }
  if (constant->getType()->isVectorTy()) constant = constant->getSplatValue();
  if (constant == nullptr) return nullptr;
  const auto* number = llvm::dyn_cast<llvm::ConstantInt>(constant);
  const bool is_wide = number != nullptr && number->getBitWidth() == 64;
  return is_wide || llvm::isa<llvm::ConstantFP>(constant) ? constant : nullptr;
}

bool MayVary(const llvm::Use& use, const llvm::LoopInfo& loops) {
  if (Given(use.get()) == nullptr) return false;
  const llvm::User* user = use.getUser();
  if (llvm::isa<llvm::AllocaInst, llvm::SwitchInst, llvm::InsertElementInst,
                llvm::ExtractElementInst>(user)) {
    return false;
  }
  // Divisions by what is not known are slow.
  if (const auto* operation = llvm::dyn_cast<llvm::BinaryOperator>(user)) {
    if (operation->isIntDivRem() && loops.getLoopFor(operation->getParent()) != nullptr) {
      return false;
    }
  }
  if (const auto* call = llvm::dyn_cast<llvm::CallBase>(user)) {
    // What threads may share is called by its address anyway.
    if (call->isCallee(&use)) return call->getCalledFunction()->hasAddressTaken();
    return call->isArgOperand(&use) &&
           !call->paramHasAttr(call->getArgOperandNo(&use), llvm::Attribute::ImmArg);
  }
  if (const auto* address = llvm::dyn_cast<llvm::GetElementPtrInst>(user)) {
    return !address->getSourceElementType()->isStructTy();
  }
  return true;
}

class Outliner {
 public:
  explicit Outliner(llvm::Function& function) : f_(function), loops_(llvm::DominatorTree(f_)) {}

  Outline Run() {
    Pointer(f_.getFunctionType());
    for (llvm::Argument& a : f_.args()) Name(&a);
    for (llvm::BasicBlock& block : f_) Name(&block);
    for (llvm::BasicBlock& block : f_) {
      for (llvm::Instruction& i : block) Name(&i);
    }
    for (llvm::BasicBlock& block : f_) {
      for (llvm::Instruction& i : block) Add(i);
      Word(~uintptr_t{0});
    }
    return std::move(outline_);
  }

 private:
  void Word(uintptr_t word) { outline_.words.push_back(word); }
  void Pointer(const void* p) { Word(reinterpret_cast<uintptr_t>(p)); }
  void Name(llvm::Value* v) { names_[v] = names_.size() + 1; }

  void Add(llvm::Instruction& i) {
    Word(i.getOpcode());
    Pointer(i.getType());
    Word(i.getRawSubclassOptionalData());  // nsw, inbounds and the like
    if (llvm::isa<llvm::AllocaInst>(i))
      outline_.allocas.push_back(llvm::cast<llvm::AllocaInst>(&i));
    if (const auto* compare = llvm::dyn_cast<llvm::CmpInst>(&i)) Word(compare->getPredicate());
    if (const auto* address = llvm::dyn_cast<llvm::GetElementPtrInst>(&i)) {
      Pointer(address->getSourceElementType());
    }
    if (const auto* alloca = llvm::dyn_cast<llvm::AllocaInst>(&i)) {
      Pointer(ElementOf(*alloca));
      Word(alloca->getAlign().value());
    }
    if (const auto* load = llvm::dyn_cast<llvm::LoadInst>(&i)) {
      Word(load->getAlign().value());
      Word(static_cast<uintptr_t>(load->getOrdering()) * 2 + (load->isVolatile() ? 1 : 0));
    }
    if (const auto* store = llvm::dyn_cast<llvm::StoreInst>(&i)) {
      Word(store->getAlign().value());
      Word(static_cast<uintptr_t>(store->getOrdering()) * 2 + (store->isVolatile() ? 1 : 0));
    }
    if (const auto* shuffle = llvm::dyn_cast<llvm::ShuffleVectorInst>(&i)) {
      for (const int lane : shuffle->getShuffleMask()) Word(static_cast<uintptr_t>(lane));
    }
    if (const auto* call = llvm::dyn_cast<llvm::CallBase>(&i)) {
      Pointer(call->getFunctionType());
      Pointer(call->getAttributes().getRawPointer());
    }
    if (const auto* phi = llvm::dyn_cast<llvm::PHINode>(&i)) {
      for (llvm::BasicBlock* from : phi->blocks()) Word(names_.lookup(from));
    }
    Word(i.getNumOperands());
    for (llvm::Use& use : i.operands()) {
      const uintptr_t name = names_.lookup(use.get());
      if (name != 0) {
        Word(name);
      } else if (MayVary(use, loops_)) {
        Word(0);
        Pointer(use->getType());
        outline_.uses.push_back(&use);
      } else {
        Pointer(use.get());
      }
    }
  }

  llvm::Function& f_;
  const llvm::LoopInfo loops_;
  llvm::DenseMap<llvm::Value*, uintptr_t> names_;
  Outline outline_;
};

// Whether this module knows all calls of the function, and how it may be changed.
bool MayMerge(const llvm::Function& f) {
  return f.hasLocalLinkage() && !f.isDeclaration() && !f.isVarArg();
}

// What one operand is in each of the functions: a * another one + b, or given (base -1).
struct Difference {
  std::vector<llvm::Constant*> constants;
  std::vector<int64_t> values;  // of integers; of all else a number that stands for it
  bool is_integer = true;
  int base = -1;
  int64_t factor = 1, offset = 0;
  int argument = -1;  // of what is given
};

// The first a and b with values = a * base + b for all.
std::optional<std::pair<int64_t, int64_t>> Linear(const std::vector<int64_t>& values,
                                                  const std::vector<int64_t>& base) {
  constexpr int64_t kMost = int64_t{1} << 40;  // so that nothing overflows
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::abs(values[i]) > kMost || std::abs(base[i]) > kMost) return std::nullopt;
  }
  for (size_t i = 1; i < values.size(); ++i) {
    const int64_t step = base[i] - base[0];
    if (step == 0) continue;
    if ((values[i] - values[0]) % step != 0) return std::nullopt;
    const int64_t factor = (values[i] - values[0]) / step, offset = values[0] - factor * base[0];
    if (std::abs(factor) > 64) return std::nullopt;
    for (size_t k = 0; k < values.size(); ++k) {
      if (values[k] != factor * base[k] + offset) return std::nullopt;
    }
    return std::pair(factor, offset);
  }
  return std::nullopt;
}

class Merger {
 public:
  explicit Merger(llvm::Module& module) : module_(module) {}

  bool Round() {
    std::map<Words, size_t> known;
    std::vector<std::vector<llvm::Function*>> groups;
    std::vector<std::vector<Outline>> outlines;
    for (llvm::Function& f : module_) {
      if (!MayMerge(f) || thunks_.contains(&f)) continue;
      Outline outline = Outliner(f).Run();
      const auto [at, is_new] = known.try_emplace(outline.words, groups.size());
      if (is_new) {
        groups.emplace_back();
        outlines.emplace_back();
      }
      groups[at->second].push_back(&f);
      outlines[at->second].push_back(std::move(outline));
    }
    bool changed = false;
    for (size_t i = 0; i < groups.size(); ++i) {
      if (groups[i].size() > 1) changed = Merge(groups[i], outlines[i]) || changed;
    }
    return changed;
  }

 private:
  // The constants in which the functions differ, each once; `where`: which of them a use is, or -1.
  static std::vector<Difference> Differences(const std::vector<Outline>& outlines,
                                             std::vector<int>& where) {
    std::vector<Difference> differences;
    std::map<std::pair<bool, std::vector<int64_t>>, int> known;
    std::map<llvm::Constant*, int64_t> others;  // in order of appearance
    for (size_t n = 0; n < outlines[0].uses.size(); ++n) {
      Difference d;
      bool differs = false;
      for (const Outline& o : outlines) {
        llvm::Constant* constant = Given(o.uses[n]->get());
        const auto* number = llvm::dyn_cast<llvm::ConstantInt>(constant);
        d.is_integer = number != nullptr;
        d.values.push_back(
            d.is_integer
                ? number->getSExtValue()
                : others.try_emplace(constant, static_cast<int64_t>(others.size())).first->second);
        d.constants.push_back(constant);
        differs = differs || constant != d.constants[0];
      }
      where.push_back(-1);
      if (!differs) continue;
      const auto [at, is_new] = known.try_emplace(std::pair(d.is_integer, d.values),
                                                  static_cast<int>(differences.size()));
      if (is_new) differences.push_back(std::move(d));
      where.back() = at->second;
    }
    // The smallest first: strides of many rows follow from that of one.
    std::vector<int> given;
    for (const auto& [values, i] : known) {
      Difference& d = differences[static_cast<size_t>(i)];
      for (const int base : given) {
        const Difference& other = differences[static_cast<size_t>(base)];
        if (!d.is_integer || !other.is_integer) continue;
        const auto line = Linear(d.values, other.values);
        if (!line) continue;
        d.base = base;
        std::tie(d.factor, d.offset) = *line;
        break;
      }
      if (d.base >= 0) continue;
      d.argument = static_cast<int>(given.size());
      given.push_back(i);
    }
    return differences;
  }

  bool Merge(const std::vector<llvm::Function*>& functions, std::vector<Outline>& outlines) {
    std::vector<int> where;
    const std::vector<Difference> differences = Differences(outlines, where);
    std::vector<const Difference*> given;
    for (const Difference& d : differences) {
      if (d.argument >= 0) given.push_back(&d);
    }
    std::ranges::sort(given, {}, &Difference::argument);
    const auto count = static_cast<int64_t>(functions.size());
    const int64_t saved =
        (count - 1) * static_cast<int64_t>(functions[0]->getInstructionCount()) * kInstructionBytes;
    const int64_t cost = count * (kCallBytes + kNumberBytes * static_cast<int64_t>(given.size()));
    if (given.size() > kMostNumbers || saved <= cost) return false;

    // 1. A function with the body of the first, and the numbers as arguments behind its own.
    llvm::Function& first = *functions[0];
    std::vector<llvm::Type*> types(first.getFunctionType()->params().vec());
    for (const Difference* d : given) types.push_back(d->constants[0]->getType());
    auto* merged =
        llvm::Function::Create(llvm::FunctionType::get(first.getReturnType(), types, false),
                               first.getLinkage(), "", &module_);
    module_.getFunctionList().remove(merged);
    module_.getFunctionList().insert(first.getIterator(), merged);
    merged->copyAttributesFrom(&first);
    merged->setAttributes(first.getAttributes());
    merged->setSubprogram(first.getSubprogram());
    first.setSubprogram(nullptr);
    merged->takeName(&first);
    merged->splice(merged->begin(), &first);
    for (size_t i = 0; i < first.arg_size(); ++i) {
      llvm::Argument* old = first.getArg(static_cast<unsigned>(i));
      llvm::Argument* now = merged->getArg(static_cast<unsigned>(i));
      now->takeName(old);
      old->replaceAllUsesWith(now);
    }
    for (size_t i = 0; i < outlines[0].allocas.size(); ++i) {
      uint64_t length = 0;
      for (const Outline& o : outlines) length = std::max(length, LengthOf(*o.allocas[i]));
      llvm::AllocaInst* alloca = outlines[0].allocas[i];
      alloca->setAllocatedType(llvm::ArrayType::get(ElementOf(*alloca), length));
    }
    // 2. Its numbers.
    llvm::IRBuilder<> b(&merged->getEntryBlock(), merged->getEntryBlock().getFirstInsertionPt());
    std::vector<llvm::Value*> values(differences.size(), nullptr);
    const auto argument = [&](const Difference& d) {
      return merged->getArg(
          static_cast<unsigned>(first.arg_size() + static_cast<size_t>(d.argument)));
    };
    for (size_t i = 0; i < differences.size(); ++i) {
      const Difference& d = differences[i];
      if (d.argument >= 0) {
        values[i] = argument(d);
        continue;
      }
      llvm::Value* x = argument(differences[static_cast<size_t>(d.base)]);
      if (d.factor != 1) x = b.CreateMul(x, b.getInt64(static_cast<uint64_t>(d.factor)));
      if (d.offset != 0) x = b.CreateAdd(x, b.getInt64(static_cast<uint64_t>(d.offset)));
      values[i] = x;
    }
    for (size_t n = 0; n < where.size(); ++n) {
      if (where[n] < 0) continue;
      llvm::Value* value = values[static_cast<size_t>(where[n])];
      llvm::Use& use = *outlines[0].uses[n];
      if (const auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(use->getType())) {
        value = b.CreateVectorSplat(vector->getNumElements(), value);
      }
      use.set(value);
    }
    // 3. Who calls one of them.
    for (size_t i = 0; i < functions.size(); ++i) {
      std::vector<llvm::Value*> numbers;
      for (const Difference* d : given) numbers.push_back(d->constants[i]);
      Redirect(*functions[i], *merged, numbers);
    }
    return true;
  }

  void Redirect(llvm::Function& from, llvm::Function& to,
                const std::vector<llvm::Value*>& numbers) {
    std::vector<llvm::CallInst*> calls;
    for (llvm::User* user : from.users()) {
      auto* call = llvm::dyn_cast<llvm::CallInst>(user);
      if (call != nullptr && call->getCalledFunction() == &from) calls.push_back(call);
    }
    for (llvm::CallInst* call : calls) {
      std::vector<llvm::Value*> arguments(call->arg_begin(), call->arg_end());
      arguments.insert(arguments.end(), numbers.begin(), numbers.end());
      llvm::IRBuilder<> b(call);
      llvm::CallInst* now = b.CreateCall(&to, arguments);
      now->setDebugLoc(call->getDebugLoc());
      call->replaceAllUsesWith(now);
      call->eraseFromParent();
    }
    if (from.use_empty()) {
      from.eraseFromParent();
      return;
    }
    // Its address goes somewhere: a function that calls the other one.
    from.deleteBody();
    from.setLinkage(to.getLinkage());
    if (!from.hasName()) from.setName(to.getName());
    llvm::IRBuilder<> b(llvm::BasicBlock::Create(module_.getContext(), "", &from));
    std::vector<llvm::Value*> arguments;
    for (llvm::Argument& a : from.args()) arguments.push_back(&a);
    arguments.insert(arguments.end(), numbers.begin(), numbers.end());
    llvm::CallInst* call = b.CreateCall(&to, arguments);
    call->setTailCall();
    if (from.getReturnType()->isVoidTy()) {
      b.CreateRetVoid();
    } else {
      b.CreateRet(call);
    }
    thunks_.insert(&from);
  }

  llvm::Module& module_;
  llvm::DenseSet<llvm::Function*> thunks_;
};

}  // namespace

void MergeFunctions(llvm::Module& module) {
  Merger merger(module);
  while (merger.Round()) {
  }
}

}  // namespace gradus::codegen
