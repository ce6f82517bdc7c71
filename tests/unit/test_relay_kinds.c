/*
 * One suite for every capability, run through both kinds of upstream: the Web API with the simulated
 * service, and the folders with the simulated 資格確認端末. Both know the same people
 * (tests/sim/service/people). What a kind does not have it refuses in plain words; face files have a
 * suite of their own (test_relay_folders).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/failure.h"
#include "daemon/common/question.h"
#include "daemon/common/visit.h"

#include "relay_rig.h"
#include "relay_tools.h"

enum { ANSWERED = 0, NOT_SENT = 1, DOUBTFUL = 2, REFUSED = 3 };
enum { WEB, FOLDERS, KINDS };

#define RESULT "MessageBody/ResultList/ResultOfQualificationConfirmation/"
#define CAPABILITIES "by_numbers reference_number bulk documents"

static const struct rig_options options[KINDS] = {
    [WEB] = {.capabilities = CAPABILITIES},
    [FOLDERS] = {.capabilities = CAPABILITIES, .folders = true, .extra = "poll-seconds = 1"},
};

static unsigned asked; /* makes every correlation a new one */

static struct question_header header(void)
{
    static char correlation[32];

    (void)snprintf(correlation, sizeof(correlation), "K-%u", ++asked);
    return (struct question_header){"9910000017", "20261005", correlation};
}

/* Whom no service knows. */
static const struct question_numbers nobody = {
    .insurer = "990010", .symbol = "試験", .number = "9999", .branch = "01", .birth = "19640229"};

static struct rig_answer ask(struct rig *rig, enum upstream_kind kind, struct xmlmsg *tree,
                             uint32_t ms)
{
    char correlation[51];
    struct rig_answer answer;
    uint64_t request;

    assert_non_null(tree);
    (void)snprintf(correlation, sizeof(correlation), "%s",
                   xmlmsg_get(tree, "MessageHeader/ArbitraryFileIdentifier"));
    request = rig_ask(rig, kind, false, ms, tree, correlation);
    xmlmsg_free(&tree);
    if (!rig_wait(rig, request, ms + PATIENCE_MS, &answer))
        fail_msg("no answer to %s", correlation);
    return answer;
}

static struct rig_answer ask_numbers(struct rig *rig, const struct question_numbers *numbers,
                                     uint32_t ms)
{
    struct question_header h = header();

    return ask(rig, UPSTREAM_BY_NUMBERS, question_by_numbers(&h, numbers), ms);
}

static void answered(const struct rig_answer *answer)
{
    if (answer->message.outcome != ANSWERED)
        fail_msg("outcome %d, %s", answer->message.outcome,
                 failure_text(answer->message.failure)->name);
    assert_non_null(answer->tree);
    assert_true(answer->raw_len > 0);
    assert_string_equal(xmlmsg_name(answer->tree), "XmlMsg");
    assert_string_equal(xmlmsg_get(answer->tree, "MessageHeader/MedicalInstitutionCode"),
                        "9910000017");
}

static void has(const struct rig_answer *answer, const char *path, const char *value)
{
    if (strcmp(xmlmsg_get(answer->tree, path), value) != 0)
        fail_msg("%s is \"%s\", wanted \"%s\"", path, xmlmsg_get(answer->tree, path), value);
}

#define EACH_KIND(kind, rig)                                                                       \
    for (int kind = 0; kind < KINDS; kind++)                                                       \
        for (struct rig *rig = rig_start(&options[kind]); rig != NULL; rig_stop(rig), rig = NULL)

static void entitlements_by_numbers(void **state)
{
    (void)state;
    EACH_KIND(kind, rig)
    {
        struct rig_answer a = ask_numbers(rig, &rig_shikaku, 8000);

        answered(&a);
        has(&a, "MessageHeader/SegmentOfResult", "1");
        has(&a, "MessageBody/ProcessingResultStatus", "1");
        has(&a, "MessageBody/QualificationValidity", "1");
        has(&a, RESULT "Name", "架空　三郎");
        has(&a, RESULT "InsurerNumber", "  990010");
        rig_answer_free(&a);
        a = ask_numbers(rig, &nobody, 8000);
        answered(&a);
        has(&a, "MessageBody/QualificationValidity", "4");
        assert_false(xmlmsg_has(a.tree, RESULT "Name"));
        rig_answer_free(&a);
    }
}

