// Kills a training with SIGKILL at 50 random moments or more. Whenever that is, the checkpoint is
// there, is of one step from first byte to last, and training that goes on from it ends in the bits
// of one that was never killed.

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "fmt/format.h"
#include "frontend/data/philox.h"
#include "runtime/files.h"
#include "runtime/safetensors.h"

extern char** environ;  // NOLINT: POSIX's name

namespace gradus {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kKills = 50;

pid_t Start(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  pid_t child = -1;
  const int error =
      posix_spawn(&child, arguments[0].c_str(), nullptr, nullptr, argv.data(), environ);
  EXPECT_EQ(error, 0);
  return child;
}

// Whether it was killed; the test fails if it ended in another way than with 0.
bool WasKilled(pid_t child) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) {
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
    return true;
  }
  EXPECT_EQ(WEXITSTATUS(status), 0);
  return false;
}

// The step of a checkpoint whose every tensor of the trainer's state is that of the reference run
// after the same step; -1 if there is no such step, or no complete file.
int64_t StepOf(const std::string& checkpoint, const std::string& trace) {
  const auto file = runtime::Safetensors::Read(checkpoint);
  EXPECT_TRUE(file.ok()) << file.status();
  if (!file.ok()) return -1;
  const int64_t step = file->Load("gradus/step")->data<int64_t>()[0];
  EXPECT_EQ(file->Load("gradus/fit/step")->data<int64_t>()[0], step);
  const auto reference = runtime::Safetensors::Read(fmt::format("{}.{}", trace, step));
  EXPECT_TRUE(reference.ok()) << reference.status();
  if (!reference.ok()) return -1;
  for (const runtime::SafetensorsEntry& entry : reference->tensors()) {
    // At the end of an epoch the rate is what callbacks make of it, after the trace.
    if (entry.name == "gradus/learning_rate") continue;
    const auto expected = reference->Load(entry.name), got = file->Load(entry.name);
    EXPECT_TRUE(got.ok()) << got.status();
    if (!got.ok() || got->byte_size() != expected->byte_size()) return -1;
    const auto bytes = static_cast<size_t>(got->byte_size());
    EXPECT_EQ(std::memcmp(got->raw(), expected->raw(), bytes), 0)
        << entry.name << " is not that of step " << step;
  }
  return step;
}

TEST(KillTraining, TheLastCheckpointIsWholeAndResumesToTheSameBits) {
  std::string folder = ::testing::TempDir() + "/gradus_kill_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string program = GRADUS_KILL_TRAINING, cache = folder + "/cache";
  const std::string trace = folder + "/trace", reference = folder + "/reference";
  // 1. Never killed; the second time the compiled code is kept, so this is how long it takes.
  ASSERT_FALSE(WasKilled(Start({program, folder + "/c0", reference, cache, trace})));
  const auto start = Clock::now();
  ASSERT_FALSE(WasKilled(Start({program, folder + "/c1", folder + "/again", cache})));
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const std::string expected = runtime::ReadFile(reference).value();
  ASSERT_EQ(runtime::ReadFile(folder + "/again").value(), expected) << "not deterministic";

  // 2. Killed again and again at any moment from its start to a part of its time, and started again
  //    where the file says. The part grows while kills come before anything was done, as they do on
  //    a machine that has got busy.
  data::PhiloxStream random(2024);
  const std::string checkpoint = folder + "/checkpoint", end = folder + "/end";
  int kills = 0, finished = 0, within = 0;
  int64_t last_step = 0;
  double longest = 0.3 * seconds;
  while (kills < kKills || (within <= kKills / 5 && kills < 10 * kKills)) {
    const pid_t child = Start({program, checkpoint, end, cache});
    std::this_thread::sleep_for(std::chrono::duration<double>(random.Uniform() * longest));
    kill(child, SIGKILL);
    if (WasKilled(child)) {
      ++kills;
      longest *= 1.05;
      if (!std::filesystem::exists(checkpoint)) continue;
      const int64_t step = StepOf(checkpoint, trace);
      ASSERT_GE(step, last_step) << "an older checkpoint came back";
      if (step > last_step) {
        ++within;
        longest = std::max(longest / 1.2, 0.3 * seconds);
      }
      last_step = step;
      continue;
    }
    ++finished;
    longest = 0.3 * seconds;
    ASSERT_EQ(runtime::ReadFile(end).value(), expected);
    std::filesystem::remove(checkpoint);
    std::filesystem::remove(end);
    last_step = 0;
  }
  // 3. The rest, to the end.
  ASSERT_FALSE(WasKilled(Start({program, checkpoint, end, cache})));
  EXPECT_EQ(runtime::ReadFile(end).value(), expected);
  EXPECT_GT(within, kKills / 5) << "too few kills hit the training itself";
  fmt::print("{} kills, {} of them during training, {} trainings finished; one takes {:.2f} s\n",
             kills, within, finished, seconds);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace gradus
