/* The outbox: what is to be handed over, and how far it has come. */
#include "outbox.h"
#include "store_internal.h"

#include "../common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLACE "outbox.payload"

void store_outbox_free(struct store_outbox *entry)
{
    if (entry->tree != NULL)
        explicit_bzero(entry->tree, entry->tree_len);
    free(entry->tree);
    explicit_bzero(entry, sizeof(*entry));
}

/* Version 1: detail, staff, tree. */
static int seal(struct store *store, const struct store_outbox *entry, uint8_t **sealed,
                size_t *len)
{
    size_t size = sizeof(entry->detail) + sizeof(entry->staff) + entry->tree_len + 16;
    uint8_t *payload;
    struct bytes_writer w;
    int r;

    *sealed = NULL;
    *len = 0;
    if (entry->state == OUTBOX_DONE && entry->detail[0] == '\0' && entry->staff[0] == '\0')
        return 0;
    if (entry->tree_len > STORE_OUTBOX_TREE_MAX)
        return -EINVAL;
    payload = malloc(size);
    if (payload == NULL)
        return -ENOMEM;
    bytes_writer_init(&w, payload, size);
    bytes_put_u8(&w, 1);
    bytes_put_text(&w, entry->detail, sizeof(entry->detail));
    bytes_put_text(&w, entry->staff, sizeof(entry->staff));
    /* Whoever was to have it has it. */
    if (entry->state != OUTBOX_DONE && entry->tree_len > 0)
        bytes_put(&w, entry->tree, entry->tree_len);
    r = w.failed ? -EINVAL : seal_close(store, PLACE, entry->id, payload, w.used, sealed, len);
    explicit_bzero(payload, size);
    free(payload);
    return r;
}

/* A name space of its own among what is hashed for look-ups. */
static int hash_same(const struct store *store, const struct store_outbox *entry,
                     uint8_t out[STORE_HASH])
{
    size_t size = sizeof(entry->target) + entry->tree_len + 16;
    uint8_t *plain = malloc(size);
    struct bytes_writer w;
    int r;

    if (plain == NULL)
        return -ENOMEM;
    bytes_writer_init(&w, plain, size);
    bytes_put(&w, "outbox", 6);
    bytes_put_text(&w, entry->target, sizeof(entry->target));
    bytes_put(&w, entry->tree, entry->tree_len);
    r = w.failed ? -EINVAL : seal_subject(store, plain, w.used, out);
    explicit_bzero(plain, size);
    free(plain);
    return r;
}

int store_outbox_save(struct store *store, const struct store_outbox *entry)
{
    const bool found_by_content =
        entry->kind == OUTBOX_REFERENCE && entry->state != OUTBOX_DONE && entry->tree_len > 0;
    uint8_t hash[STORE_HASH];
    uint8_t *sealed = NULL;
    size_t len = 0;
    struct statement s;
    int r = found_by_content ? hash_same(store, entry, hash) : 0;

    if (r == 0)
        r = seal(store, entry, &sealed, &len);
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_OUTBOX_SAVE);
    statement_int(&s, (int64_t)entry->id);
    statement_int(&s, entry->state);
    statement_int(&s, failure_to_store(entry->failure));
    statement_int(&s, entry->tries);
    statement_text(&s, entry->name);
    statement_text(&s, entry->mark);
    statement_int(&s, entry->tried_us);
    statement_int(&s, entry->due_us);
    statement_int(&s, entry->ended_us);
    statement_blob(&s, sealed, len);
    statement_blob(&s, found_by_content ? hash : NULL, sizeof(hash));
    r = statement_run(&s);
    seal_free(&sealed, len);
    return r;
}

