#include "ir/parser.h"

#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"
#include "ir/draft.h"
#include "ir/folding.h"
#include "ir/registry.h"
#include "ir/text_reader.h"
#include "ir/verifier.h"

namespace gradus::ir {
namespace {

constexpr int kMaxResults = 1 << 16;

// Reads the whole text into drafts, one method a construct. A method returns false after an error,
// which `error_` keeps.
class Parser : private TextReader {
 public:
  Parser(std::string_view text, std::string_view file)
      : TextReader(text, file), file_(std::make_shared<const std::string>(file)) {}

  absl::StatusOr<std::unique_ptr<Module>> Process() {
    if (!ParseModule()) return error_->ToStatus();
    if (auto error = BuildFunctions(*module_, source_, functions_)) return error->ToStatus();
    if (absl::Status status = Verify(*module_); !status.ok()) return status;
    return std::move(module_);
  }

 private:
  // A name defined in the function being read: an argument (node -1) or the results of a node.
  struct Definition {
    int node = -1;
    int index = 0;  // of the argument
    int results = 1;
    int line = 0;
  };

  // ---- module ----

  bool ParseModule() {
    if (source_.text.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
      return Fail(token_, "the text is longer than 2 GiB");
    }
    std::string name;
    if (!Accept("module")) {
      return Unexpected("'module @name' as the first line", "every text starts with module @name");
    }
    if (!ParseSymbolName("the module's name", &name)) return false;
    module_ = std::make_unique<Module>(std::move(name));
    while (token_.kind != TokenKind::kEnd) {
      bool good = false;
      if (token_.Is("param")) {
        good = ParseParameter();
      } else if (token_.Is("func") || token_.Is("body") || token_.Is("kernel")) {
        good = ParseFunction();
      } else if (token_.Is("loops") || token_.Is("plan") || token_.Is("entry")) {
        good = SkipAttached();
      } else {
        good = Unexpected("'param', 'func', 'body' or 'kernel'");
      }
      if (!good) return false;
    }
    return true;
  }

  // Loops and plans are printed for people: they follow from the kernels, and are made again from
  // them.
  bool SkipAttached() {
    const Token start = token_;
    if (!lexer_.SkipBlock()) {
      return Fail(start, fmt::format("expected a line '}}' that ends this '{}'", start.text));
    }
    Advance();
    return true;
  }

  bool ParseParameter() {
    Advance();
    Parameter p;
    const Token at = token_;
    if (!ParseValueName("a parameter", &p.name)) return false;
    if (!parameter_names_.insert(p.name).second) {
      return Fail(at, fmt::format("the parameter %{} is already there", p.name));
    }
    if (!Expect(":") || !ParseType(&p.type) || !Expect("=")) return false;
    if (token_.kind != TokenKind::kWord && token_.kind != TokenKind::kString) {
      return Unexpected("the name of an initialiser, such as zeros");
    }
    if (!TakeName(&p.initializer.kind)) return false;
    if (Accept("{")) {
      for (bool again = true; again;) {
        std::string key;
        double number = 0;
        if (token_.kind != TokenKind::kWord && token_.kind != TokenKind::kString) {
          return Unexpected("the name of a number");
        }
        if (!TakeName(&key) || !Expect("=") || !ParseFloat(&number) || !More("}", &again)) {
          return false;
        }
        p.initializer.numbers.emplace_back(std::move(key), number);
      }
    }
    p.trainable = !Accept("frozen");
    module_->parameters().push_back(std::move(p));
    return true;
  }

  // ---- functions ----

  bool ParseFunction() {
    const FunctionKind kind = token_.Is("kernel") ? FunctionKind::kKernel
                              : token_.Is("body") ? FunctionKind::kBody
                                                  : FunctionKind::kGraph;
    Advance();
    FunctionDraft f;
    f.place = token_;
    const Token at = token_;
    std::string name;
    if (!ParseSymbolName("the function's name", &name)) return false;
    if (module_->Find(name) != nullptr) {
      return Fail(at, fmt::format("the function @{} is already there", name));
    }
    f.function = &module_->AddFunction(std::move(name), kind);
    named_.clear();
    numbered_.clear();
    aliased_.clear();
    if (!ParseArguments(f) || !Expect("->") || !ParseResults(f) || !Expect("{")) return false;
    while (!token_.Is("return")) {
      if (!ParseNode(f)) return false;
    }
    f.return_place = token_;
    Advance();
    if (!token_.Is("}")) {
      do {
        UseDraft use;
        if (!ParseUse(&use)) return false;
        f.returns.push_back(use);
      } while (Accept(","));
    }
    if (!token_.Is("}")) return Unexpected("',' or '}' after the values of 'return'");
    Advance();
    functions_.push_back(std::move(f));
    return true;
  }

