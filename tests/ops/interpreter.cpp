#include "tests/ops/interpreter.h"

#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <unordered_map>

#include "ir/check.h"
#include "ir/loop/fold.h"
#include "ir/loop/lowerer.h"

namespace gradus::test {
namespace {

using loop::Extent;
using loop::Index;
using loop::Scalar;
using loop::ScalarKind;
using loop::Variable;

// A float of either size lives in `f`, everything else in `i`.
struct Number {
  double f = 0;
  int64_t i = 0;
};

double Round(DType d, double x) {
  return d == DType::kF32 ? static_cast<double>(static_cast<float>(x)) : x;
}
int64_t Wrap(DType d, uint64_t x) {
  if (d == DType::kI1) return static_cast<int64_t>(x & 1);
  if (d == DType::kI32) return static_cast<int32_t>(static_cast<uint32_t>(x));
  return static_cast<int64_t>(x);
}
Number OfFloat(DType d, double x) { return {Round(d, x), 0}; }
Number OfInteger(DType d, uint64_t x) { return {0, Wrap(d, x)}; }

double MaxOf(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? std::nan("") : a > b ? a : b;
}
double MinOf(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? std::nan("") : a < b ? a : b;
}

class Interpreter {
 public:
  Interpreter(const loop::Kernel& kernel, std::vector<Array>& buffers,
              std::map<ir::Symbol, int64_t> symbols)
      : kernel_(kernel), buffers_(buffers), symbols_(std::move(symbols)) {}

  void Process() {
    for (loop::Store store : kernel_.stores) {
      if (store.running != nullptr) {  // the innermost, so that each sum is whole before the next
        std::erase(store.variables, store.running);
        store.variables.push_back(store.running);
      }
      Loop(store, 0);
    }
  }

  int64_t ValueOf(const Extent& e) const {
    int64_t n = e.scale;
    for (const ir::Symbol& s : e.symbols) n *= symbols_.at(s);
    return (n + e.divisor - 1) / e.divisor;
  }

 private:
  void Loop(const loop::Store& store, size_t depth) {
    if (depth < store.variables.size()) {
      const Variable* v = store.variables[depth];
      const int64_t n = ValueOf(v->extent());
      if (v == store.running) running_ = {};
      for (int64_t i = 0; i < n; ++i) {
        environment_[v] = i;
        Loop(store, depth + 1);
      }
      return;
    }
    Array& buffer = buffers_[static_cast<size_t>(store.buffer)];
    const bool is_float = ir::IsFloat(buffer.dtype);
    Number x = Evaluate(store.value);
    std::vector<Index> at(store.indices.begin(), store.indices.end());
    if (store.kind == loop::Store::Kind::kAdd) {
      const auto axis = static_cast<size_t>(store.axis);
      const int64_t position = Evaluate(store.position).i;
      if (position < 0 || position >= buffer.shape[axis]) return;
      at[axis] = at[axis] + Index(position);
      const double there = Element(buffer, at);
      x = Sum(buffer.dtype, is_float ? Number{there, 0} : Number{0, static_cast<int64_t>(there)},
              x);
    }
    if (store.kind == loop::Store::Kind::kRunningSum) {
      x = running_ = Sum(buffer.dtype, running_, x);
    }
    Element(buffer, at) = is_float ? x.f : static_cast<double>(x.i);
  }

  static Number Sum(DType dtype, Number a, Number b) {
    if (ir::IsFloat(dtype)) return OfFloat(dtype, a.f + b.f);
    return OfInteger(dtype, static_cast<uint64_t>(a.i) + static_cast<uint64_t>(b.i));
  }

  template <typename Indices>
  double& Element(Array& buffer, const Indices& indices) {
    Sizes at;
    for (size_t k = 0; k < indices.size(); ++k) {
      at.push_back(Place(indices[k]));
      IR_CHECK_MSG(at.back() >= 0 && at.back() < buffer.shape[k], "index inside of its buffer");
    }
    return buffer.at(at);
  }

  int64_t Place(const Index& form) {
    int64_t sum = 0;
    for (const loop::Term& t : form.terms()) {
      int64_t product = t.coefficient;
      for (const ir::Symbol& s : t.symbols) product *= symbols_.at(s);
      sum += t.variable ? product * Of(*t.variable) : product;
    }
    return sum;
  }

  int64_t Of(const Variable& v) {
    if (v.kind() == Variable::Kind::kLoop) return environment_.at(&v);
    const int64_t n = Place(v.numerator()), d = v.divisor();
    const int64_t quotient = n / d - (n % d < 0 ? 1 : 0);
    return v.kind() == Variable::Kind::kFloorDiv ? quotient : n - quotient * d;
  }

  // A scalar's value holds as long as the variables that it depends on do not change.
  Number Evaluate(const Scalar* s) {
    std::vector<int64_t> at;
    for (const Variable* v : s->free) at.push_back(environment_.at(v));
    const bool is_stored = s->reads_buffer() && s->buffer >= kernel_.num_inputs;
    auto [found, fresh] = memo_.try_emplace(s);
    if (!fresh && !is_stored && found->second.first == at) return found->second.second;
    const Number x = Compute(*s);
    memo_[s] = {std::move(at), x};
    return x;
  }

