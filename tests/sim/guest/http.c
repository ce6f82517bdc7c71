#include "guest.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (1u << 20)

struct http {
    CURL *curl;
    char *base;
    char *tokens[2];
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
    http->curl = curl_easy_init();
    http->base = strdup(base_url);
    http->tokens[KIOSK] = strdup(kiosk_token);
    http->tokens[BOARD] = strdup(staff_token);
    if (http->curl == NULL || http->base == NULL || http->tokens[KIOSK] == NULL || http->tokens[BOARD] == NULL)
        http_free(&http);
    return http;
}

void http_free(struct http **http)
{
    if (*http == NULL)
        return;
    curl_easy_cleanup((*http)->curl);
    free((*http)->base);
    free((*http)->tokens[KIOSK]);
    free((*http)->tokens[BOARD]);
    free(*http);
    *http = NULL;
}

json_t *http_ask(struct http *http, enum surface surface, const char *path, json_t *send, long *status)
{
    struct curl_slist *headers = NULL;
    struct body body = {NULL, 0};
    char url[512], line[512];
    char *text = NULL;
    json_t *answer = NULL;

    *status = 0;
    (void)snprintf(url, sizeof(url), "%s%s", http->base, path);
    (void)snprintf(line, sizeof(line), "Authorization: Bearer %s", http->tokens[surface]);
    headers = curl_slist_append(headers, line);
    headers = curl_slist_append(headers, surface == KIOSK ? "X-Uketsuke: kiosk" : "X-Uketsuke: board");
    headers = curl_slist_append(headers, "Content-Type: application/json");
    curl_easy_reset(http->curl);
    curl_easy_setopt(http->curl, CURLOPT_URL, url);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, 15000L);
    curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, &body);
    if (send != NULL) {
        text = json_dumps(send, JSON_COMPACT);
        curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, text);
        json_decref(send);
    }
    if (curl_easy_perform(http->curl) == CURLE_OK) {
        curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, status);
        if (body.data != NULL)
            answer = json_loadb(body.data, body.len, 0, NULL);
    }
    curl_slist_free_all(headers);
    free(text);
    free(body.data);
    return answer;
}
