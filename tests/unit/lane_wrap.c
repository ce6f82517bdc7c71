#include "lane_wrap.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "sim_usb.h"

static struct {
    bool armed;
    enum lane_wrap_kind kind;
    unsigned n, calls;
    const char *failed;
    long live, live_inside;
} wraps;

static bool fails(enum lane_wrap_kind kind, const char *name)
{
    if (!wraps.armed || wraps.kind != kind || sim_usb_inside > 0 || ++wraps.calls != wraps.n)
        return false;
    wraps.failed = name;
    if (kind == LANE_WRAP_LIBRARY)
        ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);
    return true;
}

void lane_wrap_arm(enum lane_wrap_kind kind, unsigned n)
{
    wraps.kind = kind;
    wraps.n = n;
    wraps.calls = 0;
    wraps.failed = NULL;
    wraps.armed = true;
}

unsigned lane_wrap_disarm(const char **name)
{
    wraps.armed = false;
    *name = wraps.failed;
    return wraps.calls;
}

long lane_wrap_live(void)
{
    OPENSSL_thread_stop(); /* its list of errors */
    return wraps.live + wraps.live_inside;
}

/* -- memory: what is taken while the device is at work is the device's, and never counted ------ */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *block);

void *__wrap_malloc(size_t size)
{
    void *block = fails(LANE_WRAP_MEMORY, "malloc") ? NULL : __real_malloc(size);

    wraps.live += block != NULL && sim_usb_inside == 0;
    return block;
}

void *__wrap_calloc(size_t count, size_t size)
{
    void *block = fails(LANE_WRAP_MEMORY, "calloc") ? NULL : __real_calloc(count, size);

    wraps.live += block != NULL && sim_usb_inside == 0;
    return block;
}

void __wrap_free(void *block)
{
    wraps.live -= block != NULL && sim_usb_inside == 0;
    __real_free(block);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

char *__wrap_strdup(const char *text)
{
    char *copy = fails(LANE_WRAP_MEMORY, "strdup") ? NULL : __real_strdup(text);

    wraps.live += copy != NULL && sim_usb_inside == 0;
    return copy;
}

static void *inside_malloc(size_t size, const char *file, int line)
{
    void *block;

    (void)line;
    if (fails(LANE_WRAP_INSIDE, file != NULL ? file : "library"))
        return NULL;
    block = __real_malloc(size);
    wraps.live_inside += block != NULL;
    return block;
}

static void *inside_realloc(void *old, size_t size, const char *file, int line)
{
    void *block;

    (void)line;
    if (size > 0 && fails(LANE_WRAP_INSIDE, file != NULL ? file : "library"))
        return NULL;
    block = realloc(old, size);
    wraps.live_inside += (old == NULL && block != NULL) - (old != NULL && size == 0);
    return block;
}

static void inside_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    wraps.live_inside -= block != NULL;
    __real_free(block);
}

void lane_wrap_prepare(void)
{
    if (CRYPTO_set_mem_functions(inside_malloc, inside_realloc, inside_free) != 1)
        abort();
}

/* -- the rest: name, what it returns, its parameters, how it fails ----------------------------- */

#define WRAP(kind, type, name, parameters, arguments, failure)                                     \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        if (fails(LANE_WRAP_##kind, #name)) {                                                      \
            errno = ENOMEM;                                                                        \
            return failure;                                                                        \
        }                                                                                          \
        return __real_##name arguments;                                                            \
    }

WRAP(MEMORY, void *, mmap, (void *at, size_t len, int prot, int flags, int fd, off_t offset),
     (at, len, prot, flags, fd, offset), MAP_FAILED)
WRAP(MEMORY, int, mlock, (const void *at, size_t len), (at, len), -1)
WRAP(MEMORY, int, memfd_create, (const char *name, unsigned flags), (name, flags), -1)
WRAP(MEMORY, ssize_t, getrandom, (void *out, size_t len, unsigned flags), (out, len, flags), -1)

WRAP(LIBRARY, EVP_MD_CTX *, EVP_MD_CTX_new, (void), (), NULL)
WRAP(LIBRARY, int, EVP_Digest,
     (const void *data, size_t count, unsigned char *md, unsigned *size, const EVP_MD *type,
      ENGINE *impl),
     (data, count, md, size, type, impl), 0)
WRAP(LIBRARY, int, EVP_DigestInit_ex, (EVP_MD_CTX * ctx, const EVP_MD *type, ENGINE *impl),
     (ctx, type, impl), 0)
WRAP(LIBRARY, int, EVP_DigestUpdate, (EVP_MD_CTX * ctx, const void *data, size_t len),
     (ctx, data, len), 0)
WRAP(LIBRARY, int, EVP_DigestFinal_ex, (EVP_MD_CTX * ctx, unsigned char *md, unsigned *size),
     (ctx, md, size), 0)
WRAP(LIBRARY, int, EVP_DigestVerifyInit,
     (EVP_MD_CTX * ctx, EVP_PKEY_CTX **pctx, const EVP_MD *type, ENGINE *e, EVP_PKEY *pkey),
     (ctx, pctx, type, e, pkey), 0)
WRAP(LIBRARY, int, EVP_DigestVerify,
     (EVP_MD_CTX * ctx, const unsigned char *sig, size_t sig_len, const unsigned char *tbs,
      size_t tbs_len),
     (ctx, sig, sig_len, tbs, tbs_len), -1)
