#include "ir/loop/print_scalar.h"

#include <algorithm>

#include "fmt/format.h"
#include "ir/loop/walk.h"

namespace gradus::loop {
namespace {

constexpr size_t kLongestInline = 88;
enum Precedence : int { kComparison, kSum, kProduct, kUnary, kAtom };

std::string Number(const Scalar& s) {
  if (!ir::IsFloat(s.dtype)) {
    return s.dtype == DType::kI1 ? (s.integer != 0 ? "true" : "false")
                                 : fmt::format("{}", s.integer);
  }
  return s.dtype == DType::kF32 ? fmt::format("{}", static_cast<float>(s.number))
                                : fmt::format("{}", s.number);
}

std::string_view ReduceName(ReduceKind kind) {
  switch (kind) {
    case ReduceKind::kSum: return "sum";
    case ReduceKind::kProd: return "prod";
    case ReduceKind::kMax: return "maximum";
    case ReduceKind::kMin: return "minimum";
  }
  return "";
}

std::string_view FunctionName(ScalarKind kind) {
  switch (kind) {
    case ScalarKind::kMin: return "min";
    case ScalarKind::kMax: return "max";
    case ScalarKind::kFma: return "fma";
    case ScalarKind::kAbs: return "abs";
    case ScalarKind::kFloor: return "floor";
    case ScalarKind::kRoundEven: return "round_even";
    case ScalarKind::kSqrt: return "sqrt";
    case ScalarKind::kAnd: return "and";
    case ScalarKind::kOr: return "or";
    case ScalarKind::kXor: return "xor";
    case ScalarKind::kShl: return "shl";
    case ScalarKind::kShr: return "shr";
    case ScalarKind::kSelect: return "select";
    case ScalarKind::kExp2Table: return "exp2_table";
    default: return "";
  }
}

struct Infix {
  std::string_view symbol;
  int precedence;
};
Infix InfixOf(ScalarKind kind) {
  switch (kind) {
    case ScalarKind::kAdd: return {"+", kSum};
    case ScalarKind::kSub: return {"-", kSum};
    case ScalarKind::kMul: return {"*", kProduct};
    case ScalarKind::kDiv: return {"/", kProduct};
    case ScalarKind::kEq: return {"==", kComparison};
    case ScalarKind::kNe: return {"!=", kComparison};
    case ScalarKind::kLt: return {"<", kComparison};
    case ScalarKind::kLe: return {"<=", kComparison};
    default: return {"", kAtom};
  }
}

std::vector<const Scalar*> Reached(std::span<const Scalar* const> roots) {
  std::vector<const Scalar*> all;
  ForEachReached(roots, [&](const Scalar* s) { all.push_back(s); });
  std::sort(all.begin(), all.end(), [](const Scalar* a, const Scalar* b) { return a->id < b->id; });
  return all;
}

}  // namespace

std::string ToString(const Condition& c) {
  return fmt::format("{} <= {} < {}", ToString(c.low), ToString(c.form), ToString(c.high));
}

std::string LoopsToString(std::span<const Variable* const> variables) {
  std::string text;
  for (const Variable* v : variables) {
    text +=
        fmt::format("{}{} in 0..{}", text.empty() ? "" : ", ", v->name(), ToString(v->extent()));
  }
  return text;
}

ScalarPrinter::ScalarPrinter(std::span<const Buffer> buffers, std::span<const Scalar* const> roots)
    : buffers_(buffers) {
  for (const Scalar* s : roots) ++uses_[s];
  for (const Scalar* s : Reached(roots)) {
    for (const Scalar* o : s->operands) ++uses_[o];
  }
  for (const Buffer& b : buffers_) names_[b.name] = 1;
}

std::string ScalarPrinter::Access(int buffer, std::span<const Index> indices) const {
  std::string text = fmt::format("%{}[", buffers_[static_cast<size_t>(buffer)].name);
  for (size_t i = 0; i < indices.size(); ++i) {
    if (i > 0) text += ", ";
    text += ToString(indices[i]);
  }
  return text + "]";
}

std::string ScalarPrinter::Access(int buffer, std::span<const Index> indices, size_t axis,
                                  std::string_view position) const {
  std::string text = fmt::format("%{}[", buffers_[static_cast<size_t>(buffer)].name);
  for (size_t i = 0; i < indices.size(); ++i) {
    const bool here = i == axis;
    text += i > 0 ? ", " : "";
    if (!here || !indices[i].terms().empty()) text += ToString(indices[i]) + (here ? " + " : "");
    if (here) text += position;
  }
  return text + "]";
}

std::string ScalarPrinter::NewName(const Scalar& s) {
  const std::string stem = s.kind == ScalarKind::kReduce ? std::string(ReduceName(s.reduce)) : "t";
  for (;;) {
    const int n = names_[stem]++;
    std::string name = stem == "t" ? fmt::format("t{}", n)
                       : n == 0    ? stem
                                   : fmt::format("{}_{}", stem, n);
    if (name == stem || names_.try_emplace(name, 1).second) return "%" + name;
  }
}

std::string ScalarPrinter::Operand(const Scalar& s, size_t i, int precedence) const {
  const Text& t = texts_.at(s.operands[i]);
  return t.precedence < precedence ? "(" + t.text + ")" : t.text;
}

ScalarPrinter::Text ScalarPrinter::Format(const Scalar& s) const {
  switch (s.kind) {
    case ScalarKind::kConst: {
      const std::string number = Number(s);
      return {number, number[0] == '-' ? kUnary : kAtom};
    }
    case ScalarKind::kExtent: return {fmt::format("index({})", ToString(s.extent)), kAtom};
    case ScalarKind::kIndex: return {fmt::format("index({})", ToString(s.indices[0])), kAtom};
    case ScalarKind::kLoad: return {Access(s.buffer, {s.indices.data(), s.indices.size()}), kAtom};
    case ScalarKind::kGather: {
      // %x[i, (position), j]; in a plan %x[16*i + j + 4*(position)].
      const bool flat = !(s.extent == Extent(1)) && s.indices.size() == 1;
      const std::string position = fmt::format("({})", Operand(s, 0, kComparison));
      return {Access(s.buffer, {s.indices.data(), s.indices.size()}, static_cast<size_t>(s.integer),
                     flat ? ToString(s.extent) + "*" + position : position),
              kAtom};
    }
    case ScalarKind::kAcc:
      return {s.integer == 0 ? "acc" : fmt::format("acc({})", s.integer), kAtom};
    case ScalarKind::kNeg: return {"-" + Operand(s, 0, kAtom), kUnary};
    case ScalarKind::kCast:
      return {fmt::format("{}({})", ir::Name(s.dtype), Operand(s, 0, kComparison)), kAtom};
    case ScalarKind::kBitcast:
      return {fmt::format("bits_{}({})", ir::Name(s.dtype), Operand(s, 0, kComparison)), kAtom};
    case ScalarKind::kGuard: {
      std::string text = "guard(";
      for (const Condition& c : s.conditions) text += ToString(c) + ", ";
      return {text + Operand(s, 0, kComparison) + ")", kAtom};
    }
    case ScalarKind::kReduce:
      return {fmt::format("{} {} of {}", ReduceName(s.reduce),
                          LoopsToString({s.variables.data(), s.variables.size()}),
                          Operand(s, 0, kComparison)),
              kComparison};
    default: break;
  }
  const Infix infix = InfixOf(s.kind);
  if (!infix.symbol.empty()) {
    // The right operand of - and / needs parentheses at equal precedence; so do chained
    // comparisons.
    const bool chains = s.kind == ScalarKind::kAdd || s.kind == ScalarKind::kMul;
    const int left = infix.precedence + (infix.precedence == kComparison ? 1 : 0);
    const int right = infix.precedence + (chains ? 0 : 1);
    return {fmt::format("{} {} {}", Operand(s, 0, left), infix.symbol, Operand(s, 1, right)),
            infix.precedence};
  }
  std::string text = std::string(FunctionName(s.kind)) + "(";
  for (size_t i = 0; i < s.operands.size(); ++i) {
    text += (i > 0 ? ", " : "") + Operand(s, i, kComparison);
  }
  return {text + ")", kAtom};
}

std::string ScalarPrinter::Print(const Scalar* root, std::string_view indent, std::string* out) {
  for (const Scalar* s : Reached({&root, 1})) {
    if (texts_.contains(s)) continue;
    Text text = Format(*s);
    const bool leaf = s->operands.empty();
    const bool shared = uses_[s] > 1 && !leaf;
    const bool reduce = s->kind == ScalarKind::kReduce;
    if (shared || reduce || (!leaf && s != root && text.text.size() > kLongestInline)) {
      std::string name = NewName(*s);
      *out += fmt::format("{}{} = {}\n", indent, name, text.text);
      text = {std::move(name), kAtom};
    }
    texts_[s] = std::move(text);
  }
  return texts_.at(root).text;
}

namespace {

std::string Print(std::string_view name, std::span<const Buffer> buffers,
                  std::span<const Store> stores) {
  std::string out = fmt::format("loops @{}(", name);
  for (size_t i = 0; i < buffers.size(); ++i) {
    const Buffer& b = buffers[i];
    if (b.kind == Buffer::Kind::kScratch) break;
    out += fmt::format("{}{}%{}", i > 0 ? ", " : "", b.kind == Buffer::Kind::kOutput ? "out " : "",
                       b.name);
  }
  out += ") {\n";
  for (const Buffer& b : buffers) {
    if (b.kind != Buffer::Kind::kScratch) continue;
    out += fmt::format("  scratch %{}: {}\n", b.name, ir::ToString(b.type));
  }
  std::vector<const Scalar*> roots;
  for (const Store& s : stores) {
    if (s.position != nullptr) roots.push_back(s.position);
    roots.push_back(s.value);
  }
  ScalarPrinter printer(buffers, roots);
  for (const Store& s : stores) {
    const std::span<const Index> indices(s.indices.data(), s.indices.size());
    std::string place = printer.Access(s.buffer, indices);
    if (s.position != nullptr) {
      place = printer.Access(s.buffer, indices, static_cast<size_t>(s.axis),
                             "(" + printer.Print(s.position, "  ", &out) + ")");
    }
    const std::string value = printer.Print(s.value, "  ", &out);
    out += fmt::format("  store {} {} {}{}", place, s.kind == Store::Kind::kAdd ? "+=" : "=",
                       s.running == nullptr ? "" : "running sum over " + s.running->name() + " of ",
                       value);
    if (!s.variables.empty()) out += "  for " + LoopsToString(s.variables);
    out += '\n';
  }
  return out + "}\n";
}

}  // namespace

std::string Print(const Kernel& kernel) {
  return Print(kernel.name, kernel.buffers, kernel.stores);
}

std::string Structure(const Kernel& kernel) {
  std::vector<Buffer> buffers = kernel.buffers;
  std::string types;
  for (size_t i = 0; i < buffers.size(); ++i) {
    buffers[i].name = fmt::format("b{}", i);
    types += fmt::format("{}: {}\n", buffers[i].name, ir::ToString(buffers[i].type));
  }
  return types + Print("kernel", buffers, kernel.stores);
}

}  // namespace gradus::loop
