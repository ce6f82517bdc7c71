/* Configuration descriptors, honest and lying. Layout: USB 2.0, 9.6; SuperSpeed companion:
 * USB 3.2, 9.6.7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "driver/usb/usb_descriptor.h"
#include "mock_usb.h"

static struct usb_config config;
static uint8_t bytes[4096];

static int parse(const char *hex)
{
    size_t len = mock_hex(hex, bytes, sizeof(bytes));
    /* Of exactly this size, so that the sanitizer sees a step too far. */
    uint8_t *exact = malloc(len > 0 ? len : 1);
    int r;

    assert_non_null(exact);
    memcpy(exact, bytes, len);
    r = usb_config_parse(&config, exact, len);
    free(exact);
    return r;
}

static void interfaces_settings_and_endpoints_are_found(void **state)
{
    const struct usb_alt *alt;
    const struct usb_endpoint *endpoint;

    (void)state;
    assert_int_equal(parse("09 02 4700 02 03 00 80 32"
                           "09 04 00 00 01 0b 00 00 00  04 21 aa bb  07 05 81 02 0002 00  03 25 cc"
                           "09 04 01 00 00 0e 02 00 00"
                           "09 04 01 01 01 0e 02 00 00  07 05 83 05 0014 01  06 30 00 00 0000"),
                     0);
    assert_int_equal(config.value, 3);
    assert_int_equal(config.alt_count, 3);
    alt = usb_config_alt(&config, 0, 0);
    assert_non_null(alt);
    assert_int_equal(alt->class_code, 0x0b);
    assert_int_equal(alt->extra_len, 4);
    endpoint = usb_alt_endpoint(alt, USB_EP_BULK, true);
    assert_non_null(endpoint);
    assert_int_equal(endpoint->address, 0x81);
    assert_int_equal(endpoint->packet_bytes, 512);
    assert_int_equal(endpoint->extra_len, 3);
    assert_null(usb_alt_endpoint(alt, USB_EP_BULK, false));
    /* wMaxPacketSize 0x1400: 1024 bytes, three times in a microframe */
    alt = usb_config_alt(&config, 1, 1);
    assert_non_null(alt);
    endpoint = usb_alt_endpoint(alt, USB_EP_ISOCHRONOUS, true);
    assert_non_null(endpoint);
    assert_int_equal(endpoint->bytes_per_event, 3 * 1024);
    assert_null(usb_config_alt(&config, 1, 2));
}

static void a_superspeed_companion_says_how_much_comes_at_once(void **state)
{
    (void)state;
    assert_int_equal(parse("09 02 1f00 01 01 00 80 32 09 04 00 01 01 0e 02 00 00"
                           "07 05 83 05 0004 01  06 30 0f 02 0060"),
                     0);
    assert_int_equal(config.alts[0].endpoints[0].bytes_per_event, 0x6000);
}

static void lies_end_the_walk(void **state)
{
    static const char *const lies[] = {
        "",
        "09 02 0900 01 01 00 80",                               /* cut */
        "08 02 0900 01 01 00 80 32",                            /* too short by its own word */
        "ff 02 0900 01 01 00 80 32",                            /* longer than all */
        "09 01 0900 01 01 00 80 32",                            /* not a configuration */
        "09 02 0b00 01 01 00 80 32 00 04",                      /* length 0 */
        "09 02 0b00 01 01 00 80 32 01 04",                      /* length 1 */
        "09 02 1200 01 01 00 80 32 0a 04 00 00 01 0b 00 00 00", /* over the end */
        "09 02 1100 01 01 00 80 32 08 04 00 00 01 0b 00 00",    /* a short interface */
        "09 02 1800 01 01 00 80 32 09 04 00 00 01 0b 00 00 00 06 05 81 02 0002", /* a short endpoint
                                                                                  */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
        assert_int_equal(parse(lies[i]), -EPROTO);
}

static void a_total_that_lies_is_bounded_by_the_bytes(void **state)
{
    (void)state;
    assert_int_equal(parse("09 02 ffff 01 01 00 80 32 09 04 00 00 00 0b 00 00 00"), 0);
    assert_int_equal(config.alt_count, 1);
    assert_int_equal(parse("09 02 0900 01 01 00 80 32 09 04 00 00 00 0b 00 00 00"), 0);
    assert_int_equal(config.alt_count, 0);
}

static void more_endpoints_than_announced_are_ignored(void **state)
{
    (void)state;
    assert_int_equal(parse("09 02 2700 01 01 00 80 32 09 04 00 00 01 0b 00 00 00"
                           "07 05 81 02 0002 00 07 05 82 02 0002 00 03 25 cc"),
                     0);
    assert_int_equal(config.alts[0].endpoint_count, 1);
    assert_int_equal(config.alts[0].endpoints[0].extra_len, 0);
}

static void more_settings_than_we_drive_are_ignored(void **state)
{
    size_t len = 9;

    (void)state;
    mock_hex("09 02 ffff 01 01 00 80 32", bytes, sizeof(bytes));
    for (unsigned i = 0; i < USB_ALTS_MAX + 3; i++, len += 9)
        memcpy(bytes + len, (const uint8_t[]){9, 4, 0, (uint8_t)i, 1, 0x0b, 0, 0, 0}, 9);
    assert_int_equal(usb_config_parse(&config, bytes, len), 0);
    assert_int_equal(config.alt_count, USB_ALTS_MAX);
}

static void every_cut_and_every_flipped_byte_is_survived(void **state)
{
    static const char honest[] =
        "09 02 4700 02 03 00 80 32"
        "09 04 00 00 01 0b 00 00 00 04 21 aa bb 07 05 81 02 0002 00 03 25 cc"
        "09 04 01 00 00 0e 02 00 00"
        "09 04 01 01 01 0e 02 00 00 07 05 83 05 0014 01 06 30 00 00 0000";
    uint8_t whole[128];
    size_t len = mock_hex(honest, whole, sizeof(whole));

    (void)state;
    for (size_t cut = 0; cut <= len; cut++) {
        uint8_t *exact = malloc(cut > 0 ? cut : 1);

        assert_non_null(exact);
        memcpy(exact, whole, cut);
        (void)usb_config_parse(&config, exact, cut);
        for (size_t i = 0; i < cut; i++) {
            for (unsigned value = 0; value < 256; value += 17) {
                uint8_t kept = exact[i];

                exact[i] = (uint8_t)value;
                (void)usb_config_parse(&config, exact, cut);
                exact[i] = kept;
            }
        }
        free(exact);
    }
    assert_true(config.alt_count <= USB_ALTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interfaces_settings_and_endpoints_are_found),
        cmocka_unit_test(a_superspeed_companion_says_how_much_comes_at_once),
        cmocka_unit_test(lies_end_the_walk),
        cmocka_unit_test(a_total_that_lies_is_bounded_by_the_bytes),
        cmocka_unit_test(more_endpoints_than_announced_are_ignored),
        cmocka_unit_test(more_settings_than_we_drive_are_ignored),
        cmocka_unit_test(every_cut_and_every_flipped_byte_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
