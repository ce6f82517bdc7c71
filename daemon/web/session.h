/*
 * session: who is asking. Tokens come from files (one per lane, one for staff); a page exchanges
 * its token once for a cookie, because EventSource cannot send an Authorization header.
 *
 * A cookie is `payload.mac`: surface, lane, expiry, a random id and the name that staff gave, under
 * a key derived from the token itself. So a session outlives a restart of this program (a kiosk
 * stands alone all day), ends when the token is changed, and cannot be made up or fixed by anybody
 * else. Nothing of a token is kept but its SHA-256 and that key. Signed-out ids are remembered
 * until they expire.
 *
 * Where staff have accounts ([web] sign-in = accounts) the board has no token: its sessions are
 * rows held here, made after password and one-time code, ended by signing out, by idleness, by a
 * change of the account, by an administrator, and by a restart of this program. The cookie then
 * only names the row.
 */
#ifndef UKETSUKE_WEB_SESSION_H
#define UKETSUKE_WEB_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct session;

#define SESSION_NAME_MAX 64
#define SESSION_TOKEN_MIN 16
#define SESSION_TOKEN_MAX 256
#define SESSION_LANES_MAX 64
#define SESSION_COOKIE_MAX 512

enum surface { SURFACE_NONE = 0, SURFACE_KIOSK = 'K', SURFACE_BOARD = 'B' };

struct identity {
    enum surface surface;
    uint16_t lane; /* of a kiosk */
    char name[SESSION_NAME_MAX + 1];
    uint8_t role; /* of an account; 0: a token, which may do all that reception may */
    uint64_t id;  /* of the cookie, 0 for a bearer token */
};

int session_new(struct session **out, struct clock *clock);
void session_free(struct session **session);

/*
 * A token of a lane (or lane 0: of the board). -EINVAL: too short or too long, -EEXIST: the lane
 * has one already, or the same token opens another door, -ENOSPC.
 */
int session_add_token(struct session *session, uint16_t lane, const char *token, size_t len);
/* The first line of a file, blanks around it dropped. Before the cage. */
int session_add_token_file(struct session *session, uint16_t lane, const char *path);

/*
 * Whose token is it? Takes the same time for every wrong one. -EACCES: nobody's, -EAGAIN: too many
 * wrong tokens from that peer or altogether (nothing was compared; *wait_s tells how long).
 */
int session_check_token(struct session *session, uint32_t peer, const char *token, size_t len,
                        struct identity *out, unsigned *wait_s);

/* A Set-Cookie value for a fresh session. */
int session_cookie_make(struct session *session, const struct identity *identity, char *out,
                        size_t size);
/* A Set-Cookie value that takes it away. */
int session_cookie_clear(const struct identity *identity, char *out, size_t size);
/* Does the Cookie header hold a session of this surface (and lane)? 0 or -EACCES. */
int session_cookie_check(struct session *session, const char *header, enum surface surface,
                         uint16_t lane, struct identity *out);
void session_sign_out(struct session *session, const struct identity *identity);

/* ---- accounts -------------------------------------------------------------------------------- */

#define SESSION_ACCOUNTS_MAX                                                                       \
    128 /* open at once; the one that was idle longest goes for a new one */

/* The board is for accounts: no token opens it. idle_s: after that without anything done a session
 * is over. */
int session_use_accounts(struct session *session, unsigned idle_s);
bool session_has_accounts(const struct session *session);
/* Somebody has shown who it is. out->id is the new session's. */
int session_begin(struct session *session, const char *name, uint8_t role, uint32_t peer,
                  struct identity *out);
/* Something was done by hand in this session. */
void session_touch(struct session *session, uint64_t id);
/* Ends those of that name (an administrator's change of an account). */
void session_end_of(struct session *session, const char *name);

struct session_item {
    uint64_t id;
    const char *name;
    uint8_t role;
    uint32_t peer;
    unsigned age_s, idle_s;
};
/* Those that are open, newest first is not promised. */
void session_each(struct session *session, void (*each)(const struct session_item *item, void *arg),
                  void *arg);

/* Is there such a lane? */
bool session_has_lane(const struct session *session, uint16_t lane);

#endif
