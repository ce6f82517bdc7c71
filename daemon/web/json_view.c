#include "json_view.h"

#include "failure.h"
#include "outbox.h"
#include "visit.h"
#include "xmlmsg.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum kind {
    KIND_U8,
    KIND_U16,
    KIND_U32,
    KIND_I32,
    KIND_TIME,  /* i64, 0 is null */
    KIND_ID,    /* u64 as text, 0 is null */
    KIND_TEXT,  /* "" stays "" */
    KIND_FLAG,  /* u8 as true or false */
    KIND_TRIES, /* u8; null where it is not known or there is no key */
    KIND_STATE,
    KIND_METHOD,
    KIND_OUTCOME,
    KIND_GENUINE,
    KIND_LIVENESS,
    KIND_LEVEL, /* of health */
    KIND_INSTITUTION,
    KIND_FAILURE,  /* u16, in the words for patients */
    KIND_TROUBLE,  /* u16, in the words for staff */
    KIND_CONSENTS, /* u32 bits as names */
    KIND_FLAGS,
    KIND_KIOSK_OFFERS,
    KIND_BOARD_OFFERS,
    KIND_BLOB, /* base64, empty is null */
    KIND_BOX,  /* four u16 from here on */
    KIND_SLIP,
    KIND_SLIP_STATE,
    KIND_SLIP_CONSENT,
    KIND_DISASTER, /* enum disaster_cause, off is null */
    KIND_MATCH,
    KIND_NUMBER,     /* text, "" is null */
    KIND_CANDIDATES, /* lines of three texts */
    KIND_CHANGES,
    KIND_OUTBOX,
    KIND_OUTBOX_STATE,
    KIND_OUTBOX_CAUSE,
};

struct row {
    const char *name;
    enum kind kind;
    size_t offset;
};

#define ROW(message, field, name, kind)                                                            \
    {                                                                                              \
        name, kind, offsetof(struct msg_##message, field)                                          \
    }
#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const struct row lane_kiosk_rows[] = {
    ROW(lane_state, lane, "lane", KIND_U16),
    ROW(lane_state, label, "label", KIND_TEXT),
    ROW(lane_state, institution_kind, "institution", KIND_INSTITUTION),
    ROW(lane_state, visit, "visit", KIND_ID),
    ROW(lane_state, step, "step", KIND_U32),
    ROW(lane_state, state, "state", KIND_STATE),
    ROW(lane_state, method, "method", KIND_METHOD),
    ROW(lane_state, outcome, "outcome", KIND_OUTCOME),
    ROW(lane_state, failure, "failure", KIND_FAILURE),
    ROW(lane_state, hint, "hint", KIND_FAILURE),
    ROW(lane_state, offers, "offers", KIND_KIOSK_OFFERS),
    ROW(lane_state, pin_tries, "pin_tries", KIND_TRIES),
    ROW(lane_state, number_b_tries, "number_b_tries", KIND_TRIES),
    ROW(lane_state, pin_pad, "pin_pad", KIND_FLAG),
    ROW(lane_state, reader, "reader", KIND_FAILURE),
    ROW(lane_state, camera, "camera", KIND_FAILURE),
    ROW(lane_state, card, "card", KIND_FLAG),
    ROW(lane_state, box_x, "box", KIND_BOX),
    ROW(lane_state, consents_asked, "consents", KIND_CONSENTS),
    ROW(lane_state, key, "key", KIND_BLOB),
    ROW(lane_state, disaster, "disaster", KIND_DISASTER),
};

