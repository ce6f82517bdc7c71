#include "bulk.h"

#include "numbers.h"

#include "../common/xmlmsg.h"

#include <errno.h>
#include <string.h>

#define RESULT "ResultOfQualificationConfirmation"

static bool copy_into(struct xmlmsg *parent, const struct xmlmsg *from)
{
    struct xmlmsg *element = xmlmsg_add(parent, xmlmsg_name(from), xmlmsg_value(from));
    const struct xmlmsg *child = xmlmsg_child(from, NULL);

    while (element != NULL && child != NULL && copy_into(element, child))
        child = xmlmsg_next(child, NULL);
    return element != NULL && child == NULL;
}

/* Of the whole: what counts its units is left out. */
static bool copy_header(struct xmlmsg *root, const struct xmlmsg *answer)
{
    static const char *const counts[] = {"ReceptionNumber", "NumberOfProcessingResult",
                                         "NumberOfNormalProcessing", "NumberOfError"};
    const struct xmlmsg *header = xmlmsg_find(answer, "MessageHeader");
    struct xmlmsg *there;

    if (header == NULL)
        return true;
    if (!copy_into(root, header))
        return false;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        if ((there = xmlmsg_child(xmlmsg_child(root, "MessageHeader"), counts[i])) != NULL)
            xmlmsg_remove(there);
    return true;
}

/* The clinic's own number stands beside the result here, not in it. */
static bool add_reference(struct xmlmsg *list, const struct xmlmsg *unit)
{
    const char *reference = xmlmsg_get(unit, "ReferenceNumber");
    struct xmlmsg *result = xmlmsg_child(list, RESULT);

    return reference[0] == '\0' || result == NULL || xmlmsg_next(result, RESULT) != NULL ||
           xmlmsg_child(result, "ReferenceNumber") != NULL ||
           xmlmsg_add(result, "ReferenceNumber", reference) != NULL;
}

static bool copy_unit(struct xmlmsg *body, const struct xmlmsg *unit)
{
    struct xmlmsg *list = NULL;

    for (const struct xmlmsg *e = xmlmsg_child(unit, NULL); e != NULL; e = xmlmsg_next(e, NULL)) {
        bool result = strcmp(xmlmsg_name(e), RESULT) == 0;

        if (result && list == NULL)
            list = xmlmsg_add(body, "ResultList", NULL);
        if ((result && list == NULL) || !copy_into(result ? list : body, e))
            return false;
    }
    return list == NULL || add_reference(list, unit);
}

static const struct xmlmsg *find_unit(const struct xmlmsg *answer, const char *identifier,
                                      const struct store_numbers *numbers)
{
    const struct xmlmsg *body = xmlmsg_find(answer, "MessageBody"), *found = NULL;

    if (body == NULL)
        return NULL;
    for (const struct xmlmsg *u = xmlmsg_child(body, "BulkConfirmUnit"); u != NULL;
         u = xmlmsg_next(u, "BulkConfirmUnit")) {
        const struct xmlmsg *info = xmlmsg_child(u, "QualificationConfirmSearchInfo");

        if (info == NULL || strcmp(xmlmsg_get(info, "ArbitraryIdentifier"), identifier) != 0)
            continue;
        if (found != NULL || !numbers_echoed(info, numbers->insurer, numbers->number))
            return NULL;
        found = u;
    }
    return found;
}

int bulk_row(const struct xmlmsg *answer, const char *identifier,
             const struct store_numbers *numbers, struct xmlmsg **out)
{
    bool good = strcmp(xmlmsg_get(answer, "MessageHeader/SegmentOfResult"), "1") == 0;
    const struct xmlmsg *unit = good ? find_unit(answer, identifier, numbers) : NULL;
    struct xmlmsg *body;

    *out = NULL;
    if (good && unit == NULL)
        return -ENOENT;
    *out = xmlmsg_new("XmlMsg");
    if (*out != NULL && copy_header(*out, answer) &&
        (body = xmlmsg_add(*out, "MessageBody", NULL)) != NULL &&
        (unit == NULL || copy_unit(body, unit)))
        return 0;
    xmlmsg_free(out);
    return -ENOMEM;
}
