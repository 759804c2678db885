#include "ir/lexer.h"

#include <algorithm>

#include "fmt/format.h"

namespace gradus::ir {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNameByte(char c) { return IsLetter(c) || IsDigit(c) || c == '.'; }

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool IsIdentifier(std::string_view name) {
  return !name.empty() && !IsDigit(name[0]) &&
         std::all_of(name.begin(), name.end(), [](char c) { return IsLetter(c) || IsDigit(c); });
}

bool IsPlainName(std::string_view name) {
  if (name.empty() || !IsLetter(name[0])) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    // A '/' must stand between names, so that "//" always starts a comment.
    const bool slash = name[i] == '/' && i + 1 < name.size() && IsNameByte(name[i + 1]);
    if (!IsNameByte(name[i]) && !slash) return false;
  }
  return true;
}

std::string SpellName(std::string_view name) {
  return IsPlainName(name) ? std::string(name) : Quote(name);
}

std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string Unquote(std::string_view literal) {
  std::string out;
  for (size_t i = 1; i + 1 < literal.size(); ++i) {
    if (literal[i] != '\\') {
      out += literal[i];
      continue;
    }
    const char c = literal[++i];
    if (c == 'x') {
      out += static_cast<char>(HexValue(literal[i + 1]) * 16 + HexValue(literal[i + 2]));
      i += 2;
    } else {
      out += c == 'n' ? '\n' : c == 't' ? '\t' : c;
    }
  }
  return out;
}

void Lexer::SkipBlanks() {
  while (position_ < text_.size()) {
    const char c = text_[position_];
    if (c == '\n') {
      line_start_ = ++position_;
      ++line_;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      ++position_;
    } else if (c == '/' && At(position_ + 1) == '/') {
      position_ = std::min(text_.find('\n', position_), text_.size());
    } else {
      return;
    }
  }
}

Token Lexer::Make(TokenKind kind, size_t end) {
  Token token{.kind = kind,
              .text = text_.substr(position_, end - position_),
              .offset = position_,
              .line = line_,
              .column = static_cast<int>(position_ - line_start_) + 1};
  position_ = end;
  return token;
}

Token Lexer::Error(size_t end, const char* message) {
  const size_t begin = position_;
  Token token = Make(TokenKind::kError, end);
  token.error = message;
  position_ = begin;
  return token;
}

size_t Lexer::StringEnd(size_t begin, const char** message) const {
  for (size_t i = begin + 1; i < text_.size() && text_[i] != '\n'; ++i) {
    if (text_[i] == '"') return i + 1;
    if (text_[i] != '\\') continue;
    const char c = At(++i);
    if (c == 'x') {
      if (HexValue(At(i + 1)) < 0 || HexValue(At(i + 2)) < 0) {
        *message = "expected two hexadecimal digits after \\x";
        return 0;
      }
      i += 2;
    } else if (c != '"' && c != '\\' && c != 'n' && c != 't') {
      *message = "unknown escape in a string, expected one of \\\" \\\\ \\n \\t \\xHH";
      return 0;
    }
  }
  *message = "string without a closing quote on its line";
  return 0;
}

size_t Lexer::NameEnd(size_t begin) const {
  size_t i = begin;
  while (IsNameByte(At(i)) || (At(i) == '/' && IsNameByte(At(i + 1)))) ++i;
  return i;
}

size_t Lexer::NumberEnd(size_t begin) const {
  size_t i = begin;
  const auto digits = [&] {
    while (IsDigit(At(i))) ++i;
  };
  if (At(i) == '-') ++i;
  digits();
  if (At(i) == '.') {
    ++i;
    digits();
  }
  const size_t sign = At(i + 1) == '+' || At(i + 1) == '-' ? 1 : 0;
  if ((At(i) == 'e' || At(i) == 'E') && IsDigit(At(i + 1 + sign))) {
    i += 1 + sign;
    digits();
  }
  return i;
}

Token Lexer::Next() {
  SkipBlanks();
  if (position_ >= text_.size()) return Make(TokenKind::kEnd, position_);
  const char c = text_[position_];
  const char next = At(position_ + 1);
  const char* message = nullptr;
  if (IsLetter(c)) return Make(TokenKind::kWord, NameEnd(position_));
  if (IsDigit(c) || (c == '-' && IsDigit(next))) {
    return Make(TokenKind::kNumber, NumberEnd(position_));
  }
  if (text_.substr(position_, 4) == "-inf") return Make(TokenKind::kNumber, position_ + 4);
  if (c == '-' && next == '>') return Make(TokenKind::kPunct, position_ + 2);
  if (c == '"') {
    const size_t end = StringEnd(position_, &message);
    return end != 0 ? Make(TokenKind::kString, end) : Error(position_ + 1, message);
  }
  if (c == '%' || c == '@') {
    const TokenKind kind = c == '%' ? TokenKind::kValue : TokenKind::kSymbol;
    if (next == '"') {
      const size_t end = StringEnd(position_ + 1, &message);
      return end != 0 ? Make(kind, end) : Error(position_ + 2, message);
    }
    size_t end = position_ + 1;
    if (IsLetter(next)) end = NameEnd(end);
    while (c == '%' && IsDigit(next) && IsDigit(At(end))) ++end;
    if (end > position_ + 1) return Make(kind, end);
    return Error(end,
                 c == '%' ? "expected a name or a number after '%'" : "expected a name after '@'");
  }
  if (std::string_view("(){}[],:=#").find(c) != std::string_view::npos) {
    return Make(TokenKind::kPunct, position_ + 1);
  }
  return Error(position_ + 1, "unexpected character");
}

bool Lexer::SkipBlock() {
  while (true) {
    const size_t end = text_.find('\n', position_);
    if (end == std::string_view::npos) return false;
    position_ = line_start_ = end + 1;
    ++line_;
    if (At(position_) == '}') {
      ++position_;
      return true;
    }
  }
}

}  // namespace gradus::ir
