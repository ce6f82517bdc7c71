#include "session.h"

#include "bytes.h"
#include "clock.h"
#include "utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH 32
#define COOKIE_VERSION 1
#define HEAD (1 + 1 + 2 + 8 + 8) /* version, surface, lane, expiry, id */
#define STAFF_SECONDS (UINT64_C(12) * 3600)
/* A kiosk that runs for a month without its page being opened anew has other troubles. */
#define KIOSK_SECONDS (UINT64_C(31) * 24 * 3600)
#define SIGNED_OUT_MAX 64
#define WRONG_WINDOW_US CLOCK_MINUTE
#define WRONG_PER_PEER 10
#define WRONG_ALTOGETHER 100
#define PEERS_MAX 32

struct door {
    uint16_t lane; /* 0: the board */
    uint8_t hash[HASH];
    uint8_t key[HASH];
};

struct wrong {
    uint32_t peer;
    unsigned count;
    uint64_t since_us;
};

/* A session of an account. */
struct row {
    uint64_t id; /* 0: free */
    char name[SESSION_NAME_MAX + 1];
    uint8_t role;
    uint32_t peer;
    uint64_t begun_us, touched_us; /* monotonic */
};

struct session {
    struct clock *clock;
    bool accounts;
    uint64_t idle_us;
    struct row rows[SESSION_ACCOUNTS_MAX];
    struct door doors[SESSION_LANES_MAX + 1];
    size_t ndoors;
    struct wrong wrongs[PEERS_MAX];
    struct wrong altogether;
    uint64_t signed_out[SIGNED_OUT_MAX];
    size_t next_out;
};

int session_new(struct session **out, struct clock *clock)
{
    *out = calloc(1, sizeof(**out));
    if (*out == NULL)
        return -ENOMEM;
    (*out)->clock = clock;
    return 0;
}

void session_free(struct session **session)
{
    if (*session == NULL)
        return;
    explicit_bzero(*session, sizeof(**session));
    free(*session);
    *session = NULL;
}

