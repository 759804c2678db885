#include "frontend/data/philox.h"

#include <cmath>
#include <numbers>
#include <utility>

namespace gradus::data {
namespace {

uint32_t Low(uint64_t word) { return static_cast<uint32_t>(word); }
uint32_t High(uint64_t word) { return static_cast<uint32_t>(word >> 32); }

}  // namespace

PhiloxCounter Philox4x32(PhiloxCounter counter, PhiloxKey key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {High(b) ^ counter[1] ^ key[0], Low(b), High(a) ^ counter[3] ^ key[1], Low(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

uint32_t PhiloxStream::Next() {
  if (used_ == 4) {
    words_ = Philox4x32({Low(block_), High(block_), Low(stream_), High(stream_)},
                        {Low(seed_), High(seed_)});
    ++block_;
    used_ = 0;
  }
  return words_[static_cast<size_t>(used_++)];
}

double PhiloxStream::Uniform() {
  const uint64_t high = Next();
  const uint64_t bits = (high << 32 | Next()) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

uint64_t PhiloxStream::Below(uint64_t bound) {
  // The first `uneven` of the 2^64 words would make small values likelier; draw again instead.
  const uint64_t uneven = (0 - bound) % bound;
  while (true) {
    const uint64_t high = Next();
    const uint64_t word = high << 32 | Next();
    if (word >= uneven) return word % bound;
  }
}

double PhiloxStream::Normal() {
  const double radius = std::sqrt(-2 * std::log(1 - Uniform()));  // 1 - u is never 0
  return radius * std::cos(2 * std::numbers::pi * Uniform());
}

void Shuffle(std::span<int64_t> values, PhiloxStream& random) {
  for (size_t left = values.size(); left > 1; --left) {
    std::swap(values[left - 1], values[random.Below(left)]);
  }
}

}  // namespace gradus::data
