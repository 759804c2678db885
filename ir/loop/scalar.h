#pragma once

// Scalars: the hash-consed arithmetic of one element. Two equal expressions of one arena are one
// node, so that equal sums and the gates of a cell are visibly shared. Expressions are DAGs: every
// walk must memoise.

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "ir/loop/index.h"
#include "ir/type.h"

namespace gradus::loop {

using ir::DType;

// The closed set of scalar arithmetic. Comparisons are ordered (false on NaN) but for kNe (true on
// NaN). Integers wrap. kMax/kMin give NaN if either operand is NaN (IEEE 754-2019 maximum and
// minimum, -0 < +0 not promised).
enum class ScalarKind : uint8_t {
  kConst,   // number / integer
  kExtent,  // an extent as an i64 number
  kIndex,   // an index form as an i64 number
  kLoad,    // buffer[indices]
  kGather,  // buffer[indices], but operands[0] (an i64 scalar) further along one axis
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMin,
  kMax,
  kFma,  // a * b + c, rounded once
  kNeg,
  kAbs,
  kFloor,
  kRoundEven,
  kSqrt,
  kEq,
  kNe,
  kLt,
  kLe,  // -> i1
  kAnd,
  kOr,
  kXor,
  kShl,
  kShr,        // integers and i1; kShr is logical
  kSelect,     // condition ? a : b
  kCast,       // value conversion to dtype (float -> int truncates and saturates, NaN gives 0)
  kBitcast,    // same size
  kExp2Table,  // of an i32: 2^(j / 16) for its last four bits j, rounded to f32
  kGuard,      // x where low <= index < high, 0 elsewhere; x is not evaluated there
  kReduce,     // over variables: sum, product, maximum or minimum
  kAcc,        // only in a contraction's epilogue: accumulator number `integer` of the tile
};
enum class ReduceKind : uint8_t { kSum, kProd, kMax, kMin };

// low <= form < high.
struct Condition {
  Index low, form, high;
  bool operator==(const Condition&) const = default;
};

struct Scalar {
  ScalarKind kind = ScalarKind::kConst;
  DType dtype = DType::kF32;
  int id = 0;  // order of creation in its arena
  absl::InlinedVector<const Scalar*, 3> operands;
  double number = 0;    // kConst of float dtype (f32: exactly representable)
  int64_t integer = 0;  // kConst of i1/i32/i64; kAcc; kGather: the axis (kernels)
  Extent extent;        // kExtent; kGather: elements between neighbours along the axis (plans)
  int buffer = -1;      // kLoad, kGather: index into Kernel::buffers
  absl::InlinedVector<Index, 3>
      indices;  // kLoad, kGather: one an axis, or, in a plan, one flat form; kIndex: one
  absl::InlinedVector<Condition, 1> conditions;       // kGuard
  ReduceKind reduce = ReduceKind::kSum;               // kReduce
  absl::InlinedVector<const Variable*, 2> variables;  // kReduce: summed over, outermost first
  // Loop variables that the value depends on (through atoms too; those bound by a reduction inside
  // left out), sorted by id.
  absl::InlinedVector<const Variable*, 4> free;

  bool depends_on(const Variable* v) const;
  bool reads_buffer() const { return kind == ScalarKind::kLoad || kind == ScalarKind::kGather; }
};

// Owns the variables and scalars of a kernel. Building folds constants in IEEE arithmetic of the
// dtype and applies only identities that are exact (x*1, select of a constant, a guard that Range
// proves). Operands of kAdd and kMul are ordered (by id); those of kMin and kMax are not (NaN and
// signed zero).
class Arena {
 public:
  Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Whether the target looks up a vector of kExp2Table in one instruction (ir::Target::has_tables):
  // where it does not, formulas should do without.
  bool has_tables = false;

  // A name that is taken gets a number.
  const Variable* NewVariable(std::string name, Extent extent);
  const Variable* InternAtom(Variable::Kind kind, const Index& numerator, int64_t divisor);

