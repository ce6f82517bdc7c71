/*
 * relay_show: a message of the eligibility service, read by `uketsuke-relay --show` in its cage.
 * This program itself parses nothing but the canonical tree that comes back.
 */
#ifndef UKETSUKE_CLI_RELAY_SHOW_H
#define UKETSUKE_CLI_RELAY_SHOW_H

#include "xmlmsg.h"

/*
 * Give `fd` (borrowed) to the parser; *out: the tree, in canonical order. 0; -EBADMSG: no message
 * (`why` says it in one line); -ETIMEDOUT (10 seconds); other negative errno: the parser cannot be
 * run or has died (`why` as far as it is known). `why` comes from the parser: print it with
 * table_put().
 */
int relay_show(struct xmlmsg **out, int fd, char *why, size_t why_size);

#endif
