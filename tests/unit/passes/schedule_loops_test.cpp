// Plans of plain nests: which loops are left, what is vectorised, what shares a nest.

#include "passes/schedule_loops.h"

#include <gtest/gtest.h>

#include "ir/loop/plan.h"

namespace gradus::passes {
namespace {

using loop::Extent;
using loop::Index;
using loop::Nest;
using loop::Scalar;
using loop::ScalarKind;
using loop::Variable;
using Kind = loop::Buffer::Kind;

// A module of one kernel, built by hand.
struct OneKernel {
  ir::Module module{"test"};
  ir::Function& function = module.AddFunction("k", ir::FunctionKind::kKernel);
  loop::Kernel* kernel = nullptr;
  loop::Arena* arena = nullptr;

  OneKernel() {
    function.kernel = std::make_unique<loop::Kernel>();
    kernel = function.kernel.get();
    kernel->name = "k";
    arena = kernel->arena.get();
  }
  int Add(const char* name, ir::Shape shape, Kind kind) {
    kernel->buffers.push_back({name, ir::Type{ir::DType::kF32, std::move(shape)}, kind, {}});
    ++(kind == Kind::kInput ? kernel->num_inputs : kernel->num_outputs);
    return static_cast<int>(kernel->buffers.size()) - 1;
  }
  const Variable* Var(const char* name, Extent extent) {
    return arena->NewVariable(name, std::move(extent));
  }
  const Scalar* Load(int buffer, std::vector<Index> at) {
    return arena->Load(buffer, ir::DType::kF32, at);
  }
  const Scalar* Reduce(loop::ReduceKind kind, std::vector<const Variable*> over, const Scalar* x) {
    return arena->Reduce(kind, over, x);
  }
  void Store(int buffer, std::vector<const Variable*> variables, std::vector<Index> at,
             const Scalar* value) {
    loop::Store store{buffer, {}, value, std::move(variables)};
    store.indices.assign(at.begin(), at.end());
    kernel->stores.push_back(std::move(store));
  }
  const loop::Plan& Plan() {
    PassContext context;
    context.target.vector_bytes = 32;
    const auto changed = ScheduleLoops(module, context);
    EXPECT_TRUE(changed.ok() && *changed);
    return *function.plan;
  }
  static const Nest& At(const loop::Plan& plan, size_t i) {
    return std::get<Nest>(plan.steps.at(i));
  }
};

const ir::Dim kBatch{ir::Symbol("B")};

TEST(ScheduleLoops, ElementwiseIsOneFlatLoop) {
  OneKernel k;
  const int x = k.Add("x", {kBatch, 12, 64}, Kind::kInput);
  const int o = k.Add("o", {kBatch, 12, 64}, Kind::kOutput);
  const Variable *i = k.Var("i", Extent(kBatch)), *j = k.Var("j", 12), *l = k.Var("l", 64);
  const Scalar* value = k.arena->Unary(ScalarKind::kNeg, k.Load(x, {i, j, l}));
  k.Store(o, {i, j, l}, {i, j, l}, value);
  const Nest& nest = OneKernel::At(k.Plan(), 0);
  ASSERT_EQ(nest.loops.size(), 1u);
  EXPECT_EQ(ToString(nest.loops[0]->extent()), "768*B");
  EXPECT_EQ(nest.vector, nest.loops[0]);
  EXPECT_EQ(nest.stores[0].offset, Index(nest.loops[0]));
}

TEST(ScheduleLoops, ReshapeLeavesNoDivision) {
  OneKernel k;
  const int x = k.Add("x", {8, 6}, Kind::kInput);
  const int o = k.Add("o", {4, 12}, Kind::kOutput);
  const Variable *i = k.Var("i", 4), *j = k.Var("j", 12);
  const Index flat = Index(i) * 12 + Index(j);
  const auto split = loop::DivMod(*k.arena, flat, 6);
  k.Store(o, {i, j}, {i, j}, k.Load(x, {split.quotient, split.remainder}));
  const Nest& nest = OneKernel::At(k.Plan(), 0);
  ASSERT_EQ(nest.loops.size(), 1u);
  EXPECT_EQ(nest.stores[0].value->indices[0], Index(nest.loops[0]));
}

TEST(ScheduleLoops, BroadcastKeepsTwoLoops) {
  OneKernel k;
  const int b = k.Add("b", {64}, Kind::kInput);
  const int o = k.Add("o", {kBatch, 64}, Kind::kOutput);
  const Variable *i = k.Var("i", Extent(kBatch)), *j = k.Var("j", 64);
  k.Store(o, {i, j}, {i, j}, k.Load(b, {j}));
  const Nest& nest = OneKernel::At(k.Plan(), 0);
  EXPECT_EQ(nest.loops.size(), 2u);
  EXPECT_EQ(nest.vector, j);
}

TEST(ScheduleLoops, RowSumsRunAlongTheSum) {
  OneKernel k;
  const int x = k.Add("x", {32, 64}, Kind::kInput);
  const int o = k.Add("o", {32}, Kind::kOutput);
  const Variable *i = k.Var("i", 32), *j = k.Var("j", 64);
  k.Store(o, {i}, {i}, k.Reduce(loop::ReduceKind::kSum, {j}, k.Load(x, {i, j})));
  const Nest& nest = OneKernel::At(k.Plan(), 0);
  EXPECT_EQ(nest.vector, nullptr);
  EXPECT_EQ(nest.vector_reductions, std::vector<const Variable*>{j});
}

TEST(ScheduleLoops, ColumnSumsRunAlongTheOutput) {
  OneKernel k;
  const int x = k.Add("x", {32, 64}, Kind::kInput);
  const int o = k.Add("o", {64}, Kind::kOutput);
  const Variable *i = k.Var("i", 32), *j = k.Var("j", 64);
  k.Store(o, {j}, {j}, k.Reduce(loop::ReduceKind::kSum, {i}, k.Load(x, {i, j})));
  const Nest& nest = OneKernel::At(k.Plan(), 0);
  EXPECT_EQ(nest.vector, j);
  EXPECT_TRUE(nest.vector_reductions.empty());
}

TEST(ScheduleLoops, FullSumIsOneFlatReduction) {
  OneKernel k;
  const int x = k.Add("x", {kBatch, 64}, Kind::kInput);
  const int o = k.Add("o", {}, Kind::kOutput);
  const Variable *i = k.Var("i", Extent(kBatch)), *j = k.Var("j", 64);
  k.Store(o, {}, {}, k.Reduce(loop::ReduceKind::kSum, {i, j}, k.Load(x, {i, j})));
  const Nest& nest = OneKernel::At(k.Plan(), 0);
  EXPECT_TRUE(nest.loops.empty());
  ASSERT_EQ(nest.vector_reductions.size(), 1u);
  EXPECT_EQ(ToString(nest.vector_reductions[0]->extent()), "64*B");
  EXPECT_EQ(nest.stores[0].value->variables.size(), 1u);
}

TEST(ScheduleLoops, SoftmaxRowsShareOneNest) {
  OneKernel k;
  const int x = k.Add("x", {kBatch, 10}, Kind::kInput);
  const int o = k.Add("o", {kBatch, 10}, Kind::kOutput);
  const Variable *i = k.Var("i", Extent(kBatch)), *j = k.Var("j", 10), *r = k.Var("r", 10);
  const Scalar* max = k.Reduce(loop::ReduceKind::kMax, {r}, k.Load(x, {i, r}));
  const Scalar* sum = k.Reduce(loop::ReduceKind::kSum, {r},
                               k.arena->Binary(ScalarKind::kSub, k.Load(x, {i, r}), max));
  k.Store(o, {i, j}, {i, j}, k.arena->Binary(ScalarKind::kDiv, k.Load(x, {i, j}), sum));
  const Nest& nest = OneKernel::At(k.Plan(), 0);
  EXPECT_EQ(nest.vector, j);
  EXPECT_EQ(nest.vector_reductions, std::vector<const Variable*>{j});
  EXPECT_EQ(nest.row, j);
  EXPECT_EQ(nest.passes.size(), 2u);
}

TEST(ScheduleLoops, TransposeShufflesTiles) {
  OneKernel k;
  const int x = k.Add("x", {48, 64}, Kind::kInput);
  const int o = k.Add("o", {64, 48}, Kind::kOutput);
  const Variable *i = k.Var("i", 64), *j = k.Var("j", 48);
  k.Store(o, {i, j}, {i, j}, k.Load(x, {j, i}));
  const Nest& nest = OneKernel::At(k.Plan(), 0);
  EXPECT_EQ(nest.mode, Nest::Mode::kTranspose);
  EXPECT_EQ(nest.vector, j);
  EXPECT_EQ(nest.cross, i);
}

TEST(ScheduleLoops, AStoreReadAtItsOwnPlaceSharesTheNest) {
  OneKernel k;
  const int x = k.Add("x", {64}, Kind::kInput);
  const int z = k.Add("z", {64}, Kind::kOutput);
  const int o = k.Add("o", {64}, Kind::kOutput);
  const Variable* i = k.Var("i", 64);
  const Scalar* value = k.arena->Unary(ScalarKind::kSqrt, k.Load(x, {i}));
  k.Store(z, {i}, {i}, value);
  k.Store(o, {i}, {i}, k.arena->Unary(ScalarKind::kNeg, k.Load(z, {i})));
  const loop::Plan& plan = k.Plan();
  ASSERT_EQ(plan.steps.size(), 1u);
  const Nest& nest = OneKernel::At(plan, 0);
  ASSERT_EQ(nest.stores.size(), 2u);
  EXPECT_EQ(nest.stores[1].value, k.arena->Unary(ScalarKind::kNeg, nest.stores[0].value));
}

TEST(ScheduleLoops, AStoreReadElsewhereComesInALaterNest) {
  OneKernel k;
  const int x = k.Add("x", {64}, Kind::kInput);
  const int z = k.Add("z", {64}, Kind::kOutput);
  const int o = k.Add("o", {64}, Kind::kOutput);
  const Variable* i = k.Var("i", 64);
  k.Store(z, {i}, {i}, k.arena->Unary(ScalarKind::kSqrt, k.Load(x, {i})));
  k.Store(o, {i}, {i}, k.Load(z, {Index(63) - Index(i)}));
  EXPECT_EQ(k.Plan().steps.size(), 2u);
}

TEST(ScheduleLoops, ANestDoesNotOvertakeWhatReadsItsMemory) {
  // o may live in x; the row sums of x stand before it and must stay there.
  OneKernel k;
  const int x = k.Add("x", {64}, Kind::kInput);
  const int a = k.Add("a", {64}, Kind::kOutput);
  const int s = k.Add("s", {}, Kind::kOutput);
  const int o = k.Add("o", {64}, Kind::kOutput);
  const Variable *i = k.Var("i", 64), *r = k.Var("r", 64);
  k.Store(a, {i}, {i}, k.arena->Float(ir::DType::kF32, 1));
  k.Store(s, {}, {}, k.Reduce(loop::ReduceKind::kSum, {r}, k.Load(x, {r})));
  k.Store(o, {i}, {i}, k.arena->Unary(ScalarKind::kNeg, k.Load(x, {i})));
  EXPECT_EQ(k.Plan().steps.size(), 3u);
}

TEST(ScheduleLoops, LoopsOfOnePassVanish) {
  OneKernel k;
  const int x = k.Add("x", {64, 1}, Kind::kInput);
  const int o = k.Add("o", {64, 1}, Kind::kOutput);
  const Variable *i = k.Var("i", 64), *j = k.Var("j", 1), *r = k.Var("r", 1);
  k.Store(o, {i, j}, {i, j}, k.Reduce(loop::ReduceKind::kSum, {r}, k.Load(x, {i, r})));
  const Nest& nest = OneKernel::At(k.Plan(), 0);
  EXPECT_EQ(nest.loops, std::vector<const Variable*>{i});
  EXPECT_EQ(nest.stores[0].value->kind, ScalarKind::kLoad);
  EXPECT_EQ(nest.vector, i);
}

}  // namespace
}  // namespace gradus::passes
