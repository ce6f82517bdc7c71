/*
 * The host and the libraries fail a whole reader at each call that it makes for a visit (short_program.h): the card is
 * asked who it is, opened with 照合番号B, and signs with its PIN, and the camera sends a frame. No card is called false,
 * nothing that is read is another's, no try is spent, and the next visit is undisturbed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/common/failure.h"
#include "daemon/common/memfd.h"
#include "daemon/common/visit.h"
#include "reader_rig.h"
#include "short_program.h"

#define STILL "franck_190.0_219x274+84+14_200x250_3000.jp2"
#define BUDGET_MS 3000

static struct reader_rig *rig;
static uint64_t visit = 5000;
static uint8_t still[65536];
static size_t still_len;
static char pin[8], number_b[20], name[300], birth[16];

/* What only another card would be told, or one whose owner erred. */
static bool is_slander(uint16_t failure)
{
    static const uint16_t all[] = {FAILURE_CARD_NOT_MY_NUMBER,
                                   FAILURE_CARD_NEXT_GENERATION,
                                   FAILURE_CARD_PHONE,
                                   FAILURE_CARD_OLD_RESIDENT,
                                   FAILURE_CARD_COUNTERFEIT,
                                   FAILURE_CARD_CLONED,
                                   FAILURE_CARD_CERTIFICATE_EXPIRED,
                                   FAILURE_CARD_CERTIFICATE_REVOKED,
                                   FAILURE_CARD_NO_PHOTO,
                                   FAILURE_CARD_TWO,
                                   FAILURE_PIN_WRONG,
                                   FAILURE_PIN_LOCKED,
                                   FAILURE_PIN_NOT_SET,
                                   FAILURE_PIN_FORMAT,
                                   FAILURE_NUMBER_B_WRONG,
                                   FAILURE_NUMBER_B_LOCKED,
                                   FAILURE_NUMBER_B_FORMAT};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (failure == all[i])
            return true;
    return false;
}

static unsigned patience(void)
{
    return short_program_is_armed() ? 2 * BUDGET_MS : 20000;
}

/* The answer to what was asked: true when it is `type`. What a card is called meanwhile is looked at. */
static bool answered(uint16_t type, struct message **out, const char **wrong)
{
    struct message *m;

    while ((m = reader_rig_try_next(rig, patience())) != NULL) {
        if (m->type == type) {
            *out = m;
            return true;
        }
        if (m->type == MSG_CARD_FAILED && is_slander(m->body.card_failed.failure)) {
            print_message("the card was told %s\n",
                          failure_text(m->body.card_failed.failure)->code);
            *wrong = "a good card was called false, or its owner told that he erred";
        }
        for (unsigned i = 0; i < m->nfds; i++)
            (void)close(m->fds[i]);
        if (m->type == MSG_CARD_FAILED || m->type == MSG_CAMERA_FAILED)
            return false;
    }
    return false;
}

static bool asked(uint16_t type, const void *body, uint16_t answer, struct message **m,
                  const char **wrong)
{
    return reader_rig_try_send(rig, type, body) && answered(answer, m, wrong);
}

static bool begins(struct message **m, const char **wrong)
{
    const struct msg_visit_begin begin = {.visit = ++visit};

    while (asked(MSG_VISIT_BEGIN, &begin, MSG_VISIT_KEY, m, wrong))
        if ((*m)->body.visit_key.visit == visit) /* without a key nobody can seal anything to it */
            return (*m)->body.visit_key.key.len == 65 && (*m)->body.visit_key.key.data[0] == 4;
    return false;
}

static bool is_told_apart(const char **wrong)
{
    const struct msg_card_identify body = {.visit = visit, .budget_ms = BUDGET_MS};
    struct message *m = NULL;

    if (!asked(MSG_CARD_IDENTIFY, &body, MSG_CARD_IDENTIFIED, &m, wrong))
        return false;
    if (m->body.card_identified.token != 1 ||
        m->body.card_identified.certificate_chain == GENUINE_NO)
        *wrong = "the card is said to be none, or not genuine";
    return m->body.card_identified.pin_tries == 3 && m->body.card_identified.number_b_tries == 10 &&
           m->body.card_identified.certificate_chain == GENUINE_YES;
}

static bool is_opened(const char **wrong)
{
    struct msg_card_photo body = {.visit = visit, .budget_ms = BUDGET_MS, .scanned = 1};
    const uint8_t *photo = NULL;
    struct message *m = NULL;
    bool same;

    body.sealed.len =
        reader_rig_seal(rig, "number-b", number_b, body.sealed.data, sizeof(body.sealed.data));
    if (!asked(MSG_CARD_PHOTO, &body, MSG_CARD_PHOTO_READ, &m, wrong))
        return false;
    same = m->body.card_photo_read.photo_bytes == still_len &&
           memfd_map(m->fds[0], still_len, sizeof(still), &photo) == 0 &&
           memcmp(photo, still, still_len) == 0;
    if (photo != NULL)
        memfd_unmap(photo, still_len);
    (void)close(m->fds[0]);
    if (!same || m->body.card_photo_read.record == GENUINE_NO ||
        m->body.card_photo_read.challenge == GENUINE_NO ||
        strcmp(m->body.card_photo_read.birth, birth) != 0 ||
        (m->body.card_photo_read.name[0] != '\0' &&
         strcmp(m->body.card_photo_read.name, name) != 0))
        *wrong = "another photo, name or birth date, or a card that is not genuine";
    return same && strcmp(m->body.card_photo_read.name, name) == 0 &&
           m->body.card_photo_read.record == GENUINE_YES &&
           m->body.card_photo_read.challenge == GENUINE_YES;
}

