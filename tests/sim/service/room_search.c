/* The search call: entitlement by insurer, symbol, number, branch and birth date. */
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "service.h"
#include "text.h"

#define MATCH_MAX 16

static bool search_check_insurer(const char *value)
{
    const char *digits = text_skip_padding(value);

    return text_count_chars(value) == 8 && digits[0] != '\0' &&
           text_is_digits(digits, strlen(digits));
}

static bool search_check_symbol(const char *value)
{
    return text_count_chars(value) <= 20;
}

static bool search_check_number(const char *value)
{
    return value[0] != '\0' && text_count_chars(value) <= 20;
}

static bool search_check_branch(const char *value)
{
    return value[0] == '\0' || text_is_digits(value, 2);
}

static bool search_check_flag(const char *value)
{
    return strcmp(value, "0") == 0 || strcmp(value, "1") == 0;
}

static bool search_check_arbitrary(const char *value)
{
    return text_count_chars(value) <= 50;
}

static const struct {
    const char *name;
    bool required;
    bool (*check)(const char *value);
    enum answer_code fault;
} search_fields[] = {
    {"InsurerNumber", true, search_check_insurer, ANSWER_INSURER},
    {"InsuredCardSymbol", false, search_check_symbol, ANSWER_SYMBOL},
    {"InsuredIdentificationNumber", true, search_check_number, ANSWER_NUMBER},
    {"InsuredBranchNumber", false, search_check_branch, ANSWER_BRANCH},
    {"Birthdate", true, text_is_date, ANSWER_BIRTHDATE},
    {"LimitApplicationCertificateRelatedConsFlg", true, search_check_flag, ANSWER_CONSENT},
    {"ArbitraryIdentifier", false, search_check_arbitrary, ANSWER_ARBITRARY},
};

static bool search_check(const json_t *info, enum answer_code *fault)
{
    for (size_t i = 0; i < sizeof(search_fields) / sizeof(search_fields[0]); i++) {
        const json_t *value = json_object_get(info, search_fields[i].name);

        *fault = search_fields[i].fault;
        if (value == NULL || json_is_null(value)) {
            if (search_fields[i].required)
                return false;
            continue;
        }
        if (!json_is_string(value) || !search_fields[i].check(json_string_value(value)))
            return false;
    }
    return true;
}

static const char *search_string(const json_t *info, const char *name)
{
    return json_string_value(json_object_get(info, name));
}

void search_handle(struct service *service, const struct request *request, struct reply *reply)
{
    const struct person *found[MATCH_MAX];
    struct answer_choice choice = {0};
    struct people_numbers numbers;
    enum answer_code fault;
    json_t *info;
    json_t *body;
    size_t count;

    info = answer_check_request(service, request, "QualificationConfirmSearchInfo",
                                ANSWER_BY_NUMBERS, reply);
    if (info == NULL)
        return;
    numbers.insurer = search_string(info, "InsurerNumber");
    numbers.symbol = search_string(info, "InsuredCardSymbol");
    numbers.number = search_string(info, "InsuredIdentificationNumber");
    numbers.branch = search_string(info, "InsuredBranchNumber");
    numbers.birthdate = search_string(info, "Birthdate");
    snprintf(reply->subject, sizeof(reply->subject), "numbers:%s/%s/%s/%s",
             numbers.insurer != NULL ? text_skip_padding(numbers.insurer) : "",
             numbers.symbol != NULL ? numbers.symbol : "",
             numbers.number != NULL ? numbers.number : "",
             numbers.branch != NULL ? numbers.branch : "");
    if (!search_check(info, &fault)) {
        answer_fail(service, request, ANSWER_BY_NUMBERS, fault, info, reply);
        return;
    }
    count = people_find_numbers(service->people, &numbers, found, MATCH_MAX);
    if (count > MATCH_MAX)
        count = MATCH_MAX;
    choice.limit =
        strcmp(search_string(info, "LimitApplicationCertificateRelatedConsFlg"), "1") == 0;
    choice.consent_time = service_now(service);
    choice.echo = info;
    body = answer_succeed(service, request, ANSWER_BY_NUMBERS, reply);
    json_object_set(body, "QualificationConfirmSearchInfo", info);
    answer_add_people(service, request, found, count, &choice, body, reply);
}
