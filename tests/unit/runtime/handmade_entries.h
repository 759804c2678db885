#pragma once

// Entries written by hand, as a compiler would write them, for tests of what calls them.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/executable.h"

namespace gradus::runtime::testing {

inline std::string Message(const absl::Status& status) { return std::string(status.message()); }

// @scale(%x: f32[B, 3], %w: f32[3]) -> (%y: f32[B, 3]) with a workspace of 4 * ceil(B / 16) * 16 +
// 64 bytes: y = x * w.
inline constexpr gradus_dim kBy3[] = {{-1, 0}, {3, -1}};
inline constexpr gradus_dim k3[] = {{3, -1}};
inline const char* const kB[] = {"B"};
inline constexpr gradus_tensor_info kScaleArguments[] = {{"x", GRADUS_F32, 2, kBy3, -1},
                                                         {"w", GRADUS_F32, 1, k3, -1}};
inline constexpr gradus_tensor_info kScaleResults[] = {{"y", GRADUS_F32, 2, kBy3, -1}};
inline constexpr gradus_term kScaleTerms[] = {{64, 1, {{1, 16, 1, {0}}, {}}}, {64, 0, {{}, {}}}};
inline const gradus_entry_info kScaleInfo{GRADUS_ABI_VERSION, "scale",       2,  1,          1, 2,
                                          kScaleArguments,    kScaleResults, kB, kScaleTerms};

inline int scale_calls = 0;
inline int32_t Scale(const void* const* in, void* const* out, const int64_t* dims, void* workspace,
                     const gradus_threads*) {
  ++scale_calls;
  auto x = static_cast<const float*>(in[0]), w = static_cast<const float*>(in[1]);
  auto y = static_cast<float*>(out[0]);
  auto scratch = static_cast<float*>(workspace);
  for (int64_t i = 0; i < dims[0]; ++i) scratch[i] = 1;
  for (int64_t i = 0; i < dims[0] * 3; ++i) y[i] = x[i] * w[i % 3] * scratch[i / 3];
  return 0;
}

// @update(%w: f64[3], %g: f64[3]) -> (f64[3] in %w): w -= g.
inline constexpr gradus_tensor_info kUpdateArguments[] = {{"w", GRADUS_F64, 1, k3, -1},
                                                          {"g", GRADUS_F64, 1, k3, -1}};
inline constexpr gradus_tensor_info kUpdateResults[] = {{"", GRADUS_F64, 1, k3, 0}};
inline const gradus_entry_info kUpdateInfo{
    GRADUS_ABI_VERSION, "update", 2, 1, 0, 0, kUpdateArguments, kUpdateResults, nullptr, nullptr};

inline int32_t Update(const void* const* in, void* const* out, const int64_t*, void*,
                      const gradus_threads*) {
  auto g = static_cast<const double*>(in[1]);
  auto w = static_cast<double*>(out[0]);
  for (int i = 0; i < 3; ++i) w[i] -= g[i];
  return 0;
}

// @pair(%a: i32[B, T], %b: i32[T]) -> (i32[B, T], i32[B]): arguments that share a symbol; does
// nothing.
inline constexpr gradus_dim kBT[] = {{-1, 0}, {-1, 1}};
inline constexpr gradus_dim kT[] = {{-1, 1}};
inline constexpr gradus_dim kJustB[] = {{-1, 0}};
inline const char* const kBAndT[] = {"B", "T"};
inline constexpr gradus_tensor_info kPairArguments[] = {{"a", GRADUS_I32, 2, kBT, -1},
                                                        {"b", GRADUS_I32, 1, kT, -1}};
inline constexpr gradus_tensor_info kPairResults[] = {{"c", GRADUS_I32, 2, kBT, -1},
                                                      {"d", GRADUS_I32, 1, kJustB, -1}};
inline constexpr gradus_term kPairTerms[] = {{1, 2, {{4, 1, 1, {0}}, {1, 1, 1, {1}}}}};
inline const gradus_entry_info kPairInfo{GRADUS_ABI_VERSION, "pair",       2,      2,         2, 1,
                                         kPairArguments,     kPairResults, kBAndT, kPairTerms};

inline int32_t Nothing(const void* const*, void* const*, const int64_t*, void*,
                       const gradus_threads*) {
  return 0;
}
inline int32_t Fails(const void* const*, void* const*, const int64_t*, void*,
                     const gradus_threads*) {
  return 3;
}

inline Executable Make(gradus_entry_fn function, const gradus_entry_info& info) {
  absl::StatusOr<Executable> executable = Executable::Create(function, &info);
  EXPECT_TRUE(executable.ok()) << executable.status();
  return *std::move(executable);
}

inline Tensor Floats(std::vector<int64_t> shape, const std::vector<float>& values) {
  return *Tensor::FromVector<float>(std::move(shape), values);
}

}  // namespace gradus::runtime::testing
