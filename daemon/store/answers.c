#include "store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLACE_TREE "answers.tree"
#define PLACE_RAW "answers.raw"

static int put(struct store *store, struct store_subject subject, struct store_answer *answer)
{
    uint8_t hash[STORE_HASH];
    uint8_t *tree = NULL, *raw = NULL;
    size_t tree_len = 0, raw_len = 0;
    struct statement s;
    int r;

    if (answer->tree == NULL)
        return -EINVAL;
    r = seal_subject(store, subject.data, subject.len, hash);
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_ANSWER_INSERT);
    statement_blob(&s, hash, sizeof(hash));
    statement_text(&s, answer->institution);
    statement_text(&s, answer->date);
    statement_int(&s, answer->consents);
    statement_int(&s, answer->usable);
    statement_int(&s, failure_to_store(answer->failure));
    statement_int(&s, answer->answered_us);
    statement_int(&s, answer->available_until_us);
    r = statement_run(&s);
    if (r < 0)
        return r;
    answer->id = (uint64_t)sqlite3_last_insert_rowid(store->db);
    /* Sealed to its row, so the row must be there first. */
    r = seal_close(store, PLACE_TREE, answer->id, answer->tree, answer->tree_len, &tree, &tree_len);
    if (r == 0 && answer->raw != NULL)
        r = seal_close(store, PLACE_RAW, answer->id, answer->raw, answer->raw_len, &raw, &raw_len);
    if (r == 0) {
        statement_start(&s, store, QUERY_ANSWER_SEAL);
        statement_int(&s, (int64_t)answer->id);
        statement_blob(&s, tree, tree_len);
        statement_blob(&s, raw, raw_len);
        r = statement_run(&s);
    }
    seal_free(&tree, tree_len);
    seal_free(&raw, raw_len);
    return r;
}

int store_answer_put(struct store *store, struct store_subject subject, struct store_answer *answer)
{
    bool alone;
    int r = store_enter(store, &alone);

    return r < 0 ? r : store_leave(store, alone, put(store, subject, answer));
}

static int read_row(struct statement *s, struct store_answer *out)
{
    const uint8_t *sealed;
    size_t len;
    int r;

    memset(out, 0, sizeof(*out));
    out->id = (uint64_t)statement_get_int(s);
    statement_get_text(s, out->institution, sizeof(out->institution));
    statement_get_text(s, out->date, sizeof(out->date));
    out->consents = (uint32_t)statement_get_int(s);
    out->usable = (uint8_t)statement_get_int(s);
    out->failure = failure_from_store(statement_get_int(s));
    out->answered_us = statement_get_int(s);
    out->available_until_us = statement_get_int(s);
    sealed = statement_get_blob(s, &len);
    r = statement_error(s);
    if (r == 0)
        r = seal_open(s->store, PLACE_TREE, out->id, sealed, len, &out->tree, &out->tree_len);
    sealed = statement_get_blob(s, &len);
    if (r == 0)
        r = statement_error(s);
    if (r == 0 && sealed != NULL)
        r = seal_open(s->store, PLACE_RAW, out->id, sealed, len, &out->raw, &out->raw_len);
    if (r < 0)
        store_answer_free(out);
    return r;
}

static int read_one(struct statement *s, struct store_answer *out)
{
    int r = statement_step(s);

    memset(out, 0, sizeof(*out));
    if (r > 0)
        r = read_row(s, out);
    else if (r == 0)
        r = -ENOENT;
    return statement_end(s, r);
}

int store_answer_today(struct store *store, struct store_subject subject, const char *institution,
                       const char *date, uint32_t consents, struct store_answer *out)
{
    uint8_t hash[STORE_HASH];
    struct statement s;
    int r = seal_subject(store, subject.data, subject.len, hash);

    memset(out, 0, sizeof(*out));
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_ANSWER_TODAY);
    statement_blob(&s, hash, sizeof(hash));
    statement_text(&s, institution);
    statement_text(&s, date);
    statement_int(&s, consents);
    return read_one(&s, out);
}

int store_answer_last(struct store *store, struct store_subject subject, const char *institution,
                      const char *until, struct store_answer *out)
{
    uint8_t hash[STORE_HASH];
    struct statement s;
    int r = seal_subject(store, subject.data, subject.len, hash);

    memset(out, 0, sizeof(*out));
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_ANSWER_LAST);
    statement_blob(&s, hash, sizeof(hash));
    statement_text(&s, institution);
    statement_text(&s, until);
    return read_one(&s, out);
}

int store_answer_load(struct store *store, uint64_t id, struct store_answer *out)
{
    struct statement s;

    statement_start(&s, store, QUERY_ANSWER_LOAD);
    statement_int(&s, (int64_t)id);
    return read_one(&s, out);
}

void store_answer_free(struct store_answer *answer)
{
    seal_free(&answer->tree, answer->tree_len);
    seal_free(&answer->raw, answer->raw_len);
    memset(answer, 0, sizeof(*answer));
}

int store_answer_due(struct store *store, int64_t now_us, uint64_t *id, uint8_t **tree, size_t *len)
{
    struct statement s;
    int r;

    *tree = NULL;
    *len = 0;
    statement_start(&s, store, QUERY_ANSWERS_DUE);
    statement_int(&s, now_us);
    statement_int(&s, INT64_MAX);
    while ((r = statement_step(&s)) > 0) {
        const uint8_t *sealed;
        size_t sealed_len;

        *id = (uint64_t)statement_get_int(&s);
        sealed = statement_get_blob(&s, &sealed_len);
        r = statement_error(&s);
        if (r == 0)
            r = seal_open(store, PLACE_TREE, *id, sealed, sealed_len, tree, len);
        if (r != -EBADMSG) /* a damaged one is left to store_purge() */
            return statement_end(&s, r < 0 ? r : 1);
    }
    return statement_end(&s, r);
}

int store_answers_end(struct store *store, int64_t *end_us)
{
    struct statement s;

    statement_start(&s, store, QUERY_ANSWERS_END);
    return statement_run_int(&s, end_us);
}

int store_answer_replace(struct store *store, uint64_t id, const void *tree, size_t len,
                         int64_t available_until_us)
{
    struct statement s;
    uint8_t *sealed = NULL;
    size_t sealed_len = 0;
    int r = seal_close(store, PLACE_TREE, id, tree, len, &sealed, &sealed_len);

    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_ANSWER_REPLACE);
    statement_int(&s, (int64_t)id);
    statement_blob(&s, sealed, sealed_len);
    statement_int(&s, available_until_us);
    r = statement_run(&s);
    seal_free(&sealed, sealed_len);
    return r;
}
