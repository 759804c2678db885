#include "tools/bench/bench.h"

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/parser.h"
#include "ir/printer.h"
#include "nlohmann/json.hpp"
#include "tools/bench/machine.h"
#include "tools/bench/networks.h"
#include "tools/bench/report.h"

namespace gradus::tools {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::Gt;
using testing::HasSubstr;
using testing::Le;

class BenchTest : public testing::Test {
 protected:
  int Run(std::vector<std::string> arguments) {
    out_.clear();
    err_.clear();
    return RunBench(arguments, {[this](std::string_view s) { out_ += s; },
                                [this](std::string_view s) { err_ += s; }});
  }
  // A short measurement, as JSON.
  nlohmann::json Measure(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--json", "--seconds=0.001"});
    EXPECT_EQ(Run(std::move(arguments)), kGood) << err_;
    EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 1);
    return nlohmann::json::parse(out_, nullptr, false);
  }
  std::string out_, err_;
};

TEST_F(BenchTest, BadFlagsEndWithTwo) {
  EXPECT_EQ(Run({}), kBadFlags);
  EXPECT_THAT(err_, HasSubstr("expected --workload=NAME or --model=FILE"));
  EXPECT_EQ(Run({"--workload=tiny", "--model=a.ir"}), kBadFlags);
  EXPECT_EQ(Run({"--workload=lstm10"}), kBadFlags);
  EXPECT_THAT(err_, HasSubstr("did you mean lstm1"));
  EXPECT_EQ(Run({"--workload=tiny", "--mode=fast"}), kBadFlags);
  EXPECT_EQ(Run({"--workload=tiny", "--threads=0"}), kBadFlags);
  EXPECT_EQ(Run({"--workload=tiny", "--batch=-1"}), kBadFlags);
  EXPECT_EQ(Run({"--workload=tiny", "--seconds=nan"}), kBadFlags);
  EXPECT_EQ(Run({"--workload=tiny", "--function=f"}), kBadFlags);
  EXPECT_EQ(Run({"--workload=exp:8", "--batch=2"}), kBadFlags);
  EXPECT_EQ(Run({"--wrokload=tiny"}), kBadFlags);
  EXPECT_EQ(out_, "");
}

TEST_F(BenchTest, PrintsTheGraphThatItWouldMeasure) {
  for (const char* workload : {"--workload=tiny", "--workload=matmul:3x4x5:ta"}) {
    ASSERT_EQ(Run({workload, "--print_ir"}), kGood) << err_;
    const auto module = ir::Parse(out_, "printed.ir");
    ASSERT_TRUE(module.ok()) << module.status();
    EXPECT_EQ(ir::Print(**module), out_);
  }
}

