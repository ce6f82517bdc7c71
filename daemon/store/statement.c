#include "store_internal.h"

#include "../common/log.h"

#include <errno.h>
#include <string.h>

int store_errno(struct store *store, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
        return 0;
    log_event(LOG_LEVEL_ERROR, "database error",
              LOG_NUMBER("sqlite", sqlite3_extended_errcode(store->db)));
    return (rc & 0xff) == SQLITE_FULL ? -ENOSPC : (rc & 0xff) == SQLITE_NOMEM ? -ENOMEM : -EIO;
}

void statement_start(struct statement *s, struct store *store, enum store_query query)
{
    *s = (struct statement){.store = store, .stmt = store->queries[query], .rc = SQLITE_OK};
}

static void bound(struct statement *s, int rc)
{
    if (s->rc == SQLITE_OK)
        s->rc = rc;
}

void statement_int(struct statement *s, int64_t value)
{
    bound(s, sqlite3_bind_int64(s->stmt, ++s->bound, value));
}

void statement_text(struct statement *s, const char *value)
{
    bound(s, sqlite3_bind_text(s->stmt, ++s->bound, value, -1, SQLITE_STATIC));
}

void statement_blob(struct statement *s, const void *data, size_t len)
{
    bound(s, sqlite3_bind_blob64(s->stmt, ++s->bound, data, len, SQLITE_STATIC));
}

int statement_step(struct statement *s)
{
    /*
     * After some errors (no memory, a full disk) SQLite rolls back by itself. What came after it in
     * the same step, for whoever took the error for "there is none", would be committed one by one,
     * and the step half done.
     */
    if (s->store->in_transaction && sqlite3_get_autocommit(s->store->db) != 0)
        s->rc = SQLITE_ABORT;
    if (s->rc == SQLITE_OK || s->rc == SQLITE_ROW)
        s->rc = sqlite3_step(s->stmt);
    s->read = 0;
    if (s->rc == SQLITE_ROW)
        return 1;
    return store_errno(s->store, s->rc);
}

int64_t statement_get_int(struct statement *s)
{
    return sqlite3_column_int64(s->stmt, s->read++);
}

/* A value that is not there because there was no memory for it must not be taken for NULL. */
static void lost(struct statement *s)
{
    if (sqlite3_errcode(s->store->db) == SQLITE_NOMEM)
        s->rc = SQLITE_NOMEM;
}

bool statement_get_text(struct statement *s, char *out, size_t size)
{
    const unsigned char *text = sqlite3_column_text(s->stmt, s->read);
    size_t stored = (size_t)sqlite3_column_bytes(s->stmt, s->read++);
    size_t len = text != NULL ? strnlen((const char *)text, size - 1) : 0;

    if (len > 0)
        memcpy(out, text, len);
    out[len] = '\0';
    if (text == NULL)
        lost(s);
    return len == stored;
}

const uint8_t *statement_get_blob(struct statement *s, size_t *len)
{
    static const uint8_t empty[1];
    const uint8_t *data = sqlite3_column_blob(s->stmt, s->read);

    *len = (size_t)sqlite3_column_bytes(s->stmt, s->read);
    if (data == NULL && sqlite3_column_type(s->stmt, s->read) != SQLITE_NULL)
        data = empty;
    if (data == NULL)
        lost(s);
    s->read++;
    return data;
}

int statement_error(struct statement *s)
{
    return store_errno(s->store, s->rc);
}

int statement_end(struct statement *s, int r)
{
    (void)sqlite3_reset(s->stmt);
    (void)sqlite3_clear_bindings(s->stmt);
    return r;
}

int statement_run(struct statement *s)
{
    int r = statement_step(s);

    return statement_end(s, r > 0 ? 0 : r);
}

int statement_run_int(struct statement *s, int64_t *out)
{
    int r = statement_step(s);

    if (r > 0) {
        r = sqlite3_column_type(s->stmt, 0) == SQLITE_NULL ? -ENOENT : 0;
        *out = statement_get_int(s);
    } else if (r == 0) {
        r = -ENOENT;
    }
    return statement_end(s, r);
}
