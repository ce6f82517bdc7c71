/*
 * xmlmsg: the one internal model of an eligibility message (XmlMsg), whatever it came as.
 *
 * A tree of named elements; a leaf has a value, every value is a string; order does not matter,
 * elements may repeat, and what nobody knows is kept. Between processes it travels in a canonical
 * form of our own (simple, length-prefixed), so that only the relay ever parses XML or JSON from
 * outside. Element names are those of the eligibility message itself (QualificationValidity,
 * InsurerNumber...).
 */
#ifndef UKETSUKE_XMLMSG_H
#define UKETSUKE_XMLMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XMLMSG_DEPTH_MAX 16
#define XMLMSG_NODES_MAX 20000
#define XMLMSG_BYTES_MAX (4u << 20)

struct xmlmsg; /* one element with its children */

/* What is asked of an upstream (eligibility_ask.kind) */
enum upstream_kind {
    UPSTREAM_BY_NUMBERS = 1,       /* QualificationConfirmSearchInfo */
    UPSTREAM_CARD_SESSION = 2,     /* extension: by user certificate, with evidence */
    UPSTREAM_REGISTER = 3,         /* extension: register the card as insurance card */
    UPSTREAM_CONSENTS = 4,         /* extension: change of consents */
    UPSTREAM_REFERENCE_NUMBER = 5, /* 照会番号登録 */
    UPSTREAM_BULK = 6,             /* many QualificationConfirmSearchInfo at once */
    UPSTREAM_REFERENCE_BULK = 7,   /* many 照会番号登録 at once */
    UPSTREAM_DRUGS = 8,            /* 薬剤・診療 (YZK), under a live consent only */
    UPSTREAM_CHECKUP = 9,          /* 特定健診 (TKK), under a live consent only */
    UPSTREAM_TICKETS = 10,         /* 医療扶助: the tickets of a month */
};

enum upstream_capability {
    CAPABILITY_BY_NUMBERS = 1 << 0,
    CAPABILITY_REFERENCE_NUMBER = 1 << 1,
    CAPABILITY_BULK = 1 << 2,
    CAPABILITY_FACE_FILES = 1 << 3,
    CAPABILITY_CARD_SESSION = 1 << 4,
    CAPABILITY_REGISTER = 1 << 5,
    CAPABILITY_CONSENTS = 1 << 6,
    CAPABILITY_DOCUMENTS = 1 << 7, /* drugs and checkup */
    /* What [desk] routes may move away from a lane's upstream. */
    CAPABILITY_MOVABLE = CAPABILITY_BY_NUMBERS | CAPABILITY_REFERENCE_NUMBER | CAPABILITY_DOCUMENTS,
    /* What each kind of upstream can have at most. */
    CAPABILITY_OF_FOLDERS = CAPABILITY_BY_NUMBERS | CAPABILITY_REFERENCE_NUMBER | CAPABILITY_BULK |
                            CAPABILITY_FACE_FILES | CAPABILITY_DOCUMENTS,
    CAPABILITY_OF_WEB_API = CAPABILITY_BY_NUMBERS | CAPABILITY_REFERENCE_NUMBER | CAPABILITY_BULK |
                            CAPABILITY_CARD_SESSION | CAPABILITY_REGISTER | CAPABILITY_CONSENTS |
                            CAPABILITY_DOCUMENTS,
};
/* "by_numbers"...; 0 when unknown. */
uint32_t upstream_capability_of(const char *name);
const char *upstream_capability_name(uint32_t bit);

/* A root element (usually "XmlMsg"). NULL if out of memory. */
struct xmlmsg *xmlmsg_new(const char *name);
/* Frees the whole tree, wiping it first. Accepts and stores NULL. */
void xmlmsg_free(struct xmlmsg **root);

/* Append a child; `value` NULL for an element with children of its own. The child belongs to the
 * parent. NULL: a cap or memory. */
struct xmlmsg *xmlmsg_add(struct xmlmsg *parent, const char *name, const char *value);
/* Set the leaf at a path below `root`, making what is missing:
 * "MessageHeader/MedicalInstitutionCode". 0 or negative errno. */
int xmlmsg_set(struct xmlmsg *root, const char *path, const char *value);

/* Take an element out and free it with all below it, wiping it. The root cannot be taken out. */
void xmlmsg_remove(struct xmlmsg *element);

const char *xmlmsg_name(const struct xmlmsg *element);
/* NULL for an element with children. */
const char *xmlmsg_value(const struct xmlmsg *element);
/* First child (name NULL: any) and the next sibling of the same name (name NULL: any). */
struct xmlmsg *xmlmsg_child(const struct xmlmsg *element, const char *name);
struct xmlmsg *xmlmsg_next(const struct xmlmsg *element, const char *name);
/* The first element at a path below `root`, or NULL. */
struct xmlmsg *xmlmsg_find(const struct xmlmsg *root, const char *path);
/* Its value; "" when it is missing or no leaf. Never NULL. */
const char *xmlmsg_get(const struct xmlmsg *root, const char *path);
bool xmlmsg_has(const struct xmlmsg *root, const char *path);
size_t xmlmsg_count(const struct xmlmsg *root);

/* Canonical form. xmlmsg_pack allocates *out (wipe and free it); unpack checks every bound and
 * UTF-8. */
int xmlmsg_pack(const struct xmlmsg *root, uint8_t **out, size_t *len);
int xmlmsg_unpack(struct xmlmsg **out, const uint8_t *data, size_t len);
/*
 * The same through a sealed memfd; xmlmsg_to_memfd() returns the descriptor or negative errno.
 * Reading with `len` 0 takes the descriptor's own size (messages that carry no length:
 * ELIGIBILITY_ASK).
 */
int xmlmsg_to_memfd(const struct xmlmsg *root, size_t *len);
int xmlmsg_from_memfd(struct xmlmsg **out, int fd, size_t len);

#endif
