/*
 * The host and the libraries (all but Tesseract and what it brings along) fail a whole reader of card faces
 * at each call that it makes for a card (short_program.h): what it says it read is what is printed there,
 * and the next card is read as if nothing had been.
 */
#include "program_rig.h"
#include "short_program.h"

#include "daemon/common/failure.h"
#include "daemon/common/memfd.h"
#include "daemon/common/secret.h"
#include "driver/reader/envelope.h"
#include "tests/sim/cardface/cardface.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMES 6
#define TODAY 20261005
#define SPARED                                                                                     \
    "libtesseract liblept libstdc++ libgomp libcurl libarchive libpng libjpeg.so libtiff libwebp " \
    "libgif libopenjp2 libz ld-linux"

static struct program_rig rig;
static struct cardface *face;
static struct {
    uint8_t *data;
    size_t len;
} film[FRAMES];
static struct envelope_key *key;
static uint64_t visits;
static struct {
    unsigned results;
    struct msg_ocr_result last;
} heard;

static void on_message(void *arg, struct message *m)
{
    (void)arg;
    if (m->type != MSG_OCR_RESULT || m->body.ocr_result.visit != visits)
        return;
    heard.results++;
    heard.last = m->body.ocr_result;
}

static bool awaited(unsigned n)
{
    const uint64_t limit =
        program_rig_in(&rig, short_program_is_armed() ? 1500 : PROGRAM_PATIENCE_MS);

    while (heard.results <= n)
        if (!rig.open || !program_rig_turn(&rig, limit))
            return false;
    return true;
}

/* What was sealed for the reader, opened as the reader does. */
static const char *judge(void)
{
    struct secret number;
    const char *wrong = NULL;

    if (envelope_open(key, ENVELOPE_NUMBER_B, visits, heard.last.sealed.data, heard.last.sealed.len,
                      &number) != 0)
        return "what is sealed does not open";
    if (number.len != strlen(face->person.number_b) ||
        memcmp(number.data, face->person.number_b, number.len) != 0)
        wrong = "another number was read";
    secret_free(&number);
    return wrong;
}

static const char *once(void *arg, bool *right)
{
    struct msg_ocr_begin begin = {.visit = ++visits, .key = {.len = ENVELOPE_POINT}};
    const struct msg_ocr_end end = {.visit = visits};
    const char *wrong = NULL;

    (void)arg;
    envelope_key_free(&key);
    assert_int_equal(envelope_key_new(&key, begin.key.data), 0);
    memset(&heard, 0, sizeof(heard));
    if (!program_rig_send(&rig, MSG_OCR_BEGIN, &begin, -1))
        return NULL;
    for (unsigned n = 0; n < FRAMES && heard.last.sealed.len == 0; n++) {
        const struct msg_ocr_frame frame = {.visit = visits,
                                            .frame = n,
                                            .format = 1,
                                            .width = 1280,
                                            .height = 720,
                                            .bytes = (uint32_t)film[n].len};
        const int fd = memfd_seal("frame", film[n].data, film[n].len);
        bool sent;

        assert_true(fd >= 0);
        sent = program_rig_send(&rig, MSG_OCR_FRAME, &frame, fd);
        (void)close(fd);
        if (!sent || !awaited(n))
            return NULL;
    }
    if (heard.last.sealed.len > 0) {
        wrong = judge();
        *right = wrong == NULL;
    }
    (void)program_rig_send(&rig, MSG_OCR_END, &end, -1);
    return wrong;
}

static const char *come_back(void *arg, unsigned *ended)
{
    (void)arg;
    return program_rig_come_back(&rig, ended);
}

static const struct short_work works[] = {{"a card shown", NULL, once, come_back, 2}};

static int up(void **state)
{
    struct program_options options = {.program = "uketsuke-ocr",
                                      .socket = "ocr",
                                      .role = IPC_OCR,
                                      .config = "[lane 1]\nlabel = 1\n[log]\nlevel = error\n",
                                      .on_message = on_message};

    (void)state;
    face = cardface_new(1000, 0, 0, CARDFACE_RIGHT, 1280, 720, TODAY);
    assert_non_null(face);
    for (unsigned n = 0; n < FRAMES; n++) {
        film[n].len = cardface_frame(face, n, &film[n].data);
        assert_true(film[n].len > 0);
    }
    options.environment = short_program_begin(NULL, SPARED);
    program_rig_make(&rig, &options);
    program_rig_begin(&rig);
    return 0;
}

static int down(void **state)
{
    (void)state;
    program_rig_stop(&rig);
    short_program_end();
    envelope_key_free(&key);
    for (unsigned n = 0; n < FRAMES; n++)
        free(film[n].data);
    cardface_free(&face);
    return 0;
}

int main(void)
{
    static const struct short_suite suite = {works, 1, false};

    return short_program_main(&suite, up, down);
}
