/* A Cortex-M with a unit for floats, after reset; what it prints goes to the debugger by way of
 * semihosting (Arm's specification of 2016, "Semihosting for AArch32 and AArch64"). */
#include "examples/ship_it/cortex_m/board.h"

enum { kOpen = 0x01, kWrite = 0x05, kExitExtended = 0x20, kStopped = 0x20026 };

extern unsigned char stack_top[]; /* from the linker script */

static int semihost(int operation, const void* argument) {
  register int r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static void stop(int code) {
  const int reason[2] = {kStopped, code};
  for (;;) semihost(kExitExtended, reason);
}

void put(const void* bytes, size_t count) {
  static int console = -1;
  if (console < 0) {
    const struct {
      const char* name;
      int mode; /* "w" */
      int length;
    } open = {":tt", 4, 3};
    console = semihost(kOpen, &open);
  }
  const struct {
    int file;
    const void* bytes;
    size_t count;
  } write = {console, bytes, count};
  if (semihost(kWrite, &write) != 0) stop(9);
}

void reset(void);
void reset(void) {
  volatile unsigned* const access = (volatile unsigned*)0xE000ED88u; /* CPACR */
  *access |= 0xFu << 20;                                             /* coprocessors 10 and 11 */
  __asm__ volatile("dsb\nisb" ::: "memory");
  stop(run());
}

static void fault(void) { stop(8); }

typedef void (*handler)(void);
__attribute__((section(".vectors"), used)) static const handler vectors[16] = {
    (handler)stack_top, reset, fault, fault, fault, fault, fault};