  bool Holds(const Scalar& s) {
    for (const loop::Condition& c : s.conditions) {
      const int64_t form = Place(c.form);
      if (form < Place(c.low) || form >= Place(c.high)) return false;
    }
    return true;
  }

  Number Reduce(const Scalar& s, size_t depth, Number sum) {
    if (depth < s.variables.size()) {
      const Variable* v = s.variables[depth];
      const int64_t n = ValueOf(v->extent());
      for (int64_t i = 0; i < n; ++i) {
        environment_[v] = i;
        sum = Reduce(s, depth + 1, sum);
      }
      return sum;
    }
    const Number x = Evaluate(s.operands[0]);
    const bool is_float = ir::IsFloat(s.dtype);
    switch (s.reduce) {
      case loop::ReduceKind::kSum: return Sum(s.dtype, sum, x);
      case loop::ReduceKind::kProd:
        return is_float
                   ? OfFloat(s.dtype, sum.f * x.f)
                   : OfInteger(s.dtype, static_cast<uint64_t>(sum.i) * static_cast<uint64_t>(x.i));
      case loop::ReduceKind::kMax: return {MaxOf(sum.f, x.f), std::max(sum.i, x.i)};
      case loop::ReduceKind::kMin: return {MinOf(sum.f, x.f), std::min(sum.i, x.i)};
    }
    return sum;
  }

  static Number Start(const Scalar& s) {
    const double inf = std::numeric_limits<double>::infinity();
    const int64_t least = s.dtype == DType::kI32 ? INT32_MIN : INT64_MIN;
    switch (s.reduce) {
      case loop::ReduceKind::kSum: return {0, 0};
      case loop::ReduceKind::kProd: return {1, 1};
      case loop::ReduceKind::kMax: return {-inf, least};
      case loop::ReduceKind::kMin: return {inf, -(least + 1)};
    }
    return {};
  }

  Number Compute(const Scalar& s) {
    switch (s.kind) {
      case ScalarKind::kConst: return {s.number, s.integer};
      case ScalarKind::kExtent: return {0, ValueOf(s.extent)};
      case ScalarKind::kIndex: return {0, Place(s.indices[0])};
      case ScalarKind::kLoad: {
        const double x = Element(buffers_[static_cast<size_t>(s.buffer)], s.indices);
        return ir::IsFloat(s.dtype) ? Number{x, 0} : Number{0, static_cast<int64_t>(x)};
      }
      case ScalarKind::kGather: {
        std::vector<Index> at(s.indices.begin(), s.indices.end());
        Index& along = at[static_cast<size_t>(s.integer)];
        along = along + Index(Evaluate(s.operands[0]).i);
        const double x = Element(buffers_[static_cast<size_t>(s.buffer)], at);
        return ir::IsFloat(s.dtype) ? Number{x, 0} : Number{0, static_cast<int64_t>(x)};
      }
      case ScalarKind::kGuard: return Holds(s) ? Evaluate(s.operands[0]) : Number{};
      case ScalarKind::kReduce: return Reduce(s, 0, Start(s));
      case ScalarKind::kSelect:
        return Evaluate(s.operands[0]).i != 0 ? Evaluate(s.operands[1]) : Evaluate(s.operands[2]);
      default: break;
    }
    std::array<Number, 3> x;
    for (size_t k = 0; k < s.operands.size(); ++k) x[k] = Evaluate(s.operands[k]);
    const DType from = s.operands[0]->dtype;
    return ir::IsFloat(from) ? OnFloats(s, from, x) : OnIntegers(s, from, x);
  }

  static Number OnFloats(const Scalar& s, DType from, const std::array<Number, 3>& x) {
    const double a = x[0].f, b = x[1].f, c = x[2].f;
    switch (s.kind) {
      case ScalarKind::kAdd: return OfFloat(from, a + b);
      case ScalarKind::kSub: return OfFloat(from, a - b);
      case ScalarKind::kMul: return OfFloat(from, a * b);
      case ScalarKind::kDiv: return OfFloat(from, a / b);
      case ScalarKind::kMin: return {MinOf(a, b), 0};
      case ScalarKind::kMax: return {MaxOf(a, b), 0};
      case ScalarKind::kFma:
        if (from == DType::kF64) return {std::fma(a, b, c), 0};
        return {static_cast<double>(
                    std::fma(static_cast<float>(a), static_cast<float>(b), static_cast<float>(c))),
                0};
      case ScalarKind::kNeg: return {-a, 0};
      case ScalarKind::kAbs: return {std::fabs(a), 0};
      case ScalarKind::kFloor: return {std::floor(a), 0};
      case ScalarKind::kRoundEven: return {std::nearbyint(a), 0};
      case ScalarKind::kSqrt: return OfFloat(from, std::sqrt(a));
      case ScalarKind::kEq: return {0, a == b};
      case ScalarKind::kNe: return {0, a != b};
      case ScalarKind::kLt: return {0, a < b};
      case ScalarKind::kLe: return {0, a <= b};
      case ScalarKind::kCast:
        return ir::IsFloat(s.dtype) ? OfFloat(s.dtype, a) : Number{0, Saturated(s.dtype, a)};
      case ScalarKind::kBitcast:
        if (from == DType::kF64) return {0, std::bit_cast<int64_t>(a)};
        return {0, std::bit_cast<int32_t>(static_cast<float>(a))};
      default: ir::CheckFailed("a scalar of floats", __FILE__, __LINE__, "");
    }
  }

