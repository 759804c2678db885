/* Calls a library in every wrong way that it says it refuses. With the argument "isa": says which
 * level of instructions is in use. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <theft.h>

enum { kBatch = 5 };

static THEFT_ALIGNED theft_parameters weights;
static THEFT_ALIGNED theft_training training;
static THEFT_ALIGNED unsigned char arena[THEFT_ARENA_BYTES(kBatch) + 64];
static float x[kBatch * 3 + 1], target[kBatch], p[kBatch + 1];
static theft_step_result result;
static unsigned char file[THEFT_FILE_BYTES], other[THEFT_FILE_BYTES + 64];
static int wrong;

static void expect(int line, int32_t got, int32_t want) {
  if (got == want) return;
  ++wrong;
  printf("line %d: expected %d (%s), got %d (%s)\n", line, (int)want, theft_strerror(want),
         (int)got, theft_strerror(got));
}
#define EXPECT(call, want) expect(__LINE__, (call), (want))

static int32_t forward(const theft_parameters* w, const float* in, int64_t batch, float* out,
                       void* a, size_t bytes) {
  return theft_forward(w, in, batch, out, a, bytes);
}

static int32_t step(theft_parameters* w, theft_training* t, const float* in, const float* y,
                    theft_step_result* r) {
  return theft_train_step(w, t, in, y, kBatch, r, arena, sizeof arena);
}

static void arguments(void) {
  const size_t needed = THEFT_FORWARD_ARENA_BYTES(kBatch);
  float* misaligned = (float*)(void*)((char*)x + 1);
  EXPECT(theft_init(NULL, 1, arena, sizeof arena), THEFT_ERROR_NULL);
  EXPECT(theft_init(&weights, 1, arena, sizeof arena), THEFT_OK);
  EXPECT(forward(&weights, x, kBatch, p, arena, needed), THEFT_OK);
  EXPECT(forward(NULL, x, kBatch, p, arena, needed), THEFT_ERROR_NULL);
  EXPECT(forward(&weights, NULL, kBatch, p, arena, needed), THEFT_ERROR_NULL);
  EXPECT(forward(&weights, x, kBatch, NULL, arena, needed), THEFT_ERROR_NULL);
  EXPECT(forward(&weights, x, kBatch, p, NULL, needed), THEFT_ERROR_NULL);
  EXPECT(forward(&weights, NULL, 0, NULL, NULL, 0), THEFT_OK);
  EXPECT(forward(&weights, x, -1, p, arena, needed), THEFT_ERROR_SIZE);
  EXPECT(forward(&weights, x, INT64_MIN, p, arena, needed), THEFT_ERROR_SIZE);
  EXPECT(forward(&weights, x, INT64_MAX, p, arena, SIZE_MAX), THEFT_ERROR_SIZE);
  EXPECT(forward(&weights, x, INT64_MAX / 4, p, arena, SIZE_MAX), THEFT_ERROR_SIZE);
  EXPECT(forward(&weights, x, kBatch, p, arena, needed - 1), THEFT_ERROR_ARENA_SIZE);
  EXPECT(forward(&weights, x, kBatch, p, arena, 0), THEFT_ERROR_ARENA_SIZE);
  EXPECT(forward(&weights, x, 1 << 20, p, arena, sizeof arena), THEFT_ERROR_ARENA_SIZE);
  EXPECT(forward(&weights, x, kBatch, p, arena + 1, needed), THEFT_ERROR_ARENA_ALIGNMENT);
  EXPECT(forward(&weights, x, kBatch, p, arena + 32, needed), THEFT_ERROR_ARENA_ALIGNMENT);
  EXPECT(forward(&weights, misaligned, kBatch, p, arena, needed), THEFT_ERROR_ALIGNMENT);
  EXPECT(forward(&weights, x, kBatch, x, arena, needed), THEFT_ERROR_OVERLAP);
  EXPECT(forward(&weights, x, kBatch, x + kBatch * 3 - 1, arena, needed), THEFT_ERROR_OVERLAP);
  EXPECT(forward(&weights, x, kBatch, (float*)(void*)arena, arena, needed), THEFT_ERROR_OVERLAP);
  EXPECT(forward(&weights, (const float*)(const void*)arena, kBatch, p, arena, needed),
         THEFT_ERROR_OVERLAP);
  EXPECT(forward(&weights, x, kBatch, &weights.hidden_kernel[0][0], arena, needed),
         THEFT_ERROR_OVERLAP);
  EXPECT(theft_train_start(NULL, 1), THEFT_ERROR_NULL);
  EXPECT(theft_train_start((theft_training*)(void*)(arena + 1), 1), THEFT_ERROR_ALIGNMENT);
  EXPECT(theft_train_start(&training, 1), THEFT_OK);
  EXPECT(step(&weights, &training, x, target, &result), THEFT_OK);
  EXPECT(step(&weights, NULL, x, target, &result), THEFT_ERROR_NULL);
  EXPECT(step(&weights, &training, x, NULL, &result), THEFT_ERROR_NULL);
  EXPECT(step(&weights, &training, x, target, NULL), THEFT_ERROR_NULL);
  EXPECT(step(&weights, &training, &weights.hidden_kernel[0][0], target, &result),
         THEFT_ERROR_OVERLAP);
  EXPECT(step(&weights, &training, x, target, (theft_step_result*)(void*)&training),
         THEFT_ERROR_OVERLAP);
}

/* An error leaves everything as it was. */
static void nothing_is_written(void) {
  theft_parameters before;
  theft_training state;
  memcpy(&before, &weights, sizeof before);
  memcpy(&state, &training, sizeof state);
  p[0] = 42;
  EXPECT(theft_train_step(&weights, &training, x, target, kBatch, &result, arena, 0),
         THEFT_ERROR_ARENA_SIZE);
  EXPECT(forward(&weights, x, kBatch, p, arena, 0), THEFT_ERROR_ARENA_SIZE);
  EXPECT(theft_load(&weights, file, sizeof file - 1), THEFT_ERROR_FORMAT);
  EXPECT(memcmp(&before, &weights, sizeof before) != 0, 0);
  EXPECT(memcmp(&state, &training, sizeof state) != 0, 0);
  EXPECT(p[0] != 42, 0);
}

