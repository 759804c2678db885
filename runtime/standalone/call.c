/* A call of a library's entry, checked. */

#include "runtime/standalone/standalone.h"

/* NOLINTBEGIN: C */

/* Sizes stay below this: sums of a few of them fit in 64 bits, and offsets in a pointer's. */
#if UINTPTR_MAX > UINT32_MAX
static const int64_t kMost = (int64_t)1 << 56;
#else
static const int64_t kMost = INT32_MAX;
#endif

/* a * b where both are 0 or more, or -1 if that is above kMost. (Where pointers have 32 bits a
 * division of 64 bits would be a call of the compiler's library.) */
static int64_t times(int64_t a, int64_t b) {
  if (a < 0 || b < 0 || a > kMost || b > kMost) return -1;
#if UINTPTR_MAX > UINT32_MAX
  if (a != 0 && b > kMost / a) return -1;
  return a * b;
#else
  return a * b > kMost ? -1 : a * b;
#endif
}

/* Of a size and a divisor of a few thousand at most. */
static int64_t ceil_divide(int64_t size, int64_t divisor) {
  return (int64_t)(((uintptr_t)size + (uintptr_t)divisor - 1) / (uintptr_t)divisor);
}

static int64_t bytes_of(const gradus_pointer* p, const int64_t* dims) {
  int64_t bytes = p->bytes;
  for (int32_t s = 0; s < p->symbol_count; ++s) bytes = times(bytes, dims[p->symbols[s]]);
  return bytes;
}

/* The value of a list of terms (see gradus_term), or -1. */
static int64_t arena_of(const gradus_call* call, const int64_t* dims) {
  int64_t largest = 0, sum = 0;
  for (int32_t t = 0; t < call->arena_term_count; ++t) {
    const gradus_term* term = &call->arena[t];
    int64_t product = term->coefficient;
    if (t > 0 && term->sum != term[-1].sum) sum = 0;
    for (int32_t f = 0; f < term->factor_count; ++f) {
      const gradus_factor* factor = &term->factors[f];
      int64_t value = factor->scale;
      for (int32_t s = 0; s < factor->symbol_count; ++s)
        value = times(value, dims[factor->symbols[s]]);
      if (value < 0) return -1;
      product = times(product, ceil_divide(value, factor->divisor));
    }
    if (product < 0) return -1;
    sum += product;
    if (sum > kMost) return -1;
    if (sum > largest) largest = sum;
  }
  return largest;
}

static int overlap(const void* a, int64_t a_bytes, const void* b, int64_t b_bytes) {
  const uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
  return x < y + (uintptr_t)b_bytes && y < x + (uintptr_t)a_bytes;
}

/* The pointers, one by one and two by two. There are few: those of a public function. */
static int32_t check_pointers(const gradus_call* call, void* const* pointers, const int64_t* dims,
                              const void* arena, int64_t arena_bytes) {
  for (int32_t i = 0; i < call->pointer_count; ++i) {
    const gradus_pointer* p = &call->pointers[i];
    const int64_t bytes = bytes_of(p, dims);
    if (bytes < 0) return GRADUS_SIZE;
    if (bytes == 0) continue;
    if (pointers[i] == 0) return GRADUS_NULL;
    if ((uintptr_t)pointers[i] % (uintptr_t)p->alignment != 0) return GRADUS_ALIGNMENT;
  }
  for (int32_t i = 0; i < call->pointer_count; ++i) {
    const int64_t bytes = bytes_of(&call->pointers[i], dims);
    if (bytes == 0) continue;
    if (arena_bytes > 0 && overlap(pointers[i], bytes, arena, arena_bytes)) return GRADUS_OVERLAP;
    for (int32_t k = 0; k < i; ++k) {
      const int64_t other = bytes_of(&call->pointers[k], dims);
      if (!call->pointers[i].written && !call->pointers[k].written) continue;
      if (other > 0 && overlap(pointers[i], bytes, pointers[k], other)) return GRADUS_OVERLAP;
    }
  }
  return GRADUS_OK;
}

/* The code for these sizes. Sizes that it does not ask for leave `dims`. */
static const gradus_entry_fn* choose(const gradus_call* call, int64_t* dims) {
  for (int32_t i = 0; i < call->special_count; ++i) {
    const gradus_special* special = &call->specials[i];
    if (dims[special->symbol] != special->size) continue;
    for (int32_t s = special->symbol; s + 1 < call->symbol_count; ++s) dims[s] = dims[s + 1];
    return special->bodies;
  }
  return call->bodies;
}

int32_t gradus_standalone_run(const gradus_call* call, void* const* pointers, int64_t* dims,
                              const void** in, void** out, void* arena, uint64_t arena_bytes,
                              const gradus_threads* threads) {
  for (int32_t s = 0; s < call->symbol_count; ++s) {
    if (dims[s] < 0 || dims[s] > kMost) return GRADUS_SIZE;
  }
  const int64_t needed = arena_of(call, dims);
  if (needed < 0) return GRADUS_SIZE;
  if (needed > 0) {
    if (arena == 0) return GRADUS_NULL;
    if ((uintptr_t)arena % GRADUS_WORKSPACE_ALIGNMENT != 0) return GRADUS_ARENA_ALIGNMENT;
    if (arena_bytes < (uint64_t)needed) return GRADUS_ARENA_SIZE;
  }
  const int32_t wrong = check_pointers(call, pointers, dims, arena, needed);
  if (wrong != GRADUS_OK) return wrong;
  const int32_t level = gradus_standalone_level(call->levels);
  if (level < 0) return -level;
  for (int32_t i = 0; i < call->argument_count; ++i) {
    const gradus_slot* slot = &call->arguments[i];
    in[i] = (const char*)pointers[slot->pointer] + slot->offset;
  }
  for (int32_t i = 0; i < call->result_count; ++i) {
    const gradus_slot* slot = &call->results[i];
    out[i] = (char*)pointers[slot->pointer] + slot->offset;
  }
  const gradus_entry_fn* bodies = choose(call, dims);
  return bodies[level](in, out, dims, arena, threads);
}

/* NOLINTEND */
