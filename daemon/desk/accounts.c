#include "accounts.h"

#include "../common/ipc.h"
#include "../common/log.h"
#include "../store/accounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- locks ----------------------------------------------------------------------------------- */

/* Seconds until the next attempt. A clock that stepped back must not lock for years. */
static uint32_t locked_s(const struct accounts *a, const struct store_account *account)
{
    int64_t left = account->locked_until_us - (int64_t)clock_realtime_us(a->clock);
    int64_t most = (int64_t)ACCOUNTS_LONGEST_LOCK_S * 1000000;

    if (left <= 0)
        return 0;
    return (uint32_t)(((left < most ? left : most) + 999999) / 1000000);
}

/* After the free attempts a minute, then twice as long each time. */
static int64_t lock_of(uint32_t failures)
{
    int64_t seconds = ACCOUNTS_FIRST_LOCK_S;

    if (failures < ACCOUNTS_FREE_ATTEMPTS)
        return 0;
    for (uint32_t i = ACCOUNTS_FREE_ATTEMPTS; i < failures && seconds < ACCOUNTS_LONGEST_LOCK_S;
         i++)
        seconds *= 2;
    return (seconds < ACCOUNTS_LONGEST_LOCK_S ? seconds : ACCOUNTS_LONGEST_LOCK_S) * 1000000;
}

/* ---- one durable step: the account and its audit row ----------------------------------------- */

static int save(struct accounts *a, struct store_account *account, const char *event,
                const char *who, const char *detail)
{
    int r = store_begin(a->store);

    if (r == 0)
        r = store_account_put(a->store, account);
    if (r == 0)
        r = store_audit(a->store, event, 0, 0, who, detail);
    if (r == 0)
        r = store_commit(a->store);
    if (r < 0)
        store_rollback(a->store);
    return r;
}

static int discard(struct accounts *a, const char *name, const char *who)
{
    int r = store_begin(a->store);

    if (r == 0)
        r = store_account_delete(a->store, name);
    if (r == 0)
        r = store_audit(a->store, "account_removed", 0, 0, who, "");
    if (r == 0)
        r = store_commit(a->store);
    if (r < 0)
        store_rollback(a->store);
    return r;
}

/* ---- signing in ------------------------------------------------------------------------------ */

void accounts_query(struct accounts *a, const struct msg_account_query *query,
                    struct msg_account *out)
{
    struct store_account account;

    memset(out, 0, sizeof(*out));
    out->request = query->request;
    if (store_account_get(a->store, query->name, &account) < 0)
        return;
    out->found = 1;
    out->role = account.role;
    out->state = account.state;
    out->epoch = account.epoch;
    out->locked_s = locked_s(a, &account);
    out->totp_step = account.totp_step;
    (void)MESSAGE_TEXT(out->proof, account.proof);
    memcpy(out->totp.data, account.totp, account.totp_len);
    out->totp.len = account.totp_len;
    explicit_bzero(&account, sizeof(account));
}

static void count_wrong(struct accounts *a, struct store_account *account,
                        struct msg_account_result *out)
{
    int64_t lock;

    account->failures += account->failures < UINT32_MAX;
    lock = lock_of(account->failures);
    if (lock > 0)
        account->locked_until_us = (int64_t)clock_realtime_us(a->clock) + lock;
    out->failure = save(a, account, "sign_in_failed", account->name, lock > 0 ? "locked" : "") < 0
                       ? FAILURE_DESK_STORE
                   : lock > 0 ? FAILURE_ACCOUNT_LOCKED
                              : FAILURE_ACCOUNT_WRONG;
    out->locked_s = locked_s(a, account);
}

void accounts_sign_in(struct accounts *a, const struct msg_sign_in *how,
                      struct msg_account_result *out)
{
    struct store_account account;

    memset(out, 0, sizeof(*out));
    out->request = how->request;
    out->failure = FAILURE_ACCOUNT_WRONG;
    if (store_account_get(a->store, how->name, &account) < 0) {
        /* Nobody of that name: in the log without the name, which may be a password in the wrong
         * field. */
        if (store_audit(a->store, "sign_in_failed", 0, 0, "", "unknown") < 0)
            out->failure = FAILURE_DESK_STORE;
        return;
    }
    out->locked_s = locked_s(a, &account);
    if (out->locked_s > 0) {
        out->failure = FAILURE_ACCOUNT_LOCKED;
    } else if (account.state == ACCOUNT_SETUP && how->result == SIGN_IN_GOOD) {
        out->failure = FAILURE_ACCOUNT_NOT_SET_UP;
    } else if (how->result != SIGN_IN_GOOD || account.state != ACCOUNT_ACTIVE ||
               how->epoch != account.epoch || how->totp_step <= account.totp_step) {
        count_wrong(a, &account, out);
    } else {
        account.failures = 0;
        account.locked_until_us = 0;
        account.totp_step = how->totp_step;
        if (save(a, &account, "signed_in", account.name, "") < 0) {
            out->failure = FAILURE_DESK_STORE;
        } else {
            out->failure = FAILURE_NONE;
            out->accepted = 1;
            out->epoch = account.epoch;
        }
    }
    explicit_bzero(&account, sizeof(account));
}

