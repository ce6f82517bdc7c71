/*
 * codec_json: the eligibility message as the Web API's JSON, and back.
 *
 * The message is one object with one member, the root: {"XmlMsg":{"MessageHeader":{...},...}}.
 * Rules:
 *   - an object is a branch, its members the children; {} is a branch without children;
 *   - a string is a leaf and kept byte for byte (blanks or zeros in front of a number too);
 *   - a number or boolean is a leaf with its text (a fraction with 17 digits), null is a leaf "";
 *   - an array below a name that ends in "List" (ResultList, PublicExpenseResultList...) is one
 *     branch of that name, with the members of its objects as children:
 *     [{"ResultOfQualificationConfirmation":{}}, ...];
 *   - an array below any other name is that element repeated; an empty one is no element at all.
 * Refused: a root named ...List, members that stand twice, arrays in arrays, names that XML could
 * not have, NUL, text that is not UTF-8, anything after the message, and more depth, elements or
 * bytes than xmlmsg.h allows.
 *
 * Writing is the reverse: a branch named ...List becomes an array with one object for each child,
 * names that repeat within one element become an array in the place of the first. So a tree that is
 * written and read again is the same, except that siblings of one name have come together.
 */
#ifndef UKETSUKE_CODEC_JSON_H
#define UKETSUKE_CODEC_JSON_H

#include "../common/xmlmsg.h"

/* Once per process, before any use of jansson: its memory is wiped when it is freed, and the program ends when there is none (memory.h). */
void codec_json_protect(void);

/* 0, -EBADMSG (refused), -ENOMEM. */
int codec_json_read(struct xmlmsg **out, const void *data, size_t len);

/*
 * *out: text of `len` bytes and a NUL; the caller wipes and frees it. 0, or -EINVAL when out of
 * memory or when a ...List stands beside a leaf of its own name, which JSON cannot say.
 */
int codec_json_write(const struct xmlmsg *root, char **out, size_t *len);

/*
 * A cheap look before the parser allocates: 0, or -EBADMSG when a text of this size, depth and
 * number of values cannot be a message. (A few bytes of "[]," cost a parser a hundred each.)
 */
int codec_json_check_size(const void *data, size_t len);

#endif
