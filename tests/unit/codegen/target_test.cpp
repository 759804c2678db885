// Targets: what each name stands for, which of them run here, and the environment's choice.

#include <gtest/gtest.h>

#include <cstdlib>

#include "codegen/compile.h"
#include "codegen/object_cache.h"
#include "tests/unit/codegen/hand_made.h"

namespace gradus::codegen {
namespace {

TEST(Target, LevelsSayWhatCodeMayUse) {
  const struct {
    const char* name;
    int f32_lanes, f64_lanes, registers;
    bool fma, masked;
  } kExpected[] = {
      {"x86-64", 4, 2, 16, false, false},        {"x86-64-v2", 4, 2, 16, false, false},
      {"x86-64-v3", 8, 4, 16, true, false},      {"x86-64-v4", 16, 8, 32, true, true},
      {"sapphirerapids", 16, 8, 32, true, true}, {"aarch64", 4, 2, 32, true, false},
      {"riscv64", 1, 1, 32, true, false},        {"riscv64-v", 4, 2, 32, true, false},
      {"wasm32", 1, 1, 16, false, false},        {"wasm32-simd128", 4, 2, 16, false, false},
      {"cortex-m4", 1, 1, 32, true, false},      {"cortex-m7", 1, 1, 32, true, false},
  };
  for (const auto& want : kExpected) {
    const ir::Target t = *NamedTarget(want.name);
    EXPECT_EQ(t.lanes(4), want.f32_lanes) << want.name;
    EXPECT_EQ(t.lanes(8), want.f64_lanes) << want.name;
    EXPECT_EQ(t.vector_registers, want.registers) << want.name;
    EXPECT_EQ(t.has_fma, want.fma) << want.name;
    EXPECT_EQ(t.has_masked_memory, want.masked) << want.name;
    EXPECT_EQ(t.has_tables, want.masked) << want.name;  // both are AVX-512
  }
  const ir::Target scalar = *NamedTarget("scalar");
  EXPECT_EQ(scalar.lanes(4), 1);
  EXPECT_EQ(scalar.lanes(8), 1);
}

TEST(Target, EveryNameIsKnown) {
  for (const std::string_view name : TargetNames()) EXPECT_TRUE(NamedTarget(name).ok()) << name;
  const absl::Status unknown = NamedTarget("z80").status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(unknown.message(),
            "target: unknown name \"z80\", expected one of x86-64, x86-64-v2, x86-64-v3, "
            "x86-64-v4, sapphirerapids, aarch64, riscv64, riscv64-v, wasm32, wasm32-simd128, "
            "cortex-m4, cortex-m7, scalar, host");
}

TEST(Target, HostAndScalarRunHere) {
  EXPECT_TRUE(CheckRunsHere(HostTarget()).ok()) << CheckRunsHere(HostTarget());
  const absl::Status scalar = CheckRunsHere(*NamedTarget("scalar"));
  EXPECT_TRUE(scalar.ok()) << scalar;
}

// A level above the host's cannot be had everywhere; a feature that no machine has can.
TEST(Target, WhatTheHostLacksIsRefusedBeforeItIsLoaded) {
  HandMade h;
  h.Scale(2);
  CodegenOptions options{.target = HostTarget()};
  options.target.features += ",+no-such-feature,-nor-this";
  const absl::Status refused = CheckRunsHere(options.target);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.message().find("which lacks no-such-feature; expected host, "),
            std::string::npos)
      << refused;
  EXPECT_EQ(CompileAndLoad(h.module, options).status(), refused);
  EXPECT_EQ(Load("", h.module, options).status(), refused);

  options.target = *NamedTarget(HostTarget().triple.starts_with("aarch64") ? "x86-64" : "aarch64");
  const absl::Status foreign = CompileAndLoad(h.module, options).status();
  EXPECT_EQ(foreign.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(foreign.message().find("does not run on this machine, which is"), std::string::npos);
}

TEST(Target, TheEnvironmentChoosesTheDefault) {
  const char* before = std::getenv("GRADUS_TARGET_CPU");
  const std::string saved = before == nullptr ? "" : before;
  setenv("GRADUS_TARGET_CPU", "scalar", 1);
  EXPECT_EQ(CodegenOptions().target.vector_bytes, 4);
  setenv("GRADUS_TARGET_CPU", "z80", 1);
  HandMade h;
  h.Scale(2);
  for (const absl::Status& s :
       {CompileAndLoad(h.module, {}).status(), EmitObject(h.module, {}).status()}) {
    EXPECT_EQ(s.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(s.message().find("GRADUS_TARGET_CPU: target: unknown name \"z80\""), 0u) << s;
  }
  setenv("GRADUS_TARGET_CPU", "", 1);
  EXPECT_EQ(DefaultTarget().features, HostTarget().features);
  if (before != nullptr) setenv("GRADUS_TARGET_CPU", saved.c_str(), 1);
  if (before == nullptr) unsetenv("GRADUS_TARGET_CPU");
}

// Caches decide plans, so two machines that differ in them alone must not share objects.
TEST(Target, TheCacheKeyHoldsAllOfIt) {
  ir::Module module("m");
  const auto key = [&](auto change) {
    CodegenOptions options{.target = *NamedTarget("x86-64-v3"), .cache_key = "graph"};
    change(options.target);
    return CacheKey(module, options);
  };
  const std::string same = key([](ir::Target&) {});
  EXPECT_EQ(key([](ir::Target&) {}), same);
  EXPECT_NE(key([](ir::Target& t) { t.cpu += "x"; }), same);
  EXPECT_NE(key([](ir::Target& t) { t.features += ",+x"; }), same);
  EXPECT_NE(key([](ir::Target& t) { t.vector_bytes = 4; }), same);
  EXPECT_NE(key([](ir::Target& t) { t.has_tables = true; }), same);
  EXPECT_NE(key([](ir::Target& t) { t.l1_bytes /= 2; }), same);
  EXPECT_NE(key([](ir::Target& t) { t.l2_bytes *= 2; }), same);
  EXPECT_NE(key([](ir::Target& t) { t.l3_bytes *= 2; }), same);
}

}  // namespace
}  // namespace gradus::codegen
