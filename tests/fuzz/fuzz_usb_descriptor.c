/*
 * Descriptors of a device that lies: the configuration is walked, searched for card readers and cameras, and a
 * picture size chosen, as the reader does it. Bytes: quirk flags, width, height, rate, then the configuration.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "driver/ccid/ccid_descriptor.h"
#include "driver/usb/usb_descriptor.h"
#include "driver/uvc/uvc_descriptor.h"

static void inside(const uint8_t *bytes, size_t len, const uint8_t *at, size_t at_len)
{
    if (at_len > 0)
        FUZZ_CHECK(at >= bytes && at_len <= len && at <= bytes + (len - at_len));
}

static void check_config(const struct usb_config *config, const uint8_t *bytes, size_t len)
{
    FUZZ_CHECK(config->alt_count <= USB_ALTS_MAX);
    for (unsigned i = 0; i < config->alt_count; i++) {
        const struct usb_alt *alt = &config->alts[i];
        const uint8_t *at = alt->extra;
        size_t left = alt->extra_len, one;
        const uint8_t *descriptor;

        FUZZ_CHECK(alt->endpoint_count <= USB_ENDPOINTS_MAX);
        inside(bytes, len, alt->extra, alt->extra_len);
        while ((descriptor = usb_extra_next(&at, &left, &one)) != NULL) {
            FUZZ_CHECK(one >= 2);
            inside(bytes, len, descriptor, one);
        }
        for (unsigned e = 0; e < alt->endpoint_count; e++)
            inside(bytes, len, alt->endpoints[e].extra, alt->endpoints[e].extra_len);
        (void)usb_alt_endpoint(alt, USB_EP_BULK, true);
        FUZZ_CHECK(usb_config_alt(config, alt->interface, alt->alt) != NULL);
    }
}

static void check_readers(const struct usb_config *config, uint32_t quirks)
{
    struct ccid_place place;

    for (unsigned nth = 0; nth < 4; nth++) {
        memset(&place, 0, sizeof(place));
        if (ccid_place_find(config, quirks, nth, &place) != 0)
            continue;
        FUZZ_CHECK(place.info.slots >= 1 && place.info.slots <= CCID_SLOTS_MAX);
        FUZZ_CHECK(place.info.max_message >= CCID_MESSAGE_MIN &&
                   place.info.max_message <= CCID_MESSAGE_MAX);
        FUZZ_CHECK((place.bulk_in & 0x80) != 0 && (place.bulk_out & 0x80) == 0);
    }
}

static void check_cameras(const struct usb_config *config, const struct camera_need *need,
                          const uint8_t *bytes, size_t len)
{
    static struct uvc_function function;
    const struct uvc_frame *frame;
    uint32_t interval = 0;

    for (unsigned nth = 0; nth < 3; nth++) {
        memset(&function, 0, sizeof(function));
        if (uvc_function_find(config, nth, &function) != 0)
            continue;
        FUZZ_CHECK(function.frame_count <= UVC_FRAMES_MAX);
        for (unsigned i = 0; i < function.frame_count; i++)
            inside(bytes, len, function.frames[i].intervals,
                   4u * (function.frames[i].interval_count == 0
                             ? 3u
                             : function.frames[i].interval_count));
        frame = uvc_choose(&function, need, &interval);
        if (frame != NULL) {
            FUZZ_CHECK(frame >= function.frames && frame < function.frames + function.frame_count);
            FUZZ_CHECK(uvc_frame_by_index(&function, frame->format_index, frame->frame_index) !=
                       NULL);
        }
        (void)uvc_choose_alt(config, &function, interval);
        (void)uvc_choose_alt(config, &function, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct usb_config config;
    struct fuzz_input in = {data, size};
    uint32_t quirks = fuzz_u8(&in);
    struct camera_need need = {
        .width = fuzz_u16(&in), .height = fuzz_u16(&in), .fps = fuzz_u8(&in)};

    if (usb_config_parse(&config, in.at, in.left) != 0)
        return 0;
    check_config(&config, in.at, in.left);
    check_readers(&config, quirks);
    check_cameras(&config, &need, in.at, in.left);
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    /* Hand-made after USB 2.0 9.6, CCID 1.1 chapter 5 and UVC 1.5 chapter 3: an extended-APDU reader, a camera. */
    static const char *const rows[][2] = {
        {"reader",
         "09 02 5d00 01 01 00 80 32 09 04 00 00 03 0b 00 00 00 36 21 1001 00 07 02000000 a00f0000 "
         "a00f0000 00"
         "c2a50000 c2a50000 00 fe000000 00000000 00000000 7e000400 4a000000 ff ff 0000 00 01"
         "07 05 02 02 0002 00 07 05 81 02 0002 00 07 05 83 03 0800 10"},
        {"camera",
         "09 02 a600 02 01 00 80 32 09 04 00 00 00 0e 01 00 00 0d 24 01 1001 0d00 006cdc02 01 01"
         "09 04 01 00 00 0e 02 00 00 0e 24 01 01 0000 82 00 02 00 00 01 00 00 0b 24 06 01 02 01 01 "
         "00 00 00 00"
         "26 24 07 01 00 8002 e001 00000000 00000000 00600900 15160500 03 15160500 2a2c0a00 "
         "40420f00"
         "26 24 07 02 00 0005 d002 00000000 00000000 00201c00 15160500 00 15160500 80841e00 "
         "15160500"
         "09 04 01 01 01 0e 02 00 00 07 05 82 05 0014 01"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        seed_u8(&seed, (unsigned)i);
        seed_u16(&seed, 640);
        seed_u16(&seed, 480);
        seed_u8(&seed, 15);
        seed_hex(&seed, rows[i][1]);
        seed_write(&seed, rows[i][0]);
    }
}
