/*
 * The visits of `make run`, as a receptionist would tell them. Each begins with an empty reader and ends so.
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SOON 5000      /* the desk's own steps */
#define CARD_TIME 8000 /* chip and signatures */
#define FACE_TIME 25000
#define ASK_TIME 15000

static bool begin(struct stage *stage, const char *card, const char *camera)
{
    char command[128];

    stage->last_visit = 0;
    stage->ledger_before = stage_ledger_lines(stage);
    (void)snprintf(command, sizeof(command), "camera %s", camera);
    if (!stage_wait(stage, "idle", SOON) || !stage_device(stage, command))
        return false;
    (void)snprintf(command, sizeof(command), "insert %s", card);
    return stage_device(stage, command) && stage_wait(stage, "method", CARD_TIME);
}

static bool show_face(struct stage *stage, const char *card)
{
    struct card_facts facts;

    if (!card_facts_read(&facts, stage->cards, card))
        return stage_fail(stage, "no card file %s", card);
    return stage_act(stage, KIOSK, "choose_face") && stage_wait(stage, "number_b", SOON) &&
           stage_send(stage, "send_number_b", "number-b", facts.number_b);
}

static bool enter_pin(struct stage *stage, const char *pin)
{
    return stage_wait(stage, "pin", SOON) && stage_send(stage, "send_pin", "pin", pin);
}

static bool finish(struct stage *stage)
{
    return stage_wait(stage, "done", ASK_TIME) && stage_device(stage, "remove") && stage_wait(stage, "idle", SOON);
}

static bool expect_text(struct stage *stage, const char *name, const char *wanted)
{
    json_t *visit = stage_visit(stage, stage->last_visit);
    const char *value = json_string_value(json_object_get(visit, name));
    bool good = value != NULL && strcmp(value, wanted) == 0;

    if (!good)
        (void)stage_fail(stage, "%s is %s, not %s", name, value != NULL ? value : "missing", wanted);
    json_decref(visit);
    return good;
}

static bool expect_failure(struct stage *stage, const char *code)
{
    json_t *visit = stage_visit(stage, stage->last_visit);
    const char *value = json_string_value(json_object_get(json_object_get(visit, "failure"), "code"));
    bool good = value != NULL && strcmp(value, code) == 0;

    if (!good)
        (void)stage_fail(stage, "the failure is %s, not %s", value != NULL ? value : "none", code);
    json_decref(visit);
    return good;
}

static bool expect_flag(struct stage *stage, const char *name)
{
    json_t *visit = stage_visit(stage, stage->last_visit);
    const json_t *flags = json_object_get(visit, "flags");
    bool good = false;

    for (size_t i = 0; i < json_array_size(flags); i++)
        good = good || strcmp(json_string_value(json_array_get(flags, i)), name) == 0;
    if (!good)
        (void)stage_fail(stage, "the visit is not marked %s", name);
    json_decref(visit);
    return good;
}

static bool expect_ledger(struct stage *stage, const char *what, bool grown)
{
    long lines = stage_ledger_lines(stage) - stage->ledger_before;

    return (lines > 0) == grown || stage_fail(stage, "%s: %ld lines more in the service's ledger", what, lines);
}

/* How many tries the chip has left, as the simulator's own book says. */
static bool expect_tries(struct stage *stage, const char *card, const char *key, int wanted)
{
    char command[128], answer[512], look[64];
    const char *at;

    if (stage->problem[0] != '\0')
        return false;
    (void)snprintf(command, sizeof(command), "counters %s", card);
    (void)snprintf(look, sizeof(look), "%s=", key);
    if (!line_ask(stage->device, command, answer, sizeof(answer)) || (at = strstr(answer, look)) == NULL)
        return stage_fail(stage, "counters of %s: %s", card, answer);
    return atoi(at + strlen(look)) == wanted || stage_fail(stage, "%s has %s left, not %d", card, at, wanted);
}

static bool face_of_the_holder(struct stage *stage)
{
    return begin(stage, "franck", "franck") && show_face(stage, "franck") &&
           stage_wait(stage, "consent", FACE_TIME) && stage_consent(stage) && finish(stage) &&
           expect_text(stage, "outcome", "eligible") && expect_text(stage, "method", "face") &&
           expect_text(stage, "record", "yes") && expect_text(stage, "challenge", "yes") &&
           expect_ledger(stage, "asked", true);
}

static bool same_person_again(struct stage *stage)
{
    return begin(stage, "franck", "franck 900") && show_face(stage, "franck") &&
           stage_wait(stage, "consent", FACE_TIME) && stage_consent(stage) && finish(stage) &&
           expect_text(stage, "outcome", "eligible") && expect_flag(stage, "cached") &&
           expect_ledger(stage, "answered from the cache", false);
}

static bool another_man(struct stage *stage)
{
    return begin(stage, "franck", "cap12") && show_face(stage, "franck") && stage_wait(stage, "method", FACE_TIME) &&
           (strcmp(stage->failure, "F010") == 0 || stage_fail(stage, "no F010 but %s", stage->failure)) &&
           stage_act(stage, KIOSK, "choose_pin") && enter_pin(stage, "1234") && stage_wait(stage, "consent", CARD_TIME) &&
           stage_consent(stage) && finish(stage) && expect_text(stage, "outcome", "eligible") &&
           expect_text(stage, "method", "pin") && expect_flag(stage, "look");
}

