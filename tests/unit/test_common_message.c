/* Messages: every row of message.def, at its bounds and beyond them. */
#include "daemon/common/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void the_wire_form_is_what_the_header_says(void **state)
{
    /* 'U''K', the version, type 0x0405's neighbour VISIT_END 0x0204, no descriptors, 8 bytes of body: visit 0x0102. */
    static const uint8_t expected[] = {'U', 'K', IPC_VERSION, 0,    0x04, 0x02, 0, 0, 8, 0,
                                       0,   0,   0x02,        0x01, 0,    0,    0, 0, 0, 0};
    struct msg_visit_end body = {.visit = 0x0102};
    uint8_t packet[MESSAGE_MAX];

    (void)state;
    assert_int_equal(message_encode(MSG_VISIT_END, &body, 0, packet, sizeof(packet)),
                     sizeof(expected));
    assert_memory_equal(packet, expected, sizeof(expected));
}

static void texts_and_blobs_have_their_lengths_in_front(void **state)
{
    static const uint8_t body[] = {7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
                                   /* request, since... is another message */};
    struct msg_visit_key key = {.visit = 1, .key = {.len = 3, .data = {9, 8, 7}}};
    static const uint8_t expected[] = {1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 9, 8, 7};
    uint8_t packet[MESSAGE_MAX];

    (void)state;
    (void)body;
    assert_int_equal(message_encode(MSG_VISIT_KEY, &key, 0, packet, sizeof(packet)),
                     MESSAGE_HEADER + sizeof(expected));
    assert_memory_equal(packet + MESSAGE_HEADER, expected, sizeof(expected));
}

static void every_row_survives_the_way_there_and_back(void **state)
{
    static union message_body body;
    static struct message out;
    uint8_t packet[MESSAGE_MAX];
    const struct message_row *row;

    (void)state;
    for (size_t i = 0; (row = message_row_at(i)) != NULL; i++) {
        int len;

        memset(&body, 0, sizeof(body));
        len = message_encode(row->type, &body, row->fds, packet, sizeof(packet));
        assert_true(len >= MESSAGE_HEADER);
        assert_int_equal(message_decode(packet, (size_t)len, row->fds, &out), 0);
        assert_int_equal(out.type, row->type);
        assert_memory_equal(&out.body, &body, row->body_size);
        /* Too short and too long by every length. */
        for (int cut = 0; cut < len; cut++)
            assert_int_equal(message_decode(packet, (size_t)cut, row->fds, &out), -74);
        packet[len] = 0;
        assert_int_equal(message_decode(packet, (size_t)len + 1, row->fds, &out), -74);
        /* The length field says so too. */
        packet[8]++;
        assert_int_equal(message_decode(packet, (size_t)len + 1, row->fds, &out), -74);
        packet[8]--;
        /* One descriptor too many. */
        assert_int_equal(message_decode(packet, (size_t)len, row->fds + 1, &out), -74);
    }
    assert_true(message_row(0x7777) == NULL);
    assert_string_equal(message_name(0x7777), "?");
}

static void types_are_given_once_and_roles_are_letters(void **state)
{
    const struct message_row *a, *b;

    (void)state;
    for (size_t i = 0; (a = message_row_at(i)) != NULL; i++) {
        assert_true(a->from[0] != '\0' && strspn(a->from, "*DBRMOYHWC") == strlen(a->from));
        assert_true(a->to[0] != '\0' && strspn(a->to, "*DBRMOYHWC") == strlen(a->to));
        assert_true(a->fds <= MESSAGE_FDS_MAX);
        for (size_t j = 0; j < i && (b = message_row_at(j)) != NULL; j++)
            assert_int_not_equal(a->type, b->type);
    }
}

static void text_is_refused_when_it_is_no_utf8_or_holds_a_nul(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        int good;
    } texts[] = {
        {"窓口", 6, 1},         {"\xe3\x81", 2, 0},         {"\xc0\x80", 2, 0},
        {"\xed\xa0\x80", 3, 0}, {"\xf4\x90\x80\x80", 4, 0}, {"a\0b", 3, 0},
        {"\xff", 1, 0},         {"\xf0\x9f\x98\x80", 4, 1},
    };
    static struct message out;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        /* DEVICE_DETACH has one text: u16 length, bytes. */
        uint8_t packet[64] = {
            'U', 'K', IPC_VERSION,           0, 0x02, 0x01, 0, 0, (uint8_t)(2 + texts[i].len), 0,
            0,   0,   (uint8_t)texts[i].len, 0};

        memcpy(packet + 14, texts[i].bytes, texts[i].len);
        assert_int_equal(message_decode(packet, 14 + texts[i].len, 0, &out),
                         texts[i].good ? 0 : -74);
    }
}

