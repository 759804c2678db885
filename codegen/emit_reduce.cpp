// Reductions inside nests: loops that carry accumulators. Several vectors at a time give as many
// independent accumulators. The order of summation depends on shapes and the target's lanes alone
// (README.md, "The order of sums").

#include <algorithm>
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

// The lanes of one vector: of mask registers where there are any, else as wide as the numbers.
llvm::Type* Frame::FlagType(DType dtype, int lanes) {
  const bool has_mask_registers = emitter_.target().vector_bytes == 64;
  const auto bits = static_cast<unsigned>(8 * ir::ByteSize(dtype));
  return WithLanes(has_mask_registers ? builder_.getInt1Ty() : builder_.getIntNTy(bits), lanes);
}

bool Frame::FlagsNan(const Scalar* x) {
  const bool is_extreme = x->reduce == ReduceKind::kMax || x->reduce == ReduceKind::kMin;
  return is_extreme && ir::IsFloat(x->dtype);
}

llvm::Value* Frame::CombineNumbers(ReduceKind kind, llvm::Value* a, llvm::Value* b) {
  llvm::Value* better =
      kind == ReduceKind::kMax ? builder_.CreateFCmpOGT(b, a) : builder_.CreateFCmpOLT(b, a);
  return builder_.CreateSelect(better, b, a);
}

// One comparison looks at two vectors at once.
Values Frame::AccumulateExtreme(const Scalar* x, const Guard* guard,
                                std::span<llvm::Value* const> carried) {
  const Values v = EvaluateVector(x->operands[0], guard);
  Values results, unmasked, flags;
  for (size_t c = 0; c < carried.size(); ++c) {
    llvm::Value* extreme = CombineNumbers(x->reduce, carried[c], v[c]);
    llvm::Value* mask = vector()->masks[c];
    if (mask == nullptr) {
      unmasked.push_back(v[c]);
      results.push_back(extreme);
    } else {
      results.push_back(builder_.CreateSelect(mask, extreme, carried[c]));
      flags.push_back(builder_.CreateAnd(mask, builder_.CreateFCmpUNO(v[c], v[c])));
    }
  }
  for (size_t c = 0; c < unmasked.size(); c += 2) {
    llvm::Value* other = unmasked[std::min(c + 1, unmasked.size() - 1)];
    flags.push_back(builder_.CreateFCmpUNO(unmasked[c], other));
  }
  llvm::Value* flag = flags[0];
  for (size_t i = 1; i < flags.size(); ++i) flag = builder_.CreateOr(flag, flags[i]);
  results.push_back(
      builder_.CreateSExt(flag, FlagType(x->dtype, static_cast<int>(vector()->lanes))));
  return results;
}

Values Frame::Accumulate(const Scalar* x, const Guard* guard, std::span<llvm::Value* const> carried,
                         bool vectorise, bool may_fuse) {
  const Scalar* operand = x->operands[0];
  bool vector_values = vectorise || carried[0]->getType()->isVectorTy();
  auto value = [&](const Scalar* s) {
    return vector_values ? EvaluateVector(s, guard) : Evaluate(s, guard).values;
  };
  Values results;
  // A sum of products is multiplied and added in one rounding, as in a contraction.
  bool fused = may_fuse && x->reduce == ReduceKind::kSum && operand->kind == ScalarKind::kMul &&
               ir::IsFloat(x->dtype) && emitter_.target().has_fma && !IsKept(operand) &&
               !IsScaled(operand);
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
    const int lanes = LanesFor({x->operands.data(), 1});
    const int copies = CopiesAlong({&x, 1}, inner, lanes, 1);
    return {{ReduceAlong({{&x, 1}, {}, {}, inner, lanes, copies}, guard, [] {})[0]}, false};
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

// Accumulators pairwise, to one vector. `numbers`: there is no NaN, or a flag for it.
llvm::Value* Frame::Gathered(const Scalar* x, Values accumulators, bool numbers) {
  for (size_t n = accumulators.size(); n > 1; n /= 2) {
    for (size_t c = 0; c < n / 2; ++c) {
      llvm::Value* other = accumulators[c + n / 2];
      accumulators[c] = numbers ? CombineNumbers(x->reduce, accumulators[c], other)
                                : Combine(x->reduce, x->dtype, accumulators[c], other);
    }
  }
  return accumulators[0];
}

llvm::Value* Frame::Across(const Scalar* x, const Values& sums) {
  return AcrossAll(x, {Gathered(x, sums, false)}, {})[0];
}

// 1. The halves of two vectors are one vector each, [a low, b low] and [a high, b high], whose
//    combination has half of a and half of b; and so on, until there is one vector with a part for
//    each reduction.
// 2. In that the halves of each part change places.
// Each number is combined in the order of a vector that is alone: lane l and l + 8, then l + 4, ...
Values Frame::AcrossAll(const Scalar* x, const Values& vectors, const Values& flags) {
  const auto lanes = llvm::cast<llvm::FixedVectorType>(vectors[0]->getType())->getNumElements();
  const auto combine = [&](llvm::Value* a, llvm::Value* b) {
    return flags.empty() ? Combine(x->reduce, x->dtype, a, b) : CombineNumbers(x->reduce, a, b);
  };
  Values results;
  while (results.size() < vectors.size()) {
    size_t together = 1;
    while (2 * together <= std::min<size_t>(vectors.size() - results.size(), lanes)) together *= 2;
    const auto* first = vectors.begin() + results.size();
    Values parts(first, first + together);
    unsigned width = lanes;  // of a part
    for (; parts.size() > 1; width /= 2) {
      llvm::SmallVector<int, 16> low, high;
      for (unsigned l = 0; l < 2 * lanes; l += width) {
        for (unsigned k = 0; k < width / 2; ++k) {
          low.push_back(static_cast<int>(l + k));
          high.push_back(static_cast<int>(l + k + width / 2));
        }
      }
      for (size_t i = 0; i < parts.size() / 2; ++i) {
        parts[i] = combine(builder_.CreateShuffleVector(parts[2 * i], parts[2 * i + 1], low),
                           builder_.CreateShuffleVector(parts[2 * i], parts[2 * i + 1], high));
      }
      parts.resize(parts.size() / 2);
    }
    const unsigned part = width;
    llvm::Value* v = parts[0];
    for (; width > 1; width /= 2) {
      // One part alone gets shorter.
      llvm::SmallVector<int, 16> low, high;
      for (unsigned l = 0; l < (together == 1 ? width / 2 : lanes); ++l) {
        low.push_back(static_cast<int>(l));
        high.push_back(static_cast<int>(l ^ (width / 2)));
      }
      v = combine(together == 1 ? builder_.CreateShuffleVector(v, low) : v,
                  builder_.CreateShuffleVector(v, high));
    }
    for (size_t i = 0; i < together; ++i) {
      results.push_back(builder_.CreateExtractElement(v, uint64_t{i * part}));
    }
  }
  for (size_t i = 0; i < flags.size(); ++i) {
    llvm::Value* flag = flags[i];
    if (!flag->getType()->isIntOrIntVectorTy(1)) {
      flag = builder_.CreateICmpSLT(flag, llvm::Constant::getNullValue(flag->getType()));
    }
    llvm::Value* bits = builder_.CreateBitCast(flag, builder_.getIntNTy(lanes));
    llvm::Value* any = builder_.CreateICmpNE(bits, llvm::Constant::getNullValue(bits->getType()));
    llvm::Value* nan = llvm::ConstantFP::getNaN(results[i]->getType());
    results[i] = builder_.CreateSelect(any, nan, results[i]);
  }
  return results;
}

}  // namespace gradus::codegen
