#include "codegen/debug_lines.h"

#include <map>
#include <string>

#include "ir/main_node.h"
#include "llvm/IR/DIBuilder.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/Instructions.h"

namespace gradus::codegen {
namespace {

constexpr unsigned kDwarfVersion = 4;  // which every debugger in use reads

class LineEmitter {
 public:
  explicit LineEmitter(ModuleEmitter& emitter)
      : module_(emitter.module()), lines_(emitter.lines()), debug_(module_) {}

  void Emit() {
    module_.addModuleFlag(llvm::Module::Warning, "Debug Info Version",
                          llvm::DEBUG_METADATA_VERSION);
    module_.addModuleFlag(llvm::Module::Max, "Dwarf Version", kDwarfVersion);
    std::string first = "model";
    for (const auto& [f, location] : lines_) {
      if (!location.known()) continue;
      first = *location.file;
      break;
    }
    unit_ = debug_.createCompileUnit(llvm::dwarf::DW_LANG_C, File(first), "Gradus", true, "", 0, "",
                                     llvm::DICompileUnit::LineTablesOnly);
    for (const auto& [f, location] : lines_) Attach(*f, location);
    for (llvm::Function& f : module_) {
      if (!f.isDeclaration() && f.getSubprogram() == nullptr) AttachToCalls(f);
    }
    debug_.finalize();
  }

 private:
  llvm::DIFile* File(const std::string& name) {
    llvm::DIFile*& file = files_[name];
    if (file == nullptr) file = debug_.createFile(name, "");
    return file;
  }

  llvm::DISubprogram* Subprogram(llvm::Function& f, const ir::Location& location) {
    auto* type = debug_.createSubroutineType(debug_.getOrCreateTypeArray({}));
    const auto line = static_cast<unsigned>(location.line);
    llvm::DISubprogram* subprogram = debug_.createFunction(
        unit_, f.getName(), f.getName(), File(*location.file), line, type, line,
        llvm::DINode::FlagArtificial,
        llvm::DISubprogram::SPFlagDefinition | llvm::DISubprogram::SPFlagOptimized);
    f.setSubprogram(subprogram);
    return subprogram;
  }

  llvm::DILocation* At(llvm::DISubprogram* subprogram, const ir::Location& location) {
    llvm::DIScope* scope = subprogram;
    llvm::DIFile* file = File(*location.file);
    if (file != subprogram->getFile()) scope = debug_.createLexicalBlockFile(subprogram, file);
    return llvm::DILocation::get(module_.getContext(), static_cast<unsigned>(location.line),
                                 static_cast<unsigned>(location.column), scope);
  }

  void Attach(llvm::Function& f, const ir::Location& location) {
    if (!location.known()) return;
    llvm::DILocation* at = At(Subprogram(f, location), location);
    for (llvm::BasicBlock& block : f) {
      for (llvm::Instruction& i : block) i.setDebugLoc(at);
    }
    by_function_[&f] = location;
  }

  // An entry: each call at its kernel's line, what leads there with it.
  void AttachToCalls(llvm::Function& f) {
    llvm::DISubprogram* subprogram = nullptr;
    std::vector<llvm::Instruction*> waiting;
    llvm::DILocation* last = nullptr;
    for (llvm::BasicBlock& block : f) {
      for (llvm::Instruction& i : block) {
        waiting.push_back(&i);
        const auto* call = llvm::dyn_cast<llvm::CallInst>(&i);
        if (call == nullptr) continue;
        const auto at = by_function_.find(call->getCalledFunction());
        if (at == by_function_.end()) continue;
        if (subprogram == nullptr) subprogram = Subprogram(f, at->second);
        last = At(subprogram, at->second);
        for (llvm::Instruction* w : waiting) w->setDebugLoc(last);
        waiting.clear();
      }
    }
    for (llvm::Instruction* w : waiting) w->setDebugLoc(last);
  }

  llvm::Module& module_;
  const std::vector<std::pair<llvm::Function*, ir::Location>>& lines_;
  llvm::DIBuilder debug_;
  llvm::DICompileUnit* unit_ = nullptr;
  std::map<std::string, llvm::DIFile*> files_;
  std::map<const llvm::Function*, ir::Location> by_function_;
};

}  // namespace

std::vector<ir::Location> LocationsOf(std::span<const ir::Function* const> kernels) {
  std::map<std::string, ir::Location, std::less<>> layers;
  std::vector<const ir::Node*> main;
  for (const ir::Function* kernel : kernels) {
    for (const auto& n : kernel->nodes()) {
      if (!n->location().known() || n->location().scope_name().empty()) continue;
      layers.try_emplace(std::string(n->location().scope_name()), n->location());
    }
    main.push_back(ir::MainNode(*kernel));
  }
  std::vector<ir::Location> locations;
  for (const ir::Node* n : main) {
    ir::Location location = n == nullptr ? ir::Location() : n->location();
    const auto layer = layers.find(location.scope_name());
    if (layer != layers.end()) location = layer->second;
    locations.push_back(std::move(location));
  }
  return locations;
}

void EmitDebugLines(ModuleEmitter& emitter) { LineEmitter(emitter).Emit(); }

}  // namespace gradus::codegen
