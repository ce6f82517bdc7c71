#include "consented.h"

#include "decide.h"

#include "../common/log.h"
#include "../common/xmlmsg.h"
#include "../store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The length of the stem when this names the end of a group's time; 0: it does not. */
static size_t stem_of(const char *name)
{
    static const char *const ends[] = {"AvailableTime", "AcquisitionTime"};

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t n = strlen(name), m = strlen(ends[i]);

        if (n > m && strcmp(name + n - m, ends[i]) == 0)
            return n - m;
    }
    return 0;
}

static void remove_group(struct xmlmsg *parent, const char *stem, size_t len)
{
    struct xmlmsg *next;

    for (struct xmlmsg *e = xmlmsg_child(parent, NULL); e != NULL; e = next) {
        next = xmlmsg_next(e, NULL);
        if (strncmp(xmlmsg_name(e), stem, len) == 0)
            xmlmsg_remove(e);
    }
}

/* One group of this element that is over goes; false: there is none. */
static bool prune_one(struct xmlmsg *parent, int64_t now_us, int64_t *next_us)
{
    for (struct xmlmsg *e = xmlmsg_child(parent, NULL); e != NULL; e = xmlmsg_next(e, NULL)) {
        size_t len = xmlmsg_value(e) != NULL ? stem_of(xmlmsg_name(e)) : 0;
        int64_t until = len > 0 ? decide_time_us(xmlmsg_value(e)) : 0;

        if (until > now_us && (*next_us == 0 || until < *next_us))
            *next_us = until;
        if (until > 0 && until <= now_us) {
            char *stem = strndup(xmlmsg_name(e), len);

            if (stem == NULL) {
                *next_us = now_us + 60 * INT64_C(1000000); /* a minute later */
                return false;
            }
            remove_group(parent, stem, len);
            free(stem);
            return true;
        }
    }
    return false;
}

unsigned consented_prune(struct xmlmsg *tree, int64_t now_us, int64_t *next_us)
{
    unsigned gone = 0;
    int64_t next = 0;

    while (prune_one(tree, now_us, &next))
        gone++;
    for (struct xmlmsg *e = xmlmsg_child(tree, NULL); e != NULL; e = xmlmsg_next(e, NULL)) {
        int64_t below = 0;

        gone += consented_prune(e, now_us, &below);
        if (below != 0 && (next == 0 || below < next))
            next = below;
    }
    *next_us = next;
    return gone;
}

static int purge_one(struct store *store, int64_t now_us, uint64_t id, const uint8_t *data,
                     size_t len)
{
    struct xmlmsg *tree = NULL;
    uint8_t *left = NULL;
    size_t left_len = 0;
    int64_t next = 0;
    int r = xmlmsg_unpack(&tree, data, len);

    if (r < 0)
        return r;
    (void)consented_prune(tree, now_us, &next);
    r = xmlmsg_pack(tree, &left, &left_len);
    xmlmsg_free(&tree);
    if (r == 0)
        r = store_answer_replace(store, id, left, left_len, next);
    if (left != NULL)
        explicit_bzero(left, left_len);
    free(left);
    return r;
}

int consented_purge(struct store *store, int64_t now_us)
{
    int purged = 0, r;

    for (;;) {
        uint8_t *tree;
        size_t len;
        uint64_t id;

        r = store_answer_due(store, now_us, &id, &tree, &len);
        if (r <= 0)
            break;
        r = purge_one(store, now_us, id, tree, len);
        explicit_bzero(tree, len);
        free(tree);
        if (r < 0)
            break;
        purged++;
    }
    if (r == 0 || r == -EBADMSG) { /* what cannot be read any more */
        r = store_purge(store, now_us);
        purged += r > 0 ? r : 0;
    }
    return r < 0 ? r : purged;
}
