#include "tests/unit/passes/kernel_interpreter.h"

#include <bit>
#include <cmath>

#include "ir/loop/fold.h"
#include "ir/op_def.h"

namespace gradus::testing {
namespace {

using loop::Extent;
using loop::Index;
using loop::Scalar;
using loop::ScalarKind;
using loop::Variable;

class Interpreter {
 public:
  Interpreter(const loop::Kernel& kernel, const std::vector<Array*>& buffers, const Sizes& sizes)
      : kernel_(kernel), buffers_(buffers), sizes_(sizes) {}

  void Run() {
    for (const loop::Store& s : kernel_.stores) {
      std::vector<const Variable*> loops = s.variables;
      if (s.running != nullptr) {  // the innermost, so that each sum is whole before the next
        std::erase(loops, s.running);
        loops.push_back(s.running);
      }
      double sum = 0;
      Over({loops.data(), loops.size()}, [&] {
        known_.clear();
        if (s.running != nullptr && variables_.at(s.running) == 0) sum = 0;
        Write(s, Evaluate(s.value), sum);
      });
    }
  }

 private:
  void Write(const loop::Store& s, double value, double& sum) {
    std::vector<Index> at(s.indices.begin(), s.indices.end());
    if (s.kind == loop::Store::Kind::kAdd) {
      const auto axis = static_cast<size_t>(s.axis);
      const auto position = static_cast<int64_t>(Evaluate(s.position));
      const ir::Shape& shape = kernel_.buffers[static_cast<size_t>(s.buffer)].type.shape;
      if (position < 0 || position >= SizeOf(Extent(shape[s.axis]))) return;
      at[axis] = at[axis] + Index(position);
      value = Binary(ScalarKind::kAdd, s.value->dtype, *At(s.buffer, at), value);
    }
    if (s.kind == loop::Store::Kind::kRunningSum) {
      value = sum = Binary(ScalarKind::kAdd, s.value->dtype, sum, value);
    }
    *At(s.buffer, at) = value;
  }

  int64_t SizeOf(const Extent& e) const {
    int64_t n = e.scale;
    for (const ir::Symbol& s : e.symbols) n *= sizes_.at(std::string(s.name()));
    return (n + e.divisor - 1) / e.divisor;
  }

  int64_t Form(const Index& form) const {
    int64_t sum = 0;
    for (const loop::Term& t : form.terms()) {
      int64_t product = t.coefficient;
      for (const ir::Symbol& s : t.symbols) product *= sizes_.at(std::string(s.name()));
      if (t.variable != nullptr) product *= ValueOf(*t.variable);
      sum += product;
    }
    return sum;
  }

  int64_t ValueOf(const Variable& v) const {
    if (v.kind() == Variable::Kind::kLoop) return variables_.at(&v);
    const int64_t n = Form(v.numerator()), d = v.divisor();
    const int64_t q = n / d - (n % d != 0 && n < 0 ? 1 : 0);
    return v.kind() == Variable::Kind::kFloorDiv ? q : n - q * d;
  }

  template <typename Body>
  void Over(std::span<const Variable* const> variables, const Body& body) {
    if (variables.empty()) return body();
    const int64_t n = SizeOf(variables[0]->extent());
    for (int64_t i = 0; i < n; ++i) {
      variables_[variables[0]] = i;
      Over(variables.subspan(1), body);
    }
    variables_.erase(variables[0]);
  }

  double* At(int buffer, std::span<const Index> indices) const {
    Array& array = *buffers_[static_cast<size_t>(buffer)];
    const ir::Shape& shape = kernel_.buffers[static_cast<size_t>(buffer)].type.shape;
    int64_t offset = 0;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const int64_t size = SizeOf(Extent(shape[axis])),
                    i = Form(indices[static_cast<size_t>(axis)]);
      IR_CHECK_MSG(i >= 0 && i < size, "an index within its axis");
      offset = offset * size + i;
    }
    return &array.elements[static_cast<size_t>(offset)];
  }

  bool Holds(const loop::Condition& c) const {
    return Form(c.low) <= Form(c.form) && Form(c.form) < Form(c.high);
  }

  double Reduce(const Scalar& s) {
    loop::Arena arena;
    const Scalar* identity = loop::fold::Identity(arena, s.reduce, s.dtype);
    double result =
        ir::IsFloat(s.dtype) ? identity->number : static_cast<double>(identity->integer);
    static constexpr ScalarKind kCombine[] = {ScalarKind::kAdd, ScalarKind::kMul, ScalarKind::kMax,
                                              ScalarKind::kMin};
    Over({s.variables.data(), s.variables.size()}, [&] {
      const double x = Evaluate(s.operands[0]);
      result = Binary(kCombine[static_cast<int>(s.reduce)], s.dtype, result, x);
      std::erase_if(known_, [&](const auto& entry) {
        for (const Variable* v : s.variables) {
          if (entry.first->depends_on(v)) return true;
        }
        return false;
      });
    });
    return result;
  }

  static double Binary(ScalarKind kind, ir::DType dtype, double a, double b) {
    if (ir::IsFloat(dtype)) return loop::fold::Round(dtype, loop::fold::Binary(kind, dtype, a, b));
    return static_cast<double>(loop::fold::Wrap(
        dtype, loop::fold::Binary(kind, dtype, static_cast<int64_t>(a), static_cast<int64_t>(b))));
  }

  double Evaluate(const Scalar* s) {
    if (const auto at = known_.find(s); at != known_.end()) return at->second;
    const double value = Compute(*s);
    known_[s] = value;
    return value;
  }

