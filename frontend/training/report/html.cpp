#include "frontend/training/report/html.h"

#include "fmt/format.h"

namespace gradus::report {
namespace {

// Bytes of the UTF-8 character at the start of `text`, 0 if there is none (RFC 3629, section 4).
size_t CharacterLength(std::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto follows = [&](size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned b = byte(0);
  if (b < 0x80) return 1;
  if (b >= 0xC2 && b <= 0xDF) return follows(1) ? 2 : 0;
  if (b >= 0xE0 && b <= 0xEF) {
    const bool overlong = b == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = b == 0xED && byte(1) > 0x9F;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (b >= 0xF0 && b <= 0xF4) {
    const bool overlong = b == 0xF0 && byte(1) < 0x90;
    const bool too_large = b == 0xF4 && byte(1) > 0x8F;
    return follows(1) && follows(2) && follows(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string Escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    const char c = text[0];
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (length > 1) {
      out += text.substr(0, length);
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else {
      out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string ToHtml(const Table& table) {
  std::string out =
      fmt::format("<div class=\"scroll\"><table{}>\n", table.numbers ? " class=\"numbers\"" : "");
  if (!table.caption.empty()) {
    out += fmt::format("<caption>{}</caption>\n", Escaped(table.caption));
  }
  if (!table.header.empty()) {
    out += "<thead><tr>";
    for (const std::string& cell : table.header) {
      out += fmt::format("<th scope=\"col\">{}</th>", Escaped(cell));
    }
    out += "</tr></thead>\n";
  }
  out += "<tbody>\n";
  for (const std::vector<std::string>& row : table.rows) {
    out += "<tr>";
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string cell = Escaped(row[i]);
      out += i == 0 ? "<th scope=\"row\">" + cell + "</th>" : "<td>" + cell + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table></div>\n";
}

std::string Folded(std::string_view summary, const Table& table) {
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", Escaped(summary),
                     ToHtml(table));
}

}  // namespace gradus::report
