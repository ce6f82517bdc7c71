/*
 * reader_rig: uketsuke-reader and uketsuke-broker as the programs they are, on the simulated device over USB/IP,
 * with this test as supervisor and desk.
 *
 * Programs are looked for in $UKETSUKE_BIN, else beside the test; cards and videos in $UKETSUKE_SIM, else in
 * ../../sim seen from there (where set-up makes them). Every helper fails the running test when it cannot do
 * its work in time.
 *
 * With the device on a real bus (tests/rig): $UKETSUKE_RIG_READER is the lane's reader in the configuration,
 * "id=1209:0001" in place of the simulator's socket, $UKETSUKE_RIG_CAMERA its camera; $UKETSUKE_RIG_PLUG is a program
 * that plugs the device behind the socket it is given into that bus; $UKETSUKE_RIG_SIMULATOR=none leaves the
 * simulator out, for a device that is there by itself. $UKETSUKE_RIG_PATIENCE multiplies every time limit (not the
 * times in which nothing may come).
 */
#ifndef READER_RIG_H
#define READER_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/common/message.h"

struct reader_rig;

struct reader_rig *reader_rig_start(void);
/* With a reader of another level (sim-reader's --level) or with a PIN pad. */
struct reader_rig *reader_rig_start_with(const char *level, bool pin_pad);
void reader_rig_stop(struct reader_rig *rig);

/* The device is on a real bus, not behind the simulator's socket. */
bool reader_rig_on_bus(const struct reader_rig *rig);

/* A line for the simulator; its answer must begin with "ok" and is returned (valid until the next call). */
const char *reader_rig_sim(struct reader_rig *rig, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

enum reader_rig_program { RIG_READER, RIG_BROKER };
void reader_rig_kill(struct reader_rig *rig, enum reader_rig_program program);
void reader_rig_restart(struct reader_rig *rig, enum reader_rig_program program);
/* Still the process that was started last? */
bool reader_rig_alive(struct reader_rig *rig, enum reader_rig_program program);
/* ... and did the one that was last found to be gone end by a signal? */
bool reader_rig_crashed(const struct reader_rig *rig);
/* "NAME=value", NULL at the end, for each reader that is started from now on. */
void reader_rig_environment(const char *const *reader);

/* As the desk. Messages that come are kept in order until asked for; READER_STATE and frames are kept apart. */
void reader_rig_send(struct reader_rig *rig, uint16_t type, const void *body);
/* The next message of this type; those before it are dropped. Its descriptors are the caller's. */
struct message *reader_rig_expect(struct reader_rig *rig, uint16_t type, unsigned timeout_ms);
/* The next message of either type. */
struct message *reader_rig_expect_either(struct reader_rig *rig, uint16_t one, uint16_t other,
                                         unsigned timeout_ms);
/* Where the reader may fail: true when it was sent; the next message of any type, or NULL when none comes in time (not
 * multiplied) or the connection is lost. A VISIT_KEY is kept. */
bool reader_rig_try_send(struct reader_rig *rig, uint16_t type, const void *body);
struct message *reader_rig_try_next(struct reader_rig *rig, unsigned timeout_ms);
/* None of this type comes within the time. */
void reader_rig_expect_none(struct reader_rig *rig, uint16_t type, unsigned ms);
/* Until the newest READER_STATE is so. */
void reader_rig_await_state(struct reader_rig *rig, uint16_t reader, uint16_t camera, int card,
                            unsigned timeout_ms);
/* Until the newest READER_STATE tells of a PIN pad, or of none. */
void reader_rig_await_pin_pad(struct reader_rig *rig, bool there, unsigned timeout_ms);
/* The desk's connection was closed by the reader. */
void reader_rig_await_refusal(struct reader_rig *rig, unsigned timeout_ms);
/* A connection of the desk is open (again). */
void reader_rig_await_connection(struct reader_rig *rig, unsigned timeout_ms);
/* The newest READER_STATE; NULL: none since the connection was made. Valid until the next call. */
/* How often the reader was told ready with nothing on it. */
unsigned reader_rig_ready_without_card(const struct reader_rig *rig);
const struct msg_reader_state *reader_rig_state(const struct reader_rig *rig);
/* As the desk at the broker: number of DEVICE_ITEMs, the first of them in `first`. */
unsigned reader_rig_devices(struct reader_rig *rig, struct msg_device_item *first);
/* HEALTH of one of them: number of items; `worst` the highest state. */
unsigned reader_rig_health(struct reader_rig *rig, enum reader_rig_program program, uint8_t *worst);

/* VISIT_BEGIN; keeps the key. */
void reader_rig_visit(struct reader_rig *rig, uint64_t visit);
/* Seal text to the key of the visit as a kiosk page does. purpose: "pin", "number-b". Returns the length. */
uint32_t reader_rig_seal(struct reader_rig *rig, const char *purpose, const char *text,
                         uint8_t *out, size_t size);

/* Column of a card's row in cards/index.tsv ("pin", "number-b", "name"); valid until the next call. */
const char *reader_rig_card(struct reader_rig *rig, const char *card, const char *column);
const char *reader_rig_sim_directory(struct reader_rig *rig);

void reader_rig_run_ms(struct reader_rig *rig, unsigned ms);

#endif
