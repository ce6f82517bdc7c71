#include "uvc_controls.h"

#include <stddef.h>

/* Exposure mode is a bitmap: 2 all automatic, 8 automatic time with a fixed iris, 4 fixed time with
 * an automatic iris. Most webcams have 1 (by hand) and 8. */
static const uint8_t exposure_modes[] = {2, 8, 4, 0};

static const struct uvc_control rows[] = {
    {"exposure mode", false, 1, 0x02, 0, exposure_modes},
    /* 0: the agreed rate stands. A camera that takes its time in the dark sends few and blurred
     * pictures, from which nobody would learn that it is too dark. */
    {"exposure priority", false, 2, 0x03, 0, NULL},
    {"automatic white balance", true, 12, 0x0b, 1, NULL},
};

const struct uvc_control *uvc_control_next(const struct uvc_function *function, unsigned *i,
                                           unsigned *entity)
{
    for (; *i < sizeof(rows) / sizeof(rows[0]); (*i)++) {
        const struct uvc_control *row = &rows[*i];
        uint32_t bits = row->of_unit ? function->unit_bits : function->terminal_bits;

        *entity = row->of_unit ? function->unit : function->terminal;
        if (*entity != 0 && (bits >> row->bit & 1) != 0)
            return row;
    }
    return NULL;
}

const struct uvc_control *uvc_control_at(unsigned i)
{
    return i < sizeof(rows) / sizeof(rows[0]) ? &rows[i] : NULL;
}

uint8_t uvc_control_choose(const struct uvc_control *control, uint8_t offered)
{
    for (const uint8_t *choice = control->choices; choice != NULL && *choice != 0; choice++)
        if ((offered & *choice) != 0)
            return *choice;
    return 0;
}
