/* Once the clinic's number of a visit's patient is known: 照会番号登録, and ORCA where it is
 * configured. */
#include "outbox_internal.h"

#include "../common/xmlmsg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *first(const struct xmlmsg *result, const char *name)
{
    return result != NULL ? xmlmsg_get(result, name) : "";
}

int outbox_numbers_of(struct desk *desk, const struct store_visit *record,
                      struct store_numbers *out)
{
    struct store_answer answer = {0};
    struct xmlmsg *tree = NULL;
    int r = record->answer != 0 ? store_answer_load(desk->store, record->answer, &answer) : -ENOENT;

    memset(out, 0, sizeof(*out));
    if (r == 0 && answer.tree != NULL)
        r = xmlmsg_unpack(&tree, answer.tree, answer.tree_len);
    if (r == 0 && tree != NULL) {
        const struct xmlmsg *result =
            xmlmsg_find(tree, "MessageBody/ResultList/ResultOfQualificationConfirmation");
        const char *insurer = first(result, "InsurerNumber");

        (void)MESSAGE_TEXT(out->insurer, insurer + strspn(insurer, " "));
        (void)MESSAGE_TEXT(out->symbol, first(result, "InsuredCardSymbol"));
        (void)MESSAGE_TEXT(out->number, first(result, "InsuredIdentificationNumber"));
        (void)MESSAGE_TEXT(out->branch, first(result, "InsuredBranchNumber"));
    }
    xmlmsg_free(&tree);
    store_answer_free(&answer);
    if (r < 0 && r != -ENOENT && r != -EBADMSG)
        return r;
    if ((out->insurer[0] == '\0' || out->number[0] == '\0') && record->has_subject) {
        r = store_link_get(desk->store, record->subject, out);
        if (r < 0 && r != -ENOENT)
            return r;
    }
    return 0;
}

static int make_registration(const struct store_numbers *n, const char *reference,
                             struct store_outbox *entry)
{
    struct xmlmsg *tree = xmlmsg_new("ReferenceNumberRegistrationInfo");
    int r = -ENOMEM;

    if (tree != NULL && xmlmsg_add(tree, "ReferenceNumber", reference) != NULL &&
        xmlmsg_add(tree, "InsurerNumber", n->insurer) != NULL &&
        xmlmsg_add(tree, "InsuredCardSymbol", n->symbol) != NULL &&
        xmlmsg_add(tree, "InsuredIdentificationNumber", n->number) != NULL &&
        xmlmsg_add(tree, "InsuredBranchNumber", n->branch) != NULL)
        r = xmlmsg_pack(tree, &entry->tree, &entry->tree_len);
    xmlmsg_free(&tree);
    return r;
}

struct earlier {
    unsigned n;
    uint64_t waiting; /* has not gone out yet */
};

static int find_earlier(const struct store_outbox *entry, void *arg)
{
    struct earlier *earlier = arg;

    if (entry->kind == OUTBOX_REFERENCE) {
        earlier->n++;
        earlier->waiting = entry->state == OUTBOX_WAITING ? entry->id : 0;
    }
    return 0;
}

struct same {
    const struct store_outbox *entry;
    bool found;
};

static int find_same(const struct store_outbox *entry, void *arg)
{
    struct same *same = arg;

    same->found = entry->tree_len == same->entry->tree_len &&
                  memcmp(entry->tree, same->entry->tree, entry->tree_len) == 0;
    return same->found ? 1 : 0;
}

/*
 * The same number for the same person, on its way or in doubt on behalf of another visit: once that has gone, whoever
 * comes again, and is answered from the cache, is no reason to send it again.
 */
static int is_under_way(struct desk *desk, const struct store_outbox *entry, bool *found)
{
    struct same same = {.entry = entry};
    int r = store_outbox_same(desk->store, entry, find_same, &same);

    *found = same.found;
    return r < 0 ? r : 0;
}

/* What has not gone out is said otherwise; what may have gone is followed by another. */
static int queue_registration(struct desk *desk, const struct store_visit *record,
                              const struct store_numbers *numbers, bool anew)
{
    const struct upstream *u =
        &desk->upstreams[desk_upstream_for(desk, record->lane, CAPABILITY_REFERENCE_NUMBER)];
    struct store_outbox entry = {0}, old = {0};
    struct earlier earlier = {0};
    bool under_way = false;
    int r;

    if (!desk->outbox->references || (u->capabilities & CAPABILITY_REFERENCE_NUMBER) == 0 ||
        numbers->insurer[0] == '\0' || numbers->number[0] == '\0')
        return 0;
    r = store_outbox_of_visit(desk->store, record->id, find_earlier, &earlier);
    if (r == 0 && earlier.n > 0 && !anew)
        return 0;
    if (r == 0 && earlier.n > UINT8_MAX - OUTBOX_LINKED)
        r = -EAGAIN;
    if (r == 0)
        r = make_registration(numbers, record->patient, &entry);
    entry.kind = OUTBOX_REFERENCE;
    (void)MESSAGE_TEXT(entry.target, u->name);
    if (r == 0 && !anew)
        r = is_under_way(desk, &entry, &under_way);
    if (r == 0 && under_way) {
        store_outbox_free(&entry);
        return 0;
    }
    if (r == 0 && earlier.waiting != 0) {
        r = store_outbox_load(desk->store, earlier.waiting, &old);
        if (r == 0) {
            uint8_t *tree = old.tree;
            size_t len = old.tree_len;

            old.tree = entry.tree;
            old.tree_len = entry.tree_len;
            entry.tree = tree;
            entry.tree_len = len;
            r = store_outbox_save(desk->store, &old);
        }
    } else if (r == 0) {
        entry.visit = record->id;
        entry.cause = (uint8_t)(OUTBOX_LINKED + earlier.n);
        r = store_outbox_add(desk->store, &entry);
    }
    store_outbox_free(&entry);
    store_outbox_free(&old);
    return r;
}

int outbox_patient_known(struct desk *desk, const struct store_visit *record, bool anew)
{
    struct store_numbers numbers;
    int r = 0;

    if (record->patient[0] == '\0' || record->outcome == OUTCOME_OPEN)
        return 0;
    /* The service has said that number itself: it need not be told. */
    if (desk->outbox->references && strcmp(record->patient, record->person.reference) != 0) {
        r = outbox_numbers_of(desk, record, &numbers);
        if (r == 0)
            r = queue_registration(desk, record, &numbers, anew);
        explicit_bzero(&numbers, sizeof(numbers));
    }
    for (unsigned i = 0; r == 0 && i < outbox_outputs(desk); i++)
        if (outbox_output(desk, i)->kind == OUTBOX_ORCA)
            r = outbox_add_for(desk, outbox_output(desk, i), record, OUTBOX_FINISHED);
    return r;
}
