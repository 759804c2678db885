#include "codegen/emit_info.h"

#include <algorithm>
#include <vector>

#include "codegen/emit_terms.h"
#include "ir/check.h"
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
    // gradus_dim, gradus_tensor_info, gradus_entry_info: natural alignment, as in C.
    dim_ = llvm::StructType::get(c, {i64_, i32_});
    tensor_ = llvm::StructType::get(c, {p, i32_, i32_, p, i32_});
    entry_ = llvm::StructType::get(c, {i32_, p, i32_, i32_, i32_, i32_, p, p, p, p, i32_, p});
  }

  absl::Status Emit(const ir::Function& f) {
    const EntryPlan& plan = *f.entry;
    std::vector<llvm::Constant*> arguments, results, names;
    for (int i = 0; i < f.num_args(); ++i) {
      arguments.push_back(Tensor(f.arg(i).node()->name(), f.arg(i).type(), -1));
    }
    for (const ir::Result& r : f.results())
      results.push_back(Tensor(r.name, r.value.type(), r.alias));
    for (ir::Symbol s : plan.symbols) names.push_back(String(s.name()));
    const auto terms = TermConstants(e_, plan.workspace, symbols_);
    if (!terms.ok()) return terms.status();
    const auto live = TermConstants(e_, plan.live, symbols_);
    if (!live.ok()) return live.status();
    auto size = [](const auto& v) { return static_cast<int64_t>(v.size()); };
    llvm::Constant* info = llvm::ConstantStruct::get(
        entry_, {I32(GRADUS_ABI_VERSION), String(f.name()), I32(size(arguments)),
                 I32(size(results)), I32(size(names)), I32(size(*terms)), Array(tensor_, arguments),
                 Array(tensor_, results), Array(e_.pointer(), names), Array(TermType(e_), *terms),
                 I32(size(*live)), Array(TermType(e_), *live)});
    new llvm::GlobalVariable(e_.module(), entry_, true, llvm::GlobalValue::ExternalLinkage, info,
                             symbol_ + "_info");
    return absl::OkStatus();
  }

 private:
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
  llvm::StructType *dim_, *tensor_, *entry_;
};

}  // namespace

absl::Status EmitInfo(ModuleEmitter& emitter, const ir::Function& entry,
                      const std::string& symbol) {
  return InfoEmitter(emitter, symbol, entry.entry->symbols).Emit(entry);
}

}  // namespace gradus::codegen
