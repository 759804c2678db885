#pragma once

// The op records, one table a source file. all.cpp joins them; a new file adds one line here and
// one there.

#include <span>

#include "ir/op_def.h"

namespace gradus::ir {

using OpTable = std::span<const OpDef* const>;

OpTable ArithmeticOps();
OpTable PiecewiseOps();
OpTable ExponentialOps();
OpTable SmoothOps();
OpTable TrigonometricOps();
OpTable ComparisonOps();
OpTable SelectionOps();
OpTable ContractionOps();
OpTable ConvolutionOps();
OpTable WindowOps();
OpTable ReductionOps();
OpTable IndexReductionOps();
OpTable BroadcastOps();
OpTable ReshapeOps();
OpTable SliceOps();
OpTable JoinOps();
OpTable IndexingOps();
OpTable CumulativeOps();
OpTable CustomGradientOps();
OpTable LeafOps();
OpTable RandomOps();
OpTable StructureOps();
OpTable ScanOps();

}  // namespace gradus::ir
