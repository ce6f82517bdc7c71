#include "pairing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool fits(const struct spec *spec, const struct plugged *device, bool camera)
{
    /* Only the kernel's driver has what hangs on another bus. */
    if (device->node[0] == 0 && device->video[0] != 0 && spec->driver == DRIVER_OWN)
        return false;
    switch (spec->kind) {
    case SPEC_NODE:
        return spec->node[0] != 0 && strcmp(spec->node, device->video) == 0;
    case SPEC_PORT:
        return strcmp(spec->port, device->port) == 0 && (!camera || device->camera);
    case SPEC_ID:
        return spec->vendor == device->vendor && spec->product == device->product &&
               (spec->serial[0] == 0 || strcmp(spec->serial, device->serial) == 0) &&
               (!camera || device->camera);
    case SPEC_ONLY:
        return camera ? device->camera : device->reader;
    default:
        return false;
    }
}

/*
 * The one device that fits and is free for this lane. `avoid`: a camera of its own goes before the one that is
 * built into the lane's reader, so that "only" means the only other one where there is one.
 */
static enum pairing_result choose(const struct spec *spec, bool camera, size_t lane,
                                  const struct plugged *devices, size_t ndevices, size_t *owner,
                                  size_t avoid, size_t *out)
{
    enum pairing_result result = PAIRING_ABSENT;
    size_t found = PAIRING_NO_DEVICE;
    size_t count = 0;

    for (size_t i = 0; i < ndevices; i++) {
        if (!fits(spec, &devices[i], camera))
            continue;
        if (owner[i] != PAIRING_NO_DEVICE && owner[i] != lane) {
            result = PAIRING_TAKEN;
            continue;
        }
        if (i == avoid)
            continue;
        found = i;
        count++;
    }
    if (count == 0 && avoid != PAIRING_NO_DEVICE && fits(spec, &devices[avoid], camera)) {
        found = avoid;
        count = 1;
    }
    if (count > 1)
        return PAIRING_AMBIGUOUS;
    if (count == 0)
        return result;
    owner[found] = lane;
    *out = found;
    return PAIRING_FOUND;
}

static void match_reader(struct pairing *lane, size_t index, const struct plugged *devices,
                         size_t ndevices, size_t *owner)
{
    lane->reader_result = choose(&lane->reader_spec, false, index, devices, ndevices, owner,
                                 PAIRING_NO_DEVICE, &lane->reader);
}

/* The device is found; through whose driver? */
static void choose_driver(struct pairing *lane, const struct plugged *devices)
{
    enum spec_driver driver = lane->camera_spec.driver;
    const struct plugged *device;

    if (lane->camera_result != PAIRING_FOUND || driver == DRIVER_OWN)
        return;
    device = &devices[lane->camera];
    if (device->video[0] != 0) {
        lane->camera_by_kernel = true;
    } else if (device->fresh || driver == DRIVER_KERNEL) {
        lane->camera_result = device->fresh ? PAIRING_SETTLING : PAIRING_NO_NODE;
        lane->camera = PAIRING_NO_DEVICE;
    }
}

static void match_camera(struct pairing *lane, size_t index, const struct plugged *devices,
                         size_t ndevices, size_t *owner)
{
    lane->camera_result = choose(&lane->camera_spec, true, index, devices, ndevices, owner,
                                 lane->reader, &lane->camera);
    choose_driver(lane, devices);
}

/* The camera inside the reader needs no choice. */
static void match_same(struct pairing *lane, const struct plugged *devices)
{
    if (lane->reader_result == PAIRING_SIMULATED) {
        lane->camera_result = PAIRING_SIMULATED;
    } else if (lane->reader != PAIRING_NO_DEVICE && devices[lane->reader].camera) {
        lane->camera_result = PAIRING_FOUND;
        lane->camera = lane->reader;
        choose_driver(lane, devices);
    } else {
        lane->camera_result = PAIRING_ABSENT;
    }
}

void pairing_match(struct pairing *lanes, size_t nlanes, const struct plugged *devices,
                   size_t ndevices, size_t *owner)
{
    static const enum spec_kind order[] = {SPEC_NODE, SPEC_PORT, SPEC_ID, SPEC_ONLY};

    for (size_t i = 0; i < ndevices; i++)
        owner[i] = PAIRING_NO_DEVICE;
    for (size_t i = 0; i < nlanes; i++) {
        lanes[i].reader = PAIRING_NO_DEVICE;
        lanes[i].camera = PAIRING_NO_DEVICE;
        lanes[i].reader_result =
            lanes[i].reader_spec.kind == SPEC_USBIP ? PAIRING_SIMULATED : PAIRING_NOT_WANTED;
        lanes[i].camera_result = PAIRING_NOT_WANTED;
        lanes[i].camera_by_kernel = false;
    }
    for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
        for (size_t i = 0; i < nlanes; i++)
            if (lanes[i].reader_spec.kind == order[k])
                match_reader(&lanes[i], i, devices, ndevices, owner);
        /* Before the next kind of readers: a camera that is named by its port is not anybody's "only" device. */
        for (size_t i = 0; i < nlanes; i++)
            if (lanes[i].camera_spec.kind == order[k])
                match_camera(&lanes[i], i, devices, ndevices, owner);
    }
    for (size_t i = 0; i < nlanes; i++)
        if (lanes[i].camera_spec.kind == SPEC_SAME)
            match_same(&lanes[i], devices);
}
