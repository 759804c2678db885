// Libraries for other processors, linked into programs without a C library and run: under
// emulators (user processes of AArch64 and RISC-V, boards with a Cortex-M4 and a Cortex-M7) and in
// a WebAssembly engine. Each trains a model that has all kinds of layers, and must agree with code
// in memory on this machine within kTolerance; on the same weights, with and without a step of
// training in between.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>

#include "examples/electricity_theft/detectors.h"
#include "fmt/format.h"
#include "frontend/gradus.h"
#include "runtime/files.h"
#include "tests/random_numbers.h"
#include "tests/shell.h"

namespace gradus {
namespace {

using tests::Folder;
using tests::Numbers;
using tests::Ran;
using tests::Shell;

// Sums in another order and products that are not fused change the last bits of a float, which
// steps of training carry on. The numbers are of order 1; measured: 1.2e-7 at most after ten steps.
constexpr double kTolerance = 1e-6;
constexpr int64_t kBatch = 5, kSteps = 10, kSeed = 7, kMonths = 12;

struct Elsewhere {
  const char* target;
  const char* compiler;  // flags of clang
  const char* source;    // of the tree; may be empty
  const char* linker;
  const char* run;
  const char* needs;  // the program that runs it
};
void PrintTo(const Elsewhere& elsewhere, std::ostream* out) { *out << elsewhere.target; }

constexpr const char* kBoard = "examples/ship_it/cortex_m/board.c";
constexpr const char* kRiscv = "--target=riscv64-unknown-linux-gnu -march=rv64gc -mabi=lp64d";
constexpr const char* kWasm = "--target=wasm32-unknown-unknown -mbulk-memory";
constexpr const char* kWasmLinker =
    "-Wl,--no-entry,--export=run,--allow-undefined-file={0}/tests/cross/bare/wasm_imports";
constexpr Elsewhere kElsewhere[] = {
    {"aarch64", "--target=aarch64-unknown-linux-gnu", "tests/cross/bare/linux.c", "-static",
     "qemu-aarch64", "qemu-aarch64"},
    {"riscv64", kRiscv, "tests/cross/bare/linux.c", "-static", "qemu-riscv64 -cpu rv64,v=false",
     "qemu-riscv64"},
    {"riscv64-v", kRiscv, "tests/cross/bare/linux.c", "-static",
     "qemu-riscv64 -cpu rv64,v=true,vlen=128,vext_spec=v1.0", "qemu-riscv64"},
    {"cortex-m4", "--target=thumbv7em-none-eabihf -mcpu=cortex-m4", kBoard,
     "-L{0}/tests/cross/bare -L{0}/examples/ship_it/cortex_m -Wl,-T,mps2-an386.ld",
     "qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none "
     "-semihosting-config enable=on,target=native -kernel",
     "qemu-system-arm"},
    {"cortex-m7", "--target=thumbv7em-none-eabihf -mcpu=cortex-m7", kBoard,
     "-L{0}/examples/ship_it/cortex_m -Wl,-T,mps2-an500.ld",
     "qemu-system-arm -M mps2-an500 -nographic -monitor none -serial none "
     "-semihosting-config enable=on,target=native -kernel",
     "qemu-system-arm"},
    {"wasm32", kWasm, "", kWasmLinker, "node {0}/tests/cross/bare/run_wasm.js", "node"},
    {"wasm32-simd128", kWasm, "", kWasmLinker, "node {0}/tests/cross/bare/run_wasm.js", "node"},
};

// A convolution, a recurrence, running statistics, draws.
void BuildMixed(Model& m, int64_t months) {
  Tensor h = expand_dims(m.Input("x", {gradus::kBatch, months}), 2);
  h = m.Add<Conv1D>("conv", 6, 3, Conv1D::Options{.activation = relu})(h);
  h = m.Add<MaxPooling1D>("pool", 2)(h);
  h = m.Add<LSTM>("lstm", 9)(h);
  h = m.Add<BatchNorm>("norm")(h);
  h = m.Add<Dense>("hidden", 7, tanh)(h);
  h = m.Add<Dropout>("dropout", 0.25)(h);
  m.Output("theft", m.Add<Dense>("out", 1, sigmoid)(h));
}

Model Build(const std::string& name) {
  Model m("theft");
  if (name == "mixed") {
    BuildMixed(m, kMonths);
  } else {
    electricity_theft::FindDetector(name)->build(m, kMonths);
  }
  return m;
}

std::string ArrayOf(const char* name, const std::vector<float>& numbers) {
  std::string text =
      fmt::format("extern const float {0}[{1}];\nconst float {0}[{1}] = {{", name, numbers.size());
  for (const float v : numbers) text += std::to_string(v) + "F, ";
  return text + "};\n";
}

// The same training in memory, as the program prints it.
std::vector<float> Expected(Trainer& trainer, const std::vector<runtime::TensorView>& inputs,
                            const std::vector<runtime::TensorView>& targets,
                            const data::Dataset& data) {
  std::vector<float> numbers;
  const auto outputs = [&] {
    const auto y = trainer.Forward(inputs);
    ASSERT_TRUE(y.ok()) << y.status();
    const auto values = (*y)[0].data<float>();
    numbers.insert(numbers.end(), values.begin(), values.end());
  };
  // The loss, what the metric counts (a ratio here), and of how many.
  const auto evaluation = [&](const Evaluation& e) {
    numbers.push_back(static_cast<float>(e.loss));
    numbers.push_back(static_cast<float>(e.metrics[0] * kBatch));
    numbers.push_back(kBatch);
  };
  outputs();
  evaluation(trainer.Evaluate(data, kBatch).value());
  for (int64_t i = 0; i < kSteps; ++i) evaluation(trainer.TrainStep(inputs, targets).value());
  outputs();
  return numbers;
}

class LibraryElsewhere : public testing::TestWithParam<Elsewhere> {
 protected:
  static void Check(const std::string& name, const Elsewhere& elsewhere) {
    const auto in_tree = [](const char* text) {
      return fmt::format(fmt::runtime(text), GRADUS_SOURCE_DIR);
    };
    if (Shell(fmt::format("command -v {}", elsewhere.needs)).code != 0) {
      GTEST_SKIP() << elsewhere.needs << " is not installed";
    }
    const Folder folder;
    const Model model = Build(name);
    const TrainingOptions training{
        .optimizer = Adam{}, .loss = binary_crossentropy, .metrics = {accuracy}};
    auto trainer = Compile(model, training, {.cache_dir = ""});
    ASSERT_TRUE(trainer.ok()) << trainer.status();
    ASSERT_TRUE(trainer->Reset(kSeed).ok());
    const Weights weights = trainer->CloneWeights().value();
    const auto report = WriteLibrary(
        model, {.training = &training, .weights = &weights},
        {.folder = folder.path(), .weights = WeightsIn::kLibrary, .targets = {elsewhere.target}});
    ASSERT_TRUE(report.ok()) << report.status();

    std::vector<int64_t> shape = {kBatch};
    const gradus_tensor_info& info = trainer->forward_info().arguments[0];
    int64_t inputs_a_row = 1;
    for (int32_t a = 1; a < info.rank; ++a) {
      shape.push_back(info.dims[a].size);
      inputs_a_row *= info.dims[a].size;
    }
    std::vector<float> xs = Numbers(kBatch * inputs_a_row, 1, false);
    for (float& v : xs) v = std::round(v * 64) / 64;  // as text, too
    const std::vector<float> ys = Numbers(kBatch, 2, true);
    ASSERT_TRUE(
        runtime::WriteFileAtomically(folder / "numbers.c", ArrayOf("x", xs) + ArrayOf("target", ys))
            .ok());
    std::string sources;
    for (const std::string source :
         {"tests/cross/bare/train.c", "examples/ship_it/cortex_m/memory.c", elsewhere.source}) {
      if (source.empty()) continue;
      sources += fmt::format(" '{}/{}'", GRADUS_SOURCE_DIR, source);
    }
    const Ran built = Shell(fmt::format(
        "cd '{}' && clang-19 {} -std=c99 -O1 -ffreestanding -fno-builtin -Wall -Wextra -pedantic "
        "-Werror -DSTEPS={} -DBATCH={} -DINPUTS={} -I. -I'{}' -nostdlib "
        "-fuse-ld=lld {} -o program {} numbers.c -L. -ltheft",
        folder.path(), elsewhere.compiler, kSteps, kBatch, inputs_a_row, GRADUS_SOURCE_DIR,
        in_tree(elsewhere.linker), sources));
    ASSERT_EQ(built.code, 0) << built.text;
    const Ran ran =
        Shell(fmt::format("cd '{}' && {} ./program > out", folder.path(), in_tree(elsewhere.run)));
    ASSERT_EQ(ran.code, 0) << ran.text;
    Compare(*trainer, shape, xs, ys, runtime::ReadFile(folder / "out").value());
  }

