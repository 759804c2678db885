#include "ir/verifier.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/structure.h"

namespace gradus::ir {
namespace {

using testing::HasSubstr;

const Type kVector{DType::kF32, {3}};

class VerifierTest : public testing::Test {
 protected:
  std::string Fault() {
    const absl::Status status = Verify(module_);
    EXPECT_FALSE(status.ok());
    return std::string(status.message());
  }
  Module module_{"m"};
  Function& f_ = module_.AddFunction("f");
  Value x_ = f_.AddArgument("x", kVector);
};

TEST_F(VerifierTest, GoodModules) {
  f_.AddResult(tanh(x_), "y", 0);
  EXPECT_TRUE(Verify(module_).ok());
  EXPECT_TRUE(Verify(f_, nullptr).ok());
}

TEST_F(VerifierTest, StickyErrorsOfBuilders) {
  Function& g = module_.AddFunction("g");
  const Value n = g.AddArgument("n", {DType::kI32, {3}});
  g.AddResult(tanh(n));
  EXPECT_THAT(Fault(), HasSubstr("tanh: "));
  EXPECT_THAT(Fault(), HasSubstr("verifier_test.cpp:"));
}

TEST_F(VerifierTest, UseBeforeDefinition) {
  const Value a = tanh(x_);
  const Value b = tanh(a);
  a.node()->set_operand(0, b);
  const std::string fault = Fault();
  EXPECT_THAT(fault, HasSubstr("@f: tanh: operand 0 is used before its definition"));
  EXPECT_THAT(fault, HasSubstr("%0 = tanh %1 : f32[3]"));
}

TEST_F(VerifierTest, ValuesOfOtherFunctions) {
  Function& g = module_.AddFunction("g");
  const Value y = tanh(g.AddArgument("y", kVector));
  y.node()->set_operand(0, x_);
  EXPECT_THAT(Fault(), HasSubstr("operand 0 belongs to another function, @f"));
}

TEST_F(VerifierTest, NoValue) {
  tanh(x_).node()->set_operand(0, Value());
  EXPECT_THAT(Fault(), HasSubstr("operand 0 is no value"));
}

TEST_F(VerifierTest, ResultThatIsNotThere) {
  add(x_, x_).node()->set_operand(1, Value(x_.node(), 1));
  EXPECT_THAT(Fault(), HasSubstr("operand 1 is result 1 of a node that has 1"));
}

TEST_F(VerifierTest, TypeRuleRunsAgain) {
  const Value h = tanh(x_);
  const Value n = f_.AddArgument("n", {DType::kI32, {3}});
  h.node()->set_operand(0, n);
  EXPECT_THAT(Fault(), HasSubstr("@f: tanh: "));
  h.node()->set_operand(0, f_.AddArgument("z", {DType::kF32, {4}}));
  EXPECT_THAT(Fault(), HasSubstr("its type is f32[3], its type rule gives f32[4]"));
}

TEST_F(VerifierTest, NodesThatNoRecordAllows) {
  const OpDef& op = tanh(x_).node()->op();
  const Value both[] = {x_, x_};
  f_.Append(op, both, {}, std::span(&kVector, 1), {});
  EXPECT_THAT(Fault(), HasSubstr("takes 1 operands, has 2"));
}

TEST_F(VerifierTest, AttributesOfTheRecord) {
  const OpDef& op = tanh(x_).node()->op();
  const Value one[] = {x_};
  f_.Append(op, one, {{"axis", int64_t{3}}}, std::span(&kVector, 1), {});
  EXPECT_THAT(Fault(), HasSubstr("has 1 attributes, its record lists 0"));
}

TEST_F(VerifierTest, Aliases) {
  f_.AddResult(x_, "a", 3);
  EXPECT_THAT(Fault(), HasSubstr("result 0 lives in argument 3, which is not there"));
  f_.results()[0].alias = 0;
  f_.AddResult(x_, "b", 0);
  EXPECT_THAT(Fault(), HasSubstr("two results live in %x"));
  f_.results()[0].alias = -1;
  f_.results()[1].value = f_.AddArgument("n", {DType::kI32, {3}});
  EXPECT_THAT(Fault(), HasSubstr("result 1 of type i32[3] cannot live in %x, which is f32[3]"));
}

TEST_F(VerifierTest, Names) {
  f_.AddArgument("x", kVector);
  EXPECT_THAT(Fault(), HasSubstr("two arguments are named %x"));
}

TEST_F(VerifierTest, NamesThatTextCannotHold) {
  f_.AddArgument("", kVector);
  EXPECT_THAT(Fault(), HasSubstr("the name of argument 1 is empty or too long"));
}

TEST_F(VerifierTest, SizesThatNoMemoryHolds) {
  f_.AddArgument("huge", {DType::kF32, {int64_t{1} << 40, int64_t{1} << 40}});
  EXPECT_THAT(Fault(), HasSubstr("do not fit any memory"));
}

TEST_F(VerifierTest, Parameters) {
  module_.parameters().push_back({"x", {DType::kF64, {3}}, {"zeros", {}}});
  EXPECT_THAT(Fault(), HasSubstr("@f takes %x as f32[3], the parameter of that name is f64[3]"));
  module_.parameters()[0].type = kVector;
  module_.parameters().push_back({"x", kVector, {"zeros", {}}});
  EXPECT_THAT(Fault(), HasSubstr("two parameters are named %x"));
}

TEST_F(VerifierTest, Calls) {
  Function& g = module_.AddFunction("g");
  g.AddResult(g.AddArgument("y", kVector));
  const Value operands[] = {x_};
  Node* node = call(f_, g, operands);
  f_.AddResult(node->result());
  EXPECT_TRUE(Verify(module_).ok());
  node->set_attr("callee", FunctionRef{"nobody"});
  EXPECT_THAT(Fault(), HasSubstr("@f: call: there is no function @nobody"));
  node->set_attr("callee", FunctionRef{"f"});
  EXPECT_THAT(Fault(), HasSubstr("@f calls itself, directly or through others"));
}

TEST_F(VerifierTest, RecursionThroughOthers) {
  Function& g = module_.AddFunction("g");
  g.AddResult(g.AddArgument("y", kVector));
  const Value operands[] = {x_};
  f_.AddResult(call(f_, g, operands)->result());
  const Value inner[] = {g.arg(0)};
  g.results()[0].value = call(g, f_, inner)->result();
  EXPECT_THAT(Fault(), HasSubstr("calls itself, directly or through others"));
}

}  // namespace
}  // namespace gradus::ir
