/*
 * json_view: what of a message each surface sees, as tables.
 *
 * A kiosk sees its own lane and nothing that names a patient; a board sees the lanes without key
 * and picture position, and the visits. Identifiers of visits are strings in JSON (64 bits do not
 * fit a JavaScript number).
 */
#ifndef UKETSUKE_WEB_JSON_VIEW_H
#define UKETSUKE_WEB_JSON_VIEW_H

#include "message.h"

#include <jansson.h>
#include <stdbool.h>

struct lane_mirror;
struct xmlmsg;

/* Each returns a new reference, NULL when out of memory. left_ms: time left in the state. */
json_t *json_lane_kiosk(const struct msg_lane_state *lane, uint32_t left_ms);
json_t *json_lane_board(const struct msg_lane_state *lane, uint32_t left_ms);
json_t *json_visit(const struct msg_visit_item *visit);
json_t *json_slip(const struct msg_slip_item *slip);
json_t *json_outbox(const struct msg_outbox_item *item);
json_t *json_disaster(const struct msg_disaster_state *state);
json_t *json_health(const struct msg_health_item *item);
json_t *json_trouble(const struct msg_trouble_item *item);
json_t *json_device(const struct msg_device_item *item);

/* {"code", "kind", "ja", "en"} in the words for patients or (staff) for staff; null for
 * FAILURE_NONE. */
json_t *json_failure(uint16_t failure, bool staff);
/* All of them: {"code", "name", "kind", "patient": {"ja","en"}, "staff": {"ja","en"}}. */
json_t *json_failures(void);

/*
 * The tree of an answer: a leaf is a string; an element with children an object, or, when its name
 * ends in "List", an array of objects with one member each; a name that stands several times in an
 * object is an array.
 */
json_t *json_xmlmsg(const struct xmlmsg *element);
/* What patients consented to for their treatment goes out of it; clinicians alone see that. */
void json_without_clinical(json_t *answer);

/* Names to enum slip_consent and enum disaster_cause; -EINVAL when there is no such name. */
int json_slip_consent(const char *name);
int json_disaster_cause(const char *name);
/* Names of consents to bits. -EINVAL for an unknown name or another type. */
int json_consents(const json_t *array, uint32_t *out);

#endif
