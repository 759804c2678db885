// Scalars to LLVM values. Every operation is inline code: what LLVM would turn into a library call
// is spelled out.

#include <algorithm>
#include <limits>

#include "codegen/frame.h"
#include "ir/loop/fold.h"
#include "ir/loop/walk.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/IR/IntrinsicsX86.h"

namespace gradus::codegen {

using loop::Scalar;
using loop::ScalarKind;

const Frame::Facts& Frame::FactsOf(const Scalar* x) {
  auto it = facts_.find(x);
  if (it != facts_.end()) return it->second;
  Facts f;
  f.size = x->kind == ScalarKind::kConst ? 0 : 1;
  if (x->reads_buffer()) f.loads = uint64_t{1} << std::min(x->buffer, 63);
  f.has_accumulator = x->kind == ScalarKind::kAcc;
  for (const Scalar* o : x->operands) {
    const Facts& inner = FactsOf(o);
    f.loads |= inner.loads;
    f.has_accumulator |= inner.has_accumulator;
    f.size = std::min(1 << 20, f.size + inner.size);
  }
  return facts_[x] = f;
}

int Frame::LanesFor(std::span<const Scalar* const> values) {
  int64_t narrowest = 8;
  bool any = false;
  loop::ForEachReached(values, [&](const Scalar* x) {
    if (x->dtype != DType::kI1 && x->kind != ScalarKind::kIndex && x->kind != ScalarKind::kExtent) {
      any = true;
      narrowest = std::min(narrowest, ir::ByteSize(x->dtype));
    }
  });
  return emitter_.target().lanes(static_cast<int>(any ? narrowest : 4));
}

bool Frame::DependsOnVector(const Scalar* x) const {
  const VectorContext* context = vector();
  return context != nullptr && x->depends_on(context->variable);
}

int Frame::DepthOf(const Scalar* x, const Guard* guard) {
  const Facts& facts = FactsOf(x);
  if (facts.has_accumulator || (facts.loads & written) != 0) return scope_->depth;
  int depth = guard == nullptr ? 0 : guard->depth;
  for (const loop::Variable* v : x->free) depth = std::max(depth, Find(v)->depth);
  return depth;
}

Packet Frame::Evaluate(const Scalar* x, const Guard* guard) {
  if (guard != nullptr && FactsOf(x).loads == 0) guard = nullptr;
  if (guard != nullptr && !guard->masks.empty() && !DependsOnVector(x)) guard = Uniform(guard);
  AtDepth at(*this, DepthOf(x, guard));
  auto it = scope_->values.find({x, guard});
  if (it != scope_->values.end()) return it->second;
  Packet packet = Emit(x, guard);
  scope_->values[{x, guard}] = packet;
  return packet;
}

Values Frame::Splat(const Packet& packet, const VectorContext& context) {
  llvm::Value* v =
      builder_.CreateVectorSplat(static_cast<unsigned>(context.lanes), packet.values[0]);
  return Values(static_cast<size_t>(context.copies), v);
}

Values Frame::EvaluateVector(const Scalar* x, const Guard* guard) {
  const VectorContext* context = vector();
  Packet packet = Evaluate(x, guard);
  if (packet.vector || context == nullptr) return packet.values;
  if (llvm::isa<llvm::Constant>(packet.values[0])) return Splat(packet, *context);
  // Splats leave loops as the scalar does. Lanes may differ between contexts, hence the look.
  AtDepth at(*this, DepthOf(x, guard));
  Values& splat = scope_->splats[{x, guard}];
  auto* type = splat.empty() ? nullptr : llvm::cast<llvm::FixedVectorType>(splat[0]->getType());
  if (type == nullptr || type->getNumElements() != static_cast<unsigned>(context->lanes)) {
    splat = Splat(packet, *context);
  }
  return Values(static_cast<size_t>(context->copies), splat[0]);
}

Packet Frame::Emit(const Scalar* x, const Guard* guard) {
  if (IsKept(x)) return LoadKept(x);
  if (IsScaled(x)) return EmitScaled(x, guard);
  llvm::Type* type = emitter_.RegisterType(x->dtype);
  switch (x->kind) {
    case ScalarKind::kConst:
      if (ir::IsFloat(x->dtype)) return {{llvm::ConstantFP::get(type, x->number)}};
      return {{llvm::ConstantInt::get(type, static_cast<uint64_t>(x->integer), true)}};
    case ScalarKind::kExtent: return {{builder_.CreateSExt(Extent(x->extent), type)}};
    case ScalarKind::kIndex: {
      if (!DependsOnVector(x->indices[0])) {
        return {{builder_.CreateSExt(EvaluateHere(x->indices[0]), type)}};
      }
      Packet p{{}, true};
      llvm::Type* lanes = WithLanes(type, vector()->lanes);
      for (int c = 0; c < vector()->copies; ++c)
        p.values.push_back(builder_.CreateSExt(EvaluateLanes(x->indices[0], c), lanes));
      return p;
    }
    case ScalarKind::kLoad: return EmitLoad(x, guard);
    case ScalarKind::kGather: return EmitGather(x, guard);
    case ScalarKind::kGuard: return EmitGuard(x, guard);
    case ScalarKind::kReduce: return EmitReduce(x, guard);
    case ScalarKind::kAcc: return accumulator();
    case ScalarKind::kCast: {
      const Scalar* index = x->operands[0];
      if (index->kind != ScalarKind::kIndex || x->dtype != DType::kI32) break;
      const loop::Index& form = index->indices[0];
      if (!DependsOnVector(form) || !VectorStride(form)) break;
      return {NarrowLanes(form), true};
    }
    default: break;
  }
  llvm::SmallVector<Packet, 3> packets;
  bool vector = false;
  for (const Scalar* o : x->operands) {
    packets.push_back(Evaluate(o, guard));
    vector |= packets.back().vector;
  }
  Packet result{{}, vector};
  llvm::SmallVector<Values, 3> operands;
  for (size_t i = 0; i < packets.size(); ++i) {
    operands.push_back(vector ? EvaluateVector(x->operands[i], guard) : packets[i].values);
  }
  for (size_t c = 0; c < operands[0].size(); ++c) {
    Values one;
    for (const Values& o : operands) one.push_back(o[c]);
    result.values.push_back(EmitOne(x, one));
  }
  return result;
}

// An index form as numbers of 32 bits, the same modulo 2^32: half the vectors that it has in 64.
Values Frame::NarrowLanes(const loop::Index& form) {
  const auto lanes = static_cast<unsigned>(vector()->lanes);
  llvm::SmallVector<llvm::Constant*, 16> steps;
  for (unsigned l = 0; l < lanes; ++l) {
    steps.push_back(llvm::ConstantInt::getSigned(builder_.getInt32Ty(), *VectorStride(form) * l));
  }
  Values all;
  for (int copy = 0; copy < vector()->copies; ++copy) {
    llvm::Value* first = Materialize(Evaluate(form, static_cast<int64_t>(copy) * vector()->lanes));
    first = builder_.CreateTrunc(first, builder_.getInt32Ty());
    all.push_back(builder_.CreateAdd(builder_.CreateVectorSplat(lanes, first),
                                     llvm::ConstantVector::get(steps)));
  }
  return all;
}

llvm::Value* Frame::EmitOne(const Scalar* x, const Values& v) {
  auto& b = builder_;
  DType from = x->operands[0]->dtype;
  bool is_float = ir::IsFloat(from);
  llvm::Type* type = v[0]->getType();
  switch (x->kind) {
    case ScalarKind::kAdd: return is_float ? b.CreateFAdd(v[0], v[1]) : b.CreateAdd(v[0], v[1]);
    case ScalarKind::kSub: return is_float ? b.CreateFSub(v[0], v[1]) : b.CreateSub(v[0], v[1]);
    case ScalarKind::kMul: return is_float ? b.CreateFMul(v[0], v[1]) : b.CreateMul(v[0], v[1]);
    case ScalarKind::kDiv: return is_float ? b.CreateFDiv(v[0], v[1]) : IntegerDivide(v[0], v[1]);
    case ScalarKind::kMin:
    case ScalarKind::kMax: {
      auto is_number = [](const Scalar* s) {
        return s->kind == ScalarKind::kConst && s->number == s->number;
      };
      return Extreme(from, v[0], v[1], x->kind == ScalarKind::kMax, is_number(x->operands[0]),
                     is_number(x->operands[1]));
    }
    case ScalarKind::kFma:
      if (!is_float) return b.CreateAdd(b.CreateMul(v[0], v[1]), v[2]);
      // Without the instruction llvm.fma is a call of fmaf.
      if (!emitter_.target().has_fma) return b.CreateFAdd(b.CreateFMul(v[0], v[1]), v[2]);
      return b.CreateIntrinsic(llvm::Intrinsic::fma, {type}, {v[0], v[1], v[2]});
    case ScalarKind::kNeg: return is_float ? b.CreateFNeg(v[0]) : b.CreateNeg(v[0]);
    case ScalarKind::kAbs:
      if (is_float) return b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, v[0]);
      if (from == DType::kI1) return v[0];
      return b.CreateBinaryIntrinsic(llvm::Intrinsic::abs, v[0], b.getFalse());
    case ScalarKind::kFloor: return is_float ? RoundEven(v[0], true) : v[0];
    case ScalarKind::kRoundEven: return is_float ? RoundEven(v[0], false) : v[0];
    case ScalarKind::kSqrt: return b.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, v[0]);
    case ScalarKind::kEq:
      return is_float ? b.CreateFCmpOEQ(v[0], v[1]) : b.CreateICmpEQ(v[0], v[1]);
    case ScalarKind::kNe:
      return is_float ? b.CreateFCmpUNE(v[0], v[1]) : b.CreateICmpNE(v[0], v[1]);
    case ScalarKind::kLt:
      if (is_float) return b.CreateFCmpOLT(v[0], v[1]);
      return from == DType::kI1 ? b.CreateICmpULT(v[0], v[1]) : b.CreateICmpSLT(v[0], v[1]);
    case ScalarKind::kLe:
      if (is_float) return b.CreateFCmpOLE(v[0], v[1]);
      return from == DType::kI1 ? b.CreateICmpULE(v[0], v[1]) : b.CreateICmpSLE(v[0], v[1]);
    case ScalarKind::kAnd: return b.CreateAnd(v[0], v[1]);
    case ScalarKind::kOr: return b.CreateOr(v[0], v[1]);
    case ScalarKind::kXor: return b.CreateXor(v[0], v[1]);
    case ScalarKind::kShl:
    case ScalarKind::kShr: {
      llvm::Value* most = llvm::ConstantInt::get(type, type->getScalarSizeInBits() - 1);
      llvm::Value* amount = b.CreateAnd(v[1], most);
      return x->kind == ScalarKind::kShl ? b.CreateShl(v[0], amount) : b.CreateLShr(v[0], amount);
    }
    case ScalarKind::kSelect: return b.CreateSelect(v[0], v[1], v[2]);
    case ScalarKind::kCast: return Convert(from, x->dtype, v[0]);
    case ScalarKind::kBitcast: {
      llvm::Type* to = emitter_.RegisterType(x->dtype);
      if (auto* t = llvm::dyn_cast<llvm::FixedVectorType>(type)) {
        to = WithLanes(to, static_cast<int>(t->getNumElements()));
      }
      return b.CreateBitCast(v[0], to);
    }
    case ScalarKind::kExp2Table: return LookUp(v[0]);
    default: break;
  }
  IR_CHECK_MSG(false, "scalar kind");
  return nullptr;
}

