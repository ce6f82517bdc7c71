/*
 * password: Argon2id on a thread of its own, because it is slow on purpose and the loop must not
 * wait.
 *
 * The thread is made before the cage. One password at a time; a few may wait, more are refused:
 * whoever sends many at once learns nothing sooner. Passwords are in secret memory until the thread
 * has used them.
 */
#ifndef UKETSUKE_WEB_PASSWORD_H
#define UKETSUKE_WEB_PASSWORD_H

#include "secret.h"

#include <stdbool.h>
#include <stddef.h>

#define PASSWORD_WAITING_MAX 8
#define PASSWORD_MIN                                                                               \
    10 /* characters; NIST SP 800-63B asks for 8 at least and no rules about kinds of characters   \
        */
#define PASSWORD_MAX 200 /* bytes */
#define PASSWORD_PROOF_MAX 160

struct sd_event;
struct passwords;

/* `good`: the password fits the proof (or was hashed); `proof`: what was made of it, NULL when
 * verifying. */
typedef void password_done_fn(void *arg, bool good, const char *proof);

int passwords_new(struct passwords **out, struct sd_event *loop);
/* Waits for the thread; nobody is called any more. */
void passwords_free(struct passwords **passwords);
/*
 * `password` is taken in any case. A NULL proof takes as long as any and fits nothing: for names
 * that do not exist. -EBUSY: too many are waiting; `done` is not called then.
 */
int passwords_verify(struct passwords *passwords, struct secret *password, const char *proof,
                     password_done_fn *done, void *arg);
int passwords_hash(struct passwords *passwords, struct secret *password, password_done_fn *done,
                   void *arg);
/* Whoever asked has gone: `done` is not called for that arg. */
void passwords_forget(struct passwords *passwords, const void *arg);

/*
 * Long enough, not the name, not one letter over and over, not a row of the keyboard or the digits
 * in order. (No rules about kinds of characters: they make passwords worse. NIST SP
 * 800-63B, 5.1.1.2.)
 */
bool password_will_do(const char *password, size_t len, const char *name);

#endif
