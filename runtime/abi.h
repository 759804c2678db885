/* The C interface of compiled code: what an entry looks like and what is known about it.
 *
 * Plain C99. A compiled entry (`forward`, `train_step`, ...) is one function of type
 * gradus_entry_fn beside one constant gradus_entry_info. The caller owns all memory: arguments,
 * results and the workspace, whose size follows from the info and the sizes of this call. Nothing
 * allocates. */
#ifndef GRADUS_RUNTIME_ABI_H_
#define GRADUS_RUNTIME_ABI_H_

#include <stdint.h>

/* NOLINTBEGIN: names and spelling are C's. */
#ifdef __cplusplus
extern "C" {
#endif

/* Element types. Values are stable. */
enum gradus_dtype {
  GRADUS_I1 = 0, /* one byte, 0 or 1 */
  GRADUS_I32 = 1,
  GRADUS_I64 = 2,
  GRADUS_F32 = 3,
  GRADUS_F64 = 4
};

/* Runs body(context, i) for every i in [0, count), in any order, and returns when all are done. */
typedef void (*gradus_parallel_body)(void* context, int64_t i);
typedef struct gradus_threads {
  void* state;
  void (*parallel_for)(void* state, int64_t count, gradus_parallel_body body, void* context);
} gradus_threads;

/* ceil(scale * product(dims[symbols[0..symbol_count)]) / divisor), divisor >= 1. */
typedef struct gradus_factor {
  int64_t scale, divisor;
  int32_t symbol_count;
  int32_t symbols[3];
} gradus_factor;

/* coefficient * product(factors). A size is given by a list of terms: those of equal `sum` (which
 * counts from 0 along the list) are added, and the largest sum is the size; without terms it is 0.
 */
typedef struct gradus_term {
  int64_t coefficient;
  int32_t factor_count;
  gradus_factor factors[2];
  int32_t sum;
} gradus_term;

/* A dimension: a number, or (symbol >= 0) the symbol's index; then size is -1. */
typedef struct gradus_dim {
  int64_t size;
  int32_t symbol;
} gradus_dim;

typedef struct gradus_tensor_info {
  const char* name; /* as in the function's signature; "" if it has none */
  int32_t dtype;    /* enum gradus_dtype */
  int32_t rank;
  const gradus_dim* dims;
  int32_t alias; /* results: index of the argument whose memory the result uses, or -1 */
} gradus_tensor_info;

#define GRADUS_ABI_VERSION 2
#define GRADUS_WORKSPACE_ALIGNMENT 64

typedef struct gradus_entry_info {
  int32_t abi_version;
  const char* name;
  int32_t argument_count, result_count, symbol_count, workspace_term_count;
  const gradus_tensor_info* arguments;
  const gradus_tensor_info* results;
  const char* const* symbols;         /* names, in the order of `dims` of a call */
  const gradus_term* workspace_bytes; /* the workspace's size */
  /* The most bytes of it that are in use at once, padding not counted: for reports. */
  int32_t live_term_count;
  const gradus_term* live_bytes;
} gradus_entry_info;

/* in: one pointer an argument. out: one pointer a result; an aliased result's pointer equals its
 * argument's. dims: one size (>= 0) a symbol. workspace: GRADUS_WORKSPACE_ALIGNMENT-aligned.
 * threads: may be null. Tensors are dense, row-major, aligned to their element. Returns 0. The
 * caller checks its arguments (runtime/executable.h does): a compiled entry trusts them. */
typedef int32_t (*gradus_entry_fn)(const void* const* in, void* const* out, const int64_t* dims,
                                   void* workspace, const gradus_threads* threads);

#ifdef __cplusplus
}
#endif
/* NOLINTEND */
#endif /* GRADUS_RUNTIME_ABI_H_ */
