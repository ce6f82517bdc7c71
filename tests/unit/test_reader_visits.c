/* Whole visits of the reader in this process, thousands of them: what they cost and what they leave behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/common/clock.h"
#include "lane_rig.h"
#include "sim_rig.h"
#include "sim_usb.h"

static void a_face_visit_and_a_pin_visit_come_to_their_ends(void **state)
{
    static const char *const levels[] = {"extended", "short", "tpdu-t1", "tpdu-t0", "tpdu-bare"};

    (void)state;
    for (unsigned wire = 0; wire < 2; wire++)
        for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
            struct lane_rig_options options = {.wire = wire, .level = levels[i], .card = "franck"};
            struct lane_rig *rig = lane_rig_new(&options);
            struct lane_visit face, pin;

            lane_rig_face(rig, &face);
            lane_rig_pin(rig, &pin);
            print_message("%s %s: face %u APDUs %llu ms, pin %u APDUs %llu ms %s %s\n", wire == 0 ? "libusb" : "direct", levels[i],
                          face.apdus, (unsigned long long)face.us / 1000, pin.apdus,
                          (unsigned long long)pin.us / 1000, face.trouble, pin.trouble);
            assert_true(face.done);
            assert_true(pin.done);
            assert_int_equal(face.again + face.camera_again + face.reopened + face.refused, 0);
            assert_int_equal(pin.again + pin.camera_again + pin.reopened + pin.refused, 0);
            lane_rig_free(&rig);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_face_visit_and_a_pin_visit_come_to_their_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
