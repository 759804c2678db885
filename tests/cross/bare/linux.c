/* A process of Linux on AArch64 or RISC-V, without a C library. */
#include "tests/cross/bare/bare.h"

enum { kWrite = 64, kExit = 93 };

static long call(long number, long a, long b, long c) {
#if defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
#else
  register long a7 __asm__("a7") = number;
  register long a0 __asm__("a0") = a;
  register long a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2) : "memory");
  return a0;
#endif
}

void put(const void* bytes, size_t count) {
  const char* at = bytes;
  while (count > 0) {
    const long written = call(kWrite, 1, (long)at, (long)count);
    if (written <= 0) call(kExit, 9, 0, 0);
    at += written;
    count -= (size_t)written;
  }
}

void begin(void);
void begin(void) { call(kExit, run(), 0, 0); }

#if defined(__aarch64__)
__asm__(".globl _start\n_start:\n  mov x29, #0\n  bl begin\n");
#else
__asm__(
    ".globl _start\n_start:\n"
    ".option push\n.option norelax\n  la gp, __global_pointer$\n.option pop\n  call begin\n");
#endif
