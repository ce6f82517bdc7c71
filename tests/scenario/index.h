/*
 * index: INDEX of a folder of scripts names every misfortune and the scripts that show it; it is held against the folder.
 */
#ifndef SCENARIO_INDEX_H
#define SCENARIO_INDEX_H

#include <stdbool.h>

/* Prints what does not fit and a line of counts. True when every script stands in `directory`/INDEX, every name there is a script,
 * every misfortune has one, and each code it names is expected by one of its scripts. */
bool index_check(const char *directory);

#endif
