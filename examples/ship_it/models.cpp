// ship_it_models PATH NAME: trains a model for a few epochs on synthetic meters and saves it with
// its weights and how it is trained. gradus_add_model runs it.

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "examples/electricity_theft/dataset.h"
#include "examples/ship_it/stream_model.h"
#include "frontend/gradus.h"

namespace {

using namespace gradus;
using electricity_theft::View;

// The small one, for a page and a microcontroller: 273 weights and the running statistics of the
// months, so that any CSV of kWh does.
void BuildSmall(Model& m, int64_t months) {
  Tensor h = log1p(maximum(m.Input("x", {kBatch, months}), 0.0));
  h = m.Add<BatchNorm>("scale", BatchNorm::Options{.momentum = 0.9})(h);
  h = m.Add<Dense>("hidden", 16, relu)(h);
  m.Output("theft", m.Add<Dense>("out", 1, sigmoid)(h));
}

absl::Status TrainAndSave(Model& m, const TrainingOptions& training, const data::Dataset& data,
                          int64_t epochs, int64_t batch_size, const char* path) {
  auto trainer = Compile(m, training);
  if (!trainer.ok()) return trainer.status();
  const auto history = trainer->Fit(
      data, {.epochs = epochs, .batch_size = batch_size, .progress = ProgressMode::kOff});
  if (!history.ok()) return history.status();
  const auto weights = trainer->CloneWeights();
  if (!weights.ok()) return weights.status();
  return m.Save(path, {.training = &training, .weights = &*weights});
}

absl::Status SaveDetector(const char* path, const electricity_theft::Detector& detector) {
  auto meters = electricity_theft::LoadMeters({});
  if (!meters.ok()) return meters.status();
  const auto data = meters->Show(detector.view);
  if (!data.ok()) return data.status();
  Model m{std::string(detector.name)};
  detector.build(m, meters->months);
  return TrainAndSave(m, {.optimizer = Adam{}, .loss = binary_crossentropy, .metrics = {accuracy}},
                      data->train, std::max<int64_t>(1, detector.epochs / 10), detector.batch_size,
                      path);
}

absl::Status SaveStream(const char* path) {
  const auto loads = ship_it::MakeLoads(400, 1);
  if (!loads.ok()) return loads.status();
  Model m("stream");
  ship_it::BuildStream(m);
  return TrainAndSave(
      m, {.optimizer = Adam(AdamOptions{.learning_rate = 0.01}), .loss = mean_squared_error},
      *loads, 25, 32, path);
}

absl::Status Save(const char* path, std::string_view name) {
  if (name == "stream") return SaveStream(path);
  if (name == "small") return SaveDetector(path, {"small", "", View::kRaw, 30, 32, BuildSmall});
  const electricity_theft::Detector* detector = electricity_theft::FindDetector(name);
  if (detector == nullptr) return absl::NotFoundError("no such model");
  return SaveDetector(path, *detector);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: ship_it_models PATH rnn|cnn|lstm|hybrid|small|stream\n");
    return 2;
  }
  const absl::Status saved = Save(argv[1], argv[2]);
  if (!saved.ok()) fprintf(stderr, "error: %s\n", saved.ToString().c_str());
  return saved.ok() ? 0 : 1;
}
