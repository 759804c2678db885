#include "codegen/emit_library.h"

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "codegen/emit_terms.h"
#include "fmt/format.h"
#include "llvm/IR/IRBuilder.h"
#include "runtime/abi.h"

namespace gradus::codegen {
namespace {

using Constants = std::vector<llvm::Constant*>;

// The bytes of an element, lowest first.
int64_t BitsOf(const LibraryFill& fill) {
  switch (fill.dtype) {
    case ir::DType::kF32: return std::bit_cast<int32_t>(static_cast<float>(fill.value));
    case ir::DType::kF64: return std::bit_cast<int64_t>(fill.value);
    case ir::DType::kI1: return fill.value != 0 ? 1 : 0;
    case ir::DType::kI32:
    case ir::DType::kI64: break;
  }
  return static_cast<int64_t>(fill.value);
}

// Functions and constants in the layout of runtime/standalone/standalone.h.
class InterfaceEmitter {
 public:
  InterfaceEmitter(ModuleEmitter& emitter, const Library& library,
                   std::span<const LibraryLevel> levels)
      : e_(emitter),
        library_(library),
        levels_(levels),
        i32_(llvm::Type::getInt32Ty(emitter.context())),
        i64_(emitter.i64()),
        p_(emitter.pointer()) {}

  absl::Status Emit() {
    EmitLevels();
    for (const LibraryFunction& f : library_.functions) {
      if (absl::Status s = EmitFunction(f); !s.ok()) return s;
    }
    EmitSaveAndLoad();
    if (library_.start) EmitStart(*library_.start, "train_start", "start", {p_, i64_});
    if (library_.step_start) {
      EmitStart(*library_.step_start, "step_start", "step_start", {p_, i64_});
    }
    if (library_.passport) EmitPassport(*library_.passport);
    // int32_t <prefix>_isa(void)
    llvm::Function* isa = Public("isa", {});
    Forward(isa, "isa", {level_table_});
    return absl::OkStatus();
  }

 private:
  llvm::Constant* I32(int64_t n) { return llvm::ConstantInt::getSigned(i32_, n); }
  llvm::Constant* I64(int64_t n) { return llvm::ConstantInt::getSigned(i64_, n); }
  llvm::Constant* Private(llvm::Constant* value) {
    return new llvm::GlobalVariable(e_.module(), value->getType(), true,
                                    llvm::GlobalValue::PrivateLinkage, value);
  }
  llvm::Constant* String(std::string_view text, bool with_end = true) {
    auto* bytes = llvm::ConstantDataArray::getString(
        e_.context(), llvm::StringRef(text.data(), text.size()), with_end);
    llvm::Constant*& known = strings_[bytes];
    if (known == nullptr) known = Private(bytes);
    return known;
  }
  // A structure of fields with their natural alignment, as in C.
  llvm::Constant* Struct(const Constants& fields) {
    return llvm::ConstantStruct::getAnon(e_.context(), fields);
  }
  llvm::Constant* Array(const Constants& elements) {
    if (elements.empty()) return llvm::ConstantPointerNull::get(p_);
    return Private(llvm::ConstantArray::get(
        llvm::ArrayType::get(elements.front()->getType(), elements.size()), elements));
  }

  // A function that users see; all return int32_t.
  llvm::Function* Public(std::string_view name, const std::vector<llvm::Type*>& parameters) {
    auto* type = llvm::FunctionType::get(i32_, parameters, false);
    return e_.AddFunction(fmt::format("{}_{}", library_.prefix, name), type, true);
  }

  // A function of runtime/standalone.
  llvm::FunctionCallee Standalone(std::string_view name, llvm::FunctionType* type) {
    const std::string symbol = StandaloneName(library_, name);
    llvm::FunctionCallee callee = e_.module().getOrInsertFunction(symbol, type);
    auto* function = llvm::cast<llvm::Function>(callee.getCallee());
    function->setVisibility(llvm::GlobalValue::HiddenVisibility);
    return callee;
  }

