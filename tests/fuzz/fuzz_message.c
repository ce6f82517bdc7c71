/*
 * One packet from a peer: first byte the number of descriptors that came along, the rest the packet. What decodes
 * must encode again to the very same bytes; what does not must leave no trace.
 */
#include "fuzz.h"

#include <string.h>

#include "daemon/common/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct message message;
    static uint8_t again[MESSAGE_MAX + 64];
    const struct message_row *row;
    unsigned nfds;
    int len;

    if (size < 1)
        return 0;
    nfds = data[0] % 4;
    memset(&message, 0xa5, sizeof(message));
    if (message_decode(data + 1, size - 1, nfds, &message) < 0)
        return 0;
    row = message_row(message.type);
    FUZZ_CHECK(row != NULL);
    FUZZ_CHECK(nfds == row->fds || (nfds == 0 && row->fds_optional));
    len = message_encode(message.type, &message.body, nfds, again, sizeof(again));
    FUZZ_CHECK(len == (int)size - 1);
    FUZZ_CHECK(memcmp(again, data + 1, size - 1) == 0);
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    static union message_body body;
    static uint8_t packet[MESSAGE_MAX];
    const struct message_row *row;

    for (size_t i = 0; (row = message_row_at(i)) != NULL; i++) {
        /* Zeros, and a body whose every byte is a small number: texts and blobs of one byte and more. */
        for (unsigned fill = 0; fill < 2; fill++) {
            int len;

            memset(&body, 0, sizeof(body));
            if (fill == 1)
                body.hello.version = 1;
            len = message_encode(row->type, &body, row->fds, packet, sizeof(packet));
            if (len < 0)
                continue;
            seed_u8(&seed, row->fds);
            seed_bytes(&seed, packet, (size_t)len);
            if (fill == 1)
                seed_bytes(&seed, "more", 4);
            seed_write(&seed, fill == 0 ? row->name : "longer");
        }
    }
}
