#include "codegen/library.h"

#include <algorithm>
#include <functional>
#include <set>

#include "codegen/compile.h"
#include "codegen/emit_library.h"
#include "codegen/object.h"
#include "fmt/format.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Object/Wasm.h"
#include "llvm/TargetParser/Triple.h"
#include "standalone_bitcode.h"

namespace gradus::codegen {
namespace {

// Makes an object of what `fill` writes into an empty module.
absl::StatusOr<std::string> MakeObject(const ir::Target& target, const std::string& name,
                                       const std::function<absl::Status(ModuleEmitter&)>& fill) {
  std::string bytes;
  absl::Status status = CatchFatalErrors([&]() -> absl::Status {
    llvm::LLVMContext context;
    llvm::Module module(name, context);
    auto machine = MakeTargetMachine(target);
    if (!machine.ok()) return machine.status();
    SetTarget(module, **machine);
    ModuleEmitter emitter(module, target);
    if (absl::Status s = fill(emitter); !s.ok()) return s;
    if (absl::Status s = Verify(module); !s.ok()) return s;
    auto object = Assemble(module, **machine, /*object=*/true);
    if (!object.ok()) return object.status();
    bytes = *std::move(object);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return bytes;
}

constexpr std::string_view kStandalone = "gradus_standalone_";

// One source of runtime/standalone, its functions renamed to the library's.
absl::StatusOr<std::string> MakeStandalone(const Library& library, const ir::Target& target,
                                           const EmbeddedBitcode& bitcode) {
  std::string bytes;
  absl::Status status = CatchFatalErrors([&]() -> absl::Status {
    llvm::LLVMContext context;
    auto machine = MakeTargetMachine(target);
    if (!machine.ok()) return machine.status();
    const llvm::StringRef text(reinterpret_cast<const char*>(bitcode.bytes), bitcode.size);
    auto module = llvm::parseBitcodeFile(llvm::MemoryBufferRef(text, bitcode.name), context);
    if (!module) return absl::InternalError(llvm::toString(module.takeError()));
    for (llvm::Function& f : **module) {
      llvm::StringRef name = f.getName();
      if (!name.consume_front(llvm::StringRef(kStandalone.data(), kStandalone.size()))) continue;
      const std::string own = StandaloneName(library, {name.data(), name.size()});
      const bool for_users = name == "strerror";
      f.setName(own);
      f.setVisibility(for_users ? llvm::GlobalValue::DefaultVisibility
                                : llvm::GlobalValue::HiddenVisibility);
    }
    (*module)->setSourceFileName(bitcode.name);
    auto object = Assemble(**module, **machine, /*object=*/true);
    if (!object.ok()) return object.status();
    bytes = *std::move(object);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return bytes;
}

absl::StatusOr<std::string> MakeEntries(const Library& library, const ir::Target& target,
                                        const std::string& prefix, const ir::Module& module) {
  return EmitObject(module, {.target = target,
                             .prefix = prefix,
                             .in_library = true,
                             .small = library.small,
                             .debug_lines = library.debug_lines,
                             .kernel_prefix = library.prefix + "_"});
}

// The part of the name of embedded bitcode after the architecture; "" if it is for another one.
std::string_view SourceFor(const EmbeddedBitcode& bitcode, const ir::Target& target) {
  const std::string architecture =
      llvm::Triple::getArchTypeName(llvm::Triple(target.triple).getArch()).str() + "_";
  const std::string_view name = bitcode.name;
  return name.starts_with(architecture) ? name.substr(architecture.size()) : std::string_view();
}

// Code around the entries runs on every processor of the architecture.
ir::Target BaseTarget(const ir::Target& level) {
  ir::Target base = level;
  if (ArchitectureOf(level) == "x86-64") base = *NamedTarget("x86-64");
  if (ArchitectureOf(level) == "riscv64") base = *NamedTarget("riscv64");
  base.triple = level.triple;
  return base;
}

}  // namespace

absl::StatusOr<std::vector<LibraryObject>> EmitLibrary(const Library& library,
                                                       std::span<const LibraryLevel> levels) {
  if (levels.empty()) return absl::InvalidArgumentError("library: no level to make code for");
  std::vector<LibraryObject> members;
  const auto add = [&](std::string_view stem, absl::StatusOr<std::string> bytes) -> absl::Status {
    if (!bytes.ok()) return bytes.status();
    members.push_back({fmt::format("{}{}.o", library.prefix, stem), *std::move(bytes)});
    return absl::OkStatus();
  };
  const ir::Target base = BaseTarget(levels.front().target);
  absl::Status status = add("", MakeObject(base, library.prefix, [&](ModuleEmitter& emitter) {
                              return EmitInterface(emitter, library, levels);
                            }));
  if (!status.ok()) return status;
  if (library.once != nullptr) {
    status = add("_once",
                 MakeEntries(library, levels.front().target, OncePrefix(library), *library.once));
    if (!status.ok()) return status;
  }
  for (const LibraryLevel& level : levels) {
    if (std::ranges::none_of(library.functions, &LibraryFunction::every_level)) break;
    status = add("_" + level.name,
                 MakeEntries(library, level.target, LevelPrefix(library, level), *level.module));
    if (!status.ok()) return status;
  }
  for (const LibrarySpecial& special : library.specials) {
    for (size_t i = 0; i < levels.size(); ++i) {
      status = add(fmt::format("_{}_{}", levels[i].name, special.Name()),
                   MakeEntries(library, levels[i].target, LevelPrefix(library, levels[i], &special),
                               *special.modules[i]));
      if (!status.ok()) return status;
    }
  }
  bool any = false;
  for (const EmbeddedBitcode& bitcode : kEmbeddedBitcode) {
    const std::string_view source = SourceFor(bitcode, base);
    if (source.empty()) continue;
    any = true;
    status = add(fmt::format("_{}", source), MakeStandalone(library, base, bitcode));
    if (!status.ok()) return status;
  }
  if (!any) {
    return absl::UnimplementedError(
        fmt::format("library: there is no library code for {} yet", base.triple));
  }
  if (library.weights.embedded) {
    status = add("_parameters", MakeObject(base, library.prefix + "_parameters",
                                           [&](ModuleEmitter& emitter) -> absl::Status {
                                             EmitWeights(emitter, library);
                                             return absl::OkStatus();
                                           }));
    if (!status.ok()) return status;
  }
  return members;
}

absl::StatusOr<std::string> Archive(std::span<const LibraryObject> members) {
  std::vector<llvm::NewArchiveMember> list;
  for (const LibraryObject& m : members) {
    list.emplace_back(llvm::MemoryBufferRef(m.bytes, m.name));
  }
  auto archive = llvm::writeArchiveToBuffer(list, llvm::SymtabWritingMode::NormalSymtab,
                                            llvm::object::Archive::K_GNU, /*Deterministic=*/true,
                                            /*Thin=*/false);
  if (!archive) {
    return absl::InternalError(
        fmt::format("library: cannot make an archive: {}", llvm::toString(archive.takeError())));
  }
  return (*archive)->getBuffer().str();
}

absl::StatusOr<LibrarySummary> Summarize(std::span<const LibraryObject> members) {
  LibrarySummary summary;
  std::set<std::string> undefined, defined;
  for (const LibraryObject& m : members) {
    auto object =
        llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(m.bytes, m.name));
    if (!object) {
      return absl::InternalError(
          fmt::format("library: {}: {}", m.name, llvm::toString(object.takeError())));
    }
    LibrarySize size;
    for (const llvm::object::SectionRef& s : (*object)->sections()) {
      auto name = s.getName();
      if (!name) {
        return absl::InternalError(
            fmt::format("library: {}: {}", m.name, llvm::toString(name.takeError())));
      }
      const auto bytes = static_cast<int64_t>(s.getSize());
      const auto flags =
          (*object)->isELF() ? llvm::object::ELFSectionRef(s).getFlags() : uint64_t{0};
      if ((*object)->isELF() && (flags & llvm::ELF::SHF_ALLOC) == 0) continue;
      if ((*object)->isWasm() && !s.isText() && !s.isData()) continue;
      if (s.isText()) {
        size.code += bytes;
      } else if ((flags & llvm::ELF::SHF_WRITE) != 0 && !name->starts_with(".data.rel.ro")) {
        size.data += bytes;
      } else {
        size.constants += bytes;
      }
    }
    for (const llvm::object::SymbolRef& s : (*object)->symbols()) {
      // A linker for WebAssembly itself makes the memory, the table and the stack's pointer.
      if (const auto* wasm = llvm::dyn_cast<llvm::object::WasmObjectFile>(object->get())) {
        const llvm::object::WasmSymbol& symbol = wasm->getWasmSymbol(s);
        if (!symbol.isTypeFunction() && !symbol.isTypeData()) continue;
      }
      auto flags = s.getFlags();
      auto name = s.getName();
      if (!flags || !name) return absl::InternalError("library: a symbol without a name");
      if ((*flags & llvm::object::BasicSymbolRef::SF_Undefined) != 0) {
        if (!name->empty()) undefined.insert(name->str());
      } else if ((*flags & llvm::object::BasicSymbolRef::SF_Global) != 0) {
        defined.insert(name->str());
      }
    }
    summary.members.emplace_back(m.name, size);
  }
  std::set_difference(undefined.begin(), undefined.end(), defined.begin(), defined.end(),
                      std::back_inserter(summary.undefined));
  return summary;
}

}  // namespace gradus::codegen
