#pragma once

// Pieces of a page: escaped text, tables, and the frame that makes them one self-contained file.

#include <string>
#include <string_view>
#include <vector>

namespace gradus::report {

// Text of a user's, for use between tags and in quoted attributes: & < > " ' become entities,
// control characters spaces, and what is not UTF-8 the replacement character.
std::string Escaped(std::string_view text);

// Cells are text, not HTML. The first column is the head of its row.
struct Table {
  std::string caption;  // may be empty
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  bool numbers = true;  // align all columns but the first to the right
};
std::string ToHtml(const Table& table);
// The same, folded away until it is asked for.
std::string Folded(std::string_view summary, const Table& table);

// A whole page with styles for screens, light and dark, and for paper. `body` is HTML.
std::string Page(std::string_view title, std::string_view body);

}  // namespace gradus::report
