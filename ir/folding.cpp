#include "ir/folding.h"

#include <algorithm>

#include "ir/lexer.h"
#include "ir/literal.h"
#include "ir/op_def.h"
#include "ir/printer.h"

namespace gradus::ir {
namespace {

// A line is `  %12 = op a, b {attributes} : type`. References to lines count as much as %123, so
// that the numbers do not matter.
constexpr size_t kLineWidth = 100;
constexpr size_t kReference = 4;
constexpr size_t kAroundLine = 2 + kReference + 3 + 3;
constexpr int kMaxDepth = 6;  // of brackets: more is hard to read
static_assert(kMaxDepth <= kMaxNesting);
// Products, calls and the like have lines of their own: they are what a step's time goes to.
constexpr Traits kNestable = kPointwise | kMovement | kReduction | kTypeOnly;

// 1. Count uses, and see which constants can be numbers wherever they are used.
// 2. In the order of nodes, take each operand that is used once inside, and while the line is too
//    wide, let the widest operand keep a line of its own. So the widths of operands are known when
//    they are asked for.
class Folder {
 public:
  explicit Folder(const Function& f) : f_(f) {
    const auto n = static_cast<size_t>(f.id_bound());
    forms_.assign(n, TextForm::kLine);
    texts_.assign(n, {});
  }

  std::vector<TextForm> Process() {
    CountUses();
    Literals();
    for (const auto& node : f_.nodes()) {
      if (Form(*node) == TextForm::kLine) Fold(*node);
    }
    return std::move(forms_);
  }

 private:
  struct NodeText {
    int uses = 0;
    size_t width = 0;  // of op(...)
    int depth = 0;     // of its brackets
    bool nestable = false;
  };

  static size_t Id(const Node& node) { return static_cast<size_t>(node.id()); }
  TextForm& Form(const Node& node) { return forms_[Id(node)]; }

  // The instruction of this function that gives v, or null.
  const Node* Instruction(const Value& v) const {
    if (!v || v.is_poison() || v.node()->is_argument() || &v.node()->function() != &f_) {
      return nullptr;
    }
    return Id(*v.node()) < texts_.size() ? v.node() : nullptr;
  }
  const Node* Constant(const Value& v) const {
    const Node* node = Instruction(v);
    return node != nullptr && node->op().has(kSplat) ? node : nullptr;
  }

  void CountUses() {
    for (const auto& node : f_.nodes()) {
      for (const Value& v : node->operands()) {
        if (const Node* from = Instruction(v)) ++texts_[Id(*from)].uses;
      }
    }
    for (const Result& r : f_.results()) {
      // A result needs a name.
      if (const Node* from = Instruction(r.value)) texts_[Id(*from)].uses += 2;
    }
  }

  // A constant is a number if every use of it can be. A use can be if some operand beside it is no
  // constant, and all constants there are of the type of the last such operand: then it does not
  // matter which of them have lines.
  void Literals() {
    for (const auto& node : f_.nodes()) {
      if (IsLiteral(*node) && texts_[Id(*node)].uses > 0) Form(*node) = TextForm::kLiteral;
    }
    for (const Result& r : f_.results()) {
      if (const Node* from = Constant(r.value)) Form(*from) = TextForm::kLine;
    }
    for (const auto& node : f_.nodes()) {
      const Type* type = nullptr;
      for (const Value& v : node->operands()) {
        if (v && Constant(v) == nullptr) type = &v.type();
      }
      bool good = type != nullptr;
      for (const Value& v : node->operands()) {
        if (const Node* from = Constant(v)) good = good && from->type() == *type;
      }
      if (good) continue;
      for (const Value& v : node->operands()) {
        if (const Node* from = Constant(v)) Form(*from) = TextForm::kLine;
      }
    }
  }

  void Fold(const Node& node) {
    NodeText& text = texts_[Id(node)];
    const std::string attributes = AttributesText(node);
    text.width = node.op().name.size() + 2 + attributes.size();
    for (const Value& v : node.operands()) text.width += OperandWidth(v) + 2;
    if (node.num_operands() > 0) text.width -= 2;
    size_t line = text.width - 1 + kAroundLine;  // a blank instead of brackets
    for (const Type& type : node.types()) line += ToString(type).size() + 2;
    if (node.num_results() > 0) line -= 2;
    absl::InlinedVector<const Node*, 4> inside;
    for (const Value& v : node.operands()) {
      const Node* from = Instruction(v);
      if (from == nullptr || !texts_[Id(*from)].nestable) continue;
      inside.push_back(from);
      line += texts_[Id(*from)].width - kReference;
      text.width += texts_[Id(*from)].width - kReference;
    }
    // The widest last; of equally wide ones the first stays inside.
    std::stable_sort(inside.begin(), inside.end(), [&](const Node* a, const Node* b) {
      return texts_[Id(*a)].width < texts_[Id(*b)].width;
    });
    while (!inside.empty() && line > kLineWidth) {
      line -= texts_[Id(*inside.back())].width - kReference;
      text.width -= texts_[Id(*inside.back())].width - kReference;
      inside.pop_back();
    }
    for (const Node* from : inside) {
      Form(*from) = TextForm::kNested;
      text.depth = std::max(text.depth, texts_[Id(*from)].depth);
    }
    ++text.depth;
    const bool light = (node.op().traits & kNestable) != 0 && !node.op().has(kSplat);
    text.nestable = light && node.num_results() == 1 && text.uses == 1 && text.depth <= kMaxDepth;
  }

  size_t OperandWidth(const Value& v) {
    const Node* from = Instruction(v);
    if (from == nullptr) return v ? SpellName(v.node()->name()).size() + 1 : 0;
    return Form(*from) == TextForm::kLiteral ? LiteralText(*from).size() : kReference;
  }

  const Function& f_;
  std::vector<TextForm> forms_;
  std::vector<NodeText> texts_;
};

}  // namespace

std::vector<TextForm> FoldedForms(const Function& f) { return Folder(f).Process(); }

}  // namespace gradus::ir