static int hash_of(const char *token, size_t len, uint8_t out[HASH])
{
    return EVP_Digest(token, len, out, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

int session_add_token(struct session *session, uint16_t lane, const char *token, size_t len)
{
    static const char purpose[] = "uketsuke session v1";
    struct door *door = &session->doors[session->ndoors];
    unsigned keylen = HASH;

    if (len < SESSION_TOKEN_MIN || len > SESSION_TOKEN_MAX)
        return -EINVAL;
    if (session->ndoors == SESSION_LANES_MAX + 1)
        return -ENOSPC;
    door->lane = lane;
    if (hash_of(token, len, door->hash) < 0 ||
        HMAC(EVP_sha256(), token, (int)len, (const unsigned char *)purpose, sizeof(purpose) - 1,
             door->key, &keylen) == NULL)
        return -EIO;
    for (size_t i = 0; i < session->ndoors; i++)
        if (session->doors[i].lane == lane ||
            CRYPTO_memcmp(session->doors[i].hash, door->hash, HASH) == 0)
            return -EEXIST;
    session->ndoors++;
    return 0;
}

int session_add_token_file(struct session *session, uint16_t lane, const char *path)
{
    char text[SESSION_TOKEN_MAX + 64];
    char *at = text;
    size_t len;
    ssize_t n;
    int r, fd;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    n = read(fd, text, sizeof(text) - 1);
    r = n < 0 ? -errno : 0;
    (void)close(fd);
    if (r < 0)
        return r;
    text[n] = '\0';
    at += strspn(at, " \t");
    len = strcspn(at, "\r\n");
    while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    r = session_add_token(session, lane, at, len);
    explicit_bzero(text, sizeof(text));
    return r;
}

/* The row of a peer; the oldest is given to a new one. */
static struct wrong *wrong_row(struct session *session, uint32_t peer)
{
    struct wrong *row = &session->wrongs[0];

    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (session->wrongs[i].peer == peer)
            return &session->wrongs[i];
        if (session->wrongs[i].since_us < row->since_us)
            row = &session->wrongs[i];
    }
    *row = (struct wrong){.peer = peer};
    return row;
}

/* Seconds to wait, 0 when it may try. */
static unsigned held_back(const struct session *session, struct wrong *wrong, unsigned most)
{
    uint64_t now = clock_monotonic_us(session->clock);

    if (wrong->count > 0 && now - wrong->since_us >= WRONG_WINDOW_US)
        wrong->count = 0;
    if (wrong->count < most)
        return 0;
    return (unsigned)((WRONG_WINDOW_US - (now - wrong->since_us) + CLOCK_SECOND - 1) /
                      CLOCK_SECOND);
}

static void note_wrong(const struct session *session, struct wrong *wrong)
{
    if (wrong->count++ == 0)
        wrong->since_us = clock_monotonic_us(session->clock);
}

int session_check_token(struct session *session, uint32_t peer, const char *token, size_t len,
                        struct identity *out, unsigned *wait_s)
{
    struct wrong *row = wrong_row(session, peer);
    const struct door *found = NULL;
    uint8_t hash[HASH];

    memset(out, 0, sizeof(*out));
    *wait_s = held_back(session, row, WRONG_PER_PEER);
    if (*wait_s == 0)
        *wait_s = held_back(session, &session->altogether, WRONG_ALTOGETHER);
    if (*wait_s > 0)
        return -EAGAIN;
    if (len > SESSION_TOKEN_MAX || hash_of(token, len, hash) < 0)
        len = 0;
    /* Every door is tried, so that the time does not tell which is near. */
    for (size_t i = 0; i < session->ndoors; i++)
        if (CRYPTO_memcmp(session->doors[i].hash, hash, HASH) == 0 && len > 0)
            found = &session->doors[i];
    if (found == NULL) {
        note_wrong(session, row);
        note_wrong(session, &session->altogether);
        return -EACCES;
    }
    out->surface = found->lane == 0 ? SURFACE_BOARD : SURFACE_KIOSK;
    out->lane = found->lane;
    return 0;
}

static const struct door *door_of(const struct session *session, enum surface surface,
                                  uint16_t lane)
{
    uint16_t wanted = surface == SURFACE_BOARD ? 0 : lane;

    for (size_t i = 0; i < session->ndoors; i++)
        if (session->doors[i].lane == wanted)
            return &session->doors[i];
    return NULL;
}

static void cookie_name(enum surface surface, uint16_t lane, char *out, size_t size)
{
    if (surface == SURFACE_BOARD)
        (void)snprintf(out, size, "uketsuke_board");
    else
        (void)snprintf(out, size, "uketsuke_lane_%u", (unsigned)lane);
}

/* ---- accounts -------------------------------------------------------------------------------- */

int session_use_accounts(struct session *session, unsigned idle_s)
{
    struct door *door = &session->doors[session->ndoors];

    if (door_of(session, SURFACE_BOARD, 0) != NULL)
        return -EEXIST;
    if (session->ndoors == SESSION_LANES_MAX + 1)
        return -ENOSPC;
    door->lane = 0;
    /* No token has this hash, and no restart this key. */
    if (RAND_bytes(door->hash, HASH) != 1 || RAND_bytes(door->key, HASH) != 1)
        return -EIO;
    session->ndoors++;
    session->accounts = true;
    session->idle_us = idle_s * CLOCK_SECOND;
    return 0;
}

bool session_has_accounts(const struct session *session)
{
    return session->accounts;
}

static bool row_over(const struct session *session, const struct row *row)
{
    uint64_t now = clock_monotonic_us(session->clock);

    return now - row->touched_us >= session->idle_us ||
           now - row->begun_us >= STAFF_SECONDS * CLOCK_SECOND;
}

static struct row *row_of(struct session *session, uint64_t id)
{
    for (size_t i = 0; id != 0 && i < SESSION_ACCOUNTS_MAX; i++) {
        struct row *row = &session->rows[i];

        if (row->id != id)
            continue;
        if (!row_over(session, row))
            return row;
        explicit_bzero(row, sizeof(*row));
    }
    return NULL;
}

int session_begin(struct session *session, const char *name, uint8_t role, uint32_t peer,
                  struct identity *out)
{
    struct row *row = &session->rows[0];

    memset(out, 0, sizeof(*out));
    if (!session->accounts || strlen(name) > SESSION_NAME_MAX)
        return -EINVAL;
    for (size_t i = 0; i < SESSION_ACCOUNTS_MAX && row->id != 0; i++)
        if (session->rows[i].id == 0 || session->rows[i].touched_us < row->touched_us)
            row = &session->rows[i];
    memset(row, 0, sizeof(*row));
    while (row->id == 0)
        if (RAND_bytes((unsigned char *)&row->id, sizeof(row->id)) != 1)
            return -EIO;
    memcpy(row->name, name, strlen(name) + 1);
    row->role = role;
    row->peer = peer;
    row->begun_us = row->touched_us = clock_monotonic_us(session->clock);
    out->surface = SURFACE_BOARD;
    out->id = row->id;
    out->role = role;
    memcpy(out->name, row->name, sizeof(out->name));
    return 0;
}

void session_touch(struct session *session, uint64_t id)
{
    struct row *row = row_of(session, id);

    if (row != NULL)
        row->touched_us = clock_monotonic_us(session->clock);
}

void session_end_of(struct session *session, const char *name)
{
    for (size_t i = 0; i < SESSION_ACCOUNTS_MAX; i++)
        if (session->rows[i].id != 0 && strcmp(session->rows[i].name, name) == 0)
            explicit_bzero(&session->rows[i], sizeof(session->rows[i]));
}

void session_each(struct session *session, void (*each)(const struct session_item *item, void *arg),
                  void *arg)
{
    uint64_t now = clock_monotonic_us(session->clock);

    for (size_t i = 0; i < SESSION_ACCOUNTS_MAX; i++) {
        const struct row *row = row_of(session, session->rows[i].id);

        if (row != NULL)
            each(&(struct session_item){row->id, row->name, row->role, row->peer,
                                        (unsigned)((now - row->begun_us) / CLOCK_SECOND),
                                        (unsigned)((now - row->touched_us) / CLOCK_SECOND)},
                 arg);
    }
}

/* Base64 for cookies (RFC 4648 section 5, without padding). */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t base64url(const uint8_t *data, size_t len, char *out)
{
    size_t used = 0;
    uint32_t bits = 0;
    unsigned have = 0;

    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | data[i];
        for (have += 8; have >= 6; have -= 6)
            out[used++] = alphabet[bits >> (have - 6) & 63];
    }
    if (have > 0)
        out[used++] = alphabet[bits << (6 - have) & 63];
    out[used] = '\0';
    return used;
}

