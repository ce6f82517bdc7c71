#include "store_internal.h"

#include "../common/log.h"

#include <errno.h>
#include <string.h>

#define PLACE "visits.payload"

/* The sealed part, field by field: the order is the format. Version 1 had the first eleven. */
struct text_field {
    size_t offset;
    size_t size;
};
#define FIELD(member)                                                                              \
    {                                                                                              \
        offsetof(struct store_visit, member), sizeof(((struct store_visit *)0)->member)            \
    }
static const struct text_field sealed_texts[] = {
    FIELD(person.name),
    FIELD(person.kana),
    FIELD(person.birth),
    FIELD(person.sex),
    FIELD(person.reference),
    FIELD(person.insurer),
    FIELD(validity),
    FIELD(ratio),
    FIELD(limit_class),
    FIELD(notice),
    FIELD(staff),
    FIELD(proxy),
    FIELD(relation),
    FIELD(patient),
    FIELD(alias),
    FIELD(candidates),
    FIELD(since),
    FIELD(changes),
};
#define TEXTS (sizeof(sealed_texts) / sizeof(sealed_texts[0]))
#define VERSION 3
/* By version: 2 has who came for the patient, 3 who it is in the clinic's books. */
static const size_t texts_of[VERSION + 1] = {0, 11, 13, TEXTS};
#define PAYLOAD_MAX (sizeof(struct store_visit) + 64)

static int pack(const struct store_visit *visit, uint8_t *out, size_t size, size_t *len)
{
    struct bytes_writer w;

    bytes_writer_init(&w, out, size);
    bytes_put_u8(&w, VERSION);
    bytes_put_u8(&w, visit->has_subject);
    if (visit->has_subject)
        bytes_put(&w, visit->subject, sizeof(visit->subject));
    for (size_t i = 0; i < TEXTS; i++) {
        const char *text = (const char *)visit + sealed_texts[i].offset;
        size_t n = strnlen(text, sealed_texts[i].size);

        if (n == sealed_texts[i].size)
            return -EINVAL;
        bytes_put_u16le(&w, (uint16_t)n);
        bytes_put(&w, text, n);
    }
    bytes_put_u8(&w, visit->match);
    *len = w.used;
    return w.failed ? -EINVAL : 0;
}

static int unpack(struct store_visit *visit, const uint8_t *data, size_t len)
{
    struct bytes_reader r;
    uint8_t version;

    bytes_reader_init(&r, data, len);
    version = bytes_u8(&r);
    if (version < 1 || version > VERSION)
        return -EBADMSG;
    visit->has_subject = bytes_u8(&r) == 1;
    if (visit->has_subject) {
        const uint8_t *subject = bytes_take(&r, sizeof(visit->subject));

        if (subject != NULL)
            memcpy(visit->subject, subject, sizeof(visit->subject));
    }
    for (size_t i = 0; i < texts_of[version]; i++) {
        size_t n = bytes_u16le(&r);
        const uint8_t *text = bytes_take(&r, n);
        char *to = (char *)visit + sealed_texts[i].offset;

        if (text == NULL || n >= sealed_texts[i].size)
            return -EBADMSG;
        memcpy(to, text, n);
        to[n] = '\0';
    }
    if (version >= 3)
        visit->match = bytes_u8(&r);
    return bytes_done(&r) ? 0 : -EBADMSG;
}

int store_visit_open(struct store *store, struct store_visit *visit)
{
    visit->opened_us = (int64_t)clock_realtime_us(store->clock);
    visit->closed_us = 0;
    return store_visit_record(store, visit);
}

int store_visit_record(struct store *store, struct store_visit *visit)
{
    struct statement s;
    bool alone;
    int r = store_enter(store, &alone);

    if (r < 0)
        return r;
    visit->step = 0;
    statement_start(&s, store, QUERY_VISIT_OPEN);
    statement_int(&s, visit->lane);
    statement_int(&s, visit->opened_us);
    r = statement_run(&s);
    if (r == 0) {
        visit->id = (uint64_t)sqlite3_last_insert_rowid(store->db);
        r = store_visit_save(store, visit);
    }
    return store_leave(store, alone, r);
}

int store_visit_save(struct store *store, struct store_visit *visit)
{
    uint8_t payload[PAYLOAD_MAX];
    uint8_t hash[STORE_HASH];
    uint8_t *sealed = NULL;
    size_t len = 0, sealed_len = 0;
    struct statement s;
    int r;

    r = pack(visit, payload, sizeof(payload), &len);
    if (r == 0)
        r = seal_close(store, PLACE, visit->id, payload, len, &sealed, &sealed_len);
    if (r == 0 && visit->has_subject)
        r = seal_subject(store, visit->subject, sizeof(visit->subject), hash);
    explicit_bzero(payload, sizeof(payload));
    if (r < 0)
        goto done;
    statement_start(&s, store, QUERY_VISIT_SAVE);
    statement_int(&s, (int64_t)visit->id);
    statement_int(&s, visit->lane);
    statement_int(&s, visit->state);
    statement_int(&s, visit->method);
    statement_int(&s, visit->outcome);
    statement_int(&s, failure_to_store(visit->failure));
    statement_int(&s, visit->flags);
    statement_int(&s, visit->step + 1);
    statement_int(&s, visit->closed_us);
    statement_int(&s, visit->record);
    statement_int(&s, visit->challenge);
    statement_int(&s, visit->liveness);
    statement_int(&s, visit->score_milli);
    statement_int(&s, visit->consents);
    statement_int(&s, visit->face_failed);
    statement_int(&s, visit->card_ms);
    statement_int(&s, visit->photo_ms);
    statement_int(&s, visit->face_ms);
    statement_int(&s, visit->pin_ms);
    statement_int(&s, visit->ask_ms);
    statement_int(&s, visit->total_ms);
    statement_int(&s, visit->apdus);
    statement_int(&s, visit->frames);
    if (visit->answer != 0)
        statement_int(&s, (int64_t)visit->answer);
    else
        statement_blob(&s, NULL, 0);
    statement_blob(&s, visit->has_subject ? hash : NULL, sizeof(hash));
    statement_blob(&s, sealed, sealed_len);
    r = statement_run(&s);
    if (r == 0 && sqlite3_changes(store->db) != 1)
        r = -ENOENT;
    if (r == 0)
        visit->step++;
done:
    seal_free(&sealed, sealed_len);
    return r;
}

