// The list of tables. No static registration: a static library would drop it.

#include <algorithm>
#include <vector>

#include "ir/ops/tables.h"
#include "ir/registry.h"

namespace gradus::ir {
namespace {

constexpr OpTable (*kTables[])() = {
    ArithmeticOps,     PiecewiseOps,   ExponentialOps,    SmoothOps,    ComparisonOps,
    SelectionOps,      ContractionOps, ConvolutionOps,    WindowOps,    ReductionOps,
    IndexReductionOps, BroadcastOps,   ReshapeOps,        SliceOps,     JoinOps,
    LeafOps,           RandomOps,      ScanOps,           StructureOps, TrigonometricOps,
    IndexingOps,       CumulativeOps,  CustomGradientOps,
};

std::vector<const OpDef*> Sorted() {
  std::vector<const OpDef*> ops;
  for (const auto table : kTables) {
    for (const OpDef* op : table()) ops.push_back(op);
  }
  std::sort(ops.begin(), ops.end(),
            [](const OpDef* a, const OpDef* b) { return a->name < b->name; });
  return ops;
}

}  // namespace

std::span<const OpDef* const> AllOps() {
  static const std::vector<const OpDef*> ops = Sorted();
  return ops;
}

}  // namespace gradus::ir
