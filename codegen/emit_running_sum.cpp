// Running sums along the unit stride. Within a vector they are summed by doubling steps, each of
// which adds the vector shifted by 1, 2, 4, ... lanes (Hillis and Steele 1986), so that from one
// vector to the next only a single addition has to wait: the carry's.

#include <algorithm>

#include "codegen/emit_kernel.h"

namespace gradus::codegen {

using loop::Nest;
using loop::ReduceKind;

namespace {

// Lane l: the sum of lanes 0..l.
llvm::Value* SumWithin(Frame& frame, DType dtype, llvm::Value* v, int lanes) {
  llvm::Value* zeros = llvm::Constant::getNullValue(v->getType());
  for (int distance = 1; distance < lanes; distance *= 2) {
    llvm::SmallVector<int, 16> from;  // lanes of the zeros, then of v
    for (int l = 0; l < lanes; ++l) from.push_back(l < distance ? l : lanes + l - distance);
    llvm::Value* shifted = frame.builder().CreateShuffleVector(zeros, v, from);
    v = frame.Combine(ReduceKind::kSum, dtype, v, shifted);
  }
  return v;
}

}  // namespace

void EmitRunningSum(Frame& frame, const Nest& nest) {
  const loop::FlatStore& store = nest.stores[0];
  const DType dtype = store.value->dtype;
  const int lanes = frame.LanesFor(std::span(&store.value, 1));
  llvm::Type* type =
      llvm::FixedVectorType::get(frame.emitter().RegisterType(dtype), static_cast<unsigned>(lanes));
  // One vector a step; lanes past the end come last, and nothing follows them.
  const auto step = [&](const Values& carried) -> Values {
    auto& b = frame.builder();
    llvm::Value* within =
        SumWithin(frame, dtype, frame.EvaluateVector(store.value, nullptr)[0], lanes);
    llvm::Value* sum = frame.Combine(ReduceKind::kSum, dtype, within, carried[0]);
    frame.StorePacket(store, {{sum}, true});
    const llvm::SmallVector<int, 16> last(static_cast<size_t>(lanes), lanes - 1);
    llvm::Value* total = b.CreateShuffleVector(within, last);
    return {frame.Combine(ReduceKind::kSum, dtype, carried[0], total)};
  };
  const std::function<Values(size_t)> loops = [&](size_t level) -> Values {
    const loop::Variable* v = nest.loops[level];
    if (v == nest.running) {
      frame.VectorLoopOver(v, lanes, 1, {llvm::Constant::getNullValue(type)}, step);
      return {};
    }
    return frame.LoopOver(v, {}, [&](const Values&) { return loops(level + 1); });
  };
  if (std::ranges::find(nest.loops, nest.running) != nest.loops.end()) loops(0);
}

}  // namespace gradus::codegen
