#include "frontend/bound_entry.h"

#include <algorithm>
#include <utility>

namespace gradus {

using runtime::MutableTensorView;
using runtime::TensorView;

bool BoundEntry::Matches(const Binding& binding, std::span<const TensorView> arguments,
                         std::span<const MutableTensorView> results) {
  if (binding.pointers.size() != arguments.size() + results.size()) return false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (binding.pointers[i] != arguments[i].data) return false;
    const std::vector<int64_t>& shape = binding.shapes[i];
    if (!std::equal(shape.begin(), shape.end(), arguments[i].shape.begin(),
                    arguments[i].shape.end())) {
      return false;
    }
  }
  for (size_t i = 0; i < results.size(); ++i) {
    if (binding.pointers[arguments.size() + i] != results[i].data) return false;
  }
  return true;
}

absl::Status BoundEntry::Bind(std::span<const TensorView> arguments,
                              std::span<const MutableTensorView> results,
                              const gradus_threads* threads) {
  auto dims = executable_.BindSymbols(arguments);
  if (!dims.ok()) return dims.status();
  auto bytes = executable_.WorkspaceBytes(*dims);
  if (!bytes.ok()) return bytes.status();
  if (static_cast<int64_t>(workspace_.size()) < *bytes) {
    auto larger = runtime::AlignedBuffer::Create(*bytes);
    if (!larger.ok()) return larger.status();
    bindings_.clear();  // they point into the old one
    workspace_ = *std::move(larger);
  }
  auto call = executable_.Bind(arguments, results, workspace_.span(), threads);
  if (!call.ok()) return call.status();
  constexpr size_t kMaxBindings = 8;
  if (bindings_.size() == kMaxBindings) bindings_.pop_front();
  Binding binding{{}, {}, *std::move(call)};
  for (const TensorView& a : arguments) {
    binding.pointers.push_back(a.data);
    binding.shapes.emplace_back(a.shape.begin(), a.shape.end());
  }
  for (const MutableTensorView& r : results) binding.pointers.push_back(r.data);
  bindings_.push_back(std::move(binding));
  return absl::OkStatus();
}

absl::Status BoundEntry::Run(std::span<const TensorView> arguments,
                             std::span<const MutableTensorView> results,
                             const gradus_threads* threads) {
  if (threads != threads_) {
    bindings_.clear();
    threads_ = threads;
  }
  for (const Binding& b : bindings_) {
    if (Matches(b, arguments, results)) return b.call.Run();
  }
  if (absl::Status s = Bind(arguments, results, threads); !s.ok()) return s;
  return bindings_.back().call.Run();
}

}  // namespace gradus