WRAP(LIBRARY, EVP_PKEY_CTX *, EVP_PKEY_CTX_new, (EVP_PKEY * pkey, ENGINE *e), (pkey, e), NULL)
WRAP(LIBRARY, EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_name,
     (OSSL_LIB_CTX * lib, const char *name, const char *query), (lib, name, query), NULL)
WRAP(LIBRARY, int, EVP_PKEY_CTX_set_rsa_padding, (EVP_PKEY_CTX * ctx, int mode), (ctx, mode), 0)
WRAP(LIBRARY, int, EVP_PKEY_verify_recover_init, (EVP_PKEY_CTX * ctx), (ctx), 0)
WRAP(LIBRARY, int, EVP_PKEY_verify_recover,
     (EVP_PKEY_CTX * ctx, unsigned char *out, size_t *out_len, const unsigned char *sig,
      size_t sig_len),
     (ctx, out, out_len, sig, sig_len), 0)
WRAP(LIBRARY, int, EVP_PKEY_fromdata_init, (EVP_PKEY_CTX * ctx), (ctx), 0)
WRAP(LIBRARY, int, EVP_PKEY_fromdata,
     (EVP_PKEY_CTX * ctx, EVP_PKEY **key, int selection, OSSL_PARAM *params),
     (ctx, key, selection, params), 0)
WRAP(LIBRARY, OSSL_PARAM_BLD *, OSSL_PARAM_BLD_new, (void), (), NULL)
WRAP(LIBRARY, int, OSSL_PARAM_BLD_push_BN,
     (OSSL_PARAM_BLD * bld, const char *key, const BIGNUM *bn), (bld, key, bn), 0)
WRAP(LIBRARY, int, OSSL_PARAM_BLD_push_utf8_string,
     (OSSL_PARAM_BLD * bld, const char *key, const char *buf, size_t len), (bld, key, buf, len), 0)
WRAP(LIBRARY, int, OSSL_PARAM_BLD_push_octet_string,
     (OSSL_PARAM_BLD * bld, const char *key, const void *buf, size_t len), (bld, key, buf, len), 0)
WRAP(LIBRARY, OSSL_PARAM *, OSSL_PARAM_BLD_to_param, (OSSL_PARAM_BLD * bld), (bld), NULL)
WRAP(LIBRARY, BIGNUM *, BN_bin2bn, (const unsigned char *s, int len, BIGNUM *ret), (s, len, ret),
     NULL)
WRAP(LIBRARY, X509 *, d2i_X509, (X509 * *out, const unsigned char **in, long len), (out, in, len),
     NULL)
WRAP(LIBRARY, int, i2d_X509_NAME, (const X509_NAME *name, unsigned char **out), (name, out), -1)
WRAP(LIBRARY, EVP_PKEY *, X509_get0_pubkey, (const X509 *x), (x), NULL)
WRAP(LIBRARY, int, X509_verify, (X509 * a, EVP_PKEY *r), (a, r), -1)
WRAP(LIBRARY, int, ASN1_TIME_to_tm, (const ASN1_TIME *s, struct tm *tm), (s, tm), 0)
WRAP(LIBRARY, EVP_PKEY *, EVP_PKEY_Q_keygen,
     (OSSL_LIB_CTX * lib, const char *query, const char *type, char *group),
     (lib, query, type, group), NULL)
WRAP(LIBRARY, int, EVP_PKEY_get_octet_string_param,
     (const EVP_PKEY *pkey, const char *key, unsigned char *buf, size_t max, size_t *out_len),
     (pkey, key, buf, max, out_len), 0)
WRAP(LIBRARY, int, EVP_PKEY_derive_init, (EVP_PKEY_CTX * ctx), (ctx), 0)
WRAP(LIBRARY, int, EVP_PKEY_derive_set_peer_ex, (EVP_PKEY_CTX * ctx, EVP_PKEY *peer, int validate),
     (ctx, peer, validate), 0)
WRAP(LIBRARY, int, EVP_PKEY_derive, (EVP_PKEY_CTX * ctx, unsigned char *key, size_t *len),
     (ctx, key, len), 0)
WRAP(LIBRARY, EVP_KDF *, EVP_KDF_fetch,
     (OSSL_LIB_CTX * lib, const char *algorithm, const char *properties),
     (lib, algorithm, properties), NULL)
WRAP(LIBRARY, EVP_KDF_CTX *, EVP_KDF_CTX_new, (EVP_KDF * kdf), (kdf), NULL)
WRAP(LIBRARY, int, EVP_KDF_derive,
     (EVP_KDF_CTX * ctx, unsigned char *key, size_t len, const OSSL_PARAM params[]),
     (ctx, key, len, params), 0)
WRAP(LIBRARY, EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, (void), (), NULL)
WRAP(LIBRARY, int, EVP_DecryptInit_ex,
     (EVP_CIPHER_CTX * ctx, const EVP_CIPHER *cipher, ENGINE *impl, const unsigned char *key,
      const unsigned char *iv),
     (ctx, cipher, impl, key, iv), 0)
WRAP(LIBRARY, int, EVP_DecryptUpdate,
     (EVP_CIPHER_CTX * ctx, unsigned char *out, int *out_len, const unsigned char *in, int len),
     (ctx, out, out_len, in, len), 0)
WRAP(LIBRARY, int, EVP_DecryptFinal_ex, (EVP_CIPHER_CTX * ctx, unsigned char *out, int *out_len),
     (ctx, out, out_len), 0)
WRAP(LIBRARY, int, EVP_CIPHER_CTX_ctrl, (EVP_CIPHER_CTX * ctx, int type, int arg, void *ptr),
     (ctx, type, arg, ptr), 0)
