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

// What the scheduler must know, from the features of x86-64 alone.
void Derive(const Features& f, ir::Target& target) {
  // All of these, so that masks and integer vectors are as wide as floats.
  bool avx512 = Has(f, "avx512f") && Has(f, "avx512vl") && Has(f, "avx512bw") && Has(f, "avx512dq");
  target.vector_bytes = avx512 ? 64 : Has(f, "avx2") ? 32 : 16;
  target.vector_registers = avx512 ? 32 : 16;
  target.has_fma = Has(f, "fma");
  target.has_rounding = Has(f, "sse4.1");
  target.has_masked_memory = avx512;
  target.has_tables = avx512;
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

// Intel's processors with AVX-512 (Skylake and later) are all built around the second-level cache.
bool HasFarCaches(const ir::Target& target) {
  namespace x86 = llvm::sys::detail::x86;
  return target.vector_bytes == 64 &&
         x86::getVendorSignature() == x86::VendorSignatures::GENUINE_INTEL;
}

bool IsX86(const ir::Target& target) {
  return llvm::Triple(target.triple).getArch() == llvm::Triple::x86_64;
}

std::string ListOf(const Features& features) {
  std::string list;
  for (const auto& [name, on] : features) {
    list += (list.empty() ? "" : ",") + std::string(on ? "+" : "-") + name;
  }
  return list;
}

ir::Target DetectHost() {
  ir::Target target;
  target.triple = llvm::sys::getProcessTriple();
  target.cpu = llvm::sys::getHostCPUName().str();
  const Features features = HostFeatures();
  target.features = ListOf(features);
  if (IsX86(target)) {
    Derive(features, target);
    target.far_caches = HasFarCaches(target);
  } else {  // 128-bit vectors, 32 of them, and fused multiply-add, as on AArch64
    target.vector_registers = 32;
    target.has_fma = true;
  }
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
constexpr std::string_view kNames[] = {
    "x86-64",    "x86-64-v2", "x86-64-v3",      "x86-64-v4", "sapphirerapids", "aarch64", "riscv64",
    "riscv64-v", "wasm32",    "wasm32-simd128", "cortex-m4", "cortex-m7",      "scalar",  "host"};

// What is not x86-64, as one record each. Features of half floats and of products of bytes
// (AArch64's fp16 and dotprod) would change nothing: there are no such numbers.
struct Other {
  std::string_view name, triple, cpu, features;
  int vector_bytes, vector_registers;  // one number at a time: 4
  int pointer_bytes;
  bool fma, rounding, threads;
  int64_t l1_bytes, l2_bytes, l3_bytes;
};
constexpr int64_t kKiB = 1 << 10, kMiB = 1 << 20;
constexpr Other kOthers[] = {
    {"aarch64", "aarch64-unknown-linux-gnu", "generic", "+fp-armv8,+neon", 16, 32, 8, true, true,
     true, 32 * kKiB, 512 * kKiB, 8 * kMiB},
    {"riscv64", "riscv64-unknown-linux-gnu", "generic-rv64", "+a,+c,+d,+f,+m", 4, 32, 8, true, true,
     true, 32 * kKiB, 512 * kKiB, 2 * kMiB},
    // Registers of 128 bits, which every V has; longer ones are used for as much.
    {"riscv64-v", "riscv64-unknown-linux-gnu", "generic-rv64", "+a,+c,+d,+f,+m,+v", 16, 32, 8, true,
     true, true, 32 * kKiB, 512 * kKiB, 2 * kMiB},
    {"wasm32", "wasm32-unknown-unknown", "generic",
     "+bulk-memory,+mutable-globals,+nontrapping-fptoint,+sign-ext", 4, 16, 4, false, true, false,
     32 * kKiB, 512 * kKiB, 8 * kMiB},
    {"wasm32-simd128", "wasm32-unknown-unknown", "generic",
     "+bulk-memory,+mutable-globals,+nontrapping-fptoint,+sign-ext,+simd128", 16, 16, 4, false,
     true, false, 32 * kKiB, 512 * kKiB, 8 * kMiB},
    // Armv7E-M with floats in registers. Both have a unit of single precision at least: f64 is
    // refused where it would need a library.
    {"cortex-m4", "thumbv7em-none-eabihf", "cortex-m4", "+vfp4d16sp", 4, 32, 4, true, false, false,
     16 * kKiB, 64 * kKiB, 64 * kKiB},
    {"cortex-m7", "thumbv7em-none-eabihf", "cortex-m7", "+fp-armv8d16sp,-fp64", 4, 32, 4, true,
     true, false, 16 * kKiB, 64 * kKiB, 64 * kKiB},
};

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
  target.features = ListOf(features);
  Derive(features, target);
  return target;
}

ir::Target TargetOf(const Other& other) {
  ir::Target target;
  target.triple = std::string(other.triple);
  target.cpu = std::string(other.cpu);
  target.features = std::string(other.features);
  target.vector_bytes = other.vector_bytes;
  target.vector_registers = other.vector_registers;
  target.pointer_bytes = other.pointer_bytes;
  target.has_fma = other.fma;
  target.has_rounding = other.rounding;
  target.l1_bytes = other.l1_bytes;
  target.l2_bytes = other.l2_bytes;
  target.l3_bytes = other.l3_bytes;
  target.has_i64_to_float = llvm::Triple(target.triple).getArch() != llvm::Triple::thumb;
  if (!other.threads) target.sharing.least_work = ir::Sharing::kNever;
  return target;
}

// x86-64-v4 as it suits Intel's servers.
ir::Target SapphireRapids() {
  ir::Target target = X86Level(3);
  target.cpu = "sapphirerapids";
  target.far_caches = true;
  target.l1_bytes = 48 * kKiB;
  target.l2_bytes = 2 * kMiB;
  target.l3_bytes = 32 * kMiB;
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
  if (name == "sapphirerapids") return SapphireRapids();
  if (name == "host") return HostTarget();
  for (const Other& other : kOthers) {
    if (name == other.name) return TargetOf(other);
  }
  if (name == "scalar") {
    ir::Target target = IsX86(HostTarget()) ? X86Level(0) : TargetOf(kOthers[0]);
    target.vector_bytes = 4;
    return target;
  }
  return absl::InvalidArgumentError(fmt::format("target: unknown name \"{}\", expected one of {}",
                                                name, fmt::join(kNames, ", ")));
}

std::string ArchitectureOf(const ir::Target& target) {
  const llvm::Triple triple(target.triple);
  if (triple.getArch() == llvm::Triple::x86_64) return "x86-64";
  if (triple.getArch() == llvm::Triple::thumb) return "armv7e-m";
  return llvm::Triple::getArchTypeName(triple.getArch()).str();
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
