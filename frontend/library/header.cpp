#include "frontend/library/header.h"

#include <algorithm>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "frontend/data/preprocess.h"
#include "frontend/library/c_names.h"
#include "frontend/library/c_text.h"
#include "ir/printer.h"
#include "runtime/standalone/standalone.h"

namespace gradus {
namespace {

using Kind = CParameter::Kind;

constexpr const char* kCodeNames[GRADUS_CODES] = {"OK",
                                                  "ERROR_NULL",
                                                  "ERROR_SIZE",
                                                  "ERROR_ALIGNMENT",
                                                  "ERROR_ARENA_SIZE",
                                                  "ERROR_ARENA_ALIGNMENT",
                                                  "ERROR_OVERLAP",
                                                  "ERROR_CPU",
                                                  "ERROR_ISA",
                                                  "ERROR_FORMAT",
                                                  "ERROR_MISMATCH",
                                                  "ERROR_BUFFER",
                                                  "ERROR_PASSPORT",
                                                  "ERROR_SELFTEST"};

// What each entry does.
struct EntryText {
  std::string_view entry, text;
};
constexpr EntryText kEntryTexts[] = {
    {"init",
     "Draws new weights: the same ones for the same seed, on every instruction set of the "
     "library."},
    {"forward", "The model's outputs for a batch. Layers do what they do outside of training."},
    {"evaluate",
     "The loss of a batch and what its metrics count. Sums named alike may be added over batches; "
     "a "
     "metric is the ratio of its sums."},
    {"train_step",
     "One step of training on a batch: outputs, loss, gradients, update. Writes the weights and "
     "the "
     "state of the training in place."},
    {"step",
     "The next sample of each sequence: gives what forward gives for it, bit for bit. What has no "
     "axis of time is what forward gives for the samples so far. The state remembers what came "
     "before: *_step_start prepares it, every call changes it, and copies of it go on from there."},
};

class HeaderWriter {
 public:
  HeaderWriter(const CInterface& interface, const SavedModel& model, const HeaderFacts& facts)
      : i_(interface), model_(model), facts_(facts) {}

  std::string Write() {
    const std::string guard = i_.macro + "_H_";
    Line("/* {}", Overview());
    Line("#ifndef {0}\n#define {0}\n\n#include <stddef.h>\n#include <stdint.h>\n", guard);
    Line("#ifdef __cplusplus\nextern \"C\" {{\n#endif\n");
    Codes();
    Alignment();
    Block(i_.parameters, Weights());
    if (facts_.embedded_weights) {
      Line(
          "/* The weights that the library holds. They are read-only: to train, copy them. */\n"
          "extern const {} {}_weights;\n",
          i_.parameters.c_type, i_.prefix);
    }
    Arenas();
    if (std::ranges::any_of(i_.functions, [](const CFunction& f) { return f.code.threads; })) {
      Threads();
    }
    for (const CFunction& f : i_.functions) {
      if (f.entry == "evaluate") Block(i_.evaluation, "What evaluate gives for a batch.");
      if (f.entry == "train_step") {
        Block(i_.training, Training());
        Start();
        Block(i_.step_result, "What a step gives for its batch, as it was before the update.");
      }
      if (f.entry == "step") StepStart(f);
      Function(f);
    }
    SaveAndLoad();
    SelfTest();
    Queries();
    Line("#ifdef __cplusplus\n}}\n#endif\n");
    text_ += fmt::format("#endif /* {} */\n", guard);
    return std::move(text_);
  }

 private:
  template <typename... T>
  void Line(fmt::format_string<T...> format, T&&... values) {
    text_ += fmt::format(format, std::forward<T>(values)...) + "\n";
  }

