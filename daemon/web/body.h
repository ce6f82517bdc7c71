/*
 * body: what a request says. A JSON object, read member by member with type and bound; what nobody asked for is refused.
 * Numbers of the query.
 */
#ifndef UKETSUKE_WEB_BODY_H
#define UKETSUKE_WEB_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request;

struct body {
    json_t *root;
    const char *wrong; /* the first member that does not fit, NULL while all is well */
    size_t taken;
};

/* -EINVAL when it is no JSON object (duplicate members refused). */
int body_open(struct body *body, const struct request *request);
/* 0 when every member was asked for and fitted; else -EINVAL with `wrong` set. */
int body_check(struct body *body);
void body_close(struct body *body);

/* Each leaves the target as it is when the member is absent. */
void body_text(struct body *body, const char *name, char *out, size_t size);
void body_u16(struct body *body, const char *name, uint16_t *out);
void body_u32(struct body *body, const char *name, uint32_t *out);
/* An identifier as text, or null. */
void body_id(struct body *body, const char *name, uint64_t *out);
void body_flag(struct body *body, const char *name, uint8_t *out);
void body_consents(struct body *body, const char *name, uint32_t *out);
/* Base64 (RFC 4648, padded) of at most `size` bytes. */
void body_base64(struct body *body, const char *name, uint8_t *out, size_t size, uint32_t *len);

/* A value of the query as a number of 0..most; `out` is left when it is absent. -EINVAL when it is none. */
int query_number(struct request *request, const char *name, int64_t most, int64_t *out);

#endif
