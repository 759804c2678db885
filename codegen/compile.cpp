#include "codegen/compile.h"

#include <chrono>
#include <cstdlib>

#include "codegen/debug_lines.h"
#include "codegen/emit_entry.h"
#include "codegen/merge_functions.h"
#include "codegen/object.h"
#include "codegen/object_cache.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/raw_ostream.h"

namespace gradus::codegen {

namespace {

double Milliseconds() {
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

enum class Output { kLlvm, kAssembly, kObject };

absl::StatusOr<std::string> Compile(const ir::Module& module, const CodegenOptions& options,
                                    Output output, CompileTimes* times) {
  std::string result;
  absl::Status status = CatchFatalErrors([&]() -> absl::Status {
    double start = Milliseconds();
    llvm::LLVMContext context;
    llvm::Module llvm_module(module.name(), context);
    auto machine = MakeTargetMachine(options.target);
    if (!machine.ok()) return machine.status();
    if (options.profile && (*machine)->getTargetTriple().getArch() != llvm::Triple::x86_64) {
      return absl::UnimplementedError("codegen: kernels are timed on x86-64 alone");
    }
    SetTarget(llvm_module, **machine);
    ModuleEmitter emitter(llvm_module, options.target, options.small);
    absl::Status emitted = EmitModule(emitter, module, options);
    if (!emitted.ok()) return emitted;
    if (options.debug_lines) EmitDebugLines(emitter);
    if (options.small) MergeFunctions(llvm_module);
    absl::Status verified = Verify(llvm_module);
    if (!verified.ok()) return verified;
    // Text shows the code as users run it.
    if (output == Output::kObject && !options.in_library && ChecksAddresses())
      CheckAddresses(llvm_module);
    double generated = Milliseconds();
    if (output == Output::kLlvm) {
      llvm::raw_string_ostream out(result);
      llvm_module.print(out, nullptr);
    } else {
      auto bytes = Assemble(llvm_module, **machine, output == Output::kObject);
      if (!bytes.ok()) return bytes.status();
      result = *std::move(bytes);
    }
    if (times != nullptr) {
      times->emit_ms = generated - start;
      times->codegen_ms = Milliseconds() - generated;
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return result;
}

}  // namespace

bool DefaultDebugLines() {
  const char* wanted = std::getenv("GRADUS_DEBUG_LINES");
  return wanted != nullptr && *wanted != '\0';
}

std::string LlvmVersion() { return LLVM_VERSION_STRING; }

absl::StatusOr<std::string> EmitLlvm(const ir::Module& module, const CodegenOptions& options) {
  return Compile(module, options, Output::kLlvm, nullptr);
}

absl::StatusOr<std::string> EmitAssembly(const ir::Module& module, const CodegenOptions& options) {
  return Compile(module, options, Output::kAssembly, nullptr);
}

absl::StatusOr<std::string> EmitObject(const ir::Module& module, const CodegenOptions& options,
                                       CompileTimes* times) {
  return Compile(module, options, Output::kObject, times);
}

std::optional<std::vector<LoadedEntry>> LoadCached(const ir::Module& module,
                                                   const CodegenOptions& options,
                                                   CompileTimes* times) {
  if (options.cache_dir.empty() || options.cache_key.empty() || options.profile) {
    return std::nullopt;
  }
  const double start = Milliseconds();
  const std::optional<std::string> object = ReadCache(options.cache_dir, CacheKey(module, options));
  if (!object) return std::nullopt;
  auto entries = Load(*object, module, options);
  if (!entries.ok()) return std::nullopt;
  if (times != nullptr) {
    *times = {};
    times->from_cache = true;
    times->link_ms = Milliseconds() - start;
  }
  return *std::move(entries);
}

absl::StatusOr<std::vector<LoadedEntry>> CompileAndLoad(const ir::Module& module,
                                                        const CodegenOptions& options,
                                                        CompileTimes* times) {
  if (absl::Status s = CheckRunsHere(options.target); !s.ok()) return s;
  CompileTimes local;
  if (times == nullptr) times = &local;
  *times = {};
  const bool cached = !options.cache_dir.empty() && !options.profile;
  std::string key = cached ? CacheKey(module, options) : "";
  std::optional<std::string> object;
  if (!key.empty()) object = ReadCache(options.cache_dir, key);
  times->from_cache = object.has_value();
  if (!object) {
    auto compiled = EmitObject(module, options, times);
    if (!compiled.ok()) return compiled.status();
    object = *std::move(compiled);
    if (!key.empty()) WriteCache(options.cache_dir, key, *object);
  }
  double start = Milliseconds();
  auto entries = Load(*object, module, options);
  times->link_ms = Milliseconds() - start;
  return entries;
}

}  // namespace gradus::codegen
