/* The clinic's patients: found by keyed hashes, what is known of them sealed. */
#include "store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLACE "patients.payload"
#define KEY_MAX 800

/* Each kind of key is a name space of its own; the number's has none of the kinds'. */
static int key_hash(const struct store *store, unsigned kind, struct store_subject key,
                    uint8_t out[STORE_HASH])
{
    uint8_t plain[KEY_MAX + 16];
    struct bytes_writer w;
    int r;

    bytes_writer_init(&w, plain, sizeof(plain));
    bytes_put(&w, "patient", 7);
    bytes_put_u8(&w, (uint8_t)kind);
    bytes_put(&w, key.data, key.len);
    r = w.failed ? -EINVAL : seal_subject(store, plain, w.used, out);
    explicit_bzero(plain, sizeof(plain));
    return r;
}

static int number_hash(const struct store *store, const char *number, uint8_t out[STORE_HASH])
{
    return key_hash(store, 0, (struct store_subject){number, strlen(number)}, out);
}

/* Version 1: number, what was said last, the day of that. */
static int pack(const struct store_patient *patient, uint8_t **out, size_t *len)
{
    size_t size = sizeof(patient->number) + sizeof(patient->date) + patient->state_len + 32;
    struct bytes_writer w;

    *out = malloc(size);
    if (*out == NULL)
        return -ENOMEM;
    bytes_writer_init(&w, *out, size);
    bytes_put_u8(&w, 1);
    bytes_put_u8(&w, (uint8_t)strlen(patient->number));
    bytes_put(&w, patient->number, strlen(patient->number));
    bytes_put_u8(&w, (uint8_t)strlen(patient->date));
    bytes_put(&w, patient->date, strlen(patient->date));
    bytes_put_u32le(&w, (uint32_t)patient->state_len);
    bytes_put(&w, patient->state, patient->state_len);
    *len = w.used;
    if (!w.failed)
        return 0;
    seal_free(out, size);
    return -EINVAL;
}

static int unpack(struct store_patient *patient, const uint8_t *data, size_t len)
{
    struct bytes_reader r;
    const uint8_t *state;
    uint32_t n;

    bytes_reader_init(&r, data, len);
    if (bytes_u8(&r) != 1 ||
        !bytes_text(&r, bytes_u8(&r), patient->number, sizeof(patient->number)) ||
        !bytes_text(&r, bytes_u8(&r), patient->date, sizeof(patient->date)))
        return -EBADMSG;
    n = bytes_u32le(&r);
    state = bytes_take(&r, n);
    if (state == NULL || !bytes_done(&r))
        return -EBADMSG;
    if (n == 0)
        return 0;
    patient->state = malloc(n);
    if (patient->state == NULL)
        return -ENOMEM;
    memcpy(patient->state, state, n);
    patient->state_len = n;
    return 0;
}

static int put(struct store *store, struct store_patient *patient)
{
    uint8_t hash[STORE_HASH];
    uint8_t *plain = NULL, *sealed = NULL;
    size_t len = 0, sealed_len = 0;
    struct statement s;
    int r = number_hash(store, patient->number, hash);

    patient->seen_us = (int64_t)clock_realtime_us(store->clock);
    if (r == 0 && patient->id == 0) {
        patient->linked_us = patient->seen_us;
        statement_start(&s, store, QUERY_PATIENT_INSERT);
        statement_blob(&s, hash, sizeof(hash));
        statement_int(&s, patient->linked_us);
        statement_int(&s, patient->seen_us);
        r = statement_run(&s);
        if (r == 0)
            patient->id = (uint64_t)sqlite3_last_insert_rowid(store->db);
    }
    /* Sealed to its row, so the row must be there first. */
    if (r == 0)
        r = pack(patient, &plain, &len);
    if (r == 0)
        r = seal_close(store, PLACE, patient->id, plain, len, &sealed, &sealed_len);
    if (r == 0) {
        statement_start(&s, store, QUERY_PATIENT_SAVE);
        statement_int(&s, (int64_t)patient->id);
        statement_int(&s, patient->seen_us);
        statement_blob(&s, sealed, sealed_len);
        r = statement_run(&s);
        if (r == 0 && sqlite3_changes(store->db) != 1)
            r = -ENOENT;
    }
    seal_free(&plain, len);
    seal_free(&sealed, sealed_len);
    return r;
}

