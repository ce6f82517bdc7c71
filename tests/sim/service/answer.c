#include "answer.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

#define AVAILABLE_SECONDS (24 * 3600)

static const struct {
    const char *code;
    const char *message;
} answer_codes[] = {
    [ANSWER_SHAPE] = {"SIMSEG001", "要求の形式が正しくありません / not the expected shape"},
    [ANSWER_INSTITUTION] = {"SIMSEG002",
                            "医療機関コードは数字10桁です / institution code: 10 digits"},
    [ANSWER_FOREIGN_INSTITUTION] =
        {"SIMSEG003", "医療機関コードが利用者と一致しません / not this user's institution"},
    [ANSWER_DATE] = {"SIMSEG004", "資格確認日が正しくありません / confirmation date is no date"},
    [ANSWER_IDENTIFIER] = {"SIMSEG005",
                           "任意のファイル識別子は50文字までです / identifier too long"},
    [ANSWER_INSURER] = {"SIMPRC101",
                        "保険者番号は8桁(左を空白か0で埋める)です / insurer number: 8, padded"},
    [ANSWER_SYMBOL] = {"SIMPRC102", "記号は20文字までです / symbol: at most 20"},
    [ANSWER_NUMBER] = {"SIMPRC103", "番号は1から20文字です / number: 1 to 20"},
    [ANSWER_BRANCH] = {"SIMPRC104", "枝番は2桁です / branch: 2 digits"},
    [ANSWER_BIRTHDATE] = {"SIMPRC105", "生年月日が正しくありません / birth date is no date"},
    [ANSWER_CONSENT] = {"SIMPRC106", "同意フラグが正しくありません / consent flag out of range"},
    [ANSWER_ARBITRARY] = {"SIMPRC107", "任意の識別子が正しくありません / arbitrary identifier"},
    [ANSWER_PRESCRIPTION] = {"SIMPRC108", "処方箋の選択が正しくありません / prescription choice"},
    [ANSWER_CERTIFICATE] = {"SIMPRC201", "証明書を読めません / certificate cannot be read"},
    [ANSWER_CERTIFICATE_ISSUER] =
        {"SIMPRC202", "証明書の発行者が正しくありません / certificate issuer is wrong"},
    [ANSWER_CERTIFICATE_UNKNOWN] = {"SIMPRC203",
                                    "この証明書の人は登録されていません / unknown certificate"},
    [ANSWER_CERTIFICATE_EXPIRED] = {"SIMPRC204",
                                    "証明書の有効期限が切れています / certificate has expired"},
    [ANSWER_CERTIFICATE_REVOKED] = {"SIMPRC205", "証明書が失効しています / certificate is revoked"},
    [ANSWER_METHOD] = {"SIMPRC211", "本人確認の方法が正しくありません / unknown method"},
    [ANSWER_STATEMENT] = {"SIMPRC212", "署名対象文が正しくありません / statement is malformed"},
    [ANSWER_SIGNATURE] = {"SIMPRC213", "署名が正しくありません / signature is wrong"},
    [ANSWER_STATEMENT_INSTITUTION] = {"SIMPRC214",
                                      "署名対象文の医療機関が違います / statement: institution"},
    [ANSWER_STATEMENT_TIME] = {"SIMPRC215", "署名対象文の時刻が離れています / statement: time"},
    [ANSWER_STATEMENT_NONCE] = {"SIMPRC216", "署名対象文は使用済みです / statement: used before"},
    [ANSWER_NOT_REGISTERED] = {"SIMPRC221",
                               "健康保険証の利用登録がされていません / not registered yet"},
    [ANSWER_INSURER_MISSING] = {"SIMPRC222",
                                "保険者のデータが未登録です / the insurer has not sent the data"},
    [ANSWER_NOTICE_EXPIRES] = {"SIMNOT301",
                               "証明書の有効期限まで3か月以内です / certificate expires soon"},
    [ANSWER_NOTICE_GRACE] = {"SIMNOT302",
                             "証明書の期限切れのため資格情報のみです / expired: entitlement only"},
    [ANSWER_NOTICE_ALREADY] = {"SIMNOT303", "すでに利用登録済みです / already registered"},
};

