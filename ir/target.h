#pragma once

// What the scheduler needs to know of a machine: a plain record that codegen/target fills from
// cpuid.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

namespace gradus::ir {

// What is worth handing to another thread. Work is in units of one multiplication or addition of a
// contraction (passes/threads/work.h): about 250 are a nanosecond. Results do not depend on it.
//
// Measured on two cores of Zen 5: a thread that waits starts 0.2 to 1 us after it is asked, one
// that sleeps 10 to 30 us. A step of 88 us of work, in 8 parts, takes 47 us on two threads; one of
// 43 us in two parts, whose thread was asleep, 34 us.
struct Sharing {
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  int64_t least_work = 20'000'000;  // in all; with less the thread that called does it alone
  int64_t part_work = 1'000'000;    // in a part
  // Rows of a contraction's tiles in a part, so that what is read of B is read for so many rows:
  // products of 8, 16 and 32 rows with 784x512 run at 233, 254 and 260 GFLOP/s.
  int64_t part_rows = 16;
};

struct Target {
  std::string triple;     // e.g. x86_64-unknown-linux-gnu
  std::string cpu;        // LLVM's name, for tuning only: features decide what may be used
  std::string features;   // LLVM feature string, "+avx2,+fma,..."
  int vector_bytes = 16;  // width of the vectors that code should use; 4: one number at a time
  int vector_registers = 16;
  int pointer_bytes = 8;  // of sizes and offsets, too
  bool has_fma = false;
  bool has_rounding = true;  // to whole numbers; else made of other operations
  bool has_i64_to_float = true;
  // Looks up 16 floats in one instruction, and has one for products with powers of two.
  bool has_tables = false;
  bool has_masked_memory = false;  // masked loads and stores cost no more than plain ones
  // Code goes into a library, where its size counts: kernels that differ in numbers alone share it.
  bool small_code = false;
  // What comes from the second-level cache, and much more what comes from the last, slows a tile
  // down (GB/s of one core: 168 and 26 on Granite Rapids, where a tile of 6x64 floats takes 70).
  bool far_caches = false;
  int64_t l1_bytes = 32 << 10, l2_bytes = 512 << 10, l3_bytes = 8 << 20;

  Sharing sharing;

  int lanes(int element_bytes) const { return std::max(1, vector_bytes / element_bytes); }
};

}  // namespace gradus::ir
