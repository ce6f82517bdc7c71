#include "message.h"

#include "bytes.h"
#include "utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define MAGIC ('U' | 'K' << 8)

/* One walk over a struct's fields, in the order of the wire, that either writes or reads them. */
struct walker {
    struct bytes_writer *out; /* NULL when reading */
    struct bytes_reader *in;  /* NULL when writing */
    bool bad;                 /* a value that must not stand in a message */
};

static void walk_int(struct walker *w, void *value, size_t size)
{
    uint64_t v = 0;

    /* The wire is little endian, and so is every machine this runs on (checked below). */
    if (w->out != NULL) {
        memcpy(&v, value, size);
        bytes_put(w->out, &v, size);
    } else {
        const uint8_t *at = bytes_take(w->in, size);

        if (at != NULL)
            memcpy(value, at, size);
    }
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "walk_int copies bytes as they lie");

static void walk_text(struct walker *w, char *text, size_t max)
{
    if (w->out != NULL) {
        size_t len = strnlen(text, max + 1);

        if (len > max || !utf8_valid(text, len)) {
            w->bad = true;
            return;
        }
        bytes_put_u16le(w->out, (uint16_t)len);
        bytes_put(w->out, text, len);
    } else {
        size_t len = bytes_u16le(w->in);
        const uint8_t *at = bytes_take(w->in, len);

        if (at == NULL)
            return;
        if (len > max || memchr(at, 0, len) != NULL || !utf8_valid((const char *)at, len)) {
            w->bad = true;
            return;
        }
        memcpy(text, at, len);
        text[len] = '\0';
    }
}

static void walk_blob(struct walker *w, uint32_t *len, uint8_t *data, size_t max)
{
    if (w->out != NULL) {
        if (*len > max) {
            w->bad = true;
            return;
        }
        bytes_put_u32le(w->out, *len);
        bytes_put(w->out, data, *len);
    } else {
        uint32_t n = bytes_u32le(w->in);
        const uint8_t *at = bytes_take(w->in, n);

        if (at == NULL)
            return;
        if (n > max) {
            w->bad = true;
            return;
        }
        *len = n;
        memcpy(data, at, n);
    }
}

#define U8(n) walk_int(w, &m->n, 1);
#define U16(n) walk_int(w, &m->n, 2);
#define U32(n) walk_int(w, &m->n, 4);
#define U64(n) walk_int(w, &m->n, 8);
#define I32(n) walk_int(w, &m->n, 4);
#define I64(n) walk_int(w, &m->n, 8);
#define STR(n, max) walk_text(w, m->n, max);
#define BLOB(n, max) walk_blob(w, &m->n.len, m->n.data, max);
#define MESSAGE(NAME, name, type, from, to, fds, fields)                                           \
    static void walk_##name(struct walker *w, void *body)                                          \
    {                                                                                              \
        struct msg_##name *m = body;                                                               \
        fields                                                                                     \
    }
#include "message.def"
#undef MESSAGE

typedef void walk_fn(struct walker *w, void *body);

#define OPTIONAL 0x100u
#define N_OR_0(n) ((n) | OPTIONAL)

static const struct {
    struct message_row row;
    walk_fn *walk;
} rows[] = {
#define MESSAGE(NAME, name, type, from, to, fds, fields)                                           \
    {{#NAME, type, from, to, (fds)&0xffu, ((fds)&OPTIONAL) != 0, sizeof(struct msg_##name)},       \
     walk_##name},
#include "message.def"
#undef MESSAGE
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

const struct message_row *message_row_at(size_t i)
{
    return i < ROWS ? &rows[i].row : NULL;
}

static size_t find(uint16_t type)
{
    size_t i = 0;

    while (i < ROWS && rows[i].row.type != type)
        i++;
    return i;
}

const struct message_row *message_row(uint16_t type)
{
    return message_row_at(find(type));
}

const char *message_name(uint16_t type)
{
    const struct message_row *row = message_row(type);

    return row != NULL ? row->name : "?";
}

static bool fds_fit(const struct message_row *row, unsigned nfds)
{
    return nfds == row->fds || (nfds == 0 && row->fds_optional);
}

int message_encode(uint16_t type, const void *body, unsigned nfds, void *out, size_t size)
{
    size_t i = find(type);
    struct bytes_writer w;
    struct walker walker = {.out = &w};
    uint32_t length;

    if (i == ROWS || !fds_fit(&rows[i].row, nfds))
        return -EINVAL;
    bytes_writer_init(&w, out, size < MESSAGE_MAX ? size : MESSAGE_MAX);
    bytes_put_u16le(&w, MAGIC);
    bytes_put_u16le(&w, IPC_VERSION);
    bytes_put_u16le(&w, type);
    bytes_put_u16le(&w, (uint16_t)nfds);
    bytes_put_u32le(&w, 0);
    /* A writing walk only reads the body, so the const that the one walker cannot keep stays true. */
    rows[i].walk(&walker, (void *)(uintptr_t)body);
    if (w.failed || walker.bad)
        return -EINVAL;
    length = (uint32_t)(w.used - MESSAGE_HEADER);
    memcpy(w.start + MESSAGE_HEADER - sizeof(length), &length, sizeof(length));
    return (int)w.used;
}

int message_decode(const void *packet, size_t len, unsigned nfds, struct message *out)
{
    struct bytes_reader r;
    struct walker walker = {.in = &r};
    uint16_t magic, version, type, fds;
    uint32_t length;
    size_t i;

    bytes_reader_init(&r, packet, len);
    magic = bytes_u16le(&r);
    version = bytes_u16le(&r);
    type = bytes_u16le(&r);
    fds = bytes_u16le(&r);
    length = bytes_u32le(&r);
    if (r.failed || magic != MAGIC || version != IPC_VERSION || length != r.left || fds != nfds)
        return -EBADMSG;
    i = find(type);
    if (i == ROWS || !fds_fit(&rows[i].row, nfds))
        return -EBADMSG;
    out->type = type;
    out->nfds = nfds;
    memset(&out->body, 0, rows[i].row.body_size);
    rows[i].walk(&walker, &out->body);
    return bytes_done(&r) && !walker.bad ? 0 : -EBADMSG;
}

int message_text(char *field, size_t size, const char *text)
{
    size_t len = strnlen(text, size);

    memset(field, 0, size);
    if (len >= size)
        return -ENAMETOOLONG;
    memcpy(field, text, len);
    return 0;
}
