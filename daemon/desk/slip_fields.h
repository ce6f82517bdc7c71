/* slip_fields: what must stand on a slip, kind by kind, checked field by field. Pure. */
#ifndef UKETSUKE_DESK_SLIP_FIELDS_H
#define UKETSUKE_DESK_SLIP_FIELDS_H

#include "../common/message.h"
#include "../store/store.h"

/*
 * `known`: what the visit knows of the person already (from the card), taken where the entry is silent. `day`: of the
 * visit, YYYYMMDD. NULL when good, else the name of the field that is missing or wrong. Of `out` are set: kind, state
 * (waiting, or numbers when they are missing), failure, consent, numbers and all texts but those of its end.
 */
const char *slip_fields_check(const struct msg_slip_file *entry, const struct store_person *known,
                              const char *day, struct store_slip *out);

/*
 * Where the answer's person is not the slip's, by name: "name birth sex ratio". A ● stands for any one character, blanks
 * do not count; what either does not say is not compared. `out` holds 97 bytes.
 */
void slip_fields_compare(const struct store_slip *slip, const struct store_person *person,
                         const char *ratio, char out[97]);

/* What the lane shows for a slip of this kind (a NOTICE of failure.def). */
uint16_t slip_fields_notice(unsigned kind);

#endif