  static int64_t Saturated(DType to, double a) {
    if (std::isnan(a)) return 0;
    const double limit = to == DType::kI32 ? 0x1p31 : 0x1p63;
    if (a >= limit) return to == DType::kI32 ? INT32_MAX : INT64_MAX;
    if (a < -limit) return to == DType::kI32 ? INT32_MIN : INT64_MIN;
    return static_cast<int64_t>(a);
  }

  static Number OnIntegers(const Scalar& s, DType from, const std::array<Number, 3>& x) {
    const int64_t p = x[0].i, q = x[1].i;
    const auto a = static_cast<uint64_t>(p), b = static_cast<uint64_t>(q);
    const uint64_t mask = from == DType::kI64   ? ~uint64_t{0}
                          : from == DType::kI32 ? 0xffffffffu
                                                : 1u;
    switch (s.kind) {
      case ScalarKind::kAdd: return OfInteger(from, a + b);
      case ScalarKind::kSub: return OfInteger(from, a - b);
      case ScalarKind::kMul: return OfInteger(from, a * b);
      case ScalarKind::kDiv: return OfInteger(from, static_cast<uint64_t>(p / q));
      case ScalarKind::kMin: return {0, std::min(p, q)};
      case ScalarKind::kMax: return {0, std::max(p, q)};
      case ScalarKind::kNeg: return OfInteger(from, -a);
      case ScalarKind::kAbs: return OfInteger(from, p < 0 ? -a : a);
      case ScalarKind::kEq: return {0, p == q};
      case ScalarKind::kNe: return {0, p != q};
      case ScalarKind::kLt: return {0, p < q};
      case ScalarKind::kLe: return {0, p <= q};
      case ScalarKind::kAnd: return OfInteger(from, a & b);
      case ScalarKind::kOr: return OfInteger(from, a | b);
      case ScalarKind::kXor: return OfInteger(from, a ^ b);
      case ScalarKind::kShl: return OfInteger(from, a << b);
      case ScalarKind::kShr: return OfInteger(from, (a & mask) >> b);
      case ScalarKind::kCast:
        return ir::IsFloat(s.dtype) ? OfFloat(s.dtype, static_cast<double>(p))
                                    : OfInteger(s.dtype, a);
      case ScalarKind::kExp2Table: return {loop::fold::kExp2Table[a & 15], 0};
      case ScalarKind::kBitcast:
        if (from == DType::kI64) return {std::bit_cast<double>(p), 0};
        return {static_cast<double>(std::bit_cast<float>(static_cast<int32_t>(p))), 0};
      default: ir::CheckFailed("a scalar of integers", __FILE__, __LINE__, "");
    }
  }

  const loop::Kernel& kernel_;
  std::vector<Array>& buffers_;
  std::map<ir::Symbol, int64_t> symbols_;
  std::unordered_map<const Variable*, int64_t> environment_;
  Number running_;  // the running sum so far
  std::unordered_map<const Scalar*, std::pair<std::vector<int64_t>, Number>> memo_;
};

}  // namespace

absl::StatusOr<std::vector<Array>> Interpret(const ir::Function& f,
                                             const std::vector<Array>& operands) {
  absl::StatusOr<std::unique_ptr<loop::Kernel>> kernel = loop::Lower(f);
  if (!kernel.ok()) return kernel.status();
  std::map<ir::Symbol, int64_t> symbols;
  for (size_t k = 0; k < operands.size(); ++k) {
    const ir::Shape& shape = f.arg(static_cast<int>(k)).shape();
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis].is_symbol())
        symbols[shape[axis].symbol()] = operands[k].shape[static_cast<size_t>(axis)];
    }
  }
  std::vector<Array> buffers = operands;
  for (size_t k = operands.size(); k < (*kernel)->buffers.size(); ++k) {
    const ir::Type& type = (*kernel)->buffers[k].type;
    Sizes shape;
    for (const ir::Dim& d : type.shape)
      shape.push_back(d.is_symbol() ? symbols.at(d.symbol()) : d.size());
    buffers.push_back(Filled(type.dtype, shape, [](const Sizes&) { return std::nan(""); }));
  }
  Interpreter(**kernel, buffers, std::move(symbols)).Process();
  return std::vector<Array>(buffers.begin() + static_cast<int64_t>(operands.size()), buffers.end());
}

}  // namespace gradus::test
