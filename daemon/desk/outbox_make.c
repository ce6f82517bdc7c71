/* What an entry of the outbox holds, made from a visit within the step that ends it. */
#include "outbox_internal.h"

#include "../common/failure.h"
#include "../common/xmlmsg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FACE_PREFIX "OQSsiquc01res_face_"

/* Numbers of the day and the time in Japan. */
static int japan_time(int64_t us, struct tm *out)
{
    time_t then = (time_t)(us / (int64_t)CLOCK_SECOND) + CLOCK_JAPAN_SECONDS;

    return gmtime_r(&then, out) != NULL ? 0 : -EINVAL;
}

/*
 * The name of a face file as the terminals make it: institution, 20 hexadecimal digits, time. The
 * digits say which visit, why and for which try, and the microsecond: a database that was put back
 * from a backup counts the same visits again, but never the same moment.
 */
int outbox_new_name(struct desk *desk, struct store_outbox *entry)
{
    int64_t now = (int64_t)desk_wall_us(desk);
    struct tm tm;
    char time[16];
    int r = japan_time(now, &tm);

    if (r < 0 || strftime(time, sizeof(time), "%Y%m%d%H%M%S", &tm) == 0)
        return -EINVAL;
    r = snprintf(
        entry->name, sizeof(entry->name), "%s%s%08x%02x%02x%08x_%s.xml",
        entry->kind == OUTBOX_DOCUMENT ? outbox_document_prefix(entry->cause) : FACE_PREFIX,
        desk->settings.institution, (unsigned)(uint32_t)entry->visit, (unsigned)entry->cause,
        (unsigned)(entry->tries & 0xff), (unsigned)(uint32_t)now, time);
    return r > 0 && (size_t)r < sizeof(entry->name) ? 0 : -ENAMETOOLONG;
}

static int put(struct xmlmsg *parent, const char *name, const char *value)
{
    return value[0] == '\0' || xmlmsg_add(parent, name, value) != NULL ? 0 : -ENOMEM;
}

static int put_number(struct xmlmsg *parent, const char *name, int64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    return put(parent, name, text);
}

static int put_patient(struct xmlmsg *root, const struct store_visit *record)
{
    const struct {
        const char *name;
        const char *value;
    } rows[] = {
        {"name", record->person.name},        {"kana", record->person.kana},
        {"birth", record->person.birth},      {"sex", record->person.sex},
        {"number", record->patient},          {"reference", record->person.reference},
        {"insurer", record->person.insurer},  {"ratio", record->ratio},
        {"limit_class", record->limit_class}, {"notice", record->notice},
    };
    struct xmlmsg *patient = xmlmsg_add(root, "patient", NULL);
    int r = patient != NULL ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < sizeof(rows) / sizeof(rows[0]); i++)
        r = put(patient, rows[i].name, rows[i].value);
    return r;
}

/* The names are those of the hook's JSON (uketsuke-relay(8)). */
static struct xmlmsg *make_hook(const struct desk *desk, const struct store_visit *record,
                                enum outbox_cause cause, bool details)
{
    struct xmlmsg *root = xmlmsg_new("hook");
    int r = root != NULL ? 0 : -ENOMEM;

    if (r == 0)
        r = put(root, "event", cause == OUTBOX_RECONCILED ? "visit.reconciled" : "visit.finished");
    if (r == 0)
        r = put(root, "institution", desk->settings.institution);
    if (r == 0)
        r = put_number(root, "visit", (int64_t)record->id);
    if (r == 0)
        r = put_number(root, "lane", record->lane);
    if (r == 0)
        r = put_number(root, "opened", record->opened_us / 1000000);
    if (r == 0)
        r = put_number(root, "finished", (int64_t)(desk_wall_us(desk) / CLOCK_SECOND));
    if (r == 0)
        r = put(root, "method", visit_method_name(record->method));
    if (r == 0)
        r = put(root, "outcome", visit_outcome_name(record->outcome));
    if (r == 0 && record->failure != FAILURE_NONE)
        r = put(root, "failure", failure_text(record->failure)->code);
    if (r == 0)
        r = put(root, "validity", record->validity);
    if (r == 0)
        r = put_number(root, "flags", record->flags);
    if (r == 0 && details)
        r = put_patient(root, record);
    if (r < 0)
        xmlmsg_free(&root);
    return root;
}

