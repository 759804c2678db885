#pragma once

// What of a contraction's schedule can be chosen from outside, by measurement (frontend/tune.h) or
// by a test, rather than by the tables. What a choice leaves open is decided as ever. As text:
//
//   tile=12x2 order=rows unroll=2 block=512 panels=yes b=swapped

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/loop/plan.h"
#include "ir/target.h"

namespace gradus::passes::scheduling {

// How a B without stride 1 along n is laid out, as plans print it.
inline constexpr std::string_view kTransposed = "pack=transpose", kSwapped = "pack=panels";

struct RegisterTile {
  int rows = 1, vectors = 1;
  bool operator==(const RegisterTile&) const = default;
};

struct KBlocks {
  int64_t terms = 0;    // about so many in a block of K; 0: K in one loop
  bool panels = false;  // each block of B is copied into panels
  bool operator==(const KBlocks&) const = default;
};

struct Choice {
  using Tile = RegisterTile;
  using Blocks = KBlocks;
  enum class SideB : uint8_t { kTranspose, kSwapRoles };  // for a B without stride 1 along n

  std::optional<Tile> tile;
  std::optional<loop::Contraction::Order> order;
  std::optional<int> k_unroll;
  std::optional<Blocks> blocks;
  std::optional<SideB> b;
  std::string why;  // for people: "8 % less time than 6x4"; stands in the plan, decides nothing

  // True if it leaves everything open.
  bool empty() const { return !tile && !order && !k_unroll && !blocks && !b; }
};

// `choice` with what `change` says in its place.
Choice Changed(Choice choice, const Choice& change);

// The form above, without `why`; "" for an empty choice.
std::string ToString(const Choice& choice);
// Reads what ToString writes (spaces or commas between). Errors: a word or a number that it does
// not know, or what no target could do.
absl::StatusOr<Choice> ParseChoice(std::string_view text);
// The choices for a kernel's products, in order, with "; " between.
std::string ToString(std::span<const Choice> choices);
absl::StatusOr<std::vector<Choice>> ParseChoices(std::string_view text);

// Whether the target's registers hold the tile: its accumulators, a row of B, and an element of A.
bool FitsRegisters(const Choice::Tile& tile, const ir::Target& target);

// What a contraction came to be, in all that could have been chosen.
Choice ChoiceOf(const loop::Contraction& contraction);

// Whether the plan's contractions are what was chosen for them, in order. A choice that could not
// be followed (roles that cannot be swapped, blocks longer than the sum, more rows than there are)
// is an error that says which.
absl::Status CheckFollowed(const loop::Plan& plan, std::span<const Choice> choices,
                           const ir::Target& target);

}  // namespace gradus::passes::scheduling
