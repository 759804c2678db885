// gradus_refs DIR [FILTER] [--dtype=f32|f64] [--passes=default|none]: runs the cases of reference
// numbers in DIR whose names contain FILTER. Prints each failure, the names of unsupported cases,
// and last "N passed, N failed, N skipped".

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "fmt/format.h"
#include "tests/refs/run_case.h"

namespace gradus::refs {
namespace {

int Run(int argc, char** argv) {
  CLI::App app("Compares compiled models with reference numbers.");
  std::string directory, filter, dtype = "f32";
  CompileOptions options;
  options.cache_dir.clear();
  app.add_option("directory", directory, "folder with one folder a case")->required();
  app.add_option("filter", filter, "run only cases whose name contains this");
  app.add_option("--dtype", dtype, "f32 or f64")->check(CLI::IsMember({"f32", "f64"}));
  app.add_option("--passes", options.pipeline, "the pipeline to compile with");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  auto names = ListCases(directory);
  if (!names.ok()) {
    fmt::print(stderr, "error: {}\n", std::string(names.status().message()));
    return 1;
  }
  int passed = 0, failed = 0;
  std::vector<std::string> skipped;
  for (const std::string& name : *names) {
    if (name.find(filter) == std::string::npos) continue;
    auto reference = ReadCase(fmt::format("{}/{}", directory, name));
    if (!reference.ok()) {
      fmt::print("FAILED {}: {}\n", name, std::string(reference.status().message()));
      ++failed;
      continue;
    }
    const BuildCase build = FindModel(*reference);
    if (build == nullptr) {
      skipped.push_back(name);
      continue;
    }
    auto failures = RunCase(*reference, build, dtype == "f64" ? DType::kF64 : DType::kF32, options);
    if (!failures.ok()) {
      fmt::print("FAILED {}: {}\n", name, std::string(failures.status().message()));
      ++failed;
    } else if (!failures->empty()) {
      for (const std::string& f : *failures) fmt::print("FAILED {}: {}\n", name, f);
      ++failed;
    } else {
      ++passed;
    }
  }
  for (const std::string& name : skipped) fmt::print("unsupported: {}\n", name);
  if (passed + failed + static_cast<int>(skipped.size()) == 0) {
    fmt::print(stderr, "error: {} holds no case whose name contains \"{}\"\n", directory, filter);
    return 1;
  }
  fmt::print("{} passed, {} failed, {} skipped\n", passed, failed, skipped.size());
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace gradus::refs

int main(int argc, char** argv) { return gradus::refs::Run(argc, argv); }
