#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer.h"

#define BODY_MAX (256u * 1024u)
#define DISCARD_MAX (8u * 1024u * 1024u)
#define IDLE_SECONDS 60u
#define CONNECTIONS_MAX 512u
#define BLOCK_SIZE (64u * 1024u)
#define ELSEWHERE "https://elsewhere.invalid/oqs-api-pro/"
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct server {
    struct service *service;
    struct server_files files;
    struct MHD_Daemon *daemon;
    int socket; /* bound; listens only while up */
    uint16_t port;
    pthread_mutex_t pause_lock;
    pthread_cond_t pause_wake;
    bool stopping; /* guarded by pause_lock */
};

/* One connection: was there a request at all, or did it end in the TLS handshake? */
struct connection {
    bool asked;
};

struct exchange {
    struct server *server;
    struct timespec start;
    char *body;
    size_t length;
    size_t discarded;
    const char *path; /* of the request, valid while it lasts */
    const char *method;
    bool logged;
};

/* An answer on its way, owned by libmicrohttpd's response. */
struct transfer {
    struct server *server;
    int fd;
    char *text;
    size_t length;
    enum behaviour_transfer how;
    long number;
};

static bool server_pause(struct server *server, long milliseconds)
{
    struct timespec until;
    bool stopping;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += milliseconds / 1000;
    until.tv_nsec += (milliseconds % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&server->pause_lock);
    while (!server->stopping) {
        if (pthread_cond_timedwait(&server->pause_wake, &server->pause_lock, &until) != 0)
            break;
    }
    stopping = server->stopping;
    pthread_mutex_unlock(&server->pause_lock);
    return !stopping;
}

static int server_socket(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info;

    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != NULL ? info->connect_fd : -1;
}

static gnutls_session_t server_session(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info;

    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info != NULL ? (gnutls_session_t)info->tls_session : NULL;
}

/* On Linux, connecting a TCP socket to nowhere drops its connection with a reset at once. */
static void server_reset(int fd)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    (void)connect(fd, &nowhere, sizeof(nowhere));
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static int server_verify_client(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose;
    unsigned status = 0;

    memset(&purpose, 0, sizeof(purpose));
    purpose.type = GNUTLS_DT_KEY_PURPOSE_OID;
    purpose.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT;
    if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) >= 0 && status == 0)
        return 0;
    gnutls_alert_send(session, GNUTLS_AL_FATAL,
                      (status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0 ? GNUTLS_A_UNKNOWN_CA
                                                                   : GNUTLS_A_BAD_CERTIFICATE);
    return GNUTLS_E_CERTIFICATE_ERROR;
}

/*
 * libmicrohttpd closes a failed handshake without a word. A service says why, so that a client can
 * tell a refused certificate from a dead host; hence the alert from here, before GnuTLS gives up.
 */
static int server_check_certificate_message(gnutls_session_t session, unsigned type, unsigned when,
                                            unsigned incoming, const gnutls_datum_t *message)
{
    bool tls13 = gnutls_protocol_get_version(session) == GNUTLS_TLS1_3;
    /* Before the list of certificates: an empty request context in TLS 1.3, nothing in 1.2. */
    unsigned empty = tls13 ? 4 : 3;

    (void)type;
    (void)when;
    if (incoming == 0 || message->size > empty)
        return 0;
    gnutls_alert_send(session, GNUTLS_AL_FATAL,
                      tls13 ? GNUTLS_A_CERTIFICATE_REQUIRED : GNUTLS_A_HANDSHAKE_FAILURE);
    return GNUTLS_E_NO_CERTIFICATE_FOUND;
}

/* The common name of the client's certificate, for the ledger. */
static void server_client_name(gnutls_session_t session, char *out, size_t size)
{
    const gnutls_datum_t *chain;
    gnutls_x509_crt_t certificate = NULL;
    unsigned count = 0;
    size_t length = size;

    out[0] = '\0';
    chain = session != NULL ? gnutls_certificate_get_peers(session, &count) : NULL;
    if (chain == NULL || count == 0 || gnutls_x509_crt_init(&certificate) < 0)
        return;
    if (gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER) < 0 ||
        gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, out,
                                      &length) < 0)
        out[0] = '\0';
    gnutls_x509_crt_deinit(certificate);
}

/* ---- ledger ---------------------------------------------------------------------------------- */

