/* What went wrong on which day, counted. */
#include "store_internal.h"

#include <errno.h>

int store_trouble_add(struct store *store, const char *day, uint16_t failure)
{
    struct statement s;
    bool alone;
    int r = store_enter(store, &alone);

    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_TROUBLE_ADD);
    statement_text(&s, day);
    statement_int(&s, failure_to_store(failure));
    return store_leave(store, alone, statement_run(&s));
}

int store_troubles(struct store *store, const char *since, uint32_t limit, store_trouble_fn *each,
                   void *arg)
{
    struct store_trouble row;
    struct statement s;
    int r;

    statement_start(&s, store, QUERY_TROUBLES_SINCE);
    statement_text(&s, since);
    statement_int(&s, limit);
    while ((r = statement_step(&s)) > 0) {
        if (!statement_get_text(&s, row.day, sizeof(row.day)))
            return statement_end(&s, -EBADMSG);
        row.failure = failure_from_store(statement_get_int(&s));
        row.count = (uint32_t)statement_get_int(&s);
        r = statement_error(&s);
        if (r < 0 || each(&row, arg) != 0)
            break;
    }
    return statement_end(&s, r < 0 ? r : 0);
}
