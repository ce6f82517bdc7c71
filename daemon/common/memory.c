#include "memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void memory_end(void)
{
    static const char words[] =
        "<3>メモリが足りないため終わります / no memory is left: the program ends\n";
    ssize_t said = write(STDERR_FILENO, words, sizeof(words) - 1);

    (void)said; /* it ends either way */
    _exit(MEMORY_STATUS);
}

static void *or_end(void *block)
{
    if (block == NULL)
        memory_end();
    return block;
}

void *memory_or_end(size_t size)
{
    return or_end(malloc(size > 0 ? size : 1));
}

void *memory_zeroed_or_end(size_t count, size_t size)
{
    return or_end(count > 0 && size > 0 ? calloc(count, size) : calloc(1, 1));
}

void *memory_resized_or_end(void *block, size_t size)
{
    return or_end(realloc(block, size > 0 ? size : 1));
}

char *memory_text_or_end(const char *text)
{
    return or_end(strdup(text));
}

void memory_wipe_free(void *block)
{
    if (block != NULL)
        explicit_bzero(block, malloc_usable_size(block));
    free(block);
}