static json_t *server_make_line(const struct service *service, const char *kind)
{
    struct timespec now;
    struct tm tm;
    char date[32];
    char text[48];

    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &tm) == NULL)
        return NULL;
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, sizeof(text), "%s.%03ldZ", date, now.tv_nsec / 1000000L);
    return json_pack("{s:s, s:I, s:s}", "time", text, "clock", (json_int_t)service_now(service),
                     "kind", kind);
}

static void server_log_connection(struct server *server, const char *outcome)
{
    json_t *line;

    pthread_mutex_lock(&server->service->lock);
    line = server_make_line(server->service, "connection");
    if (line != NULL) {
        json_object_set_new(line, "outcome", json_string(outcome));
        (void)ledger_append(server->service->ledger, line);
    }
    pthread_mutex_unlock(&server->service->lock);
    json_decref(line);
}

static json_int_t server_elapsed_us(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (json_int_t)(now.tv_sec - start->tv_sec) * 1000000 +
           (now.tv_nsec - start->tv_nsec) / 1000;
}

static void server_add(json_t *line, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0')
        json_object_set_new(line, name, json_string(value));
}

/* What a restarted service must know to give the first answer again. */
static void server_add_first_answer(const struct service *service, const struct request *request,
                                    json_t *line)
{
    char key[256];
    json_t *first;

    if (request->request_id == NULL)
        return;
    snprintf(key, sizeof(key), "%s %s", request->path, request->request_id);
    first = json_object_get(service->answered, key);
    if (first != NULL)
        json_object_set(line, "first_answer", first);
}

/* Under the lock. */
static int server_log_request(struct exchange *exchange, const struct request *request,
                              const char *kind, const char *client,
                              const struct behaviour *behaviour, const struct reply *reply)
{
    const struct service *service = exchange->server->service;
    json_t *line = server_make_line(service, kind);
    int r;

    if (line == NULL)
        return -ENOMEM;
    server_add(line, "client", client);
    server_add(line, "request_id", request->request_id);
    server_add(line, "method", exchange->method);
    server_add(line, "path", request->path);
    server_add(line, "subject", reply->subject);
    server_add(line, "outcome", reply->outcome);
    if (strcmp(behaviour->kind->name, "normal") != 0)
        server_add(line, "behaviour", behaviour->kind->name);
    json_object_set_new(line, "http", json_integer(reply->status));
    json_object_set_new(line, "us", json_integer(server_elapsed_us(&exchange->start)));
    server_add(line, "nonce", reply->nonce);
    if (reply->nonce_open)
        json_object_set_new(line, "nonce_open", json_true());
    if (reply->effect != NULL)
        json_object_set(line, "effect", reply->effect);
    if (reply->status == 200 && !reply->repeated)
        server_add_first_answer(service, request, line);
    r = ledger_append(service->ledger, line);
    json_decref(line);
    exchange->logged = true;
    return r;
}

/* ---- sending --------------------------------------------------------------------------------- */

static void transfer_free(void *arg)
{
    struct transfer *transfer = arg;

    free(transfer->text);
    free(transfer);
}