  // The body of `function`: calls runtime/standalone with `tables` and its own arguments, a size_t
  // as 64 bits.
  void Forward(llvm::Function* function, std::string_view name, const Constants& tables) {
    std::vector<llvm::Type*> types;
    std::vector<llvm::Value*> arguments;
    llvm::IRBuilder<> b(llvm::BasicBlock::Create(e_.context(), "", function));
    for (llvm::Constant* t : tables) arguments.push_back(t);
    for (llvm::Argument& a : function->args()) {
      arguments.push_back(a.getType()->isIntegerTy() ? b.CreateZExt(&a, i64_) : &a);
    }
    for (llvm::Value* a : arguments) types.push_back(a->getType());
    b.CreateRet(
        b.CreateCall(Standalone(name, llvm::FunctionType::get(i32_, types, false)), arguments));
  }

  void EmitLevels() {
    Constants numbers;
    for (const LibraryLevel& level : levels_) numbers.push_back(I32(level.number));
    auto* chosen =
        new llvm::GlobalVariable(e_.module(), i32_, false, llvm::GlobalValue::InternalLinkage,
                                 I32(0), library_.prefix + "_level");
    level_table_ =
        Private(Struct({I32(static_cast<int64_t>(levels_.size())), Array(numbers),
                        String(library_.variable.empty() ? "" : library_.variable + "="), chosen}));
  }

  // gradus_call.
  absl::StatusOr<llvm::Constant*> CallTable(const LibraryFunction& f) {
    Constants pointers, arguments, results, bodies;
    for (const LibraryPointer& p : f.pointers) {
      if (p.symbols.size() > 3) {
        return absl::UnimplementedError(
            fmt::format("library: an array of @{} has {} symbols in its shape, expected 3 at most",
                        f.entry, p.symbols.size()));
      }
      Constants symbols;
      for (const int s : p.symbols) symbols.push_back(I32(s));
      symbols.resize(3, I32(0));
      pointers.push_back(Struct({I64(p.bytes), I32(static_cast<int64_t>(p.symbols.size())),
                                 llvm::ConstantArray::get(llvm::ArrayType::get(i32_, 3), symbols),
                                 I32(p.alignment), I32(p.written ? 1 : 0)}));
    }
    for (const auto& [from, to] :
         {std::pair(&f.arguments, &arguments), std::pair(&f.results, &results)}) {
      for (const LibrarySlot& s : *from) to->push_back(Struct({I64(s.offset), I32(s.pointer)}));
    }
    for (const LibraryLevel& level : levels_) {
      bodies.push_back(
          Body(f.every_level ? LevelPrefix(library_, level) : OncePrefix(library_), f));
    }
    const Constants specials = Specials(f);
    const auto terms = TermConstants(e_, f.arena, f.symbols);
    if (!terms.ok()) return terms.status();
    const auto size = [](const auto& v) { return static_cast<int64_t>(v.size()); };
    return Private(
        Struct({I32(size(pointers)), I32(size(f.symbols)), I32(size(arguments)), I32(size(results)),
                I32(size(*terms)), I32(size(specials)), Array(pointers), Array(arguments),
                Array(results), Array(*terms), level_table_, Array(bodies), Array(specials)}));
  }

  llvm::Constant* Body(const std::string& prefix, const LibraryFunction& f) {
    auto* type = llvm::FunctionType::get(i32_, {p_, p_, p_, p_, p_}, false);
    auto* body = llvm::cast<llvm::Function>(
        e_.module().getOrInsertFunction(prefix + "_" + f.entry, type).getCallee());
    body->setVisibility(llvm::GlobalValue::HiddenVisibility);
    return body;
  }

  // gradus_special, each.
  Constants Specials(const LibraryFunction& f) {
    Constants specials;
    for (const LibrarySpecial& special : library_.specials) {
      if (special.modules.front()->Find(f.entry) == nullptr) continue;
      Constants bodies;
      for (const LibraryLevel& level : levels_) {
        bodies.push_back(Body(LevelPrefix(library_, level, &special), f));
      }
      const auto symbol = std::ranges::find(f.symbols, special.symbol) - f.symbols.begin();
      specials.push_back(Struct({I64(special.size), Array(bodies), I32(symbol)}));
    }
    return specials;
  }

