#include "tests/ops/op_cases.h"

namespace gradus::test {

const std::vector<OpCase>& OpCases() {
  static const std::vector<OpCase> cases = [] {
    std::vector<OpCase> all;
    for (auto* make : {ArithmeticCases, FunctionCases, ComparisonCases, ReductionCases,
                       ContractionCases, ConvolutionCases, PoolingCases, MovementCases, LeafCases,
                       IndexingCases, BuilderCases, ScanCases, CompositeCases}) {
      for (OpCase& c : make()) all.push_back(std::move(c));
    }
    return all;
  }();
  return cases;
}

std::vector<ir::Shape> SweptShapes() {
  return {{}, {0}, {1}, {17}, {3, 5}, {ir::Dim(kB)}, {ir::Dim(kB), 3}};
}

Sizes SweptBatches() { return {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 65}; }

std::vector<Sample> Elementwise(const std::vector<DType>& operands, const ir::AttrList& attrs) {
  std::vector<Sample> samples;
  for (const ir::Shape& shape : SweptShapes()) {
    Sample s{.operands = {}, .attrs = attrs};
    for (const DType d : operands) s.operands.push_back({d, shape});
    if (shape.has_symbols()) s.batch = SweptBatches();
    samples.push_back(std::move(s));
  }
  return samples;
}

}  // namespace gradus::test