static ssize_t transfer_read(void *arg, uint64_t position, char *out, size_t max)
{
    struct transfer *transfer = arg;
    size_t at = position < transfer->length ? (size_t)position : transfer->length;
    size_t left = transfer->length - at;

    switch (transfer->how) {
    case BEHAVIOUR_TRANSFER_HALF:
        if (at >= transfer->length / 2) {
            shutdown(transfer->fd, SHUT_RDWR);
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
        left = transfer->length / 2 - at;
        break;
    case BEHAVIOUR_TRANSFER_DRIP:
        if (!server_pause(transfer->server, transfer->number))
            return MHD_CONTENT_READER_END_WITH_ERROR;
        left = left > 0 ? 1 : 0;
        break;
    case BEHAVIOUR_TRANSFER_ENDLESS:
    case BEHAVIOUR_TRANSFER_HUGE:
        if (left == 0) {
            /* Blanks: whoever reads to the end still finds good JSON. */
            memset(out, ' ', max);
            return (ssize_t)max;
        }
        break;
    default:
        break;
    }
    if (left > max)
        left = max;
    memcpy(out, transfer->text + at, left);
    return (ssize_t)left;
}

static uint64_t transfer_total(const struct transfer *transfer)
{
    if (transfer->how == BEHAVIOUR_TRANSFER_ENDLESS)
        return MHD_SIZE_UNKNOWN;
    if (transfer->how == BEHAVIOUR_TRANSFER_HUGE && (size_t)transfer->number > transfer->length)
        return (uint64_t)transfer->number;
    return transfer->length;
}

/* Takes text. */
static enum MHD_Result server_send(struct server *server, struct MHD_Connection *connection,
                                   char *text, const struct behaviour *behaviour,
                                   const struct reply *reply)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    struct MHD_Response *response = NULL;
    enum MHD_Result result = MHD_NO;

    if (transfer == NULL || text == NULL) {
        free(transfer);
        free(text);
        return MHD_NO;
    }
    transfer->server = server;
    transfer->fd = server_socket(connection);
    transfer->text = text;
    transfer->length = strlen(text);
    transfer->how = behaviour->kind->transfer;
    transfer->number = behaviour->number;
    response = MHD_create_response_from_callback(transfer_total(transfer), BLOCK_SIZE,
                                                 transfer_read, transfer, transfer_free);
    if (response == NULL) {
        transfer_free(transfer);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", "application/json;charset=UTF-8");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (behaviour->kind->answer == BEHAVIOUR_ANSWER_REDIRECT)
        MHD_add_response_header(response, "Location", ELSEWHERE);
    result = MHD_queue_response(connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- answering ------------------------------------------------------------------------------- */

static const char *server_reference(const struct route *route)
{
    return route != NULL && strcmp(route->kind, "search") == 0 ? ANSWER_BY_NUMBERS : ANSWER_BY_CARD;
}

/* A made-up answer in the place of the true one. Under the lock. */
static void server_fabricate(struct service *service, const struct route *route,
                             struct request *request, const struct behaviour *behaviour,
                             struct reply *reply)
{
    const char *reference = server_reference(route);

    request->json = json_loadb(request->body, request->length, 0, NULL);
    switch (behaviour->kind->answer) {
    case BEHAVIOUR_ANSWER_STATUS:
        service_reply_status(reply, (int)behaviour->number, "simulated status");
        break;
    case BEHAVIOUR_ANSWER_REDIRECT:
        service_reply_status(reply, 302, "simulated redirect");
        break;
    case BEHAVIOUR_ANSWER_SEGMENT:
        answer_fail_segment(service, request, reference, behaviour->word, behaviour->rest, reply);
        break;
    case BEHAVIOUR_ANSWER_PROCESSING:
        answer_fail_processing(service, request, reference, behaviour->word, behaviour->rest, NULL,
                               reply);
        break;
    case BEHAVIOUR_ANSWER_PENDING:
        answer_pending(service, request, reference, reply);
        break;
    case BEHAVIOUR_ANSWER_GARBAGE:
        reply->status = 200;
        snprintf(reply->outcome, sizeof(reply->outcome), "garbage");
        break;
    default:
        snprintf(reply->outcome, sizeof(reply->outcome), "not handled");
        break;
    }
    json_decref(request->json);
    request->json = NULL;
}

static bool server_is_json(struct MHD_Connection *connection)
{
    const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Type");

    return type != NULL && strncasecmp(type, "application/json", 16) == 0 &&
           (type[16] == '\0' || type[16] == ';' || type[16] == ' ');
}

/* Fills the reply; under the lock. */
static void server_decide(struct exchange *exchange, struct MHD_Connection *connection,
                          const struct route *route, bool known, struct request *request,
                          const struct behaviour *behaviour, struct reply *reply)
{
    /* XmlMsg errors make no sense on calls that do not speak it: those are answered truly. */
    bool fits =
        behaviour->kind->answer < BEHAVIOUR_ANSWER_SEGMENT || (route != NULL && route->xml_msg);

    if (exchange->discarded > 0)
        service_reply_status(reply, 413, "request is too large");
    else if (!known)
        service_reply_status(reply, 404, "no such path");
    else if (route == NULL)
        service_reply_status(reply, 405, "method is not allowed here");
    else if (behaviour->kind->answer != BEHAVIOUR_ANSWER_TRUE && fits)
        server_fabricate(exchange->server->service, route, request, behaviour, reply);
    else if (strcmp(route->method, "POST") == 0 && !server_is_json(connection))
        service_reply_status(reply, 415, "body is not application/json");
    else
        service_handle(exchange->server->service, route, request, reply);
}

static char *server_text(const struct behaviour *behaviour, const struct reply *reply)
{
    if (behaviour->kind->answer == BEHAVIOUR_ANSWER_GARBAGE && reply->body == NULL)
        return strdup("{\"XmlMsg\":{\"MessageHeader\":\x01\xff\xfe<html>]]");
    return reply->body != NULL ? json_dumps(reply->body, JSON_COMPACT) : NULL;
}

static enum MHD_Result server_answer(struct exchange *exchange, struct MHD_Connection *connection)
{
    struct server *server = exchange->server;
    struct service *service = server->service;
    struct request request = {
        .path = exchange->path, .body = exchange->body, .length = exchange->length};
    struct reply reply = {0};
    struct behaviour behaviour;
    const struct route *route;
    char client[128];
    char *text = NULL;
    bool known;
    enum MHD_Result result = MHD_NO;

    request.authorization =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    request.request_id = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Request-Id");
    route = service_find_route(exchange->method, exchange->path, &known);
    server_client_name(server_session(connection), client, sizeof(client));

    pthread_mutex_lock(&service->lock);
    behaviour = behaviour_set_take(service->behaviours, exchange->path);
    server_decide(exchange, connection, route, known, &request, &behaviour, &reply);
    if (server_log_request(exchange, &request, route != NULL ? route->kind : "unknown", client,
                           &behaviour, &reply) < 0) {
        /* What is not in the ledger must not look done. */
        fprintf(stderr, "sim-service: the ledger cannot be written\n");
        service_reply_status(&reply, 500, "the ledger cannot be written");
    }
    text = server_text(&behaviour, &reply);
    pthread_mutex_unlock(&service->lock);

    if (behaviour.kind->transfer == BEHAVIOUR_TRANSFER_RESET) {
        server_reset(server_socket(connection));
        goto out;
    }
    if (behaviour.kind->transfer == BEHAVIOUR_TRANSFER_LATE ||
        behaviour.kind->transfer == BEHAVIOUR_TRANSFER_DRIP)
        MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                  IDLE_SECONDS + (unsigned)(behaviour.number / 1000));
    if (behaviour.kind->transfer == BEHAVIOUR_TRANSFER_LATE &&
        !server_pause(server, behaviour.number))
        goto out;
    result = server_send(server, connection, text, &behaviour, &reply);
    text = NULL;
out:
    free(text);
    reply_clear(&reply);
    return result;
}

/* ---- libmicrohttpd's callbacks --------------------------------------------------------------- */

static struct exchange *exchange_new(struct server *server)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));

    if (exchange == NULL)
        return NULL;
    exchange->server = server;
    exchange->body = calloc(1, BODY_MAX + 1);
    if (exchange->body == NULL) {
        free(exchange);
        return NULL;
    }
    clock_gettime(CLOCK_MONOTONIC, &exchange->start);
    return exchange;
}

