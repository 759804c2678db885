#pragma once

// What the scheduler needs to know of a machine: a plain record that codegen/target fills from
// cpuid.

#include <algorithm>
#include <cstdint>
#include <string>

namespace gradus::ir {

struct Target {
  std::string triple;     // e.g. x86_64-unknown-linux-gnu
  std::string cpu;        // LLVM's name, for tuning only: features decide what may be used
  std::string features;   // LLVM feature string, "+avx2,+fma,..."
  int vector_bytes = 16;  // width of the vectors that code should use; 4: one number at a time
  int vector_registers = 16;
  bool has_fma = false;
  bool has_masked_memory = false;  // masked loads and stores cost no more than plain ones
  int64_t l1_bytes = 32 << 10, l2_bytes = 512 << 10, l3_bytes = 8 << 20;

  int lanes(int element_bytes) const { return std::max(1, vector_bytes / element_bytes); }
};

}  // namespace gradus::ir
