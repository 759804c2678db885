#include "ir/ops/philox.h"

namespace gradus::ir {

using loop::Expr;

namespace {

constexpr int64_t kLow = 0xffffffff;
constexpr int kRounds = 10;
// Multipliers and Weyl sequences of the paper, table 2 and section 3.3.
constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr uint64_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;

}  // namespace

// Words are the low halves of i64 scalars, whose upper halves hold whatever the arithmetic left
// there: only the two factors of a round's products need clean ones, and both factors being below
// 2^32 is what a vector target multiplies in one instruction.
std::array<Expr, 4> Philox(Expr counter, Expr stream, Expr seed) {
  const auto integer = [&](uint64_t v) {
    return counter.IntConst(DType::kI64, static_cast<int64_t>(v));
  };
  const Expr low_mask = integer(kLow), word = integer(32);
  const Expr seed_high = Shr(seed, word);
  Expr c0 = counter, c1 = Shr(counter, word), c2 = stream, c3 = Shr(stream, word);
  for (uint64_t round = 0; round < kRounds; ++round) {
    const Expr p0 = And(c0, low_mask) * integer(kMultiplier0);
    const Expr p1 = And(c2, low_mask) * integer(kMultiplier1);
    const Expr key0 = round == 0 ? seed : seed + integer(round * kWeyl0);
    const Expr key1 = round == 0 ? seed_high : seed_high + integer(round * kWeyl1);
    c0 = Xor(Xor(Shr(p1, word), c1), key0);
    c2 = Xor(Xor(Shr(p0, word), c3), key1);
    c1 = p1;
    c3 = p0;
  }
  return {Cast(DType::kI32, c0), Cast(DType::kI32, c1), Cast(DType::kI32, c2),
          Cast(DType::kI32, c3)};
}

Expr UniformFloat32(Expr word) {
  return Cast(DType::kF32, Shr(word, word.IntConst(DType::kI32, 8))) * 0x1p-24;
}

Expr UniformFloat64(Expr low_word, Expr high_word) {
  const Expr high = Cast(DType::kF64, Shr(high_word, high_word.IntConst(DType::kI32, 5)));
  const Expr low = Cast(DType::kF64, Shr(low_word, low_word.IntConst(DType::kI32, 6)));
  return Fma(high, high.Const(0x1p26), low) * 0x1p-53;
}

}  // namespace gradus::ir
