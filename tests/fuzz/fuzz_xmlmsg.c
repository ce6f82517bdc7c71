/* A canonical tree from another program: what unpacks packs to the same bytes, and walks without end or gap. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/common/xmlmsg.h"

static size_t walk(const struct xmlmsg *element, unsigned depth)
{
    size_t count = 1;

    FUZZ_CHECK(depth <= XMLMSG_DEPTH_MAX);
    FUZZ_CHECK(xmlmsg_name(element) != NULL);
    FUZZ_CHECK(xmlmsg_value(element) == NULL || xmlmsg_child(element, NULL) == NULL);
    for (struct xmlmsg *it = xmlmsg_child(element, NULL); it != NULL; it = xmlmsg_next(it, NULL))
        count += walk(it, depth + 1);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xmlmsg *root = NULL;
    uint8_t *again = NULL;
    size_t len = 0;

    if (xmlmsg_unpack(&root, data, size) < 0) {
        FUZZ_CHECK(root == NULL);
        return 0;
    }
    FUZZ_CHECK(walk(root, 1) == xmlmsg_count(root));
    (void)xmlmsg_get(root, "MessageBody/ResultList/ResultOfQualificationConfirmation/Name");
    FUZZ_CHECK(xmlmsg_pack(root, &again, &len) == 0);
    FUZZ_CHECK(len == size && memcmp(again, data, len) == 0);
    free(again);
    xmlmsg_free(&root);
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    struct xmlmsg *root = xmlmsg_new("XmlMsg");
    uint8_t *bytes = NULL;
    size_t len;

    FUZZ_CHECK(xmlmsg_pack(root, &bytes, &len) == 0);
    seed_bytes(&seed, bytes, len);
    seed_write(&seed, "root");
    free(bytes);
    FUZZ_CHECK(xmlmsg_set(root, "MessageHeader/SegmentOfResult", "1") == 0);
    FUZZ_CHECK(xmlmsg_set(root, "MessageBody/ResultList/ResultOfQualificationConfirmation/Name",
                          "架空　花子") == 0);
    FUZZ_CHECK(xmlmsg_pack(root, &bytes, &len) == 0);
    seed_bytes(&seed, bytes, len);
    seed_write(&seed, "answer");
    free(bytes);
    xmlmsg_free(&root);
}
