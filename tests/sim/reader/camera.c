#include "camera.h"

#include "frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { HEADER = 12, CONTROL_MAX = 4 };

enum { /* class requests */
       SET_CUR = 0x01,
       GET_CUR = 0x81,
       GET_MIN = 0x82,
       GET_MAX = 0x83,
       GET_RES = 0x84,
       GET_LEN = 0x85,
       GET_INFO = 0x86,
       GET_DEF = 0x87,
};

enum { /* payload header bits */
       BIT_FID = 0x01,
       BIT_EOF = 0x02,
       BIT_PTS = 0x04,
       BIT_SCR = 0x08,
       BIT_ERR = 0x40,
       BIT_EOH = 0x80,
};

enum { /* VC_REQUEST_ERROR_CODE_CONTROL */
       ERROR_NONE = 0,
       ERROR_RANGE = 4,
       ERROR_UNIT = 5,
       ERROR_CONTROL = 6,
       ERROR_REQUEST = 7,
};

enum picture_source { SOURCE_OFF, SOURCE_FILM, SOURCE_FROZEN, SOURCE_DARK };

const struct camera_size sim_camera_sizes[CAMERA_SIZES] = {
    {640, 480, 614400, {333333, 666666, 1000000}},
    {320, 240, 153600, {333333, 666666, 1000000}},
};

const uint16_t sim_camera_packet_size[CAMERA_ALTERNATES] = {
    192, 384, 512, 1024, 0x0800 | 1024, 0x1000 | 1024,
};

struct control {
    uint8_t entity, selector, len, bit;
    int32_t min, max, res, def;
};

static const struct control controls[] = {
    {CAMERA_TERMINAL, 0x02, 1, 1, 1, 8, 0x09, 8},         /* exposure: manual, aperture */
    {CAMERA_TERMINAL, 0x04, 4, 3, 3, 2047, 1, 250},       /* exposure time, 100 us */
    {CAMERA_PROCESSING, 0x02, 2, 0, -64, 64, 1, 0},       /* brightness */
    {CAMERA_PROCESSING, 0x0A, 2, 6, 2800, 6500, 1, 4600}, /* white balance, K */
    {CAMERA_PROCESSING, 0x01, 2, 8, 0, 1, 1, 0},          /* backlight compensation */
    {CAMERA_PROCESSING, 0x05, 1, 10, 0, 2, 1, 1},         /* mains frequency */
    {CAMERA_PROCESSING, 0x0B, 1, 12, 0, 1, 1, 1},         /* automatic white balance */
};

struct camera {
    struct faults *faults;
    struct prng prng;
    enum picture_source source;
    struct frames *film[CAMERA_SIZES];
    struct buf black[CAMERA_SIZES];
    int32_t value[COUNT(controls)];
    uint8_t last_error;

    uint8_t size, rate; /* committed: index into sizes and intervals */
    uint8_t probe_size, probe_rate;
    unsigned alternate;

    uint64_t due_us;   /* when the next picture is exposed */
    uint64_t position; /* in the film, in units of 100 ns */
    uint8_t fid;
    const uint8_t *jpeg; /* picture being sent; NULL between pictures */
    size_t jpeg_len, sent;
    uint32_t pts;
    uint8_t *noise; /* buffer of a garbage picture */
    bool with_error, without_eof, bad_header, stopped;
    uint64_t pictures;
};

uint32_t sim_camera_control_bits(unsigned entity)
{
    uint32_t bits = 0;
    size_t i;

    for (i = 0; i < COUNT(controls); i++)
        if (controls[i].entity == entity)
            bits |= 1u << controls[i].bit;
    return bits;
}

struct camera *sim_camera_new(struct faults *faults, uint64_t seed)
{
    struct camera *c = calloc(1, sizeof(*c));
    bool failed = false;
    size_t i;

    if (!c)
        return NULL;
    c->faults = faults;
    c->prng.state = seed;
    for (i = 0; i < CAMERA_SIZES; i++) {
        sim_frames_black(&c->black[i], sim_camera_sizes[i].width, sim_camera_sizes[i].height);
        failed = failed || c->black[i].failed;
    }
    sim_camera_reset(c);
    if (failed)
        sim_camera_free(&c);
    return c;
}

