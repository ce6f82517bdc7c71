#include "hook.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_number(const char *name)
{
    static const char *const numbers[] = {"lane", "opened", "finished", "flags"};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (strcmp(numbers[i], name) == 0)
            return true;
    return false;
}

static int put_all(json_t *object, const struct xmlmsg *tree)
{
    int error = 0;

    for (const struct xmlmsg *c = xmlmsg_child(tree, NULL); c != NULL && error == 0;
         c = xmlmsg_next(c, NULL)) {
        const char *name = xmlmsg_name(c), *value = xmlmsg_value(c);
        json_t *json = value == NULL     ? json_object()
                       : is_number(name) ? json_integer(strtoll(value, NULL, 10))
                                         : json_string(value);

        if (json != NULL && value == NULL)
            error = put_all(json, c);
        if (json_object_set_new(object, name, json) != 0)
            error = -ENOMEM;
    }
    return error;
}

char *hook_body(const struct xmlmsg *tree, const char *id)
{
    json_t *object = json_object();
    char *text = NULL;

    if (object != NULL && strcmp(xmlmsg_name(tree), "hook") == 0 &&
        json_object_set_new(object, "id", json_string(id)) == 0 && put_all(object, tree) == 0)
        text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(object);
    return text;
}

int hook_sign(const struct secret *key, const void *body, size_t len, char out[HOOK_SIGNATURE_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    int n = snprintf(out, HOOK_SIGNATURE_SIZE, "sha256=");

    if (HMAC(EVP_sha256(), key->data, (int)key->len, body, len, digest, &size) == NULL ||
        size != 32)
        return -EIO;
    for (unsigned i = 0; i < size; i++)
        (void)snprintf(out + n + 2 * i, 3, "%02x", digest[i]);
    return 0;
}
