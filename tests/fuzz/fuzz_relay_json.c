/*
 * An answer of the eligibility service. What is read writes to text that reads to a tree with the same text again,
 * and the cheap look never refuses what the parser takes.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/relay/codec_json.h"
#include "daemon/relay/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xmlmsg *root = NULL, *second = NULL;
    char *text = NULL, *again = NULL;
    size_t len = 0, again_len = 0;

    if (size > 0 && size < 4096) {
        struct fuzz_input in = {data, size};
        char *token = fuzz_text(&in, 4096);

        FUZZ_CHECK(token_renew_after_us(token, 1795339500000000u, 0) > 0);
        free(token);
    }
    if (codec_json_read(&root, data, size) < 0) {
        FUZZ_CHECK(root == NULL);
        return 0;
    }
    FUZZ_CHECK(codec_json_check_size(data, size) == 0);
    if (codec_json_write(root, &text, &len) == 0) {
        FUZZ_CHECK(strlen(text) == len);
        FUZZ_CHECK(codec_json_read(&second, text, len) == 0);
        FUZZ_CHECK(xmlmsg_count(second) == xmlmsg_count(root));
        FUZZ_CHECK(codec_json_write(second, &again, &again_len) == 0);
        FUZZ_CHECK(again_len == len && memcmp(again, text, len) == 0);
        free(text);
        free(again);
        xmlmsg_free(&second);
    }
    xmlmsg_free(&root);
    return 0;
}

void fuzz_seeds(void)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"empty", "{\"XmlMsg\":{}}"},
        {"error", "{\"XmlMsg\":{\"MessageHeader\":{\"SegmentOfResult\":\"9\",\"ErrorCode\":\"OQC-"
                  "OWSE0900000\"},"
                  "\"MessageBody\":{}}}"},
        {"answer", "{\"XmlMsg\":{\"MessageHeader\":{\"SegmentOfResult\":\"1\","
                   "\"MedicalInstitutionCode\":\"9910000017\"},"
                   "\"MessageBody\":{\"ProcessingResultStatus\":\"1\",\"QualificationValidity\":"
                   "\"1\",\"ResultList\":["
                   "{\"ResultOfQualificationConfirmation\":{\"Name\":"
                   "\"\\u67b6\\u7a7a\\u3000\\ud842\\udfb7\",\"Sex1\":2,"
                   "\"Ratio\":0.3,\"Flag\":true,\"None\":null,\"Birthdate\":\"19540707\","
                   "\"SpecificDiseasesCertificateList\":["
                   "{\"SpecificDiseasesCertificateInfo\":{\"A\":\"1\"}},{\"B\":\"2\"}],"
                   "\"Repeated\":[\"1\",\"2\"]}}]}}}"},
        {"token", "\x28\x00"
                  "eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTUzMzk2MDB9.c2ln"},
    };
    static struct fuzz_seed seed;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* The token's length has a zero in it. */
        size_t len = rows[i].text[0] == '{' ? strlen(rows[i].text) : 2 + strlen(rows[i].text + 2);

        seed_bytes(&seed, rows[i].text, len);
        seed_write(&seed, rows[i].name);
    }
}
