/*
 * What the rooms of the service share: the state behind one lock, the request, the reply.
 *
 * Each connection has a thread of its own, so a slow answer delays nobody else. A request is read
 * without the lock, handled and written to the ledger under it, and sent without it.
 */
#ifndef SIM_SERVICE_SERVICE_H
#define SIM_SERVICE_SERVICE_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "behaviour.h"
#include "ledger.h"
#include "people.h"

struct service {
    pthread_mutex_t lock; /* guards everything below */
    struct people *people;
    struct ledger *ledger;
    struct behaviour_set *behaviours;
    json_t *accounts;     /* the accounts file */
    json_t *tokens;       /* id token -> {"account":i, "expires":time} */
    json_t *answered;     /* path and request id -> {"digest", "status", "answer"} */
    json_t *nonces;       /* nonce -> {"id":request id, "time":time} */
    char *user_ca;        /* PEM of the issuer of user certificates; NULL: not checked */
    char *user_crl;       /* PEM of its revocation list; NULL: not checked */
    json_t *cards;        /* certificate serial, decimal -> [card name...] */
    long clock_offset;    /* seconds added to the machine's clock */
    long token_seconds;   /* lifetime of an id token */
    long consent_seconds; /* medical information is to be had so long; 0: a day */
    long grace_months;    /* expired certificates still name the person this long */
};

struct request {
    const char *path;
    const char *authorization; /* or NULL */
    const char *request_id;    /* X-Request-Id, or NULL */
    const char *body;
    size_t length;
    json_t *json;          /* parsed body, NULL for GET */
    const json_t *account; /* whose token it is; NULL where none is wanted */
};

struct reply {
    int status;        /* HTTP */
    json_t *body;      /* owned */
    char subject[256]; /* whom it is about, for the ledger */
    char outcome[160]; /* in few words, for the ledger */
    char nonce[80];    /* of a signed statement that was accepted */
    bool nonce_open;   /* and may be brought once more */
    json_t *effect;    /* what was changed: {"person", "set":{key:value}}, or NULL */
    bool repeated;     /* the first answer to this request id, given again */
};

typedef void (*service_handler)(struct service *service, const struct request *request,
                                struct reply *reply);

struct route {
    const char *method;
    const char *path;
    const char *kind; /* name in the ledger */
    bool token;       /* wants an id token */
    bool once;        /* a repeated request id gets the first answer */
    bool xml_msg;     /* speaks XmlMsg */
    service_handler handle;
};

/* The service's clock. */
time_t service_now(const struct service *service);

/* The route of this method and path; NULL when there is none. *known: the path exists at all. */
const struct route *service_find_route(const char *method, const char *path, bool *known);

/*
 * Does everything between a parsed request and its reply: token, JSON, repeated request ids, the
 * room itself, its lasting effect. Called under the lock.
 */
void service_handle(struct service *service, const struct route *route, struct request *request,
                    struct reply *reply);

/* Takes over what one line of an earlier ledger says: effects, request ids, recent nonces. */
void service_resume_line(void *service, const json_t *line);

/* Replies {"status":"NNN","msg":...} as the auth call does. */
void service_reply_status(struct reply *reply, int status, const char *message);

void reply_clear(struct reply *reply);

/* The rooms. */
void auth_handle(struct service *service, const struct request *request, struct reply *reply);
void search_handle(struct service *service, const struct request *request, struct reply *reply);
void card_session_handle(struct service *service, const struct request *request,
                         struct reply *reply);
void register_handle(struct service *service, const struct request *request, struct reply *reply);
void consents_handle(struct service *service, const struct request *request, struct reply *reply);
void capabilities_handle(struct service *service, const struct request *request,
                         struct reply *reply);
void reference_handle(struct service *service, const struct request *request, struct reply *reply);
void reference_bulk_handle(struct service *service, const struct request *request,
                           struct reply *reply);
void bulk_handle(struct service *service, const struct request *request, struct reply *reply);
void tickets_handle(struct service *service, const struct request *request, struct reply *reply);
void drugs_handle(struct service *service, const struct request *request, struct reply *reply);
void checkup_handle(struct service *service, const struct request *request, struct reply *reply);

/* Tokens, kept by the auth room. account_find_token: borrowed, NULL when unknown or expired. */
const json_t *account_find_token(struct service *service, const char *token);

#endif
