#pragma once

// The part of a library around its entries: public functions and the constant tables that
// runtime/standalone reads. Private to codegen.

#include <span>
#include <string>

#include "codegen/library.h"
#include "codegen/module_emitter.h"

namespace gradus::codegen {

// The prefix of the entries for one level: <prefix>_internal_v3, and of those for one size of a
// symbol: <prefix>_internal_v3_B1.
std::string LevelPrefix(const Library& library, const LibraryLevel& level,
                        const LibrarySpecial* special = nullptr);
// The prefix of the entries that have one body: <prefix>_internal.
std::string OncePrefix(const Library& library);
// The name that a function of runtime/standalone has in the library: <prefix>_internal_run, but
// for <prefix>_strerror, which users call.
std::string StandaloneName(const Library& library, std::string_view name);

// The public functions, the tables, and the word that remembers the level.
absl::Status EmitInterface(ModuleEmitter& emitter, const Library& library,
                           std::span<const LibraryLevel> levels);
// The constant <prefix>_weights.
void EmitWeights(ModuleEmitter& emitter, const Library& library);

}  // namespace gradus::codegen
