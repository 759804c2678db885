// Malformed texts, one mistake each: where the message points and what it says.

#include <string>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/parser.h"

namespace gradus::ir {
namespace {

struct BadText {
  const char* text;
  const char* place;    // line:column
  const char* message;  // part of the first line
};

// Lines of a body stand on line 3 and after.
#define BODY(lines) "module @m\nfunc @f(%x: f32[2, 3], %n: i32[2]) -> (f32[2, 3]) {\n" lines "\n}\n"
#define NODE(line) BODY("  %0 = " line "\n  return %x")
#define ARG(type) "module @m\nfunc @f(%x: " type ") -> () {\n  return\n}\n"
#define TOP(lines) "module @m\n" lines

const BadText kBadTexts[] = {
    // The frame of a text.
    {"", "1:1", "expected 'module @name' as the first line, got the end of the text"},
    {"func @f() -> () { return }", "1:1", "expected 'module @name' as the first line, got 'func'"},
    {"module", "1:7", "expected the module's name @name, got the end of the text"},
    {"module dense", "1:8", "expected the module's name @name, got 'dense'"},
    {"module @", "1:8", "expected a name after '@'"},
    {"module @\"\"", "1:8", "expected a name, got an empty one"},
    {"module @m garbage", "1:11", "expected 'param', 'func', 'body' or 'kernel', got 'garbage'"},
    {"module @m }", "1:11", "expected 'param', 'func', 'body' or 'kernel', got '}'"},
    {"module @m\n$", "2:1", "unexpected character '$'"},
    {"module @m\n\x80", "2:1", "unexpected character"},
    {"module @m\nloops @k() {\n  store\n", "2:1", "expected a line '}' that ends this 'loops'"},
    // Parameters.
    {TOP("param w: f32[2] = zeros"), "2:7", "expected a parameter %name, got 'w'"},
    {TOP("param %0: f32[2] = zeros"), "2:7", "a parameter needs a name, numbers are for nodes"},
    {TOP("param %w f32[2] = zeros"), "2:10", "expected ':', got 'f32'"},
    {TOP("param %w: f32[2]"), "2:17", "expected '=', got the end of the text"},
    {TOP("param %w: f32[2] = "), "2:20", "expected the name of an initialiser, such as zeros"},
    {TOP("param %w: f32[2] = glorot {fan_in 3}"), "2:35", "expected '=', got '3'"},
    {TOP("param %w: f32[2] = glorot {fan_in = many}"), "2:37", "expected a number, got 'many'"},
    {TOP("param %w: f32[2] = glorot {fan_in = 1e999}"), "2:37", "is outside the range of f64"},
    {TOP("param %w: f32[2] = zeros\nparam %w: f32[3] = ones"), "3:7",
     "the parameter %w is already there"},
    // Signatures.
    {TOP("func f() -> () {\n  return\n}"), "2:6", "expected the function's name @name, got 'f'"},
    {TOP("func @f(x: f32[]) -> () {\n  return\n}"), "2:9", "expected an argument %name, got 'x'"},
    {TOP("func @f(%0: f32[]) -> () {\n  return\n}"), "2:9", "an argument needs a name"},
    {TOP("func @f(%x: f32[] %y: f32[]) -> () {}"), "2:19", "expected ',' or ')', got '%y'"},
    {TOP("func @f(%x: f32[], %x: f32[]) -> () {}"), "2:20", "'%x' is already defined on line 2"},
    {TOP("func @f(%x: f32[]) {\n  return\n}"), "2:20", "expected '->', got '{'"},
    {TOP("func @f() -> f32[] {"), "2:14", "expected '(', got 'f32'"},
    {TOP("func @f() -> (loss: ) {"), "2:21", "expected an element type"},
    {TOP("func @f(%x: f32[]) -> (f32[] in x) {"), "2:33", "expected an argument %name after 'in'"},
    {TOP("func @f(%x: f32[]) -> (f32[] in %y) {"), "2:33", "'%y' is not defined before this use"},
    {TOP("func @f(%x: f32[]) -> (f32[2] in %x) {"), "2:34",
     "a result of type f32[2] cannot live in %x, which is f32[]"},
    {TOP("func @f(%x: f32[]) -> (f32[] in %x, f32[] in %x) {"), "2:46",
     "another result already lives in %x"},
    {TOP("func @f() -> () {\n  return\n}\nfunc @f() -> () {\n  return\n}"), "5:6",
     "the function @f is already there"},
    {TOP("func @f() -> ()\n  return\n}"), "3:3", "expected '{', got 'return'"},
    // Types.
    {ARG("f16[2]"), "2:13", "expected an element type (i1, i32, i64, f32 or f64), got 'f16'"},
    {ARG("f32"), "2:16", "expected '[', got ')'"},
    {ARG("f32[2"), "2:18", "expected ',' or ']', got ')'"},
    {ARG("f32[,]"), "2:17", "expected a size or a symbol, got ','"},
    {ARG("f32[-1]"), "2:17", "expected a size or a symbol from 0 to"},
    {ARG("f32[2.5]"), "2:17", "expected a size or a symbol (a whole number), got '2.5'"},
    {ARG("f32[99999999999999999999999999]"), "2:17", "expected a size or a symbol from 0 to"},
    {ARG("f32[4294967296, 4294967296]"), "2:16",
     "the elements of this shape do not fit any memory"},
    {ARG("f32[a.b]"), "2:17", "expected a size or a symbol of letters, digits and '_'"},
    {ARG("f32[a_symbol_of_many_letters]"), "2:17", "a symbol has at most 23 letters"},
    {ARG("f32[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"), "2:81",
     "a shape has at most 32 axes"},
    // Nodes.
    {BODY("  tanh %x : f32[2, 3]"), "3:3", "expected a node '%name = op ...' or 'return'"},
    {BODY("  %0 tanh %x : f32[2, 3]"), "3:6", "expected '=', got 'tanh'"},
    {NODE("%x : f32[2, 3]"), "3:8", "expected the name of an op, got '%x'"},
    {NODE("tahn %x : f32[2, 3]"), "3:8", "there is no op 'tahn'"},
    {NODE("tanh x : f32[2, 3]"), "3:13",
     "expected an operand: %name, a number or op(...), got 'x'"},
    {NODE("tanh %q : f32[2, 3]"), "3:13", "'%q' is not defined before this use"},
    {NODE("tanh %0 : f32[2, 3]"), "3:13", "'%0' is not defined before this use"},
    {NODE("tanh %99999999999999999999 : f32[]"), "3:13", "is not defined before this use"},
    {NODE("add %x, : f32[2, 3]"), "3:16",
     "expected an operand: %name, a number or op(...), got ':'"},
    {NODE("tanh % : f32[2, 3]"), "3:13", "expected a name or a number after '%'"},
    {NODE("tanh %x f32[2, 3]"), "3:16", "expected operands, '{' or ': type', got 'f32'"},
    {NODE("tanh %x : "), "4:3",
     "expected an element type (i1, i32, i64, f32 or f64), got 'return'"},
    {NODE("tanh %x, %x : f32[2, 3]"), "3:8", "tanh: takes 1 operands, got 2"},
    {NODE("add %x : f32[2, 3]"), "3:8", "add: takes 2 operands, got 1"},
    {NODE("add %x, %n : f32[2, 3]"), "3:8", "add: "},
    {NODE("tanh %n : i32[2]"), "3:8", "tanh: "},
    {NODE("tanh %x : f32[2, 4]"), "3:18", "tanh: the result is f32[2, 3], the text says f32[2, 4]"},
    {NODE("tanh %x : f64[2, 3]"), "3:18", "tanh: the result is f32[2, 3], the text says f64[2, 3]"},
    {NODE("tanh %x : f32[2, 3], f32[2, 3]"), "3:3", "%0 stands for 1 result, the line has 2 types"},
    {BODY("  %0:2 = tanh %x : f32[2, 3]"), "3:3", "%0 stands for 2 results, the line has 1 type"},
    {BODY("  %0:2 = tanh %x : f32[2, 3], f32[2, 3]\n  return %x"), "3:20",
     "tanh: has 1 result, the text says 2"},
    {BODY("  %0:99999999999 = tanh %x : f32[2, 3]"), "3:6",
     "expected the number of results from 0 to 65536"},
    {BODY("  %a = tanh %x : f32[2, 3]\n  %a = tanh %x : f32[2, 3]"), "4:3",
     "'%a' is already defined on line 3"},
    {BODY("  %x = tanh %x : f32[2, 3]"), "3:3", "'%x' is already defined on line 2"},
    {NODE("tanh %x#1 : f32[2, 3]"), "3:16", "'%x' has 1 result, there is no number 1"},
    {NODE("tanh %x#y : f32[2, 3]"), "3:16", "expected the number of a result, got 'y'"},
    // Attributes.
    {NODE("reduce_sum %x {axis = [0]} : f32[3]"), "3:23",
     "reduce_sum: there is no attribute 'axis'"},
    {NODE("reduce_sum %x {axes = [0], axes = [0]} : f32[3]"), "3:35",
     "reduce_sum: attribute axes is given twice"},
    {NODE("reduce_sum %x : f32[3]"), "3:8", "reduce_sum: attribute axes is missing"},
    {NODE("reduce_sum %x {axes [0]} : f32[3]"), "3:28", "expected '=', got '['"},
    {NODE("reduce_sum %x {axes = 0} : f32[3]"), "3:30", "expected '[', got '0'"},
    {NODE("reduce_sum %x {axes = [0} : f32[3]"), "3:32", "expected ',' or ']', got '}'"},
    {NODE("reduce_sum %x {axes = [0.5]} : f32[3]"), "3:31",
     "expected a whole number (a whole number), got '0.5'"},
    {NODE("reduce_sum %x {axes = [9223372036854775808]} : f32[3]"), "3:31",
     "expected a whole number from -9223372036854775808 to 9223372036854775807"},
    {NODE("reduce_sum %x {axes = [7]} : f32[3]"), "3:8", "reduce_sum: "},
    {NODE("reduce_sum %x {axes = [0], keep_dims = 1} : f32[3]"), "3:47",
     "expected true or false, got '1'"},
    {NODE("reduce_sum %x {axes = [0] : f32[3]"), "3:34", "expected ',' or '}', got ':'"},
    {NODE("reduce_sum %x {} : f32[3]"), "3:23", "expected the name of an attribute, got '}'"},
    {NODE("cast %x {dtype = float} : f32[2, 3]"), "3:25", "expected an element type"},
    {NODE("constant {dtype = f32, shape = [2], value = x} : f32[2]"), "3:52",
     "expected a number, got 'x'"},
    {NODE("constant {dtype = f32, shape = 2, value = 1.0} : f32[2]"), "3:39",
     "expected '[', got '2'"},
    // Calls.
    {NODE("call %x {callee = g} : f32[2, 3]"), "3:26", "expected a function @name, got 'g'"},
    {NODE("call %x {callee = @g} : f32[2, 3]"), "3:8", "call: there is no function @g"},
    {NODE("call %x, %n {callee = @f} : f32[2, 3]"), "3:8", "@f calls itself"},
    {TOP("func @a() -> () {\n  %0:0 = call {callee = @b} : ()\n  return\n}\n"
         "func @b() -> () {\n  %0:0 = call {callee = @a} : ()\n  return\n}\n"),
     "7:10", "@a calls itself, directly or through others"},
    {TOP("func @a(%x: f32[2]) -> (f32[2]) {\n  return %x\n}\n"
         "func @b(%x: f32[3]) -> (f32[2]) {\n  %0 = call %x {callee = @a} : f32[2]\n  return "
         "%0\n}\n"),
     "6:8", "call: "},
    // Ends of functions.
    {BODY("  %0 = tanh %x : f32[2, 3]"), "4:1", "expected a node '%name = op ...' or 'return'"},
    {BODY("  return"), "3:3", "@f has 1 results, 'return' gives 0"},
    {BODY("  return %x, %x"), "3:3", "@f has 1 results, 'return' gives 2"},
    {BODY("  return %n"), "3:10", "result 0 of @f is f32[2, 3], this value is i32[2]"},
    {BODY("  return %q"), "3:10", "'%q' is not defined before this use"},
    {BODY("  return %x,"), "4:1", "expected a value %name, got '}'"},
    {BODY("  return %x %x"), "3:13", "expected ',' or '}' after the values of 'return', got '%x'"},
    {BODY("  return %x\n  %0 = tanh %x : f32[2, 3]"), "4:3",
     "expected ',' or '}' after the values"},
    {"module @m\nfunc @f() -> () {\n  return", "3:9", "got the end of the text"},
    {"module @m\nfunc @f() -> () {", "2:18", "got the end of the text"},
    // Strings and locations.
    {"module @\"open", "1:8", "string without a closing quote on its line"},
    {"module @\"a\\q\"", "1:8", "unknown escape in a string"},
    {"module @\"a\\x9\"", "1:8", "expected two hexadecimal digits after \\x"},
    {NODE("tanh %x : f32[2, 3] loc(3)"), "3:32", "expected ')', got '3'"},
    {NODE("tanh %x : f32[2, 3] loc(\"a.cpp\":x)"), "3:40", "expected a line, got 'x'"},
    {NODE("tanh %x : f32[2, 3] loc(\"a.cpp\":99999999999)"), "3:40", "expected a line from 0 to"},
    {NODE("tanh %x : f32[2, 3] loc(\"a.cpp\":3 in dense)"), "3:45",
     "expected a layer's name \"...\", got 'dense'"},
    // A parameter and an argument of its name.
    {"module @m\nparam %x: f32[2] = zeros\nfunc @f(%x: f32[3]) -> () {\n  return\n}\n", "",
     "@f takes %x as f32[3], the parameter of that name is f32[2]"},
};

class ParserErrors : public testing::TestWithParam<BadText> {};

TEST_P(ParserErrors, NamesThePlaceAndTheMistake) {
  const BadText& bad = GetParam();
  const auto module = Parse(bad.text, "bad.ir");
  ASSERT_FALSE(module.ok()) << bad.text;
  EXPECT_EQ(module.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(module.status().message());
  if (*bad.place != '\0') {
    EXPECT_THAT(message, testing::StartsWith(fmt::format("bad.ir:{}: error: ", bad.place)));
  }
  EXPECT_THAT(message.substr(0, message.find('\n')), testing::HasSubstr(bad.message));
}

INSTANTIATE_TEST_SUITE_P(Table, ParserErrors, testing::ValuesIn(kBadTexts));

TEST(ParserErrorsTest, TableIsLarge) { EXPECT_GE(std::size(kBadTexts), 60u); }

TEST(ParserErrorsTest, ShowsTheLineACaretAndTheNextStep) {
  const auto module = Parse(NODE("sqrtt %x : f32[2]  // typo"), "bad.ir");
  EXPECT_EQ(std::string(module.status().message()),
            "bad.ir:3:8: error: there is no op 'sqrtt'\n"
            "    %0 = sqrtt %x : f32[2]  // typo\n"
            "         ^\n"
            "  help: did you mean sqrt?");
}

TEST(ParserErrorsTest, CaretStandsUnderTheCharacterOfUtf8) {
  const auto module = Parse("module @m\nparam %\"größe\" 3", "bad.ir");
  EXPECT_EQ(std::string(module.status().message()),
            "bad.ir:2:18: error: expected ':', got '3'\n"
            "  param %\"größe\" 3\n"
            "                 ^");
}

TEST(ParserErrorsTest, LongLinesAreCutRoundThePlace) {
  const std::string zeros(10000, '0');
  const auto module = Parse("module @m\n// \n" + std::string(5000, ' ') + "?" + zeros, "bad.ir");
  const std::string message(module.status().message());
  EXPECT_LT(message.size(), 400u);
  EXPECT_THAT(message, testing::StartsWith("bad.ir:3:5001: error: unexpected character '?'"));
}

TEST(ParserErrorsTest, TypeRuleNotesTheOperands) {
  const auto module = Parse(NODE("add %x, %n : f32[2, 3]"), "bad.ir");
  const std::string message(module.status().message());
  EXPECT_THAT(message, testing::HasSubstr("%x  (bad.ir:2:9) -> f32[2, 3]"));
  EXPECT_THAT(message, testing::HasSubstr("%n  (bad.ir:2:24) -> i32[2]"));
}

// Each would exhaust the stack or the memory of a careless reader.
TEST(ParserErrorsTest, HostileTexts) {
  const size_t n = 200000;
  const std::string head = "module @m\nfunc @f(%x: f32[2]) -> (f32[2]) {\n  %0 = ";
  const std::string texts[] = {
      std::string(n, '('),
      "module @m\n" + std::string(n, '{'),
      "module @m\nfunc @f(%x: f32" + std::string(n, '['),
      "module @" + std::string(n, 'a'),
      "module @\"" + std::string(n, 'a') + "\"",
      head + "reduce_sum %x {axes = [" + std::string(n, '9') + "]} : f32[2]",
      head + "constant {value = 0." + std::string(n, '1') + "e" + std::string(n, '9') + "}",
      head + std::string(n, 'q') + " %x : f32[2]",
      head + "tanh %" + std::string(n, '1') + " : f32[2]",
      std::string("module @m\0\0\0", 12),
      "module @m\n" + std::string(n, '\n') + "}",
      std::string(n, '/'),
  };
  for (const std::string& text : texts) {
    const auto module = Parse(text, "bad.ir");
    EXPECT_FALSE(module.ok()) << text.substr(0, 60);
    EXPECT_LT(module.status().message().size(), 1000u) << text.substr(0, 60);
  }
}

}  // namespace
}  // namespace gradus::ir
