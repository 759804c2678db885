#include "tests/ops/op_row.h"

#include <cmath>
#include <random>

#include "fmt/format.h"
#include "ir/builder.h"
#include "ir/registry.h"

namespace gradus::test {
namespace {

using ir::Type;

Sizes Bound(const ir::Shape& shape, int64_t batch) {
  Sizes sizes;
  for (const ir::Dim& d : shape) sizes.push_back(d.is_symbol() ? batch : d.size());
  return sizes;
}

Array Fill(const Type& type, int64_t batch, const Domain& domain, uint64_t seed) {
  std::mt19937_64 random(seed * 1000003 + 17);
  const Sizes shape = Bound(type.shape, batch);
  const int64_t n = NumElements(shape);
  std::vector<int64_t> places;  // a permutation, for distinct numbers
  for (int64_t i = 0; i < n; ++i) places.push_back(i);
  for (int64_t i = n - 1; i > 0; --i) {
    std::swap(places[static_cast<size_t>(i)], places[random() % static_cast<uint64_t>(i + 1)]);
  }
  size_t next = 0;
  return Filled(type.dtype, shape, [&](const Sizes&) {
    const double share = domain.distinct
                             ? (static_cast<double>(places[next++]) + 0.5) / static_cast<double>(n)
                             : static_cast<double>(random() >> 11) * 0x1p-53;
    double x = domain.low + (domain.high - domain.low) * share;
    if (domain.grid > 0) x = std::floor(x / domain.grid) * domain.grid + domain.phase;
    if (domain.zeros > 0 && static_cast<double>(random() >> 11) * 0x1p-53 < domain.zeros) x = 0;
    if (type.dtype == DType::kI1) return std::floor(x) == 0 ? 0.0 : 1.0;
    if (ir::IsInteger(type.dtype)) return std::floor(x) + 0.0;
    return type.dtype == DType::kF32 ? static_cast<double>(static_cast<float>(x)) : x;
  });
}

// The sample's attributes with B as a number.
ir::AttrList BoundAttrs(ir::AttrList attrs, int64_t batch) {
  for (ir::NamedAttribute& a : attrs) {
    auto* shape = std::get_if<ir::Shape>(&a.value);
    if (!shape) continue;
    for (int axis = 0; axis < shape->rank(); ++axis) {
      if ((*shape)[axis].is_symbol()) (*shape)[axis] = ir::Dim(batch);
    }
  }
  return attrs;
}

}  // namespace

absl::StatusOr<Built> Build(const OpCase& c, const Sample& s, ir::Module& m, std::string name) {
  Built b{.function = &m.AddFunction(std::move(name)),
          .operands = {},
          .result = {},
          .argument_types = s.operands};
  bool bound = s.batch.empty();
  for (size_t i = 0; i < s.operands.size(); ++i) {
    b.operands.push_back(b.function->AddArgument(fmt::format("x{}", i), s.operands[i]));
    bound = bound || s.operands[i].shape.has_symbols();
  }
  if (!bound) {
    b.argument_types.push_back({DType::kI1, {ir::Dim(kB)}});
    b.function->AddArgument("batch", b.argument_types.back());
  }
  if (c.build) {
    b.result = c.build(m, *b.function, b.operands, s);
    if (b.function->error()) return b.function->error()->ToStatus();
  } else {
    ir::Diagnostic error;
    ir::Node* node =
        ir::TryEmit(*b.function, *ir::FindOp(c.name), b.operands, s.attrs, {}, &m, &error);
    if (!node) return error.ToStatus();
    b.result = node->result();
  }
  return b;
}

std::vector<Array> FillAll(const OpCase& c, const Built& b, int64_t batch) {
  std::vector<Array> operands;
  for (size_t i = 0; i < b.argument_types.size(); ++i) {
    const Domain domain =
        c.domains.empty() ? Domain{} : c.domains[std::min(i, c.domains.size() - 1)];
    operands.push_back(
        Fill(b.argument_types[i], batch, domain, 31 * i + static_cast<uint64_t>(batch)));
  }
  return operands;
}

Given GivenOf(const Sample& s, const std::vector<Array>& operands, int64_t batch) {
  return {std::vector<Array>(operands.begin(),
                             operands.begin() + static_cast<int64_t>(s.operands.size())),
          BoundAttrs(s.attrs, batch)};
}

absl::StatusOr<std::optional<SpecialCall>> SpecialsOf(const OpCase& c, DType d) {
  SpecialCall call{.module = std::make_unique<ir::Module>("special"), .operands = {}, .want = {}};
  for (const Special& special : c.specials) {
    if (special.dtype ? *special.dtype != d : !ir::IsFloat(d)) continue;
    call.operands.resize(special.operands.size());
    for (size_t k = 0; k < call.operands.size(); ++k)
      call.operands[k].values.push_back(special.operands[k]);
    call.want.values.push_back(special.want);
  }
  const auto n = static_cast<int64_t>(call.want.values.size());
  if (n == 0) return std::nullopt;
  Sample s;
  for (Array& a : call.operands) {
    a.dtype = d;
    a.shape = {n};
    s.operands.push_back({d, {n}});
  }
  absl::StatusOr<Built> b = Build(c, s, *call.module, "special");
  if (!b.ok()) return b.status();
  b->function->AddResult(b->result);
  call.want.dtype = b->result.dtype();
  call.want.shape = {n};
  return call;
}

bool HasCalls(const ir::Module& m) {
  for (const auto& f : m.functions()) {
    for (const auto& node : f->nodes()) {
      if (node->op().has(ir::kCall)) return true;
    }
  }
  return false;
}

Sizes BatchesOf(const Sample& s) { return s.batch.empty() ? Sizes{0} : s.batch; }

std::vector<DType> DTypesOf(const OpCase& c) {
  return c.floats ? std::vector<DType>{DType::kF32, DType::kF64} : std::vector<DType>{DType::kF32};
}

std::string Label(const OpCase& c, const Sample& s, int64_t batch) {
  std::string text(c.name);
  for (const Type& t : s.operands) text += " " + ir::ToString(t);
  for (const ir::NamedAttribute& a : s.attrs)
    text += fmt::format(" {}={}", a.name, ir::ToString(a.value));
  return fmt::format("{} B={}", text, batch);
}

}  // namespace gradus::test