/* The number of bytes, or -1: a foreign letter, no room, or bits left over. */
static ssize_t unbase64url(const char *text, size_t len, uint8_t *out, size_t size)
{
    size_t used = 0;
    uint32_t bits = 0;
    unsigned have = 0;

    for (size_t i = 0; i < len; i++) {
        const char *at = text[i] != '\0' ? strchr(alphabet, text[i]) : NULL;

        if (at == NULL)
            return -1;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (used == size)
                return -1;
            out[used++] = (uint8_t)(bits >> have);
        }
    }
    return have >= 6 || (bits & ((1u << have) - 1)) != 0 ? -1 : (ssize_t)used;
}

static int mac_of(const struct door *door, const uint8_t *payload, size_t len, uint8_t out[HASH])
{
    unsigned n = HASH;

    return HMAC(EVP_sha256(), door->key, HASH, payload, len, out, &n) != NULL ? 0 : -EIO;
}

static uint64_t now_s(const struct session *session)
{
    return clock_realtime_us(session->clock) / CLOCK_SECOND;
}

int session_cookie_make(struct session *session, const struct identity *identity, char *out,
                        size_t size)
{
    const struct door *door = door_of(session, identity->surface, identity->lane);
    uint64_t seconds = identity->surface == SURFACE_BOARD ? STAFF_SECONDS : KIOSK_SECONDS;
    uint8_t payload[HEAD + SESSION_NAME_MAX];
    uint8_t mac[HASH];
    char text[4 * sizeof(payload) / 3 + 4], mac_text[4 * HASH / 3 + 4], name[32];
    struct bytes_writer w;
    uint64_t id = identity->id; /* of an account's session; else a fresh one */
    int n;

    if (door == NULL)
        return -EACCES;
    while (id == 0)
        if (RAND_bytes((unsigned char *)&id, sizeof(id)) != 1)
            return -EIO;
    bytes_writer_init(&w, payload, sizeof(payload));
    bytes_put_u8(&w, COOKIE_VERSION);
    bytes_put_u8(&w, (uint8_t)identity->surface);
    bytes_put_u16le(&w, identity->lane);
    {
        uint64_t expiry = now_s(session) + seconds;

        bytes_put_u32le(&w, (uint32_t)expiry);
        bytes_put_u32le(&w, (uint32_t)(expiry >> 32));
    }
    bytes_put(&w, &id, sizeof(id));
    bytes_put(&w, identity->name, strnlen(identity->name, SESSION_NAME_MAX));
    if (w.failed || mac_of(door, payload, w.used, mac) < 0)
        return -EIO;
    (void)base64url(payload, w.used, text);
    (void)base64url(mac, HASH, mac_text);
    cookie_name(identity->surface, identity->lane, name, sizeof(name));
    n = snprintf(out, size, "%s=%s.%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%llu", name, text,
                 mac_text, (unsigned long long)seconds);
    return n > 0 && (size_t)n < size ? 0 : -ENOSPC;
}

