#include "frontend/library/write_library.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "frontend/library/header.h"
#include "frontend/library/interface.h"
#include "frontend/library/levels.h"
#include "frontend/library/passport.h"
#include "frontend/library/special_sizes.h"
#include "ir/loop/entry_plan.h"
#include "ir/printer.h"
#include "passes/one_step.h"
#include "passes/operations.h"
#include "passes/pipelines.h"
#include "runtime/files.h"
#include "runtime/safetensors.h"
#include "runtime/standalone/standalone.h"

namespace gradus {
namespace {

constexpr auto kEntries = std::to_array<std::string_view>(
    {"init", "forward", "evaluate", "train_step", "step", "save", "load", "selftest"});
constexpr auto kForms =
    std::to_array<std::string_view>({"lib", "obj", "llvm", "asm", "loops", "graph"});

// What code may call.
constexpr auto kOfC = std::to_array<std::string_view>({"memcpy", "memmove", "memset"});

bool IsGraph(std::string_view entry) {
  return entry != "save" && entry != "load" && entry != "selftest";
}

template <typename List>
bool Contains(const List& list, std::string_view name) {
  return std::ranges::find(list, name) != std::end(list);
}

// A weight file's text of a type: "F32".
std::string FileDType(const runtime::Safetensors& file, std::string_view name) {
  return file.Find(name)->dtype;
}

class Writer {
 public:
  Writer(const SavedModel& model, const LibraryOptions& options)
      : model_(model), options_(options) {}

  absl::StatusOr<LibraryReport> Write() {
    for (const auto step :
         {&Writer::Check, &Writer::ChooseEntries, &Writer::ChooseLevels, &Writer::Lower,
          &Writer::LowerSpecials, &Writer::Describe, &Writer::AddCode, &Writer::AddTexts,
          &Writer::Measure, &Writer::WriteFiles}) {
      if (absl::Status s = (this->*step)(); !s.ok()) return s;
    }
    return std::move(report_);
  }

 private:
  absl::Status Check() {
    report_.name = options_.name.empty() ? model_.module->name() : options_.name;
    report_.prefix = options_.prefix.empty() ? report_.name : options_.prefix;
    if (report_.name.empty() || report_.name.find('/') != std::string::npos) {
      return absl::InvalidArgumentError(fmt::format(
          "library: \"{}\" is no name for files\n  help: lib<name>.a, <name>.h and <name>.pc are "
          "made of it; give a folder for where they go",
          report_.name));
    }
    if (!IsPrefix(report_.prefix)) {
      return absl::InvalidArgumentError(fmt::format(
          "library: \"{}\" cannot begin the names of C functions\n  help: a prefix begins with a "
          "letter, and letters, digits and single underscores follow",
          report_.prefix));
    }
    for (const std::string& form : options_.emit) {
      if (!Contains(kForms, form)) {
        return absl::InvalidArgumentError(fmt::format(
            "library: cannot emit \"{}\", expected some of {}", form, fmt::join(kForms, ", ")));
      }
    }
    if (options_.weights != WeightsIn::kCaller && model_.weights.empty() &&
        !model_.module->parameters().empty()) {
      return absl::InvalidArgumentError(fmt::format(
          "library: model {} comes without weights, so there are none to write\n  help: save the "
          "model with its weights, or leave them to the caller",
          model_.module->name()));
    }
    return CheckSpecialSizes(options_.specialize);
  }

  // What goes in, in the order of kEntries.
  absl::Status ChooseEntries() {
    graph_ = model_.module->Clone();
    if (options_.entries.empty() || Contains(options_.entries, "step")) {
      auto step = passes::AddOneStep(*graph_);
      if (step.ok()) {
        one_step_ = *std::move(step);
      } else if (!options_.entries.empty()) {
        return step.status();
      }
    }
    const auto has = [&](std::string_view entry) {
      return !IsGraph(entry) || graph_->Find(entry) != nullptr;
    };
    std::vector<std::string_view> available;
    for (const std::string_view e : kEntries) {
      if (has(e)) available.push_back(e);
    }
    for (const std::string& wanted : options_.entries) {
      if (Contains(available, wanted)) continue;
      const bool known = Contains(kEntries, wanted);
      return absl::InvalidArgumentError(fmt::format(
          "library: {} \"{}\", expected some of {}{}",
          known ? fmt::format("model {} has no entry", model_.module->name())
                : std::string("there is no entry"),
          wanted, fmt::join(available, ", "),
          known ? "\n  help: save the model with how it is trained to have evaluate and train_step"
                : ""));
    }
    for (const std::string_view e : available) {
      if (options_.entries.empty() || Contains(options_.entries, e)) {
        report_.entries.emplace_back(e);
      }
    }
    return absl::OkStatus();
  }

