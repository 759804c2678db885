// Named arrays with one row a sample, and the batches in which training goes through them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tensor.h"

namespace gradus::data {

struct NamedTensor {
  std::string name;
  runtime::Tensor tensor;  // [samples, ...]
};

// What a model reads and what it shall answer. All arrays have the same first axis, the samples.
class Dataset {
 public:
  Dataset() = default;
  // Errors: no input, no samples, an array without axes, unequal numbers of samples, a name twice.
  static absl::StatusOr<Dataset> Create(std::vector<NamedTensor> inputs,
                                        std::vector<NamedTensor> targets);
  // The usual case: one input, one target.
  static absl::StatusOr<Dataset> Of(NamedTensor input, NamedTensor target);

  int64_t samples() const { return samples_; }
  std::span<const NamedTensor> inputs() const { return inputs_; }
  std::span<const NamedTensor> targets() const { return targets_; }

  // A copy of these samples in this order.
  absl::StatusOr<Dataset> Take(std::span<const int64_t> rows) const;

 private:
  int64_t samples_ = 0;
  std::vector<NamedTensor> inputs_;
  std::vector<NamedTensor> targets_;
};

struct BatchOptions {
  int64_t batch_size = 32;
  // A new order every epoch, which follows from seed and epoch alone.
  bool shuffle = true;
  uint64_t seed = 0;
  // A second thread gathers the next batch while this one is used. The batches are the same. Worth
  // it where gathering takes long beside a step: handing over takes some ten microseconds.
  bool prefetch = false;
};

// Gathers one batch after another into memory that is allocated once:
//
//   batches.StartEpoch(epoch);
//   while (batches.Next()) Step(batches.inputs(), batches.targets());
//
// The last batch of an epoch is smaller if the samples do not divide evenly.
class Batches {
 public:
  // `dataset` must outlive the result. batch_size >= 1; memory is at most that of the dataset.
  static absl::StatusOr<Batches> Create(const Dataset& dataset, BatchOptions options);
  Batches(Batches&&) noexcept;
  Batches& operator=(Batches&&) = delete;  // its thread may be reading
  ~Batches();

  int64_t batches_per_epoch() const;
  // Only the order depends on the epoch: any epoch can be started at any time, and after any number
  // of its batches.
  void StartEpoch(int64_t epoch, int64_t skipped_batches = 0);
  // Moves to the next batch; false after the last one.
  bool Next();

  // The current batch: arrays [size, ...] in the dataset's order, valid until Next.
  int64_t size() const { return end_ - begin_; }
  std::span<const runtime::TensorView> inputs() const;
  std::span<const runtime::TensorView> targets() const;
  // The rows of the dataset it was gathered from.
  std::span<const int64_t> rows() const;

 private:
  // The memory of one array of a batch. `shape` is what the view of it points to.
  struct Slot {
    const runtime::Tensor* source = nullptr;
    runtime::Tensor memory;
    std::vector<int64_t> shape;
  };

  // The memory of a batch.
  struct Buffer {
    std::vector<Slot> slots;
    std::vector<runtime::TensorView> views;
  };
  class Prefetcher;

  Batches();
  static absl::StatusOr<Buffer> MakeBuffer(const Dataset& dataset, int64_t batch_size);
  static void Gather(Buffer& buffer, std::span<const int64_t> rows);
  // The rows of the batch that begins with the row at this place of the order.
  std::span<const int64_t> RowsFrom(int64_t begin) const;
  void PostNext();

  BatchOptions options_;
  size_t input_count_ = 0;
  std::vector<Buffer> buffers_;  // two with a prefetcher
  size_t current_ = 0;
  std::vector<int64_t> order_;
  int64_t begin_ = 0;
  int64_t end_ = 0;
  std::unique_ptr<Prefetcher> prefetcher_;  // last: it ends before what it reads
};

}  // namespace gradus::data