static void a_text_or_blob_over_its_bound_is_neither_written_nor_read(void **state)
{
    static struct msg_device_detach detach;
    static struct msg_card_sign sign;
    static struct message out;
    uint8_t packet[MESSAGE_MAX];

    (void)state;
    memset(detach.port, 'x', sizeof(detach.port)); /* no NUL at all */
    assert_int_equal(message_encode(MSG_DEVICE_DETACH, &detach, 0, packet, sizeof(packet)), -22);
    sign.sealed.len = sizeof(sign.sealed.data) + 1;
    assert_int_equal(message_encode(MSG_CARD_SIGN, &sign, 0, packet, sizeof(packet)), -22);
    /* Off the wire: 65 bytes of text for a field of 64. */
    memset(packet, 'x', sizeof(packet));
    memcpy(packet,
           (const uint8_t[]){'U', 'K', IPC_VERSION, 0, 0x02, 0x01, 0, 0, 67, 0, 0, 0, 65, 0}, 14);
    assert_int_equal(message_decode(packet, 14 + 65, 0, &out), -74);
    packet[8] = 66;
    packet[12] = 64;
    assert_int_equal(message_decode(packet, 14 + 64, 0, &out), 0);
}

static void another_version_or_magic_is_refused(void **state)
{
    struct msg_visit_end body = {.visit = 1};
    static struct message out;
    uint8_t packet[MESSAGE_MAX];
    int len = message_encode(MSG_VISIT_END, &body, 0, packet, sizeof(packet));

    (void)state;
    packet[2]++;
    assert_int_equal(message_decode(packet, (size_t)len, 0, &out), -74);
    packet[2]--;
    packet[0] = 'V';
    assert_int_equal(message_decode(packet, (size_t)len, 0, &out), -74);
}

static void random_bytes_never_pass_for_more_than_they_are(void **state)
{
    static struct message out;
    uint8_t packet[512];
    unsigned seed = 20261122;

    (void)state;
    for (int round = 0; round < 200000; round++) {
        const struct message_row *row = message_row_at((size_t)(rand_r(&seed) % 40));
        size_t len = (size_t)(rand_r(&seed) % (int)sizeof(packet));
        uint32_t body;

        for (size_t i = 0; i < len; i++)
            packet[i] = (uint8_t)(rand_r(&seed) % 4 == 0 ? rand_r(&seed) : 0);
        if (row != NULL && len >= MESSAGE_HEADER) {
            body = (uint32_t)(len - MESSAGE_HEADER);
            memcpy(packet,
                   (const uint8_t[]){'U', 'K', IPC_VERSION, 0, (uint8_t)row->type,
                                     (uint8_t)(row->type >> 8), (uint8_t)row->fds, 0},
                   8);
            memcpy(packet + 8, &body, 4);
        }
        if (message_decode(packet, len, row != NULL ? row->fds : 0, &out) == 0) {
            uint8_t again[MESSAGE_MAX];

            /* What is accepted is exactly what encoding it gives. */
            assert_int_equal(message_encode(out.type, &out.body, out.nfds, again, sizeof(again)),
                             len);
            assert_memory_equal(again, packet, len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wire_form_is_what_the_header_says),
        cmocka_unit_test(texts_and_blobs_have_their_lengths_in_front),
        cmocka_unit_test(every_row_survives_the_way_there_and_back),
        cmocka_unit_test(types_are_given_once_and_roles_are_letters),
        cmocka_unit_test(text_is_refused_when_it_is_no_utf8_or_holds_a_nul),
        cmocka_unit_test(a_text_or_blob_over_its_bound_is_neither_written_nor_read),
        cmocka_unit_test(another_version_or_magic_is_refused),
        cmocka_unit_test(random_bytes_never_pass_for_more_than_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