/* CD006, as the person's file has it. */
static void every_validity_comes_as_it_is(void **state)
{
    static const char *const validities[] = {"1", "2", "3", "4", "5", "6"};

    (void)state;
    EACH_KIND(kind, rig)
    {
        for (size_t i = 0; i < sizeof(validities) / sizeof(validities[0]); i++) {
            struct rig_answer a;
            char line[80];

            (void)snprintf(line, sizeof(line), "person shikaku validity %s", validities[i]);
            rig_control(rig, line);
            a = ask_numbers(rig, &rig_shikaku, 8000);
            answered(&a);
            has(&a, "MessageBody/QualificationValidity", validities[i]);
            rig_answer_free(&a);
        }
    }
}

static void the_other_two_levels_of_status(void **state)
{
    static const char *const segment[KINDS] = {"error segment OQC-OWSE0900000 busy",
                                               "error segment OQC-OWSE0900000"};
    static const char *const processing[KINDS] = {"error processing X1 wrong /search",
                                                  "error processing X1"};

    (void)state;
    EACH_KIND(kind, rig)
    {
        struct rig_answer a;

        rig_control(rig, segment[kind]);
        a = ask_numbers(rig, &rig_shikaku, 8000);
        answered(&a);
        has(&a, "MessageHeader/SegmentOfResult", "9");
        has(&a, "MessageHeader/ErrorCode", "OQC-OWSE0900000");
        rig_answer_free(&a);
        rig_control(rig, "normal");
        rig_control(rig, processing[kind]);
        a = ask_numbers(rig, &rig_shikaku, 8000);
        answered(&a);
        has(&a, "MessageBody/ProcessingResultStatus", "2");
        has(&a, "MessageBody/ProcessingResultCode", "X1");
        rig_answer_free(&a);
    }
}

static void a_reference_number_is_set_and_comes_back(void **state)
{
    (void)state;
    EACH_KIND(kind, rig)
    {
        struct question_header h = header();
        struct question_reference reference = {"PT000123", &rig_shikaku};
        struct rig_answer a =
            ask(rig, UPSTREAM_REFERENCE_NUMBER, question_reference_number(&h, &reference), 8000);

        answered(&a);
        has(&a, "MessageBody/ProcessingResultStatus", "1");
        has(&a, "MessageBody/ReferenceNumberRegistrationInfo/ReferenceNumber", "PT000123");
        rig_answer_free(&a);
        a = ask_numbers(rig, &rig_shikaku, 8000);
        answered(&a);
        has(&a, RESULT "ReferenceNumber", "PT000123");
        rig_answer_free(&a);
        h = header();
        reference.numbers = &nobody;
        a = ask(rig, UPSTREAM_REFERENCE_NUMBER, question_reference_number(&h, &reference), 8000);
        answered(&a);
        has(&a, "MessageBody/ProcessingResultStatus", "2");
        rig_answer_free(&a);
    }
}

