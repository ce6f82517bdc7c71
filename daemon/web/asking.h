/*
 * asking: a request that waits for the desk. It ends with the answer, the desk's loss or deadline, or the client's
 * going; whichever comes first frees it.
 */
#ifndef UKETSUKE_WEB_ASKING_H
#define UKETSUKE_WEB_ASKING_H

#include "desk_link.h"
#include "web.h"

/* Whose eyes the desk writes down where a program asks by the shared token, without a name. No person is called so. */
#define ASKING_NOBODY "(token)"

struct asking {
    struct web *web;
    struct request *request;
    uint32_t ticket;
    bool staff;   /* whose words the answer is in */
    uint8_t role; /* of the account, 0 a token's */
    uint64_t visit;
    uint16_t lane;
    json_t *items; /* collected from the items of an answer */
    void (*take)(struct asking *asking, struct message *message, bool last);
};

/*
 * Ask the desk; `take` is called for each item and for the end, which it replies to. When there is no answer the
 * refusal is replied here. The call's identity says whose words are used.
 */
void asking_start(struct web *web, struct request *request, const struct call *call, uint16_t type,
                  void *body,
                  void (*take)(struct asking *asking, struct message *message, bool last));

/* Who asks, for the audit log: into the `staff` of a message. */
void asking_staff(char staff[SESSION_NAME_MAX + 1], const struct call *call);

#endif
