#include "frontend/library/interface.h"

#include <algorithm>
#include <array>
#include <utility>

#include "fmt/format.h"
#include "frontend/library/c_names.h"
#include "ir/loop/entry_plan.h"

namespace gradus {
namespace {

using Kind = CParameter::Kind;

// Tensors of a structure begin where vectors do.
constexpr int64_t kFieldAlignment = 64;
// Sums of a size that a header spells out.
constexpr size_t kMostSums = 4;

int64_t RoundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

absl::Status Unlike(const ir::Function& f, std::string_view what) {
  return absl::InvalidArgumentError(
      fmt::format("library: @{} is not what a model's entry looks like: {}", f.name(), what));
}

// Fills a structure.
class BlockBuilder {
 public:
  explicit BlockBuilder(CBlock& block) : block_(block) {}

  absl::Status Add(const std::string& name, const Type& type, int64_t alignment,
                   std::string comment = {}) {
    const auto count = type.shape.num_elements();
    const int64_t element = ir::ByteSize(type.dtype);
    if (!count || !ir::SizeFits(type.shape)) {
      return absl::InvalidArgumentError(
          fmt::format("library: {} has type {}, expected numbers that fit in memory", name,
                      ir::ToString(type)));
    }
    block_.bytes = RoundUp(block_.bytes, std::max(alignment, element));
    block_.alignment = std::max(block_.alignment, element);
    block_.fields.push_back(
        {name, names_.Add(name), type, block_.bytes, *count * element, std::move(comment)});
    block_.bytes += *count * element;
    return absl::OkStatus();
  }
  void Finish(int64_t alignment) {
    block_.bytes = std::max(block_.bytes, int64_t{1});  // C has no empty structures
    block_.bytes = RoundUp(block_.bytes, std::max(alignment, block_.alignment));
  }

 private:
  CBlock& block_;
  CNames names_;
};

// One function: its parameters in C, and where the entry's arguments and results are.
class FunctionBuilder {
 public:
  FunctionBuilder(const CInterface& interface, const ir::Function& entry)
      : interface_(interface), entry_(entry) {
    function_.entry = function_.code.entry = entry.name();
    function_.code.symbols = entry.entry->symbols;
    function_.code.threads = entry.name() != "init";
    // Names that C functions have anyway.
    for (const char* taken : {"arena", "arena_bytes", "threads"}) names_.Add(taken);
  }

  absl::StatusOr<CFunction> Build() {
    const bool is_init = entry_.name() == "init";
    const bool is_step = entry_.name() == "train_step";
    bool past_parameters = false;
    std::vector<codegen::LibrarySlot> slots;
    // 1. Arguments.
    if (is_init) Block("weights", interface_.parameters);
    for (int i = 0; i < entry_.num_args(); ++i) {
      const std::string& name = entry_.arg(i).node()->name();
      const Type& type = entry_.arg(i).type();
      const CField* field = interface_.parameters.Find(name);
      if (field != nullptr && !is_init) {
        past_parameters = true;
        slots.push_back({Block("weights", interface_.parameters), field->offset});
      } else if (is_step && past_parameters) {
        field = interface_.training.Find(name);
        if (field == nullptr) return Unlike(entry_, "the argument " + name + " is not known");
        slots.push_back({Block("training", interface_.training), field->offset});
      } else if (is_init) {
        if (!(type == Type{DType::kI64, {}})) return Unlike(entry_, name + " is no i64[]");
        slots.push_back({Number(name), 0});
        continue;
      } else {
        slots.push_back({Array(name, type), 0});
        continue;
      }
      if (!(field->type == type)) return Unlike(entry_, name + " is of another type");
    }
    function_.code.arguments = slots;
    // 2. Results: in the memory of an argument, in a structure, or in an array.
    const CBlock* numbers = is_step                       ? &interface_.step_result
                            : entry_.name() == "evaluate" ? &interface_.evaluation
                            : is_init                     ? &interface_.parameters
                                                          : nullptr;
    for (const ir::Result& r : entry_.results()) {
      codegen::LibrarySlot slot;
      if (r.alias >= 0) {
        slot = slots[static_cast<size_t>(r.alias)];
      } else if (numbers != nullptr) {
        const CField* field = numbers->Find(r.name);
        if (field == nullptr) return Unlike(entry_, "the result " + r.name + " is not known");
        slot = {Block(is_init ? "weights" : "result", *numbers), field->offset};
      } else {
        slot = {Array(r.name, r.value.type()), 0};
      }
      MarkWritten(slot.pointer);
      function_.code.results.push_back(slot);
    }
    for (const ir::Symbol s : function_.code.symbols) Size(s);
    // 3. Weights come first, then training, arrays, numbers and sizes, then what is written alone.
    Order();
    return std::move(function_);
  }

