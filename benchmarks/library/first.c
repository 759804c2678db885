/* A program that starts, predicts once and ends; its peak of memory goes to stdout. Without
 * -DINPUTS= it only starts. */
#include <stdio.h>
#include <string.h>

#ifdef INPUTS
#include <net.h>

static NET_ALIGNED unsigned char arena[NET_FORWARD_ARENA_BYTES(1)];
static float x[INPUTS];
#endif

int main(void) {
  char line[256];
  FILE* status;
#ifdef INPUTS
  float y[1];
  if (net_forward(&net_weights, x, 1, y, arena, sizeof arena) != NET_OK) return 1;
#endif
  status = fopen("/proc/self/status", "r");
  if (status == NULL) return 1;
  while (fgets(line, sizeof line, status) != NULL) {
    if (strncmp(line, "VmHWM:", 6) == 0) fputs(line + 6, stdout);
  }
  return fclose(status);
}
