/* A meter that learns where it is: the small detector on a Cortex-M7, without an operating system
 * and a C library. The weights lie in flash with the code; training takes 7 KiB of RAM. */
#include <small_board.h>

#include "examples/ship_it/cortex_m/board.h"
#include "examples/ship_it/customers.h"

enum { kSteps = 50 };

static SMALL_ALIGNED small_parameters weights;
static SMALL_ALIGNED small_training training;
static SMALL_ALIGNED unsigned char arena[SMALL_ARENA_BYTES(kNew)];

static void print(const char* text) {
  size_t n = 0;
  while (text[n] != 0) ++n;
  put(text, n);
}

/* `number` parts of 10^decimals. */
static void print_number(unsigned number, int decimals) {
  char digits[16];
  int n = sizeof digits, i;
  digits[--n] = 0;
  for (i = 0; i <= decimals || number > 0; ++i, number /= 10) {
    if (i > 0 && i == decimals) digits[--n] = '.';
    digits[--n] = (char)('0' + number % 10);
  }
  print(digits + n);
}

static int judge(const float* x) {
  float probabilities[kNew];
  int i, n = 0;
  if (small_forward(&weights, x, kNew, probabilities, arena, sizeof arena) != SMALL_OK) return -1;
  for (i = 0; i < kNew; ++i) {
    n += (probabilities[i] > 0.5F) == (thieves[kCustomers - kNew + i] > 0.5F);
  }
  return n;
}

int run(void) {
  const float* x = customers[kCustomers - kNew];
  const float* answers = thieves + kCustomers - kNew;
  small_step_result first = {0}, last = {0};
  unsigned char* to = (unsigned char*)&weights;
  const unsigned char* from = (const unsigned char*)&small_weights;
  size_t i;
  int before, after, step, wrong = 0;
  for (i = 0; i < sizeof weights; ++i) to[i] = from[i];
  before = judge(x);
  wrong |= small_train_start(&training, 1) != SMALL_OK;
  for (step = 0; step < kSteps; ++step) {
    wrong |= small_train_step(&weights, &training, x, answers, kNew, &last, arena, sizeof arena);
    if (step == 0) first = last;
  }
  after = judge(x);
  print("right of 10: ");
  print_number((unsigned)before, 0);
  print(", then ");
  print_number((unsigned)after, 0);
  print("\nloss: ");
  print_number((unsigned)(first.loss * 1000), 3);
  print(", then ");
  print_number((unsigned)(last.loss * 1000), 3);
  print("\nbytes of RAM: ");
  print_number(sizeof weights + sizeof training + sizeof arena, 0);
  print("\n");
  return wrong != 0 || before < 0 || after < before || !(last.loss < first.loss);
}
