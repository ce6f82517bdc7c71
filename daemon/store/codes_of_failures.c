/*
 * Failures stand in the database by their code, which is never reused (E020 as 5020: the letter's
 * place, then the digits), never by their place in failure.def, which moves whenever a row is
 * added.
 */
#include "store_internal.h"

#include "../common/failure.h"

#include <stdlib.h>

static uint32_t number_of(uint16_t failure)
{
    const char *code = failure_text(failure)->code;

    return code[0] < 'A' || code[0] > 'Z'
               ? 0
               : (uint32_t)(code[0] - 'A' + 1) * 1000 + (uint32_t)strtoul(code + 1, NULL, 10);
}

int64_t failure_to_store(uint16_t failure)
{
    return number_of(failure);
}

uint16_t failure_from_store(int64_t number)
{
    for (unsigned failure = FAILURE_NONE + 1; failure < FAILURE_COUNT; failure++)
        if (number_of((uint16_t)failure) == number)
            return (uint16_t)failure;
    return FAILURE_NONE;
}
