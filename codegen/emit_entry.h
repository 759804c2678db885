#pragma once

// Entries: the C functions of runtime/abi.h that call kernels in order, and the constant that
// describes each. Private to codegen.

#include "absl/status/status.h"
#include "codegen/compile.h"
#include "codegen/module_emitter.h"
#include "ir/module.h"

namespace gradus::codegen {

// Every graph function with an EntryPlan, and the kernels that they call. With options.profile the
// symbol <prefix>_profile is a table of one KernelTime (codegen/compile.h) a kernel, to which
// entries add.
absl::Status EmitModule(ModuleEmitter& emitter, const ir::Module& module,
                        const CodegenOptions& options);

}  // namespace gradus::codegen
