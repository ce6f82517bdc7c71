/*
 * usb: the transport contract between the reader's drivers (CCID, UVC) and whatever carries USB.
 *
 * Two transports stand behind it: a usbfs descriptor through libusb-1.0 (usb_libusb.c), and the
 * kernel's documented USB/IP protocol over a connected socket (usb_usbip.c). Both are handed an
 * open descriptor by the broker; neither opens, searches or enumerates anything.
 *
 * Rules that hold for both:
 * - One thread, one event loop. Every operation ends in a callback, exactly once, and never from
 *   inside the call that started it. Callers need no second error path.
 * - Every operation has an absolute deadline on the clock (microseconds, clock_monotonic_us). Only
 * a transfer that waits for an event that may never come (interrupt, isochronous) may have
 * CLOCK_NEVER.
 * - When the device goes, each pending operation ends with USB_GONE, then the gone callback is
 * called once; whatever is started later ends with USB_GONE too.
 * - Any function may be called from inside any callback, usb_free() included.
 */
#ifndef UKETSUKE_USB_H
#define UKETSUKE_USB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct sd_event;
struct usb;

enum usb_status {
    USB_OK,        /* done; fewer bytes than asked for is also OK, see `actual` */
    USB_TIMEOUT,   /* the deadline passed; `actual` bytes may have moved before it */
    USB_CANCELLED, /* usb_cancel() was in time */
    USB_STALL, /* the endpoint halted (bulk, interrupt: usb_clear_halt()), or the request is refused
                */
    USB_OVERFLOW, /* the device sent more than was asked for (babble) */
    USB_GONE,     /* unplugged, or the connection to its host is lost */
    USB_BUSY,     /* claim only: another driver or program holds the interface (pcscd, uvcvideo) */
    USB_IO,       /* anything else: bus errors, the host refused, out of memory */
    USB_STATUS_COUNT
};

/* A short lower-case word for logs. */
const char *usb_status_name(enum usb_status status);

enum usb_speed {
    USB_SPEED_UNKNOWN,
    USB_SPEED_LOW,
    USB_SPEED_FULL,
    USB_SPEED_HIGH,
    USB_SPEED_SUPER
};

typedef void usb_done_fn(struct usb *usb, enum usb_status status, void *arg);
typedef void usb_gone_fn(struct usb *usb, void *arg);

/*
 * Make a handle over an open usbfs node. Takes ownership of `fd` at once, also when it fails.
 * NULL and errno on failure. `loop` and `clock` are borrowed and must outlive the handle.
 * libusb is told not to discover devices, so it needs neither udev nor /sys nor /dev.
 */
struct usb *usb_libusb_new(struct sd_event *loop, struct clock *clock, int fd);

/*
 * Make a handle over a connected stream socket on which OP_REQ_IMPORT has been answered already.
 * `devid` is (busnum << 16) | devnum of that answer, `speed` its speed. Ownership and errors as
 * above.
 */
struct usb *usb_usbip_new(struct sd_event *loop, struct clock *clock, int fd, uint32_t devid,
                          enum usb_speed speed);

/*
 * Closes; what is running ends without a callback. Free its transfers, and the drivers that hold
 * some, first. Accepts and stores NULL.
 */
void usb_free(struct usb **usb);

/* Called once when the device has gone; after usb_start()'s or any later success. */
void usb_on_gone(struct usb *usb, usb_gone_fn *gone, void *arg);
bool usb_is_gone(const struct usb *usb);
struct clock *usb_clock(const struct usb *usb);

/*
 * Reads the device descriptor and the active configuration's descriptors from the device. Must end
 * with USB_OK before anything else is used. USB_IO when the device's answer cannot be a descriptor.
 */
void usb_start(struct usb *usb, uint64_t deadline_us, usb_done_fn *done, void *arg);

/* Valid after usb_start(). The bytes live as long as the handle; parse them with usb_descriptor.h.
 */
uint16_t usb_vendor(const struct usb *usb);
uint16_t usb_product(const struct usb *usb);
uint16_t usb_release_bcd(const struct usb *usb); /* bcdDevice */
enum usb_speed usb_speed(const struct usb *usb);
const uint8_t *usb_device_bytes(const struct usb *usb, size_t *len);
const uint8_t *usb_config_bytes(const struct usb *usb, size_t *len);

