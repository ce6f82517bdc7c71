/* quiet_desk: a desk that nobody looks at, for tests of one of its rooms. */
#ifndef TESTS_QUIET_DESK_H
#define TESTS_QUIET_DESK_H

#include "daemon/desk/desk.h"

/* Ports that send by `send` (NULL: nothing goes anywhere, and that is fine) and tell nobody what changed. */
struct desk_ports quiet_ports(int (*send)(void *arg, enum desk_peer peer, unsigned index,
                                          uint16_t type, const void *body, const int *fds,
                                          unsigned nfds),
                              void *arg);
/* What is logged from now on is shown nowhere. */
void quiet_log(void);

#endif
