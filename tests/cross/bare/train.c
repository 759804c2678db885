/* A training on numbers that the test gives: its outputs, evaluation, results of all steps, and
 * outputs after them. */
#include <theft.h>
#include "tests/cross/bare/bare.h"

enum { kSteps = STEPS, kBatch = BATCH, kInputs = INPUTS, kSeed = 7 };

extern const float x[kBatch * kInputs], target[kBatch];

static THEFT_ALIGNED theft_parameters weights;
static THEFT_ALIGNED theft_training training;
static THEFT_ALIGNED unsigned char arena[THEFT_ARENA_BYTES(kBatch) + THEFT_SELFTEST_BYTES];
static unsigned char saved[THEFT_FILE_BYTES];

#define TRY(call)                      \
  do {                                 \
    const int32_t code = (call);       \
    if (code != THEFT_OK) return code; \
  } while (0)

int run(void) {
  float y[kBatch];
  theft_evaluation evaluation;
  theft_step_result result;
  int i;
  memcpy(&weights, &theft_weights, sizeof weights);
  TRY(theft_forward(&weights, x, kBatch, y, arena, sizeof arena));
  put(y, sizeof y);
  TRY(theft_evaluate(&weights, x, target, kBatch, &evaluation, arena, sizeof arena));
  put(&evaluation, sizeof evaluation);
  TRY(theft_train_start(&training, kSeed));
  for (i = 0; i < kSteps; ++i) {
    TRY(theft_train_step(&weights, &training, x, target, kBatch, &result, arena, sizeof arena));
    put(&result, sizeof result);
  }
  /* By way of a file. */
  TRY(theft_save(&weights, saved, sizeof saved));
  memcpy(&weights, &theft_weights, sizeof weights);
  TRY(theft_load(&weights, saved, sizeof saved));
  TRY(theft_forward(&weights, x, kBatch, y, arena, sizeof arena));
  put(y, sizeof y);
  /* The numbers that the compiler found. */
  TRY(theft_selftest(arena, THEFT_SELFTEST_BYTES));
  /* Arguments are checked here, too. */
  if (theft_forward(&weights, x, -1, y, arena, sizeof arena) != THEFT_ERROR_SIZE) return 101;
  if (theft_forward(&weights, x, (int64_t)1 << 60, y, arena, sizeof arena) != THEFT_ERROR_SIZE)
    return 102;
  if (theft_forward(&weights, x, kBatch, y, arena, 1) != THEFT_ERROR_ARENA_SIZE) return 103;
  if (theft_forward(&weights, x, kBatch, y, arena + 4, sizeof arena - 4) !=
      THEFT_ERROR_ARENA_ALIGNMENT)
    return 104;
  if (theft_forward(&weights, 0, kBatch, y, arena, sizeof arena) != THEFT_ERROR_NULL) return 105;
  if (theft_isa() != 1) return 106;
  return 0;
}