  bool ParseArguments(FunctionDraft& f) {
    if (!Expect("(")) return false;
    if (Accept(")")) return true;
    for (bool again = true; again;) {
      const Token at = token_;
      std::string name;
      Type type;
      if (!ParseValueName("an argument", &name)) return false;
      const Definition definition{.index = f.function->num_args(), .line = at.line};
      if (!Define(at, definition)) return false;
      if (!Expect(":") || !ParseType(&type) || !More(")", &again)) return false;
      f.function->AddArgument(std::move(name), std::move(type), TextLocation(at));
    }
    return true;
  }

  bool ParseResults(FunctionDraft& f) {
    if (!Expect("(")) return false;
    if (Accept(")")) return true;
    for (bool again = true; again;) {
      ResultDraft r;
      r.place = token_;
      const bool word = token_.kind == TokenKind::kWord || token_.kind == TokenKind::kString;
      if (word && Peek().Is(":")) {
        if (!TakeName(&r.name)) return false;
        Advance();
      }
      if (!ParseType(&r.type)) return false;
      if (Accept("in") && !ParseAlias(f, r)) return false;
      if (!More(")", &again)) return false;
      f.results.push_back(std::move(r));
    }
    return true;
  }

  bool ParseAlias(const FunctionDraft& f, ResultDraft& r) {
    const Token at = token_;
    if (token_.kind != TokenKind::kValue) return Unexpected("an argument %name after 'in'");
    UseDraft use;
    if (!ParseUse(&use)) return false;
    const Type& type = f.function->arg(use.index).type();
    if (type != r.type) {
      return Fail(at, fmt::format("a result of type {} cannot live in {}, which is {}",
                                  ToString(r.type), at.text, ToString(type)));
    }
    if (!aliased_.insert(use.index).second) {
      return Fail(at, fmt::format("another result already lives in {}", at.text));
    }
    r.alias = use.index;
    return true;
  }

  // %name [:count] = op operands {attributes} : types loc(...)
  bool ParseNode(FunctionDraft& f) {
    const Token target = token_;
    if (target.kind != TokenKind::kValue) {
      return Unexpected("a node '%name = op ...' or 'return'");
    }
    Advance();
    Definition definition{.line = target.line};
    if (Accept(":") && !ParseInt("the number of results", &definition.results, kMaxResults)) {
      return false;
    }
    if (!Expect("=")) return false;
    NodeDraft node;
    node.place = token_;
    if (!ParseOp(&node.op)) return false;
    if (!ParseOperands(f, 0, &node)) return false;
    if (!token_.Is(":")) {
      return Unexpected(node.attrs.empty() ? "operands, '{' or ': type'" : "': type'");
    }
    Advance();
    node.type_place = token_;
    if (!ParseResultTypes(&node.types)) return false;
    if (static_cast<int>(node.types.size()) != definition.results) {
      return Fail(target,
                  fmt::format("{} stands for {} result{}, the line has {} type{}", target.text,
                              definition.results, definition.results == 1 ? "" : "s",
                              node.types.size(), node.types.size() == 1 ? "" : "s"),
                  fmt::format("write {}:{} = ...", target.text, node.types.size()));
    }
    node.location = TextLocation(target);
    if (Accept("loc") && !ParseLocation(&node.location)) return false;
    definition.node = static_cast<int>(f.nodes.size());
    f.nodes.push_back(std::move(node));
    return Define(target, definition);
  }

  // operands {attributes}, both optional
  bool ParseOperands(FunctionDraft& f, int depth, NodeDraft* node) {
    const bool operand = token_.kind == TokenKind::kValue || token_.kind == TokenKind::kNumber ||
                         token_.kind == TokenKind::kWord;
    if (operand) {
      do {
        UseDraft use;
        if (!ParseOperand(f, depth, &use)) return false;
        node->operands.push_back(use);
      } while (Accept(","));
    }
    return !Accept("{") || ParseAttributes(*node->op, &node->attrs);
  }

  // %name, a number or op(operands {attributes})
  bool ParseOperand(FunctionDraft& f, int depth, UseDraft* use) {
    if (token_.kind == TokenKind::kWord && Peek().Is("(")) return ParseNested(f, depth + 1, use);
    if (token_.kind != TokenKind::kNumber && !token_.Is("inf") && !token_.Is("nan")) {
      return token_.kind == TokenKind::kValue
                 ? ParseUse(use)
                 : Unexpected("an operand: %name, a number or op(...)");
    }
    use->place = token_;
    use->literal = token_.text;
    Advance();
    return true;
  }

