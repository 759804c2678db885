#include "codegen/perf_map.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "fmt/format.h"
#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"

namespace gradus::codegen {

namespace {

// Lines "start size name", in hexadecimal. The file is perf's own: what cannot be written is left
// out.
class PerfMap : public llvm::orc::ObjectLinkingLayer::Plugin {
 public:
  void modifyPassConfig(llvm::orc::MaterializationResponsibility& /*responsibility*/,
                        llvm::jitlink::LinkGraph& /*graph*/,
                        llvm::jitlink::PassConfiguration& config) override {
    // Calls within a section need no symbols, which would be pruned.
    config.PrePrunePasses.emplace_back([](llvm::jitlink::LinkGraph& graph) {
      for (llvm::jitlink::Symbol* s : graph.defined_symbols()) {
        if (s->hasName() && s->isCallable()) s->setLive(true);
      }
      return llvm::Error::success();
    });
    config.PostFixupPasses.emplace_back([](llvm::jitlink::LinkGraph& graph) {
      const std::string lines = Lines(graph);
      if (FILE* file = std::fopen(fmt::format("/tmp/perf-{}.map", getpid()).c_str(), "a")) {
        std::fwrite(lines.data(), 1, lines.size(), file);  // at once: threads may load code
        std::fclose(file);
      }
      return llvm::Error::success();
    });
  }
  llvm::Error notifyFailed(llvm::orc::MaterializationResponsibility& /*responsibility*/) override {
    return llvm::Error::success();
  }
  llvm::Error notifyRemovingResources(llvm::orc::JITDylib& /*library*/,
                                      llvm::orc::ResourceKey /*key*/) override {
    return llvm::Error::success();
  }
  void notifyTransferringResources(llvm::orc::JITDylib& /*library*/, llvm::orc::ResourceKey /*to*/,
                                   llvm::orc::ResourceKey /*from*/) override {}

 private:
  static std::string Lines(llvm::jitlink::LinkGraph& graph) {
    std::string lines;
    for (const llvm::jitlink::Symbol* s : graph.defined_symbols()) {
      if (!s->hasName() || !s->isCallable()) continue;
      const llvm::StringRef name = s->getName();
      lines += fmt::format("{:x} {:x} {}\n", s->getAddress().getValue(), s->getSize(),
                           std::string_view(name.data(), name.size()));
    }
    return lines;
  }
};

}  // namespace

void ListForPerf(llvm::orc::LLJIT& jit) {
  const char* wanted = std::getenv("GRADUS_PERF_MAP");
  if (wanted == nullptr || *wanted == '\0') return;
  auto* layer = llvm::dyn_cast<llvm::orc::ObjectLinkingLayer>(&jit.getObjLinkingLayer());
  if (layer != nullptr) layer->addPlugin(std::make_shared<PerfMap>());
}

}  // namespace gradus::codegen
