#include "ir/check.h"
#include "ir/loop/scalar.h"

namespace gradus::loop {

Expr Expr::Const(double value) const {
  if (ir::IsFloat(dtype())) return {*arena_, arena_->Float(dtype(), value)};
  return {*arena_, arena_->Integer(dtype(), static_cast<int64_t>(value))};
}
Expr Expr::IntConst(DType integer_dtype, int64_t value) const {
  return {*arena_, arena_->Integer(integer_dtype, value)};
}

namespace {
Expr Two(ScalarKind kind, Expr a, Expr b) {
  return {a.arena(), a.arena().Binary(kind, a.scalar(), b.scalar())};
}
Expr One(ScalarKind kind, Expr a) { return {a.arena(), a.arena().Unary(kind, a.scalar())}; }
}  // namespace

Expr operator+(Expr a, Expr b) { return Two(ScalarKind::kAdd, a, b); }
Expr operator-(Expr a, Expr b) { return Two(ScalarKind::kSub, a, b); }
Expr operator*(Expr a, Expr b) { return Two(ScalarKind::kMul, a, b); }
Expr operator/(Expr a, Expr b) { return Two(ScalarKind::kDiv, a, b); }
Expr operator+(Expr a, double b) { return a + a.Const(b); }
Expr operator-(Expr a, double b) { return a - a.Const(b); }
Expr operator*(Expr a, double b) { return a * a.Const(b); }
Expr operator/(Expr a, double b) { return a / a.Const(b); }
Expr operator+(double a, Expr b) { return b.Const(a) + b; }
Expr operator-(double a, Expr b) { return b.Const(a) - b; }
Expr operator*(double a, Expr b) { return b.Const(a) * b; }
Expr operator/(double a, Expr b) { return b.Const(a) / b; }
Expr operator-(Expr a) { return One(ScalarKind::kNeg, a); }
Expr Fma(Expr a, Expr b, Expr c) {
  return {a.arena(), a.arena().Fma(a.scalar(), b.scalar(), c.scalar())};
}
Expr Fma(Expr a, double b, double c) { return Fma(a, a.Const(b), a.Const(c)); }
Expr Fma(Expr a, Expr b, double c) { return Fma(a, b, a.Const(c)); }
Expr Min(Expr a, Expr b) { return Two(ScalarKind::kMin, a, b); }
Expr Max(Expr a, Expr b) { return Two(ScalarKind::kMax, a, b); }
Expr Abs(Expr a) { return One(ScalarKind::kAbs, a); }
Expr Floor(Expr a) { return One(ScalarKind::kFloor, a); }
Expr RoundEven(Expr a) { return One(ScalarKind::kRoundEven, a); }
Expr Sqrt(Expr a) { return One(ScalarKind::kSqrt, a); }
Expr Eq(Expr a, Expr b) { return Two(ScalarKind::kEq, a, b); }
Expr Ne(Expr a, Expr b) { return Two(ScalarKind::kNe, a, b); }
Expr Lt(Expr a, Expr b) { return Two(ScalarKind::kLt, a, b); }
Expr Le(Expr a, Expr b) { return Two(ScalarKind::kLe, a, b); }
Expr And(Expr a, Expr b) { return Two(ScalarKind::kAnd, a, b); }
Expr Or(Expr a, Expr b) { return Two(ScalarKind::kOr, a, b); }
Expr Xor(Expr a, Expr b) { return Two(ScalarKind::kXor, a, b); }
Expr Shl(Expr a, Expr b) { return Two(ScalarKind::kShl, a, b); }
Expr Shr(Expr a, Expr b) { return Two(ScalarKind::kShr, a, b); }
Expr Select(Expr condition, Expr a, Expr b) {
  return {a.arena(), a.arena().Select(condition.scalar(), a.scalar(), b.scalar())};
}
Expr Cast(DType dtype, Expr x) { return {x.arena(), x.arena().Cast(dtype, x.scalar())}; }
Expr Bitcast(DType dtype, Expr x) { return {x.arena(), x.arena().Bitcast(dtype, x.scalar())}; }
Expr Exp2Table(Expr x) { return {x.arena(), x.arena().Exp2Table(x.scalar())}; }

}  // namespace gradus::loop
