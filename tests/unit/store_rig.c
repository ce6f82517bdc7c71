#include "store_rig.h"

#include "daemon/common/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void swallow(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    assert_null(strstr(line, RIG_NAME));
}

void rig_quiet(void)
{
    log_capture(swallow, NULL);
}

int rig_try_open(struct rig *rig, char **message)
{
    return store_open(&rig->store, rig->directory, &rig->key, rig->clock, message);
}

void rig_open(struct rig *rig)
{
    char *message;
    int r = rig_try_open(rig, &message);

    if (r != 0)
        fail_msg("store_open: %d: %s", r, message);
    assert_null(message);
}

void rig_close(struct rig *rig)
{
    store_close(&rig->store);
    assert_null(rig->store);
}

void rig_set_key(struct rig *rig)
{
    for (int i = 0; i < 32; i++)
        rig->key.data[i] = (uint8_t)(i * 7 + 1);
    rig->key.len = 32;
}

void rig_new_closed(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    (void)snprintf(rig->directory, sizeof(rig->directory), "/tmp/uketsuke-store-XXXXXX");
    assert_non_null(mkdtemp(rig->directory));
    rig->clock = clock_new_simulated(1, UINT64_C(1785542400000000)); /* 2026-08-01 */
    assert_non_null(rig->clock);
    assert_int_equal(secret_new(&rig->key, 32), 0);
    rig_set_key(rig);
}

void rig_new(struct rig *rig)
{
    rig_new_closed(rig);
    rig_open(rig);
}

void rig_free(struct rig *rig)
{
    static const char *const names[] = {"uketsuke.db", "uketsuke.db-wal", "uketsuke.db-shm",
                                        "uketsuke.db-journal"};
    char path[128];

    store_close(&rig->store);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", rig->directory, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(rig->directory), 0);
    clock_free(&rig->clock);
    secret_free(&rig->key);
}

int64_t rig_sql_int(const struct rig *rig, const char *sql)
{
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *s = NULL;
    const char *rest = sql;
    int64_t value = -1;

    (void)snprintf(path, sizeof(path), "%s/uketsuke.db", rig->directory);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    while (*rest != '\0') {
        int rc = sqlite3_prepare_v2(db, rest, -1, &s, &rest);

        if (rc != SQLITE_OK)
            fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        rc = sqlite3_step(s);
        if (rc == SQLITE_ROW)
            value = sqlite3_column_int64(s, 0);
        else if (rc != SQLITE_DONE)
            fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        (void)sqlite3_finalize(s);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return value;
}

void rig_sql(const struct rig *rig, const char *sql)
{
    (void)rig_sql_int(rig, sql);
}

uint8_t *rig_file(const struct rig *rig, const char *suffix, size_t *len)
{
    char path[128];
    struct stat st;
    uint8_t *data;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/uketsuke.db%s", rig->directory, suffix);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    assert_int_equal(fstat(fd, &st), 0);
    data = malloc((size_t)st.st_size + 1);
    assert_non_null(data);
    assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
    (void)close(fd);
    *len = (size_t)st.st_size;
    return data;
}

unsigned rig_migrations(void)
{
    const char *source = getenv("UKETSUKE_SOURCE");
    char path[512];
    const struct dirent *entry;
    unsigned n = 0;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "%s/sql/migrations", source != NULL ? source : ".");
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        n += strstr(entry->d_name, ".sql") != NULL;
    assert_int_equal(closedir(dir), 0);
    assert_true(n > 0);
    return n;
}

static void put(char *field, size_t size, const char *text)
{
    assert_true(strlen(text) < size);
    (void)strcpy(field, text);
}
#define PUT(field, text) put(field, sizeof(field), text)

void rig_visit(struct store_visit *out)
{
    memset(out, 0, sizeof(*out));
    out->lane = 3;
    out->has_subject = true;
    for (int i = 0; i < 32; i++)
        out->subject[i] = (uint8_t)(0xe0 + i);
    PUT(out->person.name, RIG_NAME);
    PUT(out->person.kana, RIG_KANA);
    PUT(out->person.birth, RIG_BIRTH);
    PUT(out->person.sex, "2");
    PUT(out->person.reference, "P-0042");
    PUT(out->person.insurer, RIG_INSURER);
    PUT(out->validity, "1");
    PUT(out->ratio, "030");
    PUT(out->limit_class, "A01");
    PUT(out->notice, "限度額の情報があります");
    PUT(out->staff, RIG_STAFF);
}

struct store_subject rig_subject(const uint8_t subject[32])
{
    return (struct store_subject){subject, 32};
}

void rig_answer(struct store_answer *out)
{
    memset(out, 0, sizeof(*out));
    PUT(out->institution, RIG_INSTITUTION);
    PUT(out->date, RIG_DATE);
    out->consents = 3;
    out->usable = 1;
    out->answered_us = 1000;
    out->tree = (uint8_t *)strdup(RIG_TREE);
    out->tree_len = strlen(RIG_TREE);
    out->raw = (uint8_t *)strdup(RIG_RAW);
    out->raw_len = strlen(RIG_RAW);
    assert_non_null(out->tree);
    assert_non_null(out->raw);
}