static void many_at_once(void **state)
{
    struct question_numbers both[] = {rig_shikaku, nobody};

    (void)state;
    both[0].identifier = "first";
    both[1].identifier = "second";
    EACH_KIND(kind, rig)
    {
        struct question_header h = header();
        struct question_reference references[] = {{"PT000777", &rig_shikaku},
                                                  {"PT000778", &nobody}};
        const struct xmlmsg *unit;
        struct rig_answer a;

        if (kind == FOLDERS)
            rig_control(rig, "pending 2"); /* "still being worked on", twice */
        a = ask(rig, UPSTREAM_BULK, question_bulk(&h, both, 2), 20000);
        answered(&a);
        has(&a, "MessageHeader/SegmentOfResult", "1");
        has(&a, "MessageHeader/NumberOfProcessingResult", "2");
        has(&a, "MessageHeader/NumberOfError", "0");
        unit = xmlmsg_find(a.tree, "MessageBody/BulkConfirmUnit");
        assert_string_equal(xmlmsg_get(unit, "QualificationConfirmSearchInfo/ArbitraryIdentifier"),
                            "first");
        assert_string_equal(xmlmsg_get(unit, "QualificationValidity"), "1");
        assert_string_equal(xmlmsg_get(unit, "ResultOfQualificationConfirmation/Name"),
                            "架空　三郎");
        unit = xmlmsg_next(unit, "BulkConfirmUnit");
        assert_string_equal(xmlmsg_get(unit, "QualificationConfirmSearchInfo/ArbitraryIdentifier"),
                            "second");
        assert_string_equal(xmlmsg_get(unit, "QualificationValidity"), "4");
        assert_null(xmlmsg_next(unit, "BulkConfirmUnit"));
        rig_answer_free(&a);
        h = header();
        a = ask(rig, UPSTREAM_REFERENCE_BULK, question_reference_bulk(&h, references, 2), 20000);
        answered(&a);
        has(&a, "MessageHeader/NumberOfNormalProcessing", "1");
        has(&a, "MessageHeader/NumberOfError", "1");
        assert_true(
            xmlmsg_has(a.tree, "MessageBody/BulkRegistrationUnit/ReferenceNumberRegistrationInfo"));
        rig_answer_free(&a);
        if (kind == FOLDERS)
            assert_int_equal(rig_count(rig, "OQSmuquc02"), 3);
    }
}

static void tickets_of_a_month(void **state)
{
    (void)state;
    EACH_KIND(kind, rig)
    {
        struct question_header h = header();
        struct rig_answer a = ask(rig, UPSTREAM_TICKETS, question_tickets(&h, "202611"), 20000);

        answered(&a);
        has(&a, "MessageHeader/NumberOfProcessingResult", "1");
        has(&a,
            "MessageBody/BulkConfirmUnit/ResultOfQualificationConfirmation/PublicExpenseResultList/"
            "MedicalTicketInfo/IssueNumber",
            "0000001");
        has(&a,
            "MessageBody/BulkConfirmUnit/ResultOfQualificationConfirmation/PublicExpenseResultList/"
            "MedicalTicketInfo/TicketType",
            "01");
        rig_answer_free(&a);
    }
}

static void documents_only_under_a_live_consent(void **state)
{
    const int64_t now = time(NULL);
    const struct question_consent live = {"1", now + 3600}, over = {"1", now},
                                  none = {"0", now + 3600};
    struct question_header h = header();

    (void)state;
    assert_null(question_drugs(&h, &rig_shikaku, &over, now, "20260901", "20260930"));
    assert_null(question_drugs(&h, &rig_shikaku, &none, now, "20260901", "20260930"));
    assert_null(question_checkup(&h, &rig_shikaku, &over, now));
    EACH_KIND(kind, rig)
    {
        struct rig_answer a;

        h = header();
        rig_until(rig, now + 3600);
        a = ask(rig, UPSTREAM_DRUGS,
                question_drugs(&h, &rig_shikaku, &live, now, "20260901", "20260930"), 8000);
        answered(&a);
        has(&a, "MessageBody/ResultCode", "1");
        has(&a, "MessageBody/CzDiMonthInf/DateInf/DrugInf/DrugN", "見本錠５ｍｇ");
        rig_answer_free(&a);
        h = header();
        a = ask(rig, UPSTREAM_CHECKUP, question_checkup(&h, &rig_shikaku, &live, now), 8000);
        answered(&a);
        has(&a,
            "MessageBody/SpecificHealthCheckupInfo/HealthCheckupResultAndQuestionInfos/ItemName",
            "身長");
        rig_answer_free(&a);
        /* The consent ended between the question's making and its sending: nothing goes out. */
        rig_until(rig, now - 1);
        h = header();
        a = ask(rig, UPSTREAM_DRUGS,
                question_drugs(&h, &rig_shikaku, &live, now, "20260901", "20260930"), 8000);
        assert_int_equal(a.message.outcome, NOT_SENT);
        assert_int_equal(a.message.failure, FAILURE_ELIGIBILITY_CANNOT_ASK);
        rig_answer_free(&a);
        /* And while the answer is on its way: nobody gets it. */
        rig_until(rig, time(NULL) + 1);
        rig_control(rig, "slow 2500");
        h = header();
        a = ask(rig, UPSTREAM_DRUGS,
                question_drugs(&h, &rig_shikaku, &live, now, "20260901", "20260930"), 8000);
        assert_int_equal(a.message.outcome, NOT_SENT);
        assert_int_equal(a.message.failure, FAILURE_ELIGIBILITY_CANNOT_ASK);
        assert_null(a.tree);
        rig_answer_free(&a);
    }
}