// An entry of the table: of a whole vector in one instruction where the target has it.
llvm::Value* Frame::LookUp(llvm::Value* index) {
  auto& b = builder_;
  llvm::Constant* table =
      llvm::ConstantDataVector::get(b.getContext(), llvm::ArrayRef(loop::fold::kExp2Table));
  auto* type = llvm::dyn_cast<llvm::FixedVectorType>(index->getType());
  if (type == nullptr) return b.CreateExtractElement(table, b.CreateAnd(index, 15));
  if (emitter_.target().has_tables && type->getNumElements() == loop::fold::kExp2Table.size()) {
    return b.CreateIntrinsic(llvm::Intrinsic::x86_avx512_permvar_sf_512, {}, {table, index});
  }
  llvm::Value* found = llvm::PoisonValue::get(WithLanes(b.getFloatTy(), type->getNumElements()));
  for (unsigned l = 0; l < type->getNumElements(); ++l) {
    found = b.CreateInsertElement(found, LookUp(b.CreateExtractElement(index, l)), l);
  }
  return found;
}

// NaN if either operand is. `a > b ? a : b` gives b where they do not compare, which settles a NaN
// in b; one in a needs a second select, unless a cannot be one. (x86 has this select as one
// instruction, maxps.)
llvm::Value* Frame::Extreme(DType dtype, llvm::Value* a, llvm::Value* b, bool maximum,
                            bool a_is_number, bool b_is_number) {
  if (dtype == DType::kI1) return maximum ? builder_.CreateOr(a, b) : builder_.CreateAnd(a, b);
  if (!ir::IsFloat(dtype)) {
    return builder_.CreateBinaryIntrinsic(maximum ? llvm::Intrinsic::smax : llvm::Intrinsic::smin,
                                          a, b);
  }
  if (b_is_number && !a_is_number) {
    std::swap(a, b);
    std::swap(a_is_number, b_is_number);
  }
  llvm::Value* first = maximum ? builder_.CreateFCmpOGT(a, b) : builder_.CreateFCmpOLT(a, b);
  llvm::Value* extreme = builder_.CreateSelect(first, a, b);
  if (a_is_number) return extreme;
  return builder_.CreateSelect(builder_.CreateFCmpUNO(a, a), a, extreme);
}