  std::string Overview() const {
    std::string text = fmt::format(
        "{}: a compiled model{}. Link {}; it needs nothing else.\n *\n", model_.module->name(),
        i_.Find("train_step") != nullptr ? " and its training" : "", facts_.library);
    if (!model_.layers.empty()) {
      size_t name = 5, type = 4, output = 6;
      for (const LayerInfo& l : model_.layers) {
        name = std::max(name, l.name.size());
        type = std::max(type, l.type.size());
        output = std::max(output, l.output.size());
      }
      text += fmt::format(" *   {:<{}}  {:<{}}  {:<{}}  parameters\n", "layer", name, "type", type,
                          "output", output);
      for (const LayerInfo& l : model_.layers) {
        text += fmt::format(" *   {:<{}}  {:<{}}  {:<{}}  {}\n", l.name, name, l.type, type,
                            l.output, output, l.parameters);
      }
      text += " *\n";
    }
    text += Features();
    if (i_.Find("train_step") != nullptr) {
      text += fmt::format(" * Trained with {} on the loss {}, learning rate {}.\n *\n",
                          model_.optimizer, model_.loss, model_.learning_rate);
    }
    text += fmt::format(
        " * All functions\n"
        " *   - return {0}_OK (0) or one of the codes below; on an error nothing was written;\n"
        " *   - work in the caller's memory and allocate nothing. The arena is scratch memory: "
        "what\n"
        " *     is in it before and after a call does not matter;\n"
        " *   - take dense arrays, rows first (the last axis is the one without gaps), aligned to\n"
        " *     their elements. What is written may not overlap anything else of the call;\n"
        " *   - may run in several threads at once, if no two of them write the same memory and "
        "none\n"
        " *     writes what another reads: weights may be shared by all that only read them;\n"
        " *   - give the same bits for the same input on the same instruction set, with any "
        "number\n"
        " *     of threads.\n",
        i_.macro);
    if (facts_.isa.size() > 1) {
      text += fmt::format(
          " *\n * The library holds code for {}. The first call takes the best one that the\n"
          " * processor and the operating system support.{}\n",
          fmt::join(facts_.isa, ", "),
          facts_.asks_environment
              ? fmt::format(" On Linux the environment may name another:\n"
                            " * {}_ISA=v{} (what the process was started with counts, not a later "
                            "setenv).",
                            i_.macro, facts_.isa.front().back())
              : "");
    } else {
      text += fmt::format(" *\n * The library holds code for {}.\n", facts_.isa.front());
    }
    if (!facts_.specials.empty()) {
      std::vector<std::string> sizes;
      for (const auto& [symbol, size] : facts_.specials) {
        sizes.push_back(fmt::format("{} = {}", SizeName(ir::Symbol(symbol)), size));
      }
      text += fmt::format(
          " *\n * There is code of its own, faster, for {}; its last bits may differ from those "
          "that\n"
          " * the same row gives among others.\n",
          fmt::join(sizes, ", "));
    }
    return text + " */";
  }

  // What a table's cells become before the model sees them.
  std::string Features() const {
    if (model_.preprocess.empty()) return {};
    const auto preprocess = data::Preprocess::ParseJson(model_.preprocess);
    if (!preprocess.ok()) return {};
    constexpr size_t kMostColumns = 256;
    std::string text =
        " * A row is made of these columns, in order. A number becomes (cell - offset) / scale, a\n"
        " * missing one is taken for `fill`; a category becomes a number each, 1 where it is the\n"
        " * cell's and 0 elsewhere.\n";
    for (const data::FittedColumn& c :
         preprocess->columns().first(std::min(kMostColumns, preprocess->columns().size()))) {
      if (c.categories.empty()) {
        text += fmt::format(" *   {}: fill {}, offset {}, scale {}\n", CommentText(c.name), c.fill,
                            c.offset, c.scale);
        continue;
      }
      text += fmt::format(" *   {}: is", CommentText(c.name));
      for (const std::string& category : c.categories) {
        text += fmt::format("{} \"{}\"", &category == &c.categories.front() ? "" : ",",
                            CommentText(category));
      }
      text += "\n";
    }
    if (preprocess->columns().size() > kMostColumns) {
      text += fmt::format(" *   and {} more, which are in the model's file\n",
                          preprocess->columns().size() - kMostColumns);
    }
    return text + " *\n";
  }

  void Codes() {
    Line("enum {{");
    for (int code = 0; code < GRADUS_CODES; ++code) {
      Line("  /* {} */\n  {}_{} = {}{}", gradus_standalone_strerror(code), i_.macro,
           kCodeNames[code], code, code + 1 < GRADUS_CODES ? "," : "");
    }
    Line("}};");
    Line("/* The same sentences; never null. */\nconst char* {}_strerror(int32_t code);\n",
         i_.prefix);
  }

  void Alignment() {
    Line(
        "/* First in a definition: aligned as an arena must be, and as weights are best:\n"
        " *   {0}_ALIGNED static unsigned char arena[{0}_ARENA_BYTES(1)]; */\n"
        "#if defined(__cplusplus)\n#define {0}_ALIGNED alignas({1})\n"
        "#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L\n"
        "#define {0}_ALIGNED _Alignas({1})\n"
        "#elif defined(__GNUC__)\n#define {0}_ALIGNED __attribute__((aligned({1})))\n"
        "#elif defined(_MSC_VER)\n#define {0}_ALIGNED __declspec(align({1}))\n"
        "#endif\n",
        i_.macro, GRADUS_WORKSPACE_ALIGNMENT);
  }

  std::string Weights() const {
    int64_t count = 0;
    for (const CField& f : i_.parameters.fields) count += f.bytes / ir::ByteSize(f.type.dtype);
    return fmt::format("The model's weights: {} numbers.", count);
  }

  std::string Training() const {
    return fmt::format(
        "What a training keeps from step to step, beside the weights: {0}_train_start fills it.",
        i_.prefix);
  }

