/* JSON views against expectations written by hand, and the catalogues of the pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/web/json_view.h"
#include "failure.h"
#include "visit.h"
#include "xmlmsg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Equal as JSON, whatever the order of members; consumes `got`. */
static void is(json_t *got, const char *wanted)
{
    json_error_t error;
    json_t *want = json_loads(wanted, JSON_DECODE_ANY, &error);
    char *text = json_dumps(got, JSON_ENCODE_ANY);

    if (want == NULL)
        fail_msg("the expectation is no JSON: %s", error.text);
    if (!json_equal(got, want))
        fail_msg("got    %s\nwanted %s", text, wanted);
    free(text);
    json_decref(got);
    json_decref(want);
}

static struct msg_lane_state a_lane(void)
{
    struct msg_lane_state m = {
        .lane = 3,
        .institution_kind = 2,
        .visit = UINT64_C(9007199254740993), /* 2^53 + 1: no JavaScript number */
        .step = 17,
        .state = VISIT_FACE,
        .method = METHOD_FACE,
        .outcome = OUTCOME_OPEN,
        .failure = FAILURE_FACE_TIMEOUT,
        .hint = FAILURE_FACE_TOO_SMALL,
        .offers = VISIT_OFFER(ACTION_CHOOSE_PIN) | VISIT_OFFER(ACTION_CHOOSE_STAFF) |
                  VISIT_OFFER(ACTION_STAFF_CONFIRM),
        .pin_tries = 0,
        .number_b_tries = 255,
        .pin_pad = 1,
        .camera = FAILURE_CAMERA_FROZEN,
        .card = 1,
        .box_x = 2500,
        .box_y = 1000,
        .box_w = 5000,
        .box_h = 8000,
        .consents_asked = CONSENT_DRUGS | CONSENT_DISEASE,
        .key = {.len = 3, .data = {0x04, 0xff, 0x10}},
        .disaster = DISASTER_MINISTRY,
    };

    MESSAGE_TEXT(m.label, "窓口 \"3\"");
    MESSAGE_TEXT(m.patient, "山田 花子");
    return m;
}

static void a_kiosk_sees_its_step_and_no_name(void **state)
{
    struct msg_lane_state m = a_lane();

    (void)state;
    is(json_lane_kiosk(&m, 1500),
       "{\"lane\":3,\"label\":\"窓口 "
       "\\\"3\\\"\",\"institution\":\"pharmacy\",\"visit\":\"9007199254740993\",\"step\":17,"
       "\"state\":\"face\",\"method\":\"face\",\"outcome\":\"open\","
       "\"failure\":{\"code\":\"F011\",\"kind\":\"other\",\"ja\":"
       "\"時間内に確認できませんでした。暗証番号か係の者の確認もお選びいただけます。\","
       "\"en\":\"It took too long. You may also choose PIN or staff.\"},"
       "\"hint\":{\"code\":\"F003\",\"kind\":\"retry\",\"ja\":\"もう少し近づいてください。\","
       "\"en\":\"Please come a little closer.\"},"
       "\"offers\":[\"choose_pin\",\"choose_staff\"],\"pin_tries\":0,\"number_b_tries\":null,\"pin_"
       "pad\":true,\"ends_ms\":1500,"
       "\"reader\":null,\"camera\":{\"code\":\"K003\",\"kind\":\"other\",\"ja\":"
       "\"カメラを使えません。暗証番号か係の者の確認をお選びください。\","
       "\"en\":\"The camera does not work. Please choose PIN or staff.\"},\"card\":true,"
       "\"box\":{\"x\":2500,\"y\":1000,\"w\":5000,\"h\":8000},\"consents\":[\"drugs\",\"disease\"],"
       "\"key\":\"BP8Q\",\"disaster\":\"ministry\"}");
}

static void a_board_sees_the_name_and_neither_key_nor_picture(void **state)
{
    struct msg_lane_state m = a_lane();
    json_t *json = json_lane_board(&m, 0);

    (void)state;
    assert_string_equal(json_string_value(json_object_get(json, "patient")), "山田 花子");
    assert_null(json_object_get(json, "key"));
    assert_null(json_object_get(json, "box"));
    /* Which ones are asked, so that staff can ask them by word of mouth in a disaster. */
    is(json_incref(json_object_get(json, "consents")), "[\"drugs\",\"disease\"]");
    assert_true(json_is_null(json_object_get(json, "ends_ms")));
    is(json_incref(json_object_get(json, "offers")), "[\"choose_staff\",\"staff_confirm\"]");
    is(json_incref(json_object_get(json, "camera")),
       "{\"code\":\"K003\",\"kind\":\"other\",\"ja\":"
       "\"カメラの映像が動きません。つなぎ直してください。\","
       "\"en\":\"The camera's picture is frozen; plug it in again.\"}");
    json_decref(json);
}

