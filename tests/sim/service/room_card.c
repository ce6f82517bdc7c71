/*
 * Extensions of this service, not known to be offered by any other: entitlement by the card itself,
 * registration of the card as insurance card, change of consents.
 */
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "proof.h"
#include "service.h"

static const char *const card_consent_names[] = {
    "LimitApplicationCertificateRelatedConsFlg",
    "SpecificDiseasesCertificateRelatedConsFlg",
    "PharmacistsInfoConsFlg",
    "SpecificHealthCheckupsInfoConsFlg",
    "DiagnosisInfoConsFlg",
    "OperationInfoConsFlg",
};

#define CARD_CONSENTS (sizeof(card_consent_names) / sizeof(card_consent_names[0]))
#define CARD_FIRST_MEDICAL 2 /* from here on: medical information */

static bool card_is_consent_name(const char *name)
{
    for (size_t i = 0; i < CARD_CONSENTS; i++) {
        if (strcmp(card_consent_names[i], name) == 0)
            return true;
    }
    return false;
}

/*
 * The consents of this request laid over the earlier ones. NULL when a name or a value is wrong.
 * medical false: an expired certificate still names the person but opens no medical information.
 */
static json_t *card_take_consents(const json_t *session, const json_t *earlier, bool medical)
{
    json_t *given = json_object_get(session, "Consents");
    json_t *taken;
    const char *name;
    json_t *value;

    /* An element without children may come as an empty text. */
    if (json_is_null(given) || (json_is_string(given) && json_string_length(given) == 0))
        given = NULL;
    if (given != NULL && !json_is_object(given))
        return NULL;
    json_object_foreach (given, name, value) {
        if (!card_is_consent_name(name) || !answer_is_consent(json_string_value(value)))
            return NULL;
    }
    taken = json_object();
    for (size_t i = 0; i < CARD_CONSENTS; i++) {
        const char *flag = json_string_value(json_object_get(given, card_consent_names[i]));

        if (flag == NULL)
            flag = json_string_value(json_object_get(earlier, card_consent_names[i]));
        if (flag == NULL || (!medical && i >= CARD_FIRST_MEDICAL))
            flag = "0";
        json_object_set_new(taken, card_consent_names[i], json_string(flag));
    }
    return taken;
}

static bool card_agrees(const json_t *consents, size_t index)
{
    const char *flag = json_string_value(json_object_get(consents, card_consent_names[index]));

    return flag != NULL && strcmp(flag, "1") == 0;
}

static void card_set_effect(struct reply *reply, const struct person *person, const char *key,
                            json_t *value)
{
    json_decref(reply->effect);
    reply->effect = json_pack("{s:s, s:{s:o}}", "person", person->name, "set", key, value);
}

static bool card_is_registered(struct service *service, const struct request *request,
                               const struct person *person, struct reply *reply)
{
    const char *state = person_string(person, "registration", "registered");

    if (strcmp(state, "registered") == 0)
        return true;
    answer_fail(service, request, ANSWER_BY_CARD,
                strcmp(state, "insurer-missing") == 0 ? ANSWER_INSURER_MISSING
                                                      : ANSWER_NOT_REGISTERED,
                NULL, reply);
    proof_hand_on(service, reply);
    return false;
}

/* card_session and consents differ in whether earlier consents count. */
static void card_answer(struct service *service, const struct request *request,
                        const json_t *session, bool keep, struct reply *reply)
{
    const char *prescription =
        json_string_value(json_object_get(session, "PrescriptionIssueSelect"));
    struct answer_choice choice = {0};
    struct proof proof;
    json_t *earlier;
    json_t *consents;
    json_t *body;
    char key[64];

    if (!proof_check(service, request, session, &proof, reply) ||
        !card_is_registered(service, request, proof.person, reply))
        return;
    if (prescription != NULL && strcmp(prescription, "1") != 0 && strcmp(prescription, "2") != 0) {
        answer_fail(service, request, ANSWER_BY_CARD, ANSWER_PRESCRIPTION, NULL, reply);
        return;
    }
    earlier = json_object_get(json_object_get(proof.person->data, "consents"),
                              answer_institution(request));
    consents = card_take_consents(session, keep ? earlier : NULL, !proof.in_grace);
    if (consents == NULL) {
        answer_fail(service, request, ANSWER_BY_CARD, ANSWER_CONSENT, NULL, reply);
        return;
    }
    choice.limit = card_agrees(consents, 0);
    choice.diseases = card_agrees(consents, 1);
    choice.consents = consents;
    choice.consent_time = service_now(service);
    choice.consent_seconds = service->consent_seconds;
    body = answer_succeed(service, request, ANSWER_BY_CARD, reply);
    if (prescription != NULL)
        json_object_set_new(body, "PrescriptionIssueSelect", json_string(prescription));
    if (proof.in_grace)
        answer_add_notice(body, ANSWER_NOTICE_GRACE);
    else if (proof.expires_soon)
        answer_add_notice(body, ANSWER_NOTICE_EXPIRES);
    answer_add_people(service, request, &proof.person, 1, &choice, body, reply);
    snprintf(key, sizeof(key), "consents.%s", answer_institution(request));
    /* Of what nobody was asked nothing changes: neither given nor taken back. */
    if (json_object_size(json_object_get(session, "Consents")) > 0)
        card_set_effect(reply, proof.person, key, consents);
    else
        json_decref(consents);
}

void card_session_handle(struct service *service, const struct request *request,
                         struct reply *reply)
{
    const json_t *session =
        answer_check_request(service, request, "CardSession", ANSWER_BY_CARD, reply);

    if (session != NULL)
        card_answer(service, request, session, false, reply);
}

void consents_handle(struct service *service, const struct request *request, struct reply *reply)
{
    const json_t *session =
        answer_check_request(service, request, "ConsentChange", ANSWER_BY_CARD, reply);

    if (session != NULL)
        card_answer(service, request, session, true, reply);
}

void register_handle(struct service *service, const struct request *request, struct reply *reply)
{
    const json_t *session =
        answer_check_request(service, request, "CardRegistration", ANSWER_BY_CARD, reply);
    const char *outcome = "accepted";
    struct proof proof;
    const char *state;
    json_t *body;

    if (session == NULL || !proof_check(service, request, session, &proof, reply))
        return;
    state = person_string(proof.person, "registration", "registered");
    if (strcmp(state, "insurer-missing") == 0) {
        outcome = "refused";
        answer_fail(service, request, ANSWER_BY_CARD, ANSWER_INSURER_MISSING, NULL, reply);
        body = json_object_get(json_object_get(reply->body, "XmlMsg"), "MessageBody");
    } else {
        body = answer_succeed(service, request, ANSWER_BY_CARD, reply);
        if (strcmp(state, "registered") == 0) {
            outcome = "already";
            answer_add_notice(body, ANSWER_NOTICE_ALREADY);
        } else {
            card_set_effect(reply, proof.person, "registration", json_string("registered"));
        }
        proof_hand_on(service, reply);
    }
    json_object_set_new(body, "RegistrationOutcome", json_string(outcome));
    snprintf(reply->outcome, sizeof(reply->outcome), "registration %s", outcome);
}

void capabilities_handle(struct service *service, const struct request *request,
                         struct reply *reply)
{
    (void)service;
    (void)request;
    reply->status = 200;
    reply->body =
        json_pack("{s:s, s:s, s:[s,s,s,s,s,s,s]}", "service", "simulated eligibility service",
                  "version", "1", "capabilities", "by_numbers", "card_session", "register",
                  "consents", "reference_number", "bulk", "documents");
    snprintf(reply->outcome, sizeof(reply->outcome), "listed");
}
