/* The auth call: user id and password against an id token that ends. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "service.h"

#define TOKEN_BYTES 32

static bool auth_make_token(char out[static 2 * TOKEN_BYTES + 1])
{
    unsigned char bytes[TOKEN_BYTES];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

static void auth_purge(struct service *service)
{
    time_t now = service_now(service);
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe (service->tokens, next, key, value) {
        if (json_integer_value(json_object_get(value, "expires")) <= now)
            (void)json_object_del(service->tokens, key);
    }
}

const json_t *account_find_token(struct service *service, const char *token)
{
    const json_t *list = json_object_get(service->accounts, "accounts");
    const json_t *entry = token != NULL ? json_object_get(service->tokens, token) : NULL;

    if (entry == NULL ||
        json_integer_value(json_object_get(entry, "expires")) <= service_now(service))
        return NULL;
    return json_array_get(list, (size_t)json_integer_value(json_object_get(entry, "account")));
}

/* The names of the two fields are not public: the accounts file says which are wanted. */
static const char *auth_field(const struct service *service, const struct request *request,
                              const char *which)
{
    const json_t *fields = json_object_get(service->accounts, "fields");
    const char *name = json_string_value(json_object_get(fields, which));

    return name != NULL ? json_string_value(json_object_get(request->json, name)) : NULL;
}

static bool auth_equal(const json_t *account, const char *key, const char *given)
{
    const char *value = json_string_value(json_object_get(account, key));

    return value != NULL && given != NULL && strcmp(value, given) == 0;
}

static void auth_grant(struct service *service, size_t index, const json_t *account,
                       struct reply *reply)
{
    char id[2 * TOKEN_BYTES + 1];
    char access[2 * TOKEN_BYTES + 1];
    char refresh[2 * TOKEN_BYTES + 1];
    const char *link = json_string_value(json_object_get(account, "linkSysCharCd"));

    if (!auth_make_token(id) || !auth_make_token(access) || !auth_make_token(refresh)) {
        service_reply_status(reply, 500, "no random numbers");
        return;
    }
    auth_purge(service);
    json_object_set_new(service->tokens, id,
                        json_pack("{s:I, s:I}", "account", (json_int_t)index, "expires",
                                  (json_int_t)(service_now(service) + service->token_seconds)));
    service_reply_status(reply, 200, "OK");
    json_object_set_new(reply->body, "result",
                        json_pack("{s:s, s:s, s:s, s:s}", "accessToken", access, "refreshToken",
                                  refresh, "idToken", id, "linkSysCharCd",
                                  link != NULL ? link : "0"));
    snprintf(reply->outcome, sizeof(reply->outcome), "granted");
}

void auth_handle(struct service *service, const struct request *request, struct reply *reply)
{
    const json_t *list = json_object_get(service->accounts, "accounts");
    const char *user = auth_field(service, request, "user");
    const char *password = auth_field(service, request, "password");

    snprintf(reply->subject, sizeof(reply->subject), "user:%s", user != NULL ? user : "");
    if (user == NULL || password == NULL) {
        service_reply_status(reply, 400, "user id or password is missing");
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *account = json_array_get(list, i);

        if (auth_equal(account, "user", user) && auth_equal(account, "password", password)) {
            auth_grant(service, i, account, reply);
            return;
        }
    }
    service_reply_status(reply, 401, "user id or password is wrong");
}
