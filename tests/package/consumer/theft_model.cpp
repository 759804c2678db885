// A model with how it is trained, without weights: the program that has it draws them.
#include <cstdio>

#include "frontend/gradus.h"

int main(int argc, char** argv) {
  using namespace gradus;
  if (argc != 2) return 2;
  Model m("theft");
  Tensor h = m.Add<Dense>("hidden", 8, relu)(m.Input("x", {kBatch, 12}));
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(h));
  const TrainingOptions training{.optimizer = Adam(AdamOptions{.learning_rate = 0.05}),
                                 .loss = binary_crossentropy};
  const absl::Status saved = m.Save(argv[1], {.training = &training});
  if (!saved.ok()) fprintf(stderr, "%s\n", saved.ToString().c_str());
  return saved.ok() ? 0 : 1;
}