static void what_is_not_offered_is_not_sent(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        struct rig_options only = options[kind];
        struct question_header h = header();
        struct rig_answer a;
        struct rig *rig;

        only.capabilities = "by_numbers";
        rig = rig_start(&only);
        assert_int_equal(rig_state(rig)->capabilities, CAPABILITY_BY_NUMBERS);
        a = ask(rig, UPSTREAM_BULK, question_bulk(&h, &rig_shikaku, 1), 4000);
        assert_int_equal(a.message.outcome, NOT_SENT);
        assert_int_equal(a.message.failure, FAILURE_ELIGIBILITY_CANNOT_ASK);
        rig_answer_free(&a);
        rig_stop(rig);
    }
}

/* What was sent and not answered: a read may be asked again, a write never is. */
static void silence_leaves_a_read_open_and_a_write_in_doubt(void **state)
{
    static const char *const silence[KINDS] = {"slow 30000", "lost"};
    static const char *const ledger[KINDS] = {"reference_number", "OQSsiimm01"};

    (void)state;
    EACH_KIND(kind, rig)
    {
        struct question_header h = header();
        const struct question_reference reference = {"PT000123", &rig_shikaku};
        struct rig_answer a = ask_numbers(rig, &rig_shikaku, 8000);

        answered(&a);
        rig_answer_free(&a);
        rig_control(rig, silence[kind]);
        a = ask_numbers(rig, &rig_shikaku, 5000);
        assert_int_equal(a.message.outcome, NOT_SENT);
        assert_int_equal(a.message.failure, FAILURE_ELIGIBILITY_SLOW);
        rig_answer_free(&a);
        a = ask(rig, UPSTREAM_REFERENCE_NUMBER, question_reference_number(&h, &reference), 5000);
        assert_int_equal(a.message.outcome, DOUBTFUL);
        assert_int_equal(a.message.failure, FAILURE_ELIGIBILITY_DOUBTFUL);
        rig_answer_free(&a);
        assert_int_equal(kind == WEB ? rig_ledger(rig, ledger[kind]) : rig_count(rig, ledger[kind]),
                         1);
    }
}

static void more_than_one_at_a_time(void **state)
{
    (void)state;
    EACH_KIND(kind, rig)
    {
        uint64_t requests[30];

        for (size_t i = 0; i < 30; i++) {
            struct question_header h = header();
            struct xmlmsg *tree = question_by_numbers(&h, i % 2 == 0 ? &rig_shikaku : &nobody);

            requests[i] = rig_ask(rig, UPSTREAM_BY_NUMBERS, false, 20000, tree, h.correlation);
            xmlmsg_free(&tree);
        }
        for (size_t i = 0; i < 30; i++) {
            struct rig_answer a;

            assert_true(rig_wait(rig, requests[i], PATIENCE_MS, &a));
            answered(&a);
            has(&a, "MessageBody/QualificationValidity", i % 2 == 0 ? "1" : "4");
            rig_answer_free(&a);
        }
    }
}

/* ---- every capability with each kind --------------------------------------------------------- */

/* A user certificate that names the card: the service finds whose it is. */
static struct question_card card_of(const char *name)
{
    static uint8_t der[2048];
    char dir[] = "/tmp/uketsuke-card-XXXXXX", subject[64], key[64], path[64];
    struct question_card card = {.certificate = der, .method = "visual"};
    FILE *file;