/* Consent groups of the answer with a time and an end: name of the flag and its stem. */
static const char *const answer_consent_stems[] = {
    "PharmacistsInfo",
    "SpecificHealthCheckupsInfo",
    "DiagnosisInfo",
    "OperationInfo",
};

static json_t *answer_request_header(const struct request *request)
{
    return json_object_get(json_object_get(request->json, "XmlMsg"), "MessageHeader");
}

static const char *answer_header_string(const struct request *request, const char *name)
{
    return json_string_value(json_object_get(answer_request_header(request), name));
}

const char *answer_institution(const struct request *request)
{
    return answer_header_string(request, "MedicalInstitutionCode");
}

const char *answer_confirmation_date(const struct request *request)
{
    return answer_header_string(request, "QualificationConfirmationDate");
}

static void answer_set(json_t *object, const char *name, const char *value)
{
    if (value != NULL)
        json_object_set_new(object, name, json_string(value));
}

static json_t *answer_header(const struct service *service, const struct request *request,
                             const char *reference, const char *segment)
{
    static const char *const echoed[] = {"QualificationConfirmationDate", "MedicalInstitutionCode",
                                         "ArbitraryFileIdentifier"};
    json_t *header = json_object();
    char now[15];

    text_format_jst(service_now(service), now);
    answer_set(header, "ProcessExecutionTime", now);
    for (size_t i = 0; i < sizeof(echoed) / sizeof(echoed[0]); i++)
        answer_set(header, echoed[i], answer_header_string(request, echoed[i]));
    answer_set(header, "ReferenceClassification", reference);
    answer_set(header, "SegmentOfResult", segment);
    answer_set(header, "CharacterCodeIdentifier", "0");
    return header;
}

static void answer_set_reply(struct reply *reply, json_t *header, json_t *body)
{
    json_t *message = json_object();

    json_object_set_new(message, "MessageHeader", header);
    if (body != NULL)
        json_object_set_new(message, "MessageBody", body);
    json_decref(reply->body);
    reply->body = json_pack("{s:o}", "XmlMsg", message);
    reply->status = 200;
}

void answer_fail_segment(const struct service *service, const struct request *request,
                         const char *reference, const char *code, const char *message,
                         struct reply *reply)
{
    json_t *header = answer_header(service, request, reference, "9");

    answer_set(header, "ErrorCode", code);
    answer_set(header, "ErrorMessage", message);
    answer_set_reply(reply, header, NULL);
    snprintf(reply->outcome, sizeof(reply->outcome), "segment error %s", code);
}

void answer_pending(const struct service *service, const struct request *request,
                    const char *reference, struct reply *reply)
{
    answer_set_reply(reply, answer_header(service, request, reference, "2"), NULL);
    snprintf(reply->outcome, sizeof(reply->outcome), "pending");
}

void answer_fail_processing(const struct service *service, const struct request *request,
                            const char *reference, const char *code, const char *message,
                            json_t *echo, struct reply *reply)
{
    json_t *body = json_object();

    if (echo != NULL)
        json_object_set(body, "QualificationConfirmSearchInfo", echo);
    answer_set(body, "ProcessingResultStatus", "2");
    answer_set(body, "ProcessingResultCode", code);
    answer_set(body, "ProcessingResultMessage", message);
    answer_set_reply(reply, answer_header(service, request, reference, "1"), body);
    snprintf(reply->outcome, sizeof(reply->outcome), "processing error %s", code);
}

void answer_fail(const struct service *service, const struct request *request,
                 const char *reference, enum answer_code code, json_t *echo, struct reply *reply)
{
    answer_fail_processing(service, request, reference, answer_codes[code].code,
                           answer_codes[code].message, echo, reply);
}

