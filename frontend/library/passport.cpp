#include "frontend/library/passport.h"

#include <cmath>
#include <cstring>
#include <map>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "ir/loop/entry_plan.h"
#include "passes/pipelines.h"
#include "runtime/standalone/standalone.h"

namespace gradus {
namespace {

// Rows, and every other size that is open.
constexpr int64_t kSize = 2;
// Levels differ in the last bits of each sum, which layers pass on.
constexpr double kTolerance = 1e-3;

int64_t RoundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

int64_t CountOf(const Type& type) {
  int64_t count = 1;
  for (const Dim& d : type.shape) count *= d.is_symbol() ? kSize : d.size();
  return count;
}

// Weights that keep a layer's outputs about as large as its inputs; what has one axis (biases,
// scales, variances) from 0.5 to 1.
void ChooseRange(const Type& type, bool is_weight, codegen::LibraryDraw& draw) {
  const int rank = type.rank();
  if (!is_weight) {
    draw.low = -1;
    draw.span = 2;
  } else if (rank < 2) {
    draw.low = draw.span = 0.5;
  } else {
    const auto inputs = static_cast<double>(draw.count) /
                        static_cast<double>(std::max<int64_t>(type.shape[rank - 1].size(), 1));
    draw.low = -std::sqrt(3 / std::max(inputs, 1.0));
    draw.span = -2 * draw.low;
  }
}

gradus_drawn InC(const codegen::LibraryDraw& d) {
  return {d.offset, d.count, d.pointer, static_cast<int32_t>(d.dtype), d.low, d.span};
}

// Where a call's memory lies in that of the self-test.
void Place(const codegen::LibraryFunction& f, codegen::LibraryPassport& p) {
  constexpr int64_t kWord = 8;  // of pointers, or less
  const auto pointers =
      static_cast<int64_t>(f.pointers.size() + f.arguments.size() + f.results.size());
  p.dims = RoundUp(kWord * pointers, kWord);
  int64_t at = p.dims + kWord * static_cast<int64_t>(f.symbols.size());
  for (const codegen::LibraryPointer& pointer : f.pointers) {
    at = RoundUp(at, GRADUS_WORKSPACE_ALIGNMENT);
    p.places.push_back(at);
    int64_t bytes = pointer.bytes;
    for (size_t i = 0; i < pointer.symbols.size(); ++i) bytes *= kSize;
    at += bytes;
  }
  p.arena = RoundUp(at, GRADUS_WORKSPACE_ALIGNMENT);
  p.memory = p.arena + loop::ValueAt(f.arena, [](ir::Symbol) { return kSize; });
}

// What plain code gives for the drawn arguments.
absl::StatusOr<std::vector<double>> Expected(const ir::Module& graph, codegen::LibraryPassport& p) {
  const auto lowered = graph.Clone();
  std::vector<const ir::Function*> others;
  for (const auto& f : lowered->functions()) {
    if (f->kind() == ir::FunctionKind::kGraph && f->name() != p.entry) others.push_back(f.get());
  }
  for (const ir::Function* f : others) lowered->EraseFunction(f);
  auto target = codegen::NamedTarget("scalar");
  if (!target.ok()) return target.status();
  absl::Status s =
      passes::RunPipeline(*lowered, "default", {.target = *target}, {.verify_each = false});
  if (!s.ok()) return s;
  const auto code = codegen::CompileAndLoad(*lowered, {.target = *target});
  if (!code.ok()) return code.status();
  const ir::Function& entry = *lowered->Find(p.entry);
  std::vector<runtime::Tensor> inputs;
  for (int i = 0; i < entry.num_args(); ++i) {
    const Type& type = entry.arg(i).type();
    std::vector<int64_t> shape;
    for (const Dim& d : type.shape) shape.push_back(d.is_symbol() ? kSize : d.size());
    auto tensor = runtime::Tensor::Zeros(static_cast<runtime::DType>(type.dtype), shape);
    if (!tensor.ok()) return tensor.status();
    const gradus_drawn drawn = InC(p.drawn[static_cast<size_t>(i)]);
    gradus_standalone_draw(&drawn, static_cast<uint64_t>(i), tensor->raw());
    inputs.push_back(*std::move(tensor));
  }
  const auto results = code->front().executable.Run(std::move(inputs));
  if (!results.ok()) return results.status();
  std::vector<double> expected;
  for (const runtime::Tensor& t : *results) {
    int64_t count = 1;
    for (const int64_t n : t.shape()) count *= n;
    for (int64_t at = 0; at < count; ++at) {
      const auto i = static_cast<size_t>(at);
      double value = 0;
      switch (t.dtype()) {
        case runtime::DType::kF32: value = static_cast<double>(t.data<float>()[i]); break;
        case runtime::DType::kF64: value = t.data<double>()[i]; break;
        case runtime::DType::kI64: value = static_cast<double>(t.data<int64_t>()[i]); break;
        case runtime::DType::kI32: value = static_cast<double>(t.data<int32_t>()[i]); break;
        default: value = static_cast<double>(static_cast<const char*>(t.raw())[i]); break;
      }
      expected.push_back(value);
    }
  }
  return expected;
}

std::string Bytes(std::string text, const std::vector<double>& expected) {
  text.resize(static_cast<size_t>(RoundUp(static_cast<int64_t>(text.size()), 8)), '\0');
  gradus_passport head = {};
  std::memcpy(head.magic, GRADUS_PASSPORT_MAGIC, sizeof head.magic);
  std::string rest = text;
  rest.append(reinterpret_cast<const char*>(expected.data()), expected.size() * sizeof(double));
  head.version = GRADUS_PASSPORT_VERSION;
  head.bytes = static_cast<uint32_t>(sizeof head + rest.size());
  head.hash = gradus_standalone_hash(rest.data(), rest.size());
  head.text_bytes = static_cast<uint32_t>(text.size());
  head.expected_count = static_cast<uint32_t>(expected.size());
  head.tolerance = kTolerance;
  return std::string(reinterpret_cast<const char*>(&head), sizeof head) + rest;
}

}  // namespace

absl::StatusOr<codegen::LibraryPassport> MakePassport(const CInterface& interface,
                                                      const ir::Module& graph,
                                                      const std::string& text) {
  codegen::LibraryPassport p;
  std::vector<double> expected;
  const CFunction* f = interface.Find("forward");
  const ir::Function* entry = graph.Find("forward");
  if (f != nullptr && entry != nullptr) {
    p.entry = f->entry;
    p.size = kSize;
    Place(f->code, p);
    for (int i = 0; i < entry->num_args(); ++i) {
      const Type& type = entry->arg(i).type();
      const codegen::LibrarySlot& slot = f->code.arguments[static_cast<size_t>(i)];
      codegen::LibraryDraw draw{slot.offset, CountOf(type), slot.pointer, type.dtype};
      const bool is_weight = interface.parameters.Find(entry->arg(i).node()->name()) != nullptr;
      ChooseRange(type, is_weight, draw);
      p.drawn.push_back(draw);
    }
    for (size_t i = 0; i < entry->results().size(); ++i) {
      const Type& type = entry->results()[i].value.type();
      const codegen::LibrarySlot& slot = f->code.results[i];
      p.results.push_back({slot.offset, CountOf(type), slot.pointer, type.dtype});
    }
    auto found = Expected(graph, p);
    if (!found.ok()) return found.status();
    expected = *std::move(found);
    for (const double v : expected) {
      if (std::isfinite(v)) continue;
      // Drawn numbers are outside of what the model takes: nothing to compare with.
      p = {};
      expected.clear();
      break;
    }
  }
  const std::string test = p.entry.empty()
                               ? "none"
                               : fmt::format("{} at {}, {} numbers within {} of 1 + their size",
                                             p.entry, kSize, expected.size(), kTolerance);
  p.bytes = Bytes(fmt::format("{}self-test: {}\n", text, test), expected);
  return p;
}

absl::StatusOr<std::vector<Passport>> ReadPassports(std::string_view bytes, std::string_view file) {
  const std::string_view magic(GRADUS_PASSPORT_MAGIC, sizeof gradus_passport::magic);
  const auto refuse = [&](std::string_view why) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", file, why));
  };
  std::vector<Passport> passports;
  for (size_t at = bytes.find(magic); at != std::string_view::npos; at = bytes.find(magic, at)) {
    gradus_passport head;
    const size_t left = bytes.size() - at;
    if (left < sizeof head) {
      return refuse(
          fmt::format("is cut off: its passport begins at byte {} and has {} bytes, "
                      "expected at least {}",
                      at, left, sizeof head));
    }
    std::memcpy(&head, bytes.data() + at, sizeof head);
    if (head.version != GRADUS_PASSPORT_VERSION) {
      return refuse(
          fmt::format("its passport is of version {}, expected {}\n  help: another "
                      "release of Gradus made the library",
                      head.version, static_cast<int>(GRADUS_PASSPORT_VERSION)));
    }
    const uint64_t inner =
        uint64_t{head.text_bytes} + uint64_t{head.expected_count} * sizeof(double);
    if (head.bytes != sizeof head + inner) return refuse("its passport is damaged: sizes differ");
    if (left < head.bytes) {
      return refuse(
          fmt::format("is cut off: its passport begins at byte {} and has {} bytes, "
                      "expected {}",
                      at, left, head.bytes));
    }
    const char* rest = bytes.data() + at + sizeof head;
    const uint64_t hash = gradus_standalone_hash(rest, inner);
    if (hash != head.hash) {
      return refuse(
          fmt::format("its passport is damaged: hash {:016x}, expected {:016x}", hash, head.hash));
    }
    Passport p{.text = std::string(rest, head.text_bytes), .tolerance = head.tolerance};
    p.text.resize(std::strlen(p.text.c_str()));
    p.expected.resize(head.expected_count);
    if (!p.expected.empty()) {
      std::memcpy(p.expected.data(), rest + head.text_bytes, p.expected.size() * sizeof(double));
    }
    passports.push_back(std::move(p));
    at += head.bytes;
  }
  if (passports.empty()) {
    return refuse(
        "holds no passport\n  help: expected a library that gradusc made, or a program "
        "that it is linked into");
  }
  return passports;
}

}  // namespace gradus
