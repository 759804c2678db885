#include "runtime/safetensors_header.h"

#include <optional>
#include <set>
#include <utility>

#include "fmt/format.h"

namespace gradus::runtime {
namespace {

void AppendUtf8(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
    return;
  }
  const int tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr uint32_t kLead[] = {0, 0xc0, 0xe0, 0xf0};
  out += static_cast<char>(kLead[tail] | code >> (6 * tail));
  for (int i = tail; i-- > 0;) out += static_cast<char>(0x80 | ((code >> (6 * i)) & 63));
}

// Reads from left to right. Every function leaves `status_` with the first error and then reads no
// further.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  absl::StatusOr<SafetensorsHeader> Parse() {
    SafetensorsHeader header;
    // The specification wants the brace first, so that a file can be told by its ninth byte.
    if (text_.empty() || text_[0] != '{') return Bad("expected `{`");
    bool has_metadata = false;
    std::set<std::string, std::less<>> names;
    ParseMembers([&](std::string key) {
      if (key == "__metadata__") {
        if (std::exchange(has_metadata, true)) return (void)Bad("`__metadata__` stands twice");
        return ParseMetadata(header.metadata);
      }
      if (!names.insert(key).second) {
        return (void)Bad(fmt::format("tensor `{}` stands twice", SafetensorsExcerpt(key)));
      }
      ParseTensor(header.tensors.emplace_back(), std::move(key));
    });
    // Writers pad with spaces.
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    if (status_.ok() && at_ != text_.size()) Bad("expected nothing but spaces after `}`");
    if (!status_.ok()) return status_;
    return header;
  }

 private:
  const absl::Status& Bad(std::string_view what) {
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(
          fmt::format("{}: malformed header at byte {}: {}, got `{}`", name_, at_ + 8, what,
                      SafetensorsExcerpt(text_.substr(at_))));
    }
    return status_;
  }

  void SkipSpace() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string::npos)
      ++at_;
  }
  bool Take(char c) {
    SkipSpace();
    if (!status_.ok() || at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  // {"key": <read by member(key)>, ...}
  template <typename F>
  void ParseMembers(F member) {
    if (!Take('{')) return (void)Bad("expected `{`");
    if (Take('}')) return;
    do {
      std::string key = String();
      if (status_.ok() && !Take(':')) Bad("expected `:`");
      if (status_.ok()) member(std::move(key));
    } while (status_.ok() && Take(','));
    if (status_.ok() && !Take('}')) Bad("expected `,` or `}`");
  }

  void ParseMetadata(std::map<std::string, std::string, std::less<>>& metadata) {
    ParseMembers([&](std::string key) {
      const size_t at = at_;
      std::string value = String();
      if (!status_.ok() || metadata.emplace(key, std::move(value)).second) return;
      at_ = at;
      Bad(fmt::format("metadata `{}` stands twice", SafetensorsExcerpt(key)));
    });
  }

  void ParseTensor(SafetensorsEntry& tensor, std::string name) {
    tensor.name = std::move(name);
    tensor_ = &tensor.name;
    bool has_dtype = false, has_shape = false, has_offsets = false;
    ParseMembers([&](const std::string& key) {
      bool* seen = key == "dtype"          ? &has_dtype
                   : key == "shape"        ? &has_shape
                   : key == "data_offsets" ? &has_offsets
                                           : nullptr;
      if (seen == nullptr) {
        return (void)Bad(
            fmt::format("tensor `{}`: unknown key `{}`, expected dtype, shape and "
                        "data_offsets",
                        SafetensorsExcerpt(tensor.name), SafetensorsExcerpt(key)));
      }
      if (std::exchange(*seen, true)) {
        return (void)Bad(
            fmt::format("tensor `{}`: `{}` stands twice", SafetensorsExcerpt(tensor.name), key));
      }
      if (seen == &has_dtype) {
        tensor.dtype = String();
      } else if (seen == &has_shape) {
        tensor.shape = Sizes(kSafetensorsMaxRank);
      } else {
        const std::vector<int64_t> offsets = Sizes(2);
        if (status_.ok() && offsets.size() != 2) Bad("expected two offsets");
        if (!status_.ok()) return;
        tensor.begin = offsets[0];
        tensor.end = offsets[1];
      }
    });
    tensor_ = nullptr;
    if (!status_.ok()) return;
    if (!has_dtype || !has_shape || !has_offsets) {
      Bad(fmt::format("tensor `{}` has no `{}`", SafetensorsExcerpt(tensor.name),
                      !has_dtype   ? "dtype"
                      : !has_shape ? "shape"
                                   : "data_offsets"));
    }
  }

  // [1, 2, ...], at most `limit` of them.
  std::vector<int64_t> Sizes(size_t limit) {
    std::vector<int64_t> sizes;
    if (!Take('[')) {
      Bad("expected `[` and whole numbers");
      return sizes;
    }
    if (Take(']')) return sizes;
    do {
      if (sizes.size() == limit) {
        Bad(fmt::format("expected at most {} numbers", limit));
        return sizes;
      }
      sizes.push_back(Size());
    } while (status_.ok() && Take(','));
    if (status_.ok() && !Take(']')) Bad("expected `,` or `]`");
    return sizes;
  }

  // A whole number from 0 to 2^63 - 1, in digits alone.
  int64_t Size() {
    SkipSpace();
    const size_t start = at_;
    const auto digit = [&] { return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; };
    int64_t value = 0;
    bool overflow = false;
    for (; digit(); ++at_) {
      overflow = overflow || __builtin_mul_overflow(value, 10, &value) ||
                 __builtin_add_overflow(value, text_[at_] - '0', &value);
    }
    const bool none = at_ == start;
    const bool leading_zero = at_ - start > 1 && text_[start] == '0';
    const bool fraction =
        at_ < text_.size() && std::string_view(".eE").find(text_[at_]) != std::string::npos;
    if (!none && !leading_zero && !fraction && !overflow) return value;
    at_ = start;
    Bad(tensor_ == nullptr ? "expected a whole number from 0 to 2^63 - 1"
                           : fmt::format("tensor `{}`: expected a whole number from 0 to 2^63 - 1",
                                         SafetensorsExcerpt(*tensor_)));
    return 0;
  }

  std::string String() {
    std::string out;
    if (!Take('"')) {
      Bad("expected a text in quotes");
      return out;
    }
    const size_t start = at_ - 1;
    while (at_ < text_.size() && text_[at_] != '"') {
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) {
        Bad("expected no control character in a text");
        return out;
      }
      ++at_;
      if (c != '\\') {
        out += c;
      } else if (!Escape(out)) {
        return out;
      }
    }
    if (at_ >= text_.size()) {
      at_ = start;
      Bad("expected the closing quote of a text");
      return out;
    }
    ++at_;
    return out;
  }

  bool Escape(std::string& out) {
    constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    if (const size_t i = kFrom.find(c); c != '\0' && i != std::string_view::npos) {
      out += kTo[i];
      ++at_;
      return true;
    }
    std::optional<uint32_t> code = c == 'u' ? Hex4(at_ + 1) : std::nullopt;
    size_t length = 5;
    if (code && *code >= 0xd800 && *code < 0xdc00) {  // the first half of a pair
      const bool pair = text_.substr(at_ + 5, 2) == "\\u";
      const std::optional<uint32_t> low = pair ? Hex4(at_ + 7) : std::nullopt;
      code = low && *low >= 0xdc00 && *low < 0xe000
                 ? std::optional(0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00))
                 : std::nullopt;
      length = 11;
    } else if (code && *code >= 0xdc00 && *code < 0xe000) {
      code = std::nullopt;
    }
    if (!code) {
      --at_;
      Bad("expected an escape of JSON");
      return false;
    }
    AppendUtf8(*code, out);
    at_ += length;
    return true;
  }

  std::optional<uint32_t> Hex4(size_t at) const {
    if (at + 4 > text_.size()) return std::nullopt;
    uint32_t value = 0;
    for (const char c : text_.substr(at, 4)) {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return std::nullopt;
      value = value * 16 + static_cast<uint32_t>(digit);
    }
    return value;
  }

  std::string_view text_, name_;
  size_t at_ = 0;
  const std::string* tensor_ = nullptr;  // the tensor being read, for messages
  absl::Status status_;
};

}  // namespace

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t tail = lead < 0xc2 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : 0;
    if (tail == 0 || tail >= text.size() - i) return false;
    uint32_t code = lead & (0x3fu >> tail);
    for (size_t k = 1; k <= tail; ++k) {
      const auto byte = static_cast<uint8_t>(text[i + k]);
      if ((byte & 0xc0) != 0x80) return false;
      code = code << 6 | (byte & 0x3fu);
    }
    constexpr uint32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
    if (code < kSmallest[tail] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
      return false;
    i += tail + 1;
  }
  return true;
}

std::string JsonQuote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string SafetensorsExcerpt(std::string_view text) {
  constexpr size_t kMaxShown = 40;
  std::string out;
  for (const char c : text.substr(0, kMaxShown)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte >= 0x20 && byte < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return text.size() > kMaxShown ? out + "..." : out;
}

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view text,
                                                         std::string_view name) {
  if (!IsUtf8(text)) {
    return absl::InvalidArgumentError(fmt::format("{}: the header is not UTF-8", name));
  }
  return HeaderParser(text, name).Parse();
}

}  // namespace gradus::runtime
