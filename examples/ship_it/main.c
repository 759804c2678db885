/* Four detectors in one program of C99, each a library of its own: they judge ten new customers,
 * learn from the answers that an inspector brought, and write what they know now to files.
 *
 *   ship_it [FOLDER]     writes FOLDER/rnn.safetensors and so on (default: here) */
#include <stdio.h>
#include <string.h>

#include <cnn.h>
#include <hybrid.h>
#include <lstm.h>
#include <rnn.h>

#include "examples/ship_it/customers.h"

enum { kSteps = 20 };

#define LARGER(a, b) ((a) > (b) ? (a) : (b))
/* Scratch memory for all of them, one after the other: they keep nothing in it. */
RNN_ALIGNED static unsigned char
    arena[LARGER(LARGER(RNN_ARENA_BYTES(kNew), CNN_ARENA_BYTES(kNew)),
                 LARGER(LSTM_ARENA_BYTES(kNew), HYBRID_ARENA_BYTES(kNew)))];

/* The new customers' year; the RNN is shown each behind the eleven customers before. */
static float years[kNew][kMonths], windows[kNew][12][kMonths];
static const float* const answers = thieves + kCustomers - kNew;

static void fill(void) {
  int i;
  for (i = 0; i < kNew; ++i) {
    const int customer = kCustomers - kNew + i;
    memcpy(years[i], customers[customer], sizeof years[i]);
    memcpy(windows[i], customers[customer - 11], sizeof windows[i]);
  }
}

static int write_file(const char* folder, const char* name, const void* bytes, size_t count) {
  char path[512];
  FILE* file;
  snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
  file = fopen(path, "wb");
  if (file == NULL) return 0;
  return (fwrite(bytes, 1, count, file) == count) & (fclose(file) == 0);
}

static int right(const float* probabilities) {
  int i, n = 0;
  for (i = 0; i < kNew; ++i) n += (probabilities[i] > 0.5F) == (answers[i] > 0.5F);
  return n;
}

/* One function a detector: the libraries have the same functions under their own prefixes. */
#define DETECTOR(name, NAME, x)                                                                  \
  static NAME##_ALIGNED name##_parameters name##_own;                                            \
  static NAME##_ALIGNED name##_training name##_state;                                            \
  static unsigned char name##_file[NAME##_FILE_BYTES];                                           \
  static int32_t run_##name(const char* folder) {                                                \
    float before[kNew], after[kNew];                                                             \
    name##_step_result first = {0}, last = {0};                                                  \
    int32_t code;                                                                                \
    int i;                                                                                       \
    /* What the library holds is constant: to train is to have a copy. */                        \
    name##_own = name##_weights;                                                                 \
    code = name##_forward(&name##_own, &(x), kNew, before, arena, sizeof arena);                 \
    if (code != NAME##_OK) return code;                                                          \
    code = name##_train_start(&name##_state, 1);                                                 \
    for (i = 0; i < kSteps && code == NAME##_OK; ++i) {                                          \
      code = name##_train_step(&name##_own, &name##_state, &(x), answers, kNew, &last, arena,    \
                               sizeof arena);                                                    \
      if (i == 0) first = last;                                                                  \
    }                                                                                            \
    if (code != NAME##_OK) return code;                                                          \
    code = name##_save(&name##_own, name##_file, sizeof name##_file);                            \
    if (code != NAME##_OK) return code;                                                          \
    if (!write_file(folder, #name, name##_file, sizeof name##_file)) return NAME##_ERROR_BUFFER; \
    /* As another program would begin. */                                                        \
    code = name##_load(&name##_own, name##_file, sizeof name##_file);                            \
    if (code != NAME##_OK) return code;                                                          \
    code = name##_forward(&name##_own, &(x), kNew, after, arena, sizeof arena);                  \
    printf("%-7s %2d of %d right, loss %.3f; after %d steps %2d right, loss %.3f\n", #name,      \
           right(before), kNew, first.loss, kSteps, right(after), last.loss);                    \
    if (code == NAME##_OK && !(last.loss < first.loss)) return NAME##_ERROR_FORMAT;              \
    return code;                                                                                 \
  }

DETECTOR(rnn, RNN, windows[0][0][0])
DETECTOR(cnn, CNN, years[0][0])
DETECTOR(lstm, LSTM, years[0][0])
DETECTOR(hybrid, HYBRID, years[0][0])

int main(int argc, char** argv) {
  const struct {
    const char* name;
    int32_t (*run)(const char* folder);
    const char* (*error)(int32_t code);
  } detectors[] = {{"rnn", run_rnn, rnn_strerror},
                   {"cnn", run_cnn, cnn_strerror},
                   {"lstm", run_lstm, lstm_strerror},
                   {"hybrid", run_hybrid, hybrid_strerror}};
  const char* folder = argc > 1 ? argv[1] : ".";
  size_t i;
  fill();
  for (i = 0; i < sizeof detectors / sizeof *detectors; ++i) {
    const int32_t code = detectors[i].run(folder);
    if (code != 0) {
      fprintf(stderr, "%s: %s\n", detectors[i].name, detectors[i].error(code));
      return 1;
    }
  }
  return 0;
}