static const struct row lane_board_rows[] = {
    ROW(lane_state, lane, "lane", KIND_U16),
    ROW(lane_state, label, "label", KIND_TEXT),
    ROW(lane_state, institution_kind, "institution", KIND_INSTITUTION),
    ROW(lane_state, visit, "visit", KIND_ID),
    ROW(lane_state, step, "step", KIND_U32),
    ROW(lane_state, state, "state", KIND_STATE),
    ROW(lane_state, method, "method", KIND_METHOD),
    ROW(lane_state, outcome, "outcome", KIND_OUTCOME),
    ROW(lane_state, failure, "failure", KIND_TROUBLE),
    ROW(lane_state, hint, "hint", KIND_TROUBLE),
    ROW(lane_state, offers, "offers", KIND_BOARD_OFFERS),
    ROW(lane_state, pin_tries, "pin_tries", KIND_TRIES),
    ROW(lane_state, number_b_tries, "number_b_tries", KIND_TRIES),
    ROW(lane_state, pin_pad, "pin_pad", KIND_FLAG),
    ROW(lane_state, reader, "reader", KIND_TROUBLE),
    ROW(lane_state, camera, "camera", KIND_TROUBLE),
    ROW(lane_state, card, "card", KIND_FLAG),
    ROW(lane_state, consents_asked, "consents", KIND_CONSENTS),
    ROW(lane_state, patient, "patient", KIND_TEXT),
    ROW(lane_state, disaster, "disaster", KIND_DISASTER),
};

static const struct row visit_rows[] = {
    ROW(visit_item, visit, "visit", KIND_ID),
    ROW(visit_item, lane, "lane", KIND_U16),
    ROW(visit_item, opened, "opened", KIND_TIME),
    ROW(visit_item, closed, "closed", KIND_TIME),
    ROW(visit_item, state, "state", KIND_STATE),
    ROW(visit_item, method, "method", KIND_METHOD),
    ROW(visit_item, outcome, "outcome", KIND_OUTCOME),
    ROW(visit_item, failure, "failure", KIND_TROUBLE),
    ROW(visit_item, flags, "flags", KIND_FLAGS),
    ROW(visit_item, name, "name", KIND_TEXT),
    ROW(visit_item, kana, "kana", KIND_TEXT),
    ROW(visit_item, birth, "birth", KIND_TEXT),
    ROW(visit_item, sex, "sex", KIND_TEXT),
    ROW(visit_item, validity, "validity", KIND_TEXT),
    ROW(visit_item, ratio, "ratio", KIND_TEXT),
    ROW(visit_item, limit_class, "limit_class", KIND_TEXT),
    ROW(visit_item, insurer, "insurer", KIND_TEXT),
    ROW(visit_item, notice, "notice", KIND_TEXT),
    ROW(visit_item, reference, "reference", KIND_TEXT),
    ROW(visit_item, consents, "consents", KIND_CONSENTS),
    ROW(visit_item, answered, "answered", KIND_TIME),
    ROW(visit_item, record, "record", KIND_GENUINE),
    ROW(visit_item, challenge, "challenge", KIND_GENUINE),
    ROW(visit_item, liveness, "liveness", KIND_LIVENESS),
    ROW(visit_item, score_milli, "score_milli", KIND_I32),
    ROW(visit_item, card_ms, "card_ms", KIND_U32),
    ROW(visit_item, photo_ms, "photo_ms", KIND_U32),
    ROW(visit_item, face_ms, "face_ms", KIND_U32),
    ROW(visit_item, pin_ms, "pin_ms", KIND_U32),
    ROW(visit_item, ask_ms, "ask_ms", KIND_U32),
    ROW(visit_item, total_ms, "total_ms", KIND_U32),
    ROW(visit_item, apdus, "apdus", KIND_U32),
    ROW(visit_item, frames, "frames", KIND_U32),
    ROW(visit_item, staff, "staff", KIND_TEXT),
    ROW(visit_item, proxy, "proxy", KIND_TEXT),
    ROW(visit_item, relation, "relation", KIND_TEXT),
    ROW(visit_item, match, "match", KIND_MATCH),
    ROW(visit_item, patient, "patient", KIND_NUMBER),
    ROW(visit_item, alias, "alias", KIND_TEXT),
    ROW(visit_item, candidates, "candidates", KIND_CANDIDATES),
    ROW(visit_item, since, "since", KIND_NUMBER),
    ROW(visit_item, changes, "changes", KIND_CHANGES),
};

