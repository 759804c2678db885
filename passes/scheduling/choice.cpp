#include "passes/scheduling/choice.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "fmt/format.h"

namespace gradus::passes::scheduling {
namespace {

using Order = loop::Contraction::Order;

constexpr int kMostRows = 32, kMostVectors = 8, kMostUnroll = 8;
constexpr int64_t kMostTerms = int64_t{1} << 20;

bool ParseNumber(std::string_view text, int64_t low, int64_t high, int64_t& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end && number >= low && number <= high;
}

// One of two words.
template <typename T>
bool ParseWord(std::string_view text, std::pair<std::string_view, T> one,
               std::pair<std::string_view, T> other, T& value) {
  if (text != one.first && text != other.first) return false;
  value = text == one.first ? one.second : other.second;
  return true;
}

bool ParseTile(std::string_view text, Choice::Tile& tile) {
  const size_t by = text.find('x');
  int64_t rows = 0, vectors = 0;
  if (by == std::string_view::npos || !ParseNumber(text.substr(0, by), 1, kMostRows, rows) ||
      !ParseNumber(text.substr(by + 1), 1, kMostVectors, vectors)) {
    return false;
  }
  tile = {static_cast<int>(rows), static_cast<int>(vectors)};
  return true;
}

// "name=value" into the choice.
bool ParseField(std::string_view field, Choice& choice) {
  const size_t equals = field.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = field.substr(0, equals), value = field.substr(equals + 1);
  int64_t number = 0;
  if (name == "tile") return ParseTile(value, choice.tile.emplace());
  if (name == "order") {
    return ParseWord<Order>(value, {"columns", Order::kColumnsOuter}, {"rows", Order::kRowsOuter},
                            choice.order.emplace());
  }
  if (name == "unroll") {
    const bool good = ParseNumber(value, 1, kMostUnroll, number);
    choice.k_unroll = static_cast<int>(number);
    return good;
  }
  if (name == "block") {
    if (!choice.blocks) choice.blocks.emplace();
    return ParseNumber(value, 0, kMostTerms, choice.blocks->terms);
  }
  if (name == "panels") {
    if (!choice.blocks) choice.blocks.emplace();
    return ParseWord<bool>(value, {"yes", true}, {"no", false}, choice.blocks->panels);
  }
  if (name == "b") {
    return ParseWord<Choice::SideB>(value, {"transposed", Choice::SideB::kTranspose},
                                    {"swapped", Choice::SideB::kSwapRoles}, choice.b.emplace());
  }
  return false;
}

int64_t Number(const loop::Extent& extent) { return extent.is_number() ? extent.number() : 0; }

// All of K, 0 where a part is known only when called; what is inside of the loop in blocks.
int64_t Terms(std::span<const loop::Variable* const> k) {
  int64_t terms = 1;
  for (const loop::Variable* v : k) terms *= Number(v->extent());
  return terms;
}
int64_t TermsWithin(const loop::Contraction& c) {
  return Terms(std::span(c.k).subspan(static_cast<size_t>(c.k_level) + 1));
}

std::string WhyNot(const loop::Contraction& c, const Choice& wanted, const ir::Target& target) {
  const Choice made = ChoiceOf(c);
  const int64_t lanes = target.lanes(static_cast<int>(ir::ByteSize(c.dtype)));
  const int64_t rows = Number(c.m.back()->extent()), columns = Number(c.n->extent());
  if (wanted.tile) {
    if (!FitsRegisters(*wanted.tile, target)) {
      return fmt::format("the target has {} vector registers", target.vector_registers);
    }
    if (rows != 0 && wanted.tile->rows > rows) return fmt::format("there are {} rows", rows);
    if ((wanted.tile->vectors - 1) * lanes >= std::max<int64_t>(columns, 1)) {
      return fmt::format("there are {} columns, {} in a vector", columns, lanes);
    }
    if (made.tile != wanted.tile) return "its tile is another";
  }
  if (wanted.order && made.order != wanted.order) return "its order is another";
  if (wanted.k_unroll && made.k_unroll != wanted.k_unroll) return "it is unrolled otherwise";
  if (wanted.blocks) {
    const int64_t terms = Terms(c.k);
    if (terms != 0 && wanted.blocks->terms > terms)
      return fmt::format("the sum has {} terms", terms);
    if (wanted.blocks->terms == 0 && wanted.blocks->panels)
      return "panels are copied block by block";
    if ((wanted.blocks->terms > 0) != (c.k_block > 0)) return "its sum cannot run in blocks";
    if (wanted.blocks->panels != (c.b_panel_buffer >= 0)) return "its B cannot be copied";
  }
  if (wanted.b && made.b != wanted.b) return "its B cannot be turned so";
  return "";
}

}  // namespace

Choice Changed(Choice choice, const Choice& change) {
  if (change.tile) choice.tile = change.tile;
  if (change.order) choice.order = change.order;
  if (change.k_unroll) choice.k_unroll = change.k_unroll;
  if (change.blocks) choice.blocks = change.blocks;
  if (change.b) choice.b = change.b;
  return choice;
}

std::string ToString(const Choice& choice) {
  std::vector<std::string> words;
  if (choice.tile) {
    words.push_back(fmt::format("tile={}x{}", choice.tile->rows, choice.tile->vectors));
  }
  if (choice.order) {
    words.emplace_back(*choice.order == Order::kColumnsOuter ? "order=columns" : "order=rows");
  }
  if (choice.k_unroll) words.push_back(fmt::format("unroll={}", *choice.k_unroll));
  if (choice.blocks) {
    words.push_back(fmt::format("block={}", choice.blocks->terms));
    words.emplace_back(choice.blocks->panels ? "panels=yes" : "panels=no");
  }
  if (choice.b)
    words.emplace_back(*choice.b == Choice::SideB::kTranspose ? "b=transposed" : "b=swapped");
  return fmt::format("{}", fmt::join(words, " "));
}

absl::StatusOr<Choice> ParseChoice(std::string_view text) {
  Choice choice;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(" ,"), text.size());
    const std::string_view field = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (field.empty() || ParseField(field, choice)) continue;
    return absl::InvalidArgumentError(fmt::format(
        "'{}' says nothing of a schedule: expected words such as tile=12x2 (rows up to {}, vectors "
        "up to {}), order=columns or rows, unroll=2, block=512 (0: none), panels=yes or no, "
        "b=transposed or swapped",
        field, kMostRows, kMostVectors));
  }
  return choice;
}

