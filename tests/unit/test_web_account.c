/* Signing in with name, password and one-time code; roles; locks and idleness. The desk's side is
 * played here. */
#include "web_rig.h"

#include "account.h"
#include "daemon/web/json_view.h"
#include "daemon/web/password.h"
#include "daemon/web/totp.h"
#include "failure.h"
#include "xmlmsg.h"

/* From the test vectors of Argon2's reference implementation: "password", "somesalt". */
#define PROOF                                                                                      \
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
/* RFC 6238, appendix B. */
#define SECRET "12345678901234567890"
#define NOW_S UINT64_C(1795338000) /* the rig's */

/* What the played desk knows, and what it was told. */
static struct {
    struct msg_account account;
    bool accept;
    struct msg_sign_in signed_in;
    struct msg_account_change change;
    unsigned sign_ins, changes;
} desk;

static void play(struct rig *rig, const struct message *message)
{
    struct msg_account_result result = {.accepted = desk.accept ? 1 : 0,
                                        .failure = desk.accept ? 0 : FAILURE_ACCOUNT_WRONG};
    struct msg_account account = desk.account;

    switch (message->type) {
    case MSG_ACCOUNT_QUERY:
        account.request = message->body.account_query.request;
        if (strcmp(message->body.account_query.name, "sato") != 0)
            account = (struct msg_account){.request = account.request};
        rig_send(rig, MSG_ACCOUNT, &account, -1);
        break;
    case MSG_SIGN_IN:
        desk.sign_ins++;
        desk.signed_in = message->body.sign_in;
        result.request = desk.signed_in.request;
        if (desk.signed_in.result != SIGN_IN_GOOD) {
            result.accepted = 0;
            result.failure = FAILURE_ACCOUNT_WRONG;
        }
        rig_send(rig, MSG_ACCOUNT_RESULT, &result, -1);
        break;
    case MSG_ACCOUNT_CHANGE:
        desk.changes++;
        desk.change = message->body.account_change;
        result.request = desk.change.request;
        rig_send(rig, MSG_ACCOUNT_RESULT, &result, -1);
        break;
    default:
        rig_desk_plain(rig, message);
        break;
    }
}

static int setup(void **state)
{
    struct rig *rig;

    (void)rig_setup_with(state, STAFF_TOKEN);
    rig = *state;
    /* The rig's board has a token; here it has accounts instead. */
    session_free(&rig->session);
    assert_int_equal(session_new(&rig->session, rig->clock), 0);
    assert_int_equal(session_use_accounts(rig->session, 900), 0);
    assert_int_equal(session_add_token(rig->session, 1, LANE1_TOKEN, strlen(LANE1_TOKEN)), 0);
    assert_int_equal(session_add_token(rig->session, 2, LANE2_TOKEN, strlen(LANE2_TOKEN)), 0);
    rig->web.session = rig->session;
    assert_int_equal(passwords_new(&rig->web.passwords, rig->loop), 0);
    memset(&desk, 0, sizeof(desk));
    desk.accept = true;
    desk.account = (struct msg_account){
        .found = 1, .role = ROLE_RECEPTION, .state = ACCOUNT_ACTIVE, .epoch = 4};
    (void)MESSAGE_TEXT(desk.account.proof, PROOF);
    memcpy(desk.account.totp.data, SECRET, 20);
    desk.account.totp.len = 20;
    rig->on_desk = play;
    return 0;
}

/* Argon2 takes its time, on a busy machine more. */
static struct reply *slow_post(struct rig *rig, const char *path, const char *head,
                               const char *body)
{
    static struct reply reply;
    char lines[600];
    int fd;

    (void)snprintf(lines, sizeof(lines), "%s%s%s", JSON_OF("board"), origin_line(rig), head);
    fd = client_begin(rig, "POST", path, lines, body);
    memset(&reply, 0, sizeof(reply));
    for (int i = 0; i < 3000 && reply.status == 0 && !reply.closed; i++)
        client_read(rig, fd, &reply);
    close(fd);
    rig_pump(rig);
    return &reply;
}

