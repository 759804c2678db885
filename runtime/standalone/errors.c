/* What the codes of a library's entries mean. */

#include "runtime/standalone/standalone.h"

/* NOLINTBEGIN: C */

const char* gradus_standalone_strerror(int32_t code) {
  switch (code) {
    case GRADUS_OK: return "no error";
    case GRADUS_NULL: return "a pointer is null; only what holds no element may be null";
    case GRADUS_SIZE: return "a size is negative or too large; sizes count from 0";
    case GRADUS_ALIGNMENT: return "a pointer is not aligned to the size of its elements";
    case GRADUS_ARENA_SIZE:
      return "the arena is too small for these sizes; the header's ARENA_BYTES macros say how many "
             "bytes it needs";
    case GRADUS_ARENA_ALIGNMENT: return "the arena is not aligned to 64 bytes";
    case GRADUS_OVERLAP:
      return "memory that the call writes overlaps the arena or other memory of the call";
    case GRADUS_CPU:
      return "the processor, or the operating system, lacks what the lowest instruction set of "
             "this "
             "library needs";
    case GRADUS_ISA:
      return "the instruction set named in the environment is unknown, not in this library, or not "
             "one of this processor";
    case GRADUS_FORMAT: return "the bytes are no whole safetensors file";
    case GRADUS_MISMATCH:
      return "the file's tensors are not this model's parameters: names, element types and shapes "
             "must be equal";
    case GRADUS_BUFFER:
      return "the buffer is too small; the header's FILE_BYTES macro says what it needs";
    case GRADUS_PASSPORT:
      return "the library's passport is not what the compiler wrote: the file is damaged";
    case GRADUS_SELFTEST:
      return "the self-test does not give the numbers that the compiler computed: the code is "
             "damaged, or the processor computes wrongly";
    default: return "unknown error code";
  }
}

/* NOLINTEND */
