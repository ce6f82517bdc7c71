#include "store_internal.h"

#include "../common/log.h"
#include "sql_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const query_names[QUERY_COUNT] = {
    [QUERY_META_GET] = "meta_get",
    [QUERY_META_PUT] = "meta_put",
    [QUERY_META_DELETE] = "meta_delete",
    [QUERY_VISIT_OPEN] = "visit_open",
    [QUERY_VISIT_SAVE] = "visit_save",
    [QUERY_VISIT_LOAD] = "visit_load",
    [QUERY_VISITS_BETWEEN] = "visits_between",
    [QUERY_VISITS_OPEN] = "visits_open",
    [QUERY_ANSWER_INSERT] = "answer_insert",
    [QUERY_ANSWER_SEAL] = "answer_seal",
    [QUERY_ANSWER_TODAY] = "answer_today",
    [QUERY_ANSWER_LAST] = "answer_last",
    [QUERY_ANSWER_LOAD] = "answer_load",
    [QUERY_ANSWER_PURGE] = "answer_purge",
    [QUERY_ANSWERS_DUE] = "answers_due",
    [QUERY_ANSWERS_END] = "answers_end",
    [QUERY_ANSWER_REPLACE] = "answer_replace",
    [QUERY_LINK_PUT] = "link_put",
    [QUERY_LINK_GET] = "link_get",
    [QUERY_CONSENT_PUT] = "consent_put",
    [QUERY_CONSENTS_ANSWERED] = "consents_answered",
    [QUERY_CONSENT_PURGE] = "consent_purge",
    [QUERY_ASK_BEGIN] = "ask_begin",
    [QUERY_ASK_END] = "ask_end",
    [QUERY_ASKS_OPEN] = "asks_open",
    [QUERY_ASK_FIND] = "ask_find",
    [QUERY_AUDIT_ADD] = "audit_add",
    [QUERY_AUDIT_WALK_FROM] = "audit_walk_from",
    [QUERY_AUDIT_HASH] = "audit_hash",
    [QUERY_AUDIT_BEFORE] = "audit_before",
    [QUERY_VISIT_RETIRE] = "visit_retire",
    [QUERY_ANSWER_RETIRE] = "answer_retire",
    [QUERY_ACCOUNT_PUT] = "account_put",
    [QUERY_ACCOUNT_GET] = "account_get",
    [QUERY_ACCOUNTS_ALL] = "accounts_all",
    [QUERY_ACCOUNT_DELETE] = "account_delete",
    [QUERY_COUNTS] = "counts",
    [QUERY_SLIP_PUT] = "slip_put",
    [QUERY_SLIP_LOAD] = "slip_load",
    [QUERY_SLIPS_ALL] = "slips_all",
    [QUERY_SLIPS_OPEN] = "slips_open",
    [QUERY_SLIPS_WAITING] = "slips_waiting",
    [QUERY_DISASTER_PUT] = "disaster_put",
    [QUERY_DISASTER_END] = "disaster_end",
    [QUERY_DISASTER_OPEN] = "disaster_open",
    [QUERY_VISITS_AGAIN] = "visits_again",
    [QUERY_PATIENT_INSERT] = "patient_insert",
    [QUERY_PATIENT_SAVE] = "patient_save",
    [QUERY_PATIENT_LOAD] = "patient_load",
    [QUERY_PATIENT_BY_NUMBER] = "patient_by_number",
    [QUERY_PATIENT_KEY_PUT] = "patient_key_put",
    [QUERY_PATIENT_KEY_DROP] = "patient_key_drop",
    [QUERY_PATIENT_KEY_FIND] = "patient_key_find",
    [QUERY_RELAY_KEPT_PUT] = "relay_kept_put",
    [QUERY_TROUBLE_ADD] = "trouble_add",
    [QUERY_TROUBLES_SINCE] = "troubles_since",
    [QUERY_TROUBLE_RETIRE] = "trouble_retire",
    [QUERY_PATIENT_RETIRE] = "patient_retire",
    [QUERY_LINK_RETIRE] = "link_retire",
    [QUERY_RELAY_KEPT_RETIRE] = "relay_kept_retire",
    [QUERY_OUTBOX_ADD] = "outbox_add",
    [QUERY_OUTBOX_SAVE] = "outbox_save",
    [QUERY_OUTBOX_LOAD] = "outbox_load",
    [QUERY_OUTBOX_NEXT] = "outbox_next",
    [QUERY_OUTBOX_DUE] = "outbox_due",
    [QUERY_OUTBOX_ALL] = "outbox_all",
    [QUERY_OUTBOX_OPEN] = "outbox_open",
    [QUERY_OUTBOX_VISIT] = "outbox_visit",
    [QUERY_OUTBOX_BEGUN] = "outbox_begun",
    [QUERY_OUTBOX_COUNTS] = "outbox_counts",
    [QUERY_OUTBOX_RETIRE] = "outbox_retire",
    [QUERY_OUTBOX_SAME] = "outbox_same",
};