static struct reply *sign_in(struct rig *rig, const char *name, const char *password,
                             const char *code)
{
    char body[300];

    (void)snprintf(body, sizeof(body), "{\"name\":\"%s\",\"password\":\"%s\",\"code\":\"%s\"}",
                   name, password, code);
    return slow_post(rig, "/api/sign-in", "", body);
}

/* The code of the rig's time plus so many steps, made by the tested function that the RFC's vectors
 * judge. */
static const char *code_at(int steps)
{
    static char text[16];

    (void)snprintf(text, sizeof(text), "%06u",
                   totp_code((const uint8_t *)SECRET, 20, NOW_S / 30 + (uint64_t)(int64_t)steps));
    return text;
}

/* "Cookie: ..." of a Set-Cookie in a reply. */
static const char *cookie_of(const struct reply *reply)
{
    static char line[700];
    const char *at = strstr(reply->text, "Set-Cookie: ");

    assert_non_null(at);
    at += 12;
    (void)snprintf(line, sizeof(line), "Cookie: %.*s\r\n", (int)strcspn(at, ";"), at);
    return line;
}

static void the_codes_are_those_of_the_rfc(void **state)
{
    static const struct {
        uint64_t seconds;
        uint32_t code; /* the last six digits of appendix B */
    } vectors[] = {{59, 287082},       {1111111109, 81804},  {1111111111, 50471},
                   {1234567890, 5924}, {2000000000, 279037}, {UINT64_C(20000000000), 353130}};
    uint8_t back[32];
    char text[TOTP_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        assert_int_equal(totp_code((const uint8_t *)SECRET, 20, vectors[i].seconds / 30),
                         vectors[i].code);
    assert_int_equal(totp_match((const uint8_t *)SECRET, 20, 1111111111, "050471"),
                     1111111111 / 30);
    assert_int_equal(totp_match((const uint8_t *)SECRET, 20, 1111111111 + 30, "050471"),
                     1111111111 / 30);
    assert_int_equal(totp_match((const uint8_t *)SECRET, 20, 1111111111 + 60, "050471"), 0);
    assert_int_equal(totp_match((const uint8_t *)SECRET, 20, 1111111111, "50471"), 0);
    assert_int_equal(totp_match((const uint8_t *)SECRET, 20, 1111111111, " 50471"), 0);
    assert_int_equal(totp_match((const uint8_t *)SECRET, 20, 1111111111, ""), 0);
    totp_text((const uint8_t *)"foobar", 6, text); /* RFC 4648, section 10, without padding */
    assert_string_equal(text, "MZXW6YTBOI");
    assert_int_equal(totp_secret("mzxw 6ytb-oi", back, sizeof(back)), 6);
    assert_memory_equal(back, "foobar", 6);
    assert_int_equal(totp_secret("MZXW6YTB0I", back, sizeof(back)), -EINVAL);
}

static void password_and_code_open_a_session_that_the_desk_has_counted(void **state)
{
    struct rig *rig = *state;
    struct reply *reply = sign_in(rig, "sato", "password", code_at(0));

    assert_int_equal(reply->status, 200);
    assert_string_equal(reply->body,
                        "{\"surface\":\"board\",\"name\":\"sato\",\"role\":\"reception\"}");
    assert_int_equal(desk.sign_ins, 1);
    assert_int_equal(desk.signed_in.result, SIGN_IN_GOOD);
    assert_int_equal(desk.signed_in.totp_step, NOW_S / 30);
    assert_int_equal(desk.signed_in.epoch, 4);
    assert_null(strstr(reply->text, "password"));
    assert_int_equal(get(rig, "/api/lanes", cookie_of(reply))->status, 200);
    assert_int_equal(get(rig, "/api/lanes", "")->status, 401);
    /* No token opens this board. */
    assert_int_equal(get(rig, "/api/lanes", BEARER(STAFF_TOKEN))->status, 401);
}

static void what_is_wrong_is_not_said_and_always_counted(void **state)
{
    static const struct {
        const char *name, *password;
        int steps;
    } wrong[] = {{"sato", "passwore", 0}, {"sato", "password", 5}, {"suzuki", "password", 0}};
    struct rig *rig = *state;
    char first[200] = "";

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct reply *reply =
            sign_in(rig, wrong[i].name, wrong[i].password, code_at(wrong[i].steps));

        assert_int_equal(reply->status, 401);
        assert_non_null(strstr(reply->body, "A001"));
        assert_null(strstr(reply->text, "Set-Cookie"));
        assert_int_equal(desk.sign_ins, i + 1);
        assert_int_equal(desk.signed_in.result, SIGN_IN_WRONG);
        if (i == 0)
            (void)snprintf(first, sizeof(first), "%.190s", reply->body);
        else
            assert_memory_equal(reply->body, first, strlen(first));
    }
}

