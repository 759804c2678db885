#include "codegen/emit_fork.h"

#include "llvm/IR/Intrinsics.h"

namespace gradus::codegen {

llvm::Value* EmitParts(Frame& frame, llvm::Value* units, int64_t least, llvm::Value* threads,
                       llvm::Value* worth) {
  auto& b = frame.builder();
  llvm::IntegerType* index = frame.emitter().index();
  llvm::Value* one = llvm::ConstantInt::get(index, 1);
  llvm::Value* most =
      b.CreateUDiv(units, llvm::ConstantInt::get(index, static_cast<uint64_t>(least)));
  llvm::Value* leading =
      b.CreateIntrinsic(llvm::Intrinsic::ctlz, {index}, {b.CreateOr(most, one), b.getTrue()});
  llvm::Value* highest = llvm::ConstantInt::get(index, index->getBitWidth() - 1);
  llvm::Value* parts = b.CreateShl(one, b.CreateSub(highest, leading));
  llvm::Value* shared = b.CreateAnd(worth, b.CreateIsNotNull(threads));
  return b.CreateSelect(shared, parts, one);
}

std::pair<llvm::Value*, llvm::Value*> EmitPartOf(Frame& frame, llvm::Value* units,
                                                 llvm::Value* parts, llvm::Value* number) {
  auto& b = frame.builder();
  llvm::Value* least = b.CreateUDiv(units, parts);
  llvm::Value* larger = b.CreateURem(units, parts);  // so many parts have one more
  llvm::Value* is_larger = b.CreateICmpULT(number, larger);
  llvm::Value* before = b.CreateSelect(is_larger, number, larger);
  return {b.CreateAdd(b.CreateMul(number, least), before),
          b.CreateAdd(least, b.CreateZExt(is_larger, frame.emitter().index()))};
}

void EmitFork(Frame& frame, llvm::Value* threads, llvm::Value* parts, llvm::Function* body,
              llvm::Value* context) {
  auto& b = frame.builder();
  ModuleEmitter& e = frame.emitter();
  llvm::Value* one = llvm::ConstantInt::get(e.index(), 1);
  frame.If(b.CreateICmpEQ(parts, one),
           [&] { b.CreateCall(body, {context, llvm::ConstantInt::get(e.i64(), 0)}); });
  frame.If(b.CreateICmpNE(parts, one), [&] {
    // gradus_threads: {state, parallel_for(state, count, body, context)}.
    llvm::Value* state = b.CreateLoad(e.pointer(), threads);
    llvm::Value* parallel_for =
        b.CreateLoad(e.pointer(), b.CreateConstGEP1_64(e.pointer(), threads, 1));
    auto* type = llvm::FunctionType::get(b.getVoidTy(),
                                         {e.pointer(), e.i64(), e.pointer(), e.pointer()}, false);
    b.CreateCall(type, parallel_for, {state, b.CreateZExt(parts, e.i64()), body, context});
  });
}

}  // namespace gradus::codegen
