/* Payloads of a camera, isochronous or bulk: frames that come out look like JPEG and fit the buffer. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "driver/uvc/payload.h"

#define FRAME_MOST 2048

static void on_frame(const struct camera_frame *frame, void *arg)
{
    unsigned *frames = arg;
    uint8_t sum = 0;

    FUZZ_CHECK(frame->len >= 2 && frame->len <= FRAME_MOST);
    FUZZ_CHECK(frame->data[0] == 0xff && frame->data[1] == 0xd8);
    for (size_t i = 0; i < frame->len; i++)
        sum ^= frame->data[i];
    *frames += 1u + (sum & 0u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct payload payload;
    unsigned frames = 0;
    uint64_t now = 1;

    memset(&payload, 0, sizeof(payload));
    FUZZ_CHECK(payload_init(&payload, FRAME_MOST, on_frame, &frames) == 0);
    while (in.left > 0) {
        unsigned what = fuzz_u8(&in);
        uint8_t *piece;
        size_t len;

        now += what;
        switch (what % 8) {
        case 0:
            payload_lost(&payload);
            break;
        case 1:
            payload_reset(&payload);
            break;
        case 2:
            payload_wipe(&payload);
            break;
        case 3:
        case 4:
            piece = fuzz_piece_copy(&in, 4096, &len);
            payload_push_bulk(&payload, piece, len, what % 8 == 3, 1u + what * 16u, now);
            free(piece);
            break;
        default:
            piece = fuzz_piece_copy(&in, 3072, &len);
            payload_push(&payload, piece, len, now);
            free(piece);
            break;
        }
    }
    FUZZ_CHECK(payload.counters.frames == frames);
    payload_clear(&payload);
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    /* UVC 1.5, 2.4.3.3: header length, bits (80 end of header, 02 end of frame, 01 frame id) */
    static const char *const frame[] = {"02 80 ff d8 ff e0 00 10",
                                        "0c 8c 00000000 000000000000 4a 46", "02 82 11 ff d9"};

    for (unsigned kind = 5; kind >= 4; kind--) {
        for (size_t i = 0; i < 3; i++) {
            seed_u8(&seed, kind);
            seed_piece_hex(&seed, frame[i]);
        }
        seed_u8(&seed, 5);
        seed_piece_hex(&seed, "02 81 ff d8 00");
        seed_u8(&seed, 5);
        seed_piece_hex(&seed, "02 80 ff d8 00");
        seed_u8(&seed, 0);
        seed_u8(&seed, 5);
        seed_piece_hex(&seed, "02 c3 00");
        seed_write(&seed, kind == 5 ? "isochronous" : "bulk");
    }
}