TEST_F(BenchTest, UserErrorsEndWithOne) {
  EXPECT_EQ(Run({"--workload=matmul:3x4"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("matmul is written matmul:MxNxK"));
  EXPECT_EQ(Run({"--workload=matmul:3x4x0"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("'0' is no size"));
  EXPECT_EQ(Run({"--workload=matmul:3x4x5:s2"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("'s2' is not known"));
  EXPECT_EQ(Run({"--workload=sin:3"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("there is no operation sin"));
  EXPECT_EQ(Run({"--workload=adam:3", "--mode=train"}), kUserError);
  EXPECT_EQ(Run({"--workload=conv:1x2x1x1x3:valid"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("windows of 3 do not fit"));
  EXPECT_EQ(Run({"--workload=exp:2000000000x2"}), kUserError);
  EXPECT_EQ(Run({"--model=/nowhere/a.ir"}), kUserError);
  EXPECT_EQ(out_, "");
}

TEST_F(BenchTest, ListHasEveryNetwork) {
  EXPECT_EQ(Run({"--list"}), kGood);
  for (const Network& n : Networks()) EXPECT_THAT(out_, HasSubstr(std::string(n.name)));
  EXPECT_THAT(out_, HasSubstr("matmul:MxNxK[:ta][:tb]"));
}

TEST_F(BenchTest, MeasuresAStep) {
  const nlohmann::json j = Measure({"--workload=tiny", "--batch=5"});
  EXPECT_EQ(j["workload"], "tiny");
  EXPECT_EQ(j["mode"], "train");
  EXPECT_EQ(j["batch"], 5);
  EXPECT_EQ(j["threads"], 1);
  EXPECT_THAT(j["p10_ms"].get<double>(), AllOf(Gt(0), Le(j["median_ms"].get<double>())));
  EXPECT_THAT(j["p90_ms"].get<double>(), Ge(j["median_ms"].get<double>()));
  EXPECT_THAT(j["compile_cold_ms"].get<double>(), Gt(j["compile_cached_ms"].get<double>()));
  for (const char* positive : {"compile_cached_ms", "arena_bytes", "gflops", "percent_of_peak",
                               "peak_gflops", "bandwidth_gbs", "floor_ms", "over_floor"}) {
    EXPECT_THAT(j[positive].get<double>(), Gt(0)) << positive;
  }
}

TEST_F(BenchTest, MeasuresInferenceOperationsAndThreads) {
  EXPECT_EQ(Measure({"--workload=tiny", "--mode=infer"})["mode"], "infer");
  for (const char* name :
       {"matmul:8x9x10:ta:tb", "conv:1x8x8x2x3x3:s2", "softmax:4x7", "layernorm:4x7", "tanh:100"}) {
    for (const char* mode : {"--mode=infer", "--mode=train"}) {
      EXPECT_EQ(Measure({std::string("--workload=") + name, mode})["workload"], name);
    }
  }
  const nlohmann::json j =
      Measure({"--workload=adam:1000", "--threads=2", "--compile_times=false"});
  EXPECT_EQ(j["threads"], 2);
  EXPECT_TRUE(j["compile_cold_ms"].is_null());
  EXPECT_EQ(j["gflops"], 0);
}

TEST_F(BenchTest, TunesForItsSizes) {
  setenv("GRADUS_CACHE_DIR", (testing::TempDir() + "/bench_test_cache").c_str(), 1);
  const nlohmann::json j = Measure({"--workload=matmul:6x72x40", "--tune", "--profile"});
  EXPECT_TRUE(j["tuned_kernels"].is_number());
  EXPECT_TRUE(j["compile_cold_ms"].is_null());
  // No time is needed for what is known.
  EXPECT_EQ(Run({"--workload=matmul:6x72x40", "--tune", "--tune_seconds=0", "--seconds=0.001"}),
            kGood);
  EXPECT_THAT(out_, HasSubstr("kernels (0 measured, 1 from the cache, 0 left)"));
  EXPECT_FALSE(Measure({"--workload=matmul:6x72x40"}).contains("tuned_kernels"));
  EXPECT_EQ(Run({"--workload=tiny", "--tune_seconds=-1"}), kBadFlags);
  unsetenv("GRADUS_CACHE_DIR");
}

TEST_F(BenchTest, ProfilesKernels) {
  const nlohmann::json j = Measure({"--workload=rnn", "--mode=infer", "--batch=4", "--profile"});
  double operations = 0, steps = 0;
  for (const nlohmann::json& k : j["kernels"]) {
    EXPECT_THAT(k["ms"].get<double>(), Gt(0)) << k;
    operations += k["operations"].get<double>();
    steps = std::max(steps, k["calls"].get<double>());
  }
  // The last layer has one unit, which makes its product a nest.
  EXPECT_EQ(operations + 2 * 4 * 64, j["operations"]);
  EXPECT_EQ(steps, 12);
  EXPECT_EQ(Run({"--workload=exp:64", "--profile", "--seconds=0.001"}), kGood);
  EXPECT_THAT(out_, HasSubstr("GFLOP/s % peak  name\n"));
}

TEST_F(BenchTest, MeasuresAFunctionOfAFile) {
  const std::string path = testing::TempDir() + "/bench_test.ir";
  std::ofstream(path) << "module @m\n"
                         "func @forward(%x: f32[B, 4], %w: f32[4, 3]) -> (f32[B, 3]) {\n"
                         "  %0 = matmul %x, %w : f32[B, 3]\n  return %0\n}\n"
                         "func @other(%x: f32[B, T]) -> (f32[B, T]) {\n"
                         "  %0 = add %x, %x : f32[B, T]\n  return %0\n}\n";
  const nlohmann::json j = Measure({"--model=" + path, "--mode=infer", "--batch=6"});
  EXPECT_EQ(j["operations"], 2 * 6 * 4 * 3);
  EXPECT_EQ(Run({"--model=" + path, "--function=other"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("add --dim=T=32"));
  Measure({"--model=" + path, "--function=other", "--dim=T=3"});
  EXPECT_EQ(Run({"--model=" + path}), kUserError);
  EXPECT_THAT(err_, HasSubstr("--function=NAME"));
}

TEST_F(BenchTest, TextSaysWhatTheFloorIsMadeOf) {
  EXPECT_EQ(Run({"--workload=tiny", "--seconds=0.001"}), kGood) << err_;
  EXPECT_THAT(out_, HasSubstr("tiny, train, batch 32, one thread\n"));
  EXPECT_THAT(out_, HasSubstr("Adam on 1633 parameters"));
}

TEST(NetworksTest, HaveTheParametersOfTheirOriginals) {
  const auto parameters = [](std::string_view name, bool training) {
    return BuildNetwork(*FindNetwork(name), training)->num_parameters();
  };
  EXPECT_EQ(parameters("rnn", true), 29185);
  EXPECT_EQ(parameters("lstm1", true), 91777);
  EXPECT_EQ(parameters("cnn34", true), 1637569);
  EXPECT_EQ(parameters("tiny", true), 1633);
  EXPECT_EQ(parameters("mlp", true), 669706);
  EXPECT_EQ(parameters("lenet", true), 61706);
  // Those of batch normalisation's running statistics, 9,600, are no parameters elsewhere.
  EXPECT_EQ(parameters("resnet18", true), 11173962 + 9600);
  EXPECT_EQ(parameters("resnet18", false), 11689512 + 9600);
  EXPECT_EQ(parameters("transformer", true), 789760);
  for (const Network& n : Networks()) {
    for (const bool training : {false, true}) EXPECT_TRUE(BuildNetwork(n, training)->Check().ok());
  }
}

TEST(FloorTest, AddsAdamToAStepAndTakesTheLargerElsewhere) {
  const Floor step = FloorOf(93e6, 100, 1000, 0, 28);
  EXPECT_DOUBLE_EQ(step.operations_ms, 1);
  EXPECT_DOUBLE_EQ(step.memory_ms, 0.001);
  EXPECT_DOUBLE_EQ(step.total_ms, 1.001);
  EXPECT_DOUBLE_EQ(FloorOf(93e6, 100, 0, 28000, 28).total_ms, 1);
  EXPECT_DOUBLE_EQ(FloorOf(93e6, 100, 0, 56000000, 28).total_ms, 2);
}

TEST(MachineTest, GivesNumbersThatCanBe) {
  EXPECT_THAT(MeasurePeak(), AllOf(Gt(0.1), Le(2000)));
  EXPECT_THAT(MeasureUpdateBandwidth(1000).value(), AllOf(Gt(0.1), Le(5000)));
}

}  // namespace
}  // namespace gradus::tools
