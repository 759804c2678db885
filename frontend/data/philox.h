// Random numbers for data: shuffles, splits and synthetic examples that are the same on every
// machine. Philox 4x32-10 is a function from (counter, key) to four words, so a stream needs no
// state but a position, and any place in it can be had at once.
//
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace gradus::data {

using PhiloxCounter = std::array<uint32_t, 4>;
using PhiloxKey = std::array<uint32_t, 2>;

// The ten-round function itself.
PhiloxCounter Philox4x32(PhiloxCounter counter, PhiloxKey key);

// The words of one key in order, and the usual distributions made of them. Streams of one seed
// with different `stream` numbers (an epoch, a customer) are independent.
class PhiloxStream {
 public:
  explicit PhiloxStream(uint64_t seed, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  uint32_t Next();
  // Uniform in [0, 1) with 53 random bits.
  double Uniform();
  // Uniform integer in [0, bound); every value equally likely. bound >= 1.
  uint64_t Below(uint64_t bound);
  // Standard normal by Box and Muller; every call uses two fresh uniforms.
  double Normal();

 private:
  uint64_t seed_;
  uint64_t stream_;
  uint64_t block_ = 0;
  int used_ = 4;  // words of `words_` given out
  PhiloxCounter words_{};
};

// Puts `values` in a random order (Fisher and Yates).
void Shuffle(std::span<int64_t> values, PhiloxStream& random);

}  // namespace gradus::data
