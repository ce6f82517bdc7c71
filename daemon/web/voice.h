/*
 * voice: the spoken guidance of the kiosk: recordings of the pages' texts, LANGUAGE/NAME.opus below
 * one directory (made at build), and own recordings below another that stand in for those of the
 * same language and name. Read once at the start, like the pages.
 */
#ifndef UKETSUKE_WEB_VOICE_H
#define UKETSUKE_WEB_VOICE_H

#include "pages.h"

struct voice;

#define VOICE_MAX 8192
#define VOICE_BYTES_MAX ((size_t)96 << 20)

/* `own` may be "". A directory that is not there is an empty one. */
int voice_load(struct voice **out, const char *made, const char *own);
void voice_free(struct voice **voice);
size_t voice_count(const struct voice *voice);
/* The recording of a path: "/voice/ja/pin.title". NULL when there is none; `voice` may be NULL. */
const struct page *voice_find(const struct voice *voice, const char *path);

#endif
