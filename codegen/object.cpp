#include "codegen/object.h"

#include <mutex>
#include <stdexcept>

#include "fmt/format.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

namespace gradus::codegen {

namespace {
constexpr const char* kRiscvAbi = "lp64d";
}

absl::StatusOr<std::unique_ptr<llvm::TargetMachine>> MakeTargetMachine(const ir::Target& target) {
  if (absl::Status s = CheckKnown(target); !s.ok()) return s;
  static std::once_flag native, all;
  std::call_once(native, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    llvm::InitializeNativeTargetAsmParser();  // of cpuid in runtime/standalone
  });
  if (llvm::Triple(target.triple).getArch() !=
      llvm::Triple(llvm::sys::getProcessTriple()).getArch()) {
    std::call_once(all, [] {
      llvm::InitializeAllTargetInfos();
      llvm::InitializeAllTargets();
      llvm::InitializeAllTargetMCs();
      llvm::InitializeAllAsmPrinters();
      llvm::InitializeAllAsmParsers();
    });
  }
  std::string error;
  const llvm::Target* found = llvm::TargetRegistry::lookupTarget(target.triple, error);
  if (found == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("codegen: no target for \"{}\": {}", target.triple, error));
  }
  llvm::TargetOptions options;
  options.FunctionSections = true;
  options.DataSections = true;
  const llvm::Triple triple(target.triple);
  if (triple.isRISCV()) options.MCOptions.ABIName = kRiscvAbi;
  if (triple.isThumb()) options.FloatABIType = llvm::FloatABI::Hard;
  // Without an operating system nothing loads code to another place, or shares it.
  const bool is_fixed = triple.getOS() == llvm::Triple::UnknownOS;
  std::unique_ptr<llvm::TargetMachine> machine(
      found->createTargetMachine(target.triple, target.cpu, target.features, options,
                                 is_fixed ? llvm::Reloc::Static : llvm::Reloc::PIC_,
                                 llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default));
  if (machine == nullptr) {
    return absl::InternalError(fmt::format("codegen: no target machine for \"{}\"", target.triple));
  }
  return machine;
}

void SetTarget(llvm::Module& module, const llvm::TargetMachine& machine) {
  module.setTargetTriple(machine.getTargetTriple().str());
  module.setDataLayout(machine.createDataLayout());
  if (machine.getTargetTriple().isRISCV() && module.getModuleFlag("target-abi") == nullptr) {
    module.addModuleFlag(llvm::Module::Error, "target-abi",
                         llvm::MDString::get(module.getContext(), kRiscvAbi));
  }
}

absl::StatusOr<std::string> Assemble(llvm::Module& module, llvm::TargetMachine& machine,
                                     bool object) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream out(bytes);
  llvm::legacy::PassManager passes;
  auto type = object ? llvm::CodeGenFileType::ObjectFile : llvm::CodeGenFileType::AssemblyFile;
  if (machine.addPassesToEmitFile(passes, out, nullptr, type)) {
    return absl::InternalError("codegen: the target cannot emit this kind of file");
  }
  passes.run(module);
  return std::string(bytes.begin(), bytes.end());
}

namespace {

// Thrown out of LLVM's frames, whose unwind tables allow it; whatever they held is leaked.
struct FatalError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void Throw(void*, const char* reason, bool) { throw FatalError(reason); }

}  // namespace

absl::Status CatchFatalErrors(const std::function<absl::Status()>& body) {
  // The handler belongs to the process.
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  llvm::install_fatal_error_handler(Throw);
  struct Remove {
    ~Remove() { llvm::remove_fatal_error_handler(); }
  } remove;
  try {
    return body();
  } catch (const FatalError& e) {
    return absl::InternalError(fmt::format("codegen: LLVM gave up: {}", e.what()));
  }
}

}  // namespace gradus::codegen