/* ---- changes --------------------------------------------------------------------------------- */

struct others {
    const char *name;
    unsigned administrators, all;
};

static int count_other(const struct store_account *account, void *arg)
{
    struct others *others = arg;

    others->all++;
    if (strcmp(account->name, others->name) != 0 && account->role == ROLE_ADMINISTRATOR &&
        account->state == ACCOUNT_ACTIVE)
        others->administrators++;
    return 0;
}

/* Somebody must be left who can let others in. Only one who has been set up counts. */
static bool last_administrator(struct accounts *a, const struct store_account *account)
{
    struct others others = {.name = account->name};

    if (account->role != ROLE_ADMINISTRATOR || account->state != ACCOUNT_ACTIVE)
        return false;
    return store_accounts(a->store, count_other, &others) < 0 || others.administrators == 0;
}

static bool is_role(uint8_t role)
{
    return role >= ROLE_RECEPTION && role <= ROLE_ADMINISTRATOR;
}

static bool is_argon2id(const char *proof)
{
    return strncmp(proof, "$argon2id$", 10) == 0;
}

static bool is_setup(const char *proof)
{
    return strncmp(proof, "setup:", 6) == 0 && strlen(proof) == 6 + 64 &&
           strspn(proof + 6, "0123456789abcdef") == 64;
}

/* Printable, not blank at either end, no control characters: it is shown and spoken. */
static bool is_name(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || name[0] == ' ' || name[len - 1] == ' ')
        return false;
    for (const unsigned char *p = (const unsigned char *)name; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}

static const char *wrong_field(const struct msg_account_change *change)
{
    bool code = change->what == ACCOUNT_NEW || change->what == ACCOUNT_RESET;
    bool password = change->what == ACCOUNT_SET_UP || change->what == ACCOUNT_PASSWORD;

    if (change->what < ACCOUNT_NEW || change->what > ACCOUNT_REMOVE)
        return "what";
    if (!is_name(change->name))
        return "name";
    if ((change->what == ACCOUNT_NEW || change->what == ACCOUNT_ROLE) && !is_role(change->role))
        return "role";
    if ((code && !is_setup(change->proof)) || (password && !is_argon2id(change->proof)))
        return "proof";
    if (password && change->totp.len < 16)
        return "totp";
    if (change->staff[0] == '\0')
        return "staff";
    return NULL;
}

static void take_proof(struct store_account *account, const struct msg_account_change *change,
                       uint8_t state)
{
    (void)MESSAGE_TEXT(account->proof, change->proof);
    account->totp_len = (uint8_t)change->totp.len;
    memcpy(account->totp, change->totp.data, change->totp.len);
    account->state = state;
    account->failures = 0;
    account->locked_until_us = 0;
    account->totp_step = 0;
}

static int make_new(struct accounts *a, const struct msg_account_change *change)
{
    struct store_account account = {.role = change->role};
    struct others others = {.name = change->name};
    int r = store_accounts(a->store, count_other, &others);

    if (r == 0 && others.all >= ACCOUNTS_MOST)
        r = -EPERM;
    if (r == 0) {
        (void)MESSAGE_TEXT(account.name, change->name);
        take_proof(&account, change, ACCOUNT_SETUP);
        r = save(a, &account, "account_made", change->staff, "");
    }
    explicit_bzero(&account, sizeof(account));
    return r;
}