 private:
  int NewPointer(int64_t bytes, std::vector<int> symbols, int64_t alignment, CParameter parameter) {
    function_.code.pointers.push_back({bytes, std::move(symbols), alignment, false});
    pointers_.push_back(std::move(parameter));
    return static_cast<int>(pointers_.size()) - 1;
  }
  int Block(const std::string& name, const CBlock& block) {
    for (size_t i = 0; i < pointers_.size(); ++i) {
      if (pointers_[i].block == &block) return static_cast<int>(i);
    }
    return NewPointer(
        block.bytes, {}, block.alignment,
        {.kind = Kind::kBlock, .c_name = names_.Add(name), .name = name, .block = &block});
  }
  int Number(const std::string& name) {
    return NewPointer(8, {}, 8, {.kind = Kind::kNumber, .c_name = names_.Add(name), .name = name});
  }
  int Array(const std::string& name, const Type& type) {
    int64_t bytes = ir::ByteSize(type.dtype);
    std::vector<int> symbols;
    const auto& known = function_.code.symbols;
    for (const Dim& d : type.shape) {
      if (d.is_symbol()) {
        symbols.push_back(static_cast<int>(std::ranges::find(known, d.symbol()) - known.begin()));
      } else {
        bytes *= d.size();
      }
    }
    return NewPointer(bytes, std::move(symbols), ir::ByteSize(type.dtype),
                      {.kind = Kind::kArray,
                       .c_name = names_.Add(name.empty() ? "y" : name),
                       .name = name,
                       .type = type});
  }
  void Size(ir::Symbol symbol) {
    sizes_.push_back({.kind = Kind::kSize,
                      .c_name = names_.Add(SizeName(symbol)),
                      .name = std::string(symbol.name()),
                      .symbol = symbol});
  }
  void MarkWritten(int pointer) {
    function_.code.pointers[static_cast<size_t>(pointer)].written = true;
    pointers_[static_cast<size_t>(pointer)].written = true;
  }

  void Order() {
    using Code = codegen::LibraryParameter;
    const auto take = [&](auto&& wanted) {
      for (size_t i = 0; i < pointers_.size(); ++i) {
        if (!wanted(pointers_[i])) continue;
        const bool number = pointers_[i].kind == Kind::kNumber;
        function_.code.parameters.push_back(
            {number ? Code::Kind::kNumber : Code::Kind::kPointer, static_cast<int>(i)});
        function_.parameters.push_back(pointers_[i]);
      }
    };
    const auto is_state = [&](const CParameter& p) {
      return p.block == &interface_.parameters || p.block == &interface_.training;
    };
    take(is_state);
    take([&](const CParameter& p) { return !is_state(p) && !p.written; });
    for (size_t i = 0; i < sizes_.size(); ++i) {
      function_.code.parameters.push_back({Code::Kind::kSize, static_cast<int>(i)});
      function_.parameters.push_back(sizes_[i]);
    }
    take([&](const CParameter& p) { return !is_state(p) && p.written; });
  }

