// Every kind of scalar arithmetic on the values where it goes wrong, in vectors, in masked tails,
// and on targets without the instructions, against the same arithmetic as constants fold.

#include <cmath>
#include <limits>

#include "ir/loop/fold.h"
#include "tests/unit/codegen/hand_made.h"

namespace gradus::codegen {
namespace {

using ir::DType;
using loop::Index;
using loop::Scalar;
using loop::ScalarKind;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <typename T>
std::vector<T> Samples() {
  if constexpr (std::is_integral_v<T>) {
    T low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
    std::vector<T> samples = {0,  1,  -1, 2,   -2,  3,          7,    -7,          31,   32,
                              33, 63, 64, 100, low, T(low + 1), high, T(high - 1), 12345};
    // Between two floats, and a bit beside the middle, far below.
    const int64_t middle = (int64_t{1} << 24) + 1;
    for (const int64_t n :
         {middle, middle + 2, middle << 16, (middle << 32) + 1, -(middle << 32)}) {
      samples.push_back(static_cast<T>(n));
    }
    return samples;
  } else {
    return {0,       T(-0.0), 1,       -1,      T(0.5),   T(-0.5),      T(1.5),
            T(2.5),  T(-2.5), T(0.3),  T(-0.3), T(1e-42), T(8388607.5), T(-4503599627370495.5),
            T(1e30), T(-3e9), T(1e19), T(kInf), T(-kInf), T(kNan),      7,
            -7,      100};
  }
}

template <typename T>
constexpr DType kType = std::is_same_v<T, float>     ? DType::kF32
                        : std::is_same_v<T, double>  ? DType::kF64
                        : std::is_same_v<T, int32_t> ? DType::kI32
                                                     : DType::kI64;

template <typename R, typename T>
bool Same(R got, T want_value) {
  R want = static_cast<R>(want_value);
  if constexpr (std::is_floating_point_v<R>) {
    if (std::isnan(want)) return std::isnan(got);
    return got == want && (std::signbit(got) == std::signbit(want) || got == 0);
  }
  return got == want;
}

// All pairs of samples through `op`, whose operands are loaded; `want` folds.
template <typename T, typename R, typename Op, typename Want>
void Pairs(const CodegenOptions& options, Op op, Want want, const char* name) {
  std::vector<T> samples = Samples<T>(), xs, ys;
  for (T x : samples) {
    for (T y : samples) {
      xs.push_back(x);
      ys.push_back(y);
    }
  }
  auto n = static_cast<int64_t>(xs.size());
  using Memory = std::conditional_t<std::is_same_v<R, bool>, uint8_t, R>;
  DType result = std::is_same_v<R, bool>
                     ? DType::kI1
                     : kType<std::conditional_t<std::is_same_v<R, bool>, int32_t, R>>;
  HandMade h;
  int x = h.Input("x", kType<T>, {n}), y = h.Input("y", kType<T>, {n}),
      o = h.Output("o", result, {n});
  auto* i = h.arena->NewVariable("i", n);
  loop::Nest nest;
  nest.loops = {i};
  nest.vector = i;
  nest.stores = {{o, Index(i), op(*h.arena, h.Load(x, Index(i)), h.Load(y, Index(i))), false}};
  h.plan->steps.emplace_back(nest);
  auto run = h.Compile(options);
  Guarded<T> gx({n}, xs), gy({n}, ys);
  Guarded<Memory> go({n}, std::vector<Memory>(xs.size()));
  std::vector<runtime::TensorView> arguments{gx.view(), gy.view(), go.view()};
  std::vector<runtime::MutableTensorView> results{go.view()};
  absl::Status status = run.Call(arguments, results, {});
  ASSERT_TRUE(status.ok()) << std::string(status.message());
  EXPECT_TRUE(go.Intact());
  int wrong = 0;
  for (size_t k = 0; k < xs.size(); ++k) {
    if (!Same<Memory>(go[k], want(xs[k], ys[k])) && ++wrong <= 3) {
      ADD_FAILURE() << name << "(" << xs[k] << ", " << ys[k] << ") = " << +go[k] << ", want "
                    << +static_cast<Memory>(want(xs[k], ys[k]));
    }
  }
}

std::vector<CodegenOptions> Targets() {
  std::vector<CodegenOptions> targets(1);
  for (const char* name : {"x86-64", "x86-64-v3"}) {  // any x86-64 host of today runs both
    CodegenOptions options;
    options.target = *NamedTarget(name);
    targets.push_back(options);
  }
  // What processors without these instructions do.
  targets.push_back(targets[0]);
  targets.back().target.has_rounding = false;
  targets.back().target.has_i64_to_float = false;
  return targets;
}

template <typename T>
void Floats() {
  for (const CodegenOptions& options : Targets()) {
    for (auto [kind, name] : {std::pair{ScalarKind::kAdd, "add"},
                              {ScalarKind::kSub, "sub"},
                              {ScalarKind::kMul, "mul"},
                              {ScalarKind::kDiv, "div"},
                              {ScalarKind::kMin, "min"},
                              {ScalarKind::kMax, "max"}}) {
      Pairs<T, T>(
          options,
          [&](loop::Arena& a, const Scalar* x, const Scalar* y) { return a.Binary(kind, x, y); },
          [&](T x, T y) { return static_cast<T>(loop::fold::Binary(kind, kType<T>, x, y)); }, name);
    }
    for (auto [kind, name] : {std::pair{ScalarKind::kNeg, "neg"},
                              {ScalarKind::kAbs, "abs"},
                              {ScalarKind::kFloor, "floor"},
                              {ScalarKind::kRoundEven, "round_even"},
                              {ScalarKind::kSqrt, "sqrt"}}) {
      Pairs<T, T>(
          options, [&](loop::Arena& a, const Scalar* x, const Scalar*) { return a.Unary(kind, x); },
          [&](T x, T) { return static_cast<T>(loop::fold::Unary(kind, kType<T>, x)); }, name);
    }
    for (auto [kind, name] : {std::pair{ScalarKind::kEq, "eq"},
                              {ScalarKind::kNe, "ne"},
                              {ScalarKind::kLt, "lt"},
                              {ScalarKind::kLe, "le"}}) {
      Pairs<T, bool>(
          options,
          [&](loop::Arena& a, const Scalar* x, const Scalar* y) { return a.Binary(kind, x, y); },
          [&](T x, T y) { return loop::fold::Compare(kind, double(x), double(y)); }, name);
    }
    Pairs<T, T>(
        options,
        [](loop::Arena& a, const Scalar* x, const Scalar*) {
          return a.Binary(ScalarKind::kMax, x, a.Float(kType<T>, 0));
        },
        [](T x, T) { return std::isnan(x) ? x : std::max(x, T(0)); }, "relu");
    Pairs<T, T>(
        options,
        [](loop::Arena& a, const Scalar* x, const Scalar*) {
          return a.Binary(ScalarKind::kMin, a.Float(kType<T>, 1), x);
        },
        [](T x, T) { return std::isnan(x) ? x : std::min(x, T(1)); }, "min1");
    Pairs<T, int32_t>(
        options,
        [](loop::Arena& a, const Scalar* x, const Scalar*) { return a.Cast(DType::kI32, x); },
        [](T x, T) { return loop::fold::ToInteger(DType::kI32, x); }, "to i32");
    Pairs<T, int64_t>(
        options,
        [](loop::Arena& a, const Scalar* x, const Scalar*) { return a.Cast(DType::kI64, x); },
        [](T x, T) { return loop::fold::ToInteger(DType::kI64, x); }, "to i64");
    Pairs<T, bool>(
        options,
        [](loop::Arena& a, const Scalar* x, const Scalar*) { return a.Cast(DType::kI1, x); },
        [](T x, T) { return x != 0; }, "to i1");
    Pairs<T, T>(
        options,
        [](loop::Arena& a, const Scalar* x, const Scalar* y) {
          return a.Select(a.Binary(ScalarKind::kLt, x, y), x, y);
        },
        [](T x, T y) { return x < y ? x : y; }, "select");
    // Rounded once with the instruction, twice without.
    bool fused = options.target.has_fma;
    Pairs<T, T>(
        options,
        [](loop::Arena& a, const Scalar* x, const Scalar* y) {
          return a.Fma(x, y, a.Float(kType<T>, 0.75));
        },
        [&](T x, T y) { return fused ? std::fma(x, y, T(0.75)) : T(x * y) + T(0.75); }, "fma");
  }
}
TEST(Scalar, F32) { Floats<float>(); }
TEST(Scalar, F64) { Floats<double>(); }

template <typename T>
void Integers() {
  for (const CodegenOptions& options : Targets()) {
    for (auto [kind, name] : {std::pair{ScalarKind::kAdd, "add"},
                              {ScalarKind::kSub, "sub"},
                              {ScalarKind::kMul, "mul"},
                              {ScalarKind::kDiv, "div"},
                              {ScalarKind::kMin, "min"},
                              {ScalarKind::kMax, "max"},
                              {ScalarKind::kAnd, "and"},
                              {ScalarKind::kOr, "or"},
                              {ScalarKind::kXor, "xor"},
                              {ScalarKind::kShl, "shl"},
                              {ScalarKind::kShr, "shr"}}) {
      Pairs<T, T>(
          options,
          [&](loop::Arena& a, const Scalar* x, const Scalar* y) { return a.Binary(kind, x, y); },
          [&](T x, T y) {
            using U = std::make_unsigned_t<T>;
            constexpr U kBits = sizeof(T) * 8 - 1;
            switch (kind) {  // written here, since folding takes shifts of 64-bit numbers
              case ScalarKind::kAdd: return T(U(x) + U(y));
              case ScalarKind::kSub: return T(U(x) - U(y));
              case ScalarKind::kMul: return T(U(x) * U(y));
              case ScalarKind::kDiv: return y == 0 ? T(0) : y == -1 ? T(U(0) - U(x)) : T(x / y);
              case ScalarKind::kMin: return std::min(x, y);
              case ScalarKind::kMax: return std::max(x, y);
              case ScalarKind::kAnd: return T(x & y);
              case ScalarKind::kOr: return T(x | y);
              case ScalarKind::kXor: return T(x ^ y);
              case ScalarKind::kShl: return T(U(x) << (U(y) & kBits));
              default: return T(U(x) >> (U(y) & kBits));
            }
          },
          name);
    }
    Pairs<T, T>(
        options,
        [](loop::Arena& a, const Scalar* x, const Scalar*) { return a.Unary(ScalarKind::kAbs, x); },
        [](T x, T) {
          return x < 0 ? T(std::make_unsigned_t<T>(0) - std::make_unsigned_t<T>(x)) : x;
        },
        "abs");
    Pairs<T, bool>(
        options,
        [](loop::Arena& a, const Scalar* x, const Scalar* y) {
          return a.Binary(ScalarKind::kLt, x, y);
        },
        [](T x, T y) { return x < y; }, "lt");
    Pairs<T, float>(
        options,
        [](loop::Arena& a, const Scalar* x, const Scalar*) { return a.Cast(DType::kF32, x); },
        [](T x, T) { return static_cast<float>(x); }, "to f32");
    Pairs<T, double>(
        options,
        [](loop::Arena& a, const Scalar* x, const Scalar*) { return a.Cast(DType::kF64, x); },
        [](T x, T) { return static_cast<double>(x); }, "to f64");
  }
}
TEST(Scalar, I32) { Integers<int32_t>(); }

TEST(Scalar, Exp2Table) {
  std::vector<CodegenOptions> targets = Targets();
  targets.emplace_back().target = *NamedTarget("scalar");
  for (const CodegenOptions& options : targets) {
    Pairs<int32_t, float>(
        options, [](loop::Arena& a, const Scalar* x, const Scalar*) { return a.Exp2Table(x); },
        [](int32_t x, int32_t) { return static_cast<float>(std::exp2((x & 15) / 16.0)); }, "table");
  }
}
TEST(Scalar, I64) { Integers<int64_t>(); }

}  // namespace
}  // namespace gradus::codegen
