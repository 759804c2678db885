/* Which of a library's bodies suits this processor: levels of x86-64 as the psABI defines them
 * (https://gitlab.com/x86-psABIs/x86-64-ABI, "Micro-Architecture Levels"), from cpuid and from what
 * the operating system saves (XCR0). Asked once; every thread that asks finds the same. */

#include "runtime/standalone/standalone.h"

/* NOLINTBEGIN: C */

#if defined(__x86_64__)

static void cpuid(uint32_t leaf, uint32_t r[4]) {
  __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(0));
}

static uint32_t xcr0(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

static int has(uint32_t word, uint32_t bits) { return (word & bits) == bits; }
#define BIT(n) ((uint32_t)1 << (n))

/* The highest level that the processor and the operating system support. */
static int32_t highest_level(void) {
  uint32_t basic[4], one[4], seven[4] = {0, 0, 0, 0}, extended[4], more[4] = {0, 0, 0, 0};
  cpuid(0, basic);
  cpuid(1, one);
  if (basic[0] >= 7) cpuid(7, seven);
  cpuid(0x80000000u, extended);
  if (extended[0] >= 0x80000001u) cpuid(0x80000001u, more);
  /* SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT; LAHF */
  if (!has(one[2], BIT(0) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(23)) ||
      !has(more[2], BIT(0)))
    return 1;
  /* FMA, MOVBE, OSXSAVE, AVX, F16C; BMI1, AVX2, BMI2; LZCNT */
  if (!has(one[2], BIT(12) | BIT(22) | BIT(27) | BIT(28) | BIT(29)) ||
      !has(seven[1], BIT(3) | BIT(5) | BIT(8)) || !has(more[2], BIT(5)))
    return 2;
  const uint32_t saved = xcr0();
  if (!has(saved, 0x6)) return 2; /* the halves of the registers */
  /* AVX512 F, DQ, CD, BW, VL */
  if (!has(seven[1], BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31))) return 3;
  if (!has(saved, 0xE6)) return 3; /* and masks, upper halves, upper registers */
  return 4;
}

/* What the user asks for. Where the system is Linux the environment is read without a C library,
 * from what the process was started with: a change by setenv is not seen. */
#if defined(__linux__)

static int64_t system_call(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d) {
  int64_t result;
  register int64_t fourth __asm__("r10") = d;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
                   : "rcx", "r11", "memory");
  return result;
}

enum { kRead = 0, kClose = 3, kOpenAt = 257, kHere = -100 };

/* The value of `variable` ("NAME="), cut to `room` - 1 bytes; 0 if it is not set. */
static int read_environment(const char* variable, char* value, int room) {
  const int64_t file = system_call(kOpenAt, kHere, (int64_t)(uintptr_t)"/proc/self/environ", 0, 0);
  if (file < 0) return 0;
  char bytes[512];
  int matched = 0, filled = -1; /* filled: bytes of the value; -1: not there yet */
  int found = 0;
  for (int64_t n; !found && (n = system_call(kRead, file, (int64_t)(uintptr_t)bytes,
                                             (int64_t)sizeof bytes, 0)) > 0;) {
    for (int64_t i = 0; i < n && !found; ++i) {
      const char c = bytes[i];
      if (filled >= 0) {
        if (c == 0) {
          found = 1;
        } else if (filled < room - 1) {
          value[filled++] = c;
        }
      } else if (c == 0) {
        matched = 0;
      } else if (matched >= 0 && c == variable[matched]) {
        if (variable[++matched] == 0) filled = 0;
      } else {
        matched = -1; /* until the next variable */
      }
    }
  }
  system_call(kClose, file, 0, 0, 0);
  if (filled < 0) return 0;
  value[filled] = 0;
  return 1;
}

/* The level asked for ("v3", "x86-64-v3"), 0 if none is, -1 if it is no level. */
static int32_t level_asked_for(const char* variable) {
  char value[16];
  if (variable[0] == 0) return 0;
  if (!read_environment(variable, value, (int)sizeof value) || value[0] == 0) return 0;
  const char* text = value;
  const char* stem = "x86-64";
  int n = 0;
  while (stem[n] != 0 && text[n] == stem[n]) ++n;
  if (stem[n] == 0) {
    text += n;
    if (text[0] == 0) return 1;
    if (text[0] != '-') return -1;
    ++text;
  }
  if (text[0] == 'v' && text[1] >= '1' && text[1] <= '4' && text[2] == 0) return text[1] - '0';
  return -1;
}

#else
static int32_t level_asked_for(const char* variable) {
  (void)variable;
  return 0;
}
#endif

static int32_t choose(const gradus_levels* levels) {
  const int32_t highest = highest_level();
  const int32_t asked = level_asked_for(levels->variable);
  if (levels->numbers[0] > highest) return -GRADUS_CPU;
  if (asked < 0 || asked > highest) return -GRADUS_ISA;
  int32_t best = -GRADUS_ISA;
  for (int32_t i = 0; i < levels->count; ++i) {
    const int32_t number = levels->numbers[i];
    if (asked > 0 ? number == asked : number <= highest) best = i;
  }
  return best;
}

#else /* one level, for which the library was made */

static int32_t choose(const gradus_levels* levels) {
  (void)levels;
  return 0;
}

#endif

int32_t gradus_standalone_level(const gradus_levels* levels) {
  int32_t chosen = __atomic_load_n(levels->chosen, __ATOMIC_RELAXED);
  if (chosen == 0) {
    const int32_t level = choose(levels);
    chosen = level < 0 ? level : level + 1;
    __atomic_store_n(levels->chosen, chosen, __ATOMIC_RELAXED);
  }
  return chosen < 0 ? chosen : chosen - 1;
}

int32_t gradus_standalone_isa(const gradus_levels* levels) {
  const int32_t level = gradus_standalone_level(levels);
  return level < 0 ? level : levels->numbers[level];
}

/* NOLINTEND */
