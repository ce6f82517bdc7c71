/* The audit log, to be read by a person (audit.c writes and walks it). */
#include "store_internal.h"

#include <errno.h>
#include <string.h>

/* What was changed in the file is for the walk to find; the row is shown all the same. */
static int read_who(const struct store *store, struct statement *s, struct store_audit_row *row)
{
    size_t sealed_len, len = 0;
    const uint8_t *sealed = statement_get_blob(s, &sealed_len);
    uint8_t *who = NULL;
    int r = statement_error(s);

    row->who[0] = '\0';
    if (r < 0 || sealed == NULL)
        return r;
    r = seal_open(store, KEYRING_WHO, row->id, sealed, sealed_len, &who, &len);
    if (r == 0 && len <= STORE_AUDIT_TEXT) {
        memcpy(row->who, who, len);
        row->who[len] = '\0';
    } else if (r == 0 || r == -EBADMSG) {
        (void)strcpy(row->who, "?");
        r = 0;
    }
    seal_free(&who, len);
    return r;
}

static int read_row(const struct store *store, struct statement *s, struct store_audit_row *row)
{
    int r;

    row->id = (uint64_t)statement_get_int(s);
    row->at_us = statement_get_int(s);
    (void)statement_get_text(s, row->event, sizeof(row->event));
    row->visit = (uint64_t)statement_get_int(s);
    row->lane = (uint16_t)statement_get_int(s);
    r = read_who(store, s, row);
    (void)statement_get_text(s, row->detail, sizeof(row->detail));
    return r < 0 ? r : statement_error(s);
}

int store_audit_rows(struct store *store, uint64_t before, uint32_t limit, store_audit_fn *each,
                     void *arg)
{
    struct store_audit_row row;
    struct statement s;
    int r;

    statement_start(&s, store, QUERY_AUDIT_BEFORE);
    statement_int(&s, before != 0 && before < INT64_MAX ? (int64_t)before : INT64_MAX);
    statement_int(&s, limit);
    while ((r = statement_step(&s)) > 0) {
        r = read_row(store, &s, &row);
        if (r < 0 || each(&row, arg) != 0)
            break;
    }
    explicit_bzero(&row, sizeof(row));
    return statement_end(&s, r < 0 ? r : 0);
}
