#include "frontend/training/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "fmt/format.h"

namespace gradus {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBarWidth = 20;
constexpr double kRedrawSeconds = 0.1;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string Duration(double seconds) {
  return seconds < 1 ? fmt::format("{:.1f} ms", seconds * 1e3) : fmt::format("{:.2f} s", seconds);
}

// "8s", "2m05s", "3h10m".
std::string Remaining(double seconds) {
  constexpr double kLongest = 1e9;
  const auto whole = static_cast<int64_t>(std::llround(std::min(seconds, kLongest)));
  constexpr int64_t kMinute = 60, kHour = 3600;
  if (whole < kMinute) return fmt::format("{}s", whole);
  if (whole < kHour) return fmt::format("{}m{:02}s", whole / kMinute, whole % kMinute);
  return fmt::format("{}h{:02}m", whole / kHour, whole % kHour / kMinute);
}

std::string Bar(double fraction) {
  const int filled = std::clamp(static_cast<int>(fraction * kBarWidth), 0, kBarWidth);
  std::string bar(static_cast<size_t>(filled), '=');
  if (filled < kBarWidth) {
    bar += '>';
    bar.append(static_cast<size_t>(kBarWidth - filled - 1), ' ');
  }
  return bar;
}

}  // namespace

std::string FormatEvaluation(const Evaluation& e, const std::vector<std::string>& metric_names,
                             const char* prefix) {
  std::string text = fmt::format("{}loss {:.4f}", prefix, e.loss);
  for (size_t i = 0; i < e.metrics.size() && i < metric_names.size(); ++i) {
    text += fmt::format("  {}{} {:.4f}", prefix, metric_names[i], e.metrics[i]);
  }
  return text;
}

Progress::Progress(std::FILE* out, ProgressMode mode, int64_t epochs, int64_t steps,
                   std::vector<std::string> metric_names)
    : out_(out), epochs_(epochs), steps_(steps), metric_names_(std::move(metric_names)) {
  const bool terminal = isatty(fileno(out)) != 0;
  bar_ = mode == ProgressMode::kBar || (mode == ProgressMode::kAuto && terminal);
  lines_ = mode != ProgressMode::kOff;
}

void Progress::StartEpoch(int64_t epoch, int64_t done) {
  epoch_ = epoch;
  done_ = done;
  start_ = Clock::now();
  drawn_ = start_;
}

bool Progress::Due(int64_t step) const {
  return bar_ && (step == steps_ || SecondsSince(drawn_) >= kRedrawSeconds);
}

void Progress::Step(int64_t step, const Evaluation& running) {
  if (!Due(step)) return;
  drawn_ = Clock::now();
  const double elapsed = SecondsSince(start_);
  const double per_step = elapsed / static_cast<double>(std::max<int64_t>(step - done_, 1));
  std::string line = fmt::format(
      "epoch {}/{}  [{}] {}/{}  {:.3g} ms/step  eta {}  {}", epoch_, epochs_,
      Bar(static_cast<double>(step) / static_cast<double>(std::max<int64_t>(steps_, 1))), step,
      steps_, per_step * 1e3, Remaining(per_step * static_cast<double>(steps_ - step)),
      FormatEvaluation(running, metric_names_));
  const size_t width = line.size();
  if (width < drawn_width_) line.append(drawn_width_ - width, ' ');
  drawn_width_ = width;
  fmt::print(out_, "\r{}", line);
  std::fflush(out_);
}

void Progress::EndEpoch(const EpochRecord& record) {
  if (!lines_) return;
  std::string line =
      fmt::format("epoch {}/{}  {} steps  {}  {}", record.epoch, epochs_, steps_,
                  Duration(record.seconds), FormatEvaluation(record.training, metric_names_));
  if (record.validation) {
    line += "  " + FormatEvaluation(*record.validation, metric_names_, "val_");
  }
  if (bar_) {
    if (line.size() < drawn_width_) line.append(drawn_width_ - line.size(), ' ');
    line.insert(0, "\r");
    drawn_width_ = 0;
  }
  fmt::print(out_, "{}\n", line);
  std::fflush(out_);
}

}  // namespace gradus
