/* New keys: the master key at once, the payload key row by row while the desk works. */
#include "store_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Every column that is sealed under the payload key. A value is bound to its row: to the row's
 * number, or where the row has none to the first eight bytes of its key. meta.audit_head is written
 * anew by each audit row. (tests/unit/test_store_keys.c holds this table against the schema.)
 */
static const struct sealed_column {
    const char *place;
    const char *next; /* ?1 the last key (row number or blob), ?2 how many: key, value; in the order
                         of keys */
    const char *update; /* ?1 key, ?2 value */
    bool by_blob;
} columns[] = {
    {"visits.payload", "SELECT id, payload FROM visits WHERE id > ?1 ORDER BY id LIMIT ?2",
     "UPDATE visits SET payload = ?2 WHERE id = ?1", false},
    {"answers.tree", "SELECT id, tree FROM answers WHERE id > ?1 ORDER BY id LIMIT ?2",
     "UPDATE answers SET tree = ?2 WHERE id = ?1", false},
    {"answers.raw", "SELECT id, raw FROM answers WHERE id > ?1 ORDER BY id LIMIT ?2",
     "UPDATE answers SET raw = ?2 WHERE id = ?1", false},
    {"links.payload",
     "SELECT subject_hash, payload FROM links WHERE subject_hash > ?1 ORDER BY subject_hash LIMIT "
     "?2",
     "UPDATE links SET payload = ?2 WHERE subject_hash = ?1", true},
    {"slips.payload", "SELECT visit, payload FROM slips WHERE visit > ?1 ORDER BY visit LIMIT ?2",
     "UPDATE slips SET payload = ?2 WHERE visit = ?1", false},
    {"outbox.payload", "SELECT id, payload FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2",
     "UPDATE outbox SET payload = ?2 WHERE id = ?1", false},
    {"disasters.payload",
     "SELECT since_us, payload FROM disasters WHERE since_us > ?1 ORDER BY since_us LIMIT ?2",
     "UPDATE disasters SET payload = ?2 WHERE since_us = ?1", false},
    {"patients.payload", "SELECT id, payload FROM patients WHERE id > ?1 ORDER BY id LIMIT ?2",
     "UPDATE patients SET payload = ?2 WHERE id = ?1", false},
    {"accounts.payload",
     "SELECT name_hash, payload FROM accounts WHERE name_hash > ?1 ORDER BY name_hash LIMIT ?2",
     "UPDATE accounts SET payload = ?2 WHERE name_hash = ?1", true},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

struct store_rotation {
    struct store *store;
    size_t column;
    int64_t after; /* the last row number, or */
    uint8_t after_blob[STORE_HASH];
    size_t after_blob_len;
    uint64_t done;
};

/* The ring is changed in memory and in the database, or in neither. */
static int save_ring(struct store *store, struct keyring *before)
{
    bool alone;
    int r = store_enter(store, &alone);

    if (r == 0)
        r = store_leave(store, alone, keyring_save(store));
    if (r < 0) {
        keyring_free(&store->ring);
        store->ring = *before;
    } else {
        keyring_free(before);
    }
    return r;
}

int store_rekey(struct store *store, const struct secret *master)
{
    struct secret wrap = {0}, backup = {0}, old_wrap = store->wrap_key;
    bool alone;
    int r = seal_derive(master, STORE_WRAP, &wrap);

    if (r == 0)
        r = seal_derive(master, STORE_BACKUP, &backup);
    if (r == 0)
        r = store_enter(store, &alone);
    if (r == 0) {
        store->wrap_key = wrap;
        r = store_leave(store, alone, keyring_save(store));
        if (r < 0)
            store->wrap_key = old_wrap;
    }
    if (r < 0) {
        secret_free(&wrap);
        secret_free(&backup);
        return r;
    }
    secret_free(&old_wrap);
    secret_free(&store->backup_key);
    store->backup_key = backup;
    return 0;
}

bool store_rotating(const struct store *store)
{
    return store->ring.payloads > 1;
}

int store_rotation_begin(struct store_rotation **out, struct store *store)
{
    struct store_rotation *rotation = calloc(1, sizeof(*rotation));
    struct keyring before = {0};
    int r = rotation == NULL ? -ENOMEM : 0;

    *out = NULL;
    if (r == 0 && !store_rotating(store)) { /* else one is taken up again, from the first row */
        r = keyring_copy(&before, &store->ring);
        if (r == 0)
            r = keyring_add(&store->ring);
        if (r == 0)
            r = save_ring(store, &before);
        else
            keyring_free(&before);
    }
    if (r < 0) {
        free(rotation);
        return r;
    }
    rotation->store = store;
    *out = rotation;
    return 0;
}

void store_rotation_free(struct store_rotation **rotation)
{
    free(*rotation);
    *rotation = NULL;
}

static int reseal(struct store_rotation *rotation, const struct sealed_column *column,
                  sqlite3_stmt *update, sqlite3_stmt *row)
{
    struct store *store = rotation->store;
    const uint8_t *sealed = sqlite3_column_blob(row, 1);
    size_t len = (size_t)sqlite3_column_bytes(row, 1), plain_len = 0, fresh_len = 0;
    uint8_t *plain = NULL, *fresh = NULL;
    uint64_t bind = (uint64_t)sqlite3_column_int64(row, 0);
    int r;

    if (column->by_blob) {
        struct bytes_reader in;

        bytes_reader_init(&in, sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0));
        bind = bytes_u64le(&in);
    }
    if (sealed == NULL || len == 0 || sealed[0] == store->ring.payload[0].generation)
        return 0;
    r = seal_open(store, column->place, bind, sealed, len, &plain, &plain_len);
    if (r == -EBADMSG)
        return 0; /* a damaged row stays as it is: what it was cannot be known, and it is told when
                     it is read */
    if (r == 0)
        r = seal_close(store, column->place, bind, plain, plain_len, &fresh, &fresh_len);
    seal_free(&plain, plain_len);
    if (r < 0)
        return r;
    if (sqlite3_bind_value(update, 1, sqlite3_column_value(row, 0)) != SQLITE_OK ||
        sqlite3_bind_blob(update, 2, fresh, (int)fresh_len, SQLITE_STATIC) != SQLITE_OK)
        r = -ENOMEM;
    else if (sqlite3_step(update) != SQLITE_DONE)
        r = -EIO;
    (void)sqlite3_reset(update);
    (void)sqlite3_clear_bindings(update);
    seal_free(&fresh, fresh_len);
    rotation->done += r == 0;
    return r;
}

