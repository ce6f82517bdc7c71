/*
 * names: may two ways of writing a name be the same person's?
 *
 * Blanks (also ・ between a foreign name's parts) do not count, nor does width or an ideographic variation selector;
 * compatibility ideographs and the variants of variants.def (髙 高, 﨑 崎) are folded; a ● stands for any one character,
 * because the service masks what its character set lacks. A name of nothing but ● says nothing. For names and kana that
 * is a likeness, never a proof: it is used beside a number or a birth date only.
 */
#ifndef UKETSUKE_DESK_NAMES_H
#define UKETSUKE_DESK_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define NAMES_MAX 128 /* characters that are looked at */

enum names_likeness {
    NAMES_OTHER,
    NAMES_MASKED, /* the same as far as ● lets see */
    NAMES_SAME,
};

/* The characters that count; returns how many, 0 for what is no UTF-8 or too long. */
size_t names_fold(const char *text, uint32_t out[NAMES_MAX]);
/* The same for a reading: hiragana as katakana, small letters as large ones, every dash as the long vowel. */
size_t names_fold_kana(const char *text, uint32_t out[NAMES_MAX]);

enum names_likeness names_compare(const char *a, const char *b);
enum names_likeness names_compare_kana(const char *a, const char *b);

/* A number or symbol of a certificate in one width, without blanks, every dash alike: cut at size - 1 bytes. */
void names_fold_code(const char *text, char *out, size_t size);

#endif
