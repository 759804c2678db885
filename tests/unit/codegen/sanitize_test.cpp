// Under AddressSanitizer, compiled code that leaves a buffer is found out; elsewhere there is
// nothing to test.

#include "tests/unit/codegen/hand_made.h"

#if defined(__has_feature)
#define GRADUS_HAS_FEATURE(x) __has_feature(x)
#else
#define GRADUS_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || GRADUS_HAS_FEATURE(address_sanitizer)

namespace gradus::codegen {
namespace {

// o[i] = 2 x[i] over `count` elements, where there is memory for as many as are given.
void Double(int64_t count, size_t x_size, size_t o_size) {
  HandMade h;
  ir::Dim b{ir::Symbol("B")};
  int x = h.Input("x", ir::DType::kF32, {b});
  int o = h.Output("o", ir::DType::kF32, {b});
  auto* i = h.arena->NewVariable("i", loop::Extent(b));
  loop::Nest nest;
  nest.loops = {i};
  nest.vector = i;
  nest.stores = {{o, loop::Index(i), (h.E(h.Load(x, loop::Index(i))) * 2).scalar(), false}};
  h.plan->steps.emplace_back(nest);
  std::vector<float> from(x_size, 1), to(o_size);
  std::vector<int64_t> shape{count};
  std::vector<runtime::TensorView> in{{from.data(), runtime::DType::kF32, shape},
                                      {to.data(), runtime::DType::kF32, shape}};
  std::vector<runtime::MutableTensorView> out{{to.data(), runtime::DType::kF32, shape}};
  EXPECT_TRUE(h.Compile().Call(in, out, {}).ok());
}

TEST(SanitizeDeathTest, AccessesBesideABuffer) {
  Double(16, 16, 16);
  Double(19, 19, 19);  // the last vector is masked
  EXPECT_DEATH(Double(16, 15, 16), "heap-buffer-overflow.*\n.*READ");
  EXPECT_DEATH(Double(19, 18, 19), "heap-buffer-overflow.*\n.*READ");
  EXPECT_DEATH(Double(19, 19, 18), "heap-buffer-overflow.*\n.*WRITE");
}

}  // namespace
}  // namespace gradus::codegen

#endif