  absl::Status EmitFunction(const LibraryFunction& f) {
    const auto table = CallTable(f);
    if (!table.ok()) return table.status();
    call_tables_[f.entry] = *table;
    if (f.threads) EmitCall(f, *table, f.entry + "_threads", true);
    EmitCall(f, *table, f.entry, false);
    return absl::OkStatus();
  }

  // The public function: arrays of its pointers and sizes on the stack, then
  // gradus_standalone_run.
  void EmitCall(const LibraryFunction& f, llvm::Constant* table, const std::string& name,
                bool threads) {
    std::vector<llvm::Type*> types;
    for (const LibraryParameter& p : f.parameters) {
      types.push_back(p.kind == LibraryParameter::Kind::kPointer ? p_ : i64_);
    }
    types.push_back(p_);
    types.push_back(e_.index());
    if (threads) types.push_back(p_);
    llvm::Function* function = Public(name, types);
    llvm::IRBuilder<> b(llvm::BasicBlock::Create(e_.context(), "", function));
    const auto array = [&](llvm::Type* type, size_t count) {
      return b.CreateAlloca(llvm::ArrayType::get(type, count));
    };
    const auto store = [&](llvm::Value* value, llvm::Value* to, int index) {
      b.CreateStore(value,
                    b.CreateConstGEP1_64(value->getType(), to, static_cast<uint64_t>(index)));
    };
    llvm::Value* pointers = array(p_, f.pointers.size());
    llvm::Value* dims = array(i64_, f.symbols.size());
    llvm::Value* in = array(p_, f.arguments.size());
    llvm::Value* out = array(p_, f.results.size());
    unsigned next = 0;
    for (const LibraryParameter& p : f.parameters) {
      llvm::Value* given = function->getArg(next++);
      switch (p.kind) {
        case LibraryParameter::Kind::kPointer: store(given, pointers, p.index); break;
        case LibraryParameter::Kind::kSize: store(given, dims, p.index); break;
        case LibraryParameter::Kind::kNumber: {
          llvm::Value* number = array(i64_, 1);
          b.CreateStore(given, number);
          store(number, pointers, p.index);
          break;
        }
      }
    }
    llvm::Value* arena = function->getArg(next++);
    llvm::Value* arena_bytes = b.CreateZExt(function->getArg(next++), i64_);
    llvm::Value* given_threads =
        threads ? static_cast<llvm::Value*>(function->getArg(next))
                : static_cast<llvm::Value*>(llvm::ConstantPointerNull::get(p_));
    auto* type = llvm::FunctionType::get(i32_, {p_, p_, p_, p_, p_, p_, i64_, p_}, false);
    b.CreateRet(b.CreateCall(Standalone("run", type),
                             {table, pointers, dims, in, out, arena, arena_bytes, given_threads}));
  }

  void EmitSaveAndLoad() {
    const LibraryWeights& w = library_.weights;
    if (!w.save && !w.load) return;
    Constants parameters;
    for (const LibraryWeight& p : w.parameters) {
      parameters.push_back(Struct({String(p.name), String(p.dtype), String(p.shape), I64(p.bytes),
                                   I64(p.offset), I64(p.saved)}));
    }
    llvm::Constant* table =
        Private(Struct({I64(static_cast<int64_t>(parameters.size())), Array(parameters),
                        I64(w.block_bytes), I64(w.alignment), String(w.header, false),
                        I64(static_cast<int64_t>(w.header.size())), I64(w.file_bytes)}));
    if (w.save) Forward(Public("save", {p_, p_, e_.index()}), "save", {table});
    if (w.load) Forward(Public("load", {p_, p_, e_.index()}), "load", {table});
  }

