/* What programs without a C library have: run and put of the example, and memory.c beside it. */
#ifndef GRADUS_TESTS_CROSS_BARE_H_
#define GRADUS_TESTS_CROSS_BARE_H_

#include "examples/ship_it/cortex_m/board.h"

void* memcpy(void* to, const void* from, size_t count);

#endif
