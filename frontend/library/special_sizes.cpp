#include "frontend/library/special_sizes.h"

#include <algorithm>
#include <set>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "ir/loop/entry_plan.h"
#include "ir/verifier.h"

namespace gradus {
namespace {

// Each makes a library larger by a body an entry and level.
constexpr size_t kMostSpecials = 16;

void AddSymbols(const Type& type, std::set<std::string>& names) {
  for (const Dim& d : type.shape) {
    if (d.is_symbol()) names.emplace(d.symbol().name());
  }
}

// Of what an entry takes.
std::set<std::string> SymbolsOf(const ir::Function& f) {
  std::set<std::string> names;
  for (int i = 0; i < f.num_args(); ++i) AddSymbols(f.arg(i).type(), names);
  return names;
}

}  // namespace

absl::Status CheckSpecialSizes(const std::vector<SpecialSize>& sizes) {
  if (sizes.size() > kMostSpecials) {
    return absl::InvalidArgumentError(
        fmt::format("library: {} sizes with code of their own, expected {} at most", sizes.size(),
                    kMostSpecials));
  }
  for (size_t i = 0; i < sizes.size(); ++i) {
    const auto& [symbol, size] = sizes[i];
    if (size < 1) {
      return absl::InvalidArgumentError(fmt::format(
          "library: there is no code for {}={}, expected a size of 1 or more", symbol, size));
    }
    if (std::find(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(i), sizes[i]) !=
        sizes.begin() + static_cast<std::ptrdiff_t>(i)) {
      return absl::InvalidArgumentError(
          fmt::format("library: {}={} is asked for twice", symbol, size));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ir::Module>> ForSize(const ir::Module& graph,
                                                    const SpecialSize& special) {
  const auto& [symbol, size] = special;
  auto copy = graph.Clone();
  std::vector<const ir::Function*> others;
  std::set<std::string> known;
  for (const auto& f : copy->functions()) {
    if (f->kind() == ir::FunctionKind::kGraph) {
      const auto symbols = SymbolsOf(*f);
      known.insert(symbols.begin(), symbols.end());
      if (!symbols.contains(symbol)) others.push_back(f.get());
    }
    f->ReplaceSymbol(ir::Symbol(symbol), size);
  }
  if (!known.contains(symbol)) {
    return absl::InvalidArgumentError(
        fmt::format("library: no entry has a size {}, so there is no code for {}={}\n  help: {}",
                    symbol, symbol, size,
                    known.empty() ? std::string("all sizes of the model are fixed")
                                  : fmt::format("expected one of {}", fmt::join(known, ", "))));
  }
  for (const ir::Function* f : others) copy->EraseFunction(f);
  if (absl::Status s = ir::Verify(*copy); !s.ok()) {
    return absl::InvalidArgumentError(fmt::format("library: the model cannot have {}={}: {}",
                                                  symbol, size, std::string(s.message())));
  }
  return copy;
}

absl::Status AddArenas(const codegen::LibrarySpecial& special, CInterface& interface) {
  for (CFunction& f : interface.functions) {
    std::vector<ir::Symbol> symbols = f.code.symbols;
    std::erase(symbols, special.symbol);
    for (const ir::Module* level : special.modules) {
      const ir::Function* entry = level->Find(f.entry);
      if (entry == nullptr) continue;
      if (entry->entry->symbols != symbols) {
        return absl::InternalError(
            fmt::format("library: @{} has other sizes with {}", f.entry, special.Name()));
      }
      const loop::Maximum& arena = entry->entry->workspace;
      const auto size = [&](ir::Symbol) { return special.size; };
      // What the code for all sizes needs for this one is mostly more.
      if (symbols.empty() && loop::ValueAt(arena, size) <= loop::ValueAt(f.code.arena, size)) {
        continue;
      }
      f.code.arena.Raise(arena);
    }
  }
  return absl::OkStatus();
}

}  // namespace gradus
