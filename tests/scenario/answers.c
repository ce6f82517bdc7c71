#include "answers.h"

#include "../../daemon/common/xmlmsg.h"

#include <string.h>

/* What the service says, element by element (shapes and codes of the eligibility facts). */
static const struct {
    const char *kind, *segment, *status, *validity, *code, *message;
    unsigned results;
    const char *birth, *registration, *ratio, *ticket;
} answers[] = {
    {"ratio_30", "1", "1", "1", NULL, NULL, 1, "19540707", NULL, "030", NULL},
    {"ticket_clinic", "1", "1", "1", NULL, NULL, 1, "19540707", NULL, NULL, "01"},
    {"ticket_pharmacy", "1", "1", "1", NULL, NULL, 1, "19540707", NULL, NULL, "02"},
    {"baby", "1", "1", "1", NULL, NULL, 1, "20260920", NULL, "020", NULL},
    {"valid", "1", "1", "1", NULL, NULL, 1, "19540707", NULL, NULL, NULL},
    {"notice", "1", "1", "1", "SIMNOT301", "証明書の有効期限まで3か月以内です", 1, "19540707", NULL,
     NULL, NULL},
    {"lost", "1", "1", "2", NULL, NULL, 1, "19540707", NULL, NULL, NULL},
    {"lost_new", "1", "1", "3", NULL, NULL, 1, "19540707", NULL, NULL, NULL},
    {"none", "1", "1", "4", NULL, NULL, 0, NULL, NULL, NULL, NULL},
    {"several", "1", "1", "5", NULL, NULL, 2, "19540707", NULL, NULL, NULL},
    {"ticket", "1", "1", "6", NULL, NULL, 1, "19540707", NULL, NULL, NULL},
    {"two_results", "1", "1", "1", NULL, NULL, 2, "19540707", NULL, NULL, NULL},
    {"other_birth", "1", "1", "1", NULL, NULL, 1, "19710203", NULL, NULL, NULL},
    {"segment9", "9", NULL, NULL, "OQC-OWSE0900000", "通信エラー（試験用文言）", 0, NULL, NULL,
     NULL, NULL},
    {"pending", "2", NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL},
    {"status2", "1", "2", NULL, "X001", "処理エラー", 0, NULL, NULL, NULL, NULL},
    {"not_registered", "1", "2", NULL, "SIMPRC221", "not registered yet", 0, NULL, NULL, NULL,
     NULL},
    {"insurer_missing", "1", "2", NULL, "SIMPRC222", "the insurer has not sent the data", 0, NULL,
     NULL, NULL, NULL},
    {"revoked", "1", "2", NULL, "SIMPRC205", "certificate is revoked", 0, NULL, NULL, NULL, NULL},
    {"expired", "1", "2", NULL, "SIMPRC204", "certificate is over", 0, NULL, NULL, NULL, NULL},
    {"registered", "1", "1", NULL, NULL, NULL, 0, NULL, "accepted", NULL, NULL},
    {"register_refused", "1", "2", NULL, "SIMPRC222", "refused", 0, NULL, "refused", NULL, NULL},
    {"garbled", "7", NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL},
};

struct xmlmsg *stage_answer_tree(const char *kind)
{
    size_t i = 0;
    struct xmlmsg *root, *header, *body, *list = NULL;

    while (i < sizeof(answers) / sizeof(answers[0]) && strcmp(answers[i].kind, kind) != 0)
        i++;
    if (i == sizeof(answers) / sizeof(answers[0]))
        return NULL;
    root = xmlmsg_new("XmlMsg");
    header = xmlmsg_add(root, "MessageHeader", NULL);
    body = xmlmsg_add(root, "MessageBody", NULL);

    xmlmsg_add(header, "SegmentOfResult", answers[i].segment);
    xmlmsg_add(header, "MedicalInstitutionCode", "9910000017");
    if (answers[i].status == NULL && answers[i].code != NULL)
        xmlmsg_add(header, "ErrorCode", answers[i].code);
    if (answers[i].status != NULL)
        xmlmsg_add(body, "ProcessingResultStatus", answers[i].status);
    if (answers[i].status != NULL && answers[i].code != NULL) {
        xmlmsg_add(body, "ProcessingResultCode", answers[i].code);
        xmlmsg_add(body, "ProcessingResultMessage", answers[i].message);
    }
    if (answers[i].validity != NULL)
        xmlmsg_add(body, "QualificationValidity", answers[i].validity);
    if (answers[i].registration != NULL)
        xmlmsg_add(body, "RegistrationOutcome", answers[i].registration);
    if (answers[i].results > 0)
        list = xmlmsg_add(body, "ResultList", NULL);
    for (unsigned n = 0; n < answers[i].results; n++) {
        struct xmlmsg *result = xmlmsg_add(list, "ResultOfQualificationConfirmation", NULL);

        xmlmsg_add(result, "Name", "架●　花子");
        xmlmsg_add(result, "NameKana", "ｶｸｳ ﾊﾅｺ");
        xmlmsg_add(result, "Sex1", "2");
        xmlmsg_add(result, "Birthdate", answers[i].birth);
        xmlmsg_add(result, "InsurerName", "架空健康保険組合");
        xmlmsg_add(result, "InsuredPartialContributionRatio",
                   answers[i].ratio != NULL ? answers[i].ratio : "020");
        xmlmsg_add(result, "InsurerNumber", answers[i].ticket != NULL ? "12990012" : "06130017");
        xmlmsg_add(result, "InsuredCardSymbol", "試験");
        xmlmsg_add(result, "InsuredIdentificationNumber", "1001");
        xmlmsg_add(result, "InsuredBranchNumber", "01");
        if (answers[i].ticket != NULL) {
            xmlmsg_add(result, "InsuredCardClassification", "A1");
            xmlmsg_add(xmlmsg_add(xmlmsg_add(result, "PublicExpenseResultList", NULL),
                                  "MedicalTicketInfo", NULL),
                       "TicketType", answers[i].ticket);
        }
    }
    return root;
}

void stage_answer_change(struct xmlmsg *tree, const char *path, const char *value)
{
    struct xmlmsg *list = xmlmsg_find(tree, "MessageBody/ResultList");

    for (struct xmlmsg *r = list != NULL ? xmlmsg_child(list, NULL) : NULL; r != NULL;
         r = xmlmsg_next(r, NULL)) {
        struct xmlmsg *there = xmlmsg_find(r, path);

        if (value[0] != '\0')
            xmlmsg_set(r, path, value);
        else if (there != NULL)
            xmlmsg_remove(there);
    }
}