  bool ParseNested(FunctionDraft& f, int depth, UseDraft* use) {
    if (depth > kMaxNesting) {
      return Fail(token_, fmt::format("operands are nested more than {} deep", kMaxNesting),
                  "give an inner one a line of its own");
    }
    NodeDraft node;
    node.place = token_;
    node.location = TextLocation(token_);
    node.nested = true;
    use->place = token_;
    if (!ParseOp(&node.op) || !Expect("(") || !ParseOperands(f, depth, &node)) return false;
    if (!Accept(")")) return Unexpected(node.attrs.empty() ? "',', '{' or ')'" : "')'");
    use->node = static_cast<int>(f.nodes.size());
    f.nodes.push_back(std::move(node));
    return true;
  }

  bool ParseOp(const OpDef** op) {
    if (token_.kind != TokenKind::kWord) return Unexpected("the name of an op");
    *op = FindOp(token_.text);
    if (*op == nullptr) {
      const std::string_view near = ClosestOpName(token_.text.substr(0, 64));
      return Fail(token_, fmt::format("there is no op {}", Describe(token_)),
                  near.empty() ? "gradus-opt --print-ops lists them"
                               : fmt::format("did you mean {}?", near));
    }
    Advance();
    return true;
  }

  bool ParseResultTypes(Types* types) {
    if (Accept("(")) return Expect(")");
    do {
      Type type;
      if (!ParseType(&type)) return false;
      types->push_back(std::move(type));
    } while (Accept(","));
    return true;
  }

  // ---- values ----

  bool Define(const Token& at, const Definition& definition) {
    const auto [place, inserted] =
        IsNumber(at) ? numbered_.try_emplace(std::string(at.text.substr(1)), definition)
                     : named_.try_emplace(KeyOf(at), definition);
    if (inserted) return true;
    return Fail(at,
                fmt::format("{} is already defined on line {}", Describe(at), place->second.line),
                "every value has one definition: choose another name");
  }

  static std::string KeyOf(const Token& t) {
    const std::string_view name = t.text.substr(1);
    return name.starts_with('"') ? Unquote(name) : std::string(name);
  }

  bool ParseUse(UseDraft* use) {
    if (token_.kind != TokenKind::kValue) return Unexpected("a value %name");
    const Token at = token_;
    const auto& names = IsNumber(at) ? numbered_ : named_;
    const auto found = names.find(KeyOf(at));
    if (found == names.end()) {
      return Fail(at, fmt::format("{} is not defined before this use", Describe(at)));
    }
    const Definition& definition = found->second;
    Advance();
    use->place = at;
    use->node = definition.node;
    use->index = definition.node < 0 ? definition.index : 0;
    if (token_.Is("#")) {
      Advance();
      const Token number = token_;
      int result = 0;
      if (!ParseInt("the number of a result", &result)) return false;
      if (definition.node < 0 || result >= definition.results) {
        return Fail(number,
                    fmt::format("{} has {} result{}, there is no number {}", Describe(at),
                                definition.results, definition.results == 1 ? "" : "s", result));
      }
      use->index = result;
    } else if (definition.results != 1) {
      return Fail(at, fmt::format("{} has {} results", Describe(at), definition.results),
                  fmt::format("say which: {}#0", at.text));
    }
    return true;
  }

  // ---- locations ----

  Location TextLocation(const Token& at) const {
    Location location;
    location.file = file_;
    location.line = at.line;
    location.column = at.column;
    location.from_ir_text = true;
    return location;
  }

  // ("file":line:column in "scope" backward), any part of it but the brackets optional.
  bool ParseLocation(Location* location) {
    *location = Location();
    if (!Expect("(")) return false;
    std::string text;
    if (token_.kind == TokenKind::kString) {
      if (!ParseString("a file", &text)) return false;
      location->file = Shared(std::move(text));
      if (Accept(":") && !ParseInt("a line", &location->line)) return false;
      if (Accept(":") && !ParseInt("a column", &location->column)) return false;
    }
    if (Accept("in")) {
      if (!ParseString("a layer's name", &text)) return false;
      location->scope = Shared(std::move(text));
    }
    location->backward = Accept("backward");
    return Expect(")");
  }

  std::shared_ptr<const std::string> Shared(std::string text) {
    auto& shared = strings_[text];
    if (!shared) shared = std::make_shared<const std::string>(std::move(text));
    return shared;
  }

  std::shared_ptr<const std::string> file_;
  std::unique_ptr<Module> module_;
  std::vector<FunctionDraft> functions_;
  absl::flat_hash_set<std::string> parameter_names_;
  absl::flat_hash_map<std::string, Definition> named_, numbered_;  // %x and %0 are apart from %"0"
  absl::flat_hash_set<int> aliased_;  // arguments that results of the function being read live in
  absl::flat_hash_map<std::string, std::shared_ptr<const std::string>> strings_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Module>> Parse(std::string_view text, std::string_view file_name) {
  return Parser(text, file_name).Process();
}

}  // namespace gradus::ir
