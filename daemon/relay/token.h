/*
 * token: how long an id token lives, where that can be known.
 *
 * How long the service's tokens live is not public. Where a token has the three parts of a JWT (RFC
 * 7519) its "exp" is read as a hint for renewing early, without checking any signature: it is the
 * service that decides, and a token refused with 401 is renewed whatever the hint said.
 */
#ifndef UKETSUKE_TOKEN_H
#define UKETSUKE_TOKEN_H

#include <stdint.h>

/* Seconds since 1970 of "exp"; 0: the token does not say. */
int64_t token_expiry(const char *token);

/*
 * When to fetch the next one, in microseconds from now: a tenth of the life before its end, at
 * least 5 s and at most 2 minutes before. `limit_s`: the life set by the configuration, 0 none.
 * UINT64_MAX: not known.
 */
uint64_t token_renew_after_us(const char *token, uint64_t realtime_us, int64_t limit_s);

#endif