/*
 * On libusb the kernel may be holding the interface by a driver of its own (uvcvideo): it is
 * detached by the claim and attached again by the release. An interface held by another program is
 * USB_BUSY.
 */
void usb_claim(struct usb *usb, uint8_t interface, uint64_t deadline_us, usb_done_fn *done,
               void *arg);
/* Best effort, at once; usb_free() releases what is still claimed. */
void usb_release(struct usb *usb, uint8_t interface);

/*
 * These three are control requests which the kernel must carry out itself (it keeps bandwidth and
 * data toggles), by an ioctl that ends when the device answers, at most the kernel's own 5 s: the
 * libusb transport can be held up that long by a device that does not answer them, no other can.
 */
void usb_set_alt(struct usb *usb, uint8_t interface, uint8_t alt, uint64_t deadline_us,
                 usb_done_fn *done, void *arg);
void usb_clear_halt(struct usb *usb, uint8_t endpoint, uint64_t deadline_us, usb_done_fn *done,
                    void *arg);
void usb_reset(struct usb *usb, uint64_t deadline_us, usb_done_fn *done, void *arg);

/*
 * The operations above that were started with this `arg` and have not ended yet end without a
 * callback: for an owner who is about to be freed.
 */
void usb_forget(struct usb *usb, const void *arg);

/* -- transfers --------------------------------------------------------------------------------- */

enum usb_kind { USB_CONTROL, USB_BULK, USB_INTERRUPT, USB_ISOCHRONOUS };

#define USB_DIR_IN 0x80u /* in an endpoint address and in bmRequestType */

/* Limits of one transfer; bigger ones are refused by usb_transfer_new(). */
#define USB_TRANSFER_MAX (256u * 1024u)
#define USB_PACKETS_MAX 128u

struct usb_setup {
    uint8_t request_type; /* bmRequestType */
    uint8_t request;
    uint16_t value;
    uint16_t index;
};

struct usb_packet {
    uint32_t offset; /* into `data` */
    uint32_t length; /* room given */
    uint32_t actual; /* received */
    enum usb_status status;
};

struct usb_transfer;
typedef void usb_transfer_fn(struct usb_transfer *transfer, void *arg);

/*
 * A transfer belongs to the caller, is made once and may be submitted again and again, also from
 * its own callback. Fields are the caller's while it is not in flight.
 */
struct usb_transfer {
    /* the caller's wish, before each usb_submit() */
    enum usb_kind kind;
    uint8_t endpoint;       /* address with direction bit; 0 for control */
    struct usb_setup setup; /* control only; the length comes from `length` */
    size_t length;          /* bytes to send or room to receive, up to `capacity` */
    unsigned packet_count;  /* isochronous: packets used, up to `packet_capacity` */
    uint64_t deadline_us;

    /* the outcome, in the callback */
    enum usb_status status;
    size_t actual; /* bytes moved; isochronous: the sum over packets */

    /* fixed */
    uint8_t *data; /* `capacity` bytes, owned by the transfer */
    size_t capacity;
    struct usb_packet
        *packets; /* isochronous: the caller sets `length`, offsets follow by themselves */
    unsigned packet_capacity;
};

/* NULL if out of memory or over the limits. `packets` is 0 except for isochronous transfers. */
struct usb_transfer *usb_transfer_new(struct usb *usb, size_t capacity, unsigned packets,
                                      usb_transfer_fn *done, void *arg);

/* Its buffer is wiped. In flight it is cancelled, without a callback. Accepts and stores NULL. */
void usb_transfer_free(struct usb_transfer **transfer);

/* Cannot fail: whatever goes wrong is the transfer's status. Submitting one in flight aborts. */
void usb_submit(struct usb_transfer *transfer);

/* Asks for an early end; the callback still comes, with whatever won the race. No-op when idle. */
void usb_cancel(struct usb_transfer *transfer);
bool usb_in_flight(const struct usb_transfer *transfer);

#endif
