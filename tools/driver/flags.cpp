#include "tools/driver/flags.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <numeric>

#include "CLI/CLI.hpp"
#include "fmt/format.h"

namespace gradus::tools {
namespace {

constexpr std::string_view kVersion = GRADUS_VERSION;

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (const char letter : a) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t change = diagonal + (letter == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, change});
    }
  }
  return row.back();
}

// CLI11 reads -name as a heap of one-letter flags; LLVM's users write long names that way.
std::string Normalise(std::string argument) {
  const bool long_name = argument.size() > 2 && argument[0] == '-' && argument[1] != '-' &&
                         ((argument[1] >= 'a' && argument[1] <= 'z') || argument[1] == 'R') &&
                         argument[2] != '=';
  return long_name ? "-" + argument : argument;
}

void AddFlag(CLI::App& app, const Flag& flag) {
  std::string names = "--" + std::string(flag.name);
  if (!flag.short_name.empty()) names = "-" + std::string(flag.short_name) + "," + names;
  std::visit(
      [&](auto* target) {
        using T = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_same_v<T, bool>) {
          app.add_flag(names, *target);
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          // One value each time the flag is given; it never takes the next argument.
          app.add_option_function<std::vector<std::string>>(
                 names, [target](const std::vector<std::string>& values) { *target = values; })
              ->allow_extra_args(false)
              ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
        } else {
          app.add_option(names, *target);
        }
      },
      flag.target);
}

int UnknownFlag(const Program& program, const Output& output, std::string_view given) {
  std::string_view name = given.substr(0, given.find('='));
  name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
  std::vector<std::string_view> names = {"help", "version"};
  for (const Flag& f : program.flags) names.push_back(f.name);
  const std::string_view near = Closest(name, names);
  return BadUse(program, output,
                fmt::format("there is no flag {}{}", given,
                            near.empty() ? "" : fmt::format(", did you mean --{}?", near)));
}

}  // namespace

Output StandardOutput() {
  const auto to = [](std::FILE* file) {
    return [file](std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), file);
      std::fflush(file);
    };
  };
  return {to(stdout), to(stderr)};
}

std::string_view Closest(std::string_view name, std::span<const std::string_view> names) {
  std::string_view best;
  size_t best_distance = 1 + std::min<size_t>(name.size() / 3 + 1, 4);
  if (name.size() > 100) return best;
  for (const std::string_view candidate : names) {
    const size_t distance = EditDistance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string Help(const Program& program) {
  std::string text = fmt::format("{}: {}\nusage: {} {}\n\n", program.name, program.summary,
                                 program.name, program.usage);
  const auto line = [&](std::string_view flag, std::string_view help) {
    text += fmt::format("  {:<30} {}\n", flag, help);
  };
  for (const Flag& f : program.flags) {
    const std::string short_name = f.short_name.empty() ? "" : fmt::format("-{}, ", f.short_name);
    const std::string value = f.value.empty() ? "" : fmt::format("={}", f.value);
    line(fmt::format("{}--{}{}", short_name, f.name, value), f.help);
  }
  line("-h, --help", "this text");
  line("--version", "the version");
  return text + fmt::format("\nexamples:\n{}", program.examples);
}

int BadUse(const Program& program, const Output& output, std::string_view message) {
  const bool helped = message.find("\n  help: ") != std::string_view::npos;
  output.err(fmt::format("{}: error: {}\n", program.name, message));
  if (!helped) output.err(fmt::format("  help: {} --help lists the flags\n", program.name));
  return kBadFlags;
}

std::optional<int> ParseFlags(const Program& program, std::span<const std::string> arguments,
                              const Output& output) {
  CLI::App app{std::string(program.summary), std::string(program.name)};
  bool help = false, version = false;
  app.set_help_flag();
  app.allow_extras();
  app.add_flag("-h,--help", help);
  app.add_flag("--version", version);
  for (const Flag& flag : program.flags) AddFlag(app, flag);

  std::vector<std::string> reversed;  // as CLI11 wants them
  bool flags_ended = false;
  for (const std::string& argument : arguments) {
    flags_ended = flags_ended || argument == "--";
    reversed.push_back(flags_ended ? argument : Normalise(argument));
  }
  std::reverse(reversed.begin(), reversed.end());
  try {
    app.parse(reversed);
  } catch (const CLI::Error& error) {
    return BadUse(program, output, error.what());
  }
  if (help) {
    output.out(Help(program));
    return kGood;
  }
  if (version) {
    output.out(fmt::format("{} {}\n", program.name, kVersion));
    return kGood;
  }
  flags_ended = false;
  for (const std::string& extra : app.remaining()) {
    if (extra == "--" && !flags_ended) {
      flags_ended = true;
      continue;
    }
    if (extra.size() > 1 && extra[0] == '-' && !flags_ended) {
      return UnknownFlag(program, output, extra);
    }
    if (program.files == nullptr) {
      return BadUse(program, output, fmt::format("'{}' is not expected", extra));
    }
    program.files->push_back(extra);
  }
  return std::nullopt;
}

int Main(int argc, char** argv, RunFunction run) {
  // A failed check has printed what it knows before it aborts.
  std::signal(SIGABRT, [](int) { std::_Exit(kInternalError); });
  const Output output = StandardOutput();
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc), output);
  } catch (const std::bad_alloc&) {
    output.err("error: out of memory\n");
    return kUserError;
  } catch (const std::exception& error) {
    output.err(fmt::format("internal error: {}\n", error.what()));
    return kInternalError;
  }
}

int Finish(const absl::Status& status, const Output& output) {
  if (status.ok()) return kGood;
  std::string message(status.message());
  const std::string_view first_line = std::string_view(message).substr(0, message.find('\n'));
  const bool has_prefix = first_line.find("error: ") != std::string_view::npos;
  output.err(fmt::format("{}{}\n", has_prefix ? "" : "error: ", message));
  return status.code() == absl::StatusCode::kInternal ? kInternalError : kUserError;
}

}  // namespace gradus::tools
