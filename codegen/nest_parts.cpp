#include "codegen/nest_parts.h"

#include <algorithm>

namespace gradus::codegen {

using loop::Nest;
using loop::Scalar;
using loop::ScalarKind;
using loop::Variable;

std::vector<GuardedLoad> LoadsOf(std::span<const loop::FlatStore> stores) {
  struct Item {
    const Scalar* x;
    std::vector<const Scalar*> guards;
    bool in_reduction;
  };
  std::vector<GuardedLoad> loads;
  std::vector<Item> work;
  absl::flat_hash_set<std::pair<const Scalar*, std::vector<const Scalar*>>> seen;
  for (const auto& s : stores) work.push_back({s.value, {}, false});
  while (!work.empty()) {
    Item item = std::move(work.back());
    work.pop_back();
    if (!seen.insert({item.x, item.guards}).second) continue;
    if (item.x->reads_buffer()) loads.push_back({item.x, item.guards, item.in_reduction});
    if (item.x->kind == ScalarKind::kGuard) item.guards.push_back(item.x);
    if (item.x->kind == ScalarKind::kReduce) item.in_reduction = true;
    for (const Scalar* o : item.x->operands) work.push_back({o, item.guards, item.in_reduction});
  }
  return loads;
}

std::optional<int64_t> Stride(const loop::Index& form, const Variable* v) {
  int64_t stride = 0;
  for (const loop::Term& t : form.terms()) {
    if (t.variable == nullptr) continue;
    if (t.variable == v) {
      if (!t.symbols.empty()) return std::nullopt;
      stride += t.coefficient;
    } else if (t.variable->kind() != Variable::Kind::kLoop &&
               t.variable->numerator().depends_on(v)) {
      return std::nullopt;
    }
  }
  return stride;
}

bool IsContiguous(std::optional<int64_t> stride) { return stride && *stride >= -1 && *stride <= 1; }

std::vector<const Scalar*> ValuesOf(const Nest& nest) {
  std::vector<const Scalar*> values;
  for (const auto& s : nest.stores) values.push_back(s.value);
  return values;
}

int CopiesWithoutRest(const loop::Extent& extent, int lanes, int64_t copies) {
  if (extent.is_number()) {
    int64_t vectors = (extent.number() + lanes - 1) / lanes;
    copies = std::clamp<int64_t>(vectors, 1, copies);
    if (extent.number() % lanes == 0) {
      for (int64_t c = copies; c > 1 && c * 2 >= copies; --c) {
        if (vectors % c == 0) return static_cast<int>(c);
      }
    }
  }
  return static_cast<int>(copies);
}

void EmitStores(Frame& frame, std::span<const loop::FlatStore> stores,
                const std::vector<loop::Condition>& domain) {
  const Guard* guard = domain.empty() ? nullptr : frame.MakeGuard(domain, nullptr);
  for (const auto& s : stores) frame.Store(s, guard);
}

}  // namespace gradus::codegen
