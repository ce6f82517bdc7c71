/* Slips and disaster mode: what was accepted without an answer, and by whose word. */
#include "store_internal.h"

#include "../common/log.h"

#include <errno.h>
#include <string.h>

#define PLACE "slips.payload"
#define PLACE_DISASTER "disasters.payload"

/* The sealed part of a slip, field by field: the order is the format (version 1). */
struct text_field {
    size_t offset;
    size_t size;
};
#define FIELD(member)                                                                              \
    {                                                                                              \
        offsetof(struct store_slip, member), sizeof(((struct store_slip *)0)->member)              \
    }
static const struct text_field texts[] = {
    FIELD(name),
    FIELD(kana),
    FIELD(birth),
    FIELD(sex),
    FIELD(address),
    FIELD(phone),
    FIELD(insured),
    FIELD(ratio),
    FIELD(valid_from),
    FIELD(valid_until),
    FIELD(note),
    FIELD(different),
    FIELD(staff),
    FIELD(ended_by),
    FIELD(numbers.insurer),
    FIELD(numbers.symbol),
    FIELD(numbers.number),
    FIELD(numbers.branch),
    FIELD(numbers.birth),
};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))
#define PAYLOAD_MAX (sizeof(struct store_slip) + 64)

int store_slip_put(struct store *store, const struct store_slip *slip)
{
    uint8_t payload[PAYLOAD_MAX];
    uint8_t *sealed = NULL;
    size_t sealed_len = 0;
    struct bytes_writer w;
    struct statement s;
    int r;

    bytes_writer_init(&w, payload, sizeof(payload));
    bytes_put_u8(&w, 1);
    for (size_t i = 0; i < TEXTS; i++)
        bytes_put_text(&w, (const char *)slip + texts[i].offset, texts[i].size);
    r = w.failed ? -EINVAL
                 : seal_close(store, PLACE, slip->visit, payload, w.used, &sealed, &sealed_len);
    explicit_bzero(payload, sizeof(payload));
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_SLIP_PUT);
    statement_int(&s, (int64_t)slip->visit);
    statement_int(&s, slip->lane);
    statement_int(&s, slip->kind);
    statement_int(&s, slip->state);
    statement_int(&s, failure_to_store(slip->failure));
    statement_int(&s, slip->consent);
    statement_int(&s, slip->numbers_known);
    statement_int(&s, slip->tries);
    statement_text(&s, slip->date);
    statement_int(&s, slip->filed_us);
    statement_int(&s, slip->asked_us);
    statement_int(&s, slip->ended_us);
    statement_blob(&s, sealed, sealed_len);
    r = statement_run(&s);
    seal_free(&sealed, sealed_len);
    return r;
}

static int unpack(struct store_slip *slip, const uint8_t *data, size_t len)
{
    struct bytes_reader r;

    bytes_reader_init(&r, data, len);
    if (bytes_u8(&r) != 1)
        return -EBADMSG;
    for (size_t i = 0; i < TEXTS; i++)
        if (!bytes_text(&r, bytes_u16le(&r), (char *)slip + texts[i].offset, texts[i].size))
            return -EBADMSG;
    return bytes_done(&r) ? 0 : -EBADMSG;
}

static int read_row(struct statement *s, struct store_slip *slip)
{
    const uint8_t *sealed;
    uint8_t *payload = NULL;
    size_t sealed_len, len = 0;
    int r;

    memset(slip, 0, sizeof(*slip));
    slip->visit = (uint64_t)statement_get_int(s);
    slip->lane = (uint16_t)statement_get_int(s);
    slip->kind = (uint8_t)statement_get_int(s);
    slip->state = (uint8_t)statement_get_int(s);
    slip->failure = failure_from_store(statement_get_int(s));
    slip->consent = (uint8_t)statement_get_int(s);
    slip->numbers_known = (uint8_t)statement_get_int(s);
    slip->tries = (uint32_t)statement_get_int(s);
    statement_get_text(s, slip->date, sizeof(slip->date));
    slip->filed_us = statement_get_int(s);
    slip->asked_us = statement_get_int(s);
    slip->ended_us = statement_get_int(s);
    sealed = statement_get_blob(s, &sealed_len);
    r = statement_error(s);
    if (r == 0)
        r = seal_open(s->store, PLACE, slip->visit, sealed, sealed_len, &payload, &len);
    if (r == 0)
        r = unpack(slip, payload, len);
    seal_free(&payload, len);
    return r;
}