  const CInterface& interface_;
  const ir::Function& entry_;
  CFunction function_;
  std::vector<CParameter> pointers_, sizes_;
  CNames names_;
};

// Results of an entry that are no memory of an argument.
absl::Status AddResults(const ir::Function* entry, CBlock& block) {
  if (entry == nullptr) return absl::OkStatus();
  BlockBuilder builder(block);
  for (const ir::Result& r : entry->results()) {
    if (r.alias >= 0) continue;
    if (absl::Status s = builder.Add(r.name, r.value.type(), 1); !s.ok()) return s;
  }
  builder.Finish(1);
  return absl::OkStatus();
}

absl::Status AddTraining(const SavedModel& model, const ir::Function* step, CBlock& block) {
  if (step == nullptr) return absl::OkStatus();
  BlockBuilder builder(block);
  const auto argument = [&](std::string_view name) { return step->FindArgument(name); };
  for (const auto& [name, comment] : std::array<std::pair<const char*, const char*>, 3>{
           {{"step", "updates so far"},
            {"seed", "of the random numbers that layers draw"},
            {"learning_rate", "may be changed at any time"}}}) {
    const Tensor a = argument(name);
    if (!a) continue;
    if (absl::Status s = builder.Add(name, a.type(), 1, comment); !s.ok()) return s;
  }
  for (const StateStart& s : model.state) {
    const Tensor a = argument(s.name);
    if (!a) return Unlike(*step, "there is no argument " + s.name);
    absl::Status status = builder.Add(s.name, a.type(), kFieldAlignment,
                                      s.start == 0 ? "" : fmt::format("starts as {}", s.start));
    if (!status.ok()) return status;
  }
  builder.Finish(kFieldAlignment);
  return absl::OkStatus();
}

}  // namespace

const CField* CBlock::Find(std::string_view name) const {
  for (const CField& f : fields) {
    if (f.name == name) return &f;
  }
  return nullptr;
}

const CFunction* CInterface::Find(std::string_view entry) const {
  for (const CFunction& f : functions) {
    if (f.entry == entry) return &f;
  }
  return nullptr;
}

std::string SizeName(ir::Symbol symbol) {
  if (symbol.name() == "B") return "batch";
  if (symbol.name() == "T") return "steps";
  return "size_" + CName(symbol.name());
}

bool IsPrefix(std::string_view name) {
  return !name.empty() && CName(name) == name && !name.ends_with('_');
}

absl::StatusOr<std::unique_ptr<CInterface>> MakeInterface(
    const SavedModel& model, const std::string& prefix, const ir::Module& once,
    std::span<const std::unique_ptr<ir::Module>> levels) {
  auto interface = std::make_unique<CInterface>();
  interface->prefix = prefix;
  interface->macro = MacroName(prefix);
  interface->parameters.c_type = prefix + "_parameters";
  interface->training.c_type = prefix + "_training";
  interface->evaluation.c_type = prefix + "_evaluation";
  interface->step_result.c_type = prefix + "_step_result";
  const ir::Module& first = *levels.front();

  BlockBuilder parameters(interface->parameters);
  for (const ir::Parameter& p : first.parameters()) {
    absl::Status s = parameters.Add(p.name, p.type, kFieldAlignment,
                                    p.trainable ? "" : "not changed by the optimiser");
    if (!s.ok()) return s;
  }
  parameters.Finish(kFieldAlignment);
  absl::Status status = AddTraining(model, first.Find("train_step"), interface->training);
  if (!status.ok()) return status;
  status = AddResults(first.Find("evaluate"), interface->evaluation);
  if (!status.ok()) return status;
  status = AddResults(first.Find("train_step"), interface->step_result);
  if (!status.ok()) return status;

  const auto add = [&](const ir::Function& f, bool every_level) -> absl::Status {
    if (f.entry == nullptr) return absl::OkStatus();
    auto function = FunctionBuilder(*interface, f).Build();
    if (!function.ok()) return function.status();
    function->code.every_level = every_level;
    function->code.arena.Raise(f.entry->workspace);
    for (const auto& level : levels) {
      if (!every_level) break;
      const ir::Function* same = level->Find(f.name());
      if (same == nullptr || same->entry == nullptr || same->entry->symbols != f.entry->symbols) {
        return absl::InternalError("library: the levels have different entries");
      }
      function->code.arena.Raise(same->entry->workspace);
    }
    function->code.arena.Limit(kMostSums);
    interface->functions.push_back(*std::move(function));
    return absl::OkStatus();
  };
  for (const auto& f : once.functions()) {
    if (status = add(*f, false); !status.ok()) return status;
  }
  for (const auto& f : first.functions()) {
    if (status = add(*f, true); !status.ok()) return status;
  }
  return interface;
}

}  // namespace gradus
