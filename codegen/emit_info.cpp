#include "codegen/emit_info.h"

#include <algorithm>
#include <utility>
#include <vector>

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

}  // namespace

absl::Status EmitInfo(ModuleEmitter& emitter, const ir::Function& entry,
                      const std::string& symbol) {
  return InfoEmitter(emitter, symbol, entry.entry->symbols).Emit(entry);
}

}  // namespace gradus::codegen
