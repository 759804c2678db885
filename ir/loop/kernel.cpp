#include "ir/loop/kernel.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"

namespace gradus::loop {
namespace {

// Every load of `buffer` under `root`, with whether it stands in a reduction.
struct LoadSite {
  const Scalar* load = nullptr;
  bool reduced = false;
};
std::vector<LoadSite> LoadsOf(const Scalar* root, int buffer) {
  std::vector<LoadSite> loads;
  absl::flat_hash_set<std::pair<const Scalar*, bool>> seen;
  std::vector<std::pair<const Scalar*, bool>> pending = {{root, false}};
  while (!pending.empty()) {
    const auto [s, reduced] = pending.back();
    pending.pop_back();
    if (!seen.insert({s, reduced}).second) continue;
    // A gather reads anywhere, as a sum does.
    if (s->reads_buffer() && s->buffer == buffer) {
      loads.push_back({s, reduced || s->kind == ScalarKind::kGather});
    }
    for (const Scalar* o : s->operands) {
      pending.emplace_back(o, reduced || s->kind == ScalarKind::kReduce);
    }
  }
  return loads;
}

}  // namespace

bool InPlaceSafe(const Kernel& kernel, int input, int output) {
  const int written = kernel.num_inputs + output;
  const auto store = std::find_if(kernel.stores.begin(), kernel.stores.end(),
                                  [&](const Store& s) { return s.buffer == written; });
  if (store == kernel.stores.end()) return false;
  for (const Store& s : kernel.stores) {
    if (s.buffer == written && s.kind == Store::Kind::kAdd) return false;
  }
  const auto& in = kernel.buffers[static_cast<size_t>(input)].type;
  if (!(in == kernel.buffers[static_cast<size_t>(written)].type)) return false;
  bool after = false;
  for (const Store& s : kernel.stores) {
    std::vector<LoadSite> loads = LoadsOf(s.value, input);
    if (s.position != nullptr) {
      const std::vector<LoadSite> more = LoadsOf(s.position, input);
      loads.insert(loads.end(), more.begin(), more.end());
    }
    if (after && !loads.empty()) return false;
    for (const LoadSite& site : loads) {
      // Stores of equal shape may run as one nest, so that an earlier store's loads matter as the
      // writer's own do.
      if (site.reduced || s.variables != store->variables) return false;
      if (!std::equal(site.load->indices.begin(), site.load->indices.end(), store->indices.begin(),
                      store->indices.end())) {
        return false;
      }
    }
    if (&s == &*store) after = true;
  }
  return true;
}

}  // namespace gradus::loop
