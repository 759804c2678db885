#include "ir/source_text.h"

#include <algorithm>
#include <utility>

namespace gradus::ir {
namespace {

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

Diagnostic SourceText::Error(const TextPlace& place, std::string message, std::string help) const {
  constexpr size_t kBefore = 80, kAfter = 60;
  const size_t at = std::min(place.offset, text.size());
  const size_t newline = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  size_t end = std::min(text.find('\n', at), text.size());
  std::string line, caret;
  if (at - begin > kBefore) {
    begin = at - kBefore;
    while (begin < at && IsContinuation(text[begin])) ++begin;
    line = "...";
  }
  const bool cut = end - at > kAfter;
  if (cut) end = at + kAfter;
  while (cut && end > at && IsContinuation(text[end])) --end;
  line += text.substr(begin, end - begin);
  if (cut) line += "...";
  std::replace_if(line.begin(), line.end(), IsControl, ' ');
  line.erase(line.find_last_not_of(' ') + 1);

  caret.append(begin > 0 && line.starts_with("...") && text[begin - 1] != '\n' ? 3 : 0, ' ');
  for (size_t i = begin; i < at; ++i) {
    if (!IsContinuation(text[i])) caret += ' ';
  }
  Diagnostic d;
  d.location = Location(file, place.line, place.column);
  d.location.from_ir_text = true;
  d.message = std::move(message);
  d.notes = {std::move(line), caret + "^"};
  d.help = std::move(help);
  return d;
}

std::string Describe(const Token& token) {
  if (token.kind == TokenKind::kEnd) return "the end of the text";
  constexpr size_t kLimit = 40;
  std::string shown(token.text.substr(0, kLimit));
  if (token.text.size() > kLimit) {
    while (!shown.empty() && IsContinuation(token.text[shown.size()])) shown.pop_back();
    shown += "...";
  }
  std::replace_if(shown.begin(), shown.end(), IsControl, '?');
  return "'" + shown + "'";
}

}  // namespace gradus::ir
