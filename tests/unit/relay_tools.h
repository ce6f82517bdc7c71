/* What relay_rig does with files and programs around its relay. Fails the running cmocka test when
 * it cannot. */
#ifndef TESTS_UNIT_RELAY_TOOLS_H
#define TESTS_UNIT_RELAY_TOOLS_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/common/question.h"

/* The person of people/shikaku.json, as a certificate on paper shows them; and a card whose certificate is none. */
extern const struct question_numbers rig_shikaku;
extern const struct question_card rig_card;
/* That person looked up, or with `registers` that card registered; the caller frees it. */
struct xmlmsg *rig_question(const struct question_header *header, bool registers);

/* The path of a program: $UKETSUKE_BIN, else beside the test. */
void rig_program(const char *name, char *path, size_t size);
/* A file of the source tree. */
void rig_source(const char *name, char *path, size_t size);
uint64_t rig_now_ms(void);
/* Runs it to its end, which must be a good one. */
void rig_run(const char *const *argv);
void rig_write_file(const char *path, const char *text);
/* The caller frees it; "" when it cannot be read. */
char *rig_read_file(const char *path);

/* Of the terminal's folder: a path, a file put there, how many files there are (and the name of the
 * last). */
struct rig;
void rig_path(struct rig *rig, const char *place, const char *name, char *path, size_t size);
void rig_put(struct rig *rig, const char *place, const char *name, const char *text);
unsigned rig_files(struct rig *rig, const char *place, char *name, size_t size);
/* Until so many are there: what is done after an answer happens behind it. */
void rig_wait_files(struct rig *rig, const char *place, unsigned n);
/* Until the relay's log says this; fails the test when it does not in PATIENCE_MS. */
void rig_wait_log(struct rig *rig, const char *text);

#endif