static const struct row slip_rows[] = {
    ROW(slip_item, visit, "visit", KIND_ID),
    ROW(slip_item, lane, "lane", KIND_U16),
    ROW(slip_item, kind, "kind", KIND_SLIP),
    ROW(slip_item, state, "state", KIND_SLIP_STATE),
    ROW(slip_item, failure, "failure", KIND_TROUBLE),
    ROW(slip_item, consent, "consent", KIND_SLIP_CONSENT),
    ROW(slip_item, tries, "tries", KIND_U32),
    ROW(slip_item, date, "date", KIND_TEXT),
    ROW(slip_item, filed, "filed", KIND_TIME),
    ROW(slip_item, asked, "asked", KIND_TIME),
    ROW(slip_item, ended, "ended", KIND_TIME),
    ROW(slip_item, name, "name", KIND_TEXT),
    ROW(slip_item, kana, "kana", KIND_TEXT),
    ROW(slip_item, birth, "birth", KIND_TEXT),
    ROW(slip_item, sex, "sex", KIND_TEXT),
    ROW(slip_item, address, "address", KIND_TEXT),
    ROW(slip_item, phone, "phone", KIND_TEXT),
    ROW(slip_item, insured, "insured", KIND_TEXT),
    ROW(slip_item, insurer, "insurer", KIND_TEXT),
    ROW(slip_item, symbol, "symbol", KIND_TEXT),
    ROW(slip_item, number, "number", KIND_TEXT),
    ROW(slip_item, branch, "branch", KIND_TEXT),
    ROW(slip_item, ratio, "ratio", KIND_TEXT),
    ROW(slip_item, valid_from, "valid_from", KIND_TEXT),
    ROW(slip_item, valid_until, "valid_until", KIND_TEXT),
    ROW(slip_item, note, "note", KIND_TEXT),
    ROW(slip_item, different, "different", KIND_TEXT),
    ROW(slip_item, staff, "staff", KIND_TEXT),
    ROW(slip_item, ended_by, "ended_by", KIND_TEXT),
};

static const struct row outbox_rows[] = {
    ROW(outbox_item, entry, "entry", KIND_ID),
    ROW(outbox_item, visit, "visit", KIND_ID),
    ROW(outbox_item, target, "target", KIND_TEXT),
    ROW(outbox_item, kind, "kind", KIND_OUTBOX),
    ROW(outbox_item, cause, "cause", KIND_OUTBOX_CAUSE),
    ROW(outbox_item, state, "state", KIND_OUTBOX_STATE),
    ROW(outbox_item, failure, "failure", KIND_TROUBLE),
    ROW(outbox_item, tries, "tries", KIND_U32),
    ROW(outbox_item, made, "made", KIND_TIME),
    ROW(outbox_item, tried, "tried", KIND_TIME),
    ROW(outbox_item, due, "due", KIND_TIME),
    ROW(outbox_item, ended, "ended", KIND_TIME),
    ROW(outbox_item, name, "name", KIND_TEXT),
    ROW(outbox_item, detail, "detail", KIND_TEXT),
    ROW(outbox_item, staff, "staff", KIND_TEXT),
    ROW(outbox_item, patient, "patient", KIND_TEXT),
};

static const struct row disaster_rows[] = {
    ROW(disaster_state, cause, "cause", KIND_DISASTER),
    ROW(disaster_state, word, "word", KIND_TEXT),
    ROW(disaster_state, since, "since", KIND_TIME),
    ROW(disaster_state, until, "until", KIND_TIME),
    ROW(disaster_state, staff, "staff", KIND_TEXT),
};

static const struct row health_rows[] = {
    ROW(health_item, state, "state", KIND_LEVEL),
    ROW(health_item, failure, "failure", KIND_TROUBLE),
    ROW(health_item, component, "component", KIND_TEXT),
    ROW(health_item, detail, "detail", KIND_TEXT),
    ROW(health_item, next, "next", KIND_TEXT),
    ROW(health_item, until, "until", KIND_TIME),
};

static const struct row trouble_rows[] = {
    ROW(trouble_item, day, "day", KIND_TEXT),
    ROW(trouble_item, failure, "failure", KIND_TROUBLE),
    ROW(trouble_item, count, "count", KIND_U32),
};

