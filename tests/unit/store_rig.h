/*
 * store_rig: a store in a directory of its own, a second pair of eyes on its file (plain SQLite), and a whole
 * visit cut into the durable steps that a desk takes.
 */
#ifndef TESTS_STORE_RIG_H
#define TESTS_STORE_RIG_H

#include "daemon/store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Whose bytes must be nowhere in the file. */
#define RIG_NAME "見本　花子"
#define RIG_KANA "ﾐﾎﾝ ﾊﾅｺ"
#define RIG_BIRTH "19750604"
#define RIG_INSURER "例示健康保険組合"
#define RIG_STAFF "受付 山田"
#define RIG_NUMBER "第一二三四号"
#define RIG_TREE "<XmlMsg><Name>" RIG_NAME "</Name></XmlMsg>"
#define RIG_RAW "{\"name\":\"" RIG_NAME "\"}"
#define RIG_INSTITUTION "9910000017"
#define RIG_DATE "20260801"

struct rig {
    char directory[64];
    struct clock *clock;
    struct secret key;
    struct store *store;
};

/* Makes the directory and opens the store. */
void rig_new(struct rig *rig);
/* The directory only. */
void rig_new_closed(struct rig *rig);
/* Fills the key in; also after a fork, which secret memory does not survive. */
void rig_set_key(struct rig *rig);
/* Closes, and removes the directory. */
void rig_free(struct rig *rig);
void rig_open(struct rig *rig);
void rig_close(struct rig *rig);
/* What store_open() returns; its words to be freed. */
int rig_try_open(struct rig *rig, char **message);

/* A second connection, for one statement. */
void rig_sql(const struct rig *rig, const char *sql);
int64_t rig_sql_int(const struct rig *rig, const char *sql);
/* The bytes of uketsuke.db + suffix; to be freed. NULL when there is no such file. */
uint8_t *rig_file(const struct rig *rig, const char *suffix, size_t *len);

/* How many files stand in sql/migrations: the number that a database of this tree has. */
unsigned rig_migrations(void);

void rig_visit(struct store_visit *out);
struct store_subject rig_subject(const uint8_t subject[32]);
/* tree and raw are allocated. */
void rig_answer(struct store_answer *out);

/*
 * A visit in RIG_STEPS durable steps; each saves the visit and adds one audit row, so that the number of audit
 * rows is the number of steps taken. step: 1... 0 or the error of the step, which is rolled back then.
 */
#define RIG_STEPS 6
int rig_step(struct rig *rig, struct store_visit *visit, unsigned step);
/*
 * The store holds exactly the effects of the first `rows` steps of visits taken one after another, and some
 * `rows` between least and most; the file is whole and the chain good. Returns rows.
 */
uint64_t rig_check(struct rig *rig, uint64_t least, uint64_t most);

/* The log's lines are kept out of the test's output. */
void rig_quiet(void);

#endif