/*
 * FULL: a commit is on the disk when it returns, also through a power cut. secure_delete: what is
 * purged leaves no bytes in free pages. trusted_schema, cell_size_check: a damaged file is found,
 * not obeyed.
 */
static const char settings[] = "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = FULL;"
                               "PRAGMA foreign_keys = ON;"
                               "PRAGMA secure_delete = ON;"
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA cell_size_check = ON;"
                               "PRAGMA temp_store = MEMORY;";

static void say(char **message, const char *ja, const char *en, const char *detail)
{
    free(*message);
    if (asprintf(message, "%s / %s (%s)", ja, en, detail) < 0)
        *message = NULL;
}

static int run_sql(struct store *store, const char *sql)
{
    return store_errno(store, sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

static int64_t user_version(struct store *store)
{
    sqlite3_stmt *stmt = NULL;
    int64_t version = -1;

    if (sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        version = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return version;
}

static int newest_migration(void)
{
    int newest = 0;

    for (const struct sql_text *t = sql_texts; t->kind != SQL_END; t++)
        if (t->kind == SQL_MIGRATION && atoi(t->name) > newest)
            newest = atoi(t->name);
    return newest;
}

/* What to do about an error of SQLite's, in words. */
static int say_sqlite(struct store *store, int rc, char **message)
{
    static const struct {
        int rc;
        const char *ja;
        const char *en;
    } words[] = {
        {SQLITE_NOTADB, "データベースが壊れています。バックアップから戻してください",
         "the database is damaged; restore a backup"},
        {SQLITE_CORRUPT, "データベースが壊れています。バックアップから戻してください",
         "the database is damaged; restore a backup"},
        {SQLITE_FULL, "ディスクがいっぱいです。空きを作ってください",
         "the disk is full; make room"},
        {SQLITE_BUSY, "データベースを別のプログラムが使っています。止めてください",
         "another program uses the database; stop it"},
        {SQLITE_OK, "データベースを開けません。場所と権限を確かめてください",
         "the database cannot be opened; check the path and its permissions"},
    };
    size_t i = 0;

    while (words[i].rc != SQLITE_OK && words[i].rc != (rc & 0xff))
        i++;
    say(message, words[i].ja, words[i].en,
        store->db != NULL ? sqlite3_errmsg(store->db) : "out of memory");
    if (store->db == NULL)
        return -ENOMEM;
    rc = store_errno(store, rc);
    return rc < 0 ? rc
                  : -EIO; /* whoever comes here could not go on, whatever SQLite remembers of it */
}

static int prepare_one(struct store *store, enum store_query query, char **message)
{
    const struct sql_text *t = sql_texts;
    int rc;

    while (t->kind != SQL_END && (t->kind != SQL_QUERY || strcmp(t->name, query_names[query]) != 0))
        t++;
    if (t->kind == SQL_END || store->queries[query] != NULL)
        return t->kind == SQL_END ? -EINVAL : 0;
    rc = sqlite3_prepare_v3(store->db, t->text, -1, SQLITE_PREPARE_PERSISTENT,
                            &store->queries[query], NULL);
    if (rc == SQLITE_OK)
        return 0;
    if (rc != SQLITE_ERROR)
        return say_sqlite(store, rc, message);
    say(message, "データベースの形が想定と違います。バックアップから戻してください",
        "the database has an unexpected shape; restore a backup", query_names[query]);
    return -EIO;
}

static int prepare(struct store *store, char **message)
{
    int r = 0;

    for (int i = 0; i < QUERY_COUNT && r == 0; i++)
        r = prepare_one(store, (enum store_query)i, message);
    return r;
}

#define PROOF_PLACE "meta.key_check"
#define PROOF_NAME "key_check"

/* A database from before there was a key ring holds a proof that its keys come from this master
 * key. */
static int check_proof(struct store *store)
{
    struct statement s;
    uint8_t *blob = NULL;
    size_t len = 0, sealed_len;
    int r;

    statement_start(&s, store, QUERY_META_GET);
    statement_text(&s, PROOF_NAME);
    r = statement_step(&s);
    if (r > 0) {
        const uint8_t *sealed = statement_get_blob(&s, &sealed_len);

        r = statement_error(&s);
        if (r == 0)
            r = seal_open(store, PROOF_PLACE, 0, sealed, sealed_len, &blob, &len);
        seal_free(&blob, len);
    } else if (r == 0) {
        r = -EBADMSG; /* neither ring nor proof: taken out */
    }
    return statement_end(&s, r);
}

/* Its derived keys become the first generation of a ring; the proof has done its work. */
static int adopt_keys(struct store *store, const struct secret *master)
{
    struct statement s;
    bool alone;
    int r = keyring_derive(&store->ring, master);

    if (r == 0)
        r = check_proof(store);
    if (r < 0)
        return r;
    r = store_enter(store, &alone);
    if (r < 0)
        return r;
    r = keyring_save(store);
    if (r == 0) {
        statement_start(&s, store, QUERY_META_DELETE);
        statement_text(&s, PROOF_NAME);
        r = statement_run(&s);
    }
    return store_leave(store, alone, r);
}

/* The wrong key is found before anything is written under it. */
static int open_keys(struct store *store, const struct secret *master, char **message)
{
    static const enum store_query needed[] = {QUERY_META_GET, QUERY_META_PUT, QUERY_META_DELETE};
    int r = 0;

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]) && r == 0; i++)
        r = prepare_one(store, needed[i], message);
    if (r < 0)
        return r;
    r = keyring_load(store);
    if (r == -ENOENT)
        r = adopt_keys(store, master);
    if (r == -EBADMSG)
        say(message, "データベースの鍵が違います。正しい鍵(database.key)を戻してください",
            "the database key is not the right one; put the right database.key back", "key check");
    return r;
}

