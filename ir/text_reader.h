#pragma once

// The leaves of the text form: tokens, names, numbers, types and attribute values, with errors that
// show the place. The parser builds on it.

#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "ir/attribute.h"
#include "ir/op_def.h"
#include "ir/source_text.h"

namespace gradus::ir {

// Every method that reads something takes it and returns true, or leaves an error behind and
// returns false.
class TextReader {
 public:
  TextReader(std::string_view text, std::string_view file) : source_{file, text}, lexer_(text) {
    Advance();
  }

 protected:
  void Advance();
  Token Peek() const;  // the one after token_
  // The first call keeps the error; both return false.
  bool Fail(const Token& at, std::string message, std::string help = {});
  bool Unexpected(std::string_view expected, std::string help = {});
  // Takes the token if it is that word or sign. Expect: else it is an error.
  bool Accept(std::string_view text);
  bool Expect(std::string_view text);
  // After an item of a list: true if another follows; else the closing token is taken, or it is an
  // error.
  bool More(std::string_view close, bool* again);
  // The name in a token %x, @x, a word or a string.
  bool TakeName(std::string* name);
  bool ParseSymbolName(std::string_view what, std::string* name);
  // A name of an argument, a parameter or a result in memory of one: not a number.
  bool ParseValueName(std::string_view what, std::string* name);
  static bool IsNumber(const Token& t);  // %0
  bool ParseString(std::string_view what, std::string* text);
  bool ParseInt(std::string_view what, int64_t low, int64_t high, int64_t* value);
  bool ParseInt(std::string_view what, int* value, int high = std::numeric_limits<int>::max());
  bool ParseFloat(double* value);

  bool ParseDType(DType* dtype);
  bool ParseDim(Dim* dim);
  bool ParseShape(Shape* shape);
  bool ParseType(Type* type);

  // What follows '{': the attributes that the op's record lists, and '}'.
  bool ParseAttributes(const OpDef& op, AttrList* attrs);
  bool UnknownAttribute(const OpDef& op, const Token& at);
  // The value of an attribute of that kind.
  bool ParseAttribute(AttrKind kind, Attribute* value);
  bool ParseAnyInt(int64_t* value);
  bool ParseIntList(IntList* list);

  SourceText source_;
  Lexer lexer_;
  Token token_;                      // the next one
  std::optional<Diagnostic> error_;  // the first
};

}  // namespace gradus::ir