static const struct row device_rows[] = {
    ROW(device_item, lane, "lane", KIND_U16),       ROW(device_item, kind, "kind", KIND_U8),
    ROW(device_item, use, "use", KIND_U8),          ROW(device_item, vendor, "vendor", KIND_U16),
    ROW(device_item, product, "product", KIND_U16), ROW(device_item, port, "port", KIND_TEXT),
    ROW(device_item, serial, "serial", KIND_TEXT),  ROW(device_item, name, "name", KIND_TEXT),
    ROW(device_item, holder, "holder", KIND_TEXT),  ROW(device_item, next, "next", KIND_TEXT),
};

static const struct visit_bit flag_bits[] = {
    {VISIT_FLAG_LOOK, "look"},
    {VISIT_FLAG_CACHED, "cached"},
    {VISIT_FLAG_LAST_KNOWN, "last_known"},
    {VISIT_FLAG_NOTICE, "notice"},
    {VISIT_FLAG_MASKED_NAME, "masked_name"},
    {VISIT_FLAG_UNCHECKED, "unchecked"},
    {VISIT_FLAG_RESUMED, "resumed"},
    {VISIT_FLAG_NO_CARD, "no_card"},
    {VISIT_FLAG_SLIP, "slip"},
    {VISIT_FLAG_RECONCILED, "reconciled"},
    {VISIT_FLAG_DIFFERENT, "different"},
    {VISIT_FLAG_AGAIN, "again"},
    {VISIT_FLAG_PROXY, "proxy"},
    {VISIT_FLAG_DISASTER, "disaster"},
    {VISIT_FLAG_WHO, "who"},
    {VISIT_FLAG_CHANGED, "changed"},
    {VISIT_FLAG_LATE, "late"},
    {VISIT_FLAG_LAST_MONTH, "last_month"},
    {VISIT_FLAG_HANDOVER, "handover"},
    {VISIT_FLAG_CARD_ENDS, "card_ends"},
    {VISIT_FLAG_CARD_ENDED, "card_ended"},
    {VISIT_FLAG_SUBSIDY, "subsidy"},
};

static const char *const genuine_names[] = {"not_checked", "yes", "no"};
static const char *const liveness_names[] = {"not_checked", "passed", "failed"};
static const char *const level_names[] = {"good", "warning", "bad"};
static const char *const kind_names[] = {"none", "retry", "other", "staff", "broken", "notice"};
static const char *const slip_consent_names[] = {"not_asked", "oral", "unable"};
static const char *const disaster_names[] = {"off", "ministry", "outage"};
static const char *const institution_names[] = {"clinic", "hospital", "pharmacy", "dental"};

#define NAMED(table, value) ((value) < ROWS(table) ? (table)[value] : "?")

static json_t *bits(const struct visit_bit *table, size_t n, uint32_t value)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++)
        if ((value & table[i].bit) != 0)
            (void)json_array_append_new(array, json_string(table[i].name));
    return array;
}

static json_t *offers(uint32_t value, char surface)
{
    json_t *array = json_array();

    for (unsigned a = ACTION_NONE + 1; a < VISIT_ACTION_COUNT; a++)
        if ((value & VISIT_OFFER(a)) != 0 && strchr(visit_action_who(a), surface) != NULL)
            (void)json_array_append_new(array, json_string(visit_action_name(a)));
    return array;
}

json_t *json_failure(uint16_t failure, bool staff)
{
    const struct failure_text *text = failure_text(failure);

    if (text->kind == FAILURE_KIND_NONE)
        return json_null();
    return json_pack("{s:s, s:s, s:s, s:s}", "code", text->code, "kind", kind_names[text->kind],
                     "ja", staff ? text->staff_ja : text->patient_ja, "en",
                     staff ? text->staff_en : text->patient_en);
}

static json_t *base64(const uint8_t *data, size_t len)
{
    unsigned char text[4 * ((256 + 2) / 3) + 1];

    if (len == 0 || len > 256)
        return json_null();
    (void)EVP_EncodeBlock(text, data, (int)len);
    return json_string((const char *)text);
}

