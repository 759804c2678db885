// save_network NAME PATH: a network of gradus-bench as a model file, for compare_library.

#include <cstdio>

#include "frontend/gradus.h"
#include "tools/bench/networks.h"

namespace {

using namespace gradus;

absl::Status Save(const char* name, const char* path) {
  const tools::Network* network = tools::FindNetwork(name);
  if (network == nullptr) return absl::NotFoundError("no such network");
  const auto model = tools::BuildNetwork(*network, /*training=*/true);
  const TrainingOptions training{
      .optimizer = Adam{}, .loss = tools::LossOf(*network), .metrics = {}};
  auto trainer = Compile(*model, training);
  if (!trainer.ok()) return trainer.status();
  const auto weights = trainer->CloneWeights();
  if (!weights.ok()) return weights.status();
  return model->Save(path, {.training = &training, .weights = &*weights});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const absl::Status saved = Save(argv[1], argv[2]);
  if (!saved.ok()) fprintf(stderr, "%s\n", saved.ToString().c_str());
  return saved.ok() ? 0 : 1;
}
