/* What goes when its time is over: consented parts, and what is older than the retention. */
#include "store_internal.h"

static int purge(struct store *store, int64_t now_us, int *purged)
{
    struct statement s;
    int r;

    statement_start(&s, store, QUERY_CONSENT_PURGE);
    statement_int(&s, now_us);
    r = statement_run(&s);
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_ANSWER_PURGE);
    statement_int(&s, now_us);
    r = statement_run(&s);
    *purged = sqlite3_changes(store->db);
    return r;
}

int store_purge(struct store *store, int64_t now_us)
{
    bool alone;
    int purged = 0;
    int r = store_enter(store, &alone);

    if (r == 0)
        r = store_leave(store, alone, purge(store, now_us, &purged));
    return r < 0 ? r : purged;
}

static int retire(struct store *store, enum store_query query, int64_t before_us, unsigned most)
{
    struct statement s;
    int r;

    statement_start(&s, store, query);
    statement_int(&s, before_us);
    statement_int(&s, most);
    r = statement_run(&s);
    return r < 0 ? r : sqlite3_changes(store->db);
}

int store_retire(struct store *store, int64_t before_us, unsigned most)
{
    bool alone;
    static const enum store_query others[] = {QUERY_PATIENT_RETIRE, QUERY_LINK_RETIRE,
                                              QUERY_RELAY_KEPT_RETIRE};
    int visits, answers = 0, more = 0;
    int r = store_enter(store, &alone);

    if (r < 0)
        return r;
    visits = retire(store, QUERY_VISIT_RETIRE, before_us, most);
    if (visits >= 0)
        answers = retire(store, QUERY_ANSWER_RETIRE, before_us, most);
    r = visits < 0 ? visits : answers < 0 ? answers : 0;
    /* After the visits: who still has one of them was seen since. */
    for (size_t i = 0; r == 0 && i < sizeof(others) / sizeof(others[0]); i++) {
        r = retire(store, others[i], before_us, most);
        more += r > 0 ? r : 0;
        r = r > 0 ? 0 : r;
    }
    if (r == 0 && (r = retire(store, QUERY_TROUBLE_RETIRE, before_us, most)) > 0)
        r = 0; /* a day's counts are no rows that are waited for */
    r = store_leave(store, alone, r);
    return r < 0 ? r : visits + answers + more;
}

int store_settle(struct store *store)
{
    return store_errno(
        store, sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
}