/* The file with `from` in its header replaced by `to`, of the same length. */
static int32_t load_changed(const char* from, const char* to) {
  size_t i;
  unsigned char* copy;
  int32_t code;
  for (i = 8; i + strlen(from) < sizeof file; ++i) {
    if (memcmp(file + i, from, strlen(from)) == 0) break;
  }
  if (i + strlen(from) == sizeof file || strlen(from) != strlen(to)) return -1;
  copy = malloc(sizeof file); /* so that reading past the end is seen */
  memcpy(copy, file, sizeof file);
  memcpy(copy + i, to, strlen(to));
  code = theft_load(&weights, copy, sizeof file);
  free(copy);
  return code;
}

static void files(void) {
  theft_parameters loaded;
  size_t i;
  EXPECT(theft_save(&weights, NULL, sizeof file), THEFT_ERROR_NULL);
  EXPECT(theft_save(NULL, file, sizeof file), THEFT_ERROR_NULL);
  EXPECT(theft_save(&weights, file, sizeof file - 1), THEFT_ERROR_BUFFER);
  EXPECT(theft_save(&weights, file, sizeof file), THEFT_OK);
  EXPECT(theft_load(&weights, NULL, sizeof file), THEFT_ERROR_NULL);
  EXPECT(theft_load(NULL, file, sizeof file), THEFT_ERROR_NULL);
  memset(&loaded, 0, sizeof loaded);
  EXPECT(theft_load(&loaded, file, sizeof file), THEFT_OK);
  EXPECT(memcmp(&loaded, &weights, sizeof loaded) != 0, 0);
  /* Where the file lies in memory does not matter. */
  memcpy(other + 3, file, sizeof file);
  memset(&loaded, 0, sizeof loaded);
  EXPECT(theft_load(&loaded, other + 3, sizeof file), THEFT_OK);
  EXPECT(memcmp(&loaded, &weights, sizeof loaded) != 0, 0);
  /* Cut anywhere: never good, nothing read past the end. */
  for (i = 0; i < sizeof file; ++i) {
    unsigned char* cut = malloc(i + 1);
    memcpy(cut, file, i);
    EXPECT(theft_load(&weights, cut, i), THEFT_ERROR_FORMAT);
    free(cut);
  }
  EXPECT(load_changed("hidden.kernel", "hidden.kernel"), THEFT_OK);
  EXPECT(load_changed("hidden.kernel", "hidden.kernal"), THEFT_ERROR_MISMATCH);
  EXPECT(load_changed("hidden.kernel", "hidden\\u002ek"), THEFT_ERROR_MISMATCH);
  EXPECT(load_changed("\"F32\"", "\"I32\""), THEFT_ERROR_MISMATCH);
  EXPECT(load_changed("[3,5]", "[5,3]"), THEFT_ERROR_MISMATCH);
  EXPECT(load_changed("[3,5]", "[3,5}"), THEFT_ERROR_FORMAT);
  EXPECT(load_changed("data_offsets", "data_offsetz"), THEFT_ERROR_FORMAT);
  EXPECT(load_changed("{\"__metadata__\"", "[\"__metadata__\""), THEFT_ERROR_FORMAT);
  /* Any byte of the header changed: an error or the same tensors, and no access outside. */
  for (i = 0; i < sizeof file; ++i) {
    unsigned char* copy = malloc(sizeof file);
    memcpy(copy, file, sizeof file);
    copy[i] ^= (unsigned char)(1 << i % 7);
    (void)theft_load(&loaded, copy, sizeof file);
    free(copy);
  }
  for (i = 0; i < 8; ++i) { /* the header's length */
    memcpy(other, file, sizeof file);
    other[i] = 255;
    EXPECT(theft_load(&loaded, other, sizeof file), THEFT_ERROR_FORMAT);
  }
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "isa") == 0) {
    const int32_t level = theft_isa();
    printf("%d %s\n", (int)level, level < 0 ? theft_strerror(-level) : "");
    return level < 0;
  }
  arguments();
  files();
  nothing_is_written();
  EXPECT(strlen(theft_strerror(-1)) == 0, 0);
  EXPECT(strlen(theft_strerror(1000)) == 0, 0);
  if (wrong == 0) printf("all as expected\n");
  return wrong != 0;
}
