#include "memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *memory_or_end(size_t size)
{
    static const char words[] =
        "<3>メモリが足りないため終わります / no memory is left: the program ends\n";
    void *block = malloc(size > 0 ? size : 1);

    if (block == NULL) {
        ssize_t said = write(STDERR_FILENO, words, sizeof(words) - 1);

        (void)said; /* it ends either way */
        _exit(MEMORY_STATUS);
    }
    return block;
}

void memory_wipe_free(void *block)
{
    if (block != NULL)
        explicit_bzero(block, malloc_usable_size(block));
    free(block);
}
