#include "store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLACE KEYRING_WHO
#define TEXT_MAX 256

/* What the hash of a row covers, in this order; the row before it comes in through seal_chain(). */
struct row {
    uint64_t id;
    int64_t at_us;
    const char *event;
    uint64_t visit;
    uint16_t lane;
    const uint8_t *who;
    size_t who_len;
    const char *detail;
};

static void put_text(struct bytes_writer *w, const void *text, size_t len)
{
    bytes_put_u32le(w, (uint32_t)len);
    bytes_put(w, text, len);
}

static int row_hash(const struct store *store, const uint8_t previous[STORE_HASH],
                    const struct row *row, uint8_t out[STORE_HASH])
{
    uint8_t flat[4 * TEXT_MAX];
    struct bytes_writer w;

    bytes_writer_init(&w, flat, sizeof(flat));
    bytes_put_u64le(&w, row->id);
    bytes_put_u64le(&w, (uint64_t)row->at_us);
    put_text(&w, row->event, strlen(row->event));
    bytes_put_u64le(&w, row->visit);
    bytes_put_u16le(&w, row->lane);
    put_text(&w, row->who, row->who_len);
    put_text(&w, row->detail, strlen(row->detail));
    if (w.failed)
        return -EINVAL;
    return seal_chain(store, previous, flat, w.used, out);
}

/* The head (count and hash of the last row) is sealed in meta: a chain cut short no longer fits it.
 */
static int put_head(struct store *store)
{
    uint8_t head[8 + STORE_HASH];
    uint8_t *sealed = NULL;
    size_t len = 0;
    struct bytes_writer w;
    struct statement s;
    int r;

    bytes_writer_init(&w, head, sizeof(head));
    bytes_put_u64le(&w, store->audit_rows);
    bytes_put(&w, store->audit_hash, STORE_HASH);
    r = seal_close(store, "meta.audit_head", 0, head, w.used, &sealed, &len);
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_META_PUT);
    statement_text(&s, "audit_head");
    statement_blob(&s, sealed, len);
    r = statement_run(&s);
    seal_free(&sealed, len);
    return r;
}

int audit_seed(struct store *store)
{
    return put_head(store);
}

int audit_start(struct store *store)
{
    struct statement s;
    uint8_t *head = NULL;
    size_t len = 0;
    int r;

    statement_start(&s, store, QUERY_META_GET);
    statement_text(&s, "audit_head");
    r = statement_step(&s);
    if (r > 0) {
        size_t sealed_len;
        const uint8_t *sealed = statement_get_blob(&s, &sealed_len);
        struct bytes_reader in;

        r = statement_error(&s);
        if (r == 0)
            r = seal_open(store, "meta.audit_head", 0, sealed, sealed_len, &head, &len);
        bytes_reader_init(&in, head, len);
        store->audit_rows = bytes_u64le(&in);
        if (r == 0 && in.left == STORE_HASH)
            memcpy(store->audit_hash, bytes_take(&in, STORE_HASH), STORE_HASH);
        else if (r == 0)
            r = -EBADMSG;
        seal_free(&head, len);
    } else if (r == 0) {
        r = -EBADMSG; /* every database has one from its first day: it was taken out */
    }
    return statement_end(&s, r);
}

static int add(struct store *store, const struct row *row)
{
    uint8_t hash[STORE_HASH];
    struct statement s;
    int r = row_hash(store, store->audit_hash, row, hash);

    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_AUDIT_ADD);
    statement_int(&s, (int64_t)row->id);
    statement_int(&s, row->at_us);
    statement_text(&s, row->event);
    statement_int(&s, (int64_t)row->visit);
    statement_int(&s, row->lane);
    statement_blob(&s, row->who, row->who_len);
    statement_text(&s, row->detail);
    statement_blob(&s, hash, sizeof(hash));
    r = statement_run(&s);
    if (r < 0)
        return r;
    store->audit_rows = row->id;
    memcpy(store->audit_hash, hash, STORE_HASH);
    return put_head(store);
}

