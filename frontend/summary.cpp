// Trainer::Summary: the table of layers.

#include <algorithm>
#include <array>
#include <memory>

#include "fmt/format.h"
#include "frontend/fused_layers.h"
#include "frontend/trainer.h"
#include "ir/loop/size.h"

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

// The workspace with every symbol at `size`.
std::string WorkspaceAt(const runtime::Executable& e, int64_t size) {
  const std::vector<int64_t> dims(static_cast<size_t>(e.info().symbol_count), size);
  const auto bytes = e.WorkspaceBytes(dims);
  return bytes.ok() ? loop::FormatBytes(*bytes) : "unknown";
}

// "live lower bound 1.5 MiB (1.05)": what is in use of it at once, and how much larger it is.
std::string LiveAt(const runtime::Executable& e, int64_t size) {
  const std::vector<int64_t> dims(static_cast<size_t>(e.info().symbol_count), size);
  const auto bytes = e.WorkspaceBytes(dims), live = e.LiveBytes(dims);
  if (!bytes.ok() || !live.ok()) return "live lower bound unknown";
  const double ratio = *live > 0 ? static_cast<double>(*bytes) / static_cast<double>(*live) : 1;
  return fmt::format("live lower bound {} ({:.2f})", loop::FormatBytes(*live), ratio);
}

// "B = 32, T = 32" where there is more than the batch.
std::string SymbolsAt(const gradus_entry_info& info, int64_t size) {
  if (info.symbol_count < 2) return fmt::format("batch {}", size);
  std::string text;
  for (int32_t i = 0; i < info.symbol_count; ++i) {
    text += fmt::format("{}{} = {}", i > 0 ? ", " : "", info.symbols[i], size);
  }
  return text;
}

constexpr size_t kColumns = 5;
using Row = std::array<std::string, kColumns>;

std::string Table(const std::vector<Row>& rows) {
  constexpr size_t kNumbers = 3;  // the column that is aligned to the right
  std::array<size_t, kColumns> width{};
  for (const Row& row : rows) {
    for (size_t c = 0; c < kColumns; ++c) width[c] = std::max(width[c], row[c].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (size_t c = 0; c < kColumns; ++c) {
      line += c > 0 ? "  " : " ";
      line += c == kNumbers ? fmt::format("{:>{}}", row[c], width[c])
                            : fmt::format("{:<{}}", row[c], width[c]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace

std::vector<ModelRow> Trainer::ModelRows() const {
  if (fused_into_.empty() && graph_ != nullptr) {
    // What the compiler did is asked again, as compiled code comes from a cache most of the time.
    const std::unique_ptr<ir::Module> graph = graph_->Clone();
    if (auto fused = FusedLayers(*graph, "forward", pipeline_, target_); fused.ok()) {
      fused_into_ = *std::move(fused);
    }
  }
  std::vector<ModelRow> rows;
  for (const LayerInfo& layer : layers_) {
    const auto fused = fused_into_.find(layer.name);
    rows.push_back({layer.name, layer.type, layer.output, layer.parameters,
                    fused == fused_into_.end() ? "" : fused->second});
  }
  return rows;
}

std::string Trainer::SummaryText(int64_t batch) const {
  std::vector<Row> rows = {{"layer", "type", "output", "params", "fused into"}};
  const gradus_entry_info& forward = forward_info();
  for (size_t i = 0; i < input_names_.size(); ++i) {
    const gradus_tensor_info& info = forward.arguments[i];
    std::string shape;
    for (int k = 0; k < info.rank; ++k) {
      shape += k > 0 ? ", " : "";
      shape += info.dims[k].symbol >= 0 ? std::string(forward.symbols[info.dims[k].symbol])
                                        : fmt::format("{}", info.dims[k].size);
    }
    rows.push_back({input_names_[i], "input", "[" + shape + "]", "0", ""});
  }
  for (const ModelRow& row : ModelRows()) {
    rows.push_back({row.layer, row.type, row.output, Grouped(row.parameters), row.fused_into});
  }
  int64_t bytes = 0;
  for (const NamedTensor& p : parameters_) bytes += p.tensor.byte_size();
  return fmt::format(
      "Model \"{}\"\n{} total {} params ({}), arena at {}: {} forward, {} training, {}\n",
      model_name_, Table(rows), Grouped(num_parameters_), loop::FormatBytes(bytes),
      SymbolsAt(forward, batch), WorkspaceAt(forward_->executable(), batch),
      WorkspaceAt(train_step_->executable(), batch), LiveAt(train_step_->executable(), batch));
}

void Trainer::Summary(std::FILE* out, int64_t batch) const {
  fmt::print(out, "{}", SummaryText(batch));
}

}  // namespace gradus