static void close_film(struct camera *c)
{
    size_t i;

    c->jpeg = NULL;
    for (i = 0; i < CAMERA_SIZES; i++)
        sim_frames_close(&c->film[i]);
}

void sim_camera_free(struct camera **c)
{
    size_t i;

    if (!*c)
        return;
    close_film(*c);
    for (i = 0; i < CAMERA_SIZES; i++)
        sim_buf_free(&(*c)->black[i]);
    free((*c)->noise);
    free(*c);
    *c = NULL;
}

void sim_camera_reset(struct camera *c)
{
    size_t i;

    for (i = 0; i < COUNT(controls); i++)
        c->value[i] = controls[i].def;
    c->size = c->probe_size = 0;
    c->rate = c->probe_rate = 0;
    c->alternate = 0;
    c->jpeg = NULL;
    c->last_error = ERROR_NONE;
}

int sim_camera_show(struct camera *c, const char *dir, size_t first)
{
    struct frames *film[CAMERA_SIZES] = {NULL};
    int r;
    size_t i;

    r = sim_frames_open(&film[0], dir, false);
    if (r == 0)
        r = sim_frames_open(&film[1], dir, true);
    if (r < 0) {
        for (i = 0; i < CAMERA_SIZES; i++)
            sim_frames_close(&film[i]);
        return r;
    }
    close_film(c);
    memcpy(c->film, film, sizeof(film));
    c->position = (uint64_t)first * 10000000u / sim_frames_fps(film[0]);
    c->source = SOURCE_FILM;
    c->stopped = false;
    return 0;
}

void sim_camera_off(struct camera *c)
{
    c->source = SOURCE_OFF;
    c->jpeg = NULL;
}

void sim_camera_freeze(struct camera *c)
{
    c->source = c->film[0] ? SOURCE_FROZEN : SOURCE_OFF;
}

void sim_camera_dark(struct camera *c)
{
    c->source = SOURCE_DARK;
    c->jpeg = NULL;
}

uint64_t sim_camera_pictures(const struct camera *c)
{
    return c->pictures;
}

/* ---- negotiation ----------------------------------------------------------------------------- */

/* Isochronous payload that carries this size and rate with room to spare. */
static uint32_t payload_size(unsigned size, unsigned rate)
{
    return size == 0 ? (rate == 0 ? 1024 : 512) : 384;
}

static void put_probe(uint8_t p[CAMERA_PROBE], unsigned size, unsigned rate)
{
    memset(p, 0, CAMERA_PROBE);
    util_put_le16(p, 1); /* bmHint: frame interval */
    p[2] = 1;
    p[3] = (uint8_t)(size + 1);
    util_put_le32(p + 4, sim_camera_sizes[size].interval[rate]);
    util_put_le16(p + 16, 32); /* wDelay, ms */
    util_put_le32(p + 18, sim_camera_sizes[size].max_frame);
    util_put_le32(p + 22, payload_size(size, rate));
    util_put_le32(p + 26, CAMERA_CLOCK_HZ);
    p[30] = 3; /* FID and EOF are used */
    p[31] = 1;
    p[32] = 1;
    p[33] = 1;
}

/* Takes the host's wish and settles on what the camera can do. */
static bool take_probe(const uint8_t *p, uint8_t *size, uint8_t *rate)
{
    uint32_t interval = util_get_le32(p + 4), best = UINT32_MAX, distance;
    unsigned i;

    if (p[2] > 1)
        return false;
    *size = p[3] >= 1 && p[3] <= CAMERA_SIZES ? (uint8_t)(p[3] - 1) : 0;
    *rate = 0;
    for (i = 0; interval > 0 && i < CAMERA_INTERVALS; i++) {
        uint32_t mine = sim_camera_sizes[*size].interval[i];

        distance = mine > interval ? mine - interval : interval - mine;
        if (distance < best) {
            best = distance;
            *rate = (uint8_t)i;
        }
    }
    return true;
}

