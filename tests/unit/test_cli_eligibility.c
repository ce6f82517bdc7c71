/*
 * `uketsuke eligibility show`: the command with the parser in its cage. What is shown is typed by hand beside what is
 * given. The parser (uketsuke-relay) stands beside this program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/cli/command.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static char path[100];
static char *out, *err;

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/uketsuke-show-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/message", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(out);
    free(err);
    out = err = NULL;
    unlink(path);
    return rmdir(directory);
}

static void save(const char *text, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* `options` NULL or one option. */
static int show(const char *option, const char *what)
{
    char *argv[8];
    int argc = 0;
    size_t out_len, err_len;
    FILE *o, *e;
    int status;

    argv[argc++] = strdup("uketsuke");
    if (option != NULL)
        argv[argc++] = strdup(option);
    argv[argc++] = strdup("eligibility");
    argv[argc++] = strdup("show");
    if (what != NULL)
        argv[argc++] = strdup(what);
    argv[argc] = NULL;
    free(out);
    free(err);
    o = open_memstream(&out, &out_len);
    e = open_memstream(&err, &err_len);
    assert_non_null(o);
    assert_non_null(e);
    status = command_main(argc, argv, o, e);
    fclose(o);
    fclose(e);
    while (argc > 0)
        free(argv[--argc]);
    return status;
}

static void shows(const char *option, const char *text, const char *wanted)
{
    save(text, strlen(text));
    assert_int_equal(show(option, path), EXIT_AS_ASKED);
    assert_string_equal(out, wanted);
    assert_string_equal(err, "");
}

static void an_answer_with_its_codes(void **state)
{
    static const char shown[] = "{\n"
                                "  \"XmlMsg\": {\n"
                                "    \"MessageHeader\": {\n"
                                "      \"SegmentOfResult\": {\"code\": \"1\", \"list\": \"CD003\", "
                                "\"ja\": \"正常に終わった\", \"en\": \"done\"}\n"
                                "    },\n"
                                "    \"MessageBody\": {\n"
                                "      \"QualificationValidity\": {\"code\": \"7\", \"list\": "
                                "\"CD006\", \"ja\": \"コード表にない値\", "
                                "\"en\": \"not in the code list\", \"known\": false},\n"
                                "      \"ResultList\": [\n"
                                "        {\n"
                                "          \"ResultOfQualificationConfirmation\": {\n"
                                "            \"InsurerNumber\": \"  990012\",\n"
                                "            \"Name\": \"架●　花子\",\n"
                                "            \"PublicExpenseResultList\": []\n"
                                "          }\n"
                                "        },\n"
                                "        {\n"
                                "          \"ResultOfQualificationConfirmation\": {}\n"
                                "        }\n"
                                "      ],\n"
                                "      \"Unknown\": [\n"
                                "        \"1\",\n"
                                "        {\n"
                                "          \"A\": \"2\"\n"
                                "        }\n"
                                "      ]\n"
                                "    }\n"
                                "  }\n"
                                "}\n";

    (void)state;
    shows(NULL,
          "<XmlMsg><MessageBody><Unknown>1</Unknown><ResultList><ResultOfQualificationConfirmation>"
          "<PublicExpenseResultList/><Name>架●　花子</Name><InsurerNumber>  990012</InsurerNumber>"
          "</ResultOfQualificationConfirmation><ResultOfQualificationConfirmation/></"
          "ResultList><Unknown><A>2</A></Unknown>"
          "<QualificationValidity>7</QualificationValidity></MessageBody>"
          "<MessageHeader><SegmentOfResult>1</SegmentOfResult></MessageHeader></XmlMsg>",
          shown);
    /* The same in the encoding of the terminals. */
    shows(NULL,
          "<?xml version=\"1.0\" encoding=\"Shift_JIS\"?>\r\n"
          "<XmlMsg><MessageBody><Unknown>1</Unknown><ResultList><ResultOfQualificationConfirmation>"
          "<PublicExpenseResultList/><Name>\x89\xcb\x81\x9c\x81\x40\x89\xd4\x8e\x71</Name>"
          "<InsurerNumber>  990012</InsurerNumber></ResultOfQualificationConfirmation>"
          "<ResultOfQualificationConfirmation/></ResultList><Unknown><A>2</A></Unknown>"
          "<QualificationValidity>7</QualificationValidity></MessageBody>\r\n"
          "<MessageHeader><SegmentOfResult>1</SegmentOfResult></MessageHeader></XmlMsg>\r\n",
          shown);
    /* And as the Web API has it. */
    shows(NULL,
          "\xef\xbb\xbf "
          "{\"XmlMsg\":{\"MessageBody\":{\"Unknown\":[\"1\",{\"A\":\"2\"}],\"ResultList\":["
          "{\"ResultOfQualificationConfirmation\":{\"PublicExpenseResultList\":[],\"Name\":"
          "\"\\u67b6●　花子\","
          "\"InsurerNumber\":\"  "
          "990012\"}},{\"ResultOfQualificationConfirmation\":{}}],\"QualificationValidity\":7},"
          "\"MessageHeader\":{\"SegmentOfResult\":\"1\"}}}",
          shown);
}

