#pragma once

// From a lowered module (see passes/pipelines.h) to native code: LLVM IR, object bytes, and, in
// memory, executables.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/module.h"
#include "ir/target.h"
#include "runtime/executable.h"

namespace gradus::codegen {

// This machine, from cpuid (never from a CPU's name). Vector width is the widest that features
// allow.
ir::Target HostTarget();
// "host" and the levels that code can be made for wherever it is compiled, each the same on every
// machine: "x86-64" (SSE2), "x86-64-v2", "x86-64-v3" (AVX2 and FMA), "x86-64-v4" (AVX-512),
// "sapphirerapids" (the same, scheduled for Intel's servers), "aarch64" (NEON), "riscv64",
// "riscv64-v", "wasm32", "wasm32-simd128", "cortex-m4", "cortex-m7" (Armv7E-M with single floats),
// and "scalar": this machine's architecture, one number at a time.
std::span<const std::string_view> TargetNames();
absl::StatusOr<ir::Target> NamedTarget(std::string_view name);
// "x86-64", "aarch64", "riscv64", "wasm32", "armv7e-m", ...
std::string ArchitectureOf(const ir::Target& target);
// What code is made for where nobody says: $GRADUS_TARGET_CPU, if it is set, else the host. A name
// there that is not known gives a target with which nothing compiles: the status says why.
ir::Target DefaultTarget();
// Whether this process can run the target's code; names what it lacks.
absl::Status CheckRunsHere(const ir::Target& target);

// "19.1.7".
std::string LlvmVersion();

struct CodegenOptions {
  ir::Target target = DefaultTarget();
  std::string prefix = "gradus";  // symbols: <prefix>_<entry>, <prefix>_<entry>_info
  std::string cache_dir;          // object cache; empty: off. See DefaultCacheDir
  // What decides the code, where the caller knows it before lowering: the graph's text and the
  // pipeline's name. Empty: the lowered module's text.
  std::string cache_key;
  // For a library (codegen/library.h): entries are hidden symbols, without their infos, and without
  // the checks of addresses that programs under AddressSanitizer have in code in memory.
  bool in_library = false;
  // Smaller code that computes the same bits.
  bool small = false;
  // DWARF line tables that point at the model's source. Code in memory is shown to debuggers with
  // them.
  bool debug_lines = false;
  std::string kernel_prefix = "kernel.";  // of the symbols of kernels, which are local
  // Entries count the processor's cycles of each of their kernels (LoadedEntry::profile); no cache.
  // x86-64 alone.
  bool profile = false;
};
// $GRADUS_CACHE_DIR ("" or "off" turns it off), else $XDG_CACHE_HOME/gradus, else ~/.cache/gradus,
// else off.
std::string DefaultCacheDir();
// Whether $GRADUS_DEBUG_LINES is set and not empty.
bool DefaultDebugLines();

struct CompileTimes {
  double emit_ms = 0, codegen_ms = 0, link_ms = 0;
  bool from_cache = false;
};

// Text of the module's LLVM IR or assembly, for --emit=llvm,asm.
absl::StatusOr<std::string> EmitLlvm(const ir::Module& module, const CodegenOptions& options);
absl::StatusOr<std::string> EmitAssembly(const ir::Module& module, const CodegenOptions& options);
// One object file with every entry (graph function with an EntryPlan) of the module.
absl::StatusOr<std::string> EmitObject(const ir::Module& module, const CodegenOptions& options,
                                       CompileTimes* times = nullptr);

// What the calls of a kernel took since the code was loaded, by all entries of the module, in ticks
// of the time stamp counter.
struct KernelTime {
  int64_t ticks = 0, calls = 0;
};
struct LoadedEntry {
  std::string name;
  runtime::Executable executable;
  // With CodegenOptions::profile: one a kernel, as KernelsOf lists them; lives as long as the
  // executable. Else null.
  const KernelTime* profile = nullptr;
};
// The kernels that the entries of a lowered module call, in order of their first calls.
std::vector<const ir::Function*> KernelsOf(const ir::Module& module);
// Links object bytes into this process. The code lives as long as any of the executables. Refuses
// what this machine cannot run (see CheckRunsHere).
absl::StatusOr<std::vector<LoadedEntry>> Load(std::string_view object, const ir::Module& module,
                                              const CodegenOptions& options);
// What the cache holds for options.cache_key: every graph function of the module, which need not be
// lowered. Nothing if there is no whole entry.
std::optional<std::vector<LoadedEntry>> LoadCached(const ir::Module& module,
                                                   const CodegenOptions& options,
                                                   CompileTimes* times = nullptr);
// Notes in the cache, beside the objects: what was found out by running code of this compiler, for
// this target, about what the text says. Nothing if there is no whole note, or no cache. A failure
// to write is no error.
std::optional<std::string> ReadNote(const CodegenOptions& options, std::string_view about);
void WriteNote(const CodegenOptions& options, std::string_view about, std::string_view note);

// EmitObject (or the cache) and Load.
absl::StatusOr<std::vector<LoadedEntry>> CompileAndLoad(const ir::Module& module,
                                                        const CodegenOptions& options,
                                                        CompileTimes* times = nullptr);

}  // namespace gradus::codegen
