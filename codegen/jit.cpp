// Object bytes into this process.

#include <mutex>

#include "codegen/compile.h"
#include "codegen/debugger.h"
#include "codegen/object.h"
#include "codegen/perf_map.h"
#include "fmt/format.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"
#include "runtime/abi.h"

namespace gradus::codegen {

namespace {

// Code in memory; what LLVM's session reports goes to `errors` instead of stderr.
struct LoadedCode {
  std::unique_ptr<std::string> errors = std::make_unique<std::string>();
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

absl::Status Failed(const LoadedCode& code, llvm::Error error) {
  std::string text = llvm::toString(std::move(error));
  return absl::InternalError(fmt::format("codegen: cannot load compiled code: {}{}{}", text,
                                         code.errors->empty() ? "" : ": ", *code.errors));
}

absl::Status Link(std::string_view object, const CodegenOptions& options, LoadedCode& code) {
  const ir::Target& target = options.target;
  auto machine = MakeTargetMachine(target);  // also makes the target known to LLVM
  if (!machine.ok()) return machine.status();
  llvm::orc::JITTargetMachineBuilder builder{llvm::Triple(target.triple)};
  builder.setCPU(target.cpu);
  builder.setRelocationModel(llvm::Reloc::PIC_).setCodeModel(llvm::CodeModel::Small);
  auto jit = llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(std::move(builder)).create();
  if (!jit) return Failed(code, jit.takeError());
  code.jit = std::move(*jit);
  ListForPerf(*code.jit);
  code.jit->getExecutionSession().setErrorReporter([errors = code.errors.get()](llvm::Error e) {
    std::string text = llvm::toString(std::move(e));
    if (errors->empty()) *errors = std::move(text);
  });
  if (options.debug_lines) {
    if (llvm::Error e = ShowToDebuggers(*code.jit)) return Failed(code, std::move(e));
  }
  auto buffer =
      llvm::MemoryBuffer::getMemBufferCopy(llvm::StringRef(object.data(), object.size()), "gradus");
  if (llvm::Error e = code.jit->addObjectFile(std::move(buffer))) return Failed(code, std::move(e));
  return absl::OkStatus();
}

template <typename T>
absl::Status Find(LoadedCode& code, const std::string& name, T* out) {
  auto address = code.jit->lookup(name);
  if (!address) return Failed(code, address.takeError());
  *out = address->template toPtr<T>();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<LoadedEntry>> Load(std::string_view object, const ir::Module& module,
                                              const CodegenOptions& options) {
  if (absl::Status s = CheckRunsHere(options.target); !s.ok()) return s;
  // Every graph function of a lowered module is an entry.
  auto code = std::make_shared<LoadedCode>();
  std::vector<LoadedEntry> entries;
  absl::Status status = CatchFatalErrors([&]() -> absl::Status {
    absl::Status linked = Link(object, options, *code);
    if (!linked.ok()) return linked;
    const KernelTime* profile = nullptr;
    if (options.profile) {
      absl::Status found = Find(*code, options.prefix + "_profile", &profile);
      if (!found.ok()) return found;
    }
    for (const auto& f : module.functions()) {
      if (f->kind() != ir::FunctionKind::kGraph) continue;
      std::string symbol = options.prefix + "_" + f->name();
      gradus_entry_fn function = nullptr;
      const gradus_entry_info* info = nullptr;
      absl::Status found = Find(*code, symbol, &function);
      if (found.ok()) found = Find(*code, symbol + "_info", &info);
      if (!found.ok()) return found;
      auto executable = runtime::Executable::Create(function, info, code);
      if (!executable.ok()) return executable.status();
      entries.push_back({f->name(), *std::move(executable), profile});
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return entries;
}

}  // namespace gradus::codegen
