/* What an ahead-of-time library does besides computing: checks of arguments, the choice of code for
 * the processor, weights to and from memory, texts of errors.
 *
 * Plain C99 without a library, not even C's own: these sources become a part of every library that
 * codegen/aot.h makes, hidden and renamed to the library's prefix. All that they know about a
 * library comes in the constant tables below, which codegen/aot writes in this layout. Nothing here
 * allocates, and nothing is written but the caller's memory and one word that remembers which code
 * suits the processor. */
#ifndef GRADUS_RUNTIME_STANDALONE_STANDALONE_H_
#define GRADUS_RUNTIME_STANDALONE_STANDALONE_H_

#include <stdint.h>

#include "runtime/abi.h"

/* NOLINTBEGIN: names and spelling are C's. */
#ifdef __cplusplus
extern "C" {
#endif

/* What an entry of a library returns. Values are stable. */
enum gradus_code {
  GRADUS_OK = 0,
  GRADUS_NULL = 1,            /* a pointer is null */
  GRADUS_SIZE = 2,            /* a size is negative, or too large to compute with */
  GRADUS_ALIGNMENT = 3,       /* a pointer is not aligned to its elements */
  GRADUS_ARENA_SIZE = 4,      /* the arena is too small for these sizes */
  GRADUS_ARENA_ALIGNMENT = 5, /* the arena is not aligned to 64 bytes */
  GRADUS_OVERLAP = 6,         /* memory that is written overlaps other memory of the call */
  GRADUS_CPU = 7,             /* the processor lacks what the lowest level of code needs */
  GRADUS_ISA = 8,             /* the level asked for is unknown, absent, or not this processor's */
  GRADUS_FORMAT = 9,          /* no whole file of safetensors */
  GRADUS_MISMATCH = 10,       /* the file's tensors are not the model's parameters */
  GRADUS_BUFFER = 11,         /* the buffer is too small */
  GRADUS_PASSPORT = 12,       /* the passport is not what the compiler wrote */
  GRADUS_SELFTEST = 13,       /* the code does not compute what it should */
  GRADUS_CODES = 14
};

/* ---- calls (call.c) ---- */

/* A pointer of a public function: `bytes` times the sizes of the symbols is what it points at. */
typedef struct gradus_pointer {
  int64_t bytes;
  int32_t symbol_count;
  int32_t symbols[3];
  int32_t alignment; /* of its elements */
  int32_t written;   /* 0 or 1 */
} gradus_pointer;

/* An argument or a result of an entry: so many bytes behind a pointer. */
typedef struct gradus_slot {
  int64_t offset;
  int32_t pointer;
} gradus_slot;

/* The levels of code that a library holds, lowest first. */
typedef struct gradus_levels {
  int32_t count;
  const int32_t* numbers; /* x86-64-v3 is 3 */
  const char* variable;   /* of the environment: "THEFT_ISA=", or "": none */
  int32_t* chosen;        /* 0: not yet; else 1 + the index of a level, or minus a gradus_code */
} gradus_levels;

/* Code for one size of one symbol, which is no size of that code any more. */
typedef struct gradus_special {
  int64_t size;
  const gradus_entry_fn* bodies; /* one a level */
  int32_t symbol;
} gradus_special;

typedef struct gradus_call {
  int32_t pointer_count, symbol_count, argument_count, result_count, arena_term_count;
  int32_t special_count;
  const gradus_pointer* pointers;
  const gradus_slot* arguments;
  const gradus_slot* results;
  const gradus_term* arena; /* as in gradus_entry_info */
  const gradus_levels* levels;
  const gradus_entry_fn* bodies; /* one a level */
  const gradus_special* specials;
} gradus_call;

/* Checks everything that could make an entry touch memory that is not its own, then runs it.
 * `in` and `out` have room for the entry's arguments and results; what is in `dims` is the call's.
 */
int32_t gradus_standalone_run(const gradus_call* call, void* const* pointers, int64_t* dims,
                              const void** in, void** out, void* arena, uint64_t arena_bytes,
                              const gradus_threads* threads);

/* ---- the processor (levels.c) ---- */

/* The index of the code to run, or minus a gradus_code. */
int32_t gradus_standalone_level(const gradus_levels* levels);
/* The number of the level in use (x86-64-v3 is 3), or minus a gradus_code. */
int32_t gradus_standalone_isa(const gradus_levels* levels);

/* ---- weights and the state of a training (weights.c) ---- */

typedef struct gradus_parameter {
  const char* name;
  const char* dtype; /* as in safetensors: "F32" */
  const char* shape; /* "[12,64]", as in safetensors but without spaces */
  int64_t bytes, offset;
  int64_t saved; /* offset in the data part of what save writes */
} gradus_parameter;

typedef struct gradus_weights {
  int64_t parameter_count;
  const gradus_parameter* parameters;
  int64_t block_bytes; /* of the structure that holds them */
  int64_t alignment;   /* of its elements */
  const void* header;  /* what a saved file begins with: its length and its JSON text */
  int64_t header_bytes, file_bytes;
} gradus_weights;

/* Writes file_bytes bytes. */
int32_t gradus_standalone_save(const gradus_weights* table, const void* weights, void* buffer,
                               uint64_t buffer_bytes);
/* Reads a file with these parameters in any order; those of a checkpoint that are no weights
 * (gradus/...) are passed over. On an error nothing is changed. */
int32_t gradus_standalone_load(const gradus_weights* table, void* weights, const void* file,
                               uint64_t file_bytes);

/* `count` elements from `offset` on have `bytes` bytes each: those of `bits`, lowest first. */
typedef struct gradus_fill {
  int64_t offset, count;
  uint64_t bits;
  int32_t bytes;
} gradus_fill;

typedef struct gradus_start {
  int64_t fill_count;
  const gradus_fill* fills;
  int64_t block_bytes, alignment;
  int64_t seed_offset; /* of an i64, or -1 */
} gradus_start;

/* The state of a training before its first step. */
int32_t gradus_standalone_start(const gradus_start* table, void* block, int64_t seed);
/* The state of `rows` sequences before their first sample: the table's block for each. */
int32_t gradus_standalone_step_start(const gradus_start* table, void* state, int64_t rows);

/* ---- the passport (selftest.c) ---- */

/* What a library says about itself, and what its self-test must give. It is found in a file by its
 * first bytes, so that it can be read from an archive, an object or a program alike. */
#define GRADUS_PASSPORT_MAGIC "\177GRADUS passport"
enum { GRADUS_PASSPORT_VERSION = 1 };
typedef struct gradus_passport {
  char magic[16];
  uint32_t version, bytes; /* of all of it */
  uint64_t hash;           /* of what follows this structure */
  uint32_t text_bytes;     /* lines of "name: value", filled up with zeros to a multiple of 8 */
  uint32_t expected_count; /* doubles behind the text */
  double tolerance;        /* |got - expected| <= tolerance * (1 + |expected|) */
} gradus_passport;

uint64_t gradus_standalone_hash(const void* bytes, uint64_t count);

/* `count` elements `offset` bytes behind a pointer of a call: floats of low + [0, 1) * span,
 * integers of 0 and 1. */
typedef struct gradus_drawn {
  int64_t offset, count;
  int32_t pointer, dtype;
  double low, span;
} gradus_drawn;

/* The same numbers on every machine. */
void gradus_standalone_draw(const gradus_drawn* drawn, uint64_t stream, void* to);

typedef struct gradus_selftest {
  const gradus_passport* passport;
  uint64_t passport_bytes;
  const gradus_call* call; /* null: there is nothing to run */
  int64_t size;            /* of every symbol */
  int64_t bytes;           /* of the caller's memory, in which lie, first, a call's arrays, then */
  int64_t dims, arena;
  const int64_t* places; /* what the call's pointers point at */
  int64_t drawn_count, result_count;
  const gradus_drawn* drawn;
  const gradus_drawn* results; /* the expected numbers, in this order */
} gradus_selftest;

int32_t gradus_standalone_selftest(const gradus_selftest* test, void* memory, uint64_t bytes);

/* ---- errors (errors.c) ---- */

/* One sentence of English; never null. */
const char* gradus_standalone_strerror(int32_t code);

#ifdef __cplusplus
}
#endif
/* NOLINTEND */
#endif /* GRADUS_RUNTIME_STANDALONE_STANDALONE_H_ */
