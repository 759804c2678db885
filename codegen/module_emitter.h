#pragma once

// What all functions of one LLVM module share: types, attributes, and helper functions that several
// kernels call. Private to codegen.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "ir/location.h"
#include "ir/target.h"
#include "ir/type.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/Module.h"

namespace gradus::codegen {

class ModuleEmitter {
 public:
  // `small`: code for a library, where its size counts, rather than for this process alone. It
  // computes the same bits.
  ModuleEmitter(llvm::Module& module, const ir::Target& target, bool small = false)
      : module_(module), target_(target), small_(small) {}
  ModuleEmitter(const ModuleEmitter&) = delete;
  ModuleEmitter& operator=(const ModuleEmitter&) = delete;

  llvm::Module& module() { return module_; }
  llvm::LLVMContext& context() { return module_.getContext(); }
  const ir::Target& target() const { return target_; }
  bool small() const { return small_; }

  // The type of a value in a register (i1 for kI1) and of an element in memory (i8 for kI1).
  llvm::Type* RegisterType(ir::DType dtype);
  llvm::Type* MemoryType(ir::DType dtype);
  llvm::PointerType* pointer() { return llvm::PointerType::get(context(), 0); }
  llvm::IntegerType* i64() { return llvm::Type::getInt64Ty(context()); }
  // Loop variables, sizes and offsets: as wide as pointers. In the C interface sizes are i64.
  llvm::IntegerType* index() {
    return llvm::Type::getIntNTy(context(), static_cast<unsigned>(8 * target_.pointer_bytes));
  }

  // A function with the target's attributes: exported, or internal and never inlined.
  llvm::Function* AddFunction(std::string_view name, llvm::FunctionType* type, bool exported);

  // While it is set, functions whose names begin with `kernel` come from there in the user's model.
  void SetKernel(std::string kernel, const ir::Location& location) {
    kernel_ = std::move(kernel);
    location_ = location;
  }
  const std::vector<std::pair<llvm::Function*, ir::Location>>& lines() const { return lines_; }

  // Functions shared by key: null the first time, and then what was put there.
  llvm::Function*& Shared(const std::string& key) { return shared_[key]; }

  // 128 zero bytes: where a load points whose guard fails.
  llvm::Constant* Zeros();

 private:
  llvm::Module& module_;
  const ir::Target& target_;
  const bool small_;
  absl::flat_hash_map<std::string, llvm::Function*> shared_;
  llvm::GlobalVariable* zeros_ = nullptr;
  std::string kernel_;
  ir::Location location_;
  std::vector<std::pair<llvm::Function*, ir::Location>> lines_;
};

// Transposes a tile of lanes x lanes elements of `element_bytes` (4 or 8):
//   void(ptr source, index source_stride, ptr target, index target_stride, index rows,
//        index columns)
// Strides count elements; rows and columns (<= lanes) say how much of the source there is; what
// lies outside is neither read nor written. `full` is the variant which ignores rows and columns
// and does all of the tile.
llvm::Function* TransposeFunction(ModuleEmitter& emitter, int element_bytes, bool full);

// void(ptr target, ptr source, index bytes): a copy that is no library call.
llvm::Function* CopyFunction(ModuleEmitter& emitter);

}  // namespace gradus::codegen