static int seed_keys(struct store *store)
{
    int r = keyring_new(&store->ring);

    return r < 0 ? r : keyring_save(store);
}

static int run_migrations(struct store *store, int64_t now)
{
    char number[64];
    int r = 0;

    for (const struct sql_text *t = sql_texts; t->kind != SQL_END && r == 0; t++) {
        if (t->kind != SQL_MIGRATION || atoi(t->name) <= now)
            continue;
        r = run_sql(store, t->text);
        if (r == 0) {
            (void)snprintf(number, sizeof(number), "PRAGMA user_version = %d;", atoi(t->name));
            r = run_sql(store, number);
        }
    }
    return r;
}

/*
 * All that is missing is one transaction: a crash leaves the old number or the new one. A new
 * database gets the proof of its key and the head of its audit chain in the same step, so that none
 * is ever without them.
 */
static int migrate(struct store *store, int64_t now, char **message)
{
    int r = run_sql(store, "BEGIN IMMEDIATE;");

    if (r == 0)
        r = run_migrations(store, now);
    if (r == 0)
        r = prepare(store, message);
    if (r == 0 && now == 0)
        r = seed_keys(store);
    if (r == 0 && now == 0)
        r = audit_seed(store);
    if (r == 0)
        r = run_sql(store, "COMMIT;");
    if (r == 0) {
        log_event(LOG_LEVEL_NOTICE, "database migrated",
                  LOG_NUMBER("migration", newest_migration()));
        return 0;
    }
    if (*message == NULL)
        say(message, "データベースを更新できません。ディスクの空きを確かめてください",
            "the database cannot be brought up to date; check the room on the disk",
            sqlite3_errmsg(store->db));
    if (sqlite3_get_autocommit(store->db) == 0)
        (void)run_sql(store, "ROLLBACK;");
    return r;
}

