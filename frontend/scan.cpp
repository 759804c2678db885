#include "frontend/scan.h"

#include "fmt/format.h"
#include "ir/module.h"
#include "ir/ops/leaf.h"
#include "ir/ops/scan.h"

namespace gradus {
namespace {

using ir::Function;

// The type of one step's element, or none where a sequence has no axis of time.
std::optional<Type> ElementType(Tensor v) {
  if (v.rank() < 1) return std::nullopt;
  return ir::StepOf(v.type());
}

class Scanner {
 public:
  Scanner(const std::string& name, const ScanOperands& operands, const std::source_location& where)
      : operands_(operands), where_(where) {
    for (const auto* list : {&operands.carries, &operands.sequences, &operands.invariants}) {
      for (const Tensor v : *list) {
        if (v && function_ == nullptr) function_ = &v.function();
        good_ = good_ && v && !v.is_poison();
      }
    }
    IR_CHECK_MSG(function_ != nullptr && function_->module() != nullptr,
                 "a scan needs an operand of a graph");
    ir::Module& module = *function_->module();
    body_ = &module.AddFunction(module.UniqueName(name + ".step"), ir::FunctionKind::kBody);
    body_->set_scope(function_->scope());
  }

  ScanValues Process(absl::FunctionRef<ScanValues(const ScanStep&)> step,
                     const ScanOptions& options) {
    ScanStep given;
    for (const Tensor v : operands_.carries) given.carries.push_back(Argument("carry", v, false));
    for (const Tensor v : operands_.sequences) {
      given.elements.push_back(Argument("element", v, true));
    }
    for (const Tensor v : operands_.invariants) {
      given.invariants.push_back(Argument("invariant", v, false));
    }
    const ScanValues results = step(given);
    for (const auto* list : {&results.carries, &results.outputs}) {
      for (const Tensor v : *list) AddResult(v);
    }
    if (results.carries.size() != operands_.carries.size()) {
      Fail(fmt::format("the step gives {} carries, it was given {}", results.carries.size(),
                       operands_.carries.size()));
    }
    if (body_->error()) function_->ReportError(*body_->error());
    ir::Node* node = nullptr;
    if (good_ && !function_->error()) {
      const Dim length =
          operands_.sequences.empty() ? options.length : operands_.sequences[0].shape()[0];
      node =
          ir::scan(*function_, *body_, operands_.carries, operands_.sequences, operands_.invariants,
                   {.length = length, .reverse = options.reverse}, ir::Location(where_));
    }
    ScanValues out;
    int next = 0;
    const auto take = [&] { return node ? node->result(next++) : function_->poison(); };
    for (size_t i = 0; i < results.carries.size(); ++i) out.carries.push_back(take());
    for (size_t i = 0; i < results.outputs.size(); ++i) out.outputs.push_back(take());
    return out;
  }

 private:
  Tensor Argument(std::string_view role, Tensor v, bool element) {
    if (!v || v.is_poison()) return body_->poison();
    Type type = v.type();
    if (element) {
      const std::optional<Type> step = ElementType(v);
      if (!step) {
        Fail(fmt::format("a sequence is {}, its first axis must be time", ir::ToString(type)));
        return body_->poison();
      }
      type = *step;
    }
    return body_->AddArgument(fmt::format("{}{}", role, body_->num_args()), type,
                              ir::Location(where_));
  }

  void AddResult(Tensor v) {
    if (!v || v.is_poison()) {
      good_ = false;
      return;
    }
    if (&v.function() != body_) {
      Fail("the step gives a tensor from outside of it");
      return;
    }
    body_->AddResult(v);
  }

  void Fail(const std::string& message) {
    good_ = false;
    function_->ReportError({.location = ir::Location(where_),
                            .message = "scan: " + message,
                            .help = "the step may use what it is given and nothing else: pass "
                                    "weights as invariants"});
  }

  const ScanOperands& operands_;
  const std::source_location& where_;
  Function* function_ = nullptr;
  Function* body_ = nullptr;
  bool good_ = true;
};

// The operands, and behind them what the keys of a step are made of: its number, and the loop's
// keys.
ScanOperands WithKeys(ScanOperands operands, const ScanOptions& options) {
  Dim length = options.length;
  if (!operands.sequences.empty()) {
    const Tensor first = operands.sequences[0];
    if (first && !first.is_poison() && first.rank() > 0) length = first.shape()[0];
  }
  Function& f = options.keys[0].seed.function();
  operands.sequences.push_back(ir::iota(f, {DType::kI64, {length}}, 0));
  for (const RandomKey& key : options.keys) {
    operands.invariants.insert(operands.invariants.end(), {key.seed, key.stream});
  }
  return operands;
}

// What the user's step sees of a step with keys.
ScanStep WithoutOperandsOfKeys(ScanStep s, size_t keys) {
  const Tensor step = s.elements.back();
  s.elements.pop_back();
  const size_t first = s.invariants.size() - 2 * keys;
  for (size_t k = 0; k < keys; ++k) {
    const Tensor seed = s.invariants[first + 2 * k], stream = s.invariants[first + 2 * k + 1];
    const Tensor apart = ir::constant_int(step.function(), {DType::kI64, {}}, kStepSeed);
    s.keys.push_back({seed + (step + 1) * apart, stream});
  }
  s.invariants.resize(first);
  return s;
}

}  // namespace

ScanValues Scan(const std::string& name, const ScanOperands& operands,
                absl::FunctionRef<ScanValues(const ScanStep&)> step, const ScanOptions& options,
                const std::source_location& where) {
  if (options.keys.empty()) return Scanner(name, operands, where).Process(step, options);
  const ScanOperands all = WithKeys(operands, options);
  return Scanner(name, all, where)
      .Process(
          [&](const ScanStep& s) { return step(WithoutOperandsOfKeys(s, options.keys.size())); },
          options);
}

}  // namespace gradus
