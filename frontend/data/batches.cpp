#include "frontend/data/batches.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"
#include "frontend/data/philox.h"

namespace gradus::data {
namespace {

// Copies the given samples of `source`, one after the other, to `target`.
void Gather(const runtime::Tensor& source, std::span<const int64_t> rows, void* target) {
  const auto sample_bytes = static_cast<size_t>(source.byte_size() / source.shape()[0]);
  if (sample_bytes == 0) return;
  const auto* from = static_cast<const std::byte*>(source.raw());
  auto* to = static_cast<std::byte*>(target);
  for (int64_t row : rows) {
    std::memcpy(to, from + static_cast<size_t>(row) * sample_bytes, sample_bytes);
    to += sample_bytes;
  }
}

std::vector<int64_t> WithFirst(std::vector<int64_t> shape, int64_t first) {
  shape[0] = first;
  return shape;
}

}  // namespace

absl::StatusOr<Dataset> Dataset::Of(NamedTensor input, NamedTensor target) {
  std::vector<NamedTensor> inputs, targets;
  inputs.push_back(std::move(input));
  targets.push_back(std::move(target));
  return Create(std::move(inputs), std::move(targets));
}

absl::StatusOr<Dataset> Dataset::Create(std::vector<NamedTensor> inputs,
                                        std::vector<NamedTensor> targets) {
  if (inputs.empty()) return absl::InvalidArgumentError("a dataset needs at least one input");
  absl::flat_hash_set<std::string> names;
  const NamedTensor& first = inputs[0];
  for (const auto* part : {&inputs, &targets}) {
    for (const NamedTensor& array : *part) {
      const std::vector<int64_t>& shape = array.tensor.shape();
      if (shape.empty() || shape[0] == 0) {
        return absl::InvalidArgumentError(
            fmt::format("\"{}\" has shape {} and so no samples; the first axis counts them",
                        array.name, runtime::FormatShape(shape)));
      }
      if (shape[0] != first.tensor.shape()[0]) {
        return absl::InvalidArgumentError(fmt::format("\"{}\" has {} samples, and \"{}\" has {}",
                                                      array.name, shape[0], first.name,
                                                      first.tensor.shape()[0]));
      }
      if (!names.insert(array.name).second) {
        return absl::InvalidArgumentError(
            fmt::format("two arrays are named \"{}\"; rename one", array.name));
      }
    }
  }
  Dataset dataset;
  dataset.samples_ = first.tensor.shape()[0];
  dataset.inputs_ = std::move(inputs);
  dataset.targets_ = std::move(targets);
  return dataset;
}

absl::StatusOr<Dataset> Dataset::Take(std::span<const int64_t> rows) const {
  for (int64_t row : rows) {
    if (row < 0 || row >= samples_) {
      return absl::OutOfRangeError(
          fmt::format("no sample {}; the dataset has samples 0 to {}", row, samples_ - 1));
    }
  }
  const auto take =
      [&](std::span<const NamedTensor> part) -> absl::StatusOr<std::vector<NamedTensor>> {
    std::vector<NamedTensor> taken;
    for (const auto& [name, tensor] : part) {
      absl::StatusOr<runtime::Tensor> copy = runtime::Tensor::Create(
          tensor.dtype(), WithFirst(tensor.shape(), static_cast<int64_t>(rows.size())));
      if (!copy.ok()) return copy.status();
      Gather(tensor, rows, copy->raw());
      taken.push_back({name, *std::move(copy)});
    }
    return taken;
  };
  auto inputs = take(inputs_);
  if (!inputs.ok()) return inputs.status();
  auto targets = take(targets_);
  if (!targets.ok()) return targets.status();
  return Create(*std::move(inputs), *std::move(targets));
}

// Gathers on a thread of its own, one batch at a time.
class Batches::Prefetcher {
 public:
  Prefetcher() : thread_([this] { Work(); }) {}
  ~Prefetcher() {
    {
      const std::lock_guard lock(mutex_);
      end_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  // Buffer and rows stay as they are until Wait.
  void Post(Buffer& buffer, std::span<const int64_t> rows) {
    {
      const std::lock_guard lock(mutex_);
      buffer_ = &buffer;
      rows_ = rows;
    }
    changed_.notify_all();
  }
  // Until nothing is being gathered.
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return buffer_ == nullptr; });
  }

 private:
  void Work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return end_ || buffer_ != nullptr; });
      if (buffer_ == nullptr) return;
      lock.unlock();
      Gather(*buffer_, rows_);
      lock.lock();
      buffer_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  Buffer* buffer_ = nullptr;  // being gathered, or to be
  std::span<const int64_t> rows_;
  bool end_ = false;
  std::thread thread_;
};