int store_patient_put(struct store *store, struct store_patient *patient)
{
    bool alone;
    int r;

    if (patient->number[0] == '\0')
        return -EINVAL;
    r = store_enter(store, &alone);
    return r < 0 ? r : store_leave(store, alone, put(store, patient));
}

static int read_one(struct statement *s, struct store_patient *out)
{
    const uint8_t *sealed;
    uint8_t *plain = NULL;
    size_t sealed_len, len = 0;
    int r = statement_step(s);

    memset(out, 0, sizeof(*out));
    if (r <= 0)
        return statement_end(s, r == 0 ? -ENOENT : r);
    out->id = (uint64_t)statement_get_int(s);
    out->linked_us = statement_get_int(s);
    out->seen_us = statement_get_int(s);
    sealed = statement_get_blob(s, &sealed_len);
    r = statement_error(s);
    if (r == 0)
        r = seal_open(s->store, PLACE, out->id, sealed, sealed_len, &plain, &len);
    if (r == 0)
        r = unpack(out, plain, len);
    seal_free(&plain, len);
    if (r < 0)
        store_patient_free(out);
    return statement_end(s, r);
}

int store_patient_load(struct store *store, uint64_t id, struct store_patient *out)
{
    struct statement s;

    statement_start(&s, store, QUERY_PATIENT_LOAD);
    statement_int(&s, (int64_t)id);
    return read_one(&s, out);
}

int store_patient_by_number(struct store *store, const char *number, struct store_patient *out)
{
    uint8_t hash[STORE_HASH];
    struct statement s;
    int r = number_hash(store, number, hash);

    memset(out, 0, sizeof(*out));
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_PATIENT_BY_NUMBER);
    statement_blob(&s, hash, sizeof(hash));
    return read_one(&s, out);
}

void store_patient_free(struct store_patient *patient)
{
    seal_free(&patient->state, patient->state_len);
    explicit_bzero(patient, sizeof(*patient));
}

int store_patient_key(struct store *store, enum store_patient_key kind, struct store_subject key,
                      uint64_t patient)
{
    uint8_t hash[STORE_HASH];
    struct statement s;
    int r = key_hash(store, kind, key, hash);

    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_PATIENT_KEY_PUT);
    statement_int(&s, kind);
    statement_blob(&s, hash, sizeof(hash));
    statement_int(&s, (int64_t)patient);
    statement_int(&s, (int64_t)clock_realtime_us(store->clock));
    return statement_run(&s);
}

int store_patient_unkey(struct store *store, enum store_patient_key kind, struct store_subject key,
                        uint64_t patient)
{
    uint8_t hash[STORE_HASH];
    struct statement s;
    int r = key_hash(store, kind, key, hash);

    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_PATIENT_KEY_DROP);
    statement_int(&s, kind);
    statement_blob(&s, hash, sizeof(hash));
    statement_int(&s, (int64_t)patient);
    return statement_run(&s);
}

int store_patients_by_key(struct store *store, enum store_patient_key kind,
                          struct store_subject key, uint64_t out[STORE_PATIENTS_MOST],
                          size_t *count)
{
    uint8_t hash[STORE_HASH];
    struct statement s;
    int r = key_hash(store, kind, key, hash);

    *count = 0;
    if (r < 0)
        return r;
    statement_start(&s, store, QUERY_PATIENT_KEY_FIND);
    statement_int(&s, kind);
    statement_blob(&s, hash, sizeof(hash));
    statement_int(&s, STORE_PATIENTS_MOST);
    while (*count < STORE_PATIENTS_MOST && (r = statement_step(&s)) > 0)
        out[(*count)++] = (uint64_t)statement_get_int(&s);
    return statement_end(&s, r < 0 ? r : 0);
}

int store_relay_keep(struct store *store, const uint8_t hash[STORE_RELAY_HASH], bool *before)
{
    struct statement s;
    int r;

    statement_start(&s, store, QUERY_RELAY_KEPT_PUT);
    statement_blob(&s, hash, STORE_HASH);
    statement_int(&s, (int64_t)clock_realtime_us(store->clock));
    r = statement_run(&s);
    *before = r == 0 && sqlite3_changes(store->db) == 0;
    return r;
}
