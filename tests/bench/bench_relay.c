/*
 * bench_relay: what the relay costs: a question from the desk to the simulated service and back,
 * beside the curl program with the same requests to the same service in the same run, over one
 * connection that is kept.
 *
 * What the relay does more is measured by itself beside it: the way between the two processes, and a question and an
 * answer made and read again (tree, sealed memory, JSON). The service syncs its ledger to the disk for each request,
 * for both: where the disk is slow it is most of either.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/relay/codec_json.h"
#include "measure.h"
#include "tests/unit/relay_rig.h"
#include "tests/unit/relay_tools.h"

#define WARM 20
#define COUNT 400

/* *raw: an answer as it came, the caller's. */
static void by_relay(struct rig *rig, double *us, char **raw)
{
    for (int i = -WARM; i < COUNT; i++) {
        char correlation[32];
        const struct question_header header = {"9910000017", "20261005", correlation};
        struct xmlmsg *tree;
        struct rig_answer answer;
        uint64_t began = measure_now_ns();

        (void)snprintf(correlation, sizeof(correlation), "B-%d", i + WARM);
        tree = rig_question(&header, false);
        assert_true(rig_wait(rig,
                             rig_ask(rig, UPSTREAM_BY_NUMBERS, false, 10000, tree, correlation),
                             12000, &answer));
        assert_int_equal(answer.message.outcome, 0);
        if (i >= 0)
            us[i] = (double)(measure_now_ns() - began) / 1000;
        if (i == COUNT - 1)
            *raw = strdup(answer.raw);
        rig_answer_free(&answer);
        xmlmsg_free(&tree);
    }
}

/* The program's own time for each request, without its start. */
static void by_curl(const struct rig *rig, double *us)
{
    static const char body[] =
        "{\\\"XmlMsg\\\":{\\\"MessageHeader\\\":{\\\"QualificationConfirmationDate\\\":"
        "\\\"20261005\\\","
        "\\\"MedicalInstitutionCode\\\":\\\"9910000017\\\",\\\"ArbitraryFileIdentifier\\\":\\\"B-"
        "1\\\"},"
        "\\\"MessageBody\\\":{\\\"QualificationConfirmSearchInfo\\\":{\\\"InsurerNumber\\\":"
        "\\\"00990010\\\","
        "\\\"InsuredCardSymbol\\\":\\\"試験\\\",\\\"InsuredIdentificationNumber\\\":\\\"2001\\\","
        "\\\"InsuredBranchNumber\\\":\\\"01\\\",\\\"Birthdate\\\":\\\"19640229\\\","
        "\\\"LimitApplicationCertificateRelatedConsFlg\\\":\\\"0\\\"}}}}";
    char ca[300], cert[300], key[300], command[2000], token[4096] = "",
                                                      path[] = "/tmp/uketsuke-bench-XXXXXX";
    unsigned port = rig_port(rig);
    FILE *file;
    int n = 0, fd = mkstemp(path);

    (void)rig_pki("ca.pem", ca, sizeof(ca));
    (void)rig_pki("client.pem", cert, sizeof(cert));
    (void)rig_pki("client.key", key, sizeof(key));
    (void)snprintf(
        command, sizeof(command),
        "curl -sS --cacert %s --cert %s --key %s -H 'Content-Type: application/json' "
        "-d '{\"userId\":\"sim-user\",\"password\":\"sim-password-not-secret\"}' "
        "https://127.0.0.1:%u/oqs-api-pro/MSA12020/ILI12020SV01/auth | jq -r .result.idToken",
        ca, cert, key, port);
    file = popen(command, "re");
    assert_non_null(file);
    assert_non_null(fgets(token, sizeof(token), file));
    (void)pclose(file);
    token[strcspn(token, "\n")] = '\0';
    file = fdopen(fd, "we");
    assert_non_null(file);
    for (int i = 0; i < WARM + COUNT; i++)
        fprintf(file,
                "%surl=\"https://127.0.0.1:%u/oqs-api-pro/MSA01030/ILI01030SV01/"
                "search\"\ncacert=\"%s\"\ncert=\"%s\"\n"
                "key=\"%s\"\nheader=\"Content-Type: "
                "application/json;charset=UTF-8\"\nheader=\"Authorization: %s\"\n"
                "data=\"%s\"\noutput=\"/dev/null\"\nwrite-out=\"%%{http_code} "
                "%%{time_total}\\n\"\nsilent\n",
                i == 0 ? "" : "next\n", port, ca, cert, key, token, body);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(command, sizeof(command), "curl -K %s", path);
    file = popen(command, "re");
    assert_non_null(file);
    for (int i = -WARM; i < COUNT; i++) {
        double seconds;
        int status;

        assert_int_equal(fscanf(file, "%d %lf", &status, &seconds), 2);
        assert_int_equal(status, 200);
        if (i >= 0)
            us[n++] = seconds * 1e6;
    }
    assert_int_equal(pclose(file), 0);
    (void)unlink(path);
}

/* A message to the relay and its answers back. */
static void there_and_back(struct rig *rig, double *us)
{
    struct msg_health_item item;

    for (int i = 0; i < COUNT; i++) {
        uint64_t began = measure_now_ns();

        (void)rig_health(rig, "", &item); /* asserts that the last of them came */
        us[i] = (double)(measure_now_ns() - began) / 1000;
    }
}

/* What desk and relay make of a question and of an answer, without the way between them. */
static void forms(const char *raw, size_t len, double *us)
{
    const struct question_header header = {"9910000017", "20261005", "B-F"};

    for (int i = 0; i < COUNT; i++) {
        uint64_t began = measure_now_ns();

        for (int n = 0; n < 2; n++) {
            struct xmlmsg *tree = n == 0 ? rig_question(&header, false) : NULL, *again = NULL;
            char *json = NULL;
            size_t size;
            int fd;

            if (n == 1)
                assert_int_equal(codec_json_read(&tree, raw, len), 0);
            else
                assert_int_equal(codec_json_write(tree, &json, &size), 0);
            fd = xmlmsg_to_memfd(tree, &size);
            assert_int_equal(xmlmsg_from_memfd(&again, fd, size), 0);
            (void)close(fd);
            xmlmsg_free(&tree);
            xmlmsg_free(&again);
            free(json);
        }
        us[i] = (double)(measure_now_ns() - began) / 1000;
    }
}

static void relay_and_curl(void **state)
{
    static double relay[COUNT], curl[COUNT], way[COUNT], form[COUNT];
    struct rig *rig = rig_start(NULL);
    double ours, theirs;
    char *raw = NULL;

    (void)state;
    by_relay(rig, relay, &raw);
    by_curl(rig, curl);
    there_and_back(rig, way);
    rig_stop(rig);
    assert_non_null(raw);
    forms(raw, strlen(raw), form);
    free(raw);
    ours = measure_quantile(relay, COUNT, 0.5);
    theirs = measure_quantile(curl, COUNT, 0.5);
    measure_print_events("relay: question to answer", relay, COUNT);
    measure_print_events("curl program, same requests", curl, COUNT);
    measure_print_events("of it: a message there and back", way, COUNT);
    measure_print_events("of it: question and answer made and read", form, COUNT);
    printf(
        "  the relay takes %.2f of curl's time, %+.0f us; the way between desk and relay and the "
        "forms of the messages (codecs, sealed memory) are %.0f us by themselves\n",
        ours / theirs, ours - theirs,
        measure_quantile(way, COUNT, 0.5) + measure_quantile(form, COUNT, 0.5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(relay_and_curl)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