static void the_desks_no_is_the_last_word(void **state)
{
    struct rig *rig = *state;
    struct reply *reply;

    desk.accept = false; /* the code was used before, say */
    reply = sign_in(rig, "sato", "password", code_at(0));
    assert_int_equal(reply->status, 401);
    assert_null(strstr(reply->text, "Set-Cookie"));
    desk.account.locked_s = 120;
    reply = sign_in(rig, "sato", "password", code_at(0));
    assert_int_equal(reply->status, 429);
    assert_non_null(strstr(reply->text, "Retry-After: 120\r\n"));
    assert_non_null(strstr(reply->body, "A002"));
    assert_int_equal(desk.sign_ins, 1); /* while locked nothing is judged */
}

static void without_origin_or_fields_nothing_is_asked(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(post(rig, "/api/sign-in", JSON_OF("board"),
                          "{\"name\":\"sato\",\"password\":\"password\",\"code\":\"1\"}")
                         ->status,
                     403);
    assert_int_equal(slow_post(rig, "/api/sign-in", "",
                               "{\"name\":\"\",\"password\":\"password\",\"code\":\"1\"}")
                         ->status,
                     422);
    assert_int_equal(
        slow_post(rig, "/api/sign-in", "", "{\"name\":\"sato\",\"password\":\"\",\"code\":\"1\"}")
            ->status,
        422);
    assert_int_equal(slow_post(rig, "/api/sign-in", "",
                               "{\"name\":\"sato\",\"password\":\"x\",\"code\":\"1\",\"role\":3}")
                         ->status,
                     422);
    assert_int_equal(slow_post(rig, "/api/sign-in", "", "[]")->status, 400);
    assert_int_equal(desk.sign_ins, 0);
}

static void a_client_that_goes_away_in_the_middle_hurts_nobody(void **state)
{
    struct rig *rig = *state;
    char lines[300];
    const char *body = "{\"name\":\"sato\",\"password\":\"password\",\"code\":\"000000\"}";

    (void)snprintf(lines, sizeof(lines), "%s%s", JSON_OF("board"), origin_line(rig));
    for (int i = 0; i < 3; i++) {
        int fd = client_begin(rig, "POST", "/api/sign-in", lines, body);

        rig_pump(rig);
        close(fd);
        rig_pump(rig);
    }
    assert_int_equal(sign_in(rig, "sato", "password", code_at(0))->status, 200);
}

