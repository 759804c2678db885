#pragma once

// A static library that needs nothing: entries with a C interface of their own, for several levels
// of a processor, beside the checks, tables and weights that they need (runtime/standalone).
//
// What the interface looks like is decided by who calls this: a Library says, for every public
// function, its C parameters, and where each argument and result of the entry lies in the memory
// behind them. Undefined symbols of the result are at most memcpy, memmove and memset.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/loop/size.h"
#include "ir/module.h"
#include "ir/target.h"

namespace gradus::codegen {

// A pointer of a public function: what it points at is `bytes` long, times the sizes of symbols.
struct LibraryPointer {
  int64_t bytes = 0;
  std::vector<int> symbols;  // into LibraryFunction::symbols
  int64_t alignment = 1;     // of its elements
  bool written = false;
};
// Where an argument or a result of the entry lies.
struct LibrarySlot {
  int pointer = 0;
  int64_t offset = 0;
};
// A parameter of the C function, in order: a pointer, the size of a symbol (int64_t), or a number
// (int64_t) whose address is given as a pointer.
struct LibraryParameter {
  enum class Kind : uint8_t { kPointer, kSize, kNumber };
  Kind kind = Kind::kPointer;
  int index = 0;  // of the pointer, or of the symbol
};
// <prefix>_<entry>(parameters..., void* arena, size_t arena_bytes), and with `threads` also
// <prefix>_<entry>_threads with a gradus_threads* behind these.
struct LibraryFunction {
  std::string entry;
  std::vector<ir::Symbol> symbols;  // in the order of the entry's plan
  std::vector<LibraryPointer> pointers;
  std::vector<LibraryParameter> parameters;
  std::vector<LibrarySlot> arguments, results;  // as many as the entry has
  loop::Maximum arena;                          // enough for every level
  bool threads = false;
  // Else there is one body, in Library::once, for all: the same bits everywhere.
  bool every_level = true;
};

// Code for one size of a symbol: of the entries that these modules hold, one module a level. They
// have the symbols of LibraryFunction but for this one. An entry takes the first that fits.
struct LibrarySpecial {
  ir::Symbol symbol;
  int64_t size = 0;
  std::vector<const ir::Module*> modules;
  std::string Name() const;  // "B1"
};

// A parameter of the model in the structure of all weights, and in a file of them.
struct LibraryWeight {
  std::string name, dtype, shape;  // dtype, shape: as in safetensors, "F32" and "[12,64]"
  int64_t bytes = 0, offset = 0, saved = 0;
};
struct LibraryWeights {
  std::vector<LibraryWeight> parameters;
  int64_t block_bytes = 0, alignment = 1;
  std::string header;  // of a saved file, its length in front
  int64_t file_bytes = 0;
  bool save = false, load = false;      // <prefix>_save, <prefix>_load
  std::optional<std::string> embedded;  // the bytes of the structure: the constant <prefix>_weights
};

// How the state of a training starts: `count` elements from `offset` on; all others are 0.
struct LibraryFill {
  int64_t offset = 0, count = 0;
  ir::DType dtype = ir::DType::kF32;
  double value = 0;
};
// <prefix>_train_start; <prefix>_step_start, of each row of a batch.
struct LibraryStart {
  std::vector<LibraryFill> fills;
  int64_t block_bytes = 0, alignment = 1, seed_offset = -1;
};

// Elements that a self-test draws, or compares (gradus_drawn).
struct LibraryDraw {
  int64_t offset = 0, count = 0;
  int pointer = 0;
  ir::DType dtype = ir::DType::kF32;
  double low = 0, span = 0;
};
// <prefix>_selftest (gradus_selftest).
struct LibraryPassport {
  std::string bytes;  // a gradus_passport
  std::string entry;  // that is called; empty: none
  int64_t size = 0, memory = 0, dims = 0, arena = 0;
  std::vector<int64_t> places;
  std::vector<LibraryDraw> drawn, results;
};

struct Library {
  bool small = true;         // as in CodegenOptions
  bool debug_lines = false;  // as in CodegenOptions
  std::string prefix;        // of all symbols
  // Of the environment, which chooses a level: "THEFT_ISA". Empty: there is none to ask.
  std::string variable;
  std::vector<LibraryFunction> functions;
  std::vector<LibrarySpecial> specials;
  const ir::Module* once = nullptr;  // lowered for the lowest level
  LibraryWeights weights;
  std::optional<LibraryStart> start, step_start;
  std::optional<LibraryPassport> passport;
};

// The same entries, lowered for one level of a processor.
struct LibraryLevel {
  std::string name;  // "x86-64-v3"
  int number = 0;    // 3
  ir::Target target;
  const ir::Module* module = nullptr;
};

// A member of the library.
struct LibraryObject {
  std::string name;  // "theft_x86-64-v3.o"
  std::string bytes;
};

// All members. Levels are of one architecture, lowest first.
absl::StatusOr<std::vector<LibraryObject>> EmitLibrary(const Library& library,
                                                       std::span<const LibraryLevel> levels);
// A static library of these members with an index of symbols: the same bytes for the same members.
absl::StatusOr<std::string> Archive(std::span<const LibraryObject> members);

// What is in a library.
struct LibrarySize {
  int64_t code = 0;       // instructions
  int64_t constants = 0;  // read-only data, and tables that are so after loading
  int64_t data = 0;       // zero-filled or writable
  int64_t total() const { return code + constants + data; }
};
struct LibrarySummary {
  std::vector<std::pair<std::string, LibrarySize>> members;
  std::vector<std::string> undefined;  // that no member defines; sorted
};
absl::StatusOr<LibrarySummary> Summarize(std::span<const LibraryObject> members);

}  // namespace gradus::codegen
