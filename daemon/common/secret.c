#include "secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Layout: guard page, pages of the secret, guard page. */
static size_t pages_for(size_t size, size_t page)
{
    return (size + page - 1) / page * page;
}

int secret_new(struct secret *secret, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t body = pages_for(size > 0 ? size : 1, page);
    uint8_t *map;

    memset(secret, 0, sizeof(*secret));
    map = mmap(NULL, body + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return -ENOMEM;
    if (mprotect(map + page, body, PROT_READ | PROT_WRITE) != 0 || mlock(map + page, body) != 0 ||
        madvise(map + page, body, MADV_DONTDUMP) != 0 ||
        madvise(map + page, body, MADV_WIPEONFORK) != 0) {
        (void)munmap(map, body + 2 * page);
        return -ENOMEM;
    }
    secret->data = map + page;
    secret->size = size;
    return 0;
}

void secret_wipe(struct secret *secret)
{
    if (secret->data != NULL)
        explicit_bzero(secret->data, secret->size);
    secret->len = 0;
}

void secret_free(struct secret *secret)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (secret->data == NULL)
        return;
    secret_wipe(secret);
    (void)munmap(secret->data - page,
                 pages_for(secret->size > 0 ? secret->size : 1, page) + 2 * page);
    memset(secret, 0, sizeof(*secret));
}

int secret_set(struct secret *secret, const void *data, size_t len)
{
    if (len > secret->size)
        return -ENOSPC;
    secret_wipe(secret);
    if (len > 0)
        memcpy(secret->data, data, len);
    secret->len = len;
    return 0;
}

int secret_equal(const struct secret *a, const struct secret *b)
{
    return a->len == b->len && (a->len == 0 || CRYPTO_memcmp(a->data, b->data, a->len) == 0);
}

int secret_protect_process(void)
{
    const struct rlimit none = {0, 0};

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        return -errno;
    return 0;
}
