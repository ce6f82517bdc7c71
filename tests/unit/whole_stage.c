/*
 * The stage of the scenarios (tests/scenario/stage.h) over the real store in a folder of its own:
 * what the stage asks of its store besides store.h, asked of the real one.
 */
#include "whole_stage.h"
#include "fake_store.h"
#include "short_calls.h"
#include "store_rig.h"

#include "daemon/store/store_internal.h"

#include <stdlib.h>
#include <string.h>

/* Where calls are made to fail (short_calls.h) the stage's own are none of the desk's. */
__attribute__((weak)) int short_pause(void)
{
    return 0;
}
__attribute__((weak)) void short_resume(int was)
{
    (void)was;
}

static struct rig rig;

const char *whole_stage_directory(void)
{
    return rig.directory;
}

struct rig *whole_stage_rig(void)
{
    return &rig;
}

struct store *fake_store_new(struct clock *clock)
{
    if (rig.directory[0] == '\0') {
        rig_new_closed(&rig);
        clock_free(&rig.clock);
    }
    rig.clock = clock;
    rig_open(&rig);
    return rig.store;
}

void whole_stage_open(struct stage *stage)
{
    rig.clock = stage->clock;
    rig_open(&rig);
    stage->store = rig.store;
}

void fake_store_free(struct store **store)
{
    (void)store;
    rig_close(&rig);
    rig.clock = NULL;
}

void whole_stage_end(void)
{
    rig_free(&rig);
    memset(&rig, 0, sizeof(rig));
}

bool fake_store_in_transaction(const struct store *store)
{
    return store->in_transaction;
}

const struct store_visit *fake_store_visit(const struct store *store, uint64_t id)
{
    static struct store_visit visit;
    int was = short_pause();
    bool there = rig.store != NULL && store_visit_load(rig.store, id, &visit) == 0;

    (void)store;
    short_resume(was);
    return there ? &visit : NULL;
}

static int one(const struct store_ask *ask, void *arg)
{
    (void)ask;
    ++*(size_t *)arg;
    return 0;
}

size_t fake_store_asks(const struct store *store, bool open_only)
{
    size_t n = 0;
    int was = short_pause();

    (void)store;
    if (!open_only)
        n = (size_t)rig_sql_int(&rig, "SELECT count(*) FROM asks");
    else if (store_asks_open(rig.store, one, &n) != 0)
        n = 0;
    short_resume(was);
    return n;
}
