#pragma once

// The command line that the fuzzers of shapes share.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace gradus::fuzz {

struct FuzzOptions {
  int64_t iterations = 200;
  uint64_t seed = 1;
  int64_t only = -1;  // this case alone; -1: all
};

// Empty, with the usage printed, if there is an argument of another kind.
inline std::optional<FuzzOptions> ParseFuzzOptions(const char* program, int argc, char** argv) {
  FuzzOptions options;
  for (int i = 1; i < argc; ++i) {
    const auto value = [&](const char* flag) -> const char* {
      const size_t n = std::strlen(flag);
      return std::strncmp(argv[i], flag, n) == 0 ? argv[i] + n : nullptr;
    };
    if (const char* v = value("--iterations=")) {
      options.iterations = std::atoll(v);
    } else if (const char* s = value("--seed=")) {
      options.seed = std::strtoull(s, nullptr, 10);
    } else if (const char* o = value("--only=")) {
      options.only = std::atoll(o);
      options.iterations = options.only + 1;
    } else {
      std::fprintf(stderr, "usage: %s [--iterations=N] [--seed=S] [--only=I]\n", program);
      return std::nullopt;
    }
  }
  return options;
}

}  // namespace gradus::fuzz
