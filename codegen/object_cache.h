#pragma once

// Object bytes on disk, by the hash of all that decides them. Private to codegen.

#include <optional>
#include <string>
#include <string_view>

#include "codegen/compile.h"

namespace gradus::codegen {

// 64 hex digits: a hash of the module's text, plans, options, CPU features, and the versions of
// Gradus and LLVM. Needs no LLVM IR.
std::string CacheKey(const ir::Module& module, const CodegenOptions& options);

// Nothing if there is no entry, or if the entry is not whole: wrong magic, key, length or checksum.
std::optional<std::string> ReadCache(const std::string& dir, const std::string& key,
                                     std::string_view ending = ".o");
// Written to a temporary name, then renamed: readers see whole entries. A failure to write is no
// error.
void WriteCache(const std::string& dir, const std::string& key, std::string_view object,
                std::string_view ending = ".o");

}  // namespace gradus::codegen
