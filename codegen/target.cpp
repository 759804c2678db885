#include <sys/types.h>
#include <unistd.h>

#include <map>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/TargetParser/Host.h"

namespace gradus::codegen {

namespace {

using Features = std::map<std::string, bool, std::less<>>;

bool Has(const Features& f, std::string_view name) {
  auto it = f.find(name);
  return it != f.end() && it->second;
}

// What the scheduler must know, from the features alone.
void Derive(const Features& f, bool x86, ir::Target& target) {
  for (const auto& [name, on] : f) {
    target.features += (target.features.empty() ? "" : ",") + std::string(on ? "+" : "-") + name;
  }
  if (!x86) {  // 128-bit vectors, 32 of them, and fused multiply-add, as on AArch64
    target.vector_bytes = 16;
    target.vector_registers = 32;
    target.has_fma = true;
    return;
  }
  // All of these, so that masks and integer vectors are as wide as floats.
  bool avx512 = Has(f, "avx512f") && Has(f, "avx512vl") && Has(f, "avx512bw") && Has(f, "avx512dq");
  target.vector_bytes = avx512 ? 64 : Has(f, "avx2") ? 32 : 16;
  target.vector_registers = avx512 ? 32 : 16;
  target.has_fma = Has(f, "fma");
  target.has_masked_memory = avx512;
}

void SetCaches(ir::Target& target) {
  auto set = [](int64_t& bytes, int name) {
    int64_t n = sysconf(name);
    if (n > 0) bytes = n;
  };
  set(target.l1_bytes, _SC_LEVEL1_DCACHE_SIZE);
  set(target.l2_bytes, _SC_LEVEL2_CACHE_SIZE);
  set(target.l3_bytes, _SC_LEVEL3_CACHE_SIZE);
}

ir::Target DetectHost() {
  ir::Target target;
  target.triple = llvm::sys::getProcessTriple();
  target.cpu = llvm::sys::getHostCPUName().str();
  Features features;
  for (const auto& f : llvm::sys::getHostCPUFeatures()) features[f.getKey().str()] = f.getValue();
  Derive(features, llvm::StringRef(target.triple).starts_with("x86_64"), target);
  SetCaches(target);
  return target;
}

// The additions of each x86-64 level of the psABI to the one before.
constexpr std::string_view kLevels[][12] = {
    {"cx8", "cmov", "fxsr", "mmx", "sse", "sse2"},
    {"cx16", "sahf", "popcnt", "sse3", "ssse3", "sse4.1", "sse4.2", "crc32"},
    {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"},
    {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "evex512"},
};
constexpr std::string_view kLevelNames[] = {"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"};

}  // namespace

ir::Target HostTarget() {
  static const ir::Target* const kHost = new ir::Target(DetectHost());
  return *kHost;
}

absl::StatusOr<ir::Target> NamedTarget(std::string_view name) {
  if (name == "host") return HostTarget();
  ir::Target target;
  target.triple = "x86_64-unknown-linux-gnu";
  target.cpu = std::string(name);
  Features features;
  for (size_t level = 0; level < std::size(kLevels); ++level) {
    for (std::string_view f : kLevels[level]) {
      if (!f.empty()) features[std::string(f)] = true;
    }
    if (kLevelNames[level] != name) continue;
    Derive(features, true, target);
    return target;
  }
  return absl::InvalidArgumentError(fmt::format(
      "target: unknown name \"{}\", expected host, x86-64, x86-64-v2, x86-64-v3 or x86-64-v4",
      name));
}

}  // namespace gradus::codegen