Batches::Batches() = default;
Batches::Batches(Batches&&) noexcept = default;
Batches::~Batches() = default;

void Batches::Gather(Buffer& buffer, std::span<const int64_t> rows) {
  for (Slot& slot : buffer.slots) {
    slot.shape[0] = static_cast<int64_t>(rows.size());
    data::Gather(*slot.source, rows, slot.memory.raw());
  }
}

absl::StatusOr<Batches::Buffer> Batches::MakeBuffer(const Dataset& dataset, int64_t batch_size) {
  Buffer buffer;
  for (std::span<const NamedTensor> part : {dataset.inputs(), dataset.targets()}) {
    for (const auto& [name, tensor] : part) {
      std::vector<int64_t> shape = WithFirst(tensor.shape(), batch_size);
      absl::StatusOr<runtime::Tensor> memory = runtime::Tensor::Create(tensor.dtype(), shape);
      if (!memory.ok()) return memory.status();
      buffer.slots.push_back({&tensor, *std::move(memory), std::move(shape)});
    }
  }
  for (Slot& slot : buffer.slots) {
    buffer.views.emplace_back(slot.memory.raw(), slot.memory.dtype(), slot.shape);
  }
  return buffer;
}

absl::StatusOr<Batches> Batches::Create(const Dataset& dataset, BatchOptions options) {
  if (options.batch_size < 1) {
    return absl::InvalidArgumentError(
        fmt::format("the batch size must be at least 1, got {}", options.batch_size));
  }
  if (dataset.samples() == 0) return absl::InvalidArgumentError("the dataset has no samples");
  options.batch_size = std::min(options.batch_size, dataset.samples());
  Batches batches;
  batches.options_ = options;
  batches.input_count_ = dataset.inputs().size();
  for (int i = 0; i < (options.prefetch ? 2 : 1); ++i) {
    absl::StatusOr<Buffer> buffer = MakeBuffer(dataset, options.batch_size);
    if (!buffer.ok()) return buffer.status();
    batches.buffers_.push_back(*std::move(buffer));
  }
  batches.order_.resize(static_cast<size_t>(dataset.samples()));
  if (options.prefetch) batches.prefetcher_ = std::make_unique<Prefetcher>();
  batches.StartEpoch(0);
  return batches;
}

int64_t Batches::batches_per_epoch() const {
  const auto samples = static_cast<int64_t>(order_.size());
  return (samples - 1) / options_.batch_size + 1;
}

std::span<const int64_t> Batches::RowsFrom(int64_t begin) const {
  const auto left = static_cast<int64_t>(order_.size()) - begin;
  return std::span(order_).subspan(static_cast<size_t>(begin),
                                   static_cast<size_t>(std::min(options_.batch_size, left)));
}

// The buffer that is not in use gets the batch after this one.
void Batches::PostNext() {
  const std::span<const int64_t> next = RowsFrom(end_);
  if (!next.empty()) prefetcher_->Post(buffers_[1 - current_], next);
}

void Batches::StartEpoch(int64_t epoch, int64_t skipped_batches) {
  if (prefetcher_ != nullptr) prefetcher_->Wait();  // it reads the order
  const int64_t skipped = std::clamp<int64_t>(skipped_batches, 0, batches_per_epoch());
  begin_ = end_ = std::min(skipped * options_.batch_size, static_cast<int64_t>(order_.size()));
  std::iota(order_.begin(), order_.end(), int64_t{0});
  if (options_.shuffle) {
    PhiloxStream random(options_.seed, static_cast<uint64_t>(epoch));
    Shuffle(order_, random);
  }
  if (prefetcher_ != nullptr) PostNext();
}

bool Batches::Next() {
  begin_ = end_;
  const std::span<const int64_t> batch = RowsFrom(begin_);
  if (batch.empty()) return false;
  end_ = begin_ + static_cast<int64_t>(batch.size());
  if (prefetcher_ == nullptr) {
    Gather(buffers_[current_], batch);
    return true;
  }
  prefetcher_->Wait();
  current_ = 1 - current_;
  PostNext();
  return true;
}

std::span<const runtime::TensorView> Batches::inputs() const {
  return std::span(buffers_[current_].views).first(input_count_);
}

std::span<const runtime::TensorView> Batches::targets() const {
  return std::span(buffers_[current_].views).subspan(input_count_);
}

std::span<const int64_t> Batches::rows() const {
  return std::span(order_).subspan(static_cast<size_t>(begin_), static_cast<size_t>(size()));
}

}  // namespace gradus::data
