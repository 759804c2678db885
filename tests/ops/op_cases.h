#pragma once

// The op table: one row an op, from which op_table_test.cpp makes all of that op's tests. A
// registered op without a row fails. Rows of composites, which have no record, stand beside them.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/attribute.h"
#include "ir/module.h"
#include "ir/type.h"
#include "tests/ops/array.h"

namespace gradus::test {

// The symbol that samples use: their batch.
inline constexpr ir::Symbol kB{"B"};

// How an operand is filled, for each of its elements alone.
struct Domain {
  double low = -2, high = 2;
  double grid =
      0;  // > 0: multiples of it (plus `phase`), so that sums and products are exact in any order
  double phase = 0;
  bool distinct = false;  // no two elements equal, nor near each other: for what has joints at ties
  double zeros = 0;       // this share of the elements is exactly 0
};

// One way to use an op.
struct Sample {
  std::vector<ir::Type> operands;
  ir::AttrList attrs;
  Sizes batch = {};  // the values of B to run with; empty: the types hold no symbol
};

// What a reference sees: numbers for all symbols.
struct Given {
  std::vector<Array> operands;
  ir::AttrList attrs;
  template <typename T>
  const T& attr(std::string_view name) const {
    for (const ir::NamedAttribute& a : attrs) {
      if (a.name == name) return std::get<T>(a.value);
    }
    ir::CheckFailed("attribute of the sample", __FILE__, __LINE__, name);
  }
  DType dtype() const { return operands[0].dtype; }
};

// One element's operands and what must come of them, to the bit (NaN: any NaN).
struct Special {
  std::vector<double> operands;
  double want = 0;
  std::optional<DType> dtype = {};  // empty: f32 and f64
};

// A use that the type rule must refuse, and what its message must hold.
struct Refused {
  std::vector<ir::Type> operands;
  ir::AttrList attrs;
  std::string_view message;
};

enum class Gradient {
  kChecked,  // against central differences, in f64
  kZero,     // no gradient passes, and that is right
  kRefused,  // autodiff must report the op
  kNone,     // neither operands nor result are floats
};

struct OpCase {
  std::string_view name;
  // Uses with floats of a dtype. Ops of integers and i1 ignore it and set `floats` to false.
  std::function<std::vector<Sample>(DType)> samples;
  std::vector<Domain> domains;  // one an operand; the last stands for all that follow
  std::function<Array(const Given&)> reference;
  Tolerance f32, f64;
  Gradient gradient = Gradient::kChecked;
  std::vector<Refused> refused;
  std::vector<Special> specials;
  bool floats = true;  // whether samples differ by dtype
  // For composites, and for ops that need more than operands and attributes. Default: emit the op
  // of that name.
  std::function<ir::Value(ir::Module&, ir::Function&, const std::vector<ir::Value>&, const Sample&)>
      build;
  // Off where central differences of the squared gradients are mostly rounding, or nothing moves.
  bool second_order = true;
  double gradient_tolerance = 1e-6;  // relative to the largest of the operand's gradient
};

std::vector<OpCase> ArithmeticCases();
std::vector<OpCase> FunctionCases();
std::vector<OpCase> ComparisonCases();
std::vector<OpCase> ReductionCases();
std::vector<OpCase> ContractionCases();
std::vector<OpCase> ConvolutionCases();
std::vector<OpCase> PoolingCases();
std::vector<OpCase> MovementCases();
std::vector<OpCase> IndexingCases();
std::vector<OpCase> BuilderCases();
std::vector<OpCase> LeafCases();
std::vector<OpCase> ScanCases();
std::vector<OpCase> CompositeCases();

// The rows of registered ops, and those of composites.
const std::vector<OpCase>& OpCases();

// Shapes that sweep the sizes at which code changes: none, one, odd, and each side of a vector's
// width; a symbolic batch, alone and over a row.
std::vector<ir::Shape> SweptShapes();
Sizes SweptBatches();
// Samples of an elementwise op: `operands` of the dtype, all of one swept shape.
std::vector<Sample> Elementwise(const std::vector<DType>& operands, const ir::AttrList& attrs = {});

}  // namespace gradus::test