int store_audit(struct store *store, const char *event, uint64_t visit, uint16_t lane,
                const char *who, const char *detail)
{
    struct row row = {
        .id = store->audit_rows + 1,
        .at_us = (int64_t)clock_realtime_us(store->clock),
        .event = event,
        .visit = visit,
        .lane = lane,
        .detail = detail,
    };
    uint8_t *sealed = NULL;
    bool alone;
    int r = 0;

    if (strlen(event) > TEXT_MAX || strlen(detail) > TEXT_MAX || strlen(who) > TEXT_MAX)
        return -EINVAL;
    if (who[0] != '\0')
        r = seal_close(store, PLACE, row.id, who, strlen(who), &sealed, &row.who_len);
    row.who = sealed;
    if (r == 0)
        r = store_enter(store, &alone);
    if (r == 0)
        r = store_leave(store, alone, add(store, &row));
    seal_free(&sealed, row.who_len);
    return r;
}

/*
 * Reads one row; false when a value is none that store_audit() writes, which the hash, taken over
 * what is read, would not show: a lane beyond 16 bits, text behind a NUL, an empty name.
 */
static bool read_row(struct statement *s, struct row *row, char event[TEXT_MAX + 1],
                     char detail[TEXT_MAX + 1])
{
    int64_t lane;
    bool whole;

    row->id = (uint64_t)statement_get_int(s);
    row->at_us = statement_get_int(s);
    whole = statement_get_text(s, event, TEXT_MAX + 1);
    row->visit = (uint64_t)statement_get_int(s);
    lane = statement_get_int(s);
    row->lane = (uint16_t)lane;
    row->who = statement_get_blob(s, &row->who_len);
    whole = statement_get_text(s, detail, TEXT_MAX + 1) && whole;
    row->event = event;
    row->detail = detail;
    return whole && lane == row->lane && (row->who == NULL || row->who_len > 0);
}

/* The row that is next in the chain; -EBADMSG when it is not. */
static int walk_row(struct store *store, struct store_audit_walk *walk, struct statement *s)
{
    char event[TEXT_MAX + 1], detail[TEXT_MAX + 1];
    uint8_t hash[STORE_HASH];
    const uint8_t *stored;
    size_t len;
    struct row row;
    bool whole = read_row(s, &row, event, detail);
    int r;

    stored = statement_get_blob(s, &len);
    r = statement_error(s);
    if (r < 0)
        return r;
    r = whole ? row_hash(store, walk->hash, &row, hash) : -EBADMSG;
    walk->rows++;
    if (r < 0 || row.id != walk->rows || len != STORE_HASH ||
        memcmp(stored, hash, STORE_HASH) != 0) {
        walk->bad_row = walk->rows;
        return -EBADMSG;
    }
    memcpy(walk->hash, hash, STORE_HASH);
    return 0;
}

int store_audit_walk_step(struct store *store, struct store_audit_walk *walk, unsigned most)
{
    struct statement s;
    unsigned seen = 0;
    int r;

    statement_start(&s, store, QUERY_AUDIT_WALK_FROM);
    statement_int(&s, (int64_t)walk->rows);
    statement_int(&s, most);
    while ((r = statement_step(&s)) > 0) {
        r = walk_row(store, walk, &s);
        if (r < 0)
            break;
        seen++;
    }
    r = statement_end(&s, r);
    if (r < 0)
        return r;
    if (seen == most)
        return 1;
    if (walk->rows != store->audit_rows || memcmp(walk->hash, store->audit_hash, STORE_HASH) != 0) {
        walk->bad_row = walk->rows + 1; /* the end was cut off */
        return -EBADMSG;
    }
    return 0;
}

int store_audit_verify(struct store *store, uint64_t *rows, uint64_t *bad_row)
{
    struct store_audit_walk walk = {0};
    int r;

    do
        r = store_audit_walk_step(store, &walk, 1024);
    while (r > 0);
    *rows = walk.rows;
    *bad_row = walk.bad_row;
    return r;
}

int store_audit_anchor(struct store *store, uint64_t row, struct store_audit_anchor *out)
{
    struct statement s;
    int r;

    out->row = row != 0 ? row : store->audit_rows;
    statement_start(&s, store, QUERY_AUDIT_HASH);
    statement_int(&s, (int64_t)out->row);
    r = statement_step(&s);
    if (r > 0) {
        struct bytes_reader in;
        size_t len;
        const uint8_t *hash = statement_get_blob(&s, &len);

        r = statement_error(&s);
        bytes_reader_init(&in, hash, hash != NULL ? len : 0);
        out->high = bytes_u64be(&in);
        out->low = bytes_u64be(&in);
        if (r == 0 && in.failed)
            r = -EBADMSG;
    } else if (r == 0) {
        r = -ENOENT;
    }
    return statement_end(&s, r);
}
