#pragma once

// From a model to a static library that C and C++ programs link: lib<name>.a, <name>.h, <name>.pc.
//
//   Model m = ...;
//   Weights weights = trainer.CloneWeights().value();
//   LibraryReport report =
//       WriteLibrary(m, {.training = &training, .weights = &weights}, {.folder = "out"}).value();
//   puts(report.Card().c_str());
//
// The same input gives the same bytes.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "codegen/library.h"
#include "frontend/library/saved_model.h"

namespace gradus {

// Where a program finds the model's weights.
enum class WeightsIn : uint8_t {
  kCaller,   // it brings them: init, load, or memory of its own
  kFile,     // <name>.safetensors beside the library, for load
  kLibrary,  // the constant <prefix>_weights
};

struct LibraryOptions {
  std::string folder = ".";  // must be there
  std::string name;          // of the files; empty: the model's
  std::string prefix;        // of all symbols; empty: the name
  // Of init, forward, evaluate, train_step, step, save, load, selftest. Empty: all that the model
  // has. A model has step if it can be fed sample by sample (passes/one_step.h).
  std::vector<std::string> entries;
  WeightsIn weights = WeightsIn::kCaller;
  // Levels of x86-64 by name, any order, or one other target; see levels.h.
  std::vector<std::string> targets = {"x86-64-v2", "x86-64-v3", "x86-64-v4"};
  std::string pipeline = "default";  // or "none": without optimisation, to compare with
  bool small = true;                 // false: the very code that Compile makes in memory
  // DWARF line tables that point at the model's source. They are no part of what is loaded.
  bool debug_lines = true;
  // No undefined symbol at all, and no question to an operating system: an error if the code needs
  // one.
  bool freestanding = false;
  // Sizes of symbols, "B" and 1, that have code of their own beside the code for all sizes: faster,
  // and with bits of its own where a sum is added in another order.
  std::vector<std::pair<std::string, int64_t>> specialize;
  // What to write: lib (the archive, the header and the .pc file), obj (its members), and for each
  // level llvm, asm, loops; graph (the entries before any pass).
  std::vector<std::string> emit = {"lib"};
  // As in CompileOptions.
  std::map<std::string, int64_t, std::less<>> sizes;
  int64_t max_arena = 0;
};

struct LibraryReport {
  std::vector<std::string> files;
  std::string name, prefix;
  std::vector<std::string> levels;
  std::vector<std::string> entries;
  std::vector<std::string> specials;  // "B1"
  codegen::LibrarySummary summary;
  int64_t archive_bytes = 0;
  int64_t parameters = 0, weights_bytes = 0;
  struct Arena {
    std::string entry, formula;  // "64 + 1024*B"
    int64_t bytes = 0;           // with every symbol at 32
    double operations = 0;       // multiplications and additions of sums of products there
  };
  std::vector<Arena> arenas;

  // All of this, in a dozen lines.
  std::string Card() const;
};

// Files are written beside and renamed; on an error none of them has changed. Errors: an entry, a
// target or a name that there is not; an arena above max_arena; a model that weights do not fit.
absl::StatusOr<LibraryReport> WriteLibrary(const SavedModel& model, const LibraryOptions& options);
absl::StatusOr<LibraryReport> WriteLibrary(const Model& model, const SaveOptions& contents,
                                           const LibraryOptions& options);

}  // namespace gradus
