#include "codegen/debugger.h"

#include <dlfcn.h>

#include <mutex>
#include <string>
#include <vector>

#include "llvm/ExecutionEngine/Orc/DebugObjectManagerPlugin.h"
#include "llvm/ExecutionEngine/Orc/EPCDebugObjectRegistrar.h"
#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"
#include "llvm/ExecutionEngine/Orc/TargetProcess/JITLoaderGDB.h"

namespace gradus::codegen {

namespace {

// What debuggers look for: a list of objects, and a function that they stop at.
struct Interface {
  jit_descriptor* descriptor = nullptr;
  void (*changed)() = nullptr;
};

// LLVM's. Looked up, since a program that names the list gets one of its own, which is not beside
// the function.
Interface Find() {
  return {static_cast<jit_descriptor*>(dlsym(RTLD_DEFAULT, "__jit_debug_descriptor")),
          reinterpret_cast<void (*)()>(dlsym(RTLD_DEFAULT, "__jit_debug_register_code"))};
}

// LLVM's plugin makes the objects: those that were linked, their sections where they were loaded.
// Its own registrar never takes one from the list, though their memory goes with the code.
class Registrar : public llvm::orc::DebugObjectRegistrar {
 public:
  explicit Registrar(const Interface& interface) : interface_(interface) {}
  ~Registrar() override {
    const std::lock_guard lock(Mutex());
    for (const auto& object : objects_) Remove(object->entry);
  }

  llvm::Error registerDebugObject(llvm::orc::ExecutorAddrRange memory, bool /*notify*/) override {
    const std::lock_guard lock(Mutex());
    auto object = std::make_unique<Object>();
    object->bytes.assign(memory.Start.toPtr<const char*>(), memory.size());
    object->entry.symfile_addr = object->bytes.data();
    object->entry.symfile_size = object->bytes.size();
    Add(object->entry);
    objects_.push_back(std::move(object));
    return llvm::Error::success();
  }

 private:
  struct Object {
    std::string bytes;
    jit_code_entry entry{};
  };

  // The list belongs to the process.
  static std::mutex& Mutex() {
    static std::mutex mutex;
    return mutex;
  }

  void Add(jit_code_entry& entry) const {
    entry.next_entry = interface_.descriptor->first_entry;
    if (entry.next_entry != nullptr) entry.next_entry->prev_entry = &entry;
    interface_.descriptor->first_entry = &entry;
    Notify(entry, JIT_REGISTER_FN);
  }

  void Remove(jit_code_entry& entry) const {
    jit_code_entry*& from = entry.prev_entry == nullptr ? interface_.descriptor->first_entry
                                                        : entry.prev_entry->next_entry;
    from = entry.next_entry;
    if (entry.next_entry != nullptr) entry.next_entry->prev_entry = entry.prev_entry;
    Notify(entry, JIT_UNREGISTER_FN);
  }

  void Notify(jit_code_entry& entry, jit_actions_t action) const {
    interface_.descriptor->relevant_entry = &entry;
    interface_.descriptor->action_flag = action;
    interface_.changed();
  }

  Interface interface_;
  std::vector<std::unique_ptr<Object>> objects_;
};

llvm::Error Cannot(const char* why) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 "no lines for debuggers: %s; compile without debug_lines", why);
}

}  // namespace

llvm::Error ShowToDebuggers(llvm::orc::LLJIT& jit) {
  auto* layer = llvm::dyn_cast<llvm::orc::ObjectLinkingLayer>(&jit.getObjLinkingLayer());
  if (layer == nullptr) return Cannot("this processor's code is not linked by JITLink");
  const Interface interface = Find();
  if (interface.descriptor == nullptr || interface.changed == nullptr) {
    return Cannot("this program does not export __jit_debug_descriptor");
  }
  layer->addPlugin(std::make_shared<llvm::orc::DebugObjectManagerPlugin>(
      jit.getExecutionSession(), std::make_unique<Registrar>(interface),
      /*RequireDebugSections=*/true, /*AutoRegisterCode=*/true));
  return llvm::Error::success();
}

}  // namespace gradus::codegen