    assert_non_null(mkdtemp(dir));
    (void)snprintf(subject, sizeof(subject), "/CN=SIM-%s", name);
    (void)snprintf(key, sizeof(key), "%s/key", dir);
    (void)snprintf(path, sizeof(path), "%s/der", dir);
    rig_run((const char *const[]){"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                  "ec_paramgen_curve:P-256", "-nodes", "-days", "400", "-subj",
                                  subject, "-keyout", key, "-outform", "DER", "-out", path, NULL});
    file = fopen(path, "re");
    assert_non_null(file);
    card.certificate_len = fread(der, 1, sizeof(der), file);
    assert_in_range(card.certificate_len, 200, sizeof(der) - 1);
    (void)fclose(file);
    (void)unlink(key);
    (void)unlink(path);
    (void)rmdir(dir);
    return card;
}

/* A question of each kind that a service answers truly. */
static struct xmlmsg *question_of(enum upstream_kind kind, const struct question_card *card)
{
    const int64_t now = time(NULL);
    const struct question_consent live = {"1", now + 3600};
    const struct question_reference reference = {"PT000123", &rig_shikaku};
    struct question_header h = header();

    switch (kind) {
    case UPSTREAM_BY_NUMBERS:
        return question_by_numbers(&h, &rig_shikaku);
    case UPSTREAM_CARD_SESSION:
        return question_card_session(&h, card);
    case UPSTREAM_REGISTER:
        return question_register(&h, card);
    case UPSTREAM_CONSENTS:
        return question_consents(&h, card);
    case UPSTREAM_REFERENCE_NUMBER:
        return question_reference_number(&h, &reference);
    case UPSTREAM_BULK:
        return question_bulk(&h, &rig_shikaku, 1);
    case UPSTREAM_REFERENCE_BULK:
        return question_reference_bulk(&h, &reference, 1);
    case UPSTREAM_DRUGS:
        return question_drugs(&h, &rig_shikaku, &live, now, "20260901", "20260930");
    case UPSTREAM_CHECKUP:
        return question_checkup(&h, &rig_shikaku, &live, now);
    case UPSTREAM_TICKETS:
        return question_tickets(&h, "202611");
    }
    return NULL;
}

#define KIND_FIRST UPSTREAM_BY_NUMBERS
#define KIND_LAST UPSTREAM_TICKETS

static const struct {
    const char *name;
    uint32_t bit;
    bool offered[KINDS];
    unsigned kinds; /* of questions: a bit each */
} pairs[] = {
#define ASKS(kind) (1u << UPSTREAM_##kind)
    {"by_numbers", CAPABILITY_BY_NUMBERS, {true, true}, ASKS(BY_NUMBERS)},
    {"reference_number", CAPABILITY_REFERENCE_NUMBER, {true, true}, ASKS(REFERENCE_NUMBER)},
    {"bulk", CAPABILITY_BULK, {true, true}, ASKS(BULK) | ASKS(REFERENCE_BULK) | ASKS(TICKETS)},
    {"documents", CAPABILITY_DOCUMENTS, {true, true}, ASKS(DRUGS) | ASKS(CHECKUP)},
    {"face_files", CAPABILITY_FACE_FILES, {false, true}, 0},
    {"card_session", CAPABILITY_CARD_SESSION, {true, false}, ASKS(CARD_SESSION)},
    {"register", CAPABILITY_REGISTER, {true, false}, ASKS(REGISTER)},
    {"consents", CAPABILITY_CONSENTS, {true, false}, ASKS(CONSENTS)},
};
#define PAIRS (sizeof(pairs) / sizeof(pairs[0]))

/* What a question of that kind is called in the books of the service and of the terminal. */
static const char *const in_books[][KINDS] = {
    [UPSTREAM_BY_NUMBERS] = {"search", "OQSsiquc01"},
    [UPSTREAM_CARD_SESSION] = {"card_session", NULL},
    [UPSTREAM_REGISTER] = {"register", NULL},
    [UPSTREAM_CONSENTS] = {"consents", NULL},
    [UPSTREAM_REFERENCE_NUMBER] = {"reference_number", "OQSsiimm01"},
    [UPSTREAM_BULK] = {"bulk", "OQSmuquc01"},
    [UPSTREAM_REFERENCE_BULK] = {"reference_bulk", "OQSmuimm01"},
    [UPSTREAM_DRUGS] = {"drugs", "YZKsiquc01"},
    [UPSTREAM_CHECKUP] = {"checkup", "TKKsiquc01"},
    [UPSTREAM_TICKETS] = {"tickets", "OQSmutic01"},
};