static void a_session_ends_after_idleness(void **state)
{
    struct rig *rig = *state;
    char cookie[700], lines[900];
    struct reply *reply = sign_in(rig, "sato", "password", code_at(0));

    assert_int_equal(reply->status, 200);
    (void)snprintf(cookie, sizeof(cookie), "%s", cookie_of(reply));
    (void)snprintf(lines, sizeof(lines), "%s%s%s", cookie, JSON_OF("board"), origin_line(rig));
    rig_advance(rig, 899 * CLOCK_SECOND);
    assert_int_equal(get(rig, "/api/lanes", cookie)->status, 200); /* looking is not doing */
    assert_int_equal(post(rig, "/api/session/touch", lines, "{}")->status, 204);
    rig_advance(rig, 899 * CLOCK_SECOND);
    assert_int_equal(get(rig, "/api/lanes", cookie)->status, 200);
    rig_advance(rig, 2 * CLOCK_SECOND);
    assert_int_equal(get(rig, "/api/lanes", cookie)->status, 401);
}

static void sign_out_and_change_end_a_session(void **state)
{
    struct rig *rig = *state;
    char cookie[700], lines[900];

    for (int way = 0; way < 2; way++) {
        struct reply *reply = sign_in(rig, "sato", "password", code_at(0));

        assert_int_equal(reply->status, 200);
        (void)snprintf(cookie, sizeof(cookie), "%s", cookie_of(reply));
        (void)snprintf(lines, sizeof(lines), "%s%s%s", cookie, JSON_OF("board"), origin_line(rig));
        if (way == 0)
            assert_int_equal(client(rig, "DELETE", "/api/session", lines, NULL)->status, 204);
        else
            session_end_of(rig->session, "sato");
        assert_int_equal(get(rig, "/api/lanes", cookie)->status, 401);
    }
}

static void a_role_may_what_it_may(void **state)
{
    static const struct {
        const char *method, *path, *body;
        int reception, clinician, administrator;
    } doors[] = {
        {"GET", "/api/lanes", NULL, 200, 200, 200},
        {"GET", "/api/accounts", NULL, 403, 403, 200},
        {"GET", "/api/sessions", NULL, 403, 403, 200},
        {"POST", "/api/accounts", "{\"what\":\"disable\",\"name\":\"tanaka\"}", 403, 403, 200},
        {"DELETE", "/api/sessions/12345", NULL, 403, 403, 204},
    };
    struct rig *rig = *state;

    for (uint8_t role = ROLE_RECEPTION; role <= ROLE_ADMINISTRATOR; role++) {
        char cookie[700], lines[900];
        struct reply *reply;

        desk.account.role = role;
        reply = sign_in(rig, "sato", "password", code_at(0));
        assert_int_equal(reply->status, 200);
        (void)snprintf(cookie, sizeof(cookie), "%s", cookie_of(reply));
        (void)snprintf(lines, sizeof(lines), "%s%s%s", cookie, JSON_OF("board"), origin_line(rig));
        for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
            int wanted = role == ROLE_RECEPTION   ? doors[i].reception
                         : role == ROLE_CLINICIAN ? doors[i].clinician
                                                  : doors[i].administrator;
            unsigned before = desk.changes;

            if (strcmp(doors[i].path, "/api/accounts") == 0 && doors[i].body == NULL &&
                wanted == 200)
                continue; /* its answer has a test of its own */
            reply = client(rig, doors[i].method, doors[i].path, lines, doors[i].body);
            if (reply->status != wanted)
                fail_msg("role %u, %s %s: %d instead of %d", role, doors[i].method, doors[i].path,
                         reply->status, wanted);
            assert_int_equal(desk.changes - before, doors[i].body != NULL && wanted == 200);
        }
    }
    assert_string_equal(desk.change.staff, "sato");
    assert_string_equal(desk.change.name, "tanaka");
    assert_int_equal(desk.change.what, ACCOUNT_DISABLE);
}