  // A structure whose gaps are members.
  void Block(const CBlock& block, const std::string& what) {
    Line("/* {} {} bytes. */\ntypedef struct {} {{", what, block.bytes, block.c_type);
    int64_t at = 0;
    int gaps = 0;
    const auto fill = [&](int64_t to) {
      if (to > at) Line("  unsigned char reserved_{}[{}];", gaps++, to - at);
      at = to;
    };
    for (const CField& f : block.fields) {
      const std::string comment = fmt::format("/* {}{}{}, offset {} */", TypeText(f.type),
                                              f.comment.empty() ? "" : ": ", f.comment, f.offset);
      if (f.bytes == 0) {
        Line("  /* {}: holds no element */", f.c_name);
        continue;
      }
      fill(f.offset);
      std::string sizes;
      for (const Dim& d : f.type.shape) sizes += fmt::format("[{}]", d.size());
      Line("  {} {}{}; {}", CType(f.type.dtype), f.c_name, sizes, comment);
      at = f.offset + f.bytes;
    }
    fill(block.bytes);
    Line(
        "}} {0};\n/* Fails to compile where structures are packed in another way. */\n"
        "typedef char {0}_is_as_compiled[sizeof({0}) == {1} ? 1 : -1];\n",
        block.c_type, block.bytes);
  }

  static std::string Sizes(const std::vector<ir::Symbol>& symbols) {
    std::string text;
    for (const ir::Symbol s : symbols) text += (text.empty() ? "" : ", ") + SizeName(s);
    return text;
  }

  void Arenas() {
    Line(
        "/* Bytes of arena that a function needs for sizes of a call, as constant expressions if "
        "the\n"
        " * sizes are; more is fine. */");
    std::vector<ir::Symbol> all;
    loop::Maximum largest;
    for (const CFunction& f : i_.functions) {
      Macro(MacroName(f.entry) + "_ARENA_BYTES", f.code.symbols, f.code.arena);
      largest.Raise(f.code.arena);
      for (const ir::Symbol s : f.code.symbols) {
        if (std::ranges::find(all, s) == all.end()) all.push_back(s);
      }
    }
    constexpr size_t kMostSums = 4;
    largest.Limit(kMostSums);
    Line("/* Enough for every function. */");
    Macro("ARENA_BYTES", all, largest);
    Line("");
  }

  void Macro(const std::string& name, const std::vector<ir::Symbol>& symbols,
             const loop::Maximum& size) {
    const std::string parameters = Sizes(symbols);
    Line("#define {}_{}{} \\\n  {}", i_.macro, name,
         parameters.empty() ? "" : "(" + parameters + ")", SizeExpression(size));
  }

  void Threads() {
    Line(
        "/* Threads of the caller, for the functions whose names end in _threads: parallel_for "
        "runs\n"
        " * body(context, i) for every i in [0, count), in any order or at once, and returns when "
        "all\n"
        " * are done. Small batches stay on one thread. */\n"
        "typedef struct {0}_threads {{\n  void* state;\n"
        "  void (*parallel_for)(void* state, int64_t count, void (*body)(void* context, int64_t "
        "i),\n"
        "                       void* context);\n}} {0}_threads;\n",
        i_.prefix);
  }

  std::string Declared(const CParameter& p) const {
    switch (p.kind) {
      case Kind::kBlock:
        return fmt::format("{}{}* {}", p.written ? "" : "const ", p.block->c_type, p.c_name);
      case Kind::kArray:
        return fmt::format("{}{}* {}", p.written ? "" : "const ", CType(p.type.dtype), p.c_name);
      case Kind::kSize:
      case Kind::kNumber: break;
    }
    return "int64_t " + p.c_name;
  }

  static std::string Meaning(const CParameter& p, const CFunction& f) {
    switch (p.kind) {
      case Kind::kBlock:
        if (p.name == "result") return "written";
        if (!p.written) return "read";
        return f.entry == "init" ? "written" : "read and written";
      case Kind::kArray:
        return TypeText(p.type) + (p.name == "state" ? ", read and written"
                                   : p.written       ? ", written"
                                                     : "");
      case Kind::kSize: return "0 or more";
      case Kind::kNumber: break;
    }
    return "any number";
  }

