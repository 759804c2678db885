#include "codegen/object_cache.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <gradus_source_hash.h>
#include "codegen/object.h"
#include "codegen/plan_text.h"
#include "fmt/format.h"
#include "ir/loop/entry_plan.h"
#include "ir/printer.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/xxhash.h"

namespace gradus::codegen {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "gradus object 1\n";

uint64_t Checksum(std::string_view bytes) {
  return llvm::xxh3_64bits(llvm::StringRef(bytes.data(), bytes.size()));
}

std::string EntryPath(const std::string& dir, const std::string& key, std::string_view ending) {
  return fmt::format("{}/{}{}", dir, key, ending);
}

constexpr std::string_view kNote = ".note";

// Of a note: what stands in the place of a program's graph.
std::string NoteKey(const CodegenOptions& options, std::string_view about) {
  CodegenOptions of_note;
  of_note.target = options.target;
  of_note.cache_key = fmt::format("note\n{}", about);
  return CacheKey(ir::Module("note"), of_note);
}

}  // namespace

std::string DefaultCacheDir() {
  auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  if (std::getenv("GRADUS_CACHE_DIR") != nullptr) {
    std::string dir = variable("GRADUS_CACHE_DIR");
    return dir == "off" ? "" : dir;
  }
  std::string base = variable("XDG_CACHE_HOME");
  if (!base.empty()) return base + "/gradus";
  std::string home = variable("HOME");
  return home.empty() ? "" : home + "/.cache/gradus";
}

std::string CacheKey(const ir::Module& module, const CodegenOptions& options) {
  llvm::SHA256 hash;
  auto add = [&](std::string_view text) {
    std::string length = fmt::format("{}:", text.size());
    hash.update(length);
    hash.update(llvm::StringRef(text.data(), text.size()));
  };
  add(fmt::format("gradus {} llvm {}", GRADUS_SOURCE_HASH, LLVM_VERSION_STRING));
  add(ChecksAddresses() ? "addresses are checked" : "");
  const ir::Target& t = options.target;
  add(options.prefix);
  add(t.triple);
  add(t.cpu);
  add(t.features);
  add(fmt::format("{} {} {} {} {} {} {} {} {} {} {} {}", t.vector_bytes, t.vector_registers,
                  t.pointer_bytes, t.has_fma, t.has_rounding, t.has_i64_to_float,
                  t.has_masked_memory, t.has_tables, t.far_caches, t.l1_bytes, t.l2_bytes,
                  t.l3_bytes));
  add(fmt::format("{} {} {}", t.sharing.least_work, t.sharing.part_work, t.sharing.part_rows));
  const bool lines = options.debug_lines;
  add(lines ? "lines" : "");
  if (!options.cache_key.empty()) {
    add(options.cache_key);
  } else {
    add(ir::Print(module, {.locations = lines, .text_locations = lines, .loops = false}));
    for (const auto& f : module.functions()) {
      if (f->plan != nullptr) add(PlanText(*f->plan));
      if (f->entry != nullptr) add(loop::Print(*f->entry));
    }
  }
  std::array<uint8_t, 32> digest = hash.final();
  return llvm::toHex(digest, true);
}

// An entry: magic, key, length and checksum of the object (8 bytes each), object.
std::optional<std::string> ReadCache(const std::string& dir, const std::string& key,
                                     std::string_view ending) {
  std::ifstream in(EntryPath(dir, key, ending), std::ios::binary);
  if (!in) return std::nullopt;
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::string_view rest = bytes;
  if (!rest.starts_with(kMagic)) return std::nullopt;
  rest.remove_prefix(kMagic.size());
  if (!rest.starts_with(key)) return std::nullopt;
  rest.remove_prefix(key.size());
  uint64_t length = 0, checksum = 0;
  if (rest.size() < 16) return std::nullopt;
  std::memcpy(&length, rest.data(), 8);
  std::memcpy(&checksum, rest.data() + 8, 8);
  rest.remove_prefix(16);
  if (rest.size() != length || Checksum(rest) != checksum) return std::nullopt;
  return std::string(rest);
}

void WriteCache(const std::string& dir, const std::string& key, std::string_view object,
                std::string_view ending) {
  std::error_code error;
  fs::create_directories(dir, error);
  std::string path = EntryPath(dir, key, ending);
  std::string temporary = fmt::format("{}.{}.{:x}", path, getpid(), Checksum(object));
  {
    std::ofstream out(temporary, std::ios::binary);
    uint64_t header[2] = {object.size(), Checksum(object)};
    out << kMagic << key;
    out.write(reinterpret_cast<const char*>(header), sizeof header);
    out.write(object.data(), static_cast<std::streamsize>(object.size()));
    out.close();
    if (!out) {
      fs::remove(temporary, error);
      return;
    }
  }
  fs::rename(temporary, path, error);
  if (error) fs::remove(temporary, error);
}

std::optional<std::string> ReadNote(const CodegenOptions& options, std::string_view about) {
  if (options.cache_dir.empty()) return std::nullopt;
  return ReadCache(options.cache_dir, NoteKey(options, about), kNote);
}

void WriteNote(const CodegenOptions& options, std::string_view about, std::string_view note) {
  if (options.cache_dir.empty()) return;
  WriteCache(options.cache_dir, NoteKey(options, about), note, kNote);
}

}  // namespace gradus::codegen
