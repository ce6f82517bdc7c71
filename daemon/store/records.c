/* Links, consents and asks: the small tables. */
#include "store_internal.h"

#include <errno.h>
#include <string.h>

/* A link has no row number: its keyed hash is its place, so the first eight bytes bind the seal. */
static uint64_t link_row(const uint8_t hash[STORE_HASH])
{
    struct bytes_reader r;

    bytes_reader_init(&r, hash, STORE_HASH);
    return bytes_u64le(&r);
}

struct text_field {
    size_t offset;
    size_t size;
};
#define FIELD(member)                                                                              \
    {                                                                                              \
        offsetof(struct store_numbers, member), sizeof(((struct store_numbers *)0)->member)        \
    }
static const struct text_field numbers_fields[] = {
    FIELD(insurer), FIELD(symbol), FIELD(number), FIELD(branch), FIELD(birth),
};
#define NUMBERS (sizeof(numbers_fields) / sizeof(numbers_fields[0]))

int store_link_put(struct store *store, const uint8_t subject[32],
                   const struct store_numbers *numbers)
{
    uint8_t plain[sizeof(*numbers) + 32];
    uint8_t hash[STORE_HASH];
    uint8_t *sealed = NULL;
    size_t sealed_len = 0;
    struct bytes_writer w;
    struct statement s;
    int r;

    bytes_writer_init(&w, plain, sizeof(plain));
    for (size_t i = 0; i < NUMBERS; i++) {
        const char *text = (const char *)numbers + numbers_fields[i].offset;
        size_t n = strnlen(text, numbers_fields[i].size);

        w.failed = w.failed || n == numbers_fields[i].size;
        bytes_put_u8(&w, (uint8_t)n);
        bytes_put(&w, text, n);
    }
    r = w.failed ? -EINVAL : seal_subject(store, subject, STORE_HASH, hash);
    if (r == 0)
        r = seal_close(store, "links.payload", link_row(hash), plain, w.used, &sealed, &sealed_len);
    explicit_bzero(plain, sizeof(plain));
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_LINK_PUT);
    statement_blob(&s, hash, sizeof(hash));
    statement_int(&s, (int64_t)clock_realtime_us(store->clock));
    statement_blob(&s, sealed, sealed_len);
    r = statement_run(&s);
    seal_free(&sealed, sealed_len);
    return r;
}

static int unpack_numbers(struct store_numbers *out, const uint8_t *data, size_t len)
{
    struct bytes_reader r;

    bytes_reader_init(&r, data, len);
    for (size_t i = 0; i < NUMBERS; i++)
        if (!bytes_text(&r, bytes_u8(&r), (char *)out + numbers_fields[i].offset,
                        numbers_fields[i].size))
            return -EBADMSG;
    return bytes_done(&r) ? 0 : -EBADMSG;
}

int store_link_get(struct store *store, const uint8_t subject[32], struct store_numbers *out)
{
    uint8_t hash[STORE_HASH];
    uint8_t *plain = NULL;
    size_t len = 0;
    struct statement s;
    int r = seal_subject(store, subject, STORE_HASH, hash);

    memset(out, 0, sizeof(*out));
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_LINK_GET);
    statement_blob(&s, hash, sizeof(hash));
    r = statement_step(&s);
    if (r > 0) {
        size_t sealed_len;
        const uint8_t *sealed = statement_get_blob(&s, &sealed_len);

        r = statement_error(&s);
        if (r == 0)
            r = seal_open(store, "links.payload", link_row(hash), sealed, sealed_len, &plain, &len);
        if (r == 0)
            r = unpack_numbers(out, plain, len);
        seal_free(&plain, len);
    } else if (r == 0) {
        r = -ENOENT;
    }
    return statement_end(&s, r);
}

int store_consent_put(struct store *store, uint64_t visit, uint32_t bit, bool given, int64_t at_us,
                      int64_t until_us)
{
    struct statement s;

    statement_start(&s, store, QUERY_CONSENT_PUT);
    statement_int(&s, (int64_t)visit);
    statement_int(&s, bit);
    statement_int(&s, given);
    statement_int(&s, at_us);
    statement_int(&s, until_us);
    return statement_run(&s);
}

int store_consents_answered(struct store *store, uint64_t visit)
{
    struct statement s;
    int r;

    statement_start(&s, store, QUERY_CONSENTS_ANSWERED);
    statement_int(&s, (int64_t)visit);
    r = statement_step(&s);
    if (r > 0)
        r = statement_get_int(&s) > 0;
    return statement_end(&s, r);
}

int store_ask_begin(struct store *store, struct store_ask *ask)
{
    struct statement s;
    int r;

    ask->asked_us = (int64_t)clock_realtime_us(store->clock);
    ask->ended_us = 0;
    ask->outcome = 255;
    statement_start(&s, store, QUERY_ASK_BEGIN);
    statement_int(&s, (int64_t)ask->visit);
    statement_int(&s, ask->kind);
    statement_int(&s, ask->writes);
    statement_text(&s, ask->correlation);
    statement_int(&s, ask->asked_us);
    r = statement_run(&s);
    if (r == 0)
        ask->id = (uint64_t)sqlite3_last_insert_rowid(store->db);
    return r;
}

int store_ask_end(struct store *store, uint64_t id, uint8_t outcome)
{
    struct statement s;
    int r;

    statement_start(&s, store, QUERY_ASK_END);
    statement_int(&s, (int64_t)id);
    statement_int(&s, (int64_t)clock_realtime_us(store->clock));
    statement_int(&s, outcome);
    r = statement_run(&s);
    return r == 0 && sqlite3_changes(store->db) != 1 ? -ENOENT : r;
}

static int read_ask(struct statement *s, struct store_ask *ask)
{
    memset(ask, 0, sizeof(*ask));
    ask->id = (uint64_t)statement_get_int(s);
    ask->visit = (uint64_t)statement_get_int(s);
    ask->kind = (uint8_t)statement_get_int(s);
    ask->writes = (uint8_t)statement_get_int(s);
    statement_get_text(s, ask->correlation, sizeof(ask->correlation));
    ask->asked_us = statement_get_int(s);
    ask->ended_us = statement_get_int(s);
    ask->outcome = (uint8_t)statement_get_int(s);
    return statement_error(s);
}

int store_ask_find(struct store *store, const char *correlation, struct store_ask *out)
{
    struct statement s;
    int r;

    statement_start(&s, store, QUERY_ASK_FIND);
    statement_text(&s, correlation);
    r = statement_step(&s);
    if (r > 0)
        r = read_ask(&s, out);
    else if (r == 0)
        r = -ENOENT;
    return statement_end(&s, r);
}

int store_asks_open(struct store *store, store_ask_fn *each, void *arg)
{
    struct statement s;
    int r;

    statement_start(&s, store, QUERY_ASKS_OPEN);
    while ((r = statement_step(&s)) > 0) {
        struct store_ask ask;

        r = read_ask(&s, &ask);
        if (r < 0 || each(&ask, arg) != 0)
            break;
    }
    return statement_end(&s, r < 0 ? r : 0);
}