/* A pharmacy asks for the medicines first, everybody else in the order of the settings. */
static void a_pharmacy_asks_for_medicines_first(void **state)
{
    struct msg_lane_state m = a_lane();
    json_t *json;

    (void)state;
    m.consents_asked = CONSENT_LIMIT | CONSENT_DRUGS | CONSENT_CHECKUP;
    json = json_lane_kiosk(&m, 0);
    is(json_incref(json_object_get(json, "consents")), "[\"drugs\",\"limit\",\"checkup\"]");
    json_decref(json);
    m.institution_kind = INSTITUTION_CLINIC;
    json = json_lane_kiosk(&m, 0);
    is(json_incref(json_object_get(json, "consents")), "[\"limit\",\"drugs\",\"checkup\"]");
    json_decref(json);
}

static void an_idle_lane_is_all_null(void **state)
{
    struct msg_lane_state m = {.lane = 1, .pin_tries = 255, .number_b_tries = 255};

    (void)state;
    is(json_lane_kiosk(&m, 0),
       "{\"lane\":1,\"label\":\"\",\"institution\":\"clinic\",\"visit\":null,\"step\":0,\"state\":"
       "\"idle\",\"method\":\"none\",\"outcome\":\"open\","
       "\"failure\":null,\"hint\":null,\"offers\":[],\"pin_tries\":null,\"number_b_tries\":null,"
       "\"pin_pad\":false,\"ends_ms\":null,"
       "\"reader\":null,\"camera\":null,\"card\":false,\"box\":null,\"consents\":[],\"key\":null,"
       "\"disaster\":null}");
}

static void a_visit_is_shown_whole(void **state)
{
    struct msg_visit_item m = {
        .visit = 12,
        .lane = 2,
        .opened = 1795338000,
        .state = VISIT_CLOSED,
        .method = METHOD_PIN,
        .outcome = OUTCOME_ELIGIBLE,
        .failure = FAILURE_VISIT_LOOK,
        .flags = VISIT_FLAG_LOOK | VISIT_FLAG_MASKED_NAME,
        .consents = CONSENT_LIMIT,
        .answered = 1795338007,
        .record = GENUINE_YES,
        .challenge = GENUINE_NO,
        .liveness = LIVENESS_FAILED,
        .score_milli = -12,
        .card_ms = 1,
        .photo_ms = 2,
        .face_ms = 3,
        .pin_ms = 4,
        .ask_ms = 5,
        .total_ms = 6,
        .apdus = 7,
        .frames = 8,
    };

    (void)state;
    MESSAGE_TEXT(m.name, "高● <b>一</b>");
    MESSAGE_TEXT(m.kana, "ﾀｶﾊｼ");
    MESSAGE_TEXT(m.birth, "19550203");
    MESSAGE_TEXT(m.sex, "1");
    MESSAGE_TEXT(m.validity, "1");
    MESSAGE_TEXT(m.ratio, "020");
    MESSAGE_TEXT(m.limit_class, "B09");
    MESSAGE_TEXT(m.insurer, "東京");
    MESSAGE_TEXT(m.staff, "佐藤");
    MESSAGE_TEXT(m.proxy, "高橋 二郎");
    MESSAGE_TEXT(m.relation, "弟");
    m.match = MATCH_DOUBT;
    MESSAGE_TEXT(m.alias, "髙橋");
    MESSAGE_TEXT(m.candidates, "P-1\t高橋 一\tname\nP-2\t髙橋 一\talias");
    MESSAGE_TEXT(m.since, "20260901");
    MESSAGE_TEXT(m.changes, "ratio\t030\t020\nlimit_class\tB09\t");
    is(json_visit(&m),
       "{\"visit\":\"12\",\"lane\":2,\"opened\":1795338000,\"closed\":null,\"state\":\"closed\","
       "\"method\":\"pin\",\"outcome\":\"eligible\","
       "\"failure\":{\"code\":\"V005\",\"kind\":\"notice\",\"ja\":"
       "\"顔が一致しなかった後に暗証番号が正しかった受付です。本人か目で確認してください。\","
       "\"en\":\"Face did not match, then the PIN was right: please look at the person.\"},"
       "\"flags\":[\"look\",\"masked_name\"],\"name\":\"高● "
       "<b>一</b>\",\"kana\":\"ﾀｶﾊｼ\",\"birth\":\"19550203\",\"sex\":\"1\",\"validity\":\"1\","
       "\"ratio\":\"020\",\"limit_class\":\"B09\",\"insurer\":\"東京\",\"notice\":\"\","
       "\"reference\":\"\",\"consents\":[\"limit\"],"
       "\"answered\":1795338007,\"record\":\"yes\",\"challenge\":\"no\",\"liveness\":\"failed\","
       "\"score_milli\":-12,\"card_ms\":1,\"photo_ms\":2,"
       "\"face_ms\":3,\"pin_ms\":4,\"ask_ms\":5,\"total_ms\":6,\"apdus\":7,\"frames\":8,\"staff\":"
       "\"佐藤\","
       "\"proxy\":\"高橋 "
       "二郎\",\"relation\":\"弟\",\"match\":\"doubt\",\"patient\":null,\"alias\":\"髙橋\","
       "\"candidates\":[{\"number\":\"P-1\",\"name\":\"高橋 "
       "一\",\"by\":\"name\"},{\"number\":\"P-2\",\"name\":\"髙橋 一\",\"by\":\"alias\"}],"
       "\"since\":\"20260901\",\"changes\":[{\"field\":\"ratio\",\"old\":\"030\",\"new\":\"020\"},{"
       "\"field\":\"limit_class\",\"old\":\"B09\",\"new\":\"\"}]}");
}