static int bring_up(struct store *store, const struct secret *master, char **message)
{
    int64_t now = user_version(store);
    char number[64];
    int r = 0;

    if (now < 0)
        return say_sqlite(store, sqlite3_errcode(store->db), message);
    if (now > newest_migration()) {
        (void)snprintf(number, sizeof(number), "database %lld, program %d", (long long)now,
                       newest_migration());
        say(message, "データベースはより新しい版のものです。新しい版のプログラムを使ってください",
            "the database is of a newer version; install that version again", number);
        return -EPERM;
    }
    if (now > 0)
        r = open_keys(store, master, message);
    if (r == 0 && now < newest_migration())
        r = migrate(store, now, message);
    if (r == 0)
        r = prepare(store, message);
    if (r < 0)
        return r;
    r = audit_start(store);
    if (r == -EBADMSG)
        say(message, "監査ログの鎖の端がありません。バックアップから戻してください",
            "the head of the audit log's chain is missing or not ours; restore a backup", "audit");
    return r;
}

/*
 * One desk to a database: two would each continue the audit chain and the visits as if alone. The
 * lock goes with the process, however it ends; tools that only read or make a backup do not ask for
 * it.
 */
static int lock_directory(struct store *store, const char *directory, char **message)
{
    int r;

    store->lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->lock >= 0 && flock(store->lock, LOCK_EX | LOCK_NB) == 0)
        return 0;
    r = errno == EWOULDBLOCK ? -EBUSY : -errno;
    if (r == -EBUSY)
        say(message, "別の uketsuked がこのデータベースを使っています。止めてください",
            "another uketsuked uses this database; stop it", directory);
    else
        say(message, "データベースの置き場所を開けません。権限を確かめてください",
            "the directory of the database cannot be opened; check its permissions", directory);
    return r;
}