static int streaming_control(struct camera *c, const uint8_t setup[8], uint8_t *data, size_t cap)
{
    unsigned selector = setup[3], len = util_get_le16(setup + 6);
    bool commit = selector == 2;
    uint8_t p[CAMERA_PROBE];

    if (setup[2] != 0 || selector == 0 || selector > 2)
        return -EPIPE;
    switch (setup[1]) {
    case SET_CUR:
        if (len != CAMERA_PROBE || cap < len)
            return -EPIPE;
        if (!take_probe(data, &c->probe_size, &c->probe_rate))
            return -EPIPE;
        if (commit) {
            c->size = c->probe_size;
            c->rate = c->probe_rate;
            c->jpeg = NULL;
        }
        return 0;
    case GET_CUR:
        put_probe(p, commit ? c->size : c->probe_size, commit ? c->rate : c->probe_rate);
        break;
    case GET_MIN:
        put_probe(p, CAMERA_SIZES - 1, CAMERA_INTERVALS - 1);
        break;
    case GET_MAX:
    case GET_DEF:
        put_probe(p, 0, 0);
        break;
    case GET_LEN:
        util_put_le16(p, CAMERA_PROBE);
        len = len < 2 ? len : 2;
        break;
    case GET_INFO:
        p[0] = 3; /* GET and SET */
        len = len < 1 ? len : 1;
        break;
    default:
        return -EPIPE;
    }
    if (len > sizeof(p))
        len = sizeof(p);
    if (len > cap)
        len = (unsigned)cap;
    memcpy(data, p, len);
    return (int)len;
}

static int refuse(struct camera *c, unsigned error)
{
    c->last_error = (uint8_t)error;
    return -EPIPE;
}

static int set_value(struct camera *c, size_t i, const uint8_t *data, size_t len)
{
    const struct control *k = &controls[i];
    uint32_t raw = 0;
    int32_t v;
    size_t b;

    if (len != k->len)
        return refuse(c, ERROR_RANGE);
    for (b = 0; b < len; b++)
        raw |= (uint32_t)data[b] << (8 * b);
    v = k->len == 2 ? (int16_t)(raw & 0xffffu) : (int32_t)raw;
    if (v < k->min || v > k->max)
        return refuse(c, ERROR_RANGE);
    c->value[i] = v;
    return 0;
}

static int unit_control(struct camera *c, size_t i, const uint8_t setup[8], uint8_t *data,
                        size_t cap)
{
    const struct control *k = &controls[i];
    unsigned len = util_get_le16(setup + 6), want = k->len;
    uint8_t out[CONTROL_MAX];
    int32_t v;

    switch (setup[1]) {
    case SET_CUR:
        return set_value(c, i, data, len < cap ? len : cap);
    case GET_CUR:
        v = c->value[i];
        break;
    case GET_MIN:
        v = k->min;
        break;
    case GET_MAX:
        v = k->max;
        break;
    case GET_RES:
        v = k->res;
        break;
    case GET_DEF:
        v = k->def;
        break;
    case GET_LEN:
        v = k->len;
        want = 2;
        break;
    case GET_INFO:
        v = 3;
        want = 1;
        break;
    default:
        return refuse(c, ERROR_REQUEST);
    }
    util_put_le32(out, (uint32_t)v);
    if (want > len)
        want = len;
    if (want > cap)
        want = (unsigned)cap;
    memcpy(data, out, want);
    return (int)want;
}

int sim_camera_control(struct camera *c, unsigned interface, const uint8_t setup[8], uint8_t *data,
                       size_t cap)
{
    unsigned entity = setup[5], selector = setup[3];
    bool entity_known = false;
    size_t i;

    if (interface == 1)
        return streaming_control(c, setup, data, cap);
    if (entity == 0) {
        if (selector != 2 || setup[1] != GET_CUR || cap < 1)
            return -EPIPE;
        data[0] = c->last_error;
        c->last_error = ERROR_NONE;
        return 1;
    }
    for (i = 0; i < COUNT(controls); i++) {
        if (controls[i].entity != entity)
            continue;
        entity_known = true;
        if (controls[i].selector == selector)
            return unit_control(c, i, setup, data, cap);
    }
    return refuse(c, entity_known ? ERROR_CONTROL : ERROR_UNIT);
}

/* ---- pictures -------------------------------------------------------------------------------- */

int sim_camera_set_alternate(struct camera *c, unsigned alternate, uint64_t now_us)
{
    if (alternate > CAMERA_ALTERNATES)
        return -EPIPE;
    c->alternate = alternate;
    c->jpeg = NULL;
    c->due_us = now_us + sim_camera_sizes[c->size].interval[c->rate] / 10;
    return 0;
}

