// Libraries of the article's detectors: the bits of the model in memory, no symbol of anybody else,
// few bytes.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <span>
#include <utility>

#include "examples/electricity_theft/detectors.h"
#include "fmt/format.h"
#include "frontend/gradus.h"
#include "runtime/safetensors.h"
#include "tests/e2e/library_support.h"
#include "tests/random_numbers.h"

namespace gradus {
namespace {

constexpr int64_t kMonths = 12, kSteps = 100, kSeed = 7;

using tests::Contents;
using tests::Folder;
using tests::kCFlags;
using tests::Numbers;
using tests::Ran;
using tests::Shell;
using tests::Training;

absl::Status WriteNumbers(const std::string& path, const std::vector<float>& numbers) {
  return runtime::WriteFileAtomically(
      path, {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float)});
}

// The next number of what the driver wrote.
class Results {
 public:
  explicit Results(std::string bytes) : bytes_(std::move(bytes)) {}
  template <typename T>
  T Next() {
    T value{};
    if (at_ + sizeof(T) <= bytes_.size()) std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::string Rest() const { return at_ <= bytes_.size() ? bytes_.substr(at_) : "(short)"; }

 private:
  std::string bytes_;
  size_t at_ = 0;
};

class DetectorLibrary : public testing::TestWithParam<const char*> {
 protected:
  static Model Build(const std::string& detector) {
    Model m("theft");
    electricity_theft::FindDetector(detector)->build(m, kMonths);
    return m;
  }
};

// Everything that the driver does, with a model in memory: bit for bit, or, where code for one size
// adds sums of rows in an order of its own, what follows from such a sum to `tolerance`.
void Compare(Trainer& trainer, const Weights& start, int64_t batch, const std::string& written,
             int level, float tolerance) {
  SCOPED_TRACE(fmt::format("level {} batch {}", level, batch));
  ASSERT_TRUE(trainer.Reset(kSeed).ok());
  ASSERT_TRUE(trainer.SetWeights(start).ok());
  std::vector<int64_t> shape = {batch};
  const gradus_tensor_info& x_info = trainer.forward_info().arguments[0];
  int64_t count = batch;
  for (int32_t a = 1; a < x_info.rank; ++a) {
    shape.push_back(x_info.dims[a].size);
    count *= shape.back();
  }
  const auto x = runtime::Tensor::FromVector<float>(shape, Numbers(count, 1, false)).value();
  const auto target =
      runtime::Tensor::FromVector<float>({batch, 1}, Numbers(batch, 2, true)).value();
  const std::vector<runtime::TensorView> inputs = {x}, targets = {target};
  Results results(written);
  EXPECT_EQ(results.Next<int32_t>(), level);
  const auto expect_near = [](std::span<const float> got, std::span<const float> want, float off) {
    ASSERT_EQ(got.size(), want.size());
    if (off == 0) {
      EXPECT_EQ(std::memcmp(got.data(), want.data(), got.size_bytes()), 0);
    }
    for (size_t i = 0; i < got.size() && !testing::Test::HasFailure(); ++i) {
      EXPECT_NEAR(got[i], want[i], off * std::max(1.0F, std::abs(want[i]))) << "element " << i;
    }
  };
  // Adam moves a weight whose gradient is rounding alone as far as any other: with another order of
  // sums one weight of ten thousand is a little further off than the others (a tenth of a step,
  // after a hundred steps), none by a step.
  const auto expect_weights = [&](std::span<const float> got, std::span<const float> want) {
    if (tolerance == 0) {
      expect_near(got, want, 0);
      return;
    }
    constexpr float kLearningRate = 0.001F;
    expect_near(got, want, kLearningRate);
    size_t apart = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      apart += std::abs(got[i] - want[i]) > tolerance * std::max(1.0F, std::abs(want[i]));
    }
    EXPECT_LE(apart, got.size() / 5'000);
  };
  const auto expect_outputs = [&](float off) {
    const auto want = trainer.Forward(inputs);
    ASSERT_TRUE(want.ok()) << want.status();
    std::vector<float> got;
    for (int64_t i = 0; i < batch; ++i) got.push_back(results.Next<float>());
    expect_near(got, (*want)[0].data<float>(), off);
  };
  const auto expect = [&](const Evaluation& want) {
    const float loss = results.Next<float>(), wanted = static_cast<float>(want.loss);
    expect_near({&loss, 1}, {&wanted, 1}, tolerance);
    const auto hits = results.Next<float>(), total = results.Next<float>();
    EXPECT_EQ(static_cast<double>(hits) / static_cast<double>(total), want.metrics[0]);
  };
  expect_outputs(0);
  const auto data = data::Dataset::Of({"x", x.Clone().value()}, {"y", target.Clone().value()});
  ASSERT_TRUE(data.ok());
  const auto evaluated = trainer.Evaluate(*data, batch);
  ASSERT_TRUE(evaluated.ok()) << evaluated.status();
  expect(*evaluated);
  for (int64_t i = 0; i < kSteps; ++i) {
    const auto step = trainer.TrainStep(inputs, targets);
    ASSERT_TRUE(step.ok()) << step.status();
    expect(*step);
    if (testing::Test::HasFailure()) return;
  }
  expect_outputs(tolerance);
  const auto saved = runtime::Safetensors::Parse(results.Rest());
  ASSERT_TRUE(saved.ok()) << saved.status();
  const auto weights = trainer.CloneWeights();
  ASSERT_TRUE(weights.ok());
  EXPECT_EQ(saved->tensors().size(), weights->size());
  bool moved = false;
  for (const auto& [name, tensor] : *weights) {
    SCOPED_TRACE(name);
    const auto got = saved->Load(name);
    ASSERT_TRUE(got.ok()) << got.status();
    const auto bytes = static_cast<size_t>(tensor.byte_size());
    ASSERT_EQ(got->shape(), tensor.shape());
    expect_weights(got->data<float>(), tensor.data<float>());
    moved = moved || std::memcmp(start.find(name)->second.raw(), tensor.raw(), bytes) != 0;
  }
  EXPECT_TRUE(moved);
}

// The driver built of `sources` too, beside the model in memory on the levels that this machine
// has, from `lowest` on. Returns what the driver printed, by level and batch.
std::map<std::pair<int, int64_t>, std::string> CompareOnAllLevels(const Folder& folder,
                                                                  const Model& model, int lowest,
                                                                  std::string_view sources,
                                                                  float tolerance) {
  std::map<std::pair<int, int64_t>, std::string> printed;
  const TrainingOptions training = Training();
  const Ran built =
      Shell(fmt::format("cd {0} && gcc {1} -I. -o driver '{2}/tests/e2e/library_driver.c' {3} "
                        "-L. -ltheft",
                        folder.path(), kCFlags, GRADUS_SOURCE_DIR, sources));
  EXPECT_EQ(built.code, 0) << built.text;
  for (int level = lowest; level <= 4 && !testing::Test::HasFailure(); ++level) {
    const auto target = codegen::NamedTarget(fmt::format("x86-64-v{}", level));
    if (!target.ok() || !codegen::CheckRunsHere(*target).ok()) continue;
    auto trainer = Compile(model, training, {.cache_dir = "", .target = *target});
    EXPECT_TRUE(trainer.ok()) << trainer.status();
    if (!trainer.ok() || !trainer->Reset(3).ok()) return {};
    EXPECT_TRUE(trainer->SaveWeights(folder / "weights").ok());
    const Weights start = trainer->CloneWeights().value();
    const gradus_tensor_info& x = trainer->forward_info().arguments[0];
    int64_t row = 1;
    for (int32_t a = 1; a < x.rank; ++a) row *= x.dims[a].size;
    for (const int64_t batch : {1, 7, 32}) {
      EXPECT_TRUE(WriteNumbers(folder / "x", Numbers(batch * row, 1, false)).ok());
      EXPECT_TRUE(WriteNumbers(folder / "y", Numbers(batch, 2, true)).ok());
      const Ran ran = Shell(fmt::format("cd {} && THEFT_ISA=v{} ./driver weights x y {} {} {} out",
                                        folder.path(), level, batch, kSteps, kSeed));
      EXPECT_EQ(ran.code, 0) << ran.text;
      if (ran.code == 0)
        Compare(*trainer, start, batch, Contents(folder / "out"), level, tolerance);
      printed[{level, batch}] = ran.text;
    }
  }
  return printed;
}

TEST_P(DetectorLibrary, ComputesWhatCodeInMemoryComputes) {
  const Folder folder;
  const Model model = Build(GetParam());
  const TrainingOptions training = Training();
  const auto report = WriteLibrary(model, {.training = &training}, {.folder = folder.path()});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(CompareOnAllLevels(folder, model, 2, "", 0).empty());
}

// Code for a size computes what the code for all sizes does, and it is what runs.
TEST_P(DetectorLibrary, HasCodeForSomeSizes) {
  const Folder folder;
  const Model model = Build(GetParam());
  const TrainingOptions training = Training();
  const auto report = WriteLibrary(model, {.training = &training},
                                   {.folder = folder.path(), .specialize = {{"B", 1}, {"B", 32}}});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->specials, (std::vector<std::string>{"B1", "B32"}));
  int best = 2;
  for (int level = 3; level <= 4; ++level) {
    const auto target = codegen::NamedTarget(fmt::format("x86-64-v{}", level));
    if (target.ok() && codegen::CheckRunsHere(*target).ok()) best = level;
  }
  // The linker puts a counter before each of the bodies.
  std::string counters = "#include <stdint.h>\n#include <stdio.h>\n";
  std::string flags = "count.c";
  for (const auto* size : {"B1", "B32"}) {
    const std::string body = fmt::format("theft_internal_v{}_{}_train_step", best, size);
    counters += fmt::format(
        "static int calls_{0};\n"
        "int32_t __real_{1}(const void**, void**, const int64_t*, void*, const void*);\n"
        "int32_t __wrap_{1}(const void** in, void** out, const int64_t* d, void* a, const void* "
        "t);\n"
        "int32_t __wrap_{1}(const void** in, void** out, const int64_t* d, void* a, const void* t) "
        "{{\n"
        "  ++calls_{0};\n  return __real_{1}(in, out, d, a, t);\n}}\n"
        "__attribute__((destructor)) static void say_{0}(void) {{\n"
        "  printf(\"{0} %d \", calls_{0});\n}}\n",
        size, body);
    flags += " -Wl,--wrap=" + body;
  }
  ASSERT_TRUE(runtime::WriteFileAtomically(folder / "count.c", counters).ok());
  auto printed = CompareOnAllLevels(folder, model, best, flags, 1e-4F);
  const auto calls = [&](int64_t batch) { return printed[{best, batch}]; };
  EXPECT_NE(calls(1).find(fmt::format("B1 {} ", kSteps)), std::string::npos) << calls(1);
  EXPECT_NE(calls(1).find("B32 0 "), std::string::npos) << calls(1);
  EXPECT_NE(calls(7).find("B1 0 "), std::string::npos) << calls(7);
  EXPECT_NE(calls(32).find(fmt::format("B32 {} ", kSteps)), std::string::npos) << calls(32);
}

TEST_P(DetectorLibrary, NeedsNothing) {
  const Folder folder;
  const TrainingOptions training = Training();
  const auto report =
      WriteLibrary(Build(GetParam()), {.training = &training}, {.folder = folder.path()});
  ASSERT_TRUE(report.ok()) << report.status();
  for (const std::string& symbol : report->summary.undefined) {
    EXPECT_TRUE(symbol == "memcpy" || symbol == "memset" || symbol == "memmove") << symbol;
  }
  // As the linker sees it, all members at once: nothing but these three, which a second file gives.
  ASSERT_TRUE(
      runtime::WriteFileAtomically(
          folder / "three.c",
          "void* memcpy(void* a, const void* b, unsigned long n) { (void)b, (void)n; return a; }\n"
          "void* memmove(void* a, const void* b, unsigned long n) { (void)b, (void)n; return a; }\n"
          "void* memset(void* a, int b, unsigned long n) { (void)b, (void)n; return a; }\n")
          .ok());
  const Ran linked = Shell(fmt::format(
      "cd {} && gcc -ffreestanding -nostdlib -shared -Wl,--no-undefined,-z,text,--fatal-warnings "
      "-fPIC -o all.so -Wl,--whole-archive libtheft.a -Wl,--no-whole-archive three.c",
      folder.path()));
  EXPECT_EQ(linked.code, 0) << linked.text;
  // What others see of it has the prefix.
  const Ran symbols = Shell(fmt::format("cd {} && nm -D --defined-only all.so", folder.path()));
  ASSERT_EQ(symbols.code, 0) << symbols.text;
  std::string foreign;
  int own = 0;
  for (size_t at = 0; at < symbols.text.size();) {
    const size_t end = symbols.text.find('\n', at);
    const std::string line = symbols.text.substr(at, end - at);
    const std::string name = line.substr(line.rfind(' ') + 1);
    at = end + 1;
    if (name.starts_with("theft_") && !name.starts_with("theft_internal")) {
      ++own;
    } else if (name != "memcpy" && name != "memmove" && name != "memset") {
      foreign += " " + name;
    }
  }
  EXPECT_EQ(foreign, "");
  // 4 entries, 3 of them with threads, start, save, load, selftest, isa, strerror; of the rnn step,
  // with threads, and its start.
  EXPECT_EQ(own, std::string_view(GetParam()) == "rnn" ? 16 : 13);
}

// Bytes without weights: with training for three levels, and of forward for one.
TEST_P(DetectorLibrary, IsSmall) {
  const Folder folder;
  const TrainingOptions training = Training();
  const auto bytes = [&](const LibraryOptions& options) {
    const auto report = WriteLibrary(Build(GetParam()), {.training = &training}, options);
    EXPECT_TRUE(report.ok()) << report.status();
    int64_t all = 0;
    if (!report.ok()) return all;
    for (const auto& [member, size] : report->summary.members) all += size.total();
    return all;
  };
  EXPECT_LT(bytes({.folder = folder.path()}), 150'000);
  EXPECT_LT(bytes({.folder = folder.path(), .entries = {"forward"}, .targets = {"x86-64-v4"}}),
            30'000);
}

INSTANTIATE_TEST_SUITE_P(All, DetectorLibrary, testing::Values("rnn", "cnn", "lstm", "hybrid"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace gradus
