/*
 * fuzz_server: stands in the place of daemon/web/server.c: requests made by a fuzz target instead of by libmicrohttpd,
 * with the same promises to the rest of the program (one reply, `gone` for what is kept and not replied).
 */
#ifndef TEST_FUZZ_SERVER_H
#define TEST_FUZZ_SERVER_H

#include "fuzz.h"

#define FUZZ_HEADERS 10

struct request;

struct fuzz_request {
    const char *method, *path, *query; /* query: the value of every parameter, NULL none */
    const char *headers[FUZZ_HEADERS][2];
    const uint8_t *body;
    size_t body_len;
};

/* Called with all that leaves towards the client, pieces of streams too. */
typedef void fuzz_reply_fn(unsigned status, const char *type, const uint8_t *data, size_t len,
                           void *arg);

/* Head and body of one request; `arg` is for `reply`. The strings must outlive the server. NULL: too many are open. */
struct request *fuzz_server_ask(const struct fuzz_request *wish, fuzz_reply_fn *reply, void *arg);
/* Clients of what is still open go away. */
void fuzz_server_leave(void);
/* Deadlines that have passed, and streams that were woken. */
void fuzz_server_turn(void);

#endif