static void a_request_in_one_line_for_programs(void **state)
{
    json_t *json;
    size_t len;

    (void)state;
    shows(
        "--json",
        "{\"XmlMsg\":{\"MessageHeader\":{\"ReferenceClassification\":\"A\"},\"MessageBody\":{"
        "\"QualificationConfirmSearchInfo\":{\"InsuredCardSymbol\":\"試験\","
        "\"LimitApplicationCertificateRelatedConsFlg\":\"1\"},\"PrescriptionIssueSelect\":\"\"}}}",
        "{\"XmlMsg\":{\"MessageHeader\":{\"ReferenceClassification\":{\"code\":\"A\",\"list\":"
        "\"CD002\",\"ja\":"
        "\"医療扶助の照会\",\"en\":\"medical assistance\",\"confirmed\":false}},\"MessageBody\":{"
        "\"QualificationConfirmSearchInfo\":{\"InsuredCardSymbol\":\"試験\","
        "\"LimitApplicationCertificateRelatedConsFlg\":{\"code\":\"1\",\"list\":\"CD001\",\"ja\":"
        "\"同意あり\",\"en\":\"yes\"}},"
        "\"PrescriptionIssueSelect\":{\"code\":\"\",\"list\":\"CD017\",\"ja\":\"記載なし\",\"en\":"
        "\"empty\"}}}}\n");
    len = strlen(out);
    json = json_loadb(out, len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    json_decref(json);
}

static void nothing_in_a_message_steers_the_terminal(void **state)
{
    json_t *json;

    (void)state;
    shows("--json", "{\"XmlMsg\":{\"Name\":\"\\u001b[2J\\u009b2J\\u007f\\\"\\\\\"}}",
          "{\"XmlMsg\":{\"Name\":\"\\u001b[2J\\u009b2J\\u007f\\\"\\\\\"}}\n");
    json = json_loads(out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json_object_get(json, "XmlMsg"), "Name")),
                        "\x1b[2J\xc2\x9b"
                        "2J\x7f\"\\");
    json_decref(json);
}

static void refused(const char *text, size_t len, const char *words)
{
    save(text, len);
    assert_int_equal(show(NULL, path), EXIT_NOT_SO);
    assert_string_equal(out, "");
    assert_non_null(strstr(err, words));
    assert_non_null(strstr(err, path));
}

static void what_is_no_message_is_said_in_plain_words(void **state)
{
    (void)state;
    refused("", 0, "cut off");
    refused("<XmlMsg><A>", 11, "cut off");
    refused("<!DOCTYPE XmlMsg><XmlMsg/>", 26, "DTD");
    refused("<XmlMsg>\n</Other>", 17, "line 2: not well-formed");
    refused("{\"XmlMsg\":{}", 12, "JSON");
    refused("{\"XmlMsg\":{},\"XmlMsg\":{}}", 25, "JSON");
    refused("\xff\xfe<\0X\0", 6, "encoding");
    refused("%PDF-1.7", 8, "not well-formed");
}

static void a_file_too_large_is_not_read_to_its_end(void **state)
{
    (void)state;
    save("<XmlMsg/>", 9);
    assert_int_equal(truncate(path, 1L << 40), 0);
    assert_int_equal(show(NULL, path), EXIT_NOT_SO);
    assert_non_null(strstr(err, "too large"));
}

static void a_large_message_goes_through_whole(void **state)
{
    size_t len = (4u << 20) - 100;
    char *text = malloc(len);
    json_t *json;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', len);
    memcpy(text, "<XmlMsg><A>", 11);
    memcpy(text + len - 13, "</A></XmlMsg>", 13);
    save(text, len);
    assert_int_equal(show("--json", path), EXIT_AS_ASKED);
    json = json_loads(out, 0, NULL);
    assert_int_equal(json_string_length(json_object_get(json_object_get(json, "XmlMsg"), "A")),
                     len - 24);
    json_decref(json);
    free(text);
}

static void what_is_no_file_is_wrong_usage(void **state)
{
    char missing[120];

    (void)state;
    snprintf(missing, sizeof(missing), "%s/none", directory);
    assert_int_equal(show(NULL, missing), EXIT_USAGE);
    assert_int_equal(show(NULL, directory), EXIT_USAGE);
    assert_int_equal(show(NULL, NULL), EXIT_USAGE);
    assert_int_equal(show("--staff=x", ""), EXIT_USAGE);
    /* A pipe without a writer has nothing in it; it does not hold the command. */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(show(NULL, path), EXIT_NOT_SO);
    assert_non_null(strstr(err, "cut off"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_with_its_codes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_in_one_line_for_programs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_in_a_message_steers_the_terminal, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_message_is_said_in_plain_words, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_file_too_large_is_not_read_to_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_message_goes_through_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_wrong_usage, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
