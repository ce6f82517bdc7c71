/*
 * engine: one frame into what was read from it. Holds all working memory of a worker; not for two
 * threads.
 */
#ifndef UKETSUKE_OCR_ENGINE_H
#define UKETSUKE_OCR_ENGINE_H

#include "decode.h"
#include "fields.h"

struct engine;

struct frame {
    unsigned format;
    int width, height;
    const uint8_t *data;
    size_t len;
};

/* What one frame gave. Stands in secret memory only. */
struct reading {
    bool card;    /* an outline of a card was found */
    bool foreign; /* a birth date A.D. */
    bool birth_there, expiry_there, code_there;
    struct card_date birth, expiry;
    char code[5];
};

/* -ENOENT: a language of Tesseract is missing; -ENOMEM. */
int engine_new(struct engine **out);
void engine_free(struct engine **engine);
/* Wipe what is left of the last card. */
void engine_wipe(struct engine *engine);
/* 0; -EBADMSG: the frame is damaged. */
int engine_frame(struct engine *engine, const struct frame *frame, struct reading *out);

#endif