static void server_mark_asked(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info;
    struct connection *state;

    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    state = info != NULL ? info->socket_context : NULL;
    if (state != NULL)
        state->asked = true;
}

static enum MHD_Result server_on_request(void *arg, struct MHD_Connection *connection,
                                         const char *url, const char *method, const char *version,
                                         const char *data, size_t *size, void **state)
{
    struct exchange *exchange = *state;
    size_t room;

    (void)version;
    if (exchange == NULL) {
        server_mark_asked(connection);
        *state = exchange_new(arg);
        return *state != NULL ? MHD_YES : MHD_NO;
    }
    exchange->path = url;
    exchange->method = method;
    if (*size == 0)
        return server_answer(exchange, connection);
    room = BODY_MAX - exchange->length;
    if (*size > room) {
        exchange->discarded += *size;
        if (exchange->discarded > DISCARD_MAX)
            return MHD_NO;
    } else {
        memcpy(exchange->body + exchange->length, data, *size);
        exchange->length += *size;
    }
    *size = 0;
    return MHD_YES;
}

static void server_on_completed(void *arg, struct MHD_Connection *connection, void **state,
                                enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *state;

    (void)connection;
    (void)code;
    if (exchange == NULL)
        return;
    if (!exchange->logged)
        server_log_connection(arg, "request was not finished");
    free(exchange->body);
    free(exchange);
    *state = NULL;
}

