/* What the program and the board know of each other. */
#ifndef SHIP_IT_BOARD_H_
#define SHIP_IT_BOARD_H_

#include <stddef.h>

/* The program: called after reset; what it returns is how it ended. */
int run(void);
/* The board: prints bytes. */
void put(const void* bytes, size_t count);

#endif