int session_cookie_clear(const struct identity *identity, char *out, size_t size)
{
    char name[32];
    int n;

    cookie_name(identity->surface, identity->lane, name, sizeof(name));
    n = snprintf(out, size, "%s=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", name);
    return n > 0 && (size_t)n < size ? 0 : -ENOSPC;
}

static int cookie_value_check(struct session *session, const char *value, size_t len,
                              enum surface surface, uint16_t lane, struct identity *out)
{
    const struct door *door = door_of(session, surface, lane);
    const char *dot = memchr(value, '.', len);
    uint8_t payload[HEAD + SESSION_NAME_MAX], mac[HASH], wanted[HASH];
    struct bytes_reader r;
    ssize_t used;
    uint64_t expiry;

    if (door == NULL || dot == NULL)
        return -EACCES;
    used = unbase64url(value, (size_t)(dot - value), payload, sizeof(payload));
    if (used < HEAD ||
        unbase64url(dot + 1, len - (size_t)(dot + 1 - value), mac, sizeof(mac)) != HASH)
        return -EACCES;
    if (mac_of(door, payload, (size_t)used, wanted) < 0 || CRYPTO_memcmp(mac, wanted, HASH) != 0)
        return -EACCES;
    bytes_reader_init(&r, payload, (size_t)used);
    memset(out, 0, sizeof(*out));
    if (bytes_u8(&r) != COOKIE_VERSION || bytes_u8(&r) != (uint8_t)surface)
        return -EACCES;
    out->surface = surface;
    out->lane = bytes_u16le(&r);
    expiry = bytes_u64le(&r);
    out->id = bytes_u64le(&r);
    memcpy(out->name, r.at, r.left);
    if ((surface == SURFACE_KIOSK && out->lane != lane) || expiry <= now_s(session) ||
        !utf8_valid(out->name, r.left))
        return -EACCES;
    for (size_t i = 0; i < SIGNED_OUT_MAX; i++)
        if (session->signed_out[i] == out->id)
            return -EACCES;
    if (surface == SURFACE_BOARD && session->accounts) {
        const struct row *row = row_of(session, out->id);

        if (row == NULL)
            return -EACCES;
        out->role = row->role;
    }
    return 0;
}

int session_cookie_check(struct session *session, const char *header, enum surface surface,
                         uint16_t lane, struct identity *out)
{
    char name[32];
    size_t name_len;

    cookie_name(surface, lane, name, sizeof(name));
    name_len = strlen(name);
    while (header != NULL && *header != '\0') {
        size_t len;

        header += strspn(header, " \t;");
        len = strcspn(header, ";");
        if (len > name_len && memcmp(header, name, name_len) == 0 && header[name_len] == '=' &&
            cookie_value_check(session, header + name_len + 1, len - name_len - 1, surface, lane,
                               out) == 0)
            return 0;
        header += len;
    }
    return -EACCES;
}

void session_sign_out(struct session *session, const struct identity *identity)
{
    struct row *row = row_of(session, identity->id);

    if (row != NULL)
        explicit_bzero(row, sizeof(*row));
    if (identity->id == 0)
        return;
    session->signed_out[session->next_out] = identity->id;
    session->next_out = (session->next_out + 1) % SIGNED_OUT_MAX;
}

bool session_has_lane(const struct session *session, uint16_t lane)
{
    return lane != 0 && door_of(session, SURFACE_KIOSK, lane) != NULL;
}
