/* The passport of a library, and its self-test: whether the code that this processor runs computes
 * what the compiler computed when it made the library. */

#include "runtime/standalone/standalone.h"

/* NOLINTBEGIN: C */

uint64_t gradus_standalone_hash(const void* bytes, uint64_t count) {
  const unsigned char* b = (const unsigned char*)bytes;
  uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, 64 bits */
  for (uint64_t i = 0; i < count; ++i) hash = (hash ^ b[i]) * 0x100000001b3u;
  return hash;
}

/* What values are compared in: f64, but where arithmetic in it would be calls of a library. */
#if defined(__ARM_FP) && (__ARM_FP & 8) == 0
typedef float real;
#define HAS_F64 0

/* By its bits; what f32 cannot hold is 0 or the largest. */
static real real_of(const double* x) {
  const uint64_t bits = *(const uint64_t*)(const void*)x;
  const uint32_t high = (uint32_t)(bits >> 32);
  const int32_t exponent = (int32_t)(high >> 20 & 0x7ff) - 1023 + 127;
  union {
    uint32_t bits;
    float value;
  } u = {high & 0x80000000u};
  if (exponent >= 255) {
    u.bits |= 0x7f7fffffu;
  } else if (exponent > 0) {
    u.bits |= (uint32_t)exponent << 23 | (uint32_t)(bits >> 29 & 0x7fffff);
  }
  return u.value;
}
static real real_of_i64(int64_t x) { return (real)(int32_t)x; } /* of small numbers */
#else
typedef double real;
#define HAS_F64 1
static real real_of(const double* x) { return *x; }
static real real_of_i64(int64_t x) { return (real)x; }
#endif

/* The top 24 bits of element `index`'s draw: SplitMix64, in whole numbers alone, so that every
 * machine draws the same. */
static uint32_t draw(uint64_t stream, uint64_t index) {
  uint64_t z = stream * 0xd1342543de82ef95u + (index + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (uint32_t)((z ^ (z >> 31)) >> 40);
}

void gradus_standalone_draw(const gradus_drawn* drawn, uint64_t stream, void* to) {
  for (int64_t i = 0; i < drawn->count; ++i) {
    const uint32_t n = draw(stream, (uint64_t)i);
    const real value = real_of(&drawn->low) + real_of(&drawn->span) * ((real)n / (real)16777216.0F);
    switch (drawn->dtype) {
      case GRADUS_F32: ((float*)to)[i] = (float)value; break;
#if HAS_F64
      case GRADUS_F64: ((double*)to)[i] = value; break;
#endif
      case GRADUS_I64: ((int64_t*)to)[i] = (int64_t)(n & 1u); break;
      case GRADUS_I32: ((int32_t*)to)[i] = (int32_t)(n & 1u); break;
      default: ((char*)to)[i] = (char)(n & 1u); break;
    }
  }
}

static int32_t check_passport(const gradus_passport* p, uint64_t bytes) {
  /* The words themselves stand in passports alone, by which they are found in files. */
  if (gradus_standalone_hash(p->magic, sizeof p->magic) != 0xc4eeb17fbcbeeb5cu) {
    return GRADUS_PASSPORT;
  }
  if (p->version != GRADUS_PASSPORT_VERSION || p->bytes != bytes) return GRADUS_PASSPORT;
  const uint64_t begin = sizeof *p;
  if (p->hash != gradus_standalone_hash((const char*)(const void*)p + begin, bytes - begin)) {
    return GRADUS_PASSPORT;
  }
  return GRADUS_OK;
}

static real number_at(const void* array, int32_t dtype, int64_t i) {
  switch (dtype) {
    case GRADUS_F32: return (real)((const float*)array)[i];
    case GRADUS_F64: return real_of((const double*)array + i);
    case GRADUS_I64: return real_of_i64(((const int64_t*)array)[i]);
    case GRADUS_I32: return (real)((const int32_t*)array)[i];
    default: return (real)((const signed char*)array)[i];
  }
}

int32_t gradus_standalone_selftest(const gradus_selftest* test, void* memory, uint64_t bytes) {
  const gradus_passport* p = test->passport;
  const int32_t good = check_passport(p, test->passport_bytes);
  if (good != GRADUS_OK) return good;
  if (test->call == 0) return GRADUS_OK; /* nothing that could be run */
  if (memory == 0) return GRADUS_NULL;
  if ((uintptr_t)memory % GRADUS_WORKSPACE_ALIGNMENT != 0) return GRADUS_ARENA_ALIGNMENT;
  if (bytes < (uint64_t)test->bytes) return GRADUS_ARENA_SIZE;
  char* block = (char*)memory;
  const gradus_call* call = test->call;
  /* 1. Pointers, sizes and the arrays that a call fills, then what is drawn. */
  void** pointers = (void**)(void*)block;
  const void** in = (const void**)(void*)(pointers + call->pointer_count);
  void** out = (void**)(void*)(in + call->argument_count);
  int64_t* dims = (int64_t*)(void*)(block + test->dims);
  for (int32_t i = 0; i < call->pointer_count; ++i) pointers[i] = block + test->places[i];
  for (int32_t i = 0; i < call->symbol_count; ++i) dims[i] = test->size;
  for (int64_t i = 0; i < test->drawn_count; ++i) {
    const gradus_drawn* d = &test->drawn[i];
    gradus_standalone_draw(d, (uint64_t)i, (char*)pointers[d->pointer] + d->offset);
  }
  /* 2. The call. */
  const int32_t ran = gradus_standalone_run(call, pointers, dims, in, out, block + test->arena,
                                            (uint64_t)(test->bytes - test->arena), 0);
  if (ran != GRADUS_OK) return ran;
  /* 3. What came out, beside what should. */
  const char* begin = (const char*)(const void*)p + sizeof *p + p->text_bytes;
  const double* expected = (const double*)(const void*)begin;
  for (int64_t i = 0; i < test->result_count; ++i) {
    const gradus_drawn* r = &test->results[i];
    for (int64_t k = 0; k < r->count; ++k) {
      const real want = real_of(expected++);
      const real got = number_at((const char*)pointers[r->pointer] + r->offset, r->dtype, k);
      const real size = want < 0 ? -want : want, off = got < want ? want - got : got - want;
      if (!(off <= real_of(&p->tolerance) * ((real)1 + size)))
        return GRADUS_SELFTEST; /* NaN, too */
    }
  }
  return GRADUS_OK;
}

/* NOLINTEND */
