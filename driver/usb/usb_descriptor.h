/*
 * usb_descriptor: walks a configuration descriptor that may lie.
 *
 * Nothing is trusted: lengths, counts and totals are bounded by the bytes received; a descriptor of
 * length 0 or 1, or one that runs over the end, ends the walk with an error. Unknown descriptors
 * are kept with the interface or endpoint they follow, as class-specific bytes. Source:
 * USB 2.0, 9.6.
 */
#ifndef UKETSUKE_USB_DESCRIPTOR_H
#define UKETSUKE_USB_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USB_DT_DEVICE 0x01u
#define USB_DT_CONFIG 0x02u
#define USB_DT_INTERFACE 0x04u
#define USB_DT_ENDPOINT 0x05u

#define USB_DEVICE_BYTES 18u
#define USB_CONFIG_HEADER_BYTES 9u
#define USB_CONFIG_MAX 65535u

/* Bounds of a device we are willing to drive. */
#define USB_ALTS_MAX 128u    /* interface descriptors, alternate settings counted one by one */
#define USB_ENDPOINTS_MAX 8u /* in one alternate setting */

enum usb_endpoint_type { USB_EP_CONTROL, USB_EP_ISOCHRONOUS, USB_EP_BULK, USB_EP_INTERRUPT };

struct usb_endpoint {
    uint8_t address;
    enum usb_endpoint_type type;
    uint16_t packet_bytes;    /* bits 10..0 of wMaxPacketSize */
    uint32_t bytes_per_event; /* per (micro)frame: packet x (1 + bits 12..11), or the SuperSpeed
                                 companion's */
    uint8_t interval;         /* bInterval as it stands */
    const uint8_t *extra;     /* class-specific descriptors behind it, borrowed */
    size_t extra_len;
};

struct usb_alt {
    uint8_t interface;
    uint8_t alt;
    uint8_t class_code;
    uint8_t subclass;
    uint8_t protocol;
    const uint8_t
        *extra; /* class-specific descriptors between interface and first endpoint, borrowed */
    size_t extra_len;
    unsigned endpoint_count;
    struct usb_endpoint endpoints[USB_ENDPOINTS_MAX];
};

struct usb_config {
    uint8_t value;      /* bConfigurationValue */
    unsigned alt_count; /* in the order of the bytes */
    struct usb_alt alts[USB_ALTS_MAX];
};

/* 0, or -EPROTO when the bytes are no configuration descriptor. `bytes` must outlive `config`. */
int usb_config_parse(struct usb_config *config, const uint8_t *bytes, size_t len);

/* The endpoint of that type and direction in an alternate setting, or NULL. */
const struct usb_endpoint *usb_alt_endpoint(const struct usb_alt *alt, enum usb_endpoint_type type,
                                            bool in);
/* An interface's alternate setting, or NULL. */
const struct usb_alt *usb_config_alt(const struct usb_config *config, uint8_t interface,
                                     uint8_t alt);

/*
 * Steps through class-specific descriptors: `*at`/`*left` move behind the one returned. NULL at the
 * end and at the first broken length. `*len` is its own length byte, at least 2.
 */
const uint8_t *usb_extra_next(const uint8_t **at, size_t *left, size_t *len);

#endif
