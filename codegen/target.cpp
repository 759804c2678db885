#include <sys/types.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "codegen/compile.h"
#include "codegen/object.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

namespace gradus::codegen {

namespace {

constexpr const char* kTargetVariable = "GRADUS_TARGET_CPU";

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
  // sysconf counts what all groups of cores have together where each has its own (AMD); the kernel
  // knows what this one has, in KiB ("32768K").
  std::ifstream of_this_core("/sys/devices/system/cpu/cpu0/cache/index3/size");
  int64_t kib = 0;
  if (of_this_core >> kib && kib > 0) target.l3_bytes = kib << 10;
}

Features HostFeatures() {
  Features features;
  for (const auto& f : llvm::sys::getHostCPUFeatures()) features[f.getKey().str()] = f.getValue();
  return features;
}

bool IsX86(const ir::Target& target) {
  return llvm::Triple(target.triple).getArch() == llvm::Triple::x86_64;
}

ir::Target DetectHost() {
  ir::Target target;
  target.triple = llvm::sys::getProcessTriple();
  target.cpu = llvm::sys::getHostCPUName().str();
  Derive(HostFeatures(), IsX86(target), target);
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

// The levels first, in the order of kLevels.
constexpr std::string_view kNames[] = {"x86-64",  "x86-64-v2", "x86-64-v3", "x86-64-v4",
                                       "aarch64", "scalar",    "host"};

ir::Target X86Level(size_t highest) {
  ir::Target target;
  target.triple = "x86_64-unknown-linux-gnu";
  target.cpu = std::string(kNames[highest]);
  Features features;
  for (size_t level = 0; level <= highest; ++level) {
    for (std::string_view f : kLevels[level]) {
      if (!f.empty()) features[std::string(f)] = true;
    }
  }
  Derive(features, true, target);
  return target;
}

ir::Target AArch64() {
  ir::Target target;
  target.triple = "aarch64-unknown-linux-gnu";
  target.cpu = "generic";
  Derive({{"fp-armv8", true}, {"neon", true}}, false, target);
  return target;
}

// The features that a target turns on and this process has not.
std::vector<std::string> Lacking(const ir::Target& target) {
  const Features host = HostFeatures();
  std::vector<std::string> lacking;
  for (llvm::StringRef f : llvm::split(target.features, ",")) {
    if (f.consume_front("+") && !Has(host, std::string_view(f))) lacking.push_back(f.str());
  }
  return lacking;
}

}  // namespace

ir::Target HostTarget() {
  static const ir::Target* const kHost = new ir::Target(DetectHost());
  return *kHost;
}

std::span<const std::string_view> TargetNames() { return kNames; }

absl::StatusOr<ir::Target> NamedTarget(std::string_view name) {
  for (size_t level = 0; level < std::size(kLevels); ++level) {
    if (name == kNames[level]) return X86Level(level);
  }
  if (name == "host") return HostTarget();
  if (name == "aarch64") return AArch64();
  if (name == "scalar") {
    ir::Target target = IsX86(HostTarget()) ? X86Level(0) : AArch64();
    target.vector_bytes = 4;
    return target;
  }
  return absl::InvalidArgumentError(fmt::format("target: unknown name \"{}\", expected one of {}",
                                                name, fmt::join(kNames, ", ")));
}

ir::Target DefaultTarget() {
  const char* name = std::getenv(kTargetVariable);
  if (name == nullptr || *name == '\0') return HostTarget();
  if (absl::StatusOr<ir::Target> target = NamedTarget(name); target.ok()) return *target;
  ir::Target unknown;
  unknown.cpu = name;
  return unknown;
}

absl::Status CheckKnown(const ir::Target& target) {
  if (!target.triple.empty()) return absl::OkStatus();
  const absl::Status status = NamedTarget(target.cpu).status();
  return absl::InvalidArgumentError(
      fmt::format("{}: {}", kTargetVariable, std::string(status.message())));
}

absl::Status CheckRunsHere(const ir::Target& target) {
  if (absl::Status s = CheckKnown(target); !s.ok()) return s;
  const ir::Target host = HostTarget();
  const auto architecture = [](const ir::Target& t) {
    return llvm::Triple(t.triple).getArchName().str();
  };
  if (architecture(target) != architecture(host)) {
    return absl::FailedPreconditionError(
        fmt::format("target: code for {} does not run on this machine, which is {}",
                    architecture(target), architecture(host)));
  }
  const std::vector<std::string> lacking = Lacking(target);
  if (lacking.empty()) return absl::OkStatus();
  std::string_view best = "scalar";
  for (size_t level = 0; level < std::size(kLevels); ++level) {
    if (IsX86(host) && Lacking(X86Level(level)).empty()) best = kNames[level];
  }
  return absl::FailedPreconditionError(
      fmt::format("target: code for {} does not run on this machine, which lacks {}; expected "
                  "host, {} or less",
                  target.cpu, fmt::join(lacking, ", "), best));
}

}  // namespace gradus::codegen
