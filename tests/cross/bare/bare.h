/* What a program without a C library has: an end for bytes to go to. */
#ifndef GRADUS_TESTS_CROSS_BARE_H_
#define GRADUS_TESTS_CROSS_BARE_H_

#include <stddef.h>

/* Where a program begins: the processor's part calls it and ends the process with what it
 * returns. */
int run(void);
/* memory.c */
void* memcpy(void* to, const void* from, size_t count);
/* Adds bytes to what the program prints. */
void put(const void* bytes, size_t count);

#endif