  double Compute(const Scalar& s) {
    const bool is_float = ir::IsFloat(s.dtype);
    const auto operand = [&](size_t i) { return Evaluate(s.operands[i]); };
    switch (s.kind) {
      case ScalarKind::kConst: return is_float ? s.number : static_cast<double>(s.integer);
      case ScalarKind::kExtent: return static_cast<double>(SizeOf(s.extent));
      case ScalarKind::kIndex: return static_cast<double>(Form(s.indices[0]));
      case ScalarKind::kLoad: return *At(s.buffer, {s.indices.data(), s.indices.size()});
      case ScalarKind::kGather: {
        std::vector<Index> at(s.indices.begin(), s.indices.end());
        Index& along = at[static_cast<size_t>(s.integer)];
        along = along + Index(static_cast<int64_t>(operand(0)));
        return *At(s.buffer, at);
      }
      case ScalarKind::kFma:
        return loop::fold::Round(s.dtype,
                                 loop::fold::Fma(s.dtype, operand(0), operand(1), operand(2)));
      case ScalarKind::kNeg:
      case ScalarKind::kAbs:
      case ScalarKind::kFloor:
      case ScalarKind::kRoundEven:
      case ScalarKind::kSqrt:
        if (is_float)
          return loop::fold::Round(s.dtype, loop::fold::Unary(s.kind, s.dtype, operand(0)));
        return static_cast<double>(
            loop::fold::Wrap(s.dtype, loop::fold::Unary(s.kind, static_cast<int64_t>(operand(0)))));
      case ScalarKind::kEq:
      case ScalarKind::kNe:
      case ScalarKind::kLt:
      case ScalarKind::kLe: return loop::fold::Compare(s.kind, operand(0), operand(1));
      case ScalarKind::kSelect: return operand(0) != 0 ? operand(1) : operand(2);
      case ScalarKind::kCast:
        if (is_float) return loop::fold::Round(s.dtype, operand(0));
        return ir::IsFloat(s.operands[0]->dtype)
                   ? static_cast<double>(loop::fold::ToInteger(s.dtype, operand(0)))
                   : static_cast<double>(
                         loop::fold::Wrap(s.dtype, static_cast<int64_t>(operand(0))));
      case ScalarKind::kBitcast: return Bitcast(s, operand(0));
      case ScalarKind::kExp2Table:
        return loop::fold::kExp2Table[static_cast<size_t>(operand(0)) & 15];
      case ScalarKind::kGuard:
        for (const loop::Condition& c : s.conditions) {
          if (!Holds(c)) return 0;
        }
        return operand(0);
      case ScalarKind::kReduce: return Reduce(s);
      case ScalarKind::kAcc: IR_CHECK_MSG(false, "no accumulators before scheduling");
      default: return Binary(s.kind, s.dtype, operand(0), operand(1));
    }
  }

  static double Bitcast(const Scalar& s, double x) {
    if (s.dtype == ir::DType::kI32) return std::bit_cast<int32_t>(static_cast<float>(x));
    if (s.dtype == ir::DType::kF32)
      return std::bit_cast<float>(static_cast<int32_t>(static_cast<int64_t>(x)));
    IR_CHECK_MSG(false, "integers of 64 bits do not fit a double");
  }

  const loop::Kernel& kernel_;
  const std::vector<Array*>& buffers_;
  const Sizes& sizes_;
  std::map<const Variable*, int64_t> variables_;
  std::map<const Scalar*, double> known_;
};

}  // namespace

int64_t Elements(const ir::Shape& shape, const Sizes& sizes) {
  int64_t n = 1;
  for (const ir::Dim& d : shape)
    n *= d.is_symbol() ? sizes.at(std::string(d.symbol().name())) : d.size();
  return n;
}

void RunKernel(const loop::Kernel& kernel, const std::vector<Array*>& buffers, const Sizes& sizes) {
  std::vector<Array*> all = buffers;
  std::vector<Array> scratch(kernel.buffers.size() - buffers.size());
  for (Array& a : scratch) {
    a.type = kernel.buffers[all.size()].type;
    a.elements.assign(static_cast<size_t>(Elements(a.type.shape, sizes)), std::nan(""));
    all.push_back(&a);
  }
  Interpreter(kernel, all, sizes).Run();
}

std::vector<Array> RunFunction(const ir::Module& module, const ir::Function& f,
                               const std::vector<Array>& arguments, const Sizes& sizes) {
  std::map<std::pair<int, int>, Array> values;
  for (int i = 0; i < f.num_args(); ++i)
    values[{f.arg(i).node()->id(), 0}] = arguments[static_cast<size_t>(i)];
  for (const auto& node : f.nodes()) {
    const ir::Function* callee = module.Find(node->attr<ir::FunctionRef>("callee").name);
    std::vector<Array*> buffers;
    for (const ir::Value v : node->operands())
      buffers.push_back(&values.at({v.node()->id(), v.result()}));
    for (int r = 0; r < node->num_results(); ++r) {
      Array& out = values[{node->id(), r}];
      out.type = node->type(r);
      out.elements.assign(static_cast<size_t>(Elements(out.type.shape, sizes)), std::nan(""));
      buffers.push_back(&out);
    }
    RunKernel(*callee->kernel, buffers, sizes);
  }
  std::vector<Array> results;
  for (const ir::Result& r : f.results())
    results.push_back(values.at({r.value.node()->id(), r.value.result()}));
  return results;
}

}  // namespace gradus::testing