/* Alone it is declared, its questions are answered, and no other kind of question leaves the house. */
static void offered(size_t i, int kind, const struct question_card *card)
{
    struct rig_options only = options[kind];
    struct rig *rig;

    only.capabilities = pairs[i].name;
    rig = rig_start(&only);
    assert_int_equal(rig_state(rig)->capabilities, pairs[i].bit);
    rig_until(rig, time(NULL) + 3600);
    for (int q = KIND_FIRST; q <= KIND_LAST; q++) {
        bool asks = (pairs[i].kinds & 1u << q) != 0;
        struct rig_answer a = ask(rig, (enum upstream_kind)q,
                                  question_of((enum upstream_kind)q, card), asks ? 20000 : 4000);

        if (asks) {
            answered(&a);
        } else {
            assert_int_equal(a.message.outcome, NOT_SENT);
            assert_int_equal(a.message.failure, FAILURE_ELIGIBILITY_CANNOT_ASK);
        }
        rig_answer_free(&a);
        if (in_books[q][kind] != NULL)
            assert_int_equal((kind == WEB ? rig_ledger(rig, in_books[q][kind])
                                          : rig_count(rig, in_books[q][kind])) > 0,
                             asks);
    }
    if (pairs[i].bit == CAPABILITY_FACE_FILES) {
        struct rig_told told;

        rig_control(rig, "face hanako 9910000017b_20261005091502");
        assert_true(rig_wait_told(rig, MSG_TERMINAL_VISIT, PATIENCE_MS, &told));
        assert_non_null(strstr(xmlmsg_get(told.tree, RESULT "Name"), "●"));
        rig_told_free(&told);
    }
    rig_stop(rig);
}

/* The program does not begin, and says which word of the configuration it is and what may stand there. */
static void refused(size_t i, int kind)
{
    static const char *const others[KINDS] = {
        "kind = web-api\nauth-url = https://h/a\nsearch-url = https://h/s\n"
        "extension-url = https://h/e\n",
        "kind = folders\nfolder = /tmp\n"};
    char config[1024], output[4096], wanted[200];
    char *list;

    (void)snprintf(config, sizeof(config),
                   "[desk]\ninstitution = 9910000017\n[upstream main]\n%scapabilities = by_numbers "
                   "%s\n",
                   others[kind], pairs[i].name);
    assert_int_equal(rig_run_relay(config, "--try-cage", output, sizeof(output)), 1);
    (void)snprintf(
        wanted, sizeof(wanted),
        "[upstream main] capabilities: %s: この種類の照会先にはありません / not something "
        "that this kind of upstream can do; 次から選びます / choose from ",
        pairs[i].name);
    list = strstr(output, wanted);
    if (list == NULL)
        fail_msg("%s: %s", pairs[i].name, output);
    list += strlen(wanted);
    list[strcspn(list, "\n")] = '\0';
    for (size_t each = 0; each < PAIRS; each++) {
        bool named = strstr(list, pairs[each].name) != NULL;

        if (named != pairs[each].offered[kind])
            fail_msg("%s: %s", pairs[each].name, output);
    }
}

static void every_capability_is_offered_or_refused_by_each_kind(void **state)
{
    const struct question_card card = card_of("franck");

    (void)state;
    for (size_t i = 0; i < PAIRS; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            if (pairs[i].offered[kind])
                offered(i, kind, &card);
            else
                refused(i, kind);
        }
}

/* ---- what only the Web API has: the card itself ---------------------------------------------- */

static const struct rig_options cards = {.capabilities =
                                             "by_numbers card_session register consents"};

