#pragma once

// The C interface of a library: which structures and functions a model's header declares, and where
// in them each argument and result of an entry lies. From this come the header (header.h) and the
// code behind it (codegen/library.h).

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "codegen/library.h"
#include "frontend/library/saved_model.h"

namespace gradus {

// A member of a structure: a tensor.
struct CField {
  std::string name;    // as in the graph: "hidden.kernel"
  std::string c_name;  // "hidden_kernel"
  Type type;           // of numbers only
  int64_t offset = 0, bytes = 0;
  std::string comment;  // beyond its type; may be empty
};
// A structure whose layout does not depend on the compiler: what is between fields is named, too.
struct CBlock {
  std::string c_type;  // "theft_parameters"
  std::vector<CField> fields;
  int64_t bytes = 0;
  int64_t alignment = 1;
  const CField* Find(std::string_view name) const;
};

// A parameter of a C function.
struct CParameter {
  enum class Kind : uint8_t { kBlock, kArray, kSize, kNumber };
  Kind kind = Kind::kArray;
  std::string c_name;
  std::string name;               // as in the graph
  const CBlock* block = nullptr;  // kBlock
  Type type;                      // kArray
  ir::Symbol symbol;              // kSize
  bool written = false;           // kBlock, kArray
};
struct CFunction {
  std::string entry;                   // "train_step"
  std::vector<CParameter> parameters;  // without the arena and the threads
  codegen::LibraryFunction code;       // parameters in the same order
};

struct CInterface {
  std::string prefix, macro;  // "theft", "THEFT"
  CBlock parameters, training, evaluation, step_result;
  std::vector<CFunction> functions;
  bool save = false, load = false;
  std::optional<int64_t> selftest_bytes;  // of the memory that selftest needs, if it is there
  const CFunction* Find(std::string_view entry) const;
};

// How the size of a symbol is called in C: "batch", "steps".
std::string SizeName(ir::Symbol symbol);
// Whether a name can be the prefix of symbols in C.
bool IsPrefix(std::string_view name);

// Of the entries in `levels`, each the module of `model` lowered for one level, and in `once`,
// which have one body for all. In the heap: its functions point at its blocks.
absl::StatusOr<std::unique_ptr<CInterface>> MakeInterface(
    const SavedModel& model, const std::string& prefix, const ir::Module& once,
    std::span<const std::unique_ptr<ir::Module>> levels);

}  // namespace gradus