/* -EPERM: not possible as the account stands. */
static int change_it(struct accounts *a, struct store_account *account,
                     const struct msg_account_change *change)
{
    static const char *const events[] = {
        [ACCOUNT_SET_UP] = "account_set_up",    [ACCOUNT_PASSWORD] = "account_password",
        [ACCOUNT_RESET] = "account_reset",      [ACCOUNT_ROLE] = "account_role",
        [ACCOUNT_DISABLE] = "account_disabled", [ACCOUNT_ENABLE] = "account_enabled",
    };

    switch ((enum account_change)change->what) {
    case ACCOUNT_SET_UP: /* the code that web judged must still be the one that stands here */
        if (account->state != ACCOUNT_SETUP || change->epoch != account->epoch ||
            locked_s(a, account) > 0)
            return -EPERM;
        take_proof(account, change, ACCOUNT_ACTIVE);
        break;
    case ACCOUNT_PASSWORD:
        if (account->state != ACCOUNT_ACTIVE || change->epoch != account->epoch)
            return -EPERM;
        take_proof(account, change, ACCOUNT_ACTIVE);
        break;
    case ACCOUNT_RESET:
        if (last_administrator(a, account) && strcmp(change->staff, account->name) == 0)
            return -EPERM; /* whoever locks the last door from inside stays inside */
        take_proof(account, change, ACCOUNT_SETUP);
        break;
    case ACCOUNT_ROLE:
        if (change->role != ROLE_ADMINISTRATOR && last_administrator(a, account))
            return -EPERM;
        account->role = change->role;
        break;
    case ACCOUNT_DISABLE:
        if (account->state != ACCOUNT_ACTIVE || last_administrator(a, account))
            return -EPERM;
        account->state = ACCOUNT_DISABLED;
        break;
    case ACCOUNT_ENABLE:
        if (account->state != ACCOUNT_DISABLED)
            return -EPERM;
        account->state = ACCOUNT_ACTIVE;
        break;
    case ACCOUNT_NEW:
    case ACCOUNT_REMOVE:
        return -EINVAL;
    }
    account->epoch++; /* sessions that are open end */
    return save(a, account, events[change->what], change->staff, "");
}

void accounts_change(struct accounts *a, const struct msg_account_change *change,
                     struct msg_account_result *out)
{
    const char *wrong = wrong_field(change);
    struct store_account account;
    int r;

    memset(out, 0, sizeof(*out));
    out->request = change->request;
    if (wrong != NULL) {
        out->failure = FAILURE_LOOKUP_FORMAT;
        (void)MESSAGE_TEXT(out->field, wrong);
        return;
    }
    r = store_account_get(a->store, change->name, &account);
    if (change->what == ACCOUNT_NEW)
        r = r == -ENOENT ? make_new(a, change) : r == 0 ? -EPERM : r;
    else if (r == 0 && change->what == ACCOUNT_REMOVE)
        r = last_administrator(a, &account) ? -EPERM : discard(a, change->name, change->staff);
    else if (r == 0)
        r = change_it(a, &account, change);
    out->accepted = r == 0;
    out->epoch = account.epoch;
    out->failure = r == 0                        ? FAILURE_NONE
                   : r == -EPERM || r == -ENOENT ? FAILURE_ACCOUNT_REFUSED
                                                 : FAILURE_DESK_STORE;
    explicit_bzero(&account, sizeof(account));
}

/* ---- messages -------------------------------------------------------------------------------- */

struct listing {
    struct accounts *accounts;
    struct ipc *ipc;
    uint32_t request, count;
};

static int tell_one(const struct store_account *account, void *arg)
{
    struct listing *listing = arg;
    struct msg_account_item item = {.request = listing->request,
                                    .role = account->role,
                                    .state = account->state,
                                    .locked_s = locked_s(listing->accounts, account),
                                    .failures = account->failures,
                                    .changed = account->changed_us / 1000000};

    (void)MESSAGE_TEXT(item.name, account->name);
    listing->count++;
    return ipc_send(listing->ipc, MSG_ACCOUNT_ITEM, &item) < 0;
}

static void list(struct accounts *a, struct ipc *ipc, const struct msg_accounts_query *query)
{
    struct listing listing = {a, ipc, query->request, 0};
    struct msg_accounts_end end = {.request = query->request};

    if (store_accounts(a->store, tell_one, &listing) < 0)
        log_event(LOG_LEVEL_ERROR, "accounts cannot be read");
    end.count = listing.count;
    (void)ipc_send(ipc, MSG_ACCOUNTS_END, &end);
}

bool accounts_message(void *accounts, struct ipc *ipc, const struct message *message)
{
    struct accounts *a = accounts;
    const union message_body *body = &message->body;
    struct msg_account_result result;
    struct msg_account account;

    switch (message->type) {
    case MSG_ACCOUNT_QUERY:
        accounts_query(a, &body->account_query, &account);
        (void)ipc_send(ipc, MSG_ACCOUNT, &account);
        explicit_bzero(&account, sizeof(account));
        return true;
    case MSG_SIGN_IN:
        accounts_sign_in(a, &body->sign_in, &result);
        break;
    case MSG_ACCOUNT_CHANGE:
        accounts_change(a, &body->account_change, &result);
        break;
    case MSG_ACCOUNTS_QUERY:
        list(a, ipc, &body->accounts_query);
        return true;
    default:
        return false;
    }
    (void)ipc_send(ipc, MSG_ACCOUNT_RESULT, &result);
    return true;
}
