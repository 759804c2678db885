#include "codegen/compile.h"

#include <filesystem>
#include <fstream>

#include "tests/unit/codegen/hand_made.h"

namespace gradus::codegen {
namespace {

namespace fs = std::filesystem;

float RunOnOne(const runtime::Executable& run) {
  float x = 1, o = -7;
  std::vector<int64_t> shape{1};
  std::vector<runtime::TensorView> in{{&x, runtime::DType::kF32, shape},
                                      {&o, runtime::DType::kF32, shape}};
  std::vector<runtime::MutableTensorView> out{{&o, runtime::DType::kF32, shape}};
  absl::Status status = run.Call(in, out, {});
  EXPECT_TRUE(status.ok()) << std::string(status.message());
  return o;
}

class Cache : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() / ("gradus_cache_test_" + std::to_string(getpid()));
    fs::remove_all(dir_);
    options_.cache_dir = dir_.string();
  }
  void TearDown() override { fs::remove_all(dir_); }

  bool FromCache(double scale) {
    HandMade h;
    h.Scale(scale);
    CompileTimes times;
    auto loaded = CompileAndLoad(h.module, options_, &times);
    EXPECT_TRUE(loaded.ok()) << std::string(loaded.status().message());
    EXPECT_EQ(RunOnOne(loaded->at(0).executable), static_cast<float>(scale));
    return times.from_cache;
  }
  std::vector<fs::path> Entries() const {
    std::vector<fs::path> entries;
    for (const auto& e : fs::directory_iterator(dir_)) entries.push_back(e.path());
    return entries;
  }

  fs::path dir_;
  CodegenOptions options_;
};

TEST_F(Cache, SecondTimeAndOtherPlans) {
  EXPECT_FALSE(FromCache(2));
  EXPECT_TRUE(FromCache(2));
  EXPECT_FALSE(FromCache(3));
  EXPECT_TRUE(FromCache(3));
  EXPECT_EQ(Entries().size(), 2u);
  options_.debug_lines = true;
  EXPECT_FALSE(FromCache(3));
  EXPECT_TRUE(FromCache(3));
  options_.target = *NamedTarget("x86-64");
  EXPECT_FALSE(FromCache(3));
}

TEST_F(Cache, DamagedAndForeignEntriesAreCompiledAgain) {
  FromCache(2);
  FromCache(3);
  std::vector<fs::path> entries = Entries();
  ASSERT_EQ(entries.size(), 2u);
  std::string whole;
  {
    std::ifstream in(entries[0], std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(in), {});
  }
  auto write = [&](const std::string& bytes) {
    std::ofstream(entries[0], std::ios::binary) << bytes;
    std::ofstream(entries[1], std::ios::binary) << bytes;
  };
  for (size_t length : {size_t{0}, size_t{5}, size_t{40}, size_t{90}, whole.size() - 1}) {
    write(whole.substr(0, length));
    EXPECT_FALSE(FromCache(2)) << length;
  }
  for (size_t at :
       {size_t{3}, size_t{20}, size_t{82}, size_t{90}, whole.size() / 2, whole.size() - 1}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    write(damaged);
    EXPECT_FALSE(FromCache(2)) << at;
  }
  // A whole entry under the other's name: one of the two is foreign there.
  write(whole);
  EXPECT_NE(FromCache(2), FromCache(3));
}

TEST_F(Cache, UnwritableDirectoryIsNoError) {
  options_.cache_dir = "/proc/no/such/place";
  EXPECT_FALSE(FromCache(2));
  EXPECT_FALSE(FromCache(2));
}

TEST(CacheDir, FromTheEnvironment) {
  setenv("GRADUS_CACHE_DIR", "/some/where", 1);
  EXPECT_EQ(DefaultCacheDir(), "/some/where");
  setenv("GRADUS_CACHE_DIR", "off", 1);
  EXPECT_EQ(DefaultCacheDir(), "");
  setenv("GRADUS_CACHE_DIR", "", 1);
  EXPECT_EQ(DefaultCacheDir(), "");
  unsetenv("GRADUS_CACHE_DIR");
  setenv("XDG_CACHE_HOME", "/xdg", 1);
  EXPECT_EQ(DefaultCacheDir(), "/xdg/gradus");
  unsetenv("XDG_CACHE_HOME");
}

TEST(Emit, TextOfBothKinds) {
  HandMade h;
  h.Scale(2);
  CodegenOptions options;
  options.prefix = "theft";
  auto llvm = EmitLlvm(h.module, options);
  ASSERT_TRUE(llvm.ok());
  EXPECT_NE(llvm->find("define i32 @theft_run("), std::string::npos);
  EXPECT_NE(llvm->find("@theft_run_info"), std::string::npos);
  EXPECT_EQ(llvm->find("fast"), std::string::npos);
  auto assembly = EmitAssembly(h.module, options);
  ASSERT_TRUE(assembly.ok());
  EXPECT_NE(assembly->find("theft_run:"), std::string::npos);
  // Nothing but our own code is called.
  EXPECT_EQ(assembly->find("@PLT"), std::string::npos);
  EXPECT_EQ(*EmitObject(h.module, options), *EmitObject(h.module, options));
}

TEST(Emit, InfoDescribesTheEntry) {
  HandMade h;
  h.Scale(2);
  h.Scratch("s", ir::DType::kF64, 10);
  runtime::Executable run = h.Compile();
  const gradus_entry_info& info = run.info();
  EXPECT_EQ(info.abi_version, GRADUS_ABI_VERSION);
  EXPECT_STREQ(info.name, "run");
  ASSERT_EQ(info.argument_count, 2);
  ASSERT_EQ(info.result_count, 1);
  ASSERT_EQ(info.symbol_count, 1);
  EXPECT_STREQ(info.symbols[0], "B");
  EXPECT_STREQ(info.arguments[1].name, "o");
  EXPECT_EQ(info.arguments[0].dtype, GRADUS_F32);
  EXPECT_EQ(info.arguments[0].dims[0].symbol, 0);
  EXPECT_EQ(info.arguments[0].alias, -1);
  EXPECT_EQ(info.results[0].alias, 1);
  std::vector<int64_t> dims{5};
  EXPECT_EQ(*run.WorkspaceBytes(dims), 128);
}

TEST(Emit, MissingPlansAreErrors) {
  ir::Module empty("empty");
  EXPECT_EQ(EmitObject(empty, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  HandMade h;
  h.kernel.plan = nullptr;
  EXPECT_EQ(EmitObject(h.module, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(NamedTarget("z80").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace gradus::codegen
