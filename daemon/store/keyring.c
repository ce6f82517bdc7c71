#include "store_internal.h"

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>

#define PLACE "meta.keys"
#define NAME "keys"
#define FORMAT 1
#define PACKED_MAX (2 + (3 + KEYRING_PAYLOADS) * STORE_KEY + KEYRING_PAYLOADS)

void keyring_free(struct keyring *ring)
{
    secret_free(&ring->lookup);
    secret_free(&ring->audit);
    secret_free(&ring->who);
    for (size_t i = 0; i < KEYRING_PAYLOADS; i++)
        secret_free(&ring->payload[i].key);
    ring->payloads = 0;
}

static int random_key(struct secret *out)
{
    int r = secret_new(out, STORE_KEY);

    if (r == 0 && RAND_bytes(out->data, STORE_KEY) != 1)
        r = -EIO;
    if (r == 0)
        out->len = STORE_KEY;
    return r;
}

int keyring_new(struct keyring *ring)
{
    int r = random_key(&ring->lookup);

    if (r == 0)
        r = random_key(&ring->audit);
    if (r == 0)
        r = random_key(&ring->who);
    if (r == 0)
        r = random_key(&ring->payload[0].key);
    ring->payload[0].generation = 1;
    ring->payloads = 1;
    return r;
}

int keyring_derive(struct keyring *ring, const struct secret *master)
{
    int r = seal_derive(master, "uketsuke payload", &ring->payload[0].key);

    ring->payload[0].generation = 1;
    ring->payloads = 1;
    if (r == 0)
        r = seal_derive(master, "uketsuke lookup", &ring->lookup);
    if (r == 0)
        r = seal_derive(master, "uketsuke audit", &ring->audit);
    if (r == 0) /* names in the log of those days are sealed as payload was */
        r = seal_derive(master, "uketsuke payload", &ring->who);
    return r;
}

static int copy_key(struct secret *to, const struct secret *from)
{
    int r = secret_new(to, STORE_KEY);

    return r < 0 ? r : secret_set(to, from->data, from->len);
}

int keyring_copy(struct keyring *to, const struct keyring *from)
{
    int r = copy_key(&to->lookup, &from->lookup);

    if (r == 0)
        r = copy_key(&to->audit, &from->audit);
    if (r == 0)
        r = copy_key(&to->who, &from->who);
    for (size_t i = 0; i < from->payloads && r == 0; i++) {
        to->payload[i].generation = from->payload[i].generation;
        r = copy_key(&to->payload[i].key, &from->payload[i].key);
    }
    to->payloads = from->payloads;
    return r;
}

int keyring_add(struct keyring *ring)
{
    struct secret fresh = {0};
    int r;

    if (ring->payloads == KEYRING_PAYLOADS)
        return -EBUSY;
    if (ring->payload[0].generation == UINT8_MAX)
        return -EOVERFLOW;
    r = random_key(&fresh);
    if (r < 0) {
        secret_free(&fresh);
        return r;
    }
    ring->payload[1] = ring->payload[0];
    ring->payload[0].generation++;
    ring->payload[0].key = fresh;
    ring->payloads = 2;
    return 0;
}

void keyring_drop_old(struct keyring *ring)
{
    for (size_t i = 1; i < ring->payloads; i++)
        secret_free(&ring->payload[i].key);
    ring->payloads = 1;
}

uint8_t keyring_for_new(const struct keyring *ring, const char *place, const struct secret **key)
{
    if (strcmp(place, KEYRING_WHO) == 0) {
        *key = &ring->who;
        return 1;
    }
    *key = &ring->payload[0].key;
    return ring->payload[0].generation;
}

const struct secret *keyring_for(const struct keyring *ring, const char *place, uint8_t generation)
{
    if (strcmp(place, KEYRING_WHO) == 0)
        return generation == 1 ? &ring->who : NULL;
    for (size_t i = 0; i < ring->payloads; i++)
        if (ring->payload[i].generation == generation)
            return &ring->payload[i].key;
    return NULL;
}

/* format, lookup, audit, who, how many payload keys, each with its generation */
static void pack(const struct keyring *ring, struct bytes_writer *w)
{
    bytes_put_u8(w, FORMAT);
    bytes_put(w, ring->lookup.data, STORE_KEY);
    bytes_put(w, ring->audit.data, STORE_KEY);
    bytes_put(w, ring->who.data, STORE_KEY);
    bytes_put_u8(w, (uint8_t)ring->payloads);
    for (size_t i = 0; i < ring->payloads; i++) {
        bytes_put_u8(w, ring->payload[i].generation);
        bytes_put(w, ring->payload[i].key.data, STORE_KEY);
    }
}

static int take_key(struct bytes_reader *in, struct secret *out)
{
    const uint8_t *key = bytes_take(in, STORE_KEY);
    int r = secret_new(out, STORE_KEY);

    if (r == 0)
        r = key == NULL ? -EBADMSG : secret_set(out, key, STORE_KEY);
    return r;
}

static int unpack(struct keyring *ring, const uint8_t *data, size_t len)
{
    struct bytes_reader in;
    uint8_t format;
    size_t n = 0;
    int r;

    bytes_reader_init(&in, data, len);
    format = bytes_u8(&in);
    r = format == FORMAT ? take_key(&in, &ring->lookup) : -EBADMSG;
    if (r == 0)
        r = take_key(&in, &ring->audit);
    if (r == 0)
        r = take_key(&in, &ring->who);
    if (r == 0)
        n = bytes_u8(&in);
    if (r == 0 && (n < 1 || n > KEYRING_PAYLOADS))
        r = -EBADMSG;
    for (size_t i = 0; i < n && r == 0; i++) {
        ring->payload[i].generation = bytes_u8(&in);
        r = take_key(&in, &ring->payload[i].key);
    }
    ring->payloads = n;
    return r == 0 && !bytes_done(&in) ? -EBADMSG : r;
}

int keyring_save(struct store *store)
{
    struct secret plain = {0};
    struct bytes_writer w;
    struct statement s;
    uint8_t *sealed = NULL;
    size_t len = 0;
    int r = secret_new(&plain, PACKED_MAX);

    if (r < 0)
        return r;
    bytes_writer_init(&w, plain.data, plain.size);
    pack(&store->ring, &w);
    r = w.failed ? -EINVAL
                 : seal_close_with(&store->wrap_key, FORMAT, PLACE, 0, plain.data, w.used, &sealed,
                                   &len);
    secret_free(&plain);
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_META_PUT);
    statement_text(&s, NAME);
    statement_blob(&s, sealed, len);
    r = statement_run(&s);
    seal_free(&sealed, len);
    return r;
}

int keyring_load(struct store *store)
{
    struct statement s;
    uint8_t *plain = NULL;
    size_t len = 0;
    int r;

    statement_start(&s, store, QUERY_META_GET);
    statement_text(&s, NAME);
    r = statement_step(&s);
    if (r > 0) {
        size_t sealed_len;
        const uint8_t *sealed = statement_get_blob(&s, &sealed_len);

        r = statement_error(&s);
        if (r == 0)
            r = seal_open_with(&store->wrap_key, PLACE, 0, sealed, sealed_len, &plain, &len);
        if (r == 0)
            r = unpack(&store->ring, plain, len);
        seal_free(&plain, len);
    } else if (r == 0) {
        r = -ENOENT;
    }
    if (r < 0)
        keyring_free(&store->ring);
    return statement_end(&s, r);
}
