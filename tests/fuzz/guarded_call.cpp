#include "tests/fuzz/guarded_call.h"

#include <cmath>
#include <cstring>

#include "fmt/format.h"

namespace gradus::fuzz {
namespace {

constexpr size_t kGuard = 1 << 16;  // bytes on each side: rows too many are reported, too
constexpr unsigned char kCanary = 0xA5;
constexpr unsigned char kGarbage =
    0xFF;  // NaN in both dtypes: what is read before it is written shows

// Memory aligned to 64 bytes between two canaries. `shift` moves it off that alignment, as a caller
// may.
class Guarded {
 public:
  Guarded(size_t bytes, size_t shift) : bytes_(bytes), memory_(bytes + 2 * kGuard + 128, kCanary) {
    const auto address = reinterpret_cast<uintptr_t>(memory_.data()) + kGuard;
    start_ = (64 - address % 64) % 64 + kGuard + shift;
    std::memset(data(), kGarbage, bytes_);
  }
  unsigned char* data() { return memory_.data() + start_; }
  size_t size() const { return bytes_; }
  bool intact() const {
    for (size_t i = 0; i < memory_.size(); ++i) {
      if ((i < start_ || i >= start_ + bytes_) && memory_[i] != kCanary) return false;
    }
    return true;
  }

 private:
  size_t bytes_ = 0, start_ = 0;
  std::vector<unsigned char> memory_;
};

void Write(ir::DType dtype, const std::vector<double>& values, unsigned char* to) {
  for (size_t i = 0; i < values.size(); ++i) {
    const float single = static_cast<float>(values[i]);
    if (dtype == ir::DType::kF32) {
      std::memcpy(to + 4 * i, &single, 4);
    } else {
      std::memcpy(to + 8 * i, &values[i], 8);
    }
  }
}

double Read(ir::DType dtype, const unsigned char* from, size_t i) {
  float single = 0;
  double value = 0;
  if (dtype == ir::DType::kF32) {
    std::memcpy(&single, from + 4 * i, 4);
    return static_cast<double>(single);
  }
  std::memcpy(&value, from + 8 * i, 8);
  return value;
}

}  // namespace

std::string CallAndCompare(const runtime::Executable& executable, ir::DType dtype,
                           const ProductCall& call) {
  const size_t element = static_cast<size_t>(ir::ByteSize(dtype));
  const auto runtime_dtype = static_cast<runtime::DType>(dtype);
  std::vector<Guarded> inputs, outputs;
  std::vector<runtime::TensorView> arguments;
  std::vector<runtime::MutableTensorView> results;
  for (const Array& a : call.arguments) {
    inputs.emplace_back(a.values.size() * element, element);
    Write(dtype, a.values, inputs.back().data());
  }
  for (const Array& r : call.results)
    outputs.emplace_back(r.alias < 0 ? r.values.size() * element : 0, element);
  for (size_t i = 0; i < inputs.size(); ++i) {
    arguments.emplace_back(inputs[i].data(), runtime_dtype, call.arguments[i].shape);
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const int alias = call.results[i].alias;
    unsigned char* data = alias < 0 ? outputs[i].data() : inputs[static_cast<size_t>(alias)].data();
    results.emplace_back(data, runtime_dtype, call.results[i].shape);
  }
  const auto dims = executable.BindSymbols(arguments);
  if (!dims.ok()) return std::string(dims.status().message());
  const auto bytes = executable.WorkspaceBytes(*dims);
  if (!bytes.ok()) return std::string(bytes.status().message());
  Guarded workspace(static_cast<size_t>(*bytes), 0);
  const absl::Status status = executable.Call(
      arguments, results, {reinterpret_cast<std::byte*>(workspace.data()), workspace.size()});
  if (!status.ok()) return std::string(status.message());

  for (size_t r = 0; r < results.size(); ++r) {
    const auto* data = static_cast<const unsigned char*>(results[r].data);
    for (size_t i = 0; i < call.results[r].values.size(); ++i) {
      const double got = Read(dtype, data, i), want = call.results[r].values[i];
      if (!(std::abs(got - want) <= call.bounds[r][i])) {
        return fmt::format("result {} element {} of {}: got {}, want {} within {}", r, i,
                           call.results[r].values.size(), got, want, call.bounds[r][i]);
      }
    }
  }
  if (!workspace.intact()) return "wrote outside the workspace";
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].intact()) return fmt::format("wrote outside result {}", i);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].intact()) return fmt::format("wrote outside argument {}", i);
    bool updated = false;
    for (const Array& r : call.results) updated |= r.alias == static_cast<int>(i);
    for (size_t e = 0; !updated && e < call.arguments[i].values.size(); ++e) {
      if (Read(dtype, inputs[i].data(), e) != call.arguments[i].values[e]) {
        return fmt::format("changed argument {}", i);
      }
    }
  }
  return {};
}

}  // namespace gradus::fuzz
