/* A program that trains a model with nothing but its library:
 *
 *   driver WEIGHTS X TARGET BATCH STEPS SEED OUT
 *
 * Reads weights (safetensors) and arrays (raw numbers), and writes to OUT: the level of
 * instructions; the outputs; the evaluation; the result of every step; the outputs after the last
 * one; and the weights, saved. */
#include <stdio.h>
#include <stdlib.h>

#include <theft.h>

static void fail(const char* what, int32_t code) {
  fprintf(stderr, "driver: %s: %s\n", what, theft_strerror(code));
  exit(1);
}

static void* read_file(const char* path, size_t* bytes) {
  FILE* file = fopen(path, "rb");
  char* data = NULL;
  size_t room = 0, n = 0, got = 0;
  if (file == NULL) fail(path, THEFT_ERROR_NULL);
  do {
    room += 1 << 20;
    data = realloc(data, room);
    got = data == NULL ? 0 : fread(data + n, 1, room - n, file);
    n += got;
  } while (n == room);
  fclose(file);
  *bytes = n;
  return data;
}

static THEFT_ALIGNED theft_parameters weights;
static THEFT_ALIGNED theft_training training;
static unsigned char saved[THEFT_FILE_BYTES];

int main(int argc, char** argv) {
  size_t file_bytes, x_bytes, target_bytes, arena_bytes;
  int64_t batch, steps, i;
  int32_t code, level;
  void *file, *raw_arena;
  float *x, *target, *y;
  unsigned char* arena;
  theft_evaluation evaluation;
  theft_step_result result;
  FILE* out;
  if (argc != 8) return 2;
  file = read_file(argv[1], &file_bytes);
  x = read_file(argv[2], &x_bytes);
  target = read_file(argv[3], &target_bytes);
  batch = atol(argv[4]);
  steps = atol(argv[5]);
  arena_bytes = THEFT_ARENA_BYTES(batch);
  raw_arena = malloc(arena_bytes + 64);
  arena = raw_arena;
  while ((uintptr_t)arena % 64 != 0) ++arena;
  y = malloc((size_t)batch * sizeof *y);
  out = fopen(argv[7], "wb");
  if (out == NULL || y == NULL || raw_arena == NULL) return 2;

  level = theft_isa();
  if (level < 0) fail("isa", -level);
  fwrite(&level, sizeof level, 1, out);
  if ((code = theft_load(&weights, file, file_bytes)) != THEFT_OK) fail("load", code);
  code = theft_forward(&weights, x, batch, y, arena, THEFT_FORWARD_ARENA_BYTES(batch));
  if (code != THEFT_OK) fail("forward", code);
  fwrite(y, sizeof *y, (size_t)batch, out);
  code = theft_evaluate(&weights, x, target, batch, &evaluation, arena,
                        THEFT_EVALUATE_ARENA_BYTES(batch));
  if (code != THEFT_OK) fail("evaluate", code);
  fwrite(&evaluation, sizeof evaluation, 1, out);
  if ((code = theft_train_start(&training, atol(argv[6]))) != THEFT_OK) fail("start", code);
  for (i = 0; i < steps; ++i) {
    code = theft_train_step(&weights, &training, x, target, batch, &result, arena,
                            THEFT_TRAIN_STEP_ARENA_BYTES(batch));
    if (code != THEFT_OK) fail("train_step", code);
    fwrite(&result, sizeof result, 1, out);
  }
  code = theft_forward(&weights, x, batch, y, arena, arena_bytes);
  if (code != THEFT_OK) fail("forward", code);
  fwrite(y, sizeof *y, (size_t)batch, out);
  if ((code = theft_save(&weights, saved, sizeof saved)) != THEFT_OK) fail("save", code);
  fwrite(saved, 1, sizeof saved, out);
  free(y);
  free(raw_arena);
  free(target);
  free(x);
  free(file);
  return fclose(out) == 0 ? 0 : 1;
}