static int add(struct store *store, struct store_outbox *entry)
{
    struct statement s;
    int r;

    entry->made_us = (int64_t)clock_realtime_us(store->clock);
    statement_start(&s, store, QUERY_OUTBOX_ADD);
    statement_int(&s, (int64_t)entry->visit);
    statement_text(&s, entry->target);
    statement_int(&s, entry->kind);
    statement_int(&s, entry->cause);
    if (entry->answer != 0)
        statement_int(&s, (int64_t)entry->answer);
    else
        statement_blob(&s, NULL, 0);
    statement_text(&s, entry->name);
    statement_int(&s, entry->made_us);
    r = statement_run(&s);
    if (r < 0)
        return r;
    if (sqlite3_changes(store->db) == 0)
        return -EEXIST;
    /* Sealed to its row, so the row must be there first. */
    entry->id = (uint64_t)sqlite3_last_insert_rowid(store->db);
    return store_outbox_save(store, entry);
}

int store_outbox_add(struct store *store, struct store_outbox *entry)
{
    bool alone;
    int r = store_enter(store, &alone);

    if (r < 0)
        return r;
    r = add(store, entry);
    /* Nothing was written, and what else the step writes stands. */
    if (r == -EEXIST)
        return store_leave(store, alone, 0) < 0 ? -EIO : -EEXIST;
    return store_leave(store, alone, r);
}

static int unpack(struct store_outbox *out, const uint8_t *data, size_t len)
{
    struct bytes_reader r;

    bytes_reader_init(&r, data, len);
    if (bytes_u8(&r) != 1 || !bytes_text(&r, bytes_u16le(&r), out->detail, sizeof(out->detail)) ||
        !bytes_text(&r, bytes_u16le(&r), out->staff, sizeof(out->staff)))
        return -EBADMSG;
    if (r.left == 0)
        return 0;
    out->tree = malloc(r.left);
    if (out->tree == NULL)
        return -ENOMEM;
    memcpy(out->tree, r.at, r.left);
    out->tree_len = r.left;
    return 0;
}

/* What does not open is said, and left empty: the rest of the row still tells staff what it was. */
static int open_sealed(struct statement *s, struct store_outbox *out)
{
    const uint8_t *sealed;
    uint8_t *payload = NULL;
    size_t sealed_len, len = 0;
    int r;

    sealed = statement_get_blob(s, &sealed_len);
    r = statement_error(s);
    if (r < 0 || sealed == NULL)
        return r;
    r = seal_open(s->store, PLACE, out->id, sealed, sealed_len, &payload, &len);
    if (r == 0)
        r = unpack(out, payload, len);
    seal_free(&payload, len);
    if (r == -EBADMSG) {
        explicit_bzero(out->detail, sizeof(out->detail));
        explicit_bzero(out->staff, sizeof(out->staff));
        out->damaged = true;
        log_event(LOG_LEVEL_ERROR, "an entry of the outbox cannot be opened",
                  LOG_NUMBER("entry", out->id));
        r = 0;
    }
    return r;
}

static int read_row(struct statement *s, struct store_outbox *out)
{
    int r;

    memset(out, 0, sizeof(*out));
    out->id = (uint64_t)statement_get_int(s);
    out->visit = (uint64_t)statement_get_int(s);
    statement_get_text(s, out->target, sizeof(out->target));
    out->kind = (uint8_t)statement_get_int(s);
    out->cause = (uint8_t)statement_get_int(s);
    out->state = (uint8_t)statement_get_int(s);
    out->failure = failure_from_store(statement_get_int(s));
    out->tries = (uint32_t)statement_get_int(s);
    out->answer = (uint64_t)statement_get_int(s);
    statement_get_text(s, out->name, sizeof(out->name));
    statement_get_text(s, out->mark, sizeof(out->mark));
    out->made_us = statement_get_int(s);
    out->tried_us = statement_get_int(s);
    out->due_us = statement_get_int(s);
    out->ended_us = statement_get_int(s);
    r = open_sealed(s, out);
    if (r < 0)
        store_outbox_free(out);
    return r;
}

int store_outbox_load(struct store *store, uint64_t id, struct store_outbox *out)
{
    struct statement s;
    int r;

    memset(out, 0, sizeof(*out));
    statement_start(&s, store, QUERY_OUTBOX_LOAD);
    statement_int(&s, (int64_t)id);
    r = statement_step(&s);
    if (r > 0)
        r = read_row(&s, out);
    else if (r == 0)
        r = -ENOENT;
    return statement_end(&s, r);
}