// x / 0 = 0 and INT_MIN / -1 = INT_MIN: a divisor that would trap is replaced first.
llvm::Value* Frame::IntegerDivide(llvm::Value* a, llvm::Value* b) {
  llvm::Type* type = a->getType();
  llvm::Value* zero = llvm::ConstantInt::get(type, 0);
  if (type->getScalarSizeInBits() == 1) return builder_.CreateAnd(a, b);
  llvm::Value* one = llvm::ConstantInt::get(type, 1);
  llvm::Value* minus = llvm::ConstantInt::getSigned(type, -1);
  llvm::Value* by_zero = builder_.CreateICmpEQ(b, zero);
  llvm::Value* by_minus = builder_.CreateICmpEQ(b, minus);
  llvm::Value* safe = builder_.CreateSelect(builder_.CreateOr(by_zero, by_minus), one, b);
  llvm::Value* q = builder_.CreateSDiv(a, safe);
  q = builder_.CreateSelect(by_minus, builder_.CreateNeg(a), q);
  return builder_.CreateSelect(by_zero, zero, q);
}

llvm::Value* Frame::Convert(DType from, DType to, llvm::Value* x) {
  if (from == to) return x;
  auto& b = builder_;
  // An index of 32 bits that became an i64: conversions from these are calls on such machines.
  if (auto* widened = llvm::dyn_cast<llvm::SExtInst>(x); widened != nullptr && to != DType::kI1) {
    x = widened->getOperand(0);
  }
  llvm::Type* type = emitter_.RegisterType(to);
  if (auto* t = llvm::dyn_cast<llvm::FixedVectorType>(x->getType())) {
    type = WithLanes(type, static_cast<int>(t->getNumElements()));
  }
  if (ir::IsFloat(from)) {
    if (ir::IsFloat(to))
      return from == DType::kF32 ? b.CreateFPExt(x, type) : b.CreateFPTrunc(x, type);
    if (to == DType::kI1) return b.CreateFCmpUNE(x, llvm::ConstantFP::get(x->getType(), 0));
    return b.CreateIntrinsic(llvm::Intrinsic::fptosi_sat, {type, x->getType()}, {x});
  }
  if (from == DType::kI1) return ir::IsFloat(to) ? b.CreateUIToFP(x, type) : b.CreateZExt(x, type);
  if (to == DType::kI1) return b.CreateICmpNE(x, llvm::ConstantInt::get(x->getType(), 0));
  if (to == DType::kF32 && !emitter_.target().has_i64_to_float &&
      x->getType()->isIntOrIntVectorTy(64)) {
    return I64ToF32(x);
  }
  if (ir::IsFloat(to)) return b.CreateSIToFP(x, type);
  return b.CreateSExtOrTrunc(x, type);
}

