#include "runtime/npy_header.h"

#include <optional>
#include <utility>

#include "fmt/format.h"

namespace gradus::runtime {
namespace {

// Reads one header from left to right; nothing in it nests, so nothing here recurses.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, NpyRefusal refuse) : text_(text), refuse_(refuse) {}

  absl::StatusOr<NpyHeader> Parse() {
    NpyHeader header;
    bool has_descr = false, has_order = false, has_shape = false;
    if (!Take('{')) return Bad("expected `{`");
    while (!Take('}')) {
      std::optional<std::string_view> key = String();
      if (!key) return Bad("expected a key in quotes or `}`");
      if (!Take(':')) return Bad("expected `:`");
      if (*key == "descr") {
        if (std::exchange(has_descr, true)) return Bad("`descr` stands twice");
        if (Peek() == '[')
          return refuse_(
              "a structured dtype is not supported, save its fields as arrays of their own");
        std::optional<std::string_view> descr = String();
        if (!descr) return Bad("expected a dtype in quotes");
        header.descr = *descr;
      } else if (*key == "fortran_order") {
        if (std::exchange(has_order, true)) return Bad("`fortran_order` stands twice");
        if (TakeWord("True")) {
          header.fortran_order = true;
        } else if (!TakeWord("False")) {
          return Bad("expected True or False");
        }
      } else if (*key == "shape") {
        if (std::exchange(has_shape, true)) return Bad("`shape` stands twice");
        if (absl::Status status = Shape(header.shape); !status.ok()) return status;
      } else {
        return Bad(fmt::format("unknown key `{}`, expected descr, fortran_order and shape",
                               NpyExcerpt(*key)));
      }
      if (!Take(',') && Peek() != '}') return Bad("expected `,` or `}`");
    }
    if (Peek() != '\0' || at_ != text_.size()) return Bad("expected nothing but spaces after `}`");
    if (!has_descr) return refuse_("the header has no `descr`");
    if (!has_order) return refuse_("the header has no `fortran_order`");
    if (!has_shape) return refuse_("the header has no `shape`");
    return header;
  }

 private:
  absl::Status Bad(std::string_view what) const {
    return refuse_(fmt::format("malformed header at byte {}: {}, got `{}`", at_, what,
                               NpyExcerpt(text_.substr(at_))));
  }

  // The next character that is no space, or zero at the end.
  char Peek() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool Take(char c) {
    if (Peek() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  bool TakeWord(std::string_view word) {
    Peek();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  std::optional<std::string_view> String() {
    char quote = Peek();
    if (quote != '\'' && quote != '"') return std::nullopt;
    size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return std::nullopt;
    std::string_view content = text_.substr(at_ + 1, end - at_ - 1);
    if (content.find('\\') != std::string_view::npos) return std::nullopt;
    at_ = end + 1;
    return content;
  }
  // "(2, 3)", "(2,)", "()"; Python 2 wrote "(2L, 3L)".
  absl::Status Shape(std::vector<int64_t>& shape) {
    if (!Take('(')) return Bad("expected a shape in parentheses");
    bool comma = true;  // before the first size none is needed
    while (!Take(')')) {
      if (!comma) return Bad("expected `,` or `)`");
      if (Peek() == '-') return Bad("expected a size of 0 or more");
      if (Peek() < '0' || Peek() > '9') return Bad("expected a size");
      int64_t size = 0;
      for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
        if (__builtin_mul_overflow(size, 10, &size) ||
            __builtin_add_overflow(size, text_[at_] - '0', &size)) {
          return Bad("expected a size below 2^63");
        }
      }
      if (at_ < text_.size() && text_[at_] == 'L') ++at_;
      if (shape.size() == kNpyMaxRank)
        return Bad(fmt::format("expected at most {} axes", kNpyMaxRank));
      shape.push_back(size);
      comma = Take(',');
      if (!comma && shape.size() == 1 && Peek() == ')')
        return Bad("expected `,`: one size in parentheses is no tuple");
    }
    return absl::OkStatus();
  }

  std::string_view text_;
  NpyRefusal refuse_;
  size_t at_ = 0;
};

}  // namespace

absl::Status NpyRefusal::operator()(std::string_view what) const {
  return absl::InvalidArgumentError(fmt::format("{}: {}", name_, what));
}

std::string NpyExcerpt(std::string_view text) {
  constexpr size_t kLongest = 60;
  std::string out;
  for (char c : text.substr(0, kLongest)) out += c >= ' ' && c <= '~' ? c : '?';
  if (text.size() > kLongest) out += "...";
  return out;
}

absl::StatusOr<NpyHeader> ParseNpyHeader(std::string_view text, NpyRefusal refuse) {
  return HeaderParser(text, refuse).Parse();
}

}  // namespace gradus::runtime