static struct rig_answer ask_card(struct rig *rig, enum upstream_kind kind,
                                  const struct question_card *card, uint32_t ms)
{
    return ask(rig, kind, question_of(kind, card), ms);
}

/* Answered, and then the service's own word on it. */
static void card_says(struct rig *rig, enum upstream_kind kind, const struct question_card *card,
                      const char *status, const char *code)
{
    struct rig_answer a = ask_card(rig, kind, card, 8000);

    answered(&a);
    has(&a, "MessageBody/ProcessingResultStatus", status);
    has(&a, "MessageBody/ProcessingResultCode", code);
    rig_answer_free(&a);
}

static void a_card_names_its_entitlement(void **state)
{
    struct rig *rig = rig_start(&cards);
    struct question_card card = card_of("franck");
    struct rig_answer a;

    (void)state;
    card.consents_asked = CONSENT_LIMIT | CONSENT_DRUGS | CONSENT_CHECKUP;
    card.consents = CONSENT_LIMIT | CONSENT_DRUGS;
    a = ask_card(rig, UPSTREAM_CARD_SESSION, &card, 8000);
    answered(&a);
    has(&a, "MessageHeader/ReferenceClassification", "1");
    has(&a, "MessageBody/QualificationValidity", "1");
    has(&a, RESULT "Name", "見本　太郎");
    has(&a, RESULT "LimitApplicationCertificateRelatedConsFlg", "1");
    has(&a,
        RESULT
        "LimitApplicationCertificateRelatedInfo/LimitApplicationCertificateClassificationFlag",
        "A03");
    has(&a, RESULT "PharmacistsInfoConsFlg", "1");
    assert_int_equal(strlen(xmlmsg_get(a.tree, RESULT "PharmacistsInfoConsTime")), 14);
    assert_int_equal(strlen(xmlmsg_get(a.tree, RESULT "PharmacistsInfoAvailableTime")), 14);
    has(&a, RESULT "SpecificHealthCheckupsInfoConsFlg", "0");
    assert_false(xmlmsg_has(a.tree, RESULT "SpecificHealthCheckupsInfoAvailableTime"));
    rig_answer_free(&a);
    for (char validity = '1'; validity <= '6'; validity++) {
        char line[80];
        const char value[] = {validity, '\0'};

        (void)snprintf(line, sizeof(line), "person franck validity %s", value);
        rig_control(rig, line);
        a = ask_card(rig, UPSTREAM_CARD_SESSION, &card, 8000);
        answered(&a);
        has(&a, "MessageBody/QualificationValidity", value);
        rig_answer_free(&a);
    }
    rig_control(rig, "error segment OQC-OWSE0900000 busy");
    a = ask_card(rig, UPSTREAM_CARD_SESSION, &card, 8000);
    answered(&a);
    has(&a, "MessageHeader/SegmentOfResult", "9");
    rig_answer_free(&a);
    rig_control(rig, "normal");
    card = card_of("nobody-has-this-card");
    card_says(rig, UPSTREAM_CARD_SESSION, &card, "2", "SIMPRC203");
    card = card_of("revoked");
    card_says(rig, UPSTREAM_CARD_SESSION, &card, "2", "SIMPRC205");
    rig_stop(rig);
}

static void a_card_is_registered_once(void **state)
{
    struct rig *rig = rig_start(&cards);
    struct question_card card = card_of("first-use");
    struct rig_answer a;

    (void)state;
    card_says(rig, UPSTREAM_CARD_SESSION, &card, "2", "SIMPRC221");
    a = ask_card(rig, UPSTREAM_REGISTER, &card, 8000);
    answered(&a);
    has(&a, "MessageBody/RegistrationOutcome", "accepted");
    rig_answer_free(&a);
    a = ask_card(rig, UPSTREAM_CARD_SESSION, &card, 8000);
    answered(&a);
    has(&a, RESULT "Name", "架空　初");
    rig_answer_free(&a);
    a = ask_card(rig, UPSTREAM_REGISTER, &card, 8000);
    answered(&a);
    has(&a, "MessageBody/RegistrationOutcome", "already");
    has(&a, "MessageBody/ProcessingResultStatus", "1");
    has(&a, "MessageBody/ProcessingResultCode", "SIMNOT303");
    rig_answer_free(&a);
    card = card_of("insurer-missing");
    a = ask_card(rig, UPSTREAM_REGISTER, &card, 8000);
    answered(&a);
    has(&a, "MessageBody/RegistrationOutcome", "refused");
    has(&a, "MessageBody/ProcessingResultCode", "SIMPRC222");
    rig_answer_free(&a);
    rig_stop(rig);
}

