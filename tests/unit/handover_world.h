/*
 * handover_world: what the world has seen of what was handed over, in books (files) that outlive any killed process.
 */
#ifndef TESTS_HANDOVER_WORLD_H
#define TESTS_HANDOVER_WORLD_H

#include <stdbool.h>

extern char world_top[64]; /* the directory of the books */

void world_note(const char *book, const char *line);
/* Lines of the book; `same`: whether all are the same. */
unsigned world_noted(const char *book, bool *same);
/* Takes what lies in the folder under names that begin so, and notes whether it was whole. */
void world_take(const char *directory, const char *prefix, const char *book);
/* Files in it, but the folders and what begins with a dot; `remove`: they go. */
unsigned world_files(const char *directory, bool remove);

#endif
