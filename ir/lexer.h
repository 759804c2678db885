#pragma once

// Tokens of the text form, and the names and strings that printer and parser must spell alike.

#include <cstddef>
#include <string>
#include <string_view>

namespace gradus::ir {

// Longest name of a value, function or attribute that the text form takes.
inline constexpr size_t kMaxNameLength = 1023;

// True for what can be written bare after % or @: letters, digits, '_', '.', and '/' between them,
// not starting with a digit. Other names are written as strings: %"my input".
bool IsPlainName(std::string_view name);
// Letters, digits and '_', not starting with a digit: the names of symbols.
bool IsIdentifier(std::string_view name);
// `name`, or a string literal of it if it is not plain.
std::string SpellName(std::string_view name);
// A string literal: quotes, with \" \\ \n \t and \xHH for control characters.
std::string Quote(std::string_view text);
// The text of a string literal that the lexer accepted.
std::string Unquote(std::string_view literal);

enum class TokenKind : unsigned char {
  kEnd,
  kError,   // `text` is where it starts, `error` what is wrong
  kWord,    // matmul, f32, B, inf
  kNumber,  // -12, 1.5e-3, -inf
  kString,  // "text", quotes included
  kValue,   // %x, %0, %"my input"
  kSymbol,  // @f, @"my function"
  kPunct,   // one of ( ) { } [ ] , : = # and ->
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  // as written
  size_t offset = 0;      // in bytes
  int line = 1, column = 1;
  const char* error = nullptr;

  bool Is(std::string_view punct_or_word) const {
    return (kind == TokenKind::kPunct || kind == TokenKind::kWord) && text == punct_or_word;
  }
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  // The next token; kEnd for ever at the end. After kError it does not advance.
  Token Next();
  // Skips to behind the next line that starts with '}' (the end of a `loops` or `plan` block).
  // False: there is none.
  bool SkipBlock();

 private:
  void SkipBlanks();
  Token Make(TokenKind kind, size_t end);
  Token Error(size_t end, const char* message);
  // The end of the string literal that starts at `begin`, or 0 and `message`.
  size_t StringEnd(size_t begin, const char** message) const;
  size_t NameEnd(size_t begin) const;
  size_t NumberEnd(size_t begin) const;
  char At(size_t i) const { return i < text_.size() ? text_[i] : '\0'; }

  std::string_view text_;
  size_t position_ = 0, line_start_ = 0;
  int line_ = 1;
};

}  // namespace gradus::ir
