#include "frontend/library/levels.h"

#include <algorithm>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace gradus {
namespace {

struct Architecture {
  std::string_view name;                  // as codegen::ArchitectureOf says it
  std::vector<std::string_view> triples;  // what the triples of others begin with
  std::vector<std::string_view> targets;  // lowest first
  std::vector<std::string_view> by_default;
};

const std::vector<Architecture>& Architectures() {
  static const auto* const kAll = new std::vector<Architecture>{
      {"x86-64",
       {"x86_64", "amd64"},
       {"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"},
       {"x86-64-v2", "x86-64-v3", "x86-64-v4"}},
      {"aarch64", {"aarch64", "arm64"}, {"aarch64"}, {"aarch64"}},
      {"riscv64", {"riscv64"}, {"riscv64", "riscv64-v"}, {"riscv64"}},
      {"armv7e-m", {"thumbv7em", "armv7em", "armv7e-m"}, {"cortex-m4", "cortex-m7"}, {"cortex-m4"}},
      {"wasm32", {"wasm32"}, {"wasm32", "wasm32-simd128"}, {"wasm32"}},
  };
  return *kAll;
}

std::string Supported() {
  std::vector<std::string_view> names;
  for (const Architecture& a : Architectures()) {
    names.insert(names.end(), a.targets.begin(), a.targets.end());
  }
  return fmt::format("{}, or host", fmt::join(names, ", "));
}

std::string Host() {
  const std::string architecture = codegen::ArchitectureOf(codegen::HostTarget());
  std::string best;
  for (const Architecture& a : Architectures()) {
    if (a.name != architecture) continue;
    for (const std::string_view name : a.targets) {
      if (codegen::CheckRunsHere(*codegen::NamedTarget(name)).ok()) best = name;
    }
  }
  return best;
}

}  // namespace

absl::StatusOr<std::vector<codegen::LibraryLevel>> ChooseLevels(
    std::span<const std::string> names) {
  if (names.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("library: no target, expected some of {}", Supported()));
  }
  std::vector<codegen::LibraryLevel> levels;
  std::string_view first;  // the architecture
  for (const std::string& given : names) {
    const std::string name = given == "host" ? Host() : given;
    const Architecture* of = nullptr;
    for (const Architecture& a : Architectures()) {
      if (std::ranges::find(a.targets, name) != a.targets.end()) of = &a;
    }
    if (of == nullptr) {
      return absl::InvalidArgumentError(fmt::format(
          "library: cannot make a library for \"{}\", expected some of {}", given, Supported()));
    }
    const bool has_levels = of->name == "x86-64";
    const auto number =
        has_levels ? std::ranges::find(of->targets, name) - of->targets.begin() + 1 : 1;
    if (std::ranges::any_of(levels, [&](const auto& level) { return level.name == name; })) {
      continue;
    }
    if (!levels.empty() && (of->name != first || !has_levels)) {
      return absl::InvalidArgumentError(
          fmt::format("library: {} and {} do not go into one library\n  help: levels of x86-64 do, "
                      "for the program chooses; make one library for each other target",
                      levels.back().name, name));
    }
    first = of->name;
    auto target = codegen::NamedTarget(name);
    if (!target.ok()) return target.status();
    levels.push_back({name, static_cast<int>(number), *target, nullptr});
  }
  std::ranges::sort(levels, {}, &codegen::LibraryLevel::number);
  return levels;
}

absl::StatusOr<std::vector<std::string>> TargetsOf(std::string_view architecture,
                                                   std::span<const std::string> names) {
  const std::string_view processor = architecture.substr(0, architecture.find('-'));
  std::vector<std::string_view> known;
  for (const Architecture& a : Architectures()) {
    known.push_back(a.name);
    if (a.name != architecture && std::ranges::find(a.triples, processor) == a.triples.end() &&
        std::ranges::find(a.triples, architecture) == a.triples.end()) {
      continue;
    }
    if (names.empty()) return std::vector<std::string>(a.by_default.begin(), a.by_default.end());
    for (const std::string& name : names) {
      if (std::ranges::find(a.targets, name) != a.targets.end()) continue;
      return absl::InvalidArgumentError(
          fmt::format("\"{}\" is no processor of {}, expected some of {}", name, a.name,
                      fmt::join(a.targets, ", ")));
    }
    return std::vector<std::string>(names.begin(), names.end());
  }
  return absl::InvalidArgumentError(
      fmt::format("unknown architecture \"{}\", expected one of {}, or a triple that begins with "
                  "one",
                  architecture, fmt::join(known, ", ")));
}

}  // namespace gradus
