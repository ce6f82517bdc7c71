/*
 * person: what an answer says of its patient (person.def), as flat text; and what of it is another than before.
 *
 * A difference is shown, never acted on. What an answer leaves out says nothing unless the table says otherwise, so that
 * a limit that was not asked for this time has not "ended".
 */
#ifndef UKETSUKE_DESK_PERSON_H
#define UKETSUKE_DESK_PERSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xmlmsg;

#define PERSON_TEXT 260    /* bytes of a value with its end; longer ones are cut at a character */
#define PERSON_PACKED 9000 /* enough for every field at its longest */

enum person_field {
#define PERSON_FIELD(name, text, path, how, absence) PERSON_##name,
#include "person.def"
#undef PERSON_FIELD
    PERSON_COUNT
};

struct person {
    char text[PERSON_COUNT][PERSON_TEXT];
    bool limit_told, diseases_told; /* asked for under a consent, so that absence means none */
};

/* The name of a field in JSON; "?" for a value out of range. */
const char *person_field_name(unsigned field);

/* From a canonical answer with exactly one result; false when there is another number of results. */
bool person_take(struct person *out, const struct xmlmsg *tree);

/* Lines of "field TAB value"; returns the length, 0 when it does not fit (PERSON_PACKED always does). */
size_t person_pack(const struct person *person, char *out, size_t size);
/* What a later version wrote beyond is left aside. False when it is no such text. */
bool person_unpack(struct person *out, const char *data, size_t len);

/*
 * Lines of "field TAB old TAB new" in the order of the table, long values cut; a last line "more TAB TAB" when not all
 * of them fit. Returns how many fields differ.
 */
unsigned person_compare(const struct person *old, const struct person *now, char *out, size_t size);

/* `kept` becomes what is known after this answer: what it left out stays, so does the way a name is
 * written while it may be the same name. */
void person_merge(struct person *kept, const struct person *now);

#endif