static void
an_administrator_hands_out_a_setup_code_and_it_is_used_once_to_choose_a_password(void **state)
{
    struct rig *rig = *state;
    char lines[900], body[400], code[20], secret[64], number[8];
    uint8_t raw[32];
    struct reply *reply;
    const char *at;

    desk.account.role = ROLE_ADMINISTRATOR;
    reply = sign_in(rig, "sato", "password", code_at(0));
    (void)snprintf(lines, sizeof(lines), "%s%s%s", cookie_of(reply), JSON_OF("board"),
                   origin_line(rig));
    reply = client(rig, "POST", "/api/accounts", lines,
                   "{\"what\":\"add\",\"name\":\"tanaka\",\"role\":\"clinician\"}");
    assert_int_equal(reply->status, 200);
    assert_int_equal(sscanf(reply->body, "{\"setup\":\"%16[A-Z2-7]\"}", code), 1);
    assert_int_equal(desk.change.what, ACCOUNT_NEW);
    assert_int_equal(desk.change.role, ROLE_CLINICIAN);
    assert_int_equal(strncmp(desk.change.proof, "setup:", 6), 0);
    assert_null(strstr(desk.change.proof, code));

    /* Now the new person's page. The desk holds what it was told. */
    desk.account = (struct msg_account){
        .found = 1, .role = ROLE_CLINICIAN, .state = ACCOUNT_SETUP, .epoch = 0};
    (void)MESSAGE_TEXT(desk.account.proof, desk.change.proof);
    (void)snprintf(body, sizeof(body), "{\"name\":\"sato\",\"setup\":\"%.4s-%.4s %s\"}", code,
                   code + 4, code + 8);
    reply = slow_post(rig, "/api/setup", "", body);
    assert_int_equal(reply->status, 200);
    at = strstr(reply->body, "\"secret\":\"");
    assert_non_null(at);
    assert_int_equal(sscanf(at + 10, "%60[A-Z2-7]", secret), 1);
    assert_non_null(strstr(reply->body, "otpauth://totp/uketsuke:sato?secret="));
    assert_int_equal(totp_secret(secret, raw, sizeof(raw)), 20);

    (void)snprintf(number, sizeof(number), "%06u", totp_code(raw, 20, NOW_S / 30));
    (void)snprintf(body, sizeof(body),
                   "{\"name\":\"sato\",\"setup\":\"%s\",\"secret\":\"%s\",\"password\":\"%s\","
                   "\"code\":\"%s\"}",
                   code, secret, "1234567890", number);
    reply = slow_post(rig, "/api/setup", "", body);
    assert_int_equal(reply->status, 422);
    assert_non_null(strstr(reply->body, "\"field\":\"password\""));
    (void)snprintf(body, sizeof(body),
                   "{\"name\":\"sato\",\"setup\":\"%s\",\"secret\":\"%s\",\"password\":\"%s\","
                   "\"code\":\"%s\"}",
                   code, secret, "rainy monday 8:30", "000000");
    reply = slow_post(rig, "/api/setup", "", body);
    assert_int_equal(reply->status, 422);
    assert_non_null(strstr(reply->body, "\"field\":\"code\""));
    (void)snprintf(body, sizeof(body),
                   "{\"name\":\"sato\",\"setup\":\"%s\",\"secret\":\"%s\",\"password\":\"%s\","
                   "\"code\":\"%s\"}",
                   code, secret, "rainy monday 8:30", number);
    reply = slow_post(rig, "/api/setup", "", body);
    assert_int_equal(reply->status, 200);
    assert_int_equal(desk.change.what, ACCOUNT_SET_UP);
    assert_memory_equal(desk.change.totp.data, raw, 20);
    assert_int_equal(strncmp(desk.change.proof, "$argon2id$v=19$m=65536,t=3,p=1$", 31), 0);
    /* and what was made opens with that password and no other */
    desk.account.state = ACCOUNT_ACTIVE;
    (void)MESSAGE_TEXT(desk.account.proof, desk.change.proof);
    desk.account.totp = (__typeof__(desk.account.totp)){.len = 20};
    memcpy(desk.account.totp.data, raw, 20);
    assert_int_equal(sign_in(rig, "sato", "rainy monday 8:31", number)->status, 401);
    assert_int_equal(sign_in(rig, "sato", "rainy monday 8:30", number)->status, 200);
}

