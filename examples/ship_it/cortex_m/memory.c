/* What a library, or the compiler, may need of a C library. */
#include <stddef.h>

void* memcpy(void* to, const void* from, size_t count);
void* memmove(void* to, const void* from, size_t count);
void* memset(void* to, int byte, size_t count);

void* memcpy(void* to, const void* from, size_t count) { return memmove(to, from, count); }

void* memmove(void* to, const void* from, size_t count) {
  unsigned char* t = to;
  const unsigned char* f = from;
  size_t i;
  if (t < f) {
    for (i = 0; i < count; ++i) t[i] = f[i];
  } else {
    for (i = count; i > 0; --i) t[i - 1] = f[i - 1];
  }
  return to;
}

void* memset(void* to, int byte, size_t count) {
  unsigned char* t = to;
  size_t i;
  for (i = 0; i < count; ++i) t[i] = (unsigned char)byte;
  return to;
}
