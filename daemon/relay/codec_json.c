#include "codec_json.h"

#include "../common/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each element may cost an array's and an object's bracket and two commas. */
#define TOKENS_MAX (4 * (size_t)XMLMSG_NODES_MAX)
#define BRACKETS_MAX (2 * XMLMSG_DEPTH_MAX + 2)

void codec_json_protect(void)
{
    json_set_alloc_funcs(memory_or_end, memory_wipe_free);
}

int codec_json_check_size(const void *data, size_t len)
{
    const unsigned char *at = data;
    size_t tokens = 0, depth = 0;
    bool text = false;

    if (len > XMLMSG_BYTES_MAX)
        return -EBADMSG;
    for (size_t i = 0; i < len; i++) {
        if (text) {
            if (at[i] == '\\')
                i++;
            else if (at[i] == '"')
                text = false;
            continue;
        }
        switch (at[i]) {
        case '"':
            text = true;
            break;
        case '{':
        case '[':
            depth++;
            tokens++;
            break;
        case ',':
            tokens++;
            break;
        case '}':
        case ']':
            depth -= depth > 0;
            break;
        default:
            break;
        }
        if (depth > BRACKETS_MAX || tokens > TOKENS_MAX)
            return -EBADMSG;
    }
    return 0;
}

static bool is_list(const char *name)
{
    size_t len = strlen(name);

    return len > 4 && strcmp(name + len - 4, "List") == 0;
}

/* The text of a scalar, in `buffer` where it has none of its own. NULL: not a scalar. */
static const char *scalar_text(const json_t *value, char *buffer, size_t size)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return json_string_value(value);
    case JSON_INTEGER:
        snprintf(buffer, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return buffer;
    case JSON_REAL:
        snprintf(buffer, size, "%.17g", json_real_value(value));
        return buffer;
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        return "";
    default:
        return NULL;
    }
}

static int read_value(struct xmlmsg *parent, const char *name, const json_t *value);

static int read_members(struct xmlmsg *element, const json_t *object)
{
    const char *name;
    json_t *value;
    int error = 0;

    /* The iterator wants a pointer to non-const; nothing is changed through it. */
    json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
        error = read_value(element, name, value);
        if (error != 0)
            break;
    }
    return error;
}

static int read_list(struct xmlmsg *parent, const char *name, const json_t *array)
{
    struct xmlmsg *list = xmlmsg_add(parent, name, NULL);
    int error = list != NULL ? 0 : -EBADMSG;

    for (size_t i = 0; error == 0 && i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);

        error = json_is_object(item) ? read_members(list, item) : -EBADMSG;
    }
    return error;
}

static int read_repeated(struct xmlmsg *parent, const char *name, const json_t *array)
{
    int error = 0;

    for (size_t i = 0; error == 0 && i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);

        error = json_is_array(item) ? -EBADMSG : read_value(parent, name, item);
    }
    return error;
}

/* The depth is bounded by xmlmsg_add(), which refuses the element that would be too deep. */
static int read_value(struct xmlmsg *parent, const char *name, const json_t *value)
{
    char buffer[40];
    struct xmlmsg *element;

    if (json_is_array(value))
        return is_list(name) ? read_list(parent, name, value) : read_repeated(parent, name, value);
    element = xmlmsg_add(parent, name, scalar_text(value, buffer, sizeof(buffer)));
    if (element == NULL)
        return -EBADMSG;
    return json_is_object(value) ? read_members(element, value) : 0;
}

int codec_json_read(struct xmlmsg **out, const void *data, size_t len)
{
    struct xmlmsg *root = NULL;
    json_t *json = NULL;
    json_t *value;
    void *first;
    int error = codec_json_check_size(data, len);

    *out = NULL;
    if (error != 0)
        return error;
    json = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);
    error = -EBADMSG;
    if (!json_is_object(json) || json_object_size(json) != 1)
        goto out;
    first = json_object_iter(json);
    value = json_object_iter_value(first);
    /* A root named ...List would be written as an array, which is no message. */
    if (!json_is_object(value) || is_list(json_object_iter_key(first)))
        goto out;
    root = xmlmsg_new(json_object_iter_key(first));
    if (root == NULL)
        goto out;
    error = read_members(root, value);
    if (error == 0) {
        *out = root;
        root = NULL;
    }
out:
    xmlmsg_free(&root);
    json_decref(json);
    return error;
}

static json_t *write_element(const struct xmlmsg *element);

/* Set, or where the name stands already, make an array of what there was and append. */
static int put_member(json_t *object, const char *name, json_t *value)
{
    json_t *before = json_object_get(object, name);
    json_t *array;

    if (value == NULL)
        return -ENOMEM;
    if (before == NULL)
        return json_object_set_new(object, name, value) == 0 ? 0 : -ENOMEM;
    if (json_is_array(before) && !is_list(name))
        return json_array_append_new(before, value) == 0 ? 0 : -ENOMEM;
    if (is_list(name) && json_is_array(before) && json_is_array(value)) {
        /* Two lists of one name hold together what they held apart. */
        int error = json_array_extend(before, value) == 0 ? 0 : -ENOMEM;

        json_decref(value);
        return error;
    }
    if (is_list(name)) {
        json_decref(value);
        return -EINVAL;
    }
    array = json_pack("[O, o]", before, value);
    if (array == NULL)
        return -ENOMEM;
    return json_object_set_new(object, name, array) == 0 ? 0 : -ENOMEM;
}

static json_t *write_list(const struct xmlmsg *element)
{
    json_t *array = json_array();
    const struct xmlmsg *child = xmlmsg_child(element, NULL);

    while (array != NULL && child != NULL) {
        json_t *item = json_object();

        if (item == NULL || put_member(item, xmlmsg_name(child), write_element(child)) != 0 ||
            json_array_append(array, item) != 0) {
            json_decref(array);
            array = NULL;
        }
        json_decref(item);
        child = xmlmsg_next(child, NULL);
    }
    return array;
}

static json_t *write_element(const struct xmlmsg *element)
{
    const char *value = xmlmsg_value(element);
    json_t *object;

    if (value != NULL)
        return json_string(value);
    if (is_list(xmlmsg_name(element)))
        return write_list(element);
    object = json_object();
    for (const struct xmlmsg *child = xmlmsg_child(element, NULL); object != NULL && child != NULL;
         child = xmlmsg_next(child, NULL)) {
        if (put_member(object, xmlmsg_name(child), write_element(child)) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

int codec_json_write(const struct xmlmsg *root, char **out, size_t *len)
{
    json_t *json = json_object();
    int error = -EINVAL;

    *out = NULL;
    if (json != NULL && put_member(json, xmlmsg_name(root), write_element(root)) == 0)
        *out = json_dumps(json, JSON_COMPACT);
    if (*out != NULL) {
        *len = strlen(*out);
        error = 0;
    }
    json_decref(json);
    return error;
}
