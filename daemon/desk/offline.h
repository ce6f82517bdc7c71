/*
 * offline: what is done with the database while no desk runs.
 *
 *   uketsuked --check-backup FILE [--key FILE]
 *   uketsuked --restore FILE [--config FILE] [--key FILE]
 *
 * The master key is read from --key, else from the credential database.key. Says in words what was
 * found; status 0 when it was good.
 */
#ifndef UKETSUKE_DESK_OFFLINE_H
#define UKETSUKE_DESK_OFFLINE_H

#include <stdbool.h>

bool offline_wanted(const char *option);
int offline_main(int argc, char **argv);

#endif