// By way of 32 bits: the magnitude's highest ones, the last of which also stands for all that are
// left out, so that it rounds as the whole would; then a power of two.
llvm::Value* Frame::I64ToF32(llvm::Value* x) {
  auto& b = builder_;
  llvm::Type *i64 = x->getType(), *i32 = b.getInt32Ty(), *f32 = b.getFloatTy();
  if (auto* t = llvm::dyn_cast<llvm::FixedVectorType>(i64)) {
    i32 = WithLanes(i32, static_cast<int>(t->getNumElements()));
    f32 = WithLanes(f32, static_cast<int>(t->getNumElements()));
  }
  const auto number = [&](int n) { return llvm::ConstantInt::get(i32, static_cast<uint64_t>(n)); };
  llvm::Value* magnitude = b.CreateBinaryIntrinsic(llvm::Intrinsic::abs, x, b.getFalse());
  llvm::Value* high = b.CreateTrunc(b.CreateLShr(magnitude, 32), i32);
  llvm::Value* zeros = b.CreateBinaryIntrinsic(llvm::Intrinsic::ctlz, high, b.getFalse());
  llvm::Value* shift = b.CreateSub(number(32), zeros);  // 0 to 32
  llvm::Value* top = b.CreateLShr(magnitude, b.CreateZExt(shift, i64));
  llvm::Value* rest = b.CreateICmpNE(b.CreateShl(top, b.CreateZExt(shift, i64)), magnitude);
  llvm::Value* bits = b.CreateOr(b.CreateTrunc(top, i32), b.CreateZExt(rest, i32));
  llvm::Value* power = b.CreateBitCast(b.CreateShl(b.CreateAdd(shift, number(127)), 23), f32);
  llvm::Value* value = b.CreateFMul(b.CreateUIToFP(bits, f32), power);
  llvm::Value* negative = b.CreateICmpSLT(x, llvm::ConstantInt::get(i64, 0));
  return b.CreateSelect(negative, b.CreateFNeg(value), value);
}

