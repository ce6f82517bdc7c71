/*
 * Which card a user certificate belongs to: read from the card simulator's descriptions, text files
 * NAME.card with lines "key = value", of which only "auth-serial" is used here.
 */
#ifndef SIM_SERVICE_CARDS_H
#define SIM_SERVICE_CARDS_H

#include <jansson.h>

/* New reference in *out: {serial in decimal: [card name, ...]}, names in order. 0 or negative errno. */
int cards_load(json_t **out, const char *dir);

#endif