/* A restore that was cut off: the old database may be without its last steps. */
static int not_restoring(const struct store *store, char **message)
{
    if (faccessat(store->lock, STORE_RESTORING, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    say(message,
        "バックアップからの復元が途中で止まっています。uketsuke restore をもう一度実行してください",
        "a restore was cut off in the middle; run `uketsuke restore` once more", STORE_RESTORING);
    return -EPERM;
}

static int open_file(struct store *store, const char *directory, char **message)
{
    char *real = realpath(
        directory, NULL); /* a link on the way is the administrator's; uketsuke.db must be none */
    char *path = NULL;
    mode_t mask;
    int rc, r;

    if (real == NULL) {
        r = -errno;
        say(message, "データベースの置き場所がありません。作ってください",
            "the directory of the database cannot be reached; make it", directory);
        return r;
    }
    r = lock_directory(store, real, message);
    if (r == 0)
        r = not_restoring(store, message);
    if (r == 0 && asprintf(&path, "%s/uketsuke.db", real) < 0)
        r = -ENOMEM;
    if (r < 0) {
        free(real);
        return r;
    }
    mask = umask(077); /* the database and its side files are nobody else's */
    rc = sqlite3_open_v2(path, &store->db,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(store->db, settings, NULL, NULL, NULL);
    (void)umask(mask);
    if (rc != SQLITE_OK)
        r = say_sqlite(store, rc, message);
    free(path);
    free(real);
    return r;
}

static int master_keys(struct store *store, const struct secret *master)
{
    int r = seal_derive(master, STORE_WRAP, &store->wrap_key);

    return r < 0 ? r : seal_derive(master, STORE_BACKUP, &store->backup_key);
}

int store_open(struct store **out, const char *directory, const struct secret *key,
               struct clock *clock, char **message)
{
    struct store *store = calloc(1, sizeof(*store));
    int r = -ENOMEM;

    *out = NULL;
    *message = NULL;
    if (store == NULL)
        return r;
    store->clock = clock;
    store->lock = -1;
    if (key->len != 32) {
        say(message, "データベースの鍵は32バイトです", "the database key must be 32 bytes",
            "database.key");
        r = -EINVAL;
        goto fail;
    }
    r = master_keys(store, key);
    if (r == 0)
        r = open_file(store, directory, message);
    if (r == 0)
        r = bring_up(store, key, message);
    if (r < 0)
        goto fail;
    *out = store;
    return 0;
fail:
    if (*message == NULL)
        say(message, "データベースを開けません", "the database cannot be opened", strerror(-r));
    store_close(&store);
    return r;
}

void store_close(struct store **at)
{
    struct store *store = *at;

    if (store == NULL)
        return;
    *at = NULL;
    if (store->in_transaction)
        store_rollback(store);
    for (int i = 0; i < QUERY_COUNT; i++)
        (void)sqlite3_finalize(store->queries[i]);
    (void)sqlite3_close(store->db);
    if (store->lock >= 0)
        (void)close(store->lock);
    keyring_free(&store->ring);
    secret_free(&store->wrap_key);
    secret_free(&store->backup_key);
    free(store);
}

int store_begin(struct store *store)
{
    int r;

    if (store->in_transaction)
        return -EBUSY;
    r = run_sql(store, "BEGIN IMMEDIATE;");
    if (r == 0) {
        store->in_transaction = true;
        store->saved_rows = store->audit_rows;
        memcpy(store->saved_hash, store->audit_hash, STORE_HASH);
    }
    return r;
}

int store_commit(struct store *store)
{
    int r;

    if (!store->in_transaction)
        return -EINVAL;
    r = run_sql(store, "COMMIT;");
    if (r < 0) {
        store_rollback(store);
        return r;
    }
    store->in_transaction = false;
    store->commits++;
    return 0;
}

void store_rollback(struct store *store)
{
    if (!store->in_transaction)
        return;
    /* SQLite may have rolled back by itself already (a full disk); that is no second error. */
    if (sqlite3_get_autocommit(store->db) == 0)
        (void)run_sql(store, "ROLLBACK;");
    store->in_transaction = false;
    store->audit_rows = store->saved_rows;
    memcpy(store->audit_hash, store->saved_hash, STORE_HASH);
}

int store_enter(struct store *store, bool *alone)
{
    *alone = !store->in_transaction;
    return *alone ? store_begin(store) : 0;
}

int store_leave(struct store *store, bool alone, int r)
{
    if (!alone)
        return r;
    if (r == 0)
        return store_commit(store);
    store_rollback(store);
    return r;
}

int store_status(struct store *store, struct store_status *out)
{
    struct statement s;
    int r;

    memset(out, 0, sizeof(*out));
    statement_start(&s, store, QUERY_COUNTS);
    r = statement_step(&s);
    if (r > 0) {
        out->visits = (uint64_t)statement_get_int(&s);
        out->answers = (uint64_t)statement_get_int(&s);
        out->links = (uint64_t)statement_get_int(&s);
        out->asks_open = (uint64_t)statement_get_int(&s);
        out->audit_rows = (uint64_t)statement_get_int(&s);
        out->bytes = (uint64_t)statement_get_int(&s);
        out->newest_answer_us = statement_get_int(&s);
        r = 0;
    }
    out->migration = (unsigned)user_version(store);
    out->commits = store->commits;
    return statement_end(&s, r);
}