static void a_wrong_setup_code_is_counted_like_a_wrong_password(void **state)
{
    struct rig *rig = *state;
    char code[ACCOUNT_CODE_LETTERS + 1], proof[ACCOUNT_PROOF_ROOM];

    assert_int_equal(account_setup_new(code, proof), 0);
    desk.account.state = ACCOUNT_SETUP;
    (void)MESSAGE_TEXT(desk.account.proof, proof);
    assert_int_equal(
        slow_post(rig, "/api/setup", "", "{\"name\":\"sato\",\"setup\":\"AAAABBBBCCCCDDDD\"}")
            ->status,
        401);
    assert_int_equal(desk.sign_ins, 1);
    assert_int_equal(desk.signed_in.result, SIGN_IN_WRONG);
    assert_int_equal(
        slow_post(rig, "/api/setup", "", "{\"name\":\"nobody\",\"setup\":\"AAAABBBBCCCCDDDD\"}")
            ->status,
        401);
    assert_int_equal(desk.sign_ins, 2);
}

static void reception_does_not_see_what_was_consented_to_for_treatment(void **state)
{
    json_t *answer =
        json_loads("{\"ResultList\":[{\"ResultOfQualificationConfirmation\":{\"Name\":\"x\","
                   "\"InsurerNumber\":\"1\","
                   "\"PharmacistsInfoConsFlg\":\"1\",\"DiagnosisInfoAvailableTime\":\"2\","
                   "\"LimitApplicationCertificateRelatedConsFlg\":\"1\",\"MedicalTicketInfo\":{"
                   "\"InjuryName1\":\"y\","
                   "\"TicketType\":\"01\"}}}]}",
                   0, NULL);
    json_t *left = json_loads("{\"ResultList\":[{\"ResultOfQualificationConfirmation\":{\"Name\":"
                              "\"x\",\"InsurerNumber\":\"1\","
                              "\"LimitApplicationCertificateRelatedConsFlg\":\"1\","
                              "\"MedicalTicketInfo\":{\"TicketType\":\"01\"}}}]}",
                              0, NULL);

    (void)state;
    assert_non_null(answer);
    assert_non_null(left);
    json_without_clinical(answer);
    assert_true(json_equal(answer, left));
    json_decref(answer);
    json_decref(left);
}

static void passwords_that_everybody_tries_will_not_do(void **state)
{
    static const struct {
        const char *password, *name;
        bool good;
    } cases[] = {
        {"short", "sato", false},
        {"123456789", "sato", false},
        {"1234567890", "sato", false},
        {"aaaaaaaaaaaa", "sato", false},
        {"9876543210", "sato", false},
        {"password12", "sato", false},
        {"qwertyuiop1", "sato", false},
        {"sato.sato.sato", "sato", false},
        {"uketsuke2026", "sato", false},
        {"rainy monday", "sato", true},
        {"雨の月曜日の朝八時半", "sato", true},
        {"correct horse battery", "sato", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (password_will_do(cases[i].password, strlen(cases[i].password), cases[i].name) !=
            cases[i].good)
            fail_msg("%s", cases[i].password);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_codes_are_those_of_the_rfc),
        T(password_and_code_open_a_session_that_the_desk_has_counted),
        T(what_is_wrong_is_not_said_and_always_counted),
        T(the_desks_no_is_the_last_word),
        T(without_origin_or_fields_nothing_is_asked),
        T(a_client_that_goes_away_in_the_middle_hurts_nobody),
        T(a_session_ends_after_idleness),
        T(sign_out_and_change_end_a_session),
        T(a_role_may_what_it_may),
        T(an_administrator_hands_out_a_setup_code_and_it_is_used_once_to_choose_a_password),
        T(a_wrong_setup_code_is_counted_like_a_wrong_password),
        cmocka_unit_test(reception_does_not_see_what_was_consented_to_for_treatment),
        cmocka_unit_test(passwords_that_everybody_tries_will_not_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