llvm::Value* Frame::RoundEven(llvm::Value* x, bool floor) {
  auto& b = builder_;
  if (emitter_.target().has_rounding) {
    return b.CreateUnaryIntrinsic(floor ? llvm::Intrinsic::floor : llvm::Intrinsic::roundeven, x);
  }
  // Adding and subtracting 2^(mantissa bits) rounds to even; what is as large has no fraction. The
  // sign is kept, so that -0.2 rounds to -0.
  llvm::Type* type = x->getType();
  double big = type->getScalarType()->isFloatTy() ? 8388608.0 : 4503599627370496.0;
  llvm::Value* limit = llvm::ConstantFP::get(type, big);
  llvm::Value* magnitude = b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x);
  llvm::Value* rounded = b.CreateFSub(b.CreateFAdd(magnitude, limit), limit);
  rounded = b.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, rounded, x);
  rounded = b.CreateSelect(b.CreateFCmpOLT(magnitude, limit), rounded, x);
  if (!floor) return rounded;
  llvm::Value* lower = b.CreateFSub(rounded, llvm::ConstantFP::get(type, 1));
  return b.CreateSelect(b.CreateFCmpOGT(rounded, x), lower, rounded);
}

llvm::Type* Frame::WithLanes(llvm::Type* type, int lanes) {
  return llvm::FixedVectorType::get(type, static_cast<unsigned>(lanes));
}

}  // namespace gradus::codegen
