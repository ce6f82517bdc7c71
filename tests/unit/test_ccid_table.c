/*
 * The table of readers is one: what stands in driver/ccid/quirks.c stands in uketsuke-reader(8) and, for readers of their
 * maker's own class, in the udev rules, and nothing else does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver/ccid/quirks.h"

static char text[65536];

static const char *read_file(const char *below)
{
    const char *source = getenv("UKETSUKE_SOURCE");
    char path[4200];
    FILE *file;
    size_t n;

    (void)snprintf(path, sizeof(path), "%s/%s", source != NULL ? source : ".", below);
    file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s cannot be read", path);
    n = fread(text, 1, sizeof(text) - 1, file);
    text[n] = '\0';
    (void)fclose(file);
    return text;
}

static unsigned count(const char *in, const char *what)
{
    unsigned n = 0;

    for (const char *p = strstr(in, what); p != NULL; p = strstr(p + 1, what))
        n++;
    return n;
}

static void the_man_page_has_every_row_and_no_other(void **state)
{
    const char *page = read_file("packaging/man/uketsuke-reader.8");
    const struct ccid_quirk *row;
    char line[256];
    unsigned i;

    (void)state;
    for (i = 0; (row = ccid_quirk_at(i)) != NULL; i++) {
        (void)snprintf(line, sizeof(line), "\n.It %s Ta %04x:%04x Ta %s\n", row->name, row->vendor,
                       row->product,
                       (row->flags & CCID_QUIRK_VENDOR_CLASS) != 0 ? "maker" : "CCID");
        if (strstr(page, line) == NULL)
            fail_msg("uketsuke-reader.8 lacks the line%s", line);
        assert_true(row->source != NULL && row->source[0] != '\0');
    }
    assert_true(i > 0);
    assert_int_equal(count(page, " Ta CCID\n") + count(page, " Ta maker\n"), i);
}

static void udev_gives_us_the_readers_of_makers_own_class(void **state)
{
    const char *rules = read_file("packaging/udev.rules");
    const struct ccid_quirk *row;
    char rule[160];
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; (row = ccid_quirk_at(i)) != NULL; i++) {
        if ((row->flags & CCID_QUIRK_VENDOR_CLASS) == 0)
            continue;
        (void)snprintf(rule, sizeof(rule),
                       "\nSUBSYSTEM==\"usb\", ENV{DEVTYPE}==\"usb_device\", "
                       "ATTR{idVendor}==\"%04x\", ATTR{idProduct}==\"%04x\",",
                       row->vendor, row->product);
        if (strstr(rules, rule) == NULL)
            fail_msg("udev.rules lacks%s", rule);
        n++;
    }
    assert_int_equal(count(rules, "ATTR{idProduct}=="), n);
}

/* A line that gives us a USB device also keeps it awake; the last word about both is ours (see the number of the file). */
static void udev_keeps_awake_what_it_gives_us(void **state)
{
    static const char leaves[] = "ACTION==\"remove\", GOTO=\"uketsuke_end\"\n";
    const char *rules = read_file("packaging/udev.rules");
    unsigned n = 0;

    (void)state;
    for (const char *line = rules; line != NULL && *line != 0;
         line = strchr(line, '\n') != NULL ? strchr(line, '\n') + 1 : NULL) {
        const char *awake;

        if (strncmp(line, "SUBSYSTEM==\"usb\",", 17) != 0)
            continue;
        n++;
        awake = strstr(line, ", ATTR{power/control}=\"on\"");
        assert_non_null(awake);
        assert_true(awake < line + strcspn(line, "\n"));
    }
    assert_int_equal(count(rules, "GROUP=\"uketsuke-devices\""), n + 1); /* one for video nodes */
    /* a device that has left has no file to write to */
    assert_true(strncmp(rules, leaves, sizeof(leaves) - 1) == 0);
    assert_non_null(strstr(rules, "\nLABEL=\"uketsuke_end\"\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_man_page_has_every_row_and_no_other),
        cmocka_unit_test(udev_gives_us_the_readers_of_makers_own_class),
        cmocka_unit_test(udev_keeps_awake_what_it_gives_us),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
