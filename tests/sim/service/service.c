#include "service.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

#define REQUEST_ID_MAX 64

static const struct route service_routes[] = {
    {"POST", "/oqs-api-pro/MSA12020/ILI12020SV01/auth", "auth", false, false, false, auth_handle},
    {"POST", "/oqs-api-pro/MSA01030/ILI01030SV01/search", "search", true, false, true,
     search_handle},
    {"POST", "/uketsuke-extension/v1/card_session", "card_session", true, false, true,
     card_session_handle},
    {"POST", "/uketsuke-extension/v1/register", "register", true, true, true, register_handle},
    {"POST", "/uketsuke-extension/v1/consents", "consents", true, true, true, consents_handle},
    {"POST", "/uketsuke-extension/v1/reference_number", "reference_number", true, true, true,
     reference_handle},
    {"POST", "/uketsuke-extension/v1/reference_bulk", "reference_bulk", true, true, true,
     reference_bulk_handle},
    {"POST", "/uketsuke-extension/v1/bulk", "bulk", true, false, true, bulk_handle},
    {"POST", "/uketsuke-extension/v1/tickets", "tickets", true, false, true, tickets_handle},
    {"POST", "/uketsuke-extension/v1/drugs", "drugs", true, false, true, drugs_handle},
    {"POST", "/uketsuke-extension/v1/checkup", "checkup", true, false, true, checkup_handle},
    {"GET", "/uketsuke-extension/v1/capabilities", "capabilities", true, false, false,
     capabilities_handle},
};

time_t service_now(const struct service *service)
{
    return time(NULL) + service->clock_offset;
}

const struct route *service_find_route(const char *method, const char *path, bool *known)
{
    *known = false;
    for (size_t i = 0; i < sizeof(service_routes) / sizeof(service_routes[0]); i++) {
        if (strcmp(service_routes[i].path, path) != 0)
            continue;
        *known = true;
        if (strcmp(service_routes[i].method, method) == 0)
            return &service_routes[i];
    }
    return NULL;
}

void service_reply_status(struct reply *reply, int status, const char *message)
{
    char text[8];

    snprintf(text, sizeof(text), "%d", status);
    json_decref(reply->body);
    reply->body = json_pack("{s:s, s:s}", "status", text, "msg", message);
    reply->status = status;
    snprintf(reply->outcome, sizeof(reply->outcome), "%s", message);
}

void reply_clear(struct reply *reply)
{
    json_decref(reply->body);
    json_decref(reply->effect);
    memset(reply, 0, sizeof(*reply));
}

static bool service_is_request_id(const char *id)
{
    size_t length = strlen(id);

    if (length == 0 || length > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (id[i] < 0x21 || id[i] > 0x7e)
            return false;
    }
    return true;
}

static bool service_digest(const struct request *request, char out[static 65])
{
    unsigned char digest[32];

    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, request->body, request->length, digest) < 0)
        return false;
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return true;
}

static void service_once_key(const struct request *request, char *out, size_t size)
{
    snprintf(out, size, "%s %s", request->path, request->request_id);
}

/* True when the request id was answered before: the reply is that answer, or a conflict. */
static bool service_repeat(struct service *service, const struct request *request,
                           const char *digest, struct reply *reply)
{
    char key[256];
    json_t *first;
    const char *before;

    service_once_key(request, key, sizeof(key));
    first = json_object_get(service->answered, key);
    if (first == NULL)
        return false;
    before = json_string_value(json_object_get(first, "digest"));
    if (before == NULL || strcmp(before, digest) != 0) {
        service_reply_status(reply, 409, "request id was used for another request");
        return true;
    }
    reply->status = (int)json_integer_value(json_object_get(first, "status"));
    reply->body = json_deep_copy(json_object_get(first, "answer"));
    reply->repeated = true;
    snprintf(reply->outcome, sizeof(reply->outcome), "repeated");
    return true;
}

static void service_apply(struct service *service, const json_t *effect)
{
    const char *person = json_string_value(json_object_get(effect, "person"));
    json_t *set = json_object_get(effect, "set");
    const char *key;
    json_t *value;

    if (person == NULL)
        return;
    json_object_foreach (set, key, value) {
        if (people_set(service->people, person, key, value) < 0)
            fprintf(stderr, "sim-service: cannot set %s of %s\n", key, person);
    }
}

static void service_remember(struct service *service, const struct request *request,
                             const char *digest, const struct reply *reply)
{
    char key[256];

    service_once_key(request, key, sizeof(key));
    json_object_set_new(service->answered, key,
                        json_pack("{s:s, s:i, s:O}", "digest", digest, "status", reply->status,
                                  "answer", reply->body));
}

static void service_act(struct service *service, const struct route *route, struct request *request,
                        struct reply *reply)
{
    bool once = route->once && request->request_id != NULL;
    char digest[65] = "";

    if (once && !service_digest(request, digest)) {
        service_reply_status(reply, 500, "no digest");
        return;
    }
    if (once && service_repeat(service, request, digest, reply))
        return;
    route->handle(service, request, reply);
    if (reply->effect != NULL)
        service_apply(service, reply->effect);
    if (once && reply->status == 200)
        service_remember(service, request, digest, reply);
}

void service_handle(struct service *service, const struct route *route, struct request *request,
                    struct reply *reply)
{
    json_t *parsed = NULL;

    if (request->request_id != NULL && !service_is_request_id(request->request_id)) {
        service_reply_status(reply, 400, "X-Request-Id is not 1 to 64 visible characters");
        return;
    }
    if (route->token) {
        request->account = account_find_token(service, request->authorization);
        if (request->account == NULL) {
            service_reply_status(reply, 401, "token is missing, unknown or expired");
            return;
        }
    }
    if (strcmp(route->method, "POST") == 0) {
        parsed = json_loadb(request->body, request->length, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(parsed)) {
            service_reply_status(reply, 400, "body is not a JSON object");
            json_decref(parsed);
            return;
        }
        request->json = parsed;
    }
    service_act(service, route, request, reply);
    request->json = NULL;
    json_decref(parsed);
}

void service_resume_line(void *arg, const json_t *line)
{
    struct service *service = arg;
    const char *path = json_string_value(json_object_get(line, "path"));
    const char *id = json_string_value(json_object_get(line, "request_id"));
    const char *nonce = json_string_value(json_object_get(line, "nonce"));
    json_t *first = json_object_get(line, "first_answer");
    json_t *effect = json_object_get(line, "effect");

    if (effect != NULL)
        service_apply(service, effect);
    if (path != NULL && id != NULL && first != NULL) {
        char key[256];

        snprintf(key, sizeof(key), "%s %s", path, id);
        json_object_set(service->answered, key, first);
    }
    if (nonce != NULL)
        json_object_set_new(service->nonces, nonce,
                            json_pack("{s:s, s:O?, s:b}", "id", id != NULL ? id : "", "time",
                                      json_object_get(line, "clock"), "open",
                                      json_is_true(json_object_get(line, "nonce_open"))));
}