unsigned sim_camera_alternate(const struct camera *c)
{
    return c->alternate;
}

static int fetch_picture(struct camera *c)
{
    struct frames *film = c->film[c->size];

    if (c->source == SOURCE_OFF || c->stopped)
        return -EAGAIN;
    if (c->source == SOURCE_DARK) {
        c->jpeg = c->black[c->size].data;
        c->jpeg_len = c->black[c->size].len;
        return 0;
    }
    return sim_frames_get(film, (size_t)(c->position * sim_frames_fps(film) / 10000000u), &c->jpeg,
                          &c->jpeg_len);
}

static void apply_frame_fault(struct camera *c)
{
    const struct fault *f = sim_faults_hit(c->faults, FAULT_AT_FRAME, 0);
    uint8_t *noise;

    c->with_error = f && f->kind == FAULT_CAMERA_ERROR;
    c->without_eof = f && f->kind == FAULT_CAMERA_NO_EOF;
    c->bad_header = f && f->kind == FAULT_CAMERA_HEADER;
    if (f && f->kind == FAULT_CAMERA_TRUNCATE && f->arg < c->jpeg_len)
        c->jpeg_len = f->arg;
    if (f && f->kind == FAULT_CAMERA_STOP) {
        c->stopped = true;
        c->jpeg = NULL;
    }
    if (f && f->kind == FAULT_CAMERA_GARBAGE) {
        noise = realloc(c->noise, c->jpeg_len + 1);
        if (noise) {
            sim_prng_fill(&c->prng, noise, c->jpeg_len);
            c->noise = noise;
            c->jpeg = noise;
        }
    }
}

/* A picture is exposed at each interval; those the bus had no time for are lost. */
static void begin_picture(struct camera *c, uint64_t now_us)
{
    uint64_t interval = sim_camera_sizes[c->size].interval[c->rate];

    c->pts = (uint32_t)(c->due_us * (CAMERA_CLOCK_HZ / 1000000));
    do {
        c->due_us += interval / 10;
        if (c->source != SOURCE_FROZEN)
            c->position += interval;
    } while (c->due_us <= now_us);
    c->jpeg = NULL;
    if (fetch_picture(c) < 0)
        return;
    c->sent = 0;
    c->fid ^= BIT_FID;
    apply_frame_fault(c);
}

size_t sim_camera_packet(struct camera *c, uint64_t now_us, uint8_t *out, size_t cap)
{
    size_t room, n = 0;
    uint16_t size;

    if (c->alternate == 0)
        return 0;
    size = sim_camera_packet_size[c->alternate - 1];
    room = (size_t)(size & 0x7ffu) * (1u + (size >> 11));
    if (room > payload_size(c->size, c->rate))
        room = payload_size(c->size, c->rate);
    if (room > cap)
        room = cap;
    if (room < HEADER)
        return 0;
    if (!c->jpeg && now_us >= c->due_us)
        begin_picture(c, now_us);

    out[0] = HEADER;
    out[1] = (uint8_t)(BIT_EOH | BIT_SCR | BIT_PTS | c->fid);
    util_put_le32(out + 2, c->pts);
    util_put_le32(out + 6, (uint32_t)(now_us * (CAMERA_CLOCK_HZ / 1000000)));
    util_put_le16(out + 10, (unsigned)(now_us / 1000) & 0x7ff); /* bus frame number */
    if (!c->jpeg)
        return HEADER;
    n = c->jpeg_len - c->sent;
    if (n > room - HEADER)
        n = room - HEADER;
    memcpy(out + HEADER, c->jpeg + c->sent, n);
    c->sent += n;
    if (c->with_error)
        out[1] |= BIT_ERR;
    if (c->bad_header)
        out[0] = 0xff;
    if (c->sent == c->jpeg_len) {
        if (!c->without_eof)
            out[1] |= BIT_EOF;
        c->jpeg = NULL;
        c->pictures++;
    }
    if (n > 0 && sim_faults_hit(c->faults, FAULT_AT_PACKET, 0))
        return 0; /* lost on the way */
    return HEADER + n;
}