  void EmitStart(const LibraryStart& start, std::string_view name, std::string_view standalone,
                 const std::vector<llvm::Type*>& parameters) {
    Constants fills;
    for (const LibraryFill& f : start.fills) {
      fills.push_back(
          Struct({I64(f.offset), I64(f.count), I64(BitsOf(f)), I32(ir::ByteSize(f.dtype))}));
    }
    llvm::Constant* table =
        Private(Struct({I64(static_cast<int64_t>(fills.size())), Array(fills),
                        I64(start.block_bytes), I64(start.alignment), I64(start.seed_offset)}));
    Forward(Public(name, parameters), standalone, {table});
  }

  llvm::Constant* Drawn(const std::vector<LibraryDraw>& list) {
    llvm::Type* real = llvm::Type::getDoubleTy(e_.context());
    Constants all;
    for (const LibraryDraw& d : list) {
      all.push_back(
          Struct({I64(d.offset), I64(d.count), I32(d.pointer), I32(static_cast<int64_t>(d.dtype)),
                  llvm::ConstantFP::get(real, d.low), llvm::ConstantFP::get(real, d.span)}));
    }
    return Array(all);
  }

  void EmitPassport(const LibraryPassport& p) {
    llvm::Constant* text = llvm::ConstantDataArray::getString(
        e_.context(), llvm::StringRef(p.bytes.data(), p.bytes.size()), false);
    auto* passport = new llvm::GlobalVariable(e_.module(), text->getType(), true,
                                              llvm::GlobalValue::ExternalLinkage, text,
                                              library_.prefix + "_internal_passport");
    passport->setVisibility(llvm::GlobalValue::HiddenVisibility);
    passport->setAlignment(llvm::Align(8));
    Constants places;
    for (const int64_t place : p.places) places.push_back(I64(place));
    const auto call = call_tables_.find(p.entry);
    llvm::Constant* none = llvm::ConstantPointerNull::get(p_);
    const auto size = [&](const auto& v) { return I64(static_cast<int64_t>(v.size())); };
    llvm::Constant* table =
        Private(Struct({passport, size(p.bytes), call == call_tables_.end() ? none : call->second,
                        I64(p.size), I64(p.memory), I64(p.dims), I64(p.arena), Array(places),
                        size(p.drawn), size(p.results), Drawn(p.drawn), Drawn(p.results)}));
    Forward(Public("selftest", {p_, e_.index()}), "selftest", {table});
  }

  ModuleEmitter& e_;
  const Library& library_;
  std::span<const LibraryLevel> levels_;
  std::map<llvm::Constant*, llvm::Constant*> strings_;  // where each is
  std::map<std::string, llvm::Constant*> call_tables_;  // by entry
  llvm::Type *i32_, *i64_;
  llvm::PointerType* p_;
  llvm::Constant* level_table_ = nullptr;
};

}  // namespace

std::string LibrarySpecial::Name() const { return fmt::format("{}{}", symbol.name(), size); }

std::string LevelPrefix(const Library& library, const LibraryLevel& level,
                        const LibrarySpecial* special) {
  return fmt::format("{}_internal_v{}{}", library.prefix, level.number,
                     special == nullptr ? "" : "_" + special->Name());
}

std::string OncePrefix(const Library& library) { return library.prefix + "_internal"; }

std::string StandaloneName(const Library& library, std::string_view name) {
  return fmt::format("{}_{}{}", library.prefix, name == "strerror" ? "" : "internal_", name);
}

absl::Status EmitInterface(ModuleEmitter& emitter, const Library& library,
                           std::span<const LibraryLevel> levels) {
  return InterfaceEmitter(emitter, library, levels).Emit();
}

void EmitWeights(ModuleEmitter& emitter, const Library& library) {
  const std::string& bytes = *library.weights.embedded;
  llvm::Constant* data = llvm::ConstantDataArray::getString(
      emitter.context(), llvm::StringRef(bytes.data(), bytes.size()), false);
  auto* weights = new llvm::GlobalVariable(emitter.module(), data->getType(), true,
                                           llvm::GlobalValue::ExternalLinkage, data,
                                           library.prefix + "_weights");
  weights->setAlignment(llvm::Align(GRADUS_WORKSPACE_ALIGNMENT));
}

}  // namespace gradus::codegen
