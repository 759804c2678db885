// Products with a power of two as one instruction, where the processor has it. The scalar is that
// of ir/ops/approx_parts, TimesPowerOfTwo(x, k): x * bits(first) * bits(second), where the factors
// are shifted out of `t`, the bits of a number y = k + c whose last bit counts ones, or, where
// these are shifted by f, parts of 2^-f: the instruction, too, leaves out what is behind the point.
// It rounds once, as the second product does, hence gives the same bits.

#include <cmath>
#include <optional>

#include "codegen/frame.h"
#include "llvm/IR/IntrinsicsX86.h"

namespace gradus::codegen {

using loop::Scalar;
using loop::ScalarKind;

namespace {

constexpr int kCurrentRounding = 4;  // _MM_FROUND_CUR_DIRECTION

const Scalar* Operand(const Scalar* x, ScalarKind kind, size_t i) {
  return x != nullptr && x->kind == kind ? x->operands[i] : nullptr;
}

bool IsInteger(const Scalar* x, int64_t value) {
  return x != nullptr && x->kind == ScalarKind::kConst && x->integer == value;
}

// x where s = shl(x, amount).
const Scalar* Shifted(const Scalar* s, ScalarKind kind, int64_t amount) {
  return IsInteger(Operand(s, kind, 1), amount) ? s->operands[0] : nullptr;
}

struct Scaled {
  const Scalar *x = nullptr, *sum = nullptr;  // x * 2^(sum - shift)
  double shift = 0;
};

std::optional<Scaled> Match(const Scalar* product) {
  const bool is_single = product->dtype == DType::kF32;
  const int64_t mantissa = is_single ? 23 : 52;
  const double round = is_single ? 0x1.8p23 : 0x1.8p52;
  const double twice_bias = is_single ? 254 : 2046;
  for (size_t outer = 0; outer < 2; ++outer) {
    const Scalar* inner = Operand(product, ScalarKind::kMul, outer);
    const Scalar* second = Operand(product->operands[1 - outer], ScalarKind::kBitcast, 0);
    if (inner == nullptr || inner->kind != ScalarKind::kMul || second == nullptr) continue;
    // second = shl(t, mantissa) - first, first = shl(shr(t, 1), mantissa), t = bits(y + c).
    const Scalar* t = Shifted(Operand(second, ScalarKind::kSub, 0), ScalarKind::kShl, mantissa);
    const Scalar* first = Operand(second, ScalarKind::kSub, 1);
    if (t == nullptr) continue;
    const Scalar* half = Shifted(first, ScalarKind::kShl, mantissa);
    if (Shifted(half, ScalarKind::kShr, 1) != t) continue;
    int64_t fraction = 0;
    if (t->kind == ScalarKind::kShr && t->operands[1]->kind == ScalarKind::kConst) {
      fraction = t->operands[1]->integer;
      t = t->operands[0];
    }
    const Scalar* sum = Operand(t, ScalarKind::kBitcast, 0);
    const Scalar* shift = Operand(sum, ScalarKind::kFma, 2);
    if (shift == nullptr || shift->kind != ScalarKind::kConst) continue;
    if (shift->number != std::ldexp(round, -static_cast<int>(fraction)) + twice_bias) continue;
    for (size_t i = 0; i < 2; ++i) {
      if (Operand(inner->operands[i], ScalarKind::kBitcast, 0) != first) continue;
      return Scaled{inner->operands[1 - i], sum, shift->number};
    }
  }
  return std::nullopt;
}

}  // namespace

bool Frame::IsScaled(const Scalar* x) const {
  const ir::Target& target = emitter_.target();
  const VectorContext* context = vector();
  if (target.vector_bytes != 64 || !target.triple.starts_with("x86_64")) return false;
  if (x->kind != ScalarKind::kMul || !DependsOnVector(x)) return false;
  if (context->lanes != target.lanes(static_cast<int>(ir::ByteSize(x->dtype)))) return false;
  return Match(x).has_value();
}

Packet Frame::EmitScaled(const Scalar* x, const Guard* guard) {
  const Scaled scaled = *Match(x);
  const bool is_single = x->dtype == DType::kF32;
  Packet result{EvaluateVector(scaled.x, guard), true};
  const Values sums = EvaluateVector(scaled.sum, guard);
  for (size_t c = 0; c < sums.size(); ++c) {
    llvm::Value*& value = result.values[c];
    llvm::Type* type = value->getType();
    llvm::Value* power = builder_.CreateFSub(sums[c], llvm::ConstantFP::get(type, scaled.shift));
    llvm::Value* all = llvm::ConstantInt::getAllOnesValue(
        builder_.getIntNTy(static_cast<unsigned>(vector()->lanes)));
    value = builder_.CreateIntrinsic(is_single ? llvm::Intrinsic::x86_avx512_mask_scalef_ps_512
                                               : llvm::Intrinsic::x86_avx512_mask_scalef_pd_512,
                                     {},
                                     {value, power, llvm::Constant::getNullValue(type), all,
                                      builder_.getInt32(kCurrentRounding)});
  }
  return result;
}

}  // namespace gradus::codegen
