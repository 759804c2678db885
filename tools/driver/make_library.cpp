#include "tools/driver/make_library.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/numbers.h"
#include "fmt/format.h"
#include "frontend/library/levels.h"
#include "frontend/library/write_library.h"
#include "tools/driver/arena.h"
#include "tools/driver/module_file.h"
#include "tools/driver/targets.h"

namespace gradus::tools {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string output, prefix, entries, weights = "caller", architecture, targets, emit = "lib",
                                       max_arena, specialize;
  std::string level = "2";
  bool quiet = false, print_targets = false, freestanding = false, debug = true;
};

Program Describe(Options& o) {
  return {
      .name = "gradusc",
      .summary = "compiles a model file (Model::Save) to a static library with a C header",
      .usage = "MODEL [flags]",
      .flags =
          {
              {"output", "PATH",
               "lib<name>.a, or a folder (default .); <name>.h and <name>.pc go beside it",
               &o.output, "o"},
              {"entry", "NAMES",
               "what goes in: init, forward, evaluate, train_step, step, save, load, selftest "
               "(default all)",
               &o.entries},
              {"prefix", "NAME", "of all symbols (default: the name)", &o.prefix},
              {"weights", "WHERE",
               "embed: in the library; file: <name>.safetensors; caller (default): neither",
               &o.weights},
              {"target", "NAME",
               "x86-64 (default), aarch64, riscv64, armv7e-m, wasm32, or a triple of one",
               &o.architecture},
              {"target-cpu", "NAMES",
               "levels of instructions (x86-64: x86-64-v2,x86-64-v3,x86-64-v4), or one processor",
               &o.targets},
              {"emit", "FORMS", "lib (default), obj, llvm, asm, loops, graph", &o.emit},
              {"specialize", "SIZES",
               "code of their own, faster, for some sizes: B=1,32 or B=1,T=24", &o.specialize},
              {"max-arena", "BYTES", kMaxArenaHelp, &o.max_arena},
              {"optimize", "N",
               "0: a plain loop nest an op; 1, 2: all passes, small code (default 2); 3: large "
               "code",
               &o.level, "O"},
              {"debug", "", "lines of the model's source for debuggers (on; --debug=false: none)",
               &o.debug, "g"},
              {"freestanding", "", "no undefined symbol, no operating system", &o.freestanding},
              {"quiet", "", "print no card", &o.quiet, "q"},
              {"print-targets", "", "all names for --target-cpu", &o.print_targets},
          },
      .files = &o.files,
      .examples =
          "  gradusc theft.gradus -o build/libtheft.a --weights=embed\n"
          "  gradusc theft.gradus --entry=forward --target-cpu=x86-64-v3 --prefix=meter\n"
          "  gradusc theft.gradus -O0 --emit=lib,llvm,graph --max-arena=256KiB@B=1\n",
  };
}

// "out/libtheft.a" is the name theft in out; a path that does not end in .a is a folder.
absl::Status SetOutput(std::string_view path, LibraryOptions& library) {
  if (path.empty()) return absl::OkStatus();
  if (!path.ends_with(".a")) {
    library.folder = path;
    return absl::OkStatus();
  }
  const size_t slash = path.rfind('/');
  if (slash != std::string_view::npos) library.folder = slash == 0 ? "/" : path.substr(0, slash);
  std::string_view file = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (!file.starts_with("lib") || file.size() <= std::string_view("lib.a").size()) {
    return absl::InvalidArgumentError(fmt::format(
        "--output={}: expected lib<name>.a or a folder, so that -l<name> finds it", path));
  }
  library.name = file.substr(3, file.size() - 5);
  return absl::OkStatus();
}

// "B=1,32,T=24": a number belongs to the symbol before it.
absl::Status SetSpecialSizes(std::string_view text, LibraryOptions& library) {
  std::string symbol;
  for (const std::string& item : SplitNames(text)) {
    const size_t equals = item.find('=');
    if (equals != std::string::npos) symbol = item.substr(0, equals);
    int64_t size = 0;
    if (symbol.empty() ||
        !absl::SimpleAtoi(equals == std::string::npos ? item : item.substr(equals + 1), &size)) {
      return absl::InvalidArgumentError(fmt::format(
          "--specialize={}: \"{}\" is no size, expected for instance B=1,32", text, item));
    }
    library.specialize.emplace_back(symbol, size);
  }
  return absl::OkStatus();
}

absl::Status SetLibrary(const Options& o, LibraryOptions& library) {
  constexpr std::array<std::pair<std::string_view, WeightsIn>, 3> kWeights = {
      {{"embed", WeightsIn::kLibrary}, {"file", WeightsIn::kFile}, {"caller", WeightsIn::kCaller}}};
  if (absl::Status s = SetOutput(o.output, library); !s.ok()) return s;
  library.prefix = o.prefix;
  library.entries = SplitNames(o.entries);
  if (!o.targets.empty()) library.targets = SplitNames(o.targets);
  if (!o.architecture.empty()) {
    auto targets = TargetsOf(o.architecture, SplitNames(o.targets));
    if (!targets.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("--target: {}", std::string(targets.status().message())));
    }
    library.targets = *std::move(targets);
  }
  library.emit = SplitNames(o.emit);
  const auto* weights =
      std::ranges::find(kWeights, o.weights, &std::pair<std::string_view, WeightsIn>::first);
  if (weights == kWeights.end()) {
    return absl::InvalidArgumentError(
        fmt::format("--weights={}: expected embed, file or caller", o.weights));
  }
  library.weights = weights->second;
  if (o.level.size() != 1 || o.level[0] < '0' || o.level[0] > '3') {
    return absl::InvalidArgumentError(fmt::format("-O{}: expected 0, 1, 2 or 3", o.level));
  }
  library.small = o.level[0] < '3';
  library.debug_lines = o.debug;
  library.freestanding = o.freestanding;
  library.pipeline = o.level == "0" ? "none" : "default";
  if (absl::Status s = SetSpecialSizes(o.specialize, library); !s.ok()) return s;
  passes::PassContext context;
  if (absl::Status s = SetArena(o.max_arena, {}, context); !s.ok()) return s;
  library.sizes = context.sizes;
  library.max_arena = context.max_arena;
  return absl::OkStatus();
}

}  // namespace

int RunGradusc(std::span<const std::string> arguments, const Output& output) {
  Options options;
  const Program program = Describe(options);
  if (const auto code = ParseFlags(program, arguments, output)) return *code;
  if (options.print_targets) {
    output.out(DescribeTargets());
    return kGood;
  }
  if (options.files.size() != 1) {
    return BadUse(program, output,
                  options.files.empty() ? "expected a model file" : "expected one model file");
  }
  LibraryOptions library;
  if (const absl::Status s = SetLibrary(options, library); !s.ok()) {
    return BadUse(program, output, std::string(s.message()));
  }
  const auto model = ReadModelFile(options.files[0]);
  if (!model.ok()) return Finish(model.status(), output);
  const auto report = WriteLibrary(*model, library);
  if (!report.ok()) return Finish(report.status(), output);
  if (!options.quiet) output.out(report->Card());
  return kGood;
}

}  // namespace gradus::tools
