#include "mock_usb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/common/clock.h"
#include "driver/usb/usb_transport.h"

#define ANSWERS_MAX 64
#define LOG_BYTES 8192

struct answer {
    uint8_t endpoint;
    const char *text;
    uint64_t ready_us;
};

struct mock_usb {
    struct usb usb;
    struct timer *tick;
    bool together;
    uint8_t device[18];
    uint8_t config[1024];
    size_t config_len;
    const struct mock_exchange *script;
    struct answer answers[ANSWERS_MAX];
    unsigned answer_count;
    enum usb_status control_status, claim_status;
    uint8_t probe[64];
    size_t probe_len; /* 0: not a camera */
    char log[LOG_BYTES];
    size_t log_len;
};

struct mock_usb *mock_usb_of(struct usb *usb)
{
    return (struct mock_usb *)usb;
}

size_t mock_hex(const char *hex, uint8_t *out, size_t size)
{
    size_t len = 0;

    while (*hex != '\0') {
        unsigned value;

        if (*hex == ' ') {
            hex++;
            continue;
        }
        assert_int_equal(sscanf(hex, "%2x", &value), 1);
        assert_true(len < size);
        out[len++] = (uint8_t)value;
        hex += 2;
    }
    return len;
}

static void note(struct mock_usb *mock, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(struct mock_usb *mock, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(mock->log + mock->log_len, LOG_BYTES - mock->log_len, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < LOG_BYTES - mock->log_len);
    mock->log_len += (size_t)n;
}

static enum usb_status status_of(const char *text)
{
    static const struct {
        const char *text;
        enum usb_status status;
    } rows[] = {
        {"!stall", USB_STALL},
        {"!overflow", USB_OVERFLOW},
        {"!io", USB_IO},
        {"!gone", USB_GONE},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strncmp(text, rows[i].text, strlen(rows[i].text)) == 0)
            return rows[i].status;
    return USB_OK;
}

static void wake(struct mock_usb *mock)
{
    assert_int_equal(timer_set_after(mock->tick, 0), 0);
}

void mock_usb_push(struct usb *usb, uint8_t endpoint, const char *text)
{
    struct mock_usb *mock = mock_usb_of(usb);
    unsigned delay_ms = 0;

    assert_true(mock->answer_count < ANSWERS_MAX);
    if (text[0] == '@') {
        assert_int_equal(sscanf(text, "@%u", &delay_ms), 1);
        text = strchr(text, ' ');
        assert_non_null(text);
    }
    mock->answers[mock->answer_count++] = (struct answer){
        .endpoint = endpoint,
        .text = text,
        .ready_us = clock_monotonic_us(usb->clock) + delay_ms * CLOCK_MS,
    };
    wake(mock);
}

/* -- what happens to a transfer ---------------------------------------------------------------- */

static size_t copy(struct usb_transfer *transfer, const void *data, size_t len)
{
    size_t n = len < transfer->length ? len : transfer->length;

    memcpy(transfer->data, data, n);
    return n;
}

static void play_probe(struct mock_usb *mock, struct usb_request *request)
{
    struct usb_transfer *transfer = &request->pub;

    note(mock, "control %02x %02x %04x %04x %zu\n", transfer->setup.request_type,
         transfer->setup.request, transfer->setup.value, transfer->setup.index, transfer->length);
    if (transfer->setup.request == 0x81)
        usb_transport_complete(request, USB_OK, copy(transfer, mock->probe, mock->probe_len));
    else if (transfer->length == mock->probe_len)
        usb_transport_complete(request, USB_OK, transfer->length);
    else
        usb_transport_complete(request, USB_STALL, 0);
}

static void play_control(struct mock_usb *mock, struct usb_request *request)
{
    struct usb_transfer *transfer = &request->pub;
    const struct usb_setup *setup = &transfer->setup;

    if (setup->request_type == 0x80 && setup->request == 6 && setup->value >> 8 == 1) {
        usb_transport_complete(request, USB_OK, copy(transfer, mock->device, sizeof(mock->device)));
    } else if (setup->request_type == 0x80 && setup->request == 6 && setup->value == 0x0200) {
        usb_transport_complete(request, USB_OK, copy(transfer, mock->config, mock->config_len));
    } else if (setup->request_type == 0x80 && setup->request == 8) {
        usb_transport_complete(request, USB_OK, copy(transfer, &mock->config[5], 1));
    } else if (mock->probe_len > 0) {
        play_probe(mock, request);
    } else {
        note(mock, "control %02x %02x %04x %04x\n", setup->request_type, setup->request,
             setup->value, setup->index);
        usb_transport_complete(request, mock->control_status, 0);
    }
}

static void play_out(struct mock_usb *mock, struct usb_request *request)
{
    const struct mock_exchange *line = mock->script;
    uint8_t expected[2048];
    size_t len;
    enum usb_status status;
    const char *hex;

    if (line == NULL || line->out == NULL)
        fail_msg("a message that the script does not expect: %02x", request->pub.data[0]);
    status = status_of(line->out);
    hex = status != USB_OK ? strchr(line->out, ' ') : line->out;
    len = mock_hex(hex, expected, sizeof(expected));
    if (len != request->pub.length || memcmp(expected, request->pub.data, len) != 0) {
        print_message("expected %s\nsent     ", hex);
        for (size_t i = 0; i < request->pub.length; i++)
            print_message("%02x ", request->pub.data[i]);
        print_message("\n");
        fail_msg("not what the script expects");
    }
    for (unsigned i = 0; i < MOCK_ANSWERS && line->in[i] != NULL; i++)
        mock_usb_push(&mock->usb, 0x81, line->in[i]);
    mock->script++;
    usb_transport_complete(request, status, status == USB_OK ? len : 0);
}

static bool play_in(struct mock_usb *mock, struct usb_request *request)
{
    for (unsigned i = 0; i < mock->answer_count; i++) {
        struct answer answer = mock->answers[i];
        uint8_t bytes[2048];
        enum usb_status status;
        size_t len = 0;

        if (answer.endpoint != request->pub.endpoint)
            continue;
        if (answer.ready_us > clock_monotonic_us(mock->usb.clock)) {
            assert_int_equal(timer_set_at(mock->tick, answer.ready_us), 0);
            return false;
        }
        memmove(&mock->answers[i], &mock->answers[i + 1],
                (mock->answer_count - i - 1) * sizeof(mock->answers[0]));
        mock->answer_count--;
        status = status_of(answer.text);
        if (status == USB_OK) {
            len = mock_hex(answer.text, bytes, sizeof(bytes));
            assert_true(len <= request->pub.length);
            memcpy(request->pub.data, bytes, len);
        }
        usb_transport_complete(request, status, len);
        return true;
    }
    return false;
}

static bool play(struct mock_usb *mock, struct usb_request *request)
{
    if (!request->submitted)
        return false;
    if (request->cancelled || request->timed_out || request->orphan) {
        usb_transport_complete(request, USB_CANCELLED, 0);
        return true;
    }
    if (request->pub.kind == USB_CONTROL) {
        play_control(mock, request);
        return true;
    }
    if ((request->pub.endpoint & USB_DIR_IN) == 0) {
        play_out(mock, request);
        return true;
    }
    return play_in(mock, request);
}

/* Of all that lies ready on IN endpoints the oldest. */
static bool play_oldest(struct mock_usb *mock)
{
    for (unsigned i = 0; i < mock->answer_count; i++) {
        const struct answer *answer = &mock->answers[i];

        if (answer->ready_us > clock_monotonic_us(mock->usb.clock))
            continue;
        for (struct usb_request *it = mock->usb.flying; it != NULL; it = it->next)
            if (it->submitted && it->pub.endpoint == answer->endpoint &&
                it->pub.kind != USB_CONTROL)
                return play(mock, it);
    }
    return false;
}

static void on_tick(struct timer *timer, void *arg)
{
    struct mock_usb *mock = arg;

    (void)timer;
    usb_transport_enter(&mock->usb);
    while (mock->together && play_oldest(mock))
        ;
    for (struct usb_request *it = mock->usb.flying; it != NULL; it = it->next) {
        if (play(mock, it)) {
            /* The list has changed. */
            wake(mock);
            break;
        }
    }
    usb_transport_leave(&mock->usb);
}

/* -- the ops ----------------------------------------------------------------------------------- */

static enum usb_status mock_submit(struct usb *usb, struct usb_request *request)
{
    (void)request;
    wake(mock_usb_of(usb));
    return USB_OK;
}

static void mock_cancel(struct usb *usb, struct usb_request *request)
{
    (void)request;
    wake(mock_usb_of(usb));
}

static void mock_operate(struct usb *usb, struct usb_operation *operation)
{
    struct mock_usb *mock = mock_usb_of(usb);
    enum usb_status status = USB_OK;

    switch (operation->kind) {
    case USB_OP_CLAIM:
        note(mock, "claim %u\n", operation->interface);
        status = mock->claim_status;
        break;
    case USB_OP_SET_ALT:
        note(mock, "alt %u %u\n", operation->interface, operation->alt);
        break;
    case USB_OP_CLEAR_HALT:
        note(mock, "clear %02x\n", operation->endpoint);
        break;
    case USB_OP_RESET:
        note(mock, "reset\n");
        break;
    case USB_OP_START:
        break;
    }
    usb_transport_operated(usb, operation, status);
}

static void mock_release(struct usb *usb, uint8_t interface)
{
    note(mock_usb_of(usb), "release %u\n", interface);
}

static void mock_drain(struct usb *usb)
{
    (void)usb;
}

static void mock_destroy(struct usb *usb)
{
    struct mock_usb *mock = mock_usb_of(usb);

    timer_free(&mock->tick);
    free(mock);
}

static const struct usb_transport_ops mock_ops = {
    .submit = mock_submit,
    .cancel = mock_cancel,
    .operate = mock_operate,
    .release = mock_release,
    .drain = mock_drain,
    .destroy = mock_destroy,
};

struct usb *mock_usb_new(struct clock *clock, const char *device, const char *config)
{
    struct mock_usb *mock = calloc(1, sizeof(*mock));

    assert_non_null(mock);
    assert_int_equal(usb_transport_init(&mock->usb, &mock_ops, clock), 0);
    mock->tick = timer_new(clock, on_tick, mock);
    assert_non_null(mock->tick);
    assert_int_equal(mock_hex(device, mock->device, sizeof(mock->device)), sizeof(mock->device));
    mock->config_len = mock_hex(config, mock->config, sizeof(mock->config));
    mock->usb.speed = USB_SPEED_HIGH;
    mock->control_status = mock->claim_status = USB_OK;
    return &mock->usb;
}

void mock_usb_script(struct usb *usb, const struct mock_exchange *script)
{
    mock_usb_of(usb)->script = script;
}

bool mock_usb_played(struct usb *usb)
{
    const struct mock_usb *mock = mock_usb_of(usb);

    return (mock->script == NULL || mock->script->out == NULL) && mock->answer_count == 0;
}

void mock_usb_together(struct usb *usb)
{
    mock_usb_of(usb)->together = true;
}

void mock_usb_control_status(struct usb *usb, enum usb_status status)
{
    mock_usb_of(usb)->control_status = status;
}

void mock_usb_claim_status(struct usb *usb, enum usb_status status)
{
    mock_usb_of(usb)->claim_status = status;
}

void mock_usb_probe(struct usb *usb, const char *answer)
{
    struct mock_usb *mock = mock_usb_of(usb);

    mock->probe_len = mock_hex(answer, mock->probe, sizeof(mock->probe));
}

void mock_usb_unplug(struct usb *usb)
{
    usb_transport_gone(usb);
}

const char *mock_usb_log(struct usb *usb)
{
    return mock_usb_of(usb)->log;
}