static void the_tree_of_an_answer_keeps_everything(void **state)
{
    struct xmlmsg *root = xmlmsg_new("XmlMsg");
    struct xmlmsg *body, *list, *one;

    (void)state;
    assert_int_equal(xmlmsg_set(root, "MessageHeader/SegmentOfResult", "1"), 0);
    body = xmlmsg_add(root, "MessageBody", NULL);
    assert_non_null(xmlmsg_add(body, "Unknown", "a"));
    assert_non_null(xmlmsg_add(body, "Unknown", "b"));
    assert_non_null(xmlmsg_add(body, "Unknown", "c"));
    assert_non_null(xmlmsg_add(body, "Empty", ""));
    list = xmlmsg_add(body, "ResultList", NULL);
    for (int i = 0; i < 2; i++) {
        one = xmlmsg_add(list, "ResultOfQualificationConfirmation", NULL);
        assert_non_null(xmlmsg_add(one, "Name", i == 0 ? "山田" : "\"}<script>"));
    }
    assert_non_null(xmlmsg_add(body, "PublicExpenseResultList", NULL));
    is(json_xmlmsg(root),
       "{\"MessageHeader\":{\"SegmentOfResult\":\"1\"},\"MessageBody\":{\"Unknown\":[\"a\",\"b\","
       "\"c\"],\"Empty\":\"\","
       "\"ResultList\":[{\"ResultOfQualificationConfirmation\":{\"Name\":\"山田\"}},"
       "{\"ResultOfQualificationConfirmation\":{\"Name\":\"\\\"}<script>\"}}],"
       "\"PublicExpenseResultList\":[]}}");
    xmlmsg_free(&root);
}

static void consents_are_named(void **state)
{
    json_t *json = json_loads("[\"limit\",\"disease\",\"operation\"]", 0, NULL);
    uint32_t bits = 0;

    (void)state;
    assert_int_equal(json_consents(json, &bits), 0);
    assert_int_equal(bits, 1 + 16 + 32);
    json_decref(json);
    json = json_loads("[\"limit\",7]", 0, NULL);
    assert_int_not_equal(json_consents(json, &bits), 0);
    json_decref(json);
}

static void every_failure_is_told(void **state)
{
    json_t *json = json_failures();

    (void)state;
    assert_int_equal(json_array_size(json), FAILURE_COUNT - 1);
    is(json_incref(json_array_get(json, FAILURE_CARD_REMOVED - 1)),
       "{\"code\":\"C003\",\"name\":\"CARD_REMOVED\",\"kind\":\"retry\","
       "\"patient\":{\"ja\":\"カードが離れました。もう一度置いてください。\",\"en\":\"The card was "
       "taken away. Please place it again.\"},"
       "\"staff\":{\"ja\":\"読み取り中にカードが離れました。同じカードを置けば続きから進みます。\","
       "\"en\":\"The card left the reader while being read. With the same card back the visit goes "
       "on.\"}}");
    json_decref(json);
}

/* ---- the catalogues of the pages: read as text, `    "key": "words",` a line ----------------- */

#define KEYS_MAX 600

struct catalogue {
    char *text;
    char *keys[KEYS_MAX];
    size_t n;
};

