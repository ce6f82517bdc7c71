/*
 * fake_store_outbox: the outbox of the store in memory: nobody configures an output there, so that it stays empty; the
 * tests of the hand-over have the real store. Part of fake_store.c.
 */
#ifndef TEST_FAKE_STORE_OUTBOX_H
#define TEST_FAKE_STORE_OUTBOX_H

void store_outbox_free(struct store_outbox *entry)
{
    free(entry->tree);
    memset(entry, 0, sizeof(*entry));
}

int store_outbox_add(struct store *s, struct store_outbox *entry)
{
    (void)s;
    (void)entry;
    return -EIO;
}

int store_outbox_save(struct store *s, const struct store_outbox *entry)
{
    (void)s;
    (void)entry;
    return -EIO;
}

int store_outbox_load(struct store *s, uint64_t id, struct store_outbox *out)
{
    (void)s;
    (void)id;
    memset(out, 0, sizeof(*out));
    return -ENOENT;
}

int store_outbox_next(struct store *s, const char *target, int64_t now_us, uint32_t limit,
                      store_outbox_fn *each, void *arg)
{
    (void)s;
    (void)target;
    (void)now_us;
    (void)limit;
    (void)each;
    (void)arg;
    return 0;
}

int store_outbox_due(struct store *s, const char *target, int64_t *due_us)
{
    (void)s;
    (void)target;
    *due_us = 0;
    return -ENOENT;
}

int store_outboxes(struct store *s, enum store_outboxes which, uint64_t before, uint32_t limit,
                   store_outbox_fn *each, void *arg)
{
    (void)s;
    (void)which;
    (void)before;
    (void)limit;
    (void)each;
    (void)arg;
    return 0;
}

int store_outbox_same(struct store *s, const struct store_outbox *entry, store_outbox_fn *each,
                      void *arg)
{
    (void)s;
    (void)entry;
    (void)each;
    (void)arg;
    return 0;
}

int store_outbox_of_visit(struct store *s, uint64_t visit, store_outbox_fn *each, void *arg)
{
    (void)s;
    (void)visit;
    (void)each;
    (void)arg;
    return 0;
}

int store_outbox_counts(struct store *s, struct store_outbox_counts *out)
{
    (void)s;
    memset(out, 0, sizeof(*out));
    return 0;
}

#endif