  const Scalar* Float(DType dtype, double value);
  const Scalar* Integer(DType dtype, int64_t value);  // i1, i32, i64
  const Scalar* ExtentValue(const Extent& extent);    // i64
  const Scalar* IndexValue(const Index& form);        // i64
  const Scalar* Load(int buffer, DType dtype, std::span<const Index> indices);
  // In a kernel `axis` says along which axis `position` counts, in a plan (one flat form) `stride`.
  const Scalar* Gather(int buffer, DType dtype, std::span<const Index> indices, int axis,
                       const Extent& stride, const Scalar* position);
  const Scalar* Unary(ScalarKind kind, const Scalar* x);
  const Scalar* Binary(ScalarKind kind, const Scalar* a, const Scalar* b);
  const Scalar* Fma(const Scalar* a, const Scalar* b, const Scalar* c);
  const Scalar* Select(const Scalar* condition, const Scalar* a, const Scalar* b);
  const Scalar* Cast(DType dtype, const Scalar* x);
  const Scalar* Bitcast(DType dtype, const Scalar* x);
  const Scalar* Exp2Table(const Scalar* x);
  const Scalar* Guard(std::span<const Condition> conditions, const Scalar* x);
  const Scalar* Reduce(ReduceKind kind, std::span<const Variable* const> variables,
                       const Scalar* x);
  const Scalar* Acc(DType dtype, int number);

  // Rebuilds an expression with variables replaced, and/or with whole scalars replaced (checked
  // first, by node).
  const Scalar* Substitute(const Scalar* x, std::span<const Substitution> variables,
                           const absl::flat_hash_map<const Scalar*, const Scalar*>& scalars = {});

  const std::deque<Variable>& variables() const { return variables_; }
  const std::deque<Scalar>& scalars() const { return scalars_; }

 private:
  const Scalar* Intern(Scalar s);
  const Scalar* Rebuild(const Scalar& s, std::span<const Scalar* const> operands,
                        std::span<const Substitution> variables);
  std::deque<Variable> variables_;
  std::deque<Scalar> scalars_;
  // By a hash of the contents.
  absl::flat_hash_map<uint64_t, absl::InlinedVector<const Scalar*, 1>> interned_;
  absl::flat_hash_map<uint64_t, absl::InlinedVector<const Variable*, 1>> atoms_;
  absl::flat_hash_map<std::string, int> names_;  // how often each variable name was asked for
};

// A scalar with operators, for writing lowering rules and approximations as formulas.
class Expr {
 public:
  Expr(Arena& arena, const Scalar* scalar) : arena_(&arena), scalar_(scalar) {}
  Arena& arena() const { return *arena_; }
  const Scalar* scalar() const { return scalar_; }
  DType dtype() const { return scalar_->dtype; }
  // A constant of this expression's dtype.
  Expr Const(double value) const;
  Expr IntConst(DType dtype, int64_t value) const;

 private:
  Arena* arena_;
  const Scalar* scalar_;
};
Expr operator+(Expr a, Expr b);
Expr operator-(Expr a, Expr b);
Expr operator*(Expr a, Expr b);
Expr operator/(Expr a, Expr b);
Expr operator+(Expr a, double b);
Expr operator-(Expr a, double b);
Expr operator*(Expr a, double b);
Expr operator/(Expr a, double b);
Expr operator+(double a, Expr b);
Expr operator-(double a, Expr b);
Expr operator*(double a, Expr b);
Expr operator/(double a, Expr b);
Expr operator-(Expr a);
Expr Fma(Expr a, Expr b, Expr c);
Expr Fma(Expr a, double b, double c);
Expr Fma(Expr a, Expr b, double c);
Expr Min(Expr a, Expr b);
Expr Max(Expr a, Expr b);
Expr Abs(Expr a);
Expr Floor(Expr a);
Expr RoundEven(Expr a);
Expr Sqrt(Expr a);
Expr Eq(Expr a, Expr b);
Expr Ne(Expr a, Expr b);
Expr Lt(Expr a, Expr b);
Expr Le(Expr a, Expr b);
Expr And(Expr a, Expr b);
Expr Or(Expr a, Expr b);
Expr Xor(Expr a, Expr b);
Expr Shl(Expr a, Expr b);
Expr Shr(Expr a, Expr b);
Expr Select(Expr condition, Expr a, Expr b);
Expr Cast(DType dtype, Expr x);
Expr Bitcast(DType dtype, Expr x);
Expr Exp2Table(Expr x);

}  // namespace gradus::loop
