#include "ir/loop/scalar.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "absl/hash/hash.h"
#include "fmt/format.h"
#include "ir/check.h"
#include "ir/loop/fold.h"
#include "ir/loop/walk.h"

namespace gradus::loop {
namespace {

bool IsConst(const Scalar* s) { return s->kind == ScalarKind::kConst; }
bool IsFloatConst(const Scalar* s, double value) {
  return IsConst(s) && ir::IsFloat(s->dtype) &&
         std::bit_cast<uint64_t>(s->number) == std::bit_cast<uint64_t>(value);
}
bool IsIntConst(const Scalar* s, int64_t value) {
  return IsConst(s) && !ir::IsFloat(s->dtype) && s->integer == value;
}
bool IsOne(const Scalar* s) { return IsFloatConst(s, 1.0) || IsIntConst(s, 1); }

bool IsComparison(ScalarKind k) {
  return k == ScalarKind::kEq || k == ScalarKind::kNe || k == ScalarKind::kLt ||
         k == ScalarKind::kLe;
}
bool IsBitwise(ScalarKind k) {
  return k == ScalarKind::kAnd || k == ScalarKind::kOr || k == ScalarKind::kXor;
}
// Not kMin and kMax: which operand a NaN or a signed zero comes from may depend on their order.
bool OperandsCommute(ScalarKind k) {
  return k == ScalarKind::kAdd || k == ScalarKind::kMul || k == ScalarKind::kEq ||
         k == ScalarKind::kNe || IsBitwise(k);
}

// An i64 scalar that is an index form.
std::optional<Index> AsForm(const Scalar* s) {
  if (s->dtype != DType::kI64) return std::nullopt;
  if (s->kind == ScalarKind::kConst) return Index(s->integer);
  if (s->kind == ScalarKind::kIndex) return s->indices[0];
  if (s->kind == ScalarKind::kExtent && s->extent.divisor == 1) return Index::Of(s->extent);
  return std::nullopt;
}

// low <= form < high: true, false, or not known.
std::optional<bool> Proven(const Condition& c) {
  const Bounds above = Range(c.form - c.low), below = Range(c.high - c.form);
  if (above.low && *above.low >= 0 && below.low && *below.low > 0) return true;
  if ((above.high && *above.high < 0) || (below.high && *below.high <= 0)) return false;
  return std::nullopt;
}

// What two known bounds say of a comparison of forms; nullopt: nothing.
std::optional<bool> CompareForms(ScalarKind kind, const Index& a, const Index& b) {
  const Bounds d = Range(b - a);
  const bool equal = a == b;
  const bool apart = (d.low && *d.low > 0) || (d.high && *d.high < 0);
  switch (kind) {
    case ScalarKind::kEq:
    case ScalarKind::kNe:
      if (equal || apart) return equal == (kind == ScalarKind::kEq);
      return std::nullopt;
    case ScalarKind::kLt:
      if (d.low && *d.low > 0) return true;
      if (d.high && *d.high <= 0) return false;
      return std::nullopt;
    default:
      if (d.low && *d.low >= 0) return true;
      if (d.high && *d.high < 0) return false;
      return std::nullopt;
  }
}

uint64_t HashOf(const Scalar& s) {
  uint64_t h = absl::HashOf(static_cast<int>(s.kind), static_cast<int>(s.dtype),
                            std::bit_cast<uint64_t>(s.number), s.integer, s.buffer,
                            static_cast<int>(s.reduce), s.extent.scale, s.extent.divisor);
  for (const Scalar* o : s.operands) h = absl::HashOf(h, o);
  for (const Index& i : s.indices) h = absl::HashOf(h, i);
  for (const Condition& c : s.conditions) h = absl::HashOf(h, c.low, c.form, c.high);
  for (const Variable* v : s.variables) h = absl::HashOf(h, v);
  return h;
}

bool SameContents(const Scalar& a, const Scalar& b) {
  return a.kind == b.kind && a.dtype == b.dtype && a.operands == b.operands &&
         std::bit_cast<uint64_t>(a.number) == std::bit_cast<uint64_t>(b.number) &&
         a.integer == b.integer && a.extent == b.extent && a.buffer == b.buffer &&
         a.indices == b.indices && a.conditions == b.conditions && a.reduce == b.reduce &&
         a.variables == b.variables;
}

bool ById(const Variable* a, const Variable* b) { return a->id() < b->id(); }

void SetFree(Scalar& s) {
  auto add = [&](const auto& variables) {
    s.free.insert(s.free.end(), variables.begin(), variables.end());
  };
  for (const Scalar* o : s.operands) add(o->free);
  for (const Index& i : s.indices) add(LoopVariables(i));
  for (const Condition& c : s.conditions) {
    add(LoopVariables(c.low));
    add(LoopVariables(c.form));
    add(LoopVariables(c.high));
  }
  std::sort(s.free.begin(), s.free.end(), ById);
  s.free.erase(std::unique(s.free.begin(), s.free.end()), s.free.end());
  for (const Variable* v : s.variables) {  // bound here
    s.free.erase(std::remove(s.free.begin(), s.free.end(), v), s.free.end());
  }
}

}  // namespace

bool Scalar::depends_on(const Variable* v) const {
  return std::binary_search(free.begin(), free.end(), v, ById);
}

Arena::Arena() = default;

const Variable* Arena::NewVariable(std::string name, Extent extent) {
  Variable v;
  // The number is chosen so that no other name can be the same: x, x_1, x_2.
  for (int n = names_[name]++; n > 0;) {
    std::string numbered = fmt::format("{}_{}", name, n);
    if (names_.try_emplace(numbered, 1).second) {
      name = std::move(numbered);
      break;
    }
    n = names_[name]++;
  }
  v.name_ = std::move(name);
  v.id_ = static_cast<int>(variables_.size());
  v.extent_ = std::move(extent);
  variables_.push_back(std::move(v));
  return &variables_.back();
}

const Variable* Arena::InternAtom(Variable::Kind kind, const Index& numerator, int64_t divisor) {
  IR_CHECK(kind != Variable::Kind::kLoop && divisor > 0);
  auto& bucket = atoms_[absl::HashOf(static_cast<int>(kind), numerator, divisor)];
  for (const Variable* v : bucket) {
    if (v->kind_ == kind && v->divisor_ == divisor && v->numerator_ == numerator) return v;
  }
  Variable v;
  v.kind_ = kind;
  v.id_ = static_cast<int>(variables_.size());
  v.numerator_ = numerator;
  v.divisor_ = divisor;
  variables_.push_back(std::move(v));
  bucket.push_back(&variables_.back());
  return &variables_.back();
}

const Scalar* Arena::Intern(Scalar s) {
  auto& bucket = interned_[HashOf(s)];
  for (const Scalar* known : bucket) {
    if (SameContents(*known, s)) return known;
  }
  SetFree(s);
  s.id = static_cast<int>(scalars_.size());
  scalars_.push_back(std::move(s));
  bucket.push_back(&scalars_.back());
  return &scalars_.back();
}

const Scalar* Arena::Float(DType dtype, double value) {
  IR_CHECK(ir::IsFloat(dtype));
  Scalar s;
  s.dtype = dtype;
  s.number =
      std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : fold::Round(dtype, value);
  return Intern(std::move(s));
}

const Scalar* Arena::Integer(DType dtype, int64_t value) {
  IR_CHECK(!ir::IsFloat(dtype));
  Scalar s;
  s.dtype = dtype;
  s.integer = fold::Wrap(dtype, value);
  return Intern(std::move(s));
}

const Scalar* Arena::ExtentValue(const Extent& extent) {
  if (extent.is_number()) return Integer(DType::kI64, extent.number());
  Scalar s;
  s.kind = ScalarKind::kExtent;
  s.dtype = DType::kI64;
  s.extent = extent;
  return Intern(std::move(s));
}

const Scalar* Arena::IndexValue(const Index& form) {
  if (form.is_constant()) return Integer(DType::kI64, form.constant());
  if (form.terms().size() == 1 && form.terms()[0].variable == nullptr) {
    Extent extent;
    extent.scale = form.terms()[0].coefficient;
    extent.symbols = form.terms()[0].symbols;
    if (extent.scale > 0) return ExtentValue(extent);
  }
  Scalar s;
  s.kind = ScalarKind::kIndex;
  s.dtype = DType::kI64;
  s.indices.push_back(form);
  return Intern(std::move(s));
}

const Scalar* Arena::Load(int buffer, DType dtype, std::span<const Index> indices) {
  Scalar s;
  s.kind = ScalarKind::kLoad;
  s.dtype = dtype;
  s.buffer = buffer;
  s.indices.assign(indices.begin(), indices.end());
  return Intern(std::move(s));
}

const Scalar* Arena::Unary(ScalarKind kind, const Scalar* x) {
  const bool is_float = ir::IsFloat(x->dtype);
  switch (kind) {
    case ScalarKind::kNeg:
      if (x->kind == ScalarKind::kNeg) return x->operands[0];
      break;
    case ScalarKind::kAbs:
      if (x->kind == ScalarKind::kAbs) return x;
      if (x->kind == ScalarKind::kNeg) return Unary(ScalarKind::kAbs, x->operands[0]);
      break;
    case ScalarKind::kFloor:
    case ScalarKind::kRoundEven:
    case ScalarKind::kSqrt: IR_CHECK_MSG(is_float, "a float operand"); break;
    default: IR_CHECK_MSG(false, "a unary kind");
  }
  if (IsConst(x)) {
    return is_float ? Float(x->dtype, fold::Unary(kind, x->dtype, x->number))
                    : Integer(x->dtype, fold::Unary(kind, x->integer));
  }
  Scalar s;
  s.kind = kind;
  s.dtype = x->dtype;
  s.operands = {x};
  return Intern(std::move(s));
}

const Scalar* Arena::Binary(ScalarKind kind, const Scalar* a, const Scalar* b) {
  IR_CHECK_MSG(a->dtype == b->dtype, "operands of one dtype");
  const DType dtype = a->dtype;
  const bool is_float = ir::IsFloat(dtype);
  IR_CHECK_MSG(
      !is_float || (!IsBitwise(kind) && kind != ScalarKind::kShl && kind != ScalarKind::kShr),
      "integer operands");
  if (IsConst(a) && IsConst(b)) {
    if (IsComparison(kind)) {
      return Integer(DType::kI1, is_float ? fold::Compare(kind, a->number, b->number)
                                          : fold::Compare(kind, a->integer, b->integer));
    }
    return is_float ? Float(dtype, fold::Binary(kind, dtype, a->number, b->number))
                    : Integer(dtype, fold::Binary(kind, dtype, a->integer, b->integer));
  }
  if (dtype == DType::kI64) {  // arithmetic of forms stays a form
    const std::optional<Index> fa = AsForm(a), fb = AsForm(b);
    if (fa && fb) {
      if (kind == ScalarKind::kAdd) return IndexValue(*fa + *fb);
      if (kind == ScalarKind::kSub) return IndexValue(*fa - *fb);
      if (kind == ScalarKind::kMul && IsConst(a)) return IndexValue(*fb * a->integer);
      if (kind == ScalarKind::kMul && IsConst(b)) return IndexValue(*fa * b->integer);
      if (IsComparison(kind)) {
        if (const auto known = CompareForms(kind, *fa, *fb)) return Integer(DType::kI1, *known);
      }
    }
  }
  switch (kind) {
    case ScalarKind::kAdd:
      if (IsFloatConst(a, -0.0) || IsIntConst(a, 0)) return b;
      if (IsFloatConst(b, -0.0) || IsIntConst(b, 0)) return a;
      break;
    case ScalarKind::kSub:
      if (IsFloatConst(b, 0.0) || IsIntConst(b, 0)) return a;
      if (a == b && !is_float) return Integer(dtype, 0);
      break;
    case ScalarKind::kMul:
      if (IsOne(a)) return b;
      if (IsOne(b)) return a;
      if (IsIntConst(a, 0)) return a;
      if (IsIntConst(b, 0)) return b;
      break;
    case ScalarKind::kDiv:
      if (IsOne(b)) return a;
      if (is_float && IsConst(b)) {
        if (const auto r = fold::ExactReciprocal(dtype, b->number)) {
          return Binary(ScalarKind::kMul, a, Float(dtype, *r));
        }
      }
      break;
    case ScalarKind::kMin:
    case ScalarKind::kMax:
      if (a == b) return a;
      break;
    case ScalarKind::kAnd:
    case ScalarKind::kOr: {
      if (a == b) return a;
      const int64_t ones = fold::Wrap(dtype, dtype == DType::kI1 ? 1 : -1);
      const int64_t keeps = kind == ScalarKind::kAnd ? ones : 0;
      const int64_t wins = kind == ScalarKind::kAnd ? 0 : ones;
      if (IsIntConst(a, keeps) || IsIntConst(b, wins)) return b;
      if (IsIntConst(b, keeps) || IsIntConst(a, wins)) return a;
      break;
    }
    case ScalarKind::kXor:
      if (a == b) return Integer(dtype, 0);
      if (IsIntConst(a, 0)) return b;
      if (IsIntConst(b, 0)) return a;
      break;
    case ScalarKind::kShl:
    case ScalarKind::kShr:
      if (IsIntConst(b, 0)) return a;
      break;
    case ScalarKind::kEq:
    case ScalarKind::kNe:
    case ScalarKind::kLt:
    case ScalarKind::kLe: break;
    default: IR_CHECK_MSG(false, "a binary kind");
  }
  if (OperandsCommute(kind) && b->id < a->id) std::swap(a, b);
  Scalar s;
  s.kind = kind;
  s.dtype = IsComparison(kind) ? DType::kI1 : dtype;
  s.operands = {a, b};
  return Intern(std::move(s));
}

const Scalar* Arena::Fma(const Scalar* a, const Scalar* b, const Scalar* c) {
  IR_CHECK_MSG(a->dtype == b->dtype && b->dtype == c->dtype && ir::IsFloat(a->dtype),
               "float operands of one dtype");
  if (IsConst(a) && IsConst(b) && IsConst(c)) {
    return Float(a->dtype, fold::Fma(a->dtype, a->number, b->number, c->number));
  }
  if (IsOne(a)) return Binary(ScalarKind::kAdd, b, c);
  if (IsOne(b)) return Binary(ScalarKind::kAdd, a, c);
  if (b->id < a->id) std::swap(a, b);
  Scalar s;
  s.kind = ScalarKind::kFma;
  s.dtype = a->dtype;
  s.operands = {a, b, c};
  return Intern(std::move(s));
}

const Scalar* Arena::Select(const Scalar* condition, const Scalar* a, const Scalar* b) {
  IR_CHECK_MSG(condition->dtype == DType::kI1 && a->dtype == b->dtype,
               "an i1 condition and two values of one dtype");
  if (IsConst(condition)) return condition->integer != 0 ? a : b;
  if (a == b) return a;
  Scalar s;
  s.kind = ScalarKind::kSelect;
  s.dtype = a->dtype;
  s.operands = {condition, a, b};
  return Intern(std::move(s));
}

const Scalar* Arena::Cast(DType dtype, const Scalar* x) {
  if (dtype == x->dtype) return x;
  if (IsConst(x)) {
    if (ir::IsFloat(dtype)) {
      return ir::IsFloat(x->dtype) ? Float(dtype, x->number)
                                   : Float(dtype, fold::ToFloat(dtype, x->integer));
    }
    return Integer(dtype, ir::IsFloat(x->dtype) ? fold::ToInteger(dtype, x->number)
                          : dtype == DType::kI1 ? int64_t{x->integer != 0}
                                                : x->integer);
  }
  Scalar s;
  s.kind = ScalarKind::kCast;
  s.dtype = dtype;
  s.operands = {x};
  return Intern(std::move(s));
}

const Scalar* Arena::Bitcast(DType dtype, const Scalar* x) {
  IR_CHECK_MSG(ir::ByteSize(dtype) == ir::ByteSize(x->dtype), "dtypes of one size");
  if (dtype == x->dtype) return x;
  if (x->kind == ScalarKind::kBitcast) return Bitcast(dtype, x->operands[0]);
  if (IsConst(x)) {
    switch (x->dtype) {
      case DType::kF32:
        if (dtype != DType::kI32 || std::isnan(x->number)) break;
        return Integer(dtype, std::bit_cast<int32_t>(static_cast<float>(x->number)));
      case DType::kF64:
        if (dtype != DType::kI64 || std::isnan(x->number)) break;
        return Integer(dtype, std::bit_cast<int64_t>(x->number));
      case DType::kI32: {
        const float f = std::bit_cast<float>(static_cast<int32_t>(x->integer));
        if (dtype != DType::kF32 || std::isnan(f)) break;
        return Float(dtype, f);
      }
      case DType::kI64: {
        const double d = std::bit_cast<double>(x->integer);
        if (dtype != DType::kF64 || std::isnan(d)) break;
        return Float(dtype, d);
      }
      case DType::kI1: break;
    }
  }
  Scalar s;
  s.kind = ScalarKind::kBitcast;
  s.dtype = dtype;
  s.operands = {x};
  return Intern(std::move(s));
}

const Scalar* Arena::Guard(std::span<const Condition> conditions, const Scalar* x) {
  const Scalar* zero = ir::IsFloat(x->dtype) ? Float(x->dtype, 0.0) : Integer(x->dtype, 0);
  if (x == zero) return x;
  Scalar s;
  auto add = [&](const Condition& c) {
    const std::optional<bool> known = Proven(c);
    if (known) return *known;
    for (Condition& other : s.conditions) {
      if (other == c) return true;
      if (other.form == c.form && other.low.is_constant() && other.high.is_constant() &&
          c.low.is_constant() && c.high.is_constant()) {
        other.low = std::max(other.low.constant(), c.low.constant());
        other.high = std::min(other.high.constant(), c.high.constant());
        return other.low.constant() < other.high.constant();
      }
    }
    s.conditions.push_back(c);
    return true;
  };
  for (const Condition& c : conditions) {
    if (!add(c)) return zero;
  }
  if (s.conditions.empty()) return x;
  if (x->kind == ScalarKind::kGuard) {
    for (const Condition& c : x->conditions) {
      if (!add(c)) return zero;
    }
    x = x->operands[0];
  }
  s.kind = ScalarKind::kGuard;
  s.dtype = x->dtype;
  s.operands = {x};
  return Intern(std::move(s));
}

const Scalar* Arena::Reduce(ReduceKind kind, std::span<const Variable* const> variables,
                            const Scalar* x) {
  Scalar s;
  for (const Variable* v : variables) {
    IR_CHECK_MSG(v->kind() == Variable::Kind::kLoop, "a loop variable to reduce over");
    const Extent& extent = v->extent();
    if (extent.is_number() && extent.number() == 0) return fold::Identity(*this, kind, x->dtype);
    if (extent.is_number() && extent.number() == 1) {
      const Substitution first{v, Index(0)};
      x = Substitute(x, {&first, 1});
    } else {
      s.variables.push_back(v);
    }
  }
  if (s.variables.empty()) return x;
  s.kind = ScalarKind::kReduce;
  s.dtype = x->dtype;
  s.reduce = kind;
  s.operands = {x};
  return Intern(std::move(s));
}

const Scalar* Arena::Acc(DType dtype, int number) {
  Scalar s;
  s.kind = ScalarKind::kAcc;
  s.dtype = dtype;
  s.integer = number;
  return Intern(std::move(s));
}

// The scalar `s` with other operands and with variables replaced in its own forms.
const Scalar* Arena::Rebuild(const Scalar& s, std::span<const Scalar* const> operands,
                             std::span<const Substitution> variables) {
  auto form = [&](const Index& f) { return loop::Substitute(*this, f, variables); };
  switch (s.kind) {
    case ScalarKind::kConst:
    case ScalarKind::kExtent:
    case ScalarKind::kAcc: return &s;
    case ScalarKind::kIndex: return IndexValue(form(s.indices[0]));
    case ScalarKind::kLoad: {
      absl::InlinedVector<Index, 3> indices;
      for (const Index& i : s.indices) indices.push_back(form(i));
      return Load(s.buffer, s.dtype, {indices.data(), indices.size()});
    }
    case ScalarKind::kNeg:
    case ScalarKind::kAbs:
    case ScalarKind::kFloor:
    case ScalarKind::kRoundEven:
    case ScalarKind::kSqrt: return Unary(s.kind, operands[0]);
    case ScalarKind::kFma: return Fma(operands[0], operands[1], operands[2]);
    case ScalarKind::kSelect: return Select(operands[0], operands[1], operands[2]);
    case ScalarKind::kCast: return Cast(s.dtype, operands[0]);
    case ScalarKind::kBitcast: return Bitcast(s.dtype, operands[0]);
    case ScalarKind::kGuard: {
      absl::InlinedVector<Condition, 2> conditions;
      for (const Condition& c : s.conditions) {
        conditions.push_back({form(c.low), form(c.form), form(c.high)});
      }
      return Guard({conditions.data(), conditions.size()}, operands[0]);
    }
    case ScalarKind::kReduce: {
      // A reduction variable that is replaced by a form runs as that form's variables, largest
      // stride outermost.
      absl::InlinedVector<const Variable*, 4> bound;
      for (const Variable* v : s.variables) {
        const auto* found = std::find_if(variables.data(), variables.data() + variables.size(),
                                         [&](const Substitution& x) { return x.from == v; });
        if (found == variables.data() + variables.size()) {
          bound.push_back(v);
          continue;
        }
        absl::InlinedVector<Term, 3> terms(found->to.terms().begin(), found->to.terms().end());
        std::stable_sort(terms.begin(), terms.end(), [](const Term& a, const Term& b) {
          return std::abs(a.coefficient) > std::abs(b.coefficient);
        });
        for (const Term& t : terms) {
          if (t.variable != nullptr) bound.push_back(t.variable);
        }
      }
      return Reduce(s.reduce, {bound.data(), bound.size()}, operands[0]);
    }
    default: return Binary(s.kind, operands[0], operands[1]);
  }
}

const Scalar* Arena::Substitute(const Scalar* x, std::span<const Substitution> variables,
                                const absl::flat_hash_map<const Scalar*, const Scalar*>& scalars) {
  if (variables.empty() && scalars.empty()) return x;
  // Operands are older than their users, so ascending ids are an order of evaluation.
  absl::flat_hash_map<const Scalar*, const Scalar*> done;
  std::vector<const Scalar*> reached;
  ForEachReached(x, [&](const Scalar* s) {
    const auto at = scalars.find(s);
    if (at == scalars.end()) {
      reached.push_back(s);
    } else {
      done[s] = at->second;
    }
    return at == scalars.end();
  });
  std::sort(reached.begin(), reached.end(),
            [](const Scalar* a, const Scalar* b) { return a->id < b->id; });
  for (const Scalar* s : reached) {
    absl::InlinedVector<const Scalar*, 3> operands;
    for (const Scalar* o : s->operands) operands.push_back(done[o]);
    done[s] = Rebuild(*s, {operands.data(), operands.size()}, variables);
  }
  return done[x];
}

}  // namespace gradus::loop
