#include "ir/text_reader.h"

#include <charconv>
#include <utility>

#include "fmt/format.h"

namespace gradus::ir {
namespace {

constexpr int kMaxRank = 32;  // as in NumPy

}  // namespace

void TextReader::Advance() { token_ = lexer_.Next(); }

Token TextReader::Peek() const { return Lexer(lexer_).Next(); }

bool TextReader::Fail(const Token& at, std::string message, std::string help) {
  if (!error_) {
    if (at.kind == TokenKind::kError) message = fmt::format("{} {}", at.error, Describe(at));
    error_ = source_.Error(at, std::move(message), std::move(help));
  }
  return false;
}

bool TextReader::Unexpected(std::string_view expected, std::string help) {
  return Fail(token_, fmt::format("expected {}, got {}", expected, Describe(token_)),
              std::move(help));
}

bool TextReader::Accept(std::string_view text) {
  if (!token_.Is(text)) return false;
  Advance();
  return true;
}

bool TextReader::Expect(std::string_view text) {
  return Accept(text) || Unexpected(fmt::format("'{}'", text));
}

bool TextReader::More(std::string_view close, bool* again) {
  *again = Accept(",");
  return *again || Accept(close) || Unexpected(fmt::format("',' or '{}'", close));
}

bool TextReader::TakeName(std::string* name) {
  std::string_view text = token_.text;
  if (token_.kind == TokenKind::kValue || token_.kind == TokenKind::kSymbol) {
    text.remove_prefix(1);
  }
  *name = text.starts_with('"') ? Unquote(text) : std::string(text);
  if (name->empty()) return Fail(token_, "expected a name, got an empty one");
  if (name->size() > kMaxNameLength) {
    return Fail(token_, fmt::format("a name has at most {} bytes, this one has {}", kMaxNameLength,
                                    name->size()));
  }
  Advance();
  return true;
}

bool TextReader::ParseSymbolName(std::string_view what, std::string* name) {
  if (token_.kind != TokenKind::kSymbol) return Unexpected(fmt::format("{} @name", what));
  return TakeName(name);
}

bool TextReader::ParseValueName(std::string_view what, std::string* name) {
  if (token_.kind != TokenKind::kValue) return Unexpected(fmt::format("{} %name", what));
  if (IsNumber(token_)) {
    return Fail(token_,
                fmt::format("{} needs a name, numbers are for nodes: got {}", what, token_.text));
  }
  return TakeName(name);
}

bool TextReader::IsNumber(const Token& t) {
  return t.text.size() > 1 && t.text[1] >= '0' && t.text[1] <= '9';
}

bool TextReader::ParseString(std::string_view what, std::string* text) {
  if (token_.kind != TokenKind::kString) return Unexpected(fmt::format("{} \"...\"", what));
  *text = Unquote(token_.text);
  Advance();
  return true;
}

bool TextReader::ParseInt(std::string_view what, int64_t low, int64_t high, int64_t* value) {
  if (token_.kind != TokenKind::kNumber) return Unexpected(what);
  const char* end = token_.text.data() + token_.text.size();
  const auto [stop, code] = std::from_chars(token_.text.data(), end, *value);
  if (code == std::errc::invalid_argument || (code == std::errc() && stop != end)) {
    return Unexpected(fmt::format("{} (a whole number)", what));
  }
  if (code != std::errc() || *value < low || *value > high) {
    return Fail(token_, fmt::format("expected {} from {} to {}, got {}", what, low, high,
                                    Describe(token_)));
  }
  Advance();
  return true;
}

bool TextReader::ParseInt(std::string_view what, int* value, int high) {
  int64_t wide = 0;
  if (!ParseInt(what, 0, high, &wide)) return false;
  *value = static_cast<int>(wide);
  return true;
}

bool TextReader::ParseFloat(double* value) {
  const bool word = token_.Is("inf") || token_.Is("nan");
  if (token_.kind != TokenKind::kNumber && !word) return Unexpected("a number");
  const char* end = token_.text.data() + token_.text.size();
  const auto [stop, code] = std::from_chars(token_.text.data(), end, *value);
  if (code == std::errc::result_out_of_range) {
    return Fail(token_, fmt::format("{} is outside the range of f64", Describe(token_)));
  }
  if (code != std::errc() || stop != end) return Unexpected("a number");
  Advance();
  return true;
}

bool TextReader::ParseDType(DType* dtype) {
  const auto parsed = token_.kind == TokenKind::kWord ? ir::ParseDType(token_.text) : std::nullopt;
  if (!parsed) return Unexpected("an element type (i1, i32, i64, f32 or f64)");
  *dtype = *parsed;
  Advance();
  return true;
}

bool TextReader::ParseDim(Dim* dim) {
  if (token_.kind == TokenKind::kWord) {
    if (!IsIdentifier(token_.text)) {
      return Unexpected("a size or a symbol of letters, digits and '_'");
    }
    if (token_.text.size() > Symbol::kMaxLength) {
      return Fail(token_, fmt::format("a symbol has at most {} letters, {} has {}",
                                      Symbol::kMaxLength, Describe(token_), token_.text.size()));
    }
    *dim = Dim(Symbol(token_.text));
    Advance();
    return true;
  }
  int64_t size = 0;
  if (!ParseInt("a size or a symbol", 0, std::numeric_limits<int64_t>::max(), &size)) return false;
  *dim = Dim(size);
  return true;
}

bool TextReader::ParseShape(Shape* shape) {
  const Token open = token_;
  if (!Expect("[")) return false;
  if (Accept("]")) return true;
  for (bool again = true; again;) {
    Dim dim;
    if (shape->rank() == kMaxRank) {
      return Fail(token_, fmt::format("a shape has at most {} axes", kMaxRank));
    }
    if (!ParseDim(&dim) || !More("]", &again)) return false;
    shape->push_back(dim);
  }
  if (!SizeFits(*shape)) return Fail(open, "the elements of this shape do not fit any memory");
  return true;
}

bool TextReader::ParseType(Type* type) {
  return ParseDType(&type->dtype) && ParseShape(&type->shape);
}

bool TextReader::ParseAttribute(AttrKind kind, Attribute* value) {
  switch (kind) {
    case AttrKind::kBool:
      if (!token_.Is("true") && !token_.Is("false")) return Unexpected("true or false");
      *value = token_.Is("true");
      Advance();
      return true;
    case AttrKind::kInt: return ParseAnyInt(&value->emplace<int64_t>());
    case AttrKind::kFloat: return ParseFloat(&value->emplace<double>());
    case AttrKind::kString: return ParseString("a text", &value->emplace<std::string>());
    case AttrKind::kIntList: return ParseIntList(&value->emplace<IntList>());
    case AttrKind::kShape: return ParseShape(&value->emplace<Shape>());
    case AttrKind::kDType: return ParseDType(&value->emplace<DType>());
    case AttrKind::kFunction:
      return ParseSymbolName("a function", &value->emplace<FunctionRef>().name);
  }
  return false;
}

bool TextReader::ParseAttributes(const OpDef& op, AttrList* attrs) {
  for (bool again = true; again;) {
    const Token at = token_;
    if (token_.kind != TokenKind::kWord) return Unexpected("the name of an attribute");
    const AttrSpec* spec = nullptr;
    for (const AttrSpec& s : op.attrs) {
      if (s.name == at.text) spec = &s;
    }
    if (spec == nullptr) return UnknownAttribute(op, at);
    for (const NamedAttribute& other : *attrs) {
      if (other.name == spec->name) {
        return Fail(at, fmt::format("{}: attribute {} is given twice", op.name, spec->name));
      }
    }
    Advance();
    Attribute value;
    if (!Expect("=") || !ParseAttribute(spec->kind, &value) || !More("}", &again)) return false;
    attrs->push_back({spec->name, std::move(value)});
  }
  return true;
}

bool TextReader::UnknownAttribute(const OpDef& op, const Token& at) {
  std::string known;
  for (const AttrSpec& s : op.attrs) {
    known += fmt::format("{}{}", known.empty() ? "" : ", ", s.name);
  }
  return Fail(at, fmt::format("{}: there is no attribute {}", op.name, Describe(at)),
              fmt::format("{} has {}", op.name, known.empty() ? "none" : known));
}

bool TextReader::ParseAnyInt(int64_t* value) {
  return ParseInt("a whole number", std::numeric_limits<int64_t>::min(),
                  std::numeric_limits<int64_t>::max(), value);
}

bool TextReader::ParseIntList(IntList* list) {
  if (!Expect("[")) return false;
  if (Accept("]")) return true;
  for (bool again = true; again;) {
    int64_t value = 0;
    if (!ParseAnyInt(&value) || !More("]", &again)) return false;
    list->push_back(value);
  }
  return true;
}

}  // namespace gradus::ir