static void server_on_connection(void *arg, struct MHD_Connection *connection, void **context,
                                 enum MHD_ConnectionNotificationCode code)
{
    struct connection *state = *context;
    gnutls_session_t session;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = calloc(1, sizeof(struct connection));
        session = server_session(connection);
        /* libmicrohttpd only asks for a certificate; here there is no connection without one. */
        if (session != NULL) {
            gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
            gnutls_session_set_verify_function(session, server_verify_client);
            gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_CERTIFICATE_PKT,
                                               GNUTLS_HOOK_BOTH, server_check_certificate_message);
        }
        return;
    }
    if (state != NULL && !state->asked)
        server_log_connection(arg, "closed before a request");
    free(state);
    *context = NULL;
}

static void server_on_log(void *arg, const char *format, va_list args)
{
    /* Handshakes and sends that fail are what this program is for; the ledger has them. */
    (void)arg;
    (void)format;
    (void)args;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* A socket bound to 127.0.0.1:*port; *port 0 becomes the port found. Negative errno on failure. */
static int server_bind(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0)
        return -errno;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
        int saved = errno;

        close(fd);
        return -saved;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

/*
 * A socket keeps its port through shutdown and listen only when it was bound by number, so a port
 * that the kernel chose is bound again by its number before the first socket lets go of it.
 */
static int server_bind_lasting(struct server *server, uint16_t port)
{
    bool any = port == 0;
    int first = server_bind(&port);

    if (first < 0)
        return first;
    server->port = port;
    server->socket = first;
    if (!any)
        return 0;
    server->socket = server_bind(&port);
    close(first);
    return server->socket < 0 ? server->socket : 0;
}

int server_create(struct server **out, struct service *service, const struct server_files *files,
                  uint16_t port)
{
    struct server *server = calloc(1, sizeof(*server));
    pthread_condattr_t attributes;
    int r;

    if (server == NULL)
        return -ENOMEM;
    server->service = service;
    server->files = *files;
    server->socket = -1;
    pthread_mutex_init(&server->pause_lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->pause_wake, &attributes);
    pthread_condattr_destroy(&attributes);
    r = server_bind_lasting(server, port);
    if (r < 0) {
        server_free(server);
        return r;
    }
    *out = server;
    return 0;
}

void server_free(struct server *server)
{
    if (server == NULL)
        return;
    server_stop(server);
    if (server->socket >= 0)
        close(server->socket);
    pthread_cond_destroy(&server->pause_wake);
    pthread_mutex_destroy(&server->pause_lock);
    free(server);
}

uint16_t server_port(const struct server *server)
{
    return server->port;
}

bool server_is_up(const struct server *server)
{
    return server->daemon != NULL;
}

static void server_set_stopping(struct server *server, bool stopping)
{
    pthread_mutex_lock(&server->pause_lock);
    server->stopping = stopping;
    pthread_cond_broadcast(&server->pause_wake);
    pthread_mutex_unlock(&server->pause_lock);
}

int server_start(struct server *server)
{
    int listening;

    if (server->daemon != NULL)
        return 0;
    if (listen(server->socket, 128) < 0)
        return -errno;
    /* libmicrohttpd closes what it is given; the socket itself stays ours. */
    listening = fcntl(server->socket, F_DUPFD_CLOEXEC, 0);
    if (listening < 0)
        return -errno;
    server_set_stopping(server, false);
    server->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
            MHD_USE_ITC | MHD_USE_TLS | MHD_USE_ERROR_LOG,
        server->port, NULL, NULL, server_on_request, server, MHD_OPTION_EXTERNAL_LOGGER,
        server_on_log, NULL, MHD_OPTION_LISTEN_SOCKET, listening, MHD_OPTION_HTTPS_MEM_CERT,
        server->files.certificate, MHD_OPTION_HTTPS_MEM_KEY, server->files.key,
        MHD_OPTION_HTTPS_MEM_TRUST, server->files.client_ca, MHD_OPTION_HTTPS_PRIORITIES,
        TLS_PRIORITIES, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        IDLE_SECONDS, MHD_OPTION_NOTIFY_COMPLETED, server_on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, server_on_connection, server, MHD_OPTION_END);
    if (server->daemon == NULL) {
        close(listening);
        return -EINVAL;
    }
    return 0;
}

void server_stop(struct server *server)
{
    if (server->daemon == NULL)
        return;
    server_set_stopping(server, true);
    /* A listening socket that is shut down refuses connections and keeps its port. */
    shutdown(server->socket, SHUT_RDWR);
    MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
}