/* The blobs of message.def are all { u32 len; u8 data[] }. */
static json_t *blob(const uint8_t *at)
{
    uint32_t len;

    memcpy(&len, at, sizeof(len));
    return base64(at + sizeof(len), len);
}

static json_t *id(uint64_t value)
{
    char text[24];

    if (value == 0)
        return json_null();
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    return json_string(text);
}

static json_t *box(const uint8_t *at)
{
    uint16_t v[4];

    memcpy(v, at, sizeof(v));
    if (v[2] == 0 || v[3] == 0)
        return json_null();
    return json_pack("{s:i, s:i, s:i, s:i}", "x", (int)v[0], "y", (int)v[1], "w", (int)v[2], "h",
                     (int)v[3]);
}
_Static_assert(offsetof(struct msg_lane_state, box_h) ==
                   offsetof(struct msg_lane_state, box_x) + 3 * sizeof(uint16_t),
               "the box is read as four numbers in a row");

/* Fields lie in the struct as they are; copying avoids any doubt about alignment. */
static uint16_t u16_at(const uint8_t *at)
{
    uint16_t v;

    memcpy(&v, at, sizeof(v));
    return v;
}

static uint32_t u32_at(const uint8_t *at)
{
    uint32_t v;

    memcpy(&v, at, sizeof(v));
    return v;
}

static uint64_t u64_at(const uint8_t *at)
{
    uint64_t v;

    memcpy(&v, at, sizeof(v));
    return v;
}

/* Lines of texts between tabs, as the desk wrote them: an array of objects with these members. */
static json_t *lines(const char *text, const char *const names[3])
{
    json_t *array = json_array();

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        const char *at = text, *end = text + len;
        json_t *one = json_object();

        for (size_t i = 0; i < 3; i++) {
            const char *tab = memchr(at, '\t', (size_t)(end - at));
            const char *stop = tab != NULL && i < 2 ? tab : end;

            (void)json_object_set_new(one, names[i], json_stringn(at, (size_t)(stop - at)));
            at = stop < end ? stop + 1 : end;
        }
        (void)json_array_append_new(array, one);
        text = *end == '\n' ? end + 1 : end;
    }
    return array;
}

static const char *const candidate_names[3] = {"number", "name", "by"};
static const char *const change_names[3] = {"field", "old", "new"};

static json_t *value(const uint8_t *at, enum kind kind)
{
    switch (kind) {
    case KIND_U8:
        return json_integer(*at);
    case KIND_U16:
        return json_integer(u16_at(at));
    case KIND_U32:
        return json_integer(u32_at(at));
    case KIND_I32:
        return json_integer((int32_t)u32_at(at));
    case KIND_TIME:
        return u64_at(at) == 0 ? json_null() : json_integer((json_int_t)u64_at(at));
    case KIND_ID:
        return id(u64_at(at));
    case KIND_TEXT:
        return json_string((const char *)at);
    case KIND_FLAG:
        return json_boolean(*at != 0);
    case KIND_TRIES:
        return *at >= VISIT_TRIES_NO_KEY ? json_null() : json_integer(*at);
    case KIND_STATE:
        return json_string(visit_state_name(*at));
    case KIND_METHOD:
        return json_string(visit_method_name(*at));
    case KIND_OUTCOME:
        return json_string(visit_outcome_name(*at));
    case KIND_GENUINE:
        return json_string(NAMED(genuine_names, *at));
    case KIND_LIVENESS:
        return json_string(NAMED(liveness_names, *at));
    case KIND_LEVEL:
        return json_string(NAMED(level_names, *at));
    case KIND_INSTITUTION:
        return json_string(NAMED(institution_names, *at));
    case KIND_FAILURE:
        return json_failure(u16_at(at), false);
    case KIND_TROUBLE:
        return json_failure(u16_at(at), true);
    case KIND_CONSENTS:
        return bits(visit_consents, VISIT_CONSENTS, u32_at(at));
    case KIND_FLAGS:
        return bits(flag_bits, ROWS(flag_bits), u32_at(at));
    case KIND_KIOSK_OFFERS:
        return offers(u32_at(at), 'K');
    case KIND_BOARD_OFFERS:
        return offers(u32_at(at), 'B');
    case KIND_BLOB:
        return blob(at);
    case KIND_BOX:
        return box(at);
    case KIND_SLIP:
        return json_string(visit_slip_kind_name(*at));
    case KIND_SLIP_STATE:
        return json_string(visit_slip_state_name(*at));
    case KIND_SLIP_CONSENT:
        return json_string(NAMED(slip_consent_names, *at));
    case KIND_MATCH:
        return json_string(visit_match_name(*at));
    case KIND_NUMBER:
        return *at == '\0' ? json_null() : json_string((const char *)at);
    case KIND_CANDIDATES:
        return lines((const char *)at, candidate_names);
    case KIND_CHANGES:
        return lines((const char *)at, change_names);
    case KIND_OUTBOX:
        return json_string(outbox_kind_name(*at));
    case KIND_OUTBOX_STATE:
        return json_string(outbox_state_name(*at));
    case KIND_OUTBOX_CAUSE:
        return json_string(outbox_cause_name(*at));
    case KIND_DISASTER:
        return *at == DISASTER_OFF ? json_null() : json_string(NAMED(disaster_names, *at));
    }
    return NULL;
}

