#include "json.h"

#include "failure.h"
#include "visit.h"

#include <inttypes.h>
#include <string.h>

void json_text(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            (void)fprintf(out, "\\%c", *p);
        else if (*p < 0x20 || *p == 0x7f)
            (void)fprintf(out, "\\u%04x", *p);
        else if (*p == 0xc2 && p[1] >= 0x80 &&
                 p[1] < 0xa0) /* U+0080 to U+009F steer some terminals */
            (void)fprintf(out, "\\u%04x", *++p);
        else
            (void)fputc(*p, out);
    }
    (void)fputc('"', out);
}

static const char *failure_code(unsigned value)
{
    return failure_text((uint16_t)value)->code;
}

static const char *level(unsigned value)
{
    static const char *const names[] = {"good", "warning", "bad"};

    return value < 3 ? names[value] : "?";
}

/* Numbers that are words. "message.field", or "field" wherever it stands. */
static const struct {
    const char *field;
    const char *(*word)(unsigned value);
} words[] = {
    {"health_item.state", level},    {"state", visit_state_name}, {"method", visit_method_name},
    {"outcome", visit_outcome_name}, {"failure", failure_code},   {"hint", failure_code},
    {"reader", failure_code},        {"camera", failure_code},
};

struct writer {
    FILE *out;
    const char *message;
    int first;
};

static void begin(struct writer *w, const char *field)
{
    if (!w->first)
        (void)fputc(',', w->out);
    w->first = 0;
    json_text(w->out, field);
    (void)fputc(':', w->out);
}

static void put_unsigned(struct writer *w, const char *field, uint64_t value)
{
    char full[96];

    begin(w, field);
    (void)snprintf(full, sizeof(full), "%s.%s", w->message, field);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].field, full) == 0 || strcmp(words[i].field, field) == 0) {
            json_text(w->out, words[i].word((unsigned)value));
            return;
        }
    (void)fprintf(w->out, "%" PRIu64, value);
}

static void put_id(struct writer *w, const char *field, uint64_t value)
{
    begin(w, field);
    (void)fprintf(w->out, "\"%" PRIu64 "\"", value);
}

static void put_signed(struct writer *w, const char *field, int64_t value)
{
    begin(w, field);
    (void)fprintf(w->out, "%" PRId64, value);
}

static void put_text(struct writer *w, const char *field, const char *value)
{
    begin(w, field);
    json_text(w->out, value);
}

static void put_bytes(struct writer *w, const char *field, const uint8_t *data, uint32_t len)
{
    begin(w, field);
    (void)fputc('"', w->out);
    for (uint32_t i = 0; i < len; i++)
        (void)fprintf(w->out, "%02x", data[i]);
    (void)fputc('"', w->out);
}

#define U8(n) put_unsigned(w, #n, m->n);
#define U16(n) put_unsigned(w, #n, m->n);
#define U32(n) put_unsigned(w, #n, m->n);
#define U64(n) put_id(w, #n, m->n);
#define I32(n) put_signed(w, #n, m->n);
#define I64(n) put_signed(w, #n, m->n);
#define STR(n, max) put_text(w, #n, m->n);
#define BLOB(n, max) put_bytes(w, #n, m->n.data, m->n.len);
#define MESSAGE(NAME, name, type, from, to, fds, fields)                                           \
    static void write_##name(struct writer *w, const void *body)                                   \
    {                                                                                              \
        const struct msg_##name *m = body;                                                         \
        fields                                                                                     \
    }
#include "message.def"
#undef MESSAGE

static const struct {
    uint16_t type;
    const char *name;
    void (*write)(struct writer *w, const void *body);
} writers[] = {
#define MESSAGE(NAME, name, type, from, to, fds, fields) {type, #name, write_##name},
#include "message.def"
#undef MESSAGE
};

void json_message(FILE *out, uint16_t type, const void *body)
{
    for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++)
        if (writers[i].type == type) {
            struct writer w = {out, writers[i].name, 1};

            (void)fputc('{', out);
            put_text(&w, "message", writers[i].name);
            writers[i].write(&w, body);
            (void)fputs("}\n", out);
        }
}
