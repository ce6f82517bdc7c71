#include "guest.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (1u << 20)

struct http {
    CURL *curls[2]; /* a browser each: the board's keeps its cookie */
    char *base;
    char *tokens[2];
    bool signed_in; /* the board: a session with a name, as a receptionist has it */
};

struct body {
    char *data;
    size_t len;
};

static size_t take(char *data, size_t size, size_t n, void *arg)
{
    struct body *body = arg;
    size_t len = size * n;
    char *grown;

    if (body->len + len > BODY_MAX)
        return 0;
    grown = realloc(body->data, body->len + len + 1);
    if (grown == NULL)
        return 0;
    body->data = grown;
    memcpy(body->data + body->len, data, len);
    body->len += len;
    body->data[body->len] = '\0';
    return len;
}

struct http *http_new(const char *base_url, const char *kiosk_token, const char *staff_token)
{
    struct http *http = calloc(1, sizeof(*http));

    if (http == NULL)
        return NULL;
    http->curls[KIOSK] = curl_easy_init();
    http->curls[BOARD] = curl_easy_init();
    http->base = strdup(base_url);
    http->tokens[KIOSK] = strdup(kiosk_token);
    http->tokens[BOARD] = strdup(staff_token);
    if (http->curls[KIOSK] == NULL || http->curls[BOARD] == NULL || http->base == NULL ||
        http->tokens[KIOSK] == NULL || http->tokens[BOARD] == NULL)
        http_free(&http);
    return http;
}

void http_free(struct http **http)
{
    if (*http == NULL)
        return;
    curl_easy_cleanup((*http)->curls[KIOSK]);
    curl_easy_cleanup((*http)->curls[BOARD]);
    free((*http)->base);
    free((*http)->tokens[KIOSK]);
    free((*http)->tokens[BOARD]);
    free(*http);
    *http = NULL;
}

static json_t *ask(struct http *http, enum surface surface, const char *path, json_t *send,
                   long *status)
{
    CURL *curl = http->curls[surface];
    struct curl_slist *headers = NULL;
    struct body body = {NULL, 0};
    char url[512], line[512];
    char *text = NULL;
    json_t *answer = NULL;

    *status = 0;
    (void)snprintf(url, sizeof(url), "%s%s", http->base, path);
    if (surface == KIOSK)
        (void)snprintf(line, sizeof(line), "Authorization: Bearer %s", http->tokens[KIOSK]);
    else
        (void)snprintf(line, sizeof(line), "Origin: %s", http->base);
    headers = curl_slist_append(headers, line);
    headers =
        curl_slist_append(headers, surface == KIOSK ? "X-Uketsuke: kiosk" : "X-Uketsuke: board");
    headers = curl_slist_append(headers, "Content-Type: application/json");
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_COOKIEFILE, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 15000L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    if (send != NULL) {
        text = json_dumps(send, JSON_COMPACT);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
        json_decref(send);
    }
    if (curl_easy_perform(curl) == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
        if (body.data != NULL)
            answer = json_loadb(body.data, body.len, 0, NULL);
    }
    curl_slist_free_all(headers);
    free(text);
    free(body.data);
    return answer;
}

json_t *http_ask(struct http *http, enum surface surface, const char *path, json_t *send,
                 long *status)
{
    if (surface == BOARD && !http->signed_in) {
        json_decref(ask(http, BOARD, "/api/session",
                        json_pack("{s:s, s:s}", "token", http->tokens[BOARD], "name", "受付 花子"),
                        status));
        http->signed_in = *status == 200;
    }
    return ask(http, surface, path, send, status);
}
