#pragma once

// The command line that the fuzzers of shapes share.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/targets.h"

namespace gradus::fuzz {

struct FuzzOptions {
  int64_t iterations = 200;
  uint64_t seed = 1;
  int64_t only = -1;  // this case alone; -1: all
  // Each case runs for all of these; empty: for one of those that run here, drawn with the case.
  std::vector<NamedTarget> targets;

  std::vector<NamedTarget> TargetsOfCase(std::mt19937_64& random) const {
    static const std::vector<NamedTarget> kAll = TargetsOf("all").value();
    const NamedTarget& drawn = kAll[random() % kAll.size()];
    return targets.empty() ? std::vector<NamedTarget>{drawn} : targets;
  }
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
    } else if (const char* t = value("--target-cpu=")) {
      auto targets = TargetsOf(t);
      if (!targets.ok()) {
        std::fprintf(stderr, "error: %s\n", std::string(targets.status().message()).c_str());
        return std::nullopt;
      }
      options.targets = *std::move(targets);
    } else {
      std::fprintf(stderr,
                   "usage: %s [--iterations=N] [--seed=S] [--only=I] [--target-cpu=NAME,...|all]\n",
                   program);
      return std::nullopt;
    }
  }
  return options;
}

}  // namespace gradus::fuzz
