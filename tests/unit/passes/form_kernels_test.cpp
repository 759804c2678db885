#include "passes/form_kernels.h"

#include <cmath>
#include <random>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "ir/op_def.h"
#include "ir/ops/composite.h"
#include "ir/ops/contraction.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"
#include "ir/ops/reduction.h"
#include "ir/printer.h"
#include "ir/registry.h"
#include "ir/verifier.h"
#include "passes/autodiff.h"
#include "passes/isolate_kernels.h"
#include "passes/lower_to_loops.h"
#include "tests/unit/passes/kernel_interpreter.h"

namespace gradus::passes {
namespace {

using ir::DType;
using ir::Function;
using ir::Shape;
using ir::Value;
using testing::Array;

const ir::Dim kB(ir::Symbol("B"));
const testing::Sizes kSizes = {{"B", 3}};

int CountKernels(const ir::Module& m) {
  int n = 0;
  for (const auto& f : m.functions()) n += f->kind() == ir::FunctionKind::kKernel ? 1 : 0;
  return n;
}

using Pass = absl::StatusOr<bool> (*)(ir::Module&, const PassContext&);
void RunPass(ir::Module& m, Pass pass) {
  const auto changed = pass(m, {});
  ASSERT_TRUE(changed.ok()) << changed.status();
  const absl::Status valid = ir::Verify(m);
  ASSERT_TRUE(valid.ok()) << valid << "\n" << ir::Print(m);
}

std::vector<Array> RandomArguments(const Function& f, std::mt19937& random) {
  std::vector<Array> arguments;
  std::uniform_int_distribution<int> pick(-8, 8);
  for (int i = 0; i < f.num_args(); ++i) {
    Array a;
    a.type = f.arg(i).type();
    for (int64_t n = testing::Elements(a.type.shape, kSizes); n > 0; --n) {
      a.elements.push_back(ir::IsFloat(a.type.dtype) ? pick(random) * 0.25 : pick(random));
    }
    arguments.push_back(std::move(a));
  }
  return arguments;
}

void ExpectSame(const std::vector<Array>& want, const std::vector<Array>& got,
                const std::string& context) {
  ASSERT_EQ(want.size(), got.size());
  for (size_t r = 0; r < want.size(); ++r) {
    ASSERT_EQ(want[r].elements.size(), got[r].elements.size());
    for (size_t i = 0; i < want[r].elements.size(); ++i) {
      const double w = want[r].elements[i], g = got[r].elements[i];
      ASSERT_TRUE(w == g || (std::isnan(w) && std::isnan(g)))
          << "result " << r << " element " << i << ": " << g << ", alone " << w << "\n"
          << context;
    }
  }
}

// Fused and one op a kernel give the same bits; so do kernels that write in place where that is
// declared safe.
void ExpectFusionChangesNothing(const ir::Module& m, std::mt19937& random) {
  auto alone = m.Clone(), fused = m.Clone();
  RunPass(*alone, IsolateKernels);
  RunPass(*alone, LowerToLoops);
  RunPass(*fused, FormKernels);
  RunPass(*fused, LowerToLoops);
  const Function& f = *m.functions()[0];
  const std::vector<Array> arguments = RandomArguments(f, random);
  const auto want = testing::RunFunction(*alone, *alone->Find(f.name()), arguments, kSizes);
  const auto got = testing::RunFunction(*fused, *fused->Find(f.name()), arguments, kSizes);
  ExpectSame(want, got, ir::Print(m) + ir::Print(*fused));
  for (const auto& kernel : fused->functions()) {
    if (kernel->kernel == nullptr) continue;
    const loop::Kernel& k = *kernel->kernel;
    for (int in = 0; in < k.num_inputs; ++in) {
      for (int out = 0; out < k.num_outputs; ++out) {
        if (!loop::InPlaceSafe(k, in, out)) continue;
        std::vector<Array> plain = RandomArguments(*kernel, random), shared = plain;
        std::vector<Array*> plain_buffers, shared_buffers;
        for (int o = 0; o < k.num_outputs; ++o) {
          const ir::Type& type = k.buffers[static_cast<size_t>(k.num_inputs + o)].type;
          Array a{type,
                  std::vector<double>(static_cast<size_t>(testing::Elements(type.shape, kSizes)))};
          plain.push_back(a);
          shared.push_back(a);
        }
        for (Array& a : plain) plain_buffers.push_back(&a);
        for (Array& a : shared) shared_buffers.push_back(&a);
        shared_buffers[static_cast<size_t>(k.num_inputs + out)] = &shared[static_cast<size_t>(in)];
        testing::RunKernel(k, plain_buffers, kSizes);
        testing::RunKernel(k, shared_buffers, kSizes);
        for (int o = 0; o < k.num_outputs; ++o) {
          const auto b = static_cast<size_t>(k.num_inputs + o);
          ExpectSame({*plain_buffers[b]}, {*shared_buffers[b]},
                     fmt::format("output {} in input {}\n{}", out, in, loop::Print(k)));
        }
      }
    }
  }
}

// A graph of random ops over few shapes; several results, some of which are used further.
std::unique_ptr<ir::Module> RandomGraph(std::mt19937& random) {
  auto m = std::make_unique<ir::Module>("random");
  Function& f = m->AddFunction("f");
  auto pick = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
  std::vector<Value> pool;
  for (const Shape& shape :
       {Shape{kB, 4}, Shape{kB, 4}, Shape{4, 4}, Shape{4}, Shape{kB}, Shape{}, Shape{kB, 2, 4}}) {
    pool.push_back(f.AddArgument(fmt::format("a{}", pool.size()), {DType::kF32, shape}));
  }
  const int ops = 4 + pick(24);
  for (int n = 0; n < ops; ++n) {
    // Mostly of what is recent, so that chains grow.
    const Value x = pool[static_cast<size_t>(
        pick(3) == 0 ? pick(static_cast<int>(pool.size()))
                     : static_cast<int>(pool.size()) - 1 -
                           pick(std::min<int>(6, static_cast<int>(pool.size()))))];
    std::vector<Value> same;
    for (const Value v : pool) {
      if (v.type() == x.type()) same.push_back(v);
    }
    const Value y = same[static_cast<size_t>(pick(static_cast<int>(same.size())))];
    Value z;
    switch (pick(14)) {
      case 0: z = x + y; break;
      case 1: z = x * y; break;
      case 2: z = x - y; break;
      case 3: z = maximum(x, y); break;
      case 4: z = relu(x); break;
      case 5: z = tanh(x); break;
      case 6: z = x * 0.5; break;
      case 7: z = select(less(x, y), x, y * 2.0); break;
      case 8:
        if (x.rank() > 0) z = reduce_sum(x, {pick(x.rank())}, pick(2) == 0);
        break;
      case 9: z = pick(2) == 0 ? reduce_max(x) : reduce_mean(x); break;
      case 10:
        if (x.rank() == 2 && x.shape()[0] == kB && x.shape()[1] == ir::Dim(4))
          z = matmul(x, pool[2]);
        break;
      case 11:
        if (x.rank() == 2 && x.shape()[0] == kB && x.shape()[1] == ir::Dim(4)) {
          z = matmul(x, pool[static_cast<size_t>(pick(2))], {.transpose_a = true});
        }
        break;
      case 12:
        if (x.rank() == 2 && x.shape()[0] == ir::Dim(4)) z = transpose(x, {1, 0});
        if (x.rank() == 3) z = slice(x, {{}, {pick(2), pick(2) + 1}, {}});
        break;
      default:
        if (x.rank() < 3)
          z = x + pool[static_cast<size_t>(3 + (x.rank() == 0                           ? 2
                                                : x.shape()[x.rank() - 1] == ir::Dim(4) ? 0
                                                                                        : 2))];
        break;
    }
    if (z) pool.push_back(z);
    if (f.error()) return nullptr;
  }
  for (size_t i = 7; i < pool.size(); ++i) {
    if (i + 1 == pool.size() || pick(4) == 0) f.AddResult(pool[i], fmt::format("r{}", i));
  }
  if (f.results().empty()) f.AddResult(pool[0], "r");
  return m;
}

TEST(FormKernels, RandomGraphsComputeTheSame) {
  int graphs = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    std::mt19937 random(seed);
    const auto m = RandomGraph(random);
    if (m == nullptr) continue;
    ++graphs;
    ExpectFusionChangesNothing(*m, random);
    if (HasFatalFailure() || HasNonfatalFailure()) {
      FAIL() << "seed " << seed;
    }
  }
  EXPECT_GT(graphs, 300);
}

TEST(FormKernels, TrainingStepOfAnMlp) {
  ir::Module m("mlp");
  Function& f = m.AddFunction("train_step");
  const Value x = f.AddArgument("x", {DType::kF32, {kB, 16}}),
              y = f.AddArgument("y", {DType::kF32, {kB, 1}});
  std::vector<Value> parameters;
  for (const Shape& s :
       {Shape{16, 32}, Shape{32}, Shape{32, 32}, Shape{32}, Shape{32, 1}, Shape{1}}) {
    parameters.push_back(f.AddArgument(fmt::format("p{}", parameters.size()), {DType::kF32, s}));
  }
  Value h = x;
  for (size_t layer = 0; layer < 3; ++layer) {
    h = matmul(h, parameters[2 * layer]) + parameters[2 * layer + 1];
    h = layer < 2 ? relu(h) : sigmoid(h);
  }
  const Value loss = binary_crossentropy(y, h);
  f.AddResult(loss, "loss");
  const auto gradients = Gradients(loss, parameters);
  ASSERT_TRUE(gradients.ok()) << gradients.status();
  for (size_t p = 0; p < parameters.size(); ++p) {
    f.AddResult(parameters[p] - (*gradients)[p] * 0.01, fmt::format("p{}", p),
                static_cast<int>(p) + 2);
  }
  ASSERT_FALSE(f.error()) << f.error()->ToString();
  std::mt19937 random(1);
  ExpectFusionChangesNothing(m, random);
  RunPass(m, FormKernels);
  // Forward: one a layer, the last with the loss. Backward: the update of each weight with its
  // gradient, and the gradient of each hidden layer with its mask and the update of its bias.
  const auto& calls = m.Find("train_step")->nodes();
  EXPECT_EQ(calls.size(), 8U) << ir::Print(m);
  int backward = 0;
  for (const auto& call : calls) {
    backward += call->attr<ir::FunctionRef>("callee").name.starts_with("backward_") ? 1 : 0;
  }
  EXPECT_EQ(backward, 5) << ir::Print(m);
}

TEST(FormKernels, LongChainsBecomeFewKernelsThatAreShared) {
  ir::Module m("chain");
  Function& f = m.AddFunction("f");
  Value x = f.AddArgument("x", {DType::kF32, {kB, 4}});
  for (int i = 0; i < 10000; ++i) x = tanh(x);
  f.AddResult(x);
  RunPass(m, FormKernels);
  EXPECT_LT(f.nodes().size(), 1000U);
  EXPECT_LE(CountKernels(m), 2);
  for (const auto& kernel : m.functions())
    EXPECT_LE(kernel->kind() == ir::FunctionKind::kKernel ? kernel->nodes().size() : 0U, 48U);
}

TEST(FormKernels, EqualKernelsAreOne) {
  ir::Module m("same");
  Function& f = m.AddFunction("f");
  Value x = f.AddArgument("x", {DType::kF32, {kB, 8}});
  for (int layer = 0; layer < 5; ++layer) {
    const Value w = f.AddArgument(fmt::format("w{}", layer), {DType::kF32, {8, 8}});
    x = relu(matmul(x, w));
  }
  f.AddResult(x);
  RunPass(m, FormKernels);
  EXPECT_EQ(f.nodes().size(), 5U);
  EXPECT_EQ(CountKernels(m), 1);
}

TEST(FormKernels, AnUpdateOfWhatTheProductReadsIsAnotherKernel) {
  ir::Module m("update");
  Function& f = m.AddFunction("f");
  const Value w = f.AddArgument("w", {DType::kF32, {8, 8}});
  const Value x = f.AddArgument("x", {DType::kF32, {8, 8}});
  f.AddResult(w - matmul(x, w) * 0.1, "w", 0);
  RunPass(m, FormKernels);
  EXPECT_EQ(f.nodes().size(), 2U) << ir::Print(m);
}

TEST(FormKernels, RunsOnceAndKeepsCalls) {
  ir::Module m("twice");
  Function& f = m.AddFunction("f");
  const Value x = f.AddArgument("x", {DType::kF32, {kB, 4}});
  f.AddResult(tanh(x));
  f.AddResult(x);
  f.AddResult(constant(f, {DType::kF32, {2}}, 3));
  RunPass(m, FormKernels);
  const std::string once = ir::Print(m);
  const auto again = FormKernels(m, {});
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(*again);
  EXPECT_EQ(ir::Print(m), once);
}

TEST(FormKernels, DropsWhatNothingNeeds) {
  ir::Module m("dead");
  Function& f = m.AddFunction("f");
  const Value x = f.AddArgument("x", {DType::kF32, {kB, 4}});
  tanh(x) + 1.0;
  f.AddResult(x);
  RunPass(m, FormKernels);
  EXPECT_TRUE(f.nodes().empty()) << ir::Print(m);
}

TEST(LowerToLoops, SaysWhichOpCannotBeLowered) {
  ir::Module m("call");
  Function& inner = m.AddFunction("inner");
  inner.AddResult(inner.AddArgument("x", {DType::kF32, {2}}));
  Function& k = m.AddFunction("k", ir::FunctionKind::kKernel);
  const Value x = k.AddArgument("x", {DType::kF32, {2}});
  k.AddResult(k.Append(*ir::FindOp("call"), {&x, 1}, {{"callee", ir::FunctionRef{"inner"}}},
                       {&x.type(), 1}, {})
                  ->result());
  const auto lowered = LowerToLoops(m, {});
  ASSERT_FALSE(lowered.ok());
  EXPECT_NE(lowered.status().message().find("call in @k has no lowering rule"),
            absl::string_view::npos);
}

}  // namespace
}  // namespace gradus::passes
