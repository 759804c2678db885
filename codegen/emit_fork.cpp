#include "codegen/emit_fork.h"

#include "llvm/IR/Intrinsics.h"

namespace gradus::codegen {

namespace {

llvm::Value* PartsOf(Frame& frame, llvm::Value* units, llvm::Value* least, llvm::Value* shared) {
  auto& b = frame.builder();
  llvm::IntegerType* index = frame.emitter().index();
  llvm::Value* one = llvm::ConstantInt::get(index, 1);
  llvm::Value* most = b.CreateUDiv(units, least);
  llvm::Value* leading =
      b.CreateIntrinsic(llvm::Intrinsic::ctlz, {index}, {b.CreateOr(most, one), b.getTrue()});
  llvm::Value* highest = llvm::ConstantInt::get(index, index->getBitWidth() - 1);
  return b.CreateSelect(shared, b.CreateShl(one, b.CreateSub(highest, leading)), one);
}

// void(ptr threads, index units, index least, index work, index least_work, ptr body, ptr context,
//      index field)
llvm::Function* ForkFunction(ModuleEmitter& e) {
  llvm::Function*& known = e.Shared("fork");
  if (known != nullptr) return known;
  llvm::PointerType* p = e.pointer();
  llvm::IntegerType* index = e.index();
  llvm::Type* nothing = llvm::Type::getVoidTy(e.context());
  llvm::Function* f = e.AddFunction(
      "fork", llvm::FunctionType::get(nothing, {p, index, index, index, index, p, p, index}, false),
      false);
  known = f;
  static const std::vector<loop::Buffer> kNoBuffers;
  Frame frame(e, f, kNoBuffers);
  auto& b = frame.builder();
  llvm::Value *threads = f->getArg(0), *body = f->getArg(5), *context = f->getArg(6);
  llvm::Value* worth = b.CreateICmpSGE(f->getArg(3), f->getArg(4));
  llvm::Value* parts =
      PartsOf(frame, f->getArg(1), f->getArg(2), b.CreateAnd(worth, b.CreateIsNotNull(threads)));
  b.CreateStore(parts, b.CreateGEP(e.i64(), context, f->getArg(7)));
  llvm::Value* is_one = b.CreateICmpEQ(parts, llvm::ConstantInt::get(index, 1));
  frame.If(is_one, [&] {
    auto* type = llvm::FunctionType::get(nothing, {p, e.i64()}, false);
    b.CreateCall(type, body, {context, llvm::ConstantInt::get(e.i64(), 0)});
  });
  frame.If(b.CreateNot(is_one), [&] {
    // gradus_threads: {state, parallel_for(state, count, body, context)}.
    llvm::Value* state = b.CreateLoad(p, threads);
    llvm::Value* parallel_for = b.CreateLoad(p, b.CreateConstGEP1_64(p, threads, 1));
    auto* type = llvm::FunctionType::get(nothing, {p, e.i64(), p, p}, false);
    b.CreateCall(type, parallel_for, {state, b.CreateZExt(parts, e.i64()), body, context});
  });
  return f;
}

}  // namespace

void EmitFork(Frame& frame, const Forked& forked, llvm::Value* threads, llvm::Function* body,
              llvm::Value* context, size_t field) {
  ModuleEmitter& e = frame.emitter();
  const auto number = [&](int64_t n) { return llvm::ConstantInt::getSigned(e.index(), n); };
  frame.builder().CreateCall(ForkFunction(e), {threads, forked.units, number(forked.least),
                                               forked.work, number(forked.least_work), body,
                                               context, number(static_cast<int64_t>(field))});
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

}  // namespace gradus::codegen
