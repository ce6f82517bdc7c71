/*
 * totp: one-time codes of RFC 6238 (HMAC-SHA-1, 30 seconds, six digits), as every authenticator app
 * makes them.
 */
#ifndef UKETSUKE_WEB_TOTP_H
#define UKETSUKE_WEB_TOTP_H

#include <stddef.h>
#include <stdint.h>

#define TOTP_SECRET 20 /* bytes; RFC 4226 section 4 asks for 16 at least */
#define TOTP_SECONDS 30
#define TOTP_TEXT_MAX 56 /* base32 of 32 bytes, and a NUL */

/* The code of one step (seconds since 1970 / 30). */
uint32_t totp_code(const uint8_t *secret, size_t len, uint64_t step);
/*
 * The step whose code this is: that of now, the one before or the one after (clocks differ, people
 * are slow); 0 when it is none of them, or no six digits.
 */
uint64_t totp_match(const uint8_t *secret, size_t len, uint64_t now_s, const char *code);
/* Base32 (RFC 4648, without padding), as apps want a secret typed in. */
void totp_text(const uint8_t *secret, size_t len, char out[TOTP_TEXT_MAX]);
/* And back, blanks and case disregarded: the number of bytes, or -EINVAL. */
int totp_secret(const char *text, uint8_t *out, size_t size);

/* What authenticator apps take as a link. The name is escaped (RFC 3986), and cut when there is no
 * room. */
void totp_uri(const char *name, const char *secret, char *out, size_t size);

#endif
