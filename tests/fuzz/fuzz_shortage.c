#include "fuzz_shortage.h"

#include "fuzz.h"
#include "tests/unit/lane_wrap.h"
#include "tests/unit/sim_usb.h"

#define TAIL 3u

/* lane_wrap looks at it; no simulated device stands here. */
volatile unsigned sim_usb_inside;

static unsigned kind, nth;

/* Before anybody asks the library for anything; and seeds get their three bytes. */
__attribute__((constructor)) static void prepare(void)
{
    lane_wrap_prepare();
    fuzz_seed_tail = TAIL;
}

void fuzz_shortage_take(const uint8_t *data, size_t *size)
{
    kind = nth = 0;
    sim_usb_inside = 0;
    if (*size < TAIL)
        return;
    *size -= TAIL;
    kind = data[*size] % (LANE_WRAP_KINDS + 1u);
    nth = 1u + (data[*size + 1] | (data[*size + 2] & 3u) << 8);
}

void fuzz_shortage_arm(void)
{
    if (kind > 0)
        lane_wrap_arm((enum lane_wrap_kind)(kind - 1), nth);
}

bool fuzz_shortage_disarm(void)
{
    const char *name = NULL;

    if (kind > 0)
        (void)lane_wrap_disarm(&name);
    return name != NULL;
}

void fuzz_shortage_pause(void)
{
    sim_usb_inside++;
}

void fuzz_shortage_resume(void)
{
    sim_usb_inside--;
}
