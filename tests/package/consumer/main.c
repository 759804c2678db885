#include <load.h>
#include <stdio.h>
#include <theft.h>

enum { kRows = 4, kSteps = 200 };

THEFT_ALIGNED static theft_parameters weights;
THEFT_ALIGNED static theft_training training;
THEFT_ALIGNED static unsigned char arena[THEFT_ARENA_BYTES(kRows) + LOAD_ARENA_BYTES(1)];

int main(void) {
  static float x[kRows][12];
  float target[kRows][1] = {{0}, {1}, {0}, {1}}, next[1];
  const float last[3] = {1, 2, 6};
  theft_step_result first = {0}, result = {0};
  int i, k, wrong = 0;
  for (i = 0; i < kRows; ++i) {
    for (k = 0; k < 12; ++k) x[i][k] = (float)((i * 7 + k * 3) % 5) - (target[i][0] > 0 ? 1 : 0);
  }
  wrong |= theft_init(&weights, 1, arena, sizeof arena);
  wrong |= theft_train_start(&training, 1);
  for (i = 0; i < kSteps; ++i) {
    wrong |= theft_train_step(&weights, &training, &x[0][0], &target[0][0], kRows, &result, arena,
                              sizeof arena);
    if (i == 0) first = result;
  }
  wrong |= load_forward(&load_weights, last, 1, next, arena, sizeof arena);
  printf("loss %.4f to %.4f, next %.4f\n", first.loss, result.loss, next[0]);
  return wrong != 0 || !(result.loss < first.loss / 10) || next[0] < 2.9999F || next[0] > 3.0001F;
}
