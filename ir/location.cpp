#include "ir/location.h"

#include "fmt/format.h"

namespace gradus::ir {

Location::Location(std::string_view file_name, int line_number, int column_number)
    : file(std::make_shared<const std::string>(file_name)),
      line(line_number),
      column(column_number) {}

Location::Location(const std::source_location& source)
    : line(static_cast<int>(source.line())), column(static_cast<int>(source.column())) {
  std::string_view name = source.file_name();
  if (const size_t slash = name.rfind('/'); slash != std::string_view::npos) {
    name.remove_prefix(slash + 1);
  }
  file = std::make_shared<const std::string>(name);
}

std::string Location::ToString() const {
  if (!file) return "";
  if (column > 0) return fmt::format("{}:{}:{}", *file, line, column);
  return fmt::format("{}:{}", *file, line);
}

}  // namespace gradus::ir
