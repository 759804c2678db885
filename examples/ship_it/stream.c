/* A recurrent model fed hour by hour: reads kW from stdin, one number a line, and says for each
 * what it takes the next one to be. What it remembers of the past is 128 bytes of state; time never
 * makes it slower. At the end it compares itself with the guess that nothing changes, and its
 * answers with those for the whole sequence at once. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <stream.h>

enum { kMost = 1000 };

STREAM_ALIGNED static unsigned char arena[STREAM_STEP_ARENA_BYTES(1)];
STREAM_ALIGNED static unsigned char large_arena[STREAM_FORWARD_ARENA_BYTES(1, kMost)];

int main(void) {
  static float x[kMost], next[kMost], all[kMost];
  float state[STREAM_STATE_BYTES(1) / sizeof(float)];
  double wrong = 0, unchanged = 0;
  int n = 0, i;
  int32_t code = stream_step_start(state, 1);
  while (code == STREAM_OK && n < kMost && scanf("%f", &x[n]) == 1) {
    code = stream_step(&stream_weights, &x[n], 1, state, &next[n], arena, sizeof arena);
    if (n >= 24) { /* a day to get to know the household */
      wrong += fabs(next[n - 1] - x[n]);
      unchanged += fabs(x[n - 1] - x[n]);
    }
    ++n;
  }
  if (code == STREAM_OK) {
    code = stream_forward(&stream_weights, x, 1, n, all, large_arena, sizeof large_arena);
  }
  if (code != STREAM_OK) {
    fprintf(stderr, "stream: %s\n", stream_strerror(code));
    return 1;
  }
  for (i = 0; i < n; ++i) {
    if (memcmp(&all[i], &next[i], sizeof all[i]) != 0) return 2; /* the same bits */
  }
  if (n <= 24) return 3;
  printf(
      "%d hours, the next one wrong by %.3f kW on average; if nothing changed it would be %.3f "
      "kW\n",
      n, wrong / (n - 24), unchanged / (n - 24));
  return wrong < unchanged ? 0 : 4;
}
