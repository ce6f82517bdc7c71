/*
 * What a 資格確認端末 is asked beside single entitlements: 照会番号登録, the bulk forms, drugs and
 * check-ups, tickets. How these travel over the Web API is not public: there they are extensions of
 * this service.
 */
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "service.h"
#include "text.h"

#define MATCH_MAX 16

static json_t *bulk_header(const struct request *request)
{
    return json_object_get(json_object_get(request->json, "XmlMsg"), "MessageHeader");
}

static json_t *bulk_body(const struct request *request)
{
    return json_object_get(json_object_get(request->json, "XmlMsg"), "MessageBody");
}

static const char *bulk_string(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* These headers have no confirmation date, which the check of a header wants. */
static bool bulk_check_header(const struct service *service, const struct request *request,
                              struct reply *reply)
{
    json_t *header = bulk_header(request);
    json_t *message, *checked;
    struct request with = *request;
    bool good;
    char now[15];

    text_format_jst(service_now(service), now);
    now[8] = '\0';
    message = json_pack("{s:{s:{s:s}, s:{s:{}}}}", "XmlMsg", "MessageHeader",
                        "QualificationConfirmationDate", now, "MessageBody", "Part");
    checked = json_object_get(json_object_get(message, "XmlMsg"), "MessageHeader");
    if (header != NULL)
        json_object_update(checked, header);
    with.json = message;
    good = answer_check_request(service, &with, "Part", NULL, reply) != NULL;
    json_decref(message);
    return good;
}

/* One element or an array of them: the n-th, NULL past the end. */
static json_t *bulk_unit(const struct request *request, const char *part, size_t n)
{
    json_t *value = json_object_get(bulk_body(request), part);

    if (json_is_array(value))
        return json_array_get(value, n);
    return n == 0 && json_is_object(value) ? value : NULL;
}

/* ---- 照会番号登録 ---------------------------------------------------------------------------------- */

static void bulk_set(json_t *object, const char *name, const char *value)
{
    json_object_set_new(object, name, json_string(value));
}

/* Registers one; `into` gets the echo and how it ended. True when it was done. */
static bool bulk_register(struct service *service, const struct request *request, json_t *info,
                          json_t *into)
{
    struct people_numbers numbers = {
        .insurer = bulk_string(info, "InsurerNumber"),
        .symbol = bulk_string(info, "InsuredCardSymbol"),
        .number = bulk_string(info, "InsuredIdentificationNumber"),
        .branch = bulk_string(info, "InsuredBranchNumber"),
    };
    const char *reference = bulk_string(info, "ReferenceNumber");
    const struct person *found[MATCH_MAX];
    char key[64];
    size_t count = 0;

    json_object_set(into, "ReferenceNumberRegistrationInfo", info);
    if (numbers.insurer != NULL && numbers.number != NULL)
        count = people_find_numbers(service->people, &numbers, found, MATCH_MAX);
    if (reference == NULL || reference[0] == '\0' || text_count_chars(reference) > 50 ||
        count == 0) {
        bulk_set(into, "ProcessingResultStatus", "2");
        bulk_set(into, "ProcessingResultCode", count == 0 ? "SIMPRC231" : "SIMPRC232");
        bulk_set(into, "ProcessingResultMessage",
                 count == 0 ? "該当する資格がありません / nobody has these numbers"
                            : "照会番号が正しくありません / reference number");
        return false;
    }
    snprintf(key, sizeof(key), "reference_numbers.%s", answer_institution(request));
    for (size_t i = 0; i < count && i < MATCH_MAX; i++)
        (void)people_set(service->people, found[i]->name, key,
                         json_object_get(info, "ReferenceNumber"));
    bulk_set(into, "ProcessingResultStatus", "1");
    return true;
}

void reference_handle(struct service *service, const struct request *request, struct reply *reply)
{
    json_t *info = bulk_unit(request, "ReferenceNumberRegistrationInfo", 0);
    json_t *body;

    if (!bulk_check_header(service, request, reply))
        return;
    body = answer_succeed(service, request, NULL, reply);
    snprintf(reply->outcome, sizeof(reply->outcome), "reference number %s",
             info != NULL && bulk_register(service, request, info, body) ? "set" : "refused");
}

/* ---- the bulk forms -------------------------------------------------------------------------- */

/* The header's counts and the units as one array in the body. */
static void bulk_finish(const struct service *service, const struct request *request,
                        const char *name, json_t *units, size_t good, struct reply *reply)
{
    json_t *body = answer_succeed(service, request, NULL, reply);
    json_t *header = json_object_get(json_object_get(reply->body, "XmlMsg"), "MessageHeader");
    size_t count = json_array_size(units);
    char text[24];

    json_object_del(body, "ProcessingResultStatus");
    snprintf(text, sizeof(text), "%zu", count);
    bulk_set(header, "NumberOfProcessingResult", text);
    snprintf(text, sizeof(text), "%zu", good);
    bulk_set(header, "NumberOfNormalProcessing", text);
    snprintf(text, sizeof(text), "%zu", count - good);
    bulk_set(header, "NumberOfError", text);
    json_object_set_new(body, name, units);
    snprintf(reply->outcome, sizeof(reply->outcome), "bulk %zu, good %zu", count, good);
}

void reference_bulk_handle(struct service *service, const struct request *request,
                           struct reply *reply)
{
    json_t *units = json_array(), *info;
    size_t good = 0;

    if (!bulk_check_header(service, request, reply)) {
        json_decref(units);
        return;
    }
    for (size_t n = 0; (info = bulk_unit(request, "ReferenceNumberRegistrationInfo", n)) != NULL;
         n++) {
        json_t *unit = json_object();

        good += bulk_register(service, request, info, unit);
        json_array_append_new(units, unit);
    }
    bulk_finish(service, request, "BulkRegistrationUnit", units, good, reply);
}

/* One search as a message of its own; its body becomes the unit. */
static json_t *bulk_search(struct service *service, const struct request *request, json_t *info)
{
    static const char *const taken[] = {"QualificationConfirmSearchInfo", "ProcessingResultStatus",
                                        "ProcessingResultCode", "ProcessingResultMessage",
                                        "QualificationValidity"};
    json_t *message =
        json_pack("{s:{s:O, s:{s:O}}}", "XmlMsg", "MessageHeader", bulk_header(request),
                  "MessageBody", "QualificationConfirmSearchInfo", info);
    json_t *unit = json_object(), *results = json_array(), *body, *list;
    struct request single = *request;
    struct reply answer = {0};

    single.json = message;
    search_handle(service, &single, &answer);
    body = json_object_get(json_object_get(answer.body, "XmlMsg"), "MessageBody");
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (json_object_get(body, taken[i]) != NULL)
            json_object_set(unit, taken[i], json_object_get(body, taken[i]));
    list = json_object_get(body, "ResultList");
    for (size_t i = 0; i < json_array_size(list); i++)
        json_array_append(
            results, json_object_get(json_array_get(list, i), "ResultOfQualificationConfirmation"));
    if (json_array_size(results) > 0)
        json_object_set(unit, "ResultOfQualificationConfirmation", results);
    bulk_set(unit, "LimitApplicationCertificateChanged", "0");
    json_decref(results);
    json_decref(message);
    reply_clear(&answer);
    return unit;
}

void bulk_handle(struct service *service, const struct request *request, struct reply *reply)
{
    json_t *units = json_array(), *info;
    size_t good = 0;

    if (!bulk_check_header(service, request, reply)) {
        json_decref(units);
        return;
    }
    for (size_t n = 0; (info = bulk_unit(request, "QualificationConfirmSearchInfo", n)) != NULL;
         n++) {
        json_t *unit = bulk_search(service, request, info);
        const char *status = bulk_string(unit, "ProcessingResultStatus");

        good += status != NULL && strcmp(status, "1") == 0;
        json_array_append_new(units, unit);
    }
    bulk_finish(service, request, "BulkConfirmUnit", units, good, reply);
}

/* 医療扶助: everybody with a ticket of that month. */
void tickets_handle(struct service *service, const struct request *request, struct reply *reply)
{
    const char *month = bulk_string(bulk_body(request), "MedicalTreatmentMonth");
    json_t *units = json_array();

    if (!bulk_check_header(service, request, reply)) {
        json_decref(units);
        return;
    }
    for (size_t i = 0; i < people_count(service->people); i++) {
        const struct person *person = people_at(service->people, i);
        const json_t *result = json_array_get(json_object_get(person->data, "results"), 0);
        const json_t *list = json_object_get(result, "PublicExpenseResultList");

        for (size_t n = 0; n < json_array_size(list); n++) {
            const char *of =
                bulk_string(json_object_get(json_array_get(list, n), "MedicalTicketInfo"),
                            "MedicalTreatmentMonth");

            if (month != NULL && of != NULL && strcmp(of, month) == 0)
                json_array_append_new(units,
                                      json_pack("{s:s, s:s, s:O}", "ProcessingResultStatus", "1",
                                                "QualificationValidity", "1",
                                                "ResultOfQualificationConfirmation", result));
        }
    }
    bulk_finish(service, request, "BulkConfirmUnit", units, json_array_size(units), reply);
}

/* ---- drugs and check-ups --------------------------------------------------------------------- */

static const struct person *bulk_patient(struct service *service, const struct request *request)
{
    const json_t *header = bulk_header(request);
    struct people_numbers numbers = {
        .insurer = bulk_string(header, "InsurerNumber"),
        .symbol = bulk_string(header, "InsuranceCardSymbol"),
        .number = bulk_string(header, "InsuredPersonIdentificationNumber"),
        .branch = bulk_string(header, "BranchNumber"),
    };
    const struct person *found[MATCH_MAX];

    if (numbers.insurer == NULL || numbers.number == NULL ||
        people_find_numbers(service->people, &numbers, found, MATCH_MAX) != 1)
        return NULL;
    return found[0];
}

static void bulk_document(struct service *service, const struct request *request, bool drugs,
                          struct reply *reply)
{
    const struct person *person = bulk_patient(service, request);
    const json_t *result =
        person != NULL ? json_array_get(json_object_get(person->data, "results"), 0) : NULL;
    json_t *body, *header;

    if (!bulk_check_header(service, request, reply))
        return;
    body = answer_succeed(service, request, NULL, reply);
    header = json_object_get(json_object_get(reply->body, "XmlMsg"), "MessageHeader");
    json_object_del(body, "ProcessingResultStatus");
    bulk_set(body, "ResultCode", person != NULL ? "1" : "2");
    bulk_set(body, "MessageContents",
             person != NULL ? "" : "対象の情報がありません / nothing is known");
    snprintf(reply->outcome, sizeof(reply->outcome), "document %s",
             person != NULL ? "given" : "none");
    if (person == NULL)
        return;
    if (drugs) {
        json_object_set_new(header, "QuaInf",
                            json_pack("{s:O, s:O, s:O}", "Name", json_object_get(result, "Name"),
                                      "KanaName", json_object_get(result, "NameKana"), "Birth",
                                      json_object_get(result, "Birthdate")));
        json_object_set_new(body, "CzDiMonthInf",
                            json_pack("{s:s, s:{s:s, s:[{s:s, s:s, s:s}, {s:s, s:s, s:s}]}}",
                                      "Month", "202610", "DateInf", "Date", "20261002", "DrugInf",
                                      "DrugN", "見本錠５ｍｇ", "UsageN", "１日１回朝食後", "Times",
                                      "14", "DrugN", "架空散１０％", "UsageN", "１日３回毎食後",
                                      "Times", "7"));
    } else {
        json_object_set_new(header, "QualificationsInfo",
                            json_pack("{s:O, s:O}", "Name", json_object_get(result, "Name"),
                                      "Birthday", json_object_get(result, "Birthdate")));
        json_object_set_new(body, "SpecificHealthCheckupInfo",
                            json_pack("{s:s, s:[{s:s, s:s, s:s, s:s}]}", "EffectiveTime",
                                      "20260612", "HealthCheckupResultAndQuestionInfos", "ItemCode",
                                      "9N001000000000001", "ItemName", "身長", "DataValue", "170.0",
                                      "Unit", "cm"));
    }
}

void drugs_handle(struct service *service, const struct request *request, struct reply *reply)
{
    bulk_document(service, request, true, reply);
}

void checkup_handle(struct service *service, const struct request *request, struct reply *reply)
{
    bulk_document(service, request, false, reply);
}
