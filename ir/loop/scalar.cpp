// Scalars as one arena holds them: equal ones are one. The leaves, guards and reductions;
// arithmetic is in scalar_arithmetic.cpp, substitution in scalar_substitute.cpp.

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

namespace gradus::loop {
namespace {

// low <= form < high: true, false, or not known.
std::optional<bool> Proven(const Condition& c) {
  const Bounds above = Range(c.form - c.low), below = Range(c.high - c.form);
  if (above.low && *above.low >= 0 && below.low && *below.low > 0) return true;
  if ((above.high && *above.high < 0) || (below.high && *below.high <= 0)) return false;
  return std::nullopt;
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

const Scalar* Arena::Gather(int buffer, DType dtype, std::span<const Index> indices, int axis,
                            const Extent& stride, const Scalar* position) {
  IR_CHECK(position->dtype == DType::kI64);
  Scalar s;
  s.kind = ScalarKind::kGather;
  s.dtype = dtype;
  s.buffer = buffer;
  s.indices.assign(indices.begin(), indices.end());
  s.integer = axis;
  s.extent = stride;
  s.operands = {position};
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

}  // namespace gradus::loop