json_t *answer_succeed(const struct service *service, const struct request *request,
                       const char *reference, struct reply *reply)
{
    json_t *body = json_object();

    answer_set(body, "ProcessingResultStatus", "1");
    answer_set_reply(reply, answer_header(service, request, reference, "1"), body);
    return body;
}

void answer_add_notice(json_t *body, enum answer_code code)
{
    answer_set(body, "ProcessingResultCode", answer_codes[code].code);
    answer_set(body, "ProcessingResultMessage", answer_codes[code].message);
}

static bool answer_owns(const json_t *account, const char *institution)
{
    const json_t *list = json_object_get(account, "institutions");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *each = json_string_value(json_array_get(list, i));

        if (each != NULL && strcmp(each, institution) == 0)
            return true;
    }
    return false;
}

/* False: *fault is the first thing wrong with the header. */
static bool answer_check_header(const struct request *request, enum answer_code *fault)
{
    const char *institution = answer_institution(request);
    const char *date = answer_confirmation_date(request);
    json_t *identifier = json_object_get(answer_request_header(request), "ArbitraryFileIdentifier");

    if (institution == NULL || !text_is_digits(institution, 10))
        *fault = ANSWER_INSTITUTION;
    else if (!answer_owns(request->account, institution))
        *fault = ANSWER_FOREIGN_INSTITUTION;
    else if (date == NULL || !text_is_date(date))
        *fault = ANSWER_DATE;
    else if (identifier != NULL &&
             (!json_is_string(identifier) || text_count_chars(json_string_value(identifier)) > 50))
        *fault = ANSWER_IDENTIFIER;
    else
        return true;
    return false;
}

json_t *answer_check_request(const struct service *service, const struct request *request,
                             const char *part, const char *reference, struct reply *reply)
{
    json_t *message = json_object_get(request->json, "XmlMsg");
    json_t *found = json_object_get(json_object_get(message, "MessageBody"), part);
    enum answer_code fault = ANSWER_SHAPE;

    if (json_is_object(found) && answer_check_header(request, &fault))
        return found;
    answer_fail_segment(service, request, reference, answer_codes[fault].code,
                        answer_codes[fault].message, reply);
    return NULL;
}

bool answer_is_consent(const char *value)
{
    return value != NULL && strlen(value) == 1 && value[0] >= '0' && value[0] <= '3';
}

static void answer_set_time(json_t *result, const char *stem, const char *end, time_t when)
{
    char name[96];
    char text[15];

    snprintf(name, sizeof(name), "%s%s", stem, end);
    text_format_jst(when, text);
    answer_set(result, name, text);
}

/* Consent flags of a card session with the time and, for medical information, its end. */
static void answer_add_consents(json_t *result, const struct answer_choice *choice)
{
    char name[96];

    for (size_t i = 0; i < sizeof(answer_consent_stems) / sizeof(answer_consent_stems[0]); i++) {
        const char *stem = answer_consent_stems[i];
        const char *flag;

        snprintf(name, sizeof(name), "%sConsFlg", stem);
        flag = json_string_value(json_object_get(choice->consents, name));
        answer_set(result, name, flag != NULL ? flag : "0");
        if (flag == NULL || strcmp(flag, "1") != 0)
            continue;
        answer_set_time(result, stem, "ConsTime", choice->consent_time);
        answer_set_time(result, stem, "AvailableTime",
                        choice->consent_time + (choice->consent_seconds > 0
                                                    ? choice->consent_seconds
                                                    : AVAILABLE_SECONDS));
    }
}

/* Information that needs a consent of its own: taken out, or kept with flag and time. */
static void answer_guard(json_t *result, const char *stem, const char *information, bool agreed,
                         time_t when)
{
    char name[96];

    if (!agreed)
        (void)json_object_del(result, information);
    snprintf(name, sizeof(name), "%sConsFlg", stem);
    answer_set(result, name, agreed ? "1" : "0");
    if (agreed)
        answer_set_time(result, stem, "ConsTime", when);
}