std::string ToString(std::span<const Choice> choices) {
  std::string text;
  for (const Choice& choice : choices) {
    text += (&choice == choices.data() ? "" : "; ") + ToString(choice);
  }
  return text;
}

absl::StatusOr<std::vector<Choice>> ParseChoices(std::string_view text) {
  std::vector<Choice> choices;
  while (true) {
    const size_t end = std::min(text.find(';'), text.size());
    absl::StatusOr<Choice> choice = ParseChoice(text.substr(0, end));
    if (!choice.ok()) return choice.status();
    choices.push_back(*std::move(choice));
    if (end == text.size()) return choices;
    text.remove_prefix(end + 1);
    if (text.starts_with(' ')) text.remove_prefix(1);
  }
}

bool FitsRegisters(const Choice::Tile& tile, const ir::Target& target) {
  // The least that the table uses anywhere.
  const int registers = std::max(target.vector_registers, 8);
  return tile.rows * tile.vectors + tile.vectors < registers ||
         (tile.rows == 1 && tile.vectors < registers);  // each of B's is used once
}

Choice ChoiceOf(const loop::Contraction& c) {
  Choice choice;
  choice.tile = {c.tile_rows, c.tile_vectors};
  choice.order = c.order;
  choice.k_unroll = c.k_unroll;
  choice.blocks = {c.k_block > 0 ? c.k_block * TermsWithin(c) : 0, c.b_panel_buffer >= 0};
  if (c.b.how == kTransposed) choice.b = Choice::SideB::kTranspose;
  if (c.b.how == kSwapped) choice.b = Choice::SideB::kSwapRoles;
  return choice;
}

absl::Status CheckFollowed(const loop::Plan& plan, std::span<const Choice> choices,
                           const ir::Target& target) {
  size_t number = 0;
  for (const loop::Step& step : plan.steps) {
    const auto* c = std::get_if<loop::Contraction>(&step);
    if (c == nullptr) continue;
    if (number == choices.size()) return absl::OkStatus();
    const Choice& wanted = choices[number++];
    if (const std::string why = WhyNot(*c, wanted, target); !why.empty()) {
      return absl::InvalidArgumentError(fmt::format("@{}: product number {} cannot be '{}': {}",
                                                    plan.kernel, number, ToString(wanted), why));
    }
  }
  for (size_t i = number; i < choices.size(); ++i) {
    if (choices[i].empty()) continue;
    return absl::InvalidArgumentError(
        fmt::format("@{}: there is no product number {} for '{}', only {}", plan.kernel, i + 1,
                    ToString(choices[i]), number));
  }
  return absl::OkStatus();
}

}  // namespace gradus::passes::scheduling