/* The trace has a line an APDU: an empty VERIFY (the counter is read) must stand before each that carries a PIN. */
static bool counter_read_first(struct stage *stage, const char *path)
{
    FILE *file = fopen(path, "re");
    char line[512];
    int verifies = 0, queries = 0, unread = 0;

    if (file == NULL)
        return stage_fail(stage, "no trace");
    while (fgets(line, sizeof(line), file) != NULL) {
        /* "TIME APPLICATION CLA=.. INS=.. P1P2=.... Lc=N Le=N -> ...": an empty VERIFY asks, one with four bytes tries. */
        if (strstr(line, " jpki ") == NULL || strstr(line, " INS=20 ") == NULL)
            continue;
        if (strstr(line, " Lc=4 ") != NULL) {
            verifies++;
            unread += queries < verifies;
        } else {
            queries++;
        }
    }
    (void)fclose(file);
    return (verifies == 2 && unread == 0) ||
           stage_fail(stage, "%d PINs sent, %d counter reads, %d without", verifies, queries, unread);
}

static bool pin_wrong_then_right(struct stage *stage)
{
    char command[512], trace[400];

    (void)snprintf(trace, sizeof(trace), "%s/log/trace-pin", stage->desk);
    (void)remove(trace);
    (void)snprintf(command, sizeof(command), "trace on %s", trace);
    return stage_device(stage, command) && begin(stage, "other", "cap12") && stage_act(stage, KIOSK, "choose_pin") &&
           enter_pin(stage, "9999") && stage_wait(stage, "pin", CARD_TIME) &&
           (strcmp(stage->failure, "P001") == 0 || stage_fail(stage, "no P001 but %s", stage->failure)) &&
           expect_tries(stage, "other", "jpki.0018", 2) && enter_pin(stage, "2345") &&
           stage_wait(stage, "consent", CARD_TIME) && stage_consent(stage) && finish(stage) &&
           expect_text(stage, "outcome", "eligible") && expect_text(stage, "method", "pin") &&
           expect_tries(stage, "other", "jpki.0018", 3) && stage_device(stage, "trace off") &&
           counter_read_first(stage, trace);
}

static bool staff_check(struct stage *stage)
{
    return begin(stage, "locked-pin", "off") && stage_act(stage, KIOSK, "choose_staff") &&
           stage_wait(stage, "visual", SOON) && stage_act(stage, BOARD, "staff_confirm") &&
           stage_wait(stage, "consent", SOON) && stage_consent(stage) && finish(stage) &&
           expect_text(stage, "outcome", "eligible") && expect_text(stage, "method", "visual");
}

static bool paper_certificate(struct stage *stage)
{
    long status;
    json_t *answer;
    const char *id;

    stage->ledger_before = stage_ledger_lines(stage);
    answer = http_ask(stage->http, BOARD, "/api/lookup",
                      json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "insurer", "00990010", "symbol", "試験", "number", "2001",
                                "branch", "01", "birth", "19640229", "limit_consent", 1),
                      &status);
    id = json_string_value(json_object_get(answer, "visit"));
    stage->last_visit = id != NULL ? strtoull(id, NULL, 10) : 0;
    json_decref(answer);
    if (status != 200 || stage->last_visit == 0)
        return stage_fail(stage, "the look-up was not accepted: HTTP %ld", status);
    for (int waited = 0; waited < ASK_TIME; waited += 50) {
        json_t *visit = stage_visit(stage, stage->last_visit);
        const char *outcome = json_string_value(json_object_get(visit, "outcome"));
        bool open = outcome == NULL || strcmp(outcome, "open") == 0;

        json_decref(visit);
        if (!open)
            break;
        (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return expect_text(stage, "outcome", "eligible") && expect_text(stage, "method", "numbers") &&
           expect_ledger(stage, "asked", true);
}

static bool counterfeit_card(struct stage *stage)
{
    return begin(stage, "counterfeit", "franck") && show_face(stage, "counterfeit") &&
           stage_wait(stage, "done", CARD_TIME) &&
           (strcmp(stage->failure, "C007") == 0 || stage_fail(stage, "no C007 but %s", stage->failure)) &&
           stage_device(stage, "remove") && stage_wait(stage, "idle", SOON) &&
           expect_text(stage, "outcome", "refused") && expect_failure(stage, "C007") &&
           expect_ledger(stage, "nothing asked for a counterfeit card", false);
}

static bool card_pulled_out(struct stage *stage)
{
    return begin(stage, "franck", "franck") && stage_device(stage, "fault torn 12") && show_face(stage, "franck") &&
           stage_wait(stage, "card_lost", CARD_TIME) && stage_wait(stage, "idle", 10000) &&
           stage_device(stage, "faults off") && expect_text(stage, "outcome", "abandoned") &&
           expect_failure(stage, "C003") && expect_tries(stage, "franck", "kenkaku.0012", 10);
}

const struct visit_plan visit_plans[] = {
    {"face", "本人が顔で", "the holder, by face", face_of_the_holder},
    {"again", "同じ人がもう一度", "the same again: from the cache", same_person_again},
    {"mismatch", "別人の顔、正しい暗証番号", "another man, then the right PIN", another_man},
    {"pin", "暗証番号を一度間違える", "PIN wrong once, then right", pin_wrong_then_right},
    {"staff", "係が目で確認", "staff check by eye", staff_check},
    {"paper", "資格確認書(カードなし)", "paper certificate, no card", paper_certificate},
    {"counterfeit", "偽造カード", "a counterfeit card", counterfeit_card},
    {"pulled", "読み取り中にカードが離れる", "card pulled out in mid-read", card_pulled_out},
    {NULL, NULL, NULL, NULL},
};