static void remember(struct store_rotation *rotation, const struct sealed_column *column,
                     sqlite3_stmt *row)
{
    size_t len;

    if (!column->by_blob) {
        rotation->after = sqlite3_column_int64(row, 0);
        return;
    }
    len = (size_t)sqlite3_column_bytes(row, 0);
    rotation->after_blob_len =
        len < sizeof(rotation->after_blob) ? len : sizeof(rotation->after_blob);
    memcpy(rotation->after_blob, sqlite3_column_blob(row, 0), rotation->after_blob_len);
}

/* Some rows of the present column; *more: there may be others. */
static int some_rows(struct store_rotation *rotation, unsigned most, bool *more)
{
    const struct sealed_column *column = &columns[rotation->column];
    struct store *store = rotation->store;
    sqlite3_stmt *next = NULL, *update = NULL;
    unsigned seen = 0;
    int rc, r = 0;

    if (sqlite3_prepare_v2(store->db, column->next, -1, &next, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(store->db, column->update, -1, &update, NULL) != SQLITE_OK)
        r = -EIO;
    if (r == 0) {
        rc = column->by_blob ? sqlite3_bind_blob(next, 1, rotation->after_blob,
                                                 (int)rotation->after_blob_len, SQLITE_STATIC)
                             : sqlite3_bind_int64(next, 1, rotation->after);
        if (rc != SQLITE_OK || sqlite3_bind_int64(next, 2, most) != SQLITE_OK)
            r = -ENOMEM;
    }
    while (r == 0 && (rc = sqlite3_step(next)) != SQLITE_DONE) {
        r = rc == SQLITE_ROW ? reseal(rotation, column, update, next) : -EIO;
        if (r == 0)
            remember(rotation, column, next);
        seen += r == 0;
    }
    (void)sqlite3_finalize(next);
    (void)sqlite3_finalize(update);
    *more = seen == most;
    return r;
}

static int finish(struct store_rotation *rotation)
{
    struct store *store = rotation->store;
    struct keyring before = {0};
    char detail[32];
    bool alone;
    int r = keyring_copy(&before, &store->ring);

    if (r < 0) {
        keyring_free(&before);
        return r;
    }
    (void)snprintf(detail, sizeof(detail), "generation %u", store->ring.payload[0].generation);
    keyring_drop_old(&store->ring);
    r = store_enter(store, &alone);
    if (r == 0) {
        /* The audit row also writes the chain's head anew, under the key that stays. */
        r = store_audit(store, "key_rotated", 0, 0, "", detail);
        if (r == 0)
            r = keyring_save(store);
        r = store_leave(store, alone, r);
    }
    if (r < 0) {
        keyring_free(&store->ring);
        store->ring = before;
        return r;
    }
    keyring_free(&before);
    /* What the log of writes still holds of the old values goes too. */
    (void)sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return 0;
}

int store_rotation_step(struct store_rotation *rotation, unsigned most, uint64_t *done)
{
    struct store_rotation at = *rotation;
    bool alone, more = false;
    int r;

    if (rotation->column < COLUMNS) {
        r = store_enter(rotation->store, &alone);
        if (r == 0)
            r = store_leave(rotation->store, alone, some_rows(rotation, most, &more));
        if (r < 0) {
            *rotation = at; /* nothing of this step is on the disk */
            return r;
        }
        if (!more) {
            rotation->column++;
            rotation->after = 0;
            rotation->after_blob_len = 0;
        }
    }
    *done = rotation->done;
    if (rotation->column < COLUMNS)
        return 1;
    return finish(rotation);
}
