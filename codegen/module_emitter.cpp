#include "codegen/module_emitter.h"

#include "llvm/IR/Attributes.h"

namespace gradus::codegen {

llvm::Type* ModuleEmitter::RegisterType(ir::DType dtype) {
  switch (dtype) {
    case ir::DType::kI1: return llvm::Type::getInt1Ty(context());
    case ir::DType::kI32: return llvm::Type::getInt32Ty(context());
    case ir::DType::kI64: return llvm::Type::getInt64Ty(context());
    case ir::DType::kF32: return llvm::Type::getFloatTy(context());
    case ir::DType::kF64: return llvm::Type::getDoubleTy(context());
  }
  return nullptr;
}

llvm::Type* ModuleEmitter::MemoryType(ir::DType dtype) {
  return dtype == ir::DType::kI1 ? llvm::Type::getInt8Ty(context()) : RegisterType(dtype);
}

llvm::Function* ModuleEmitter::AddFunction(std::string_view name, llvm::FunctionType* type,
                                           bool exported) {
  auto linkage = exported ? llvm::GlobalValue::ExternalLinkage : llvm::GlobalValue::InternalLinkage;
  llvm::Function* f =
      llvm::Function::Create(type, linkage, llvm::StringRef(name.data(), name.size()), &module_);
  // The features always go with the CPU: the CPU alone would leave the TargetMachine's features on.
  f->addFnAttr("target-cpu", target_.cpu);
  f->addFnAttr("target-features", target_.features);
  std::string bits = std::to_string(target_.vector_bytes * 8);
  f->addFnAttr("prefer-vector-width", bits);
  f->addFnAttr("min-legal-vector-width", bits);
  f->addFnAttr("no-builtins");
  f->addFnAttr(llvm::Attribute::NoUnwind);
  if (!exported) f->addFnAttr(llvm::Attribute::NoInline);
  if (!kernel_.empty() && name.starts_with(kernel_)) lines_.emplace_back(f, location_);
  if (small_) f->addFnAttr(llvm::Attribute::OptimizeForSize);
  return f;
}

llvm::Constant* ModuleEmitter::Zeros() {
  if (zeros_ == nullptr) {
    auto* type = llvm::ArrayType::get(llvm::Type::getInt8Ty(context()), 128);
    zeros_ = new llvm::GlobalVariable(module_, type, true, llvm::GlobalValue::InternalLinkage,
                                      llvm::ConstantAggregateZero::get(type), "zeros");
    zeros_->setAlignment(llvm::Align(64));
  }
  return zeros_;
}

}  // namespace gradus::codegen