static json_t *object(const struct row *rows, size_t n, const void *message)
{
    json_t *out = json_object();

    for (size_t i = 0; i < n && out != NULL; i++)
        if (json_object_set_new(out, rows[i].name,
                                value((const uint8_t *)message + rows[i].offset, rows[i].kind)) <
            0) {
            json_decref(out);
            out = NULL;
        }
    return out;
}

static json_t *with_left(json_t *lane, uint32_t left_ms)
{
    if (lane != NULL)
        (void)json_object_set_new(lane, "ends_ms",
                                  left_ms == 0 ? json_null() : json_integer(left_ms));
    return lane;
}

/* The kiosk asks in the order of the list; a pharmacy asks for the medicines first. */
static json_t *medicines_first(json_t *lane)
{
    json_t *consents = json_object_get(lane, "consents");

    for (size_t i = 1; i < json_array_size(consents); i++)
        if (strcmp(json_string_value(json_array_get(consents, i)), "drugs") == 0) {
            (void)json_array_insert(consents, 0, json_array_get(consents, i));
            (void)json_array_remove(consents, i + 1);
            break;
        }
    return lane;
}

json_t *json_lane_kiosk(const struct msg_lane_state *lane, uint32_t left_ms)
{
    json_t *view = with_left(object(lane_kiosk_rows, ROWS(lane_kiosk_rows), lane), left_ms);

    return view != NULL && lane->institution_kind == INSTITUTION_PHARMACY ? medicines_first(view)
                                                                          : view;
}

json_t *json_lane_board(const struct msg_lane_state *lane, uint32_t left_ms)
{
    return with_left(object(lane_board_rows, ROWS(lane_board_rows), lane), left_ms);
}

json_t *json_visit(const struct msg_visit_item *visit)
{
    return object(visit_rows, ROWS(visit_rows), visit);
}

json_t *json_slip(const struct msg_slip_item *slip)
{
    return object(slip_rows, ROWS(slip_rows), slip);
}

json_t *json_outbox(const struct msg_outbox_item *item)
{
    return object(outbox_rows, ROWS(outbox_rows), item);
}

json_t *json_disaster(const struct msg_disaster_state *state)
{
    return object(disaster_rows, ROWS(disaster_rows), state);
}

static int named(const char *const *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i], name) == 0)
            return (int)i;
    return -EINVAL;
}

int json_slip_consent(const char *name)
{
    return named(slip_consent_names, ROWS(slip_consent_names), name);
}

int json_disaster_cause(const char *name)
{
    return named(disaster_names, ROWS(disaster_names), name);
}