static bool signs(const char **wrong)
{
    struct msg_card_sign body = {.visit = visit, .budget_ms = BUDGET_MS, .time = 1795339500};
    struct message *m = NULL;

    (void)strcpy(body.institution, "9910000017");
    (void)strcpy(body.purpose, "eligibility");
    body.sealed.len = reader_rig_seal(rig, "pin", pin, body.sealed.data, sizeof(body.sealed.data));
    if (!asked(MSG_CARD_SIGN, &body, MSG_CARD_SIGNED, &m, wrong))
        return false;
    if (m->body.card_signed.signature.len != 256 || m->body.card_signed.statement.len < 43 ||
        memcmp(m->body.card_signed.statement.data, "uketsuke statement v1\npurpose: eligibility\n",
               43) != 0)
        *wrong = "a statement that is none";
    return true;
}

static bool films(const char **wrong)
{
    const struct msg_camera_start body = {
        .visit = visit, .width = 640, .height = 480, .fps = 15, .credit = 1};
    const struct msg_camera_stop stop = {.visit = visit};
    const uint8_t *jpeg = NULL;
    struct message *m = NULL;
    uint32_t bytes;

    if (!asked(MSG_CAMERA_START, &body, MSG_CAMERA_FRAME, &m, wrong))
        return false;
    bytes = m->body.camera_frame.bytes;
    if (memfd_map(m->fds[0], bytes, 4u << 20, &jpeg) < 0 || memcmp(jpeg, "\xFF\xD8\xFF", 3) != 0)
        *wrong = "a frame that is none";
    if (jpeg != NULL)
        memfd_unmap(jpeg, bytes);
    (void)close(m->fds[0]);
    return reader_rig_try_send(rig, MSG_CAMERA_STOP, &stop);
}

/* Reader and camera usable, and so many cards. */
static bool stands(unsigned card, unsigned ms)
{
    for (unsigned waited = 0; waited <= ms; waited += 5) {
        const struct msg_reader_state *s = reader_rig_state(rig);

        if (s != NULL && s->reader == FAILURE_NONE && s->camera == FAILURE_NONE && s->card == card)
            return true;
        reader_rig_run_ms(rig, 5);
    }
    return false;
}

static const char *once(void *arg, bool *right)
{
    const struct msg_visit_end end = {.visit = visit + 1};
    const char *wrong = NULL;
    struct message *m = NULL;
    const char *counters;

    (void)arg;
    (void)reader_rig_sim(rig, "insert franck");
    *right = stands(1, short_program_is_armed() ? 4000 : 20000) && begins(&m, &wrong) &&
             is_told_apart(&wrong) && is_opened(&wrong) && signs(&wrong) && films(&wrong) &&
             reader_rig_try_send(rig, MSG_VISIT_END, &end);
    (void)reader_rig_sim(rig, "remove");
    counters = reader_rig_sim(rig, "counters franck");
    if (wrong == NULL && (strstr(counters, "jpki.0018=3/3") == NULL ||
                          strstr(counters, "kenkaku.0012=10/10") == NULL))
        wrong = "a try was spent";
    *right = *right && wrong == NULL && stands(0, short_program_is_armed() ? 4000 : 20000);
    return wrong;
}

static const char *come_back(void *arg, unsigned *ended)
{
    (void)arg;
    reader_rig_run_ms(rig, 20); /* it may be on its way out */
    for (unsigned tries = 0; tries < 4; tries++) {
        if (!reader_rig_alive(rig, RIG_READER)) {
            if (reader_rig_crashed(rig))
                return "it crashed";
            ++*ended;
            reader_rig_restart(rig, RIG_READER);
            reader_rig_await_connection(rig, 20000);
        }
        if (stands(0, 15000))
            return NULL;
    }
    return "reader and camera are not usable again";
}

static const struct short_work works[] = {{"a visit at the reader", NULL, once, come_back, 10}};

static void keep(char *out, size_t size, const char *column)
{
    assert_true((size_t)snprintf(out, size, "%s", reader_rig_card(rig, "franck", column)) < size);
}

static int up(void **state)
{
    char path[4400];
    FILE *file;

    (void)state;
    reader_rig_environment(short_program_begin(NULL, NULL));
    rig = reader_rig_start();
    keep(pin, sizeof(pin), "pin");
    keep(number_b, sizeof(number_b), "number-b");
    keep(name, sizeof(name), "name");
    keep(birth, sizeof(birth), "birth");
    (void)snprintf(path, sizeof(path), "%s/stills/" STILL, reader_rig_sim_directory(rig));
    file = fopen(path, "rb");
    assert_non_null(file);
    still_len = fread(still, 1, sizeof(still), file);
    (void)fclose(file);
    assert_true(stands(0, 20000));
    return 0;
}

static int down(void **state)
{
    (void)state;
    reader_rig_stop(rig);
    short_program_end();
    return 0;
}

int main(void)
{
    static const struct short_suite suite = {works, 1, false};

    return short_program_main(&suite, up, down);
}