  void Function(const CFunction& f) {
    std::string_view what;
    for (const EntryText& e : kEntryTexts) {
      if (e.entry == f.entry) what = e.text;
    }
    std::vector<std::string> words;
    for (size_t at = 0; at < what.size();) {
      const size_t end = std::min(what.find(' ', at), what.size());
      words.emplace_back(what.substr(at, end - at));
      at = end + 1;
    }
    std::string comment = "/*", line;
    for (const std::string& w : words) {
      if (line.size() + w.size() > 92) {
        comment += line + "\n *";
        line.clear();
      }
      line += " " + w;
    }
    comment += line + "\n *";
    size_t width = 5;
    for (const CParameter& p : f.parameters) width = std::max(width, p.c_name.size());
    for (const CParameter& p : f.parameters) {
      comment += fmt::format("\n *   {:<{}}  {}", p.c_name, width, Meaning(p, f));
    }
    const std::string sizes = Sizes(f.code.symbols);
    comment += fmt::format("\n *   {:<{}}  {} bytes or more: {}_{}_ARENA_BYTES{}", "arena", width,
                           "arena_bytes", i_.macro, MacroName(f.entry),
                           sizes.empty() ? "" : "(" + sizes + ")");
    Line("{} */", comment);
    std::vector<std::string> declared;
    for (const CParameter& p : f.parameters) declared.push_back(Declared(p));
    declared.emplace_back("void* arena");
    declared.emplace_back("size_t arena_bytes");
    const auto declare = [&](const std::string& name) {
      const std::string first = fmt::format("int32_t {}_{}(", i_.prefix, name);
      Line("{}", Wrapped(declared, std::string(first.size(), ' '), first, ");"));
    };
    declare(f.entry);
    if (f.code.threads) {
      declared.push_back(fmt::format("const {}_threads* threads", i_.prefix));
      Line("/* The same; threads may be null. */");
      declare(f.entry + "_threads");
    }
    Line("");
  }

  void Start() {
    Line(
        "/* The state of a training before its first step; the learning rate is {}.{} */\n"
        "int32_t {}_train_start({}* training, int64_t seed);\n",
        model_.learning_rate,
        i_.training.Find("seed") != nullptr ? "" : " Nothing draws from the seed.", i_.prefix,
        i_.training.c_type);
  }

  void StepStart(const CFunction& f) {
    for (const CParameter& p : f.parameters) {
      if (p.name != "state") continue;
      const std::string sizes = Sizes(f.code.symbols);
      const int64_t row = p.type.shape[1].size();
      Line(
          "/* The state of sequences before their first samples: an array of {0}. */\n"
          "#define {1}_STATE_BYTES{2} \\\n  ((size_t){3}{4})\n"
          "int32_t {5}_step_start({6}* state, int64_t batch);",
          TypeText(p.type), i_.macro, sizes.empty() ? "" : "(" + sizes + ")",
          row * ir::ByteSize(p.type.dtype),
          p.type.shape[0].is_symbol() ? fmt::format(" * (size_t)({})", sizes)
                                      : fmt::format(" * {}", p.type.shape[0].size()),
          i_.prefix, CType(p.type.dtype));
    }
  }

  void SaveAndLoad() {
    if (!i_.save && !i_.load) return;
    Line(
        "/* Weights in a file of safetensors, as PyTorch, JAX and Gradus read and write them. */\n"
        "#define {}_FILE_BYTES {}",
        i_.macro, facts_.file_bytes);
    if (i_.save) {
      Line(
          "/* Writes {}_FILE_BYTES bytes to the buffer. */\n"
          "int32_t {}_save(const {}* weights, void* buffer, size_t buffer_bytes);",
          i_.macro, i_.prefix, i_.parameters.c_type);
    }
    if (i_.load) {
      Line(
          "/* Reads the bytes of a file, tensors in any order, alignment or gap. Every parameter "
          "must\n"
          " * be there with its type and nothing else but what a checkpoint of Gradus adds. */\n"
          "int32_t {}_load({}* weights, const void* file, size_t file_bytes);",
          i_.prefix, i_.parameters.c_type);
    }
    Line("");
  }

  void SelfTest() {
    if (!i_.selftest_bytes) return;
    Line(
        "/* Runs the code for this processor on inputs and weights of its own and compares the "
        "result with\n"
        " * what the compiler computed; checks, before, the library's passport, which gradus-info "
        "prints.\n"
        " * Nothing is kept in the memory, which is aligned as an arena is. */\n"
        "#define {0}_SELFTEST_BYTES {1}\n"
        "int32_t {2}_selftest(void* memory, size_t memory_bytes);\n",
        i_.macro, std::max<int64_t>(*i_.selftest_bytes, 1), i_.prefix);
  }

  void Queries() {
    Line(
        "/* The level of instructions in use (of x86-64-v3: 3; where there is one: 1), or minus an "
        "error code. */\n"
        "int32_t {}_isa(void);\n",
        i_.prefix);
  }

  const CInterface& i_;
  const SavedModel& model_;
  const HeaderFacts& facts_;
  std::string text_;
};

}  // namespace

std::string HeaderText(const CInterface& interface, const SavedModel& model,
                       const HeaderFacts& facts) {
  return HeaderWriter(interface, model, facts).Write();
}

}  // namespace gradus
