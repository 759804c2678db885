#pragma once

// LLVM IR to machine code. Private to codegen.

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "ir/target.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace gradus::codegen {

// An error for what DefaultTarget made of an unknown name (target.cpp).
absl::Status CheckKnown(const ir::Target& target);

absl::StatusOr<std::unique_ptr<llvm::TargetMachine>> MakeTargetMachine(const ir::Target& target);

// Makes `module`, which is empty, one for this machine.
void SetTarget(llvm::Module& module, const llvm::TargetMachine& machine);

// Object bytes or assembly text. The module must have the machine's data layout (SetTarget).
absl::StatusOr<std::string> Assemble(llvm::Module& module, llvm::TargetMachine& machine,
                                     bool object);

// An internal error if the code is not valid LLVM IR. (No IR pass runs; verify.cpp says why.)
absl::Status Verify(llvm::Module& module);

// Whether this program is under AddressSanitizer, and the checks that its generated code then
// makes.
bool ChecksAddresses();
void CheckAddresses(llvm::Module& module);

// Runs `body`; what LLVM reports as a fatal error inside becomes its status. One thread at a time.
absl::Status CatchFatalErrors(const std::function<absl::Status()>& body);

}  // namespace gradus::codegen