static void read_catalogue(struct catalogue *c, const char *path)
{
    FILE *file = fopen(path, "r");
    long size;

    if (file == NULL)
        fail_msg("%s: run the tests from the top of the tree", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    rewind(file);
    c->text = calloc(1, (size_t)size + 1);
    assert_int_equal(fread(c->text, 1, (size_t)size, file), size);
    (void)fclose(file);
    c->n = 0;
    for (char *line = strtok(c->text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *colon = strstr(line, "\": \"");

        line += strspn(line, " ");
        if (*line == '"' && colon != NULL) {
            *colon = '\0';
            assert_true(c->n < KEYS_MAX);
            assert_true(strlen(colon + 4) > strlen("\",")); /* not empty */
            c->keys[c->n++] = line + 1;
        }
    }
}

static int has(const struct catalogue *c, const char *key)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->keys[i], key) == 0)
            return 1;
    return 0;
}

static void needs(const struct catalogue *c, const char *prefix, const char *name)
{
    char key[80];

    (void)snprintf(key, sizeof(key), "%s.%s", prefix, name);
    if (!has(c, key))
        fail_msg("no text for %s", key);
}

static void same_keys(const struct catalogue *a, const struct catalogue *b, const char *path)
{
    for (size_t i = 0; i < a->n; i++)
        if (!has(b, a->keys[i]))
            fail_msg("%s lacks %s", path, a->keys[i]);
    assert_int_equal(a->n, b->n);
}

static void no_text_of_the_board_is_missing(void **state)
{
    static const char *const paths[] = {"daemon/web/pages/board.ja.js",
                                        "daemon/web/pages/board.en.js"};
    static const char *const consents[] = {"limit",     "drugs",     "checkup",
                                           "diagnosis", "operation", "disease"};
    struct catalogue c[2];

    (void)state;
    for (size_t l = 0; l < 2; l++) {
        read_catalogue(&c[l], paths[l]);
        assert_true(c[l].n > 150);
        for (unsigned s = 0; s < VISIT_STATE_COUNT; s++)
            needs(&c[l], "state", visit_state_name(s));
        for (unsigned m = 0; m < VISIT_METHOD_COUNT; m++)
            needs(&c[l], "way", visit_method_name(m));
        for (unsigned o = 0; o < VISIT_OUTCOME_COUNT; o++)
            needs(&c[l], "outcome", visit_outcome_name(o));
        for (unsigned a = ACTION_NONE + 1; a < VISIT_ACTION_COUNT; a++)
            if (strchr(visit_action_who(a), 'B') != NULL)
                needs(&c[l], "action", visit_action_name(a));
        for (size_t i = 0; i < sizeof(consents) / sizeof(consents[0]); i++)
            needs(&c[l], "bit", consents[i]);
    }
    same_keys(&c[0], &c[1], paths[1]);
    free(c[0].text);
    free(c[1].text);
}

/* Failures and what is used where: tests/browser/texts.mjs. */
static void no_text_of_the_kiosk_is_missing_in_any_language(void **state)
{
    static const char *const languages[] = {"ja",      "ja-easy", "en", "zh-hans",
                                            "zh-hant", "ko",      "pt", "vi"};
    static const char *const consents[] = {"limit",     "drugs",     "checkup",
                                           "diagnosis", "operation", "disease"};
    struct catalogue first, other;
    char path[64];

    (void)state;
    read_catalogue(&first, "daemon/web/pages/text.ja.js");
    assert_true(first.n > 100);
    for (size_t i = 0; i < sizeof(consents) / sizeof(consents[0]); i++)
        needs(&first, "consent", consents[i]);
    for (size_t l = 1; l < sizeof(languages) / sizeof(languages[0]); l++) {
        (void)snprintf(path, sizeof(path), "daemon/web/pages/text.%s.js", languages[l]);
        read_catalogue(&other, path);
        same_keys(&first, &other, path);
        free(other.text);
    }
    free(first.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kiosk_sees_its_step_and_no_name),
        cmocka_unit_test(a_board_sees_the_name_and_neither_key_nor_picture),
        cmocka_unit_test(an_idle_lane_is_all_null),
        cmocka_unit_test(a_pharmacy_asks_for_medicines_first),
        cmocka_unit_test(a_visit_is_shown_whole),
        cmocka_unit_test(the_tree_of_an_answer_keeps_everything),
        cmocka_unit_test(consents_are_named),
        cmocka_unit_test(every_failure_is_told),
        cmocka_unit_test(no_text_of_the_board_is_missing),
        cmocka_unit_test(no_text_of_the_kiosk_is_missing_in_any_language),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
