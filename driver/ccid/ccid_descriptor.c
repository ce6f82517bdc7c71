#include "ccid_descriptor.h"

#include <errno.h>
#include <string.h>

#include "daemon/common/bytes.h"
#include "quirks.h"

#define CLASS_SMART_CARD 0x0bu
#define CLASS_VENDOR 0xffu
#define CLASS_DESCRIPTOR 0x21u
#define CLASS_DESCRIPTOR_BYTES 54u

static const uint8_t *find_in(const uint8_t *extra, size_t left)
{
    const uint8_t *bytes;
    size_t len;

    while ((bytes = usb_extra_next(&extra, &left, &len)) != NULL)
        if (len == CLASS_DESCRIPTOR_BYTES && bytes[1] == CLASS_DESCRIPTOR)
            return bytes;
    return NULL;
}

/* It belongs behind the interface; some readers hang it on an endpoint. */
static const uint8_t *class_descriptor(const struct usb_alt *alt)
{
    const uint8_t *bytes = find_in(alt->extra, alt->extra_len);

    for (unsigned i = 0; bytes == NULL && i < alt->endpoint_count; i++)
        bytes = find_in(alt->endpoints[i].extra, alt->endpoints[i].extra_len);
    return bytes;
}

static enum ccid_level level_of(uint32_t features)
{
    /* Of several bits (not allowed) the most able one is meant. */
    if ((features & 0x00040000u) != 0)
        return CCID_LEVEL_EXTENDED_APDU;
    if ((features & 0x00020000u) != 0)
        return CCID_LEVEL_SHORT_APDU;
    if ((features & 0x00010000u) != 0)
        return CCID_LEVEL_TPDU;
    return CCID_LEVEL_CHARACTER;
}

static int read_class_descriptor(const uint8_t *bytes, struct ccid_place *place)
{
    struct ccid_info *info = &place->info;
    struct bytes_reader r;

    bytes_reader_init(&r, bytes, CLASS_DESCRIPTOR_BYTES);
    bytes_take(&r, 4); /* length, type, bcdCCID */
    info->slots = bytes_u8(&r) + 1u;
    info->voltages = bytes_u8(&r);
    info->protocols = bytes_u32le(&r);
    place->clock_khz = bytes_u32le(&r);
    bytes_take(&r, 4 + 1 + 4); /* dwMaximumClock, bNumClockSupported, dwDataRate */
    place->max_data_rate = bytes_u32le(&r);
    bytes_u8(&r); /* bNumDataRatesSupported */
    info->max_ifsd = bytes_u32le(&r);
    bytes_take(&r, 4 + 4); /* dwSynchProtocols, dwMechanical */
    info->features = bytes_u32le(&r);
    info->max_message = bytes_u32le(&r);
    bytes_take(&r, 1 + 1 + 2); /* bClassGetResponse, bClassEnvelope, wLcdLayout */
    info->pin_support = bytes_u8(&r);
    bytes_u8(&r); /* bMaxCCIDBusySlots: we use one at a time */
    if (!bytes_done(&r) || info->max_message < CCID_MESSAGE_MIN)
        return -EPROTO;
    if (info->max_message > CCID_MESSAGE_MAX)
        info->max_message = CCID_MESSAGE_MAX;
    if (info->slots > CCID_SLOTS_MAX)
        info->slots = CCID_SLOTS_MAX;
    info->level = level_of(info->features);
    return 0;
}

static int read_place(const struct usb_alt *alt, struct ccid_place *place)
{
    const struct usb_endpoint *out = usb_alt_endpoint(alt, USB_EP_BULK, false);
    const struct usb_endpoint *in = usb_alt_endpoint(alt, USB_EP_BULK, true);
    const struct usb_endpoint *interrupt = usb_alt_endpoint(alt, USB_EP_INTERRUPT, true);
    const uint8_t *descriptor = class_descriptor(alt);

    memset(place, 0, sizeof(*place));
    if (out == NULL || in == NULL || in->packet_bytes < CCID_MESSAGE_MIN / 8 || descriptor == NULL)
        return -EPROTO;
    place->bulk_out = out->address;
    place->bulk_in = in->address;
    place->bulk_in_packet = in->packet_bytes;
    if (interrupt != NULL && interrupt->packet_bytes >= 2) {
        place->interrupt_in = interrupt->address;
        place->interrupt_bytes = interrupt->packet_bytes;
        place->info.has_interrupt = true;
    }
    place->info.interface = alt->interface;
    place->info.vendor_class = alt->class_code == CLASS_VENDOR;
    return read_class_descriptor(descriptor, place);
}

int ccid_place_find(const struct usb_config *config, uint32_t quirks, unsigned nth,
                    struct ccid_place *place)
{
    for (unsigned i = 0; i < config->alt_count; i++) {
        const struct usb_alt *alt = &config->alts[i];
        /* Protocols 1 and 2 are tokens that speak over the control pipe, not readers. */
        bool smart_card =
            alt->class_code == CLASS_SMART_CARD && alt->subclass == 0 && alt->protocol == 0;
        bool by_quirk = alt->class_code == CLASS_VENDOR &&
                        (quirks & CCID_QUIRK_VENDOR_CLASS) != 0 && class_descriptor(alt) != NULL;

        if (alt->alt != 0 || !(smart_card || by_quirk))
            continue;
        if (nth-- == 0)
            return read_place(alt, place);
    }
    return -ENODEV;
}