/* Every visit is of a person of its own. */
static void person_of(const struct store_visit *visit, uint8_t subject[32])
{
    memset(subject, 0x11, 32);
    memcpy(subject, &visit->id, sizeof(visit->id));
}

static int answer_step(struct rig *rig, struct store_visit *visit, const uint8_t subject[32])
{
    struct store_answer answer;
    int r;

    rig_answer(&answer);
    r = store_answer_put(rig->store, rig_subject(subject), &answer);
    if (r == 0) {
        visit->answer = answer.id;
        r = store_ask_end(rig->store, visit->id,
                          0); /* one ask a visit, so the numbers go together */
    }
    store_answer_free(&answer);
    return r;
}

static int do_step(struct rig *rig, struct store_visit *visit, unsigned step)
{
    struct store_numbers numbers = {"00990010", "記号", RIG_NUMBER, "01", RIG_BIRTH};
    struct store_ask ask = {.visit = visit->id, .kind = 1, .writes = 0};
    uint8_t subject[32];
    char detail[16];
    int r = 0;

    if (step == 1) {
        r = store_visit_open(rig->store, visit); /* saves already */
    } else {
        person_of(visit, subject);
        switch (step) {
        case 2:
            r = store_consent_put(rig->store, visit->id, 1, true, 5, 6);
            if (r == 0)
                r = store_consent_put(rig->store, visit->id, 2, false, 5, 6);
            break;
        case 3:
            (void)snprintf(ask.correlation, sizeof(ask.correlation), "q-%llu",
                           (unsigned long long)visit->id);
            r = store_ask_begin(rig->store, &ask);
            break;
        case 4:
            r = answer_step(rig, visit, subject);
            break;
        case 5:
            r = store_link_put(rig->store, subject, &numbers);
            break;
        default:
            visit->closed_us = (int64_t)clock_realtime_us(rig->clock);
            break;
        }
        if (r == 0)
            r = store_visit_save(rig->store, visit);
    }
    (void)snprintf(detail, sizeof(detail), "%u", step);
    return r < 0 ? r
                 : store_audit(rig->store, "step", visit->id, visit->lane,
                               step == RIG_STEPS ? RIG_STAFF : "", detail);
}

int rig_step(struct rig *rig, struct store_visit *visit, unsigned step)
{
    struct store_visit next;
    int r;

    if (step == 1)
        rig_visit(&next);
    else
        next = *visit;
    r = store_begin(rig->store);
    if (r == 0)
        r = do_step(rig, &next, step);
    if (r == 0)
        r = store_commit(rig->store);
    else
        store_rollback(rig->store);
    if (r == 0)
        *visit = next;
    return r;
}

struct walk {
    uint64_t rows;
    uint64_t seen;
    uint64_t visits;
};

static int check_visit(const struct store_visit *visit, void *arg)
{
    struct walk *walk = arg;
    uint64_t place = walk->visits - ++walk->seen; /* newest first */
    uint64_t left = walk->rows - place * RIG_STEPS;

    assert_int_equal(visit->id, place + 1);
    assert_int_equal(visit->step, left < RIG_STEPS ? left : RIG_STEPS);
    assert_int_equal(visit->closed_us != 0, left >= RIG_STEPS);
    assert_int_equal(visit->answer != 0, left >= 4);
    assert_string_equal(visit->person.name, RIG_NAME);
    return 0;
}

uint64_t rig_check(struct rig *rig, uint64_t least, uint64_t most)
{
    struct walk walk = {0};
    struct store_status status;
    uint64_t bad,
        others = (uint64_t)rig_sql_int(rig, "SELECT count(*) FROM audit WHERE event <> 'step'");
    unsigned last;

    assert_int_equal(store_audit_verify(rig->store, &walk.rows, &bad), 0);
    walk.rows -= others; /* of keys that were changed in between */
    assert_in_range(walk.rows, least, most);
    walk.visits = (walk.rows + RIG_STEPS - 1) / RIG_STEPS;
    last = (unsigned)(walk.rows % RIG_STEPS);
    assert_int_equal(store_status(rig->store, &status), 0);
    assert_int_equal(status.visits, walk.visits);
    assert_int_equal(status.audit_rows, walk.rows + others);
    assert_int_equal(status.asks_open, last == 3);
    assert_int_equal(status.answers, walk.rows / RIG_STEPS + (last >= 4));
    assert_int_equal(status.links, walk.rows / RIG_STEPS + (last >= 5));
    assert_int_equal(rig_sql_int(rig, "SELECT count(*) FROM consents"),
                     2 * (walk.rows / RIG_STEPS + (last >= 2)));
    assert_int_equal(
        store_visits(rig->store, 0, INT64_MAX, 0, UINT32_MAX, false, check_visit, &walk), 0);
    assert_int_equal(walk.seen, walk.visits);
    assert_int_equal(
        rig_sql_int(rig,
                    "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
        0);
    assert_int_equal(rig_sql_int(rig, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    return walk.rows;
}
