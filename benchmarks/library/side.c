/* The side of a library in compare_library: speaks the protocol of peers/protocol.py, with nothing
 * but the C library.
 *
 *   side train|infer
 *
 * Compiled with -DINPUTS= (numbers a row) and -DBATCH=. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <net.h>

static NET_ALIGNED net_parameters weights;
static NET_ALIGNED net_training training;
static NET_ALIGNED unsigned char arena[NET_ARENA_BYTES(BATCH)];
static float x[BATCH * INPUTS], target[BATCH], y[BATCH];
static net_step_result result;
static int trains;

static void call(void) {
  const int32_t code =
      trains ? net_train_step(&weights, &training, x, target, BATCH, &result, arena, sizeof arena)
             : net_forward(&weights, x, BATCH, y, arena, sizeof arena);
  if (code == NET_OK) return;
  fprintf(stderr, "%s\n", net_strerror(code));
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void* a, const void* b) {
  const double x_ = *(const double*)a, y_ = *(const double*)b;
  return (x_ > y_) - (x_ < y_);
}

/* The median of samples of 50 microseconds or more, in milliseconds. */
static double measure(double seconds) {
  enum { kMost = 1 << 16 };
  static double times[kMost];
  const double end = now() + seconds;
  long repeat = 1, i;
  size_t n = 0;
  while ((now() < end || n < 3) && n < kMost) {
    const double start = now();
    double took;
    for (i = 0; i < repeat; ++i) call();
    took = now() - start;
    if (took < 50e-6) {
      repeat *= 2;
      continue;
    }
    times[n++] = took / (double)repeat;
    /* Weights never run on what thousands of steps on one batch leave. */
    if (trains && n % 64 == 0) {
      memcpy(&weights, &net_weights, sizeof weights);
      net_train_start(&training, 1);
    }
  }
  qsort(times, n, sizeof *times, compare);
  return times[n / 2] * 1e3;
}

int main(int argc, char** argv) {
  double seconds;
  int i;
  if (argc != 2) return 2;
  trains = strcmp(argv[1], "train") == 0;
  memcpy(&weights, &net_weights, sizeof weights);
  for (i = 0; i < BATCH * INPUTS; ++i) x[i] = (float)((i * 7919) % 1000) / 500.0F - 1.0F;
  for (i = 0; i < BATCH; ++i) target[i] = (float)(i % 2);
  if (net_train_start(&training, 1) != NET_OK) return 1;
  call();
  call();
  printf("{\"peer\": \"a library, level %d\"}\n", (int)net_isa());
  fflush(stdout);
  while (scanf("%lf", &seconds) == 1) {
    printf("{\"median_ms\": %.9g}\n", measure(seconds));
    fflush(stdout);
  }
  return 0;
}