static int read_row(struct statement *s, struct store_visit *visit)
{
    const uint8_t *sealed;
    uint8_t *payload = NULL;
    size_t sealed_len, len = 0;
    int r;

    memset(visit, 0, sizeof(*visit));
    visit->id = (uint64_t)statement_get_int(s);
    visit->lane = (uint16_t)statement_get_int(s);
    visit->state = (uint8_t)statement_get_int(s);
    visit->method = (uint8_t)statement_get_int(s);
    visit->outcome = (uint8_t)statement_get_int(s);
    visit->failure = failure_from_store(statement_get_int(s));
    visit->flags = (uint32_t)statement_get_int(s);
    visit->step = (uint32_t)statement_get_int(s);
    visit->opened_us = statement_get_int(s);
    visit->closed_us = statement_get_int(s);
    visit->record = (uint8_t)statement_get_int(s);
    visit->challenge = (uint8_t)statement_get_int(s);
    visit->liveness = (uint8_t)statement_get_int(s);
    visit->score_milli = (int32_t)statement_get_int(s);
    visit->consents = (uint32_t)statement_get_int(s);
    visit->face_failed = (uint8_t)statement_get_int(s);
    visit->card_ms = (uint32_t)statement_get_int(s);
    visit->photo_ms = (uint32_t)statement_get_int(s);
    visit->face_ms = (uint32_t)statement_get_int(s);
    visit->pin_ms = (uint32_t)statement_get_int(s);
    visit->ask_ms = (uint32_t)statement_get_int(s);
    visit->total_ms = (uint32_t)statement_get_int(s);
    visit->apdus = (uint32_t)statement_get_int(s);
    visit->frames = (uint32_t)statement_get_int(s);
    visit->answer = (uint64_t)statement_get_int(s);
    sealed = statement_get_blob(s, &sealed_len);
    r = statement_error(s);
    if (r == 0)
        r = seal_open(s->store, PLACE, visit->id, sealed, sealed_len, &payload, &len);
    if (r == 0)
        r = unpack(visit, payload, len);
    seal_free(&payload, len);
    return r;
}

int store_visit_load(struct store *store, uint64_t id, struct store_visit *out)
{
    struct statement s;
    int r;

    statement_start(&s, store, QUERY_VISIT_LOAD);
    statement_int(&s, (int64_t)id);
    r = statement_step(&s);
    if (r > 0)
        r = read_row(&s, out);
    else if (r == 0)
        r = -ENOENT;
    return statement_end(&s, r);
}

int store_visits(struct store *store, int64_t since_us, int64_t until_us, uint64_t before,
                 uint32_t limit, bool open_only, store_visit_fn *each, void *arg)
{
    struct store_visit visit;
    struct statement s;
    uint32_t rows = 0;
    int r;

    statement_start(&s, store, open_only ? QUERY_VISITS_OPEN : QUERY_VISITS_BETWEEN);
    statement_int(&s, since_us);
    statement_int(&s, until_us);
    statement_int(&s, limit);
    if (!open_only)
        statement_int(&s, (int64_t)before);
    while ((r = statement_step(&s)) > 0) {
        rows++;
        r = read_row(&s, &visit);
        if (r == -EBADMSG) {
            /* One damaged row must not close the whole reception; it is told, and the others are
             * shown. */
            log_event(LOG_LEVEL_ERROR, "a visit's row cannot be opened",
                      LOG_NUMBER("visit", visit.id));
            continue;
        }
        if (r < 0 || each(&visit, arg) != 0)
            break;
    }
    explicit_bzero(&visit, sizeof(visit));
    return statement_end(&s, r < 0 ? r : rows == limit);
}

int store_visits_again(struct store *store, const uint8_t subject[32], int64_t since_us,
                       uint64_t but, uint32_t *count)
{
    uint8_t hash[STORE_HASH];
    struct statement s;
    int r = seal_subject(store, subject, STORE_HASH, hash);

    *count = 0;
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_VISITS_AGAIN);
    statement_blob(&s, hash, sizeof(hash));
    statement_int(&s, since_us);
    statement_int(&s, (int64_t)but);
    r = statement_step(&s);
    if (r > 0)
        *count = (uint32_t)statement_get_int(&s);
    return statement_end(&s, r < 0 ? r : 0);
}
