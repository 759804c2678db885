// Trainer::Summary: the table of layers.

#include <algorithm>
#include <array>

#include "fmt/format.h"
#include "frontend/trainer.h"

namespace gradus {
namespace {

// 4385 -> "4,385".
std::string Grouped(int64_t n) {
  std::string digits = fmt::format("{}", n);
  for (int64_t i = static_cast<int64_t>(digits.size()) - 3; i > 0; i -= 3) {
    digits.insert(static_cast<size_t>(i), ",");
  }
  return digits;
}

std::string Bytes(int64_t n) {
  constexpr double kKiB = 1024, kMiB = kKiB * 1024, kGiB = kMiB * 1024;
  const auto d = static_cast<double>(n);
  if (d < kKiB) return fmt::format("{} B", n);
  if (d < kMiB) return fmt::format("{:.1f} KiB", d / kKiB);
  if (d < kGiB) return fmt::format("{:.1f} MiB", d / kMiB);
  return fmt::format("{:.1f} GiB", d / kGiB);
}

// The workspace with every symbol at `size`.
std::string WorkspaceAt(const runtime::Executable& e, int64_t size) {
  const std::vector<int64_t> dims(static_cast<size_t>(e.info().symbol_count), size);
  const auto bytes = e.WorkspaceBytes(dims);
  return bytes.ok() ? Bytes(*bytes) : "unknown";
}

}  // namespace

std::string Trainer::SummaryText() const {
  using Row = std::array<std::string, 4>;
  std::vector<Row> rows = {{"layer", "type", "output", "params"}};
  const gradus_entry_info& forward = forward_->executable().info();
  for (size_t i = 0; i < input_names_.size(); ++i) {
    const gradus_tensor_info& info = forward.arguments[i];
    std::string shape;
    for (int k = 0; k < info.rank; ++k) {
      shape += k > 0 ? ", " : "";
      shape += info.dims[k].symbol >= 0 ? std::string(forward.symbols[info.dims[k].symbol])
                                        : fmt::format("{}", info.dims[k].size);
    }
    rows.push_back({input_names_[i], "input", "[" + shape + "]", "0"});
  }
  for (const LayerInfo& layer : layers_) {
    rows.push_back({layer.name, layer.type, layer.output, Grouped(layer.parameters)});
  }
  std::array<size_t, 4> width{};
  for (const Row& row : rows) {
    for (size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  }
  std::string text = fmt::format("Model \"{}\"\n", model_name_);
  for (const Row& row : rows) {
    text += fmt::format(" {:<{}}  {:<{}}  {:<{}}  {:>{}}\n", row[0], width[0], row[1], width[1],
                        row[2], width[2], row[3], width[3]);
  }
  int64_t bytes = 0;
  for (const NamedTensor& p : parameters_) bytes += p.tensor.byte_size();
  constexpr int64_t kBatchShown = 32;
  text += fmt::format(" total {} params ({}), arena at batch {}: {} forward, {} training\n",
                      Grouped(num_parameters_), Bytes(bytes), kBatchShown,
                      WorkspaceAt(forward_->executable(), kBatchShown),
                      WorkspaceAt(train_step_->executable(), kBatchShown));
  return text;
}

void Trainer::Summary(std::FILE* out) const { fmt::print(out, "{}", SummaryText()); }

}  // namespace gradus
