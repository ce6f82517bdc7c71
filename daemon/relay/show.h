/*
 * show: `uketsuke-relay --show`: a message on standard input, its tree on standard output, from
 * inside a cage that has neither files nor sockets.
 *
 * In: XML (UTF-8 or Shift_JIS) or JSON, which of them is seen by the first character. Out: the
 * canonical packed tree of xmlmsg.h, its elements in the order of the layout. The command
 * `uketsuke`, which may not hold a parser of foreign formats, starts it so. When the message cannot
 * be shown nothing is written to standard output, and one line (Japanese / English) to standard
 * error.
 */
#ifndef UKETSUKE_RELAY_SHOW_H
#define UKETSUKE_RELAY_SHOW_H

#include <stdbool.h>

enum show_status { SHOW_SHOWN = 0, SHOW_REFUSED = 1, SHOW_TRUNCATED = 2, SHOW_BROKEN = 3 };

/* Never returns; ends the process with an enum show_status. `try_cage`: as --try-cage of every
 * program. */
_Noreturn void show_run(bool try_cage);

#endif