/* 1: `limit` rows were read (0: it has no limit of interest). */
static int walk(struct statement *s, uint32_t limit, store_outbox_fn *each, void *arg)
{
    struct store_outbox entry;
    uint32_t rows = 0;
    int r, stop;

    while ((r = statement_step(s)) > 0) {
        rows++;
        r = read_row(s, &entry);
        if (r < 0)
            break;
        stop = each(&entry, arg);
        store_outbox_free(&entry);
        if (stop != 0)
            break;
    }
    return statement_end(s, r < 0 ? r : limit > 0 && rows == limit);
}

int store_outbox_next(struct store *store, const char *target, int64_t now_us, uint32_t limit,
                      store_outbox_fn *each, void *arg)
{
    struct statement s;

    statement_start(&s, store, QUERY_OUTBOX_NEXT);
    statement_text(&s, target);
    statement_int(&s, now_us);
    statement_int(&s, limit);
    return walk(&s, 0, each, arg);
}

int store_outbox_due(struct store *store, const char *target, int64_t *due_us)
{
    struct statement s;

    statement_start(&s, store, QUERY_OUTBOX_DUE);
    statement_text(&s, target);
    return statement_run_int(&s, due_us);
}

int store_outboxes(struct store *store, enum store_outboxes which, uint64_t before, uint32_t limit,
                   store_outbox_fn *each, void *arg)
{
    static const enum store_query queries[] = {[STORE_OUTBOX_ALL] = QUERY_OUTBOX_ALL,
                                               [STORE_OUTBOX_OPEN] = QUERY_OUTBOX_OPEN,
                                               [STORE_OUTBOX_BEGUN] = QUERY_OUTBOX_BEGUN};
    struct statement s;

    statement_start(&s, store, queries[which]);
    if (which != STORE_OUTBOX_BEGUN) {
        statement_int(&s, limit);
        statement_int(&s, (int64_t)before);
    }
    return walk(&s, limit, each, arg);
}

int store_outbox_same(struct store *store, const struct store_outbox *entry, store_outbox_fn *each,
                      void *arg)
{
    uint8_t hash[STORE_HASH];
    struct statement s;
    int r = hash_same(store, entry, hash);

    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_OUTBOX_SAME);
    statement_text(&s, entry->target);
    statement_blob(&s, hash, sizeof(hash));
    return walk(&s, 0, each, arg);
}

int store_outbox_of_visit(struct store *store, uint64_t visit, store_outbox_fn *each, void *arg)
{
    struct statement s;

    statement_start(&s, store, QUERY_OUTBOX_VISIT);
    statement_int(&s, (int64_t)visit);
    return walk(&s, 0, each, arg);
}

int store_outbox_counts(struct store *store, struct store_outbox_counts *out)
{
    struct statement s;
    int r;

    memset(out, 0, sizeof(*out));
    statement_start(&s, store, QUERY_OUTBOX_COUNTS);
    while ((r = statement_step(&s)) > 0) {
        int64_t kind = statement_get_int(&s), state = statement_get_int(&s);

        if (kind < 0 || kind >= OUTBOX_KIND_COUNT || state < 0 || state >= OUTBOX_STATE_COUNT)
            continue;
        out->count[kind][state] = (uint64_t)statement_get_int(&s);
        out->oldest_us[kind][state] = statement_get_int(&s);
    }
    return statement_end(&s, r < 0 ? r : 0);
}

int store_outbox_retire(struct store *store, int64_t before_us, unsigned most)
{
    struct statement s;
    int r;

    statement_start(&s, store, QUERY_OUTBOX_RETIRE);
    statement_int(&s, before_us);
    statement_int(&s, most);
    r = statement_run(&s);
    return r < 0 ? r : sqlite3_changes(store->db);
}