  static void Compare(Trainer& trainer, const std::vector<int64_t>& shape,
                      const std::vector<float>& xs, const std::vector<float>& ys,
                      const std::string& printed) {
    const auto x = runtime::Tensor::FromVector<float>(shape, xs).value();
    const auto target = runtime::Tensor::FromVector<float>({kBatch, 1}, ys).value();
    const auto data =
        data::Dataset::Of({"x", x.Clone().value()}, {"y", target.Clone().value()}).value();
    const std::vector<float> want = Expected(trainer, {x}, {target}, data);
    ASSERT_EQ(printed.size(), want.size() * sizeof(float));
    std::vector<float> got(want.size());
    std::memcpy(got.data(), printed.data(), printed.size());
    double most = 0;
    for (size_t i = 0; i < want.size(); ++i) {
      EXPECT_NEAR(got[i], want[i], kTolerance) << "number " << i;
      most = std::max(most, std::fabs(static_cast<double>(got[i]) - want[i]));
    }
    printf("largest difference: %.2g\n", most);
    EXPECT_FALSE(std::equal(want.begin(), want.begin() + kBatch, want.end() - kBatch));
  }
};

TEST_P(LibraryElsewhere, Trains) {
  std::vector<const char*> models = {"mixed"};
  if (std::getenv("GRADUS_CROSS_ALL") != nullptr) {
    models = {"rnn", "lstm"};
    // The boards have no room for the training of the others.
    const bool is_board = std::string_view(GetParam().target).starts_with("cortex");
    if (!is_board) models.insert(models.end(), {"cnn", "hybrid"});
  }
  for (const char* name : models) {
    SCOPED_TRACE(name);
    Check(name, GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(All, LibraryElsewhere, testing::ValuesIn(kElsewhere),
                         [](const auto& test) {
                           std::string name = test.param.target;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace gradus