static json_t *answer_make_result(const struct request *request, const struct person *person,
                                  const json_t *entitlement, const struct answer_choice *choice)
{
    json_t *result = json_deep_copy(entitlement);
    const json_t *references = json_object_get(person->data, "reference_numbers");
    const json_t *reference = json_object_get(references, answer_institution(request));

    answer_guard(result, "LimitApplicationCertificateRelated",
                 "LimitApplicationCertificateRelatedInfo", choice->limit, choice->consent_time);
    if (choice->consents != NULL || json_object_get(result, "SpecificDiseasesCertificateList"))
        answer_guard(result, "SpecificDiseasesCertificateRelated",
                     "SpecificDiseasesCertificateList", choice->diseases, choice->consent_time);
    if (choice->consents != NULL)
        answer_add_consents(result, choice);
    if (json_is_string(reference))
        answer_set(result, "ReferenceNumber", json_string_value(reference));
    answer_set(result, "ArbitraryIdentifier",
               json_string_value(json_object_get(choice->echo, "ArbitraryIdentifier")));
    return result;
}

static bool answer_is_in_force(const json_t *result, const char *date)
{
    const char *from = json_string_value(json_object_get(result, "QualificationDate"));
    const char *until = json_string_value(json_object_get(result, "DisqualificationDate"));

    /* Dates are yyyyMMdd, so their order is that of the text. The day of loss is no longer valid. */
    return (from == NULL || strcmp(from, date) <= 0) && (until == NULL || strcmp(date, until) < 0);
}

/* Where the file says "auto" the dates decide. */
static const char *answer_validity(const struct request *request, const struct person *person)
{
    const char *validity = person_string(person, "validity", "auto");
    const char *date = answer_confirmation_date(request);
    const json_t *results = json_object_get(person->data, "results");
    size_t in_force = 0;

    if (strcmp(validity, "auto") != 0)
        return validity;
    for (size_t i = 0; i < json_array_size(results); i++) {
        if (answer_is_in_force(json_array_get(results, i), date))
            in_force++;
    }
    if (in_force == 0)
        return json_array_size(results) == 0 ? "4" : "2";
    return in_force == 1 ? "1" : "5";
}

/* "auto" with a later entitlement: only what is in force is shown; otherwise all there is. */
static bool answer_shows(const struct request *request, const struct person *person,
                         const json_t *result, const char *validity)
{
    const char *date = answer_confirmation_date(request);

    if (strcmp(validity, "4") == 0)
        return false;
    if (strcmp(person_string(person, "validity", "auto"), "auto") != 0 || validity[0] == '2')
        return true;
    return answer_is_in_force(result, date);
}

void answer_add_people(const struct service *service, const struct request *request,
                       const struct person *const *person, size_t count,
                       const struct answer_choice *choice, json_t *body, struct reply *reply)
{
    const char *validity = count == 0 ? "4" : count > 1 ? "5" : answer_validity(request, person[0]);
    json_t *list = json_array();

    (void)service;
    for (size_t i = 0; i < count; i++) {
        json_t *results = json_object_get(person[i]->data, "results");

        for (size_t n = 0; n < json_array_size(results); n++) {
            json_t *each = json_array_get(results, n);

            if (answer_shows(request, person[i], each, validity))
                json_array_append_new(
                    list, json_pack("{s:o}", "ResultOfQualificationConfirmation",
                                    answer_make_result(request, person[i], each, choice)));
        }
    }
    if (count == 1) {
        const json_t *notice = json_object_get(person[0]->data, "notice");

        answer_set(body, "ProcessingResultCode",
                   json_string_value(json_object_get(notice, "code")));
        answer_set(body, "ProcessingResultMessage",
                   json_string_value(json_object_get(notice, "message")));
    }
    answer_set(body, "QualificationValidity", validity);
    json_object_set_new(body, "ResultList", list);
    snprintf(reply->outcome, sizeof(reply->outcome), "validity %s, results %zu", validity,
             json_array_size(list));
}
