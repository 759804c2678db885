#include "tools/driver/opt.h"

#include <algorithm>
#include <array>
#include <utility>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "ir/printer.h"
#include "passes/memory/report.h"
#include "passes/pipelines.h"
#include "passes/remarks.h"
#include "runtime/files.h"
#include "tools/driver/arena.h"
#include "tools/driver/describe_ops.h"
#include "tools/driver/module_file.h"
#include "tools/driver/targets.h"

namespace gradus::tools {
namespace {

constexpr std::array<std::string_view, 2> kForms = {"folded", "full"};
constexpr std::array<std::string_view, 5> kLevels = {"graph", "loops", "memory", "llvm", "asm"};

struct Options {
  std::vector<std::string> files, dims, choices;
  std::string passes, emit = "graph", output_file, target;
  std::string max_arena, function, grad, wrt, dump_dir, dump_form = "folded";
  bool passes_given = false, print_ops = false, print_passes = false, locations = false;
  bool print_targets = false;
  bool folded = false;
  bool print_after_all = false, print_after_change = false, verify_each = true, time_passes = false;
  int64_t bisect_limit = -1;
  std::string remarks;
};

constexpr std::string_view kUnset = "\1";  // tells --passes= from no flag

Program Describe(Options& o) {
  return {
      .name = "gradus-opt",
      .summary = "reads graph IR, runs passes, prints the result",
      .usage = "FILE|- [flags]",
      .flags =
          {
              {"passes", "NAMES", "passes and pipelines, in order (default, none, graph, cse, ...)",
               &o.passes},
              {"emit", "LEVELS", "what to print: graph, loops, memory, llvm, asm (default graph)",
               &o.emit},
              {"output", "FILE", "where to write it (default: standard output)", &o.output_file,
               "o"},
              TargetFlag(&o.target),
              {"dim", "B=32", "the size of a symbol that memory is planned for (default 32)",
               &o.dims},
              {"max-arena", "BYTES", kMaxArenaHelp, &o.max_arena},
              {"choose", "KERNEL:WORDS",
               "schedule a kernel's product otherwise, e.g. k:tile=8x2,order=rows", &o.choices},
              {"grad", "RESULT",
               "first make the gradient of a scalar result the function's results", &o.grad},
              {"wrt", "NAMES", "the arguments for --grad (default: all float ones)", &o.wrt},
              {"function", "NAME", "the function for --grad (default: the only one)", &o.function},
              {"folded", "", "print what is used once where it is used, constants as numbers",
               &o.folded},
              {"print-locations", "", "print loc(...) of each node", &o.locations},
              {"print-ir-after-all", "", "dump the IR after every pass", &o.print_after_all},
              {"print-ir-after-change", "", "dump the IR after every pass that changed it",
               &o.print_after_change},
              {"dump-dir", "DIR", "write one file a pass that changed something (03-cse.ir)",
               &o.dump_dir},
              {"print-ir-form", "FORM", "of dumps: folded (default), or full: a line a node",
               &o.dump_form},
              {"Rpass", "PASSES", "say what passes decided and why, a line each: schedule",
               &o.remarks},
              {"time-passes", "", "print the time of each pass", &o.time_passes},
              {"verify-each", "", "verify after each pass (on; =false turns it off)",
               &o.verify_each},
              {"opt-bisect-limit", "N", "run only the first N passes that may be left out",
               &o.bisect_limit},
              {"print-ops", "", "all ops, from their records", &o.print_ops},
              {"print-passes", "", "all passes and pipelines", &o.print_passes},
              {"print-targets", "", "all names for --target-cpu", &o.print_targets},
          },
      .files = &o.files,
      .examples =
          "  gradus-opt model.ir --passes=cse,dce\n"
          "  gradus-opt model.ir --passes=graph --print-ir-after-change\n"
          "  gradus-opt model.ir --grad=loss --wrt=w,b --passes=graph\n"
          "  gradus-opt model.ir --emit=loops        (runs --passes=default)\n"
          "  gradus-opt model.ir -Rpass=schedule\n"
          "  gradus-opt - --passes=default --emit=asm --target-cpu=x86-64-v3 < model.ir\n",
  };
}

absl::Status Emit(const ir::Module& module, std::string_view level, const Options& options,
                  const passes::PassContext& context, std::string* text) {
  if (level == "graph" || level == "loops") {
    *text += ir::Print(
        module,
        {.locations = options.locations, .loops = level == "loops", .folded = options.folded});
    return absl::OkStatus();
  }
  if (level == "memory") {
    *text += passes::MemoryReport(module, context);
    return absl::OkStatus();
  }
  const codegen::CodegenOptions codegen{.target = context.target};
  absl::StatusOr<std::string> code =
      level == "llvm" ? codegen::EmitLlvm(module, codegen) : codegen::EmitAssembly(module, codegen);
  if (!code.ok()) return code.status();
  *text += *code;
  return absl::OkStatus();
}

// --choose=KERNEL:CHOICE[;CHOICE..]
absl::Status SetChoices(std::span<const std::string> flags, passes::PassContext& context) {
  for (const std::string& flag : flags) {
    const size_t colon = flag.find(':');
    if (colon == std::string::npos) {
      return absl::InvalidArgumentError(fmt::format(
          "--choose={}: expected KERNEL:WORDS, such as hidden:tile=8x2,order=rows", flag));
    }
    auto choices = passes::scheduling::ParseChoices(std::string_view(flag).substr(colon + 1));
    if (!choices.ok()) return choices.status();
    context.choices[flag.substr(0, colon)] = *std::move(choices);
  }
  return absl::OkStatus();
}

absl::Status Execute(Options& options, const std::vector<std::string>& levels,
                     const ir::Target& target, const Output& output) {
  absl::StatusOr<std::unique_ptr<ir::Module>> module = ReadModule(options.files[0]);
  if (!module.ok()) return module.status();
  if (!options.grad.empty()) {
    absl::StatusOr<ir::Function*> function = ChooseFunction(**module, options.function);
    if (!function.ok()) return function.status();
    absl::Status status = ReplaceByGradient(**module, **function, options.grad, options.wrt);
    if (!status.ok()) return status;
  }
  passes::PassContext context{.target = target};
  if (absl::Status s = SetArena(options.max_arena, options.dims, context); !s.ok()) return s;
  if (absl::Status s = SetChoices(options.choices, context); !s.ok()) return s;
  absl::Status status = passes::RunPipeline(**module, options.passes, context,
                                            {.verify_each = options.verify_each,
                                             .print_after_all = options.print_after_all,
                                             .print_after_change = options.print_after_change,
                                             .print_folded = options.dump_form == "folded",
                                             .dump_dir = options.dump_dir,
                                             .time_passes = options.time_passes,
                                             .bisect_limit = static_cast<int>(options.bisect_limit),
                                             .print = output.err});
  if (!status.ok()) return status;
  for (const std::string& pass : SplitNames(options.remarks)) {
    output.err(passes::Remarks(**module, pass));
  }
  std::string text;
  for (const std::string& level : levels) {
    if (absl::Status s = Emit(**module, level, options, context, &text); !s.ok()) return s;
  }
  if (!options.output_file.empty() && options.output_file != "-") {
    return runtime::WriteFileAtomically(options.output_file, text);
  }
  output.out(text);
  return absl::OkStatus();
}

}  // namespace

int RunOpt(std::span<const std::string> arguments, const Output& output) {
  Options options;
  options.passes = kUnset;
  const Program program = Describe(options);
  if (const auto code = ParseFlags(program, arguments, output)) return *code;
  const auto bad_flags = [&](std::string_view message) { return BadUse(program, output, message); };
  if (options.print_ops) output.out(DescribeOps());
  if (options.print_passes) output.out(DescribePasses());
  if (options.print_targets) output.out(DescribeTargets());
  if (options.print_ops || options.print_passes || options.print_targets) return kGood;
  if (options.files.size() != 1) {
    return bad_flags(
        fmt::format("expected one FILE (or - for standard input), got {}", options.files.size()));
  }
  if (options.grad.empty() && !(options.wrt.empty() && options.function.empty())) {
    return bad_flags("--wrt and --function say more of --grad=RESULT, which is missing");
  }
  const std::vector<std::string> levels = SplitNames(options.emit);
  bool lowered = false;
  for (const std::string& level : levels) {
    if (std::find(kLevels.begin(), kLevels.end(), level) == kLevels.end()) {
      const std::string_view near = Closest(level, kLevels);
      return bad_flags(fmt::format("--emit={}: expected graph, loops, memory, llvm or asm{}", level,
                                   near.empty() ? "" : fmt::format("; did you mean {}?", near)));
    }
    lowered = lowered || level != "graph";
  }
  for (const std::string& pass : SplitNames(options.remarks)) {
    if (std::ranges::find(passes::RemarkingPasses(), pass) != passes::RemarkingPasses().end()) {
      continue;
    }
    return bad_flags(fmt::format("-Rpass={}: expected schedule", pass));
  }
  // Loops, code and remarks on them exist after lowering alone.
  lowered = lowered || !options.remarks.empty();
  if (options.passes == kUnset) options.passes = lowered ? "default" : "";
  if (const auto passes = passes::ParsePipeline(options.passes); !passes.ok()) {
    return bad_flags(std::string(passes.status().message()));
  }
  if (std::find(kForms.begin(), kForms.end(), options.dump_form) == kForms.end()) {
    return bad_flags(fmt::format("--print-ir-form={}: expected folded or full", options.dump_form));
  }
  const absl::StatusOr<ir::Target> target = TargetOf(options.target);
  if (!target.ok()) return bad_flags(std::string(target.status().message()));
  return Finish(Execute(options, levels, *target, output), output);
}

}  // namespace gradus::tools
