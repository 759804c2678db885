// Reductions inside nests: loops that carry accumulators. Several vectors at a time give as many
// independent accumulators. The order of summation depends on shapes and the target's lanes alone
// (README.md, "The order of sums").

#include <limits>

#include "codegen/frame.h"
#include "llvm/IR/Intrinsics.h"

namespace gradus::codegen {

using loop::ReduceKind;
using loop::Scalar;
using loop::ScalarKind;

namespace {

llvm::Constant* Identity(ReduceKind kind, DType dtype, llvm::Type* type) {
  bool is_float = ir::IsFloat(dtype);
  switch (kind) {
    case ReduceKind::kSum: return llvm::Constant::getNullValue(type);
    case ReduceKind::kProd:
      return is_float ? llvm::ConstantFP::get(type, 1) : llvm::ConstantInt::get(type, 1);
    case ReduceKind::kMax:
    case ReduceKind::kMin: break;
  }
  bool max = kind == ReduceKind::kMax;
  if (is_float) return llvm::ConstantFP::getInfinity(type, max);
  if (dtype == DType::kI1) return llvm::ConstantInt::get(type, max ? 0 : 1);
  unsigned bits = type->getIntegerBitWidth();
  return llvm::ConstantInt::get(
      type, max ? llvm::APInt::getSignedMinValue(bits) : llvm::APInt::getSignedMaxValue(bits));
}

}  // namespace

llvm::Value* Frame::Combine(ReduceKind kind, DType dtype, llvm::Value* a, llvm::Value* b) {
  bool is_float = ir::IsFloat(dtype);
  switch (kind) {
    case ReduceKind::kSum: return is_float ? builder_.CreateFAdd(a, b) : builder_.CreateAdd(a, b);
    case ReduceKind::kProd: return is_float ? builder_.CreateFMul(a, b) : builder_.CreateMul(a, b);
    // A NaN in `a`, the accumulator, passes through the comparison; only one in `b` needs the
    // second look, which then does not wait for the step before.
    case ReduceKind::kMax: return Extreme(dtype, b, a, true, false, false);
    case ReduceKind::kMin: return Extreme(dtype, b, a, false, false, false);
  }
  return nullptr;
}

Values Frame::Accumulate(const Scalar* x, const Guard* guard, std::span<llvm::Value* const> carried,
                         bool vectorise) {
  const Scalar* operand = x->operands[0];
  bool vector_values = vectorise || carried[0]->getType()->isVectorTy();
  auto value = [&](const Scalar* s) {
    return vector_values ? EvaluateVector(s, guard) : Evaluate(s, guard).values;
  };
  Values results;
  // A sum of products is multiplied and added in one rounding, as in a contraction.
  bool fused = x->reduce == ReduceKind::kSum && operand->kind == ScalarKind::kMul &&
               ir::IsFloat(x->dtype) && emitter_.target().has_fma && !IsKept(operand);
  Values v = value(fused ? operand->operands[0] : operand);
  Values w = fused ? value(operand->operands[1]) : Values();
  for (size_t c = 0; c < carried.size(); ++c) {
    llvm::Value* sum = fused ? builder_.CreateIntrinsic(llvm::Intrinsic::fma, {v[c]->getType()},
                                                        {v[c], w[c], carried[c]})
                             : Combine(x->reduce, x->dtype, carried[c], v[c]);
    // Lanes past the end of the reduced extent must not count.
    llvm::Value* mask = vectorise ? vector()->masks[c] : nullptr;
    results.push_back(mask == nullptr ? sum : builder_.CreateSelect(mask, sum, carried[c]));
  }
  return results;
}

Values Frame::ReduceLoops(const Scalar* x, const Guard* guard, size_t level, const Values& carried,
                          bool vectorise, int lanes, int copies) {
  if (level == x->variables.size()) return Accumulate(x, guard, carried, vectorise);
  const loop::Variable* v = x->variables[level];
  auto body = [&](const Values& c) {
    return ReduceLoops(x, guard, level + 1, c, vectorise, lanes, copies);
  };
  if (vectorise && level + 1 == x->variables.size())
    return VectorLoopOver(v, lanes, copies, carried, body);
  // A handful of cheap steps (a pooling window) is written out.
  constexpr int64_t kMostSteps = 8, kMostOperations = 64;
  if (v->extent().is_number() && v->extent().number() <= kMostSteps &&
      v->extent().number() * FactsOf(x->operands[0]).size <= kMostOperations) {
    Values results = carried;
    for (int64_t i = 0; i < v->extent().number(); ++i) {
      InScope([&] {
        Bind(v, nullptr, i);
        results = body(results);
      });
    }
    return results;
  }
  return LoopOver(v, carried, body);
}

llvm::Constant* Frame::IdentityOf(const Scalar* x) {
  return Identity(x->reduce, x->dtype, emitter_.RegisterType(x->dtype));
}

Packet Frame::EmitReduce(const Scalar* x, const Guard* guard) {
  llvm::Constant* identity = IdentityOf(x);
  const loop::Variable* inner = x->variables.back();
  if (DependsOnVector(x) || (guard != nullptr && !guard->masks.empty())) {
    const VectorContext& context = *vector();
    Values start(static_cast<size_t>(context.copies),
                 builder_.CreateVectorSplat(static_cast<unsigned>(context.lanes), identity));
    return {ReduceLoops(x, guard, 0, start, false, 0, 0), true};
  }
  if (!vector_reductions.contains(inner)) {
    return {ReduceLoops(x, guard, 0, {identity}, false, 0, 0), false};
  }
  if (x->variables.size() == 1) {
    return {{ReduceAlong({&x, 1}, {}, {}, inner, guard, [] {})[0]}, false};
  }
  int lanes = LanesFor({x->operands.data(), 1});
  int copies = 4;
  const loop::Extent& extent = inner->extent();
  while (copies > 1 && extent.is_number() && extent.number() < static_cast<int64_t>(copies) * lanes)
    copies /= 2;
  if (FactsOf(x->operands[0]).size > 40) copies = std::min(copies, 2);
  Values start(static_cast<size_t>(copies),
               builder_.CreateVectorSplat(static_cast<unsigned>(lanes), identity));
  return {{Across(x, ReduceLoops(x, guard, 0, start, true, lanes, copies))}, false};
}

// Accumulators pairwise, then halves of the vector.
llvm::Value* Frame::Across(const Scalar* x, Values sums) {
  for (int n = static_cast<int>(sums.size()); n > 1; n /= 2) {
    for (int c = 0; c < n / 2; ++c) {
      auto at = static_cast<size_t>(c);
      sums[at] = Combine(x->reduce, x->dtype, sums[at], sums[at + static_cast<size_t>(n / 2)]);
    }
  }
  llvm::Value* v = sums[0];
  auto* type = llvm::cast<llvm::FixedVectorType>(v->getType());
  for (int width = static_cast<int>(type->getNumElements()) / 2; width >= 1; width /= 2) {
    llvm::SmallVector<int, 16> low, high;
    for (int l = 0; l < width; ++l) {
      low.push_back(l);
      high.push_back(l + width);
    }
    v = Combine(x->reduce, x->dtype, builder_.CreateShuffleVector(v, low),
                builder_.CreateShuffleVector(v, high));
  }
  return builder_.CreateExtractElement(v, uint64_t{0});
}

}  // namespace gradus::codegen
