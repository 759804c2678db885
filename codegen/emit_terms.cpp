#include "codegen/emit_terms.h"

#include <algorithm>

#include "ir/check.h"

namespace gradus::codegen {
namespace {

llvm::StructType* FactorType(ModuleEmitter& e) {
  llvm::Type* i32 = llvm::Type::getInt32Ty(e.context());
  return llvm::StructType::get(e.context(), {e.i64(), e.i64(), i32, llvm::ArrayType::get(i32, 3)});
}

llvm::Constant* Factor(ModuleEmitter& e, const loop::Extent& x,
                       const std::vector<ir::Symbol>& known) {
  llvm::Type* i32 = llvm::Type::getInt32Ty(e.context());
  std::vector<llvm::Constant*> symbols;
  for (const ir::Symbol s : x.symbols) {
    const auto it = std::find(known.begin(), known.end(), s);
    IR_CHECK_MSG(it != known.end(), s.name());
    symbols.push_back(llvm::ConstantInt::getSigned(i32, it - known.begin()));
  }
  const auto count = static_cast<int64_t>(symbols.size());
  symbols.resize(3, llvm::ConstantInt::get(i32, 0));
  return llvm::ConstantStruct::get(
      FactorType(e),
      {llvm::ConstantInt::getSigned(e.i64(), x.scale),
       llvm::ConstantInt::getSigned(e.i64(), x.divisor), llvm::ConstantInt::getSigned(i32, count),
       llvm::ConstantArray::get(llvm::ArrayType::get(i32, 3), symbols)});
}

}  // namespace

llvm::StructType* TermType(ModuleEmitter& e) {
  llvm::Type* i32 = llvm::Type::getInt32Ty(e.context());
  return llvm::StructType::get(e.context(),
                               {e.i64(), i32, llvm::ArrayType::get(FactorType(e), 2), i32});
}

absl::StatusOr<std::vector<llvm::Constant*>> TermConstants(ModuleEmitter& e,
                                                           const loop::Maximum& size,
                                                           const std::vector<ir::Symbol>& symbols) {
  llvm::Type* i32 = llvm::Type::getInt32Ty(e.context());
  auto* factors_type = llvm::ArrayType::get(FactorType(e), 2);
  std::vector<llvm::Constant*> terms;
  for (size_t sum = 0; sum < size.sums().size(); ++sum) {
    for (const loop::SizeTerm& t : size.sums()[sum]) {
      if (t.factors.size() > 2)
        return absl::UnimplementedError("entry info: a size of more than two factors");
      std::vector<llvm::Constant*> factors;
      for (const loop::Extent& x : t.factors) {
        if (x.symbols.size() > 3)
          return absl::UnimplementedError("entry info: a factor of more than three symbols");
        factors.push_back(Factor(e, x, symbols));
      }
      factors.resize(2, llvm::Constant::getNullValue(FactorType(e)));
      terms.push_back(llvm::ConstantStruct::get(
          TermType(e),
          {llvm::ConstantInt::getSigned(e.i64(), t.coefficient),
           llvm::ConstantInt::get(i32, t.factors.size()),
           llvm::ConstantArray::get(factors_type, factors), llvm::ConstantInt::get(i32, sum)}));
    }
  }
  return terms;
}

}  // namespace gradus::codegen
