#include "tools/driver/arena.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "fmt/format.h"

namespace gradus::tools {
namespace {

constexpr std::array<std::pair<std::string_view, int64_t>, 5> kUnits = {{
    {"", 1},
    {"B", 1},
    {"KiB", int64_t{1} << 10},
    {"MiB", int64_t{1} << 20},
    {"GiB", int64_t{1} << 30},
}};
constexpr double kMostBytes = 1e15;

bool ParseBytes(std::string_view text, int64_t& bytes) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  for (const auto& [name, factor] : kUnits) {
    const double product = number * static_cast<double>(factor);
    if (unit != name || !(product >= 1 && product <= kMostBytes)) continue;
    bytes = static_cast<int64_t>(product);
    return true;
  }
  return false;
}

// "B=32".
bool ParseSize(std::string_view text, passes::PassContext& context) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  int64_t size = -1;
  const std::string_view digits = text.substr(equals + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
  if (error != std::errc() || end != digits.data() + digits.size() || size < 0) return false;
  context.sizes[std::string(text.substr(0, equals))] = size;
  return true;
}

}  // namespace

absl::Status SetArena(std::string_view max_arena, std::span<const std::string> dims,
                      passes::PassContext& context) {
  for (const std::string& dim : dims) {
    if (!ParseSize(dim, context)) {
      return absl::InvalidArgumentError(
          fmt::format("--dim={}: expected SYMBOL=SIZE, such as B=32", dim));
    }
  }
  if (max_arena.empty()) return absl::OkStatus();
  const size_t at = max_arena.find('@');
  bool good = ParseBytes(max_arena.substr(0, at), context.max_arena);
  std::string_view sizes = at == std::string_view::npos ? "" : max_arena.substr(at + 1);
  good = good && (at == std::string_view::npos || !sizes.empty());
  while (good && !sizes.empty()) {
    const size_t comma = std::min(sizes.find(','), sizes.size());
    good = ParseSize(sizes.substr(0, comma), context);
    sizes.remove_prefix(std::min(comma + 1, sizes.size()));
  }
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("--max-arena={}: expected BYTES[@SYMBOL=SIZE,..], such as 2MiB@B=32", max_arena));
}

}  // namespace gradus::tools
