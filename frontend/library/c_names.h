#pragma once

// Names of the graph as identifiers of C.

#include <set>
#include <string>
#include <string_view>

namespace gradus {

// "hidden.kernel" -> "hidden_kernel"; no keyword of C or C++, no digit first.
std::string CName(std::string_view name);
// "theft-2" -> "THEFT_2".
std::string MacroName(std::string_view name);

// Names that differ from each other: a second x becomes x_2.
class CNames {
 public:
  std::string Add(std::string_view name);

 private:
  std::set<std::string, std::less<>> taken_;
};

}  // namespace gradus
