/*
 * json: one message as one JSON object in one line: the fields of message.def under their own names, numbers that
 * stand for a word as that word. Identifiers of visits are strings (64 bits).
 */
#ifndef UKETSUKE_CLI_JSON_H
#define UKETSUKE_CLI_JSON_H

#include "message.h"

#include <stdio.h>

/* Followed by a newline. */
void json_message(FILE *out, uint16_t type, const void *body);
/* A quoted string (RFC 8259). */
void json_text(FILE *out, const char *text);

#endif
