/*
 * usb_transport: what stands behind usb.h, for those who implement a transport.
 *
 * usb_core.c keeps what every transport needs alike: deadlines, exactly one completion, callbacks
 * never from inside a call, the order of "gone", and freeing from inside a callback. A transport
 * only moves bytes: it implements the ops and reports by the usb_transport_*() functions, which it
 * calls only from the event loop, between usb_transport_enter() and usb_transport_leave().
 */
#ifndef UKETSUKE_USB_TRANSPORT_H
#define UKETSUKE_USB_TRANSPORT_H

#include "usb.h"

struct timer;

/* A transfer with what core and transport keep beside the public part. */
struct usb_request {
    struct usb_transfer pub;
    struct usb *usb;
    usb_transfer_fn *done;
    void *arg;
    struct timer *timer;
    struct usb_request *prev, *next; /* in the list of those in flight */
    void *backend;                   /* the transport's own */
    uint8_t *memory;                 /* 8 bytes of room for a setup packet, then pub.data */
    enum usb_status refused;         /* why submit() did not take it */
    unsigned turn;                   /* of the loop in which it was refused */
    bool in_flight;
    bool submitted; /* the transport has it */
    bool timed_out;
    bool cancelled;
    bool orphan; /* freed by its owner while in flight */
};

#define USB_SETUP_BYTES 8u

enum usb_operation_kind {
    USB_OP_CLAIM,
    USB_OP_SET_ALT,
    USB_OP_CLEAR_HALT,
    USB_OP_RESET,
    USB_OP_START
};

struct usb_operation {
    enum usb_operation_kind kind;
    uint8_t interface;
    uint8_t alt;
    uint8_t endpoint;
    uint64_t deadline_us;
    usb_done_fn *done;
    void *arg;
    enum usb_status status;
    bool finished;
    unsigned turn;                 /* of the loop in which it finished */
    struct usb_transfer *transfer; /* freed with the operation */
    unsigned step;                 /* START only */
    unsigned tries;                /* START only: of this step */
    unsigned index;                /* START only: which configuration is read */
    uint8_t wanted;                /* START only: bConfigurationValue */
    struct usb_operation *next;
};

struct usb_transport_ops {
    /* The device is unconfigured until somebody configures it (no kernel does it for us). */
    bool configures;
    /* Make and free `request->backend`. 0 or -ENOMEM. Either may be NULL. */
    int (*prepare)(struct usb *usb, struct usb_request *request);
    void (*unprepare)(struct usb *usb, struct usb_request *request);
    /* USB_OK: it will be completed later. Anything else: not taken, and the core completes it so.
     */
    enum usb_status (*submit)(struct usb *usb, struct usb_request *request);
    /* Complete it soon, as USB_CANCELLED or with the real outcome; never from inside this call. */
    void (*cancel)(struct usb *usb, struct usb_request *request);
    /*
     * Carry out CLAIM, SET_ALT, CLEAR_HALT, RESET; report by usb_transport_operated(), at once or
     * later. What waits for an answer does so by operation->transfer, so that it ends with the
     * device.
     */
    void (*operate)(struct usb *usb, struct usb_operation *operation);
    void (*release)(struct usb *usb, uint8_t interface);
    /* Cancel and complete everything submitted, now, without waiting for the device. */
    void (*drain)(struct usb *usb);
    /* Close and free the transport's own memory, `usb` with it. */
    void (*destroy)(struct usb *usb);
};

/* Operations under way at once for which no memory is asked: more than two drivers have. */
#define USB_SPARES 8u

/* The head of every transport's own struct. */
struct usb {
    const struct usb_transport_ops *ops;
    struct clock *clock;
    struct usb_request *flying; /* in flight, oldest first */
    struct usb_request *flying_last;
    struct usb_operation *operations; /* not reported yet, oldest first */
    struct usb_operation spares[USB_SPARES];
    unsigned spares_used; /* bit each */
    struct timer *later;  /* fires at once, to call back from the loop */
    usb_gone_fn *gone_fn;
    void *gone_arg;
    unsigned depth; /* nested callbacks */
    unsigned turn;  /* counts the calls from the loop: what a callback adds waits for the next */
    unsigned owned; /* transfers alive */
    bool gone;
    bool gone_told;
    bool dead; /* usb_free() came from inside a callback */
    bool started;
    enum usb_speed speed;
    uint8_t device[18];
    uint8_t *config;
    size_t config_len;
};

/* 0 or -ENOMEM. */
int usb_transport_init(struct usb *usb, const struct usb_transport_ops *ops, struct clock *clock);
void usb_transport_enter(struct usb *usb);
/* May free `usb`. */
void usb_transport_leave(struct usb *usb);

/* The transfer has ended; `actual` counts bytes moved (isochronous: ignored, packets are summed
 * up). */
void usb_transport_complete(struct usb_request *request, enum usb_status status, size_t actual);
/* Unlike the others, may be called from inside operate(). */
void usb_transport_operated(struct usb *usb, struct usb_operation *operation,
                            enum usb_status status);
/* The device has gone; may be called from anywhere, more than once. */
void usb_transport_gone(struct usb *usb);

/* The wire form of a control transfer's setup packet, at request->memory. Returns it. */
const uint8_t *usb_request_setup(struct usb_request *request);

/* usb_start.c: a list of control requests, run one after the other. */
void usb_start_run(struct usb *usb, struct usb_operation *operation);

#endif
