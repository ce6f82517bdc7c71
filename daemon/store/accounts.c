#include "accounts.h"

#include "store_internal.h"

#include "../common/log.h"

#include <errno.h>
#include <string.h>

#define PLACE "accounts.payload"
#define PACKED_MAX (3 + ACCOUNT_NAME_MAX + ACCOUNT_PROOF_MAX + ACCOUNT_TOTP_MAX)

/* As with links: the keyed hash is the row's place, its first eight bytes bind the seal. */
static uint64_t row_of(const uint8_t hash[STORE_HASH])
{
    struct bytes_reader r;

    bytes_reader_init(&r, hash, STORE_HASH);
    return bytes_u64le(&r);
}

/* Names and cards share the key of look-ups; the words keep their hashes apart. */
static int hash_of(const struct store *store, const char *name, uint8_t out[STORE_HASH])
{
    char text[ACCOUNT_NAME_MAX + 16] = "account\n";
    size_t len = strlen(name);

    if (len == 0 || len > ACCOUNT_NAME_MAX)
        return -EINVAL;
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): its length goes along */
    memcpy(text + 8, name, len);
    return seal_subject(store, text, 8 + len, out);
}

static int pack(const struct store_account *account, struct bytes_writer *w)
{
    const struct {
        const void *data;
        size_t len, most;
    } parts[] = {
        {account->name, strnlen(account->name, sizeof(account->name)), ACCOUNT_NAME_MAX},
        {account->proof, strnlen(account->proof, sizeof(account->proof)), ACCOUNT_PROOF_MAX},
        {account->totp, account->totp_len, ACCOUNT_TOTP_MAX},
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].len > parts[i].most)
            return -EINVAL;
        bytes_put_u8(w, (uint8_t)parts[i].len);
        bytes_put(w, parts[i].data, parts[i].len);
    }
    return w->failed ? -EINVAL : 0;
}

static bool take(struct bytes_reader *in, void *out, size_t most, uint8_t *len)
{
    const uint8_t *data;

    *len = bytes_u8(in);
    data = bytes_take(in, *len);
    if (data == NULL || *len > most)
        return false;
    memcpy(out, data, *len);
    return true;
}

static int unpack(struct store_account *out, const uint8_t *data, size_t len)
{
    struct bytes_reader in;
    uint8_t n;

    bytes_reader_init(&in, data, len);
    if (!take(&in, out->name, ACCOUNT_NAME_MAX, &n) ||
        !take(&in, out->proof, ACCOUNT_PROOF_MAX, &n) ||
        !take(&in, out->totp, ACCOUNT_TOTP_MAX, &out->totp_len) || !bytes_done(&in))
        return -EBADMSG;
    return 0;
}

int store_account_put(struct store *store, struct store_account *account)
{
    uint8_t plain[PACKED_MAX], hash[STORE_HASH];
    uint8_t *sealed = NULL;
    size_t sealed_len = 0;
    struct bytes_writer w;
    struct statement s;
    int r = hash_of(store, account->name, hash);

    bytes_writer_init(&w, plain, sizeof(plain));
    if (r == 0)
        r = pack(account, &w);
    if (r == 0)
        r = seal_close(store, PLACE, row_of(hash), plain, w.used, &sealed, &sealed_len);
    explicit_bzero(plain, sizeof(plain));
    if (r < 0)
        return r;
    account->changed_us = (int64_t)clock_realtime_us(store->clock);
    statement_start(&s, store, QUERY_ACCOUNT_PUT);
    statement_blob(&s, hash, sizeof(hash));
    statement_int(&s, account->role);
    statement_int(&s, account->state);
    statement_int(&s, account->epoch);
    statement_int(&s, account->failures);
    statement_int(&s, account->locked_until_us);
    statement_int(&s, (int64_t)account->totp_step);
    statement_int(&s, account->changed_us);
    statement_blob(&s, sealed, sealed_len);
    r = statement_run(&s);
    seal_free(&sealed, sealed_len);
    return r;
}

static int read_row(struct statement *s, struct store_account *out)
{
    const uint8_t *hash, *sealed;
    uint8_t *plain = NULL;
    size_t hash_len, sealed_len, len = 0;
    uint64_t row;
    int r;

    memset(out, 0, sizeof(*out));
    hash = statement_get_blob(s, &hash_len);
    if (hash == NULL || hash_len != STORE_HASH)
        return -EBADMSG;
    row = row_of(hash);
    out->role = (uint8_t)statement_get_int(s);
    out->state = (uint8_t)statement_get_int(s);
    out->epoch = (uint32_t)statement_get_int(s);
    out->failures = (uint32_t)statement_get_int(s);
    out->locked_until_us = statement_get_int(s);
    out->totp_step = (uint64_t)statement_get_int(s);
    out->changed_us = statement_get_int(s);
    sealed = statement_get_blob(s, &sealed_len);
    r = statement_error(s);
    if (r == 0)
        r = seal_open(s->store, PLACE, row, sealed, sealed_len, &plain, &len);
    if (r == 0)
        r = unpack(out, plain, len);
    seal_free(&plain, len);
    return r;
}

int store_account_get(struct store *store, const char *name, struct store_account *out)
{
    uint8_t hash[STORE_HASH];
    struct statement s;
    int r = hash_of(store, name, hash);

    memset(out, 0, sizeof(*out));
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_ACCOUNT_GET);
    statement_blob(&s, hash, sizeof(hash));
    r = statement_step(&s);
    if (r > 0)
        r = read_row(&s, out);
    else if (r == 0)
        r = -ENOENT;
    if (r < 0)
        explicit_bzero(out, sizeof(*out));
    return statement_end(&s, r);
}

int store_account_delete(struct store *store, const char *name)
{
    uint8_t hash[STORE_HASH];
    struct statement s;
    int r = hash_of(store, name, hash);

    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_ACCOUNT_DELETE);
    statement_blob(&s, hash, sizeof(hash));
    r = statement_run(&s);
    return r == 0 && sqlite3_changes(store->db) != 1 ? -ENOENT : r;
}

int store_accounts(struct store *store, store_account_fn *each, void *arg)
{
    struct store_account account;
    struct statement s;
    int r;

    statement_start(&s, store, QUERY_ACCOUNTS_ALL);
    while ((r = statement_step(&s)) > 0) {
        r = read_row(&s, &account);
        if (r == -EBADMSG) {
            log_event(LOG_LEVEL_ERROR, "an account does not open and is left out");
            continue;
        }
        if (r < 0 || each(&account, arg) != 0)
            break;
    }
    explicit_bzero(&account, sizeof(account));
    return statement_end(&s, r < 0 ? r : 0);
}
