#include "ir/ops/random.h"

#include "fmt/format.h"
#include "ir/ops/approx.h"
#include "ir/ops/building.h"
#include "ir/ops/leaf.h"
#include "ir/ops/lowering.h"
#include "ir/ops/philox.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

constexpr double kTwoPi = 6.283185307179586;

absl::StatusOr<Types> InferRandom(const InferContext& c) {
  const DType dtype = c.attr<DType>("dtype");
  if (absl::Status s = CheckDType(dtype, DTypes::kFloat); !s.ok()) return s;
  if (absl::Status s = CheckSizes(c.attr<Shape>("shape")); !s.ok()) return s;
  for (const Type& key : c.operands) {
    if (key == Type{DType::kI64, {}}) continue;
    return TypeError(fmt::format("seed and stream are i64[], got {}", ToString(key)));
  }
  return Types{Type{dtype, c.attr<Shape>("shape")}};
}

// The four words of element e are Philox's block number e. (Four elements a block would save
// nothing: vector code computes a block a lane.)
std::array<loop::Expr, 4> WordsAt(const loop::At& at) {
  const loop::Expr seed = at.Operand(0, {});
  const loop::Expr stream = at.Operand(1, {});
  const loop::Expr element = at.IndexValue(loop::Flatten(at.index(), at.type().shape));
  return Philox(element, stream, seed);
}

loop::Expr UniformAt(const loop::At& at) {
  const std::array<loop::Expr, 4> words = WordsAt(at);
  return at.type().dtype == DType::kF32 ? UniformFloat32(words[0])
                                        : UniformFloat64(words[0], words[1]);
}

// G. E. P. Box and M. E. Muller, "A note on the generation of random normal deviates", 1958: of the
// pair, the cosine.
loop::Expr NormalAt(const loop::At& at) {
  const std::array<loop::Expr, 4> words = WordsAt(at);
  const bool single = at.type().dtype == DType::kF32;
  const loop::Expr u = single ? UniformFloat32(words[0]) : UniformFloat64(words[0], words[1]);
  const loop::Expr v = single ? UniformFloat32(words[1]) : UniformFloat64(words[2], words[3]);
  const loop::Expr log = approx::Log(1.0 - u);  // of (0, 1]: u may be 0
  const loop::Expr radius = Sqrt(-2.0 * log);
  const loop::Expr angle = v * kTwoPi;
  return radius * approx::Cos(angle);
}

constexpr FixedList<AttrSpec, 6> kAttrs{
    AttrSpec{.name = "dtype", .kind = AttrKind::kDType, .summary = "f32 or f64"},
    AttrSpec{.name = "shape", .kind = AttrKind::kShape, .summary = "shape of the result"},
};

constinit const OpDef kRandomUniform{
    .name = "random_uniform",
    .summary = "numbers in [0, 1) that depend on seed, stream and the element's place alone",
    .operands = {"seed", "stream"},
    .attrs = kAttrs,
    .traits = kTranscendental | kCostly,
    .infer = InferRandom,
    .at = UniformAt,
};

constinit const OpDef kRandomNormal{
    .name = "random_normal",
    .summary = "standard normal numbers that depend on seed, stream and the element's place alone",
    .operands = {"seed", "stream"},
    .attrs = kAttrs,
    .traits = kTranscendental | kCostly,
    .infer = InferRandom,
    .at = NormalAt,
};

constexpr const OpDef* kTable[] = {&kRandomUniform, &kRandomNormal};

Value EmitRandom(const OpDef& op, const Operand& seed, const Operand& stream, const Type& type) {
  if (std::optional<Value> stop = Stopped({seed, stream})) return *stop;
  Function& f = (seed.is_number() ? stream : seed).value().function();
  const auto key = [&](const Operand& o) {
    return o.is_number() ? NumberAs(f, Type{DType::kI64, {}}, o) : o;
  };
  const Operand seed_value = key(seed);
  const Operand stream_value = key(stream);
  return Emit(op, {seed_value, stream_value}, {{"dtype", type.dtype}, {"shape", type.shape}});
}

}  // namespace

OpTable RandomOps() { return kTable; }

Value random_uniform(Operand seed, Operand stream, const Type& type) {
  return EmitRandom(kRandomUniform, seed, stream, type);
}
Value random_normal(Operand seed, Operand stream, const Type& type) {
  return EmitRandom(kRandomNormal, seed, stream, type);
}

}  // namespace gradus::ir
