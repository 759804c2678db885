// Code is emitted as it should run: vectors, hoisted invariants, constant offsets; so it is
// verified and goes to instruction selection as it is. What IR passes would do, measured on the
// training steps of benchmarks/training_step.cpp (Zen 5, AVX-512, the least CPU time of 24 runs):
// early-cse, instcombine, gvn, licm and the whole pipeline of -O2 leave the time of a step where it
// is (2.90 us and 577 us; each within 3 %, which is the noise). gvn, early-cse and instcombine take
// out 1 % of the instructions and add 7 % to 14 % to the time to compile; licm adds instructions;
// -O2 adds 80 %.

#include "codegen/object.h"
#include "fmt/format.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"

namespace gradus::codegen {

absl::Status Verify(llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream out(text);
  if (llvm::verifyModule(module, &out)) {
    return absl::InternalError(
        fmt::format("codegen: generated code does not verify: {}", out.str()));
  }
  return absl::OkStatus();
}

}  // namespace gradus::codegen
