/*
 * hook: the body of a web hook and its signature. Pure.
 *
 * JSON in UTF-8, one object: `id` (the same at each attempt), then what the desk told, numbers as
 * numbers. The signature is HMAC-SHA-256 (RFC 2104) over the bytes of the body, in hexadecimal.
 */
#ifndef UKETSUKE_RELAY_HOOK_H
#define UKETSUKE_RELAY_HOOK_H

#include "../common/secret.h"
#include "../common/xmlmsg.h"

#define HOOK_SIGNATURE_SIZE (7 + 64 + 1) /* "sha256=" */

/* The caller wipes and frees it. NULL: no memory, or no tree of a hook. */
char *hook_body(const struct xmlmsg *tree, const char *id);
int hook_sign(const struct secret *key, const void *body, size_t len,
              char out[HOOK_SIGNATURE_SIZE]);

#endif