int store_slip_load(struct store *store, uint64_t visit, struct store_slip *out)
{
    struct statement s;
    int r;

    statement_start(&s, store, QUERY_SLIP_LOAD);
    statement_int(&s, (int64_t)visit);
    r = statement_step(&s);
    if (r > 0)
        r = read_row(&s, out);
    else if (r == 0)
        r = -ENOENT;
    return statement_end(&s, r);
}

int store_slips(struct store *store, enum store_slips which, uint64_t before, uint32_t limit,
                store_slip_fn *each, void *arg)
{
    static const enum store_query queries[] = {[STORE_SLIPS_ALL] = QUERY_SLIPS_ALL,
                                               [STORE_SLIPS_OPEN] = QUERY_SLIPS_OPEN,
                                               [STORE_SLIPS_WAITING] = QUERY_SLIPS_WAITING};
    struct store_slip slip;
    struct statement s;
    uint32_t rows = 0;
    int r;

    statement_start(&s, store, queries[which]);
    statement_int(&s, limit);
    if (which != STORE_SLIPS_WAITING)
        statement_int(&s, (int64_t)before);
    while ((r = statement_step(&s)) > 0) {
        rows++;
        r = read_row(&s, &slip);
        if (r == -EBADMSG) {
            /* One damaged row must not keep the others from being asked. */
            log_event(LOG_LEVEL_ERROR, "a slip's row cannot be opened",
                      LOG_NUMBER("visit", slip.visit));
            continue;
        }
        if (r < 0 || each(&slip, arg) != 0)
            break;
    }
    explicit_bzero(&slip, sizeof(slip));
    return statement_end(&s, r < 0 ? r : rows == limit);
}

/* ---- disaster mode --------------------------------------------------------------------------- */

int store_disaster_end(struct store *store, int64_t now_us)
{
    struct statement s;

    statement_start(&s, store, QUERY_DISASTER_END);
    statement_int(&s, now_us);
    return statement_run(&s);
}

static int put(struct store *store, const struct store_disaster *disaster)
{
    uint8_t payload[sizeof(*disaster) + 16];
    uint8_t *sealed = NULL;
    size_t sealed_len = 0;
    struct bytes_writer w;
    struct statement s;
    int r = store_disaster_end(store, disaster->since_us);

    if (r < 0)
        return r;
    bytes_writer_init(&w, payload, sizeof(payload));
    bytes_put_u8(&w, 1);
    bytes_put_text(&w, disaster->word, sizeof(disaster->word));
    bytes_put_text(&w, disaster->staff, sizeof(disaster->staff));
    /* Sealed to the time it began, which no other has. */
    r = w.failed ? -EINVAL
                 : seal_close(store, PLACE_DISASTER, (uint64_t)disaster->since_us, payload, w.used,
                              &sealed, &sealed_len);
    explicit_bzero(payload, sizeof(payload));
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_DISASTER_PUT);
    statement_int(&s, disaster->cause);
    statement_int(&s, disaster->since_us);
    statement_int(&s, disaster->until_us);
    statement_blob(&s, sealed, sealed_len);
    r = statement_run(&s);
    seal_free(&sealed, sealed_len);
    return r;
}

int store_disaster_put(struct store *store, const struct store_disaster *disaster)
{
    bool alone;
    int r = store_enter(store, &alone);

    return r < 0 ? r : store_leave(store, alone, put(store, disaster));
}

int store_disaster_open(struct store *store, struct store_disaster *out)
{
    struct statement s;
    struct bytes_reader reader;
    const uint8_t *sealed;
    uint8_t *payload = NULL;
    size_t sealed_len, len = 0;
    int r;

    memset(out, 0, sizeof(*out));
    statement_start(&s, store, QUERY_DISASTER_OPEN);
    r = statement_step(&s);
    if (r <= 0)
        return statement_end(&s, r == 0 ? -ENOENT : r);
    out->cause = (uint8_t)statement_get_int(&s);
    out->since_us = statement_get_int(&s);
    out->until_us = statement_get_int(&s);
    sealed = statement_get_blob(&s, &sealed_len);
    r = statement_error(&s);
    if (r == 0)
        r = seal_open(store, PLACE_DISASTER, (uint64_t)out->since_us, sealed, sealed_len, &payload,
                      &len);
    if (r == 0) {
        bytes_reader_init(&reader, payload, len);
        if (bytes_u8(&reader) != 1 ||
            !bytes_text(&reader, bytes_u16le(&reader), out->word, sizeof(out->word)) ||
            !bytes_text(&reader, bytes_u16le(&reader), out->staff, sizeof(out->staff)) ||
            !bytes_done(&reader))
            r = -EBADMSG;
    }
    seal_free(&payload, len);
    return statement_end(&s, r);
}