/* The clinic's number of the patient: as found or linked, else as the service has it from us. */
static const char *number_of(const struct store_visit *record)
{
    return record->patient[0] != '\0' ? record->patient : record->person.reference;
}

/* The patient's number and when; what the clinic always sends stands in the carrier's
 * configuration. */
static struct xmlmsg *make_orca(const struct desk *desk, const struct store_visit *record)
{
    int64_t now = (int64_t)desk_wall_us(desk);
    struct xmlmsg *root = xmlmsg_new("acceptreq");
    char date[16], time[16];
    struct tm tm;

    if (root == NULL || japan_time(now, &tm) < 0 ||
        strftime(date, sizeof(date), "%Y-%m-%d", &tm) == 0 ||
        strftime(time, sizeof(time), "%H:%M:%S", &tm) == 0 ||
        xmlmsg_add(root, "Patient_ID", number_of(record)) == NULL ||
        xmlmsg_add(root, "Acceptance_Date", date) == NULL ||
        xmlmsg_add(root, "Acceptance_Time", time) == NULL)
        xmlmsg_free(&root);
    return root;
}

/* An answer of the service about this day, and no older one. */
static bool has_answer(const struct store_visit *record)
{
    return record->answer != 0 && (record->flags & VISIT_FLAG_LAST_KNOWN) == 0 &&
           (record->outcome == OUTCOME_ELIGIBLE || record->outcome == OUTCOME_NOT_ELIGIBLE);
}

static bool concerns(const struct outbox_output *output, const struct store_visit *record,
                     enum outbox_cause cause)
{
    switch (output->kind) {
    case OUTBOX_FACE_FILE:
        return has_answer(record);
    case OUTBOX_DOCUMENT: /* of whom the service knows nothing valid, nothing is asked */
        return has_answer(record) && record->outcome == OUTCOME_ELIGIBLE;
    case OUTBOX_HOOK:
        return true;
    case OUTBOX_ORCA: /* somebody is received, and ORCA knows who that is */
        return cause == OUTBOX_FINISHED && number_of(record)[0] != '\0' &&
               (record->outcome == OUTCOME_ELIGIBLE || record->outcome == OUTCOME_LAST_KNOWN ||
                record->outcome == OUTCOME_PENDING || record->outcome == OUTCOME_STAFF);
    default:
        return false;
    }
}

int outbox_add_for(struct desk *desk, const struct outbox_output *output,
                   const struct store_visit *record, enum outbox_cause cause)
{
    struct store_outbox entry = {
        .visit = record->id, .kind = output->kind, .cause = (uint8_t)cause};
    struct xmlmsg *tree = NULL;
    int r = 0;

    if (!concerns(output, record, cause))
        return 0;
    if (output->kind == OUTBOX_DOCUMENT)
        return outbox_documents_of(desk, output, record);
    (void)MESSAGE_TEXT(entry.target, output->name);
    if (output->kind == OUTBOX_FACE_FILE) {
        entry.answer = record->answer;
        r = outbox_new_name(desk, &entry);
    } else {
        /* A hook's id: the same at each attempt, and in no other hook, as above. */
        (void)snprintf(entry.name, sizeof(entry.name), "%s-%llu-%u-%llx",
                       desk->settings.institution, (unsigned long long)record->id, (unsigned)cause,
                       (unsigned long long)desk_wall_us(desk));
        tree = output->kind == OUTBOX_HOOK ? make_hook(desk, record, cause, output->details)
                                           : make_orca(desk, record);
        r = tree != NULL ? xmlmsg_pack(tree, &entry.tree, &entry.tree_len) : -ENOMEM;
    }
    if (r == 0)
        r = store_outbox_add(desk->store, &entry);
    xmlmsg_free(&tree);
    store_outbox_free(&entry);
    return r == -EEXIST ? 0 : r;
}

int outbox_visit_over(struct desk *desk, const struct store_visit *record, enum outbox_cause cause)
{
    int r = 0;

    for (unsigned i = 0; r == 0 && i < outbox_outputs(desk); i++)
        r = outbox_add_for(desk, outbox_output(desk, i), record, cause);
    if (r == 0)
        r = outbox_patient_known(desk, record, false);
    return r;
}
