/*
 * device.h - the composite USB device without any transport: the same model stands behind the
 * USB/IP server and behind an in-process usbfs mock.
 *
 * Every function takes the present time in monotonic microseconds; nothing here waits. Transfer
 * functions return bytes moved (0 or more), or
 *   -EAGAIN    nothing to give yet: keep the transfer pending, ask again (sim_device_next_us)
 *   -EPIPE     stall (the endpoint stays halted until CLEAR_FEATURE, the control pipe does not)
 *   -EOVERFLOW babble
 *   -ENODEV    unplugged
 */
#ifndef SIM_DEVICE_H
#define SIM_DEVICE_H

#include "camera.h"
#include "ccid.h"
#include "descriptors.h"
#include "faults.h"

struct device;

struct device_options {
    const char *serial; /* string descriptor */
    const char *level;  /* see sim_ccid_level_find() */
    bool pin_pad;
    bool second_slot; /* knows only whether a card lies in it: one that stays mute */
    uint64_t seed;
};

/* 0, -EINVAL for an unknown level, -ENOMEM. */
int sim_device_new(struct device **out, const struct device_options *options);
void sim_device_free(struct device **d);

/* The parts, for those who move cards and pictures. They belong to the device. */
struct ccid *sim_device_reader(struct device *d);
struct camera *sim_device_camera(struct device *d);
struct faults *sim_device_faults(struct device *d);

/* Cable. Plugging resets. */
void sim_device_unplug(struct device *d);
void sim_device_plug(struct device *d, uint64_t now_us);
bool sim_device_plugged(const struct device *d);
/* Port reset: address state, no configuration, alternate settings 0, halts cleared. */
void sim_device_reset(struct device *d, uint64_t now_us);

/* Device and configuration descriptor as raw bytes (for sysfs' "descriptors"), appended. */
void sim_device_put_descriptors(const struct device *d, struct buf *out);
unsigned sim_device_configuration(const struct device *d);

/* setup as on the wire; data in or out by its direction bit, cap >= wLength. */
int sim_device_control(struct device *d, uint64_t now_us, const uint8_t setup[8], uint8_t *data,
                       size_t cap);
/* The requests that a host makes by calls of its own. */
int sim_device_set_interface(struct device *d, uint64_t now_us, unsigned interface,
                             unsigned alternate);
int sim_device_clear_halt(struct device *d, unsigned endpoint);

int sim_device_bulk_out(struct device *d, uint64_t now_us, unsigned endpoint, const uint8_t *data,
                        size_t len);
int sim_device_bulk_in(struct device *d, uint64_t now_us, unsigned endpoint, uint8_t *out,
                       size_t cap);
int sim_device_interrupt_in(struct device *d, uint64_t now_us, unsigned endpoint, uint8_t *out,
                            size_t cap);
/* One packet: the microframe at now_us. 0 = an empty one. Never -EAGAIN: the bus does not wait. */
int sim_device_iso_in(struct device *d, uint64_t now_us, unsigned endpoint, uint8_t *out,
                      size_t cap);

/* When a pending transfer may next change its answer by time alone; UINT64_MAX = not by time. */
uint64_t sim_device_next_us(const struct device *d, uint64_t now_us);

#endif
