#include "tools/driver/info.h"

#include <vector>

#include "fmt/format.h"
#include "frontend/library/passport.h"
#include "runtime/files.h"

namespace gradus::tools {
namespace {

absl::Status Print(const std::string& file, bool with_name, const Output& output) {
  const auto bytes = runtime::ReadFile(file);
  if (!bytes.ok()) return bytes.status();
  const auto passports = ReadPassports(*bytes, file);
  if (!passports.ok()) return passports.status();
  for (const Passport& p : *passports) {
    if (with_name || passports->size() > 1) output.out(fmt::format("{}\n", file));
    output.out(p.text);
  }
  return absl::OkStatus();
}

}  // namespace

int RunInfo(std::span<const std::string> arguments, const Output& output) {
  std::vector<std::string> files;
  const Program program = {
      .name = "gradus-info",
      .summary = "prints the passports of libraries that gradusc made; runs nothing",
      .usage = "FILE...",
      .flags = {},
      .files = &files,
      .examples =
          "  gradus-info libtheft.a\n"
          "  gradus-info a_program_that_links_libraries\n"};
  if (const auto code = ParseFlags(program, arguments, output)) return *code;
  if (files.empty()) return BadUse(program, output, "expected at least one FILE");
  for (const std::string& file : files) {
    if (const absl::Status s = Print(file, files.size() > 1, output); !s.ok()) {
      return Finish(s, output);
    }
  }
  return kGood;
}

}  // namespace gradus::tools