  absl::Status ChooseLevels() {
    auto levels = gradus::ChooseLevels(options_.targets);
    if (!levels.ok()) return levels.status();
    levels_ = *std::move(levels);
    for (const codegen::LibraryLevel& level : levels_) report_.levels.push_back(level.name);
    return absl::OkStatus();
  }

  absl::Status Lower() {
    std::vector<const ir::Function*> others;
    for (const auto& f : graph_->functions()) {
      if (f->kind() == ir::FunctionKind::kGraph && !Contains(report_.entries, f->name())) {
        others.push_back(f.get());
      }
    }
    for (const ir::Function* f : others) graph_->EraseFunction(f);
    // Weights are drawn once: one body, and the same weights on every processor.
    once_ = Split(*graph_, [](const ir::Function& f) { return f.name() == "init"; });
    ir::Target lowest = levels_.front().target;
    lowest.sharing.least_work = ir::Sharing::kNever;
    if (absl::Status s = LowerFor(lowest, *once_); !s.ok()) return s;
    if (!once_->functions().empty()) library_.once = once_.get();
    const auto rest = Split(*graph_, [](const ir::Function& f) { return f.name() != "init"; });
    for (codegen::LibraryLevel& level : levels_) {
      lowered_.push_back(rest->Clone());
      level.module = lowered_.back().get();
      if (absl::Status s = LowerFor(level.target, *lowered_.back()); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  // A copy with the entries that are wanted; without any, the parameters alone.
  template <typename Wanted>
  static std::unique_ptr<ir::Module> Split(const ir::Module& module, const Wanted& wanted) {
    auto copy = module.Clone();
    std::vector<const ir::Function*> others;
    bool any = false;
    for (const auto& f : copy->functions()) {
      if (f->kind() != ir::FunctionKind::kGraph) continue;
      wanted(*f) ? void(any = true) : others.push_back(f.get());
    }
    if (!any) {
      copy = std::make_unique<ir::Module>(module.name());
      copy->parameters() = module.parameters();
      return copy;
    }
    for (const ir::Function* f : others) copy->EraseFunction(f);
    return copy;
  }

  absl::Status LowerFor(const ir::Target& target, ir::Module& module) const {
    passes::PassContext context{
        .target = target, .sizes = options_.sizes, .max_arena = options_.max_arena};
    context.target.small_code = options_.small;
    return passes::RunPipeline(module, options_.pipeline, context, {.verify_each = false});
  }

  absl::Status LowerSpecials() {
    for (const SpecialSize& size : options_.specialize) {
      auto graph = ForSize(*graph_, size);
      if (!graph.ok()) return graph.status();
      codegen::LibrarySpecial special{.symbol = ir::Symbol(size.first), .size = size.second};
      for (const codegen::LibraryLevel& level : levels_) {
        lowered_specials_.push_back((*graph)->Clone());
        special.modules.push_back(lowered_specials_.back().get());
        if (absl::Status s = LowerFor(level.target, *lowered_specials_.back()); !s.ok()) return s;
      }
      report_.specials.push_back(special.Name());
      library_.specials.push_back(std::move(special));
    }
    return absl::OkStatus();
  }

  absl::Status Describe() {
    auto interface = MakeInterface(model_, report_.prefix, *once_, lowered_);
    if (!interface.ok()) return interface.status();
    interface_ = *std::move(interface);
    for (const codegen::LibrarySpecial& special : library_.specials) {
      if (absl::Status s = AddArenas(special, *interface_); !s.ok()) return s;
    }
    for (CFunction& f : interface_->functions) {
      f.code.threads &= levels_.front().target.sharing.least_work != ir::Sharing::kNever;
    }
    interface_->save = Contains(report_.entries, "save");
    interface_->load = Contains(report_.entries, "load");
    library_.prefix = interface_->prefix;
    if (!options_.freestanding) library_.variable = interface_->macro + "_ISA";
    library_.small = options_.small;
    library_.debug_lines = options_.debug_lines;
    for (const CFunction& f : interface_->functions) library_.functions.push_back(f.code);
    if (absl::Status s = DescribeWeights(); !s.ok()) return s;
    if (interface_->Find("train_step") != nullptr) DescribeStart();
    if (interface_->Find("step") != nullptr) DescribeState();
    return Contains(report_.entries, "selftest") ? DescribePassport() : absl::OkStatus();
  }

  absl::Status DescribePassport() {
    const std::string graph = ir::Print(*model_.module);
    uint64_t hash = gradus_standalone_hash(graph.data(), graph.size());
    for (const auto& [name, tensor] : model_.weights) {
      hash = hash * 31 +
             gradus_standalone_hash(tensor.raw(), static_cast<uint64_t>(tensor.byte_size()));
    }
    auto passport = MakePassport(
        *interface_, *graph_,
        fmt::format("model: {}\nhash: {:016x}\ncompiler: Gradus {}, LLVM {}\nprefix: {}\n"
                    "instruction sets: {}\nentries: {}\n{}parameters: {}\n",
                    model_.module->name(), hash, GRADUS_VERSION, codegen::LlvmVersion(),
                    report_.prefix, fmt::join(report_.levels, " "), fmt::join(report_.entries, " "),
                    report_.specials.empty() ? std::string()
                                             : fmt::format("sizes with code of their own: {}\n",
                                                           fmt::join(report_.specials, " ")),
                    report_.parameters));
    if (!passport.ok()) return passport.status();
    interface_->selftest_bytes = passport->memory;
    library_.passport = *std::move(passport);
    return absl::OkStatus();
  }

  // Where parameters are in the structure and in a file: the file that WriteSafetensors would write
  // without values.
  absl::Status DescribeWeights() {
    codegen::LibraryWeights& w = library_.weights;
    const CBlock& block = interface_->parameters;
    w.block_bytes = block.bytes;
    w.alignment = block.alignment;
    w.save = interface_->save;
    w.load = interface_->load;
    std::vector<runtime::Tensor> zeros;
    std::vector<runtime::NamedTensorView> views;
    zeros.reserve(block.fields.size());
    for (const CField& f : block.fields) {
      report_.weights_bytes += f.bytes;
      report_.parameters += f.bytes / ir::ByteSize(f.type.dtype);
      const auto given = model_.weights.find(f.name);
      if (given != model_.weights.end()) {
        views.push_back({f.name, given->second});
        continue;
      }
      std::vector<int64_t> shape;
      for (const Dim& d : f.type.shape) shape.push_back(d.size());
      auto tensor = runtime::Tensor::Zeros(static_cast<runtime::DType>(f.type.dtype), shape);
      if (!tensor.ok()) return tensor.status();
      zeros.push_back(*std::move(tensor));
      views.push_back({f.name, zeros.back()});
    }
    auto bytes = runtime::SerializeSafetensors(
        views, {{"format", "gradus-weights"}, {"model", model_.module->name()}});
    if (!bytes.ok()) return bytes.status();
    const auto file = runtime::Safetensors::Parse(*bytes, "weights");
    if (!file.ok()) return file.status();
    w.file_bytes = static_cast<int64_t>(bytes->size());
    int64_t data_bytes = 0;
    for (const CField& f : block.fields) {
      const runtime::SafetensorsEntry& entry = *file->Find(f.name);
      w.parameters.push_back({f.name, FileDType(*file, f.name),
                              fmt::format("[{}]", fmt::join(entry.shape, ",")), f.bytes, f.offset,
                              entry.begin});
      data_bytes += f.bytes;
    }
    w.header = bytes->substr(0, bytes->size() - static_cast<size_t>(data_bytes));
    if (options_.weights == WeightsIn::kLibrary) {
      std::string embedded(static_cast<size_t>(block.bytes), '\0');
      for (size_t i = 0; i < block.fields.size(); ++i) {
        if (block.fields[i].bytes == 0) continue;
        std::memcpy(embedded.data() + block.fields[i].offset, views[i].tensor.data,
                    static_cast<size_t>(block.fields[i].bytes));
      }
      w.embedded = std::move(embedded);
    }
    if (options_.weights == WeightsIn::kFile) {
      files_.emplace_back(report_.name + ".safetensors", *std::move(bytes));
    }
    return absl::OkStatus();
  }

  void DescribeStart() {
    const CBlock& block = interface_->training;
    codegen::LibraryStart start{.block_bytes = block.bytes, .alignment = block.alignment};
    const auto fill = [&](const CField* field, double value) {
      if (field == nullptr || value == 0) return;
      start.fills.push_back({field->offset, field->bytes / ir::ByteSize(field->type.dtype),
                             field->type.dtype, value});
    };
    fill(block.Find("learning_rate"), model_.learning_rate);
    for (const StateStart& s : model_.state) fill(block.Find(s.name), s.start);
    if (const CField* seed = block.Find("seed")) start.seed_offset = seed->offset;
    library_.start = std::move(start);
  }

  void DescribeState() {
    const ir::Type& type = one_step_.state;
    const int64_t element = ir::ByteSize(type.dtype);
    codegen::LibraryStart start{.block_bytes = type.shape[1].size() * element,
                                .alignment = element};
    for (const passes::StateFill& f : one_step_.fills) {
      start.fills.push_back({f.offset * element, f.count, type.dtype, f.value});
    }
    library_.step_start = std::move(start);
  }

  absl::Status AddCode() {
    auto members = codegen::EmitLibrary(library_, levels_);
    if (!members.ok()) return members.status();
    auto summary = codegen::Summarize(*members);
    if (!summary.ok()) return summary.status();
    report_.summary = *std::move(summary);
    for (const std::string& symbol : report_.summary.undefined) {
      if (Contains(kOfC, symbol)) continue;
      return absl::UnimplementedError(fmt::format(
          "library: code for {} would call {} of a compiler's library\n  help: the processor has "
          "no instructions for something that model {} does; f64 is what most often is missing",
          fmt::join(report_.levels, ", "), symbol, model_.module->name()));
    }
    if (options_.freestanding && !report_.summary.undefined.empty()) {
      return absl::UnimplementedError(
          fmt::format("library: the code calls {}, which a freestanding library may not",
                      fmt::join(report_.summary.undefined, ", ")));
    }
    auto archive = codegen::Archive(*members);
    if (!archive.ok()) return archive.status();
    report_.archive_bytes = static_cast<int64_t>(archive->size());
    if (Contains(options_.emit, "obj")) {
      for (codegen::LibraryObject& m : *members) files_.emplace_back(m.name, std::move(m.bytes));
    }
    if (!Contains(options_.emit, "lib")) return absl::OkStatus();
    const std::string library = fmt::format("lib{}.a", report_.name);
    files_.emplace_back(library, *std::move(archive));
    files_.emplace_back(report_.name + ".h",
                        HeaderText(*interface_, model_,
                                   {.library = library,
                                    .isa = report_.levels,
                                    .specials = options_.specialize,
                                    .embedded_weights = options_.weights == WeightsIn::kLibrary,
                                    .asks_environment = !options_.freestanding,
                                    .file_bytes = library_.weights.file_bytes}));
    files_.emplace_back(report_.name + ".pc",
                        fmt::format("Name: {0}\nDescription: compiled model {1}\nVersion: 1\n"
                                    "Cflags: -I${{pcfiledir}}\nLibs: -L${{pcfiledir}} -l{0}\n",
                                    report_.name, model_.module->name()));
    return absl::OkStatus();
  }

  absl::Status AddTexts() {
    if (Contains(options_.emit, "graph")) {
      files_.emplace_back(report_.name + ".ir", ir::Print(*graph_));
    }
    if (library_.once != nullptr) {
      const ir::Target& lowest = levels_.front().target;
      if (absl::Status s = AddTextsOf(lowest, *once_, report_.name + "_once"); !s.ok()) return s;
    }
    for (size_t i = 0; i < levels_.size(); ++i) {
      const std::string stem = fmt::format("{}_{}", report_.name, levels_[i].name);
      if (absl::Status s = AddTextsOf(levels_[i].target, *levels_[i].module, stem); !s.ok())
        return s;
      for (const codegen::LibrarySpecial& special : library_.specials) {
        absl::Status s =
            AddTextsOf(levels_[i].target, *special.modules[i], stem + "_" + special.Name());
        if (!s.ok()) return s;
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddTextsOf(const ir::Target& target, const ir::Module& module,
                          const std::string& stem) {
    if (module.functions().empty()) return absl::OkStatus();
    const codegen::CodegenOptions options{.target = target,
                                          .prefix = report_.prefix,
                                          .in_library = true,
                                          .small = options_.small,
                                          .kernel_prefix = report_.prefix + "_"};
    if (Contains(options_.emit, "loops")) files_.emplace_back(stem + ".loops", ir::Print(module));
    for (const auto& [form, emit, extension] : {std::tuple("llvm", &codegen::EmitLlvm, ".ll"),
                                                std::tuple("asm", &codegen::EmitAssembly, ".s")}) {
      if (!Contains(options_.emit, form)) continue;
      auto text = emit(module, options);
      if (!text.ok()) return text.status();
      files_.emplace_back(stem + extension, *std::move(text));
    }
    return absl::OkStatus();
  }

  absl::Status Measure() {
    constexpr int64_t kTypical = passes::PassContext::kTypicalSize;
    for (const CFunction& f : interface_->functions) {
      passes::Sizes sizes;
      for (const ir::Symbol s : f.code.symbols) sizes[std::string(s.name())] = kTypical;
      auto operations = passes::CountOperations(*graph_, f.entry, sizes);
      if (!operations.ok()) return operations.status();
      report_.arenas.push_back({f.entry, loop::ToString(f.code.arena),
                                loop::ValueAt(f.code.arena, [](ir::Symbol) { return kTypical; }),
                                *operations});
    }
    return absl::OkStatus();
  }

  absl::Status WriteFiles() {
    for (const auto& [name, bytes] : files_) {
      const std::string path = fmt::format("{}/{}", options_.folder, name);
      if (absl::Status s = runtime::WriteFileAtomically(path, bytes); !s.ok()) return s;
      report_.files.push_back(path);
    }
    return absl::OkStatus();
  }

  const SavedModel& model_;
  const LibraryOptions& options_;
  LibraryReport report_;
  std::unique_ptr<ir::Module> graph_;  // with the wanted entries alone
  passes::OneStep one_step_;           // of @step, if it is there
  std::vector<codegen::LibraryLevel> levels_;
  std::unique_ptr<ir::Module> once_;  // init
  std::vector<std::unique_ptr<ir::Module>> lowered_, lowered_specials_;
  std::unique_ptr<CInterface> interface_;
  codegen::Library library_;
  std::vector<std::pair<std::string, std::string>> files_;  // names, bytes
};

}  // namespace

absl::StatusOr<LibraryReport> WriteLibrary(const SavedModel& model, const LibraryOptions& options) {
  return Writer(model, options).Write();
}

absl::StatusOr<LibraryReport> WriteLibrary(const Model& model, const SaveOptions& contents,
                                           const LibraryOptions& options) {
  auto saved = DescribeModel(model, contents);
  if (!saved.ok()) return saved.status();
  return WriteLibrary(*saved, options);
}

std::string LibraryReport::Card() const {
  std::string text = fmt::format("library {}: {} for {}\n", name, fmt::join(entries, ", "),
                                 fmt::join(levels, ", "));
  const auto row = [&](std::string_view member, const codegen::LibrarySize& s) {
    text += fmt::format("  {:<28} {:>9} {:>9} {:>7} {:>9}\n", member, s.code, s.constants, s.data,
                        s.total());
  };
  text += fmt::format("  {:<28} {:>9} {:>9} {:>7} {:>9}\n", "bytes of", "code", "constants", "data",
                      "all");
  codegen::LibrarySize all;
  for (const auto& [member, size] : summary.members) {
    row(member, size);
    all.code += size.code;
    all.constants += size.constants;
    all.data += size.data;
  }
  row("all", all);
  text += fmt::format("  archive: {} bytes\n", archive_bytes);
  text += fmt::format("  parameters: {} ({} bytes)\n", parameters, weights_bytes);
  for (const Arena& a : arenas) {
    text += fmt::format("  {:<10} arena {} bytes; at 32: {}, {:.4g} floating-point operations\n",
                        a.entry, a.formula, a.bytes, a.operations);
  }
  text +=
      fmt::format("  undefined symbols: {}\n",
                  summary.undefined.empty() ? std::string("none")
                                            : fmt::format("{}", fmt::join(summary.undefined, " ")));
  return text;
}

}  // namespace gradus
