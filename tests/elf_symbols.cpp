#include "tests/elf_symbols.h"

#include <elf.h>

#include <cstring>
#include <optional>

namespace gradus::tests {
namespace {

template <typename T>
std::optional<T> ReadAt(std::string_view bytes, size_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T record;
  std::memcpy(&record, bytes.data() + offset, sizeof(T));
  return record;
}

std::string NameAt(std::string_view bytes, size_t offset) {
  if (offset >= bytes.size()) return "(a name outside the file)";
  const std::string_view rest = bytes.substr(offset);
  return std::string(rest.substr(0, rest.find('\0')));
}

}  // namespace

std::vector<std::string> UndefinedSymbols(std::string_view object) {
  std::vector<std::string> no_object = {"(no ELF object)"};
  const auto header = ReadAt<Elf64_Ehdr>(object, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_type != ET_REL) {
    return no_object;
  }
  const auto section = [&](size_t i) {
    return ReadAt<Elf64_Shdr>(object, header->e_shoff + i * sizeof(Elf64_Shdr));
  };
  std::vector<std::string> names;
  bool any = false;
  for (size_t i = 0; i < header->e_shnum; ++i) {
    const auto table = section(i);
    if (!table) return no_object;
    if (table->sh_type != SHT_SYMTAB) continue;
    const auto strings = section(table->sh_link);
    if (!strings) return no_object;
    for (size_t at = sizeof(Elf64_Sym); at < table->sh_size; at += sizeof(Elf64_Sym)) {
      const auto symbol = ReadAt<Elf64_Sym>(object, table->sh_offset + at);
      if (!symbol) return no_object;
      any = true;
      if (symbol->st_shndx == SHN_UNDEF)
        names.push_back(NameAt(object, strings->sh_offset + symbol->st_name));
    }
  }
  return any ? names : no_object;
}

std::string ForeignSymbols(std::string_view object) {
  std::string foreign;
  for (const std::string& name : UndefinedSymbols(object)) {
    if (name == "memcpy" || name == "memset" || name == "memmove") continue;
    if (kAddressesAreChecked && name.starts_with("__asan_")) continue;
    foreign += (foreign.empty() ? "" : ", ") + name;
  }
  return foreign;
}

}  // namespace gradus::tests
