// Code is emitted as it should run: vectors, hoisted invariants, constant offsets. No IR pass was
// found to pay: code generation alone is as fast, and instruction selection is where compile time
// goes.

#include "codegen/object.h"
#include "fmt/format.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"

namespace gradus::codegen {

absl::Status Optimize(llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream out(text);
  if (llvm::verifyModule(module, &out)) {
    return absl::InternalError(
        fmt::format("codegen: generated code does not verify: {}", out.str()));
  }
  return absl::OkStatus();
}

}  // namespace gradus::codegen