json_t *json_health(const struct msg_health_item *item)
{
    return object(health_rows, ROWS(health_rows), item);
}

json_t *json_trouble(const struct msg_trouble_item *item)
{
    return object(trouble_rows, ROWS(trouble_rows), item);
}

json_t *json_device(const struct msg_device_item *item)
{
    return object(device_rows, ROWS(device_rows), item);
}

json_t *json_failures(void)
{
    json_t *array = json_array();

    for (unsigned f = FAILURE_NONE + 1; f < FAILURE_COUNT; f++) {
        const struct failure_text *t = failure_text((uint16_t)f);

        (void)json_array_append_new(
            array, json_pack("{s:s, s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s}}", "code", t->code, "name",
                             t->name, "kind", kind_names[t->kind], "patient", "ja", t->patient_ja,
                             "en", t->patient_en, "staff", "ja", t->staff_ja, "en", t->staff_en));
    }
    return array;
}

static bool is_list(const char *name)
{
    size_t len = strlen(name);

    return len > 4 && strcmp(name + len - 4, "List") == 0;
}

static json_t *tree_list(const struct xmlmsg *element)
{
    json_t *array = json_array();

    for (const struct xmlmsg *c = xmlmsg_child(element, NULL); c != NULL;
         c = xmlmsg_next(c, NULL)) {
        json_t *one = json_object();

        (void)json_object_set_new(one, xmlmsg_name(c), json_xmlmsg(c));
        (void)json_array_append_new(array, one);
    }
    return array;
}

json_t *json_xmlmsg(const struct xmlmsg *element)
{
    const char *text = xmlmsg_value(element);
    json_t *out;

    if (text != NULL)
        return json_string(text);
    if (is_list(xmlmsg_name(element)))
        return tree_list(element);
    out = json_object();
    for (const struct xmlmsg *c = xmlmsg_child(element, NULL); c != NULL;
         c = xmlmsg_next(c, NULL)) {
        json_t *made = json_xmlmsg(c);
        json_t *there = json_object_get(out, xmlmsg_name(c));
        bool repeated = there != NULL &&
                        xmlmsg_next(xmlmsg_child(element, xmlmsg_name(c)), xmlmsg_name(c)) != c;

        if (there == NULL) {
            (void)json_object_set_new(out, xmlmsg_name(c), made);
        } else if (repeated) {
            (void)json_array_append_new(there, made);
        } else {
            json_t *array = json_array();

            (void)json_array_append(array, there);
            (void)json_array_append_new(array, made);
            (void)json_object_set_new(out, xmlmsg_name(c), array);
        }
    }
    return out;
}

int json_consents(const json_t *array, uint32_t *out)
{
    *out = 0;
    if (!json_is_array(array) || json_array_size(array) > VISIT_CONSENTS)
        return -EINVAL;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *name = json_string_value(json_array_get(array, i));
        uint32_t bit = name != NULL ? visit_consent_of(name) : 0;

        if (bit == 0)
            return -EINVAL;
        *out |= bit;
    }
    return 0;
}

static bool is_clinical(const char *name)
{
    /* How the names of such elements of the eligibility message begin; reception needs none to
     * settle a bill. */
    static const char *const stems[] = {
        "PharmacistsInfo",  "PharmaceuticalInfo", "SpecificHealthCheckupsInfo",
        "Diagnosis",        "Operation",          "Infectious",
        "Allergy",          "Contraindication",   "TestInfo",
        "PrescriptionInfo", "InjuryName",
    };

    for (size_t i = 0; i < sizeof(stems) / sizeof(stems[0]); i++)
        if (strncmp(name, stems[i], strlen(stems[i])) == 0)
            return true;
    return false;
}

void json_without_clinical(json_t *answer)
{
    const char *name;
    json_t *value;
    void *next;
    size_t i;

    json_object_foreach_safe (answer, next, name, value) {
        if (is_clinical(name))
            (void)json_object_del(answer, name);
        else
            json_without_clinical(value);
    }
    for (i = 0; i < json_array_size(answer); i++)
        json_without_clinical(json_array_get(answer, i));
}
