/* Part of fake_store.c: the clinic's patients. They are few, so a transaction keeps a copy of them all. */

static void patients_copy(struct fake_patients *to, const struct fake_patients *from)
{
    to->n = from->n;
    for (size_t i = 0; i < from->n; i++) {
        to->at[i] = from->at[i];
        to->at[i].state = malloc(from->at[i].state_len + 1);
        if (from->at[i].state_len > 0)
            memcpy(to->at[i].state, from->at[i].state, from->at[i].state_len);
    }
    to->nkeys = from->nkeys;
    memcpy(to->keys, from->keys, from->nkeys * sizeof(from->keys[0]));
    to->nkept = from->nkept;
    memcpy(to->kept, from->kept, from->nkept * sizeof(from->kept[0]));
}

static void patients_free(struct fake_patients *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->at[i].state);
    p->n = 0;
}

static int patient_copy(struct store_patient *to, const struct store_patient *from)
{
    *to = *from;
    to->state = malloc(from->state_len + 1);
    if (from->state_len > 0)
        memcpy(to->state, from->state, from->state_len);
    return 0;
}

int store_patient_put(struct store *s, struct store_patient *patient)
{
    int r = write_call(s);
    struct fake_patients *p = &s->patients;
    struct store_patient *row;

    if (r < 0 || !s->open)
        return r < 0 ? r : -EINVAL;
    if (patient->id == 0) {
        for (size_t i = 0; i < p->n; i++)
            if (strcmp(p->at[i].number, patient->number) == 0)
                return -EIO;
        if (p->n == FAKE_PATIENTS)
            return -ENOSPC;
        patient->id = ++p->n;
        p->at[patient->id - 1].state = NULL;
    }
    row = &p->at[patient->id - 1];
    free(row->state);
    patient->seen_us = (int64_t)clock_realtime_us(s->clock);
    return patient_copy(row, patient);
}

int store_patient_load(struct store *s, uint64_t id, struct store_patient *out)
{
    memset(out, 0, sizeof(*out));
    return id == 0 || id > s->patients.n ? -ENOENT : patient_copy(out, &s->patients.at[id - 1]);
}

int store_patient_by_number(struct store *s, const char *number, struct store_patient *out)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < s->patients.n; i++)
        if (strcmp(s->patients.at[i].number, number) == 0)
            return patient_copy(out, &s->patients.at[i]);
    return -ENOENT;
}

void store_patient_free(struct store_patient *patient)
{
    free(patient->state);
    memset(patient, 0, sizeof(*patient));
}

static bool is_key(const struct fake_key *k, enum store_patient_key kind, struct store_subject key)
{
    return k->kind == kind && k->len == key.len && memcmp(k->data, key.data, key.len) == 0;
}

int store_patient_key(struct store *s, enum store_patient_key kind, struct store_subject key,
                      uint64_t patient)
{
    struct fake_patients *p = &s->patients;
    int r = write_call(s);

    if (r < 0 || !s->open || key.len > sizeof(p->keys[0].data))
        return r < 0 ? r : -EINVAL;
    for (size_t i = 0; i < p->nkeys; i++)
        if (is_key(&p->keys[i], kind, key) && p->keys[i].patient == patient)
            return 0;
    if (p->nkeys == FAKE_KEYS)
        return -ENOSPC;
    p->keys[p->nkeys].kind = kind;
    p->keys[p->nkeys].patient = patient;
    p->keys[p->nkeys].len = key.len;
    memcpy(p->keys[p->nkeys++].data, key.data, key.len);
    return 0;
}

int store_patient_unkey(struct store *s, enum store_patient_key kind, struct store_subject key,
                        uint64_t patient)
{
    struct fake_patients *p = &s->patients;
    int r = write_call(s);

    if (r < 0 || !s->open)
        return r < 0 ? r : -EINVAL;
    for (size_t i = p->nkeys; i > 0; i--)
        if (is_key(&p->keys[i - 1], kind, key) &&
            (patient == 0 || p->keys[i - 1].patient == patient))
            p->keys[i - 1] = p->keys[--p->nkeys];
    return 0;
}

int store_patients_by_key(struct store *s, enum store_patient_key kind, struct store_subject key,
                          uint64_t out[STORE_PATIENTS_MOST], size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < s->patients.nkeys && *count < STORE_PATIENTS_MOST; i++)
        if (is_key(&s->patients.keys[i], kind, key))
            out[(*count)++] = s->patients.keys[i].patient;
    return 0;
}

int store_relay_keep(struct store *s, const uint8_t hash[32], bool *before)
{
    struct fake_patients *p = &s->patients;
    int r = write_call(s);

    *before = false;
    if (r < 0 || !s->open)
        return r < 0 ? r : -EINVAL;
    for (size_t i = 0; i < p->nkept; i++)
        *before = *before || memcmp(p->kept[i], hash, 32) == 0;
    if (*before)
        return 0;
    if (p->nkept == FAKE_KEPT)
        return -ENOSPC;
    memcpy(p->kept[p->nkept++], hash, 32);
    return 0;
}