static void a_consent_changes_and_the_others_stay(void **state)
{
    struct rig *rig = rig_start(&cards);
    struct question_card card = card_of("franck");
    struct rig_answer a;

    (void)state;
    card.consents_asked = card.consents = CONSENT_DRUGS | CONSENT_DIAGNOSIS;
    a = ask_card(rig, UPSTREAM_CARD_SESSION, &card, 8000);
    answered(&a);
    has(&a, RESULT "PharmacistsInfoConsFlg", "1");
    has(&a, RESULT "DiagnosisInfoConsFlg", "1");
    rig_answer_free(&a);
    card.consents_asked = CONSENT_DRUGS | CONSENT_OPERATION;
    card.consents = CONSENT_OPERATION;
    a = ask_card(rig, UPSTREAM_CONSENTS, &card, 8000);
    answered(&a);
    has(&a, RESULT "PharmacistsInfoConsFlg", "0");
    assert_false(xmlmsg_has(a.tree, RESULT "PharmacistsInfoAvailableTime"));
    has(&a, RESULT "OperationInfoConsFlg", "1");
    assert_true(xmlmsg_has(a.tree, RESULT "OperationInfoAvailableTime"));
    has(&a, RESULT "DiagnosisInfoConsFlg", "1");
    rig_answer_free(&a);
    rig_stop(rig);
}

/* What was sent about a card and not answered: a session may be asked again, a change never is. */
static void silence_about_a_card(void **state)
{
    static const struct {
        enum upstream_kind kind;
        const char *name;
        int outcome, failure;
    } rows[] = {
        {UPSTREAM_CARD_SESSION, "card_session", NOT_SENT, FAILURE_ELIGIBILITY_SLOW},
        {UPSTREAM_REGISTER, "register", DOUBTFUL, FAILURE_ELIGIBILITY_DOUBTFUL},
        {UPSTREAM_CONSENTS, "consents", DOUBTFUL, FAILURE_ELIGIBILITY_DOUBTFUL},
    };
    struct question_card card = card_of("franck");

    (void)state;
    card.consents_asked = card.consents = CONSENT_DRUGS;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *rig = rig_start(&cards);
        struct rig_answer a = ask_numbers(rig, &rig_shikaku, 8000);

        answered(&a);
        rig_answer_free(&a);
        rig_control(rig, "slow 30000");
        a = ask_card(rig, rows[i].kind, &card, 5000);
        assert_int_equal(a.message.outcome, rows[i].outcome);
        assert_int_equal(a.message.failure, rows[i].failure);
        rig_answer_free(&a);
        assert_int_equal(rig_ledger(rig, rows[i].name), 1);
        rig_stop(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entitlements_by_numbers),
        cmocka_unit_test(every_validity_comes_as_it_is),
        cmocka_unit_test(the_other_two_levels_of_status),
        cmocka_unit_test(a_reference_number_is_set_and_comes_back),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(tickets_of_a_month),
        cmocka_unit_test(documents_only_under_a_live_consent),
        cmocka_unit_test(what_is_not_offered_is_not_sent),
        cmocka_unit_test(silence_leaves_a_read_open_and_a_write_in_doubt),
        cmocka_unit_test(more_than_one_at_a_time),
        cmocka_unit_test(every_capability_is_offered_or_refused_by_each_kind),
        cmocka_unit_test(a_card_names_its_entitlement),
        cmocka_unit_test(a_card_is_registered_once),
        cmocka_unit_test(a_consent_changes_and_the_others_stay),
        cmocka_unit_test(silence_about_a_card),
    };

    cmocka_set_test_filter(getenv("UKETSUKE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
