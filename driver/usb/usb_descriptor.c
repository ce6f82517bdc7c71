#include "usb_descriptor.h"

#include <errno.h>
#include <string.h>

#include "daemon/common/bytes.h"

#define INTERFACE_BYTES 9u
#define ENDPOINT_BYTES 7u
#define SS_COMPANION 0x30u /* SuperSpeed endpoint companion, USB 3.2, 9.6.7 */
#define SS_COMPANION_BYTES 6u

/* Class-specific bytes go to the last endpoint, or to the setting when it has none yet. */
struct walk {
    struct usb_config *config;
    struct usb_alt *alt;
    struct usb_endpoint *endpoint;
    unsigned announced; /* bNumEndpoints of the current setting */
};

static void take_interface(struct walk *walk, const uint8_t *bytes)
{
    struct usb_alt *alt;

    walk->alt = NULL;
    walk->endpoint = NULL;
    if (walk->config->alt_count == USB_ALTS_MAX)
        return;
    alt = &walk->config->alts[walk->config->alt_count++];
    *alt = (struct usb_alt){.interface = bytes[2],
                            .alt = bytes[3],
                            .class_code = bytes[5],
                            .subclass = bytes[6],
                            .protocol = bytes[7]};
    walk->announced = bytes[4];
    walk->alt = alt;
}

static void take_endpoint(struct walk *walk, const uint8_t *bytes)
{
    struct usb_endpoint *endpoint;
    uint16_t packet = (uint16_t)(bytes[4] | bytes[5] << 8);

    walk->endpoint = NULL;
    if (walk->alt == NULL || walk->alt->endpoint_count == USB_ENDPOINTS_MAX ||
        walk->alt->endpoint_count == walk->announced) {
        /* More endpoints than it says: whose class-specific bytes follow is anybody's guess. */
        walk->alt = NULL;
        return;
    }
    endpoint = &walk->alt->endpoints[walk->alt->endpoint_count++];
    *endpoint = (struct usb_endpoint){.address = bytes[2],
                                      .type = (enum usb_endpoint_type)(bytes[3] & 3),
                                      .packet_bytes = packet & 0x7ff,
                                      .interval = bytes[6]};
    endpoint->bytes_per_event = endpoint->packet_bytes * (1u + (packet >> 11 & 3));
    walk->endpoint = endpoint;
}

static void take_other(struct walk *walk, const uint8_t *bytes, size_t len)
{
    const uint8_t **extra;
    size_t *extra_len;

    if (walk->alt == NULL)
        return;
    if (walk->endpoint != NULL && bytes[1] == SS_COMPANION && len >= SS_COMPANION_BYTES &&
        walk->endpoint->type == USB_EP_ISOCHRONOUS) {
        uint32_t bytes_per_interval = (uint32_t)(bytes[4] | bytes[5] << 8);

        if (bytes_per_interval > 0)
            walk->endpoint->bytes_per_event = bytes_per_interval;
        return;
    }
    extra = walk->endpoint != NULL ? &walk->endpoint->extra : &walk->alt->extra;
    extra_len = walk->endpoint != NULL ? &walk->endpoint->extra_len : &walk->alt->extra_len;
    if (*extra == NULL)
        *extra = bytes;
    /* Descriptors lie side by side, but for a companion between them. */
    *extra_len = (size_t)(bytes + len - *extra);
}

int usb_config_parse(struct usb_config *config, const uint8_t *bytes, size_t len)
{
    struct walk walk = {.config = config};
    size_t total;

    memset(config, 0, sizeof(*config));
    if (len < USB_CONFIG_HEADER_BYTES || bytes[0] < USB_CONFIG_HEADER_BYTES || bytes[0] > len ||
        bytes[1] != USB_DT_CONFIG)
        return -EPROTO;
    config->value = bytes[5];
    total = (size_t)(bytes[2] | bytes[3] << 8);
    if (total < len)
        len = total;
    if (len < bytes[0])
        return -EPROTO;
    len -= bytes[0];
    bytes += bytes[0];
    while (len > 0) {
        size_t own = bytes[0];

        if (own < 2 || own > len)
            return -EPROTO;
        if (bytes[1] == USB_DT_INTERFACE && own >= INTERFACE_BYTES)
            take_interface(&walk, bytes);
        else if (bytes[1] == USB_DT_ENDPOINT && own >= ENDPOINT_BYTES)
            take_endpoint(&walk, bytes);
        else if (bytes[1] == USB_DT_INTERFACE || bytes[1] == USB_DT_ENDPOINT)
            return -EPROTO;
        else
            take_other(&walk, bytes, own);
        bytes += own;
        len -= own;
    }
    return 0;
}

const struct usb_endpoint *usb_alt_endpoint(const struct usb_alt *alt, enum usb_endpoint_type type,
                                            bool in)
{
    for (unsigned i = 0; i < alt->endpoint_count; i++) {
        const struct usb_endpoint *endpoint = &alt->endpoints[i];

        if (endpoint->type == type && ((endpoint->address & 0x80) != 0) == in)
            return endpoint;
    }
    return NULL;
}

const struct usb_alt *usb_config_alt(const struct usb_config *config, uint8_t interface,
                                     uint8_t alt)
{
    for (unsigned i = 0; i < config->alt_count; i++)
        if (config->alts[i].interface == interface && config->alts[i].alt == alt)
            return &config->alts[i];
    return NULL;
}

const uint8_t *usb_extra_next(const uint8_t **at, size_t *left, size_t *len)
{
    const uint8_t *here = *at;

    if (*left < 2 || here[0] < 2 || here[0] > *left) {
        *left = 0;
        return NULL;
    }
    *len = here[0];
    *at += here[0];
    *left -= here[0];
    return here;
}
