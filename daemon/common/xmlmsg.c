#include "xmlmsg.h"

#include "bytes.h"
#include "memfd.h"
#include "utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
 * The canonical form: "XMG1", u32 number of elements, then each element before its children:
 *   u8 kind, u16 length of the name, name, then
 *   a leaf: u32 length, value; a branch: u32 number of children.
 * Little endian. The number of elements up front lets the reader refuse a lie before it allocates.
 */
#define MAGIC "XMG1"
#define MAGIC_LEN 4
#define PACK_HEADER (MAGIC_LEN + 4)
#define PACK_NODE 7 /* kind, length of the name, length of the value or number of children */
#define NAME_MAX_BYTES 128

enum kind { KIND_BRANCH = 0, KIND_LEAF = 1 };

struct xmlmsg {
    struct xmlmsg *parent;
    struct xmlmsg *first, *last; /* children */
    struct xmlmsg *next;         /* sibling */
    char *value;                 /* NULL: a branch */
    size_t nodes;                /* of the whole tree; kept in the root only */
    size_t bytes;                /* packed size of the whole tree; kept in the root only */
    char name[];
};

static const struct {
    uint32_t bit;
    const char *name;
} capabilities[] = {
    {CAPABILITY_BY_NUMBERS, "by_numbers"},
    {CAPABILITY_REFERENCE_NUMBER, "reference_number"},
    {CAPABILITY_BULK, "bulk"},
    {CAPABILITY_FACE_FILES, "face_files"},
    {CAPABILITY_CARD_SESSION, "card_session"},
    {CAPABILITY_REGISTER, "register"},
    {CAPABILITY_CONSENTS, "consents"},
    {CAPABILITY_DOCUMENTS, "documents"},
};

#define CAPABILITIES (sizeof(capabilities) / sizeof(capabilities[0]))

uint32_t upstream_capability_of(const char *name)
{
    for (size_t i = 0; i < CAPABILITIES; i++)
        if (strcmp(capabilities[i].name, name) == 0)
            return capabilities[i].bit;
    return 0;
}

const char *upstream_capability_name(uint32_t bit)
{
    for (size_t i = 0; i < CAPABILITIES; i++)
        if (capabilities[i].bit == bit)
            return capabilities[i].name;
    return "?";
}

/* What can be the name of an XML element and a step of a path; a blank or a control would be
 * neither. */
static bool name_valid(const char *name, size_t len)
{
    if (len == 0 || len > NAME_MAX_BYTES || !utf8_valid(name, len))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f || strchr("/<>&\"'=", name[i]) != NULL)
            return false;
    return true;
}

static size_t packed_size(size_t name_len, size_t value_len)
{
    return PACK_NODE + name_len + value_len;
}

static struct xmlmsg *root_of(struct xmlmsg *element, size_t *depth)
{
    size_t d = 1;

    while (element->parent != NULL) {
        element = element->parent;
        d++;
    }
    *depth = d;
    return element;
}

static void text_free(char *text)
{
    if (text == NULL)
        return;
    explicit_bzero(text, strlen(text));
    free(text);
}

static struct xmlmsg *element_new(const char *name, size_t name_len)
{
    struct xmlmsg *element;

    if (!name_valid(name, name_len))
        return NULL;
    element = calloc(1, sizeof(*element) + name_len + 1);
    if (element != NULL)
        memcpy(element->name, name, name_len);
    return element;
}

struct xmlmsg *xmlmsg_new(const char *name)
{
    size_t len = strlen(name);
    struct xmlmsg *root = element_new(name, len);

    if (root != NULL) {
        root->nodes = 1;
        root->bytes = PACK_HEADER + packed_size(len, 0);
    }
    return root;
}

/* Recursion is bounded: no tree is deeper than XMLMSG_DEPTH_MAX. */
static void element_free(struct xmlmsg *element)
{
    struct xmlmsg *child = element->first;

    while (child != NULL) {
        struct xmlmsg *next = child->next;

        element_free(child);
        child = next;
    }
    text_free(element->value);
    explicit_bzero(element->name, strlen(element->name));
    free(element);
}

void xmlmsg_free(struct xmlmsg **root)
{
    if (*root == NULL)
        return;
    element_free(*root);
    *root = NULL;
}

static struct xmlmsg *add(struct xmlmsg *parent, const char *name, size_t name_len,
                          const char *value, size_t value_len)
{
    size_t depth;
    struct xmlmsg *root = root_of(parent, &depth);
    struct xmlmsg *child;
    size_t size;

    if (parent->value != NULL || depth >= XMLMSG_DEPTH_MAX || root->nodes >= XMLMSG_NODES_MAX ||
        value_len > XMLMSG_BYTES_MAX)
        return NULL;
    size = packed_size(name_len, value_len);
    if (size > XMLMSG_BYTES_MAX - root->bytes)
        return NULL;
    if (value != NULL && (memchr(value, 0, value_len) != NULL || !utf8_valid(value, value_len)))
        return NULL;
    child = element_new(name, name_len);
    if (child == NULL)
        return NULL;
    if (value != NULL) {
        child->value = malloc(value_len + 1);
        if (child->value == NULL) {
            element_free(child);
            return NULL;
        }
        memcpy(child->value, value, value_len);
        child->value[value_len] = '\0';
    }
    child->parent = parent;
    if (parent->last != NULL)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    root->nodes++;
    root->bytes += size;
    return child;
}

/* What an element and all below it count for in the root. */
static void count_of(const struct xmlmsg *element, size_t *nodes, size_t *bytes)
{
    ++*nodes;
    *bytes +=
        packed_size(strlen(element->name), element->value != NULL ? strlen(element->value) : 0);
    for (const struct xmlmsg *child = element->first; child != NULL; child = child->next)
        count_of(child, nodes, bytes);
}

void xmlmsg_remove(struct xmlmsg *element)
{
    struct xmlmsg *parent = element->parent, *before = NULL, *root;
    size_t depth, nodes = 0, bytes = 0;

    if (parent == NULL)
        return;
    root = root_of(element, &depth);
    count_of(element, &nodes, &bytes);
    for (struct xmlmsg *e = parent->first; e != element; e = e->next)
        before = e;
    if (before != NULL)
        before->next = element->next;
    else
        parent->first = element->next;
    if (parent->last == element)
        parent->last = before;
    root->nodes -= nodes;
    root->bytes -= bytes;
    element_free(element);
}

struct xmlmsg *xmlmsg_add(struct xmlmsg *parent, const char *name, const char *value)
{
    return add(parent, name, strlen(name), value, value != NULL ? strlen(value) : 0);
}

static struct xmlmsg *first_named(struct xmlmsg *element, const char *name, size_t len)
{
    while (element != NULL &&
           (strncmp(element->name, name, len) != 0 || element->name[len] != '\0'))
        element = element->next;
    return element;
}

static int replace_value(struct xmlmsg *leaf, const char *value)
{
    size_t depth;
    struct xmlmsg *root = root_of(leaf, &depth);
    size_t old = leaf->value != NULL ? strlen(leaf->value) : 0;
    size_t len = strlen(value);
    char *copy;

    if (leaf->first != NULL || leaf->parent == NULL)
        return -EINVAL;
    if (len > XMLMSG_BYTES_MAX || root->bytes - old + len > XMLMSG_BYTES_MAX)
        return -E2BIG;
    copy = strdup(value);
    if (copy == NULL)
        return -ENOMEM;
    text_free(leaf->value);
    leaf->value = copy;
    root->bytes = root->bytes - old + len;
    return 0;
}

/* Every step of it could be an element's name. */
static bool path_valid(const char *path)
{
    for (;;) {
        size_t len = strcspn(path, "/");

        if (!name_valid(path, len))
            return false;
        if (path[len] == '\0')
            return true;
        path += len + 1;
    }
}

int xmlmsg_set(struct xmlmsg *root, const char *path, const char *value)
{
    struct xmlmsg *at = root;

    /* Refused before anything is made, so that a bad call leaves no half path behind. */
    if (value == NULL || !utf8_valid(value, strlen(value)) || !path_valid(path))
        return -EINVAL;
    for (;;) {
        size_t len = strcspn(path, "/");
        bool last = path[len] == '\0';
        struct xmlmsg *child = first_named(at->first, path, len);

        if (child != NULL && last)
            return replace_value(child, value);
        if (at->value != NULL)
            return -EINVAL;
        if (child == NULL)
            child = add(at, path, len, last ? value : NULL, last ? strlen(value) : 0);
        if (child == NULL)
            return -E2BIG;
        if (last)
            return 0;
        at = child;
        path += len + 1;
    }
}

const char *xmlmsg_name(const struct xmlmsg *element)
{
    return element->name;
}

const char *xmlmsg_value(const struct xmlmsg *element)
{
    return element->value;
}

struct xmlmsg *xmlmsg_child(const struct xmlmsg *element, const char *name)
{
    return name == NULL ? element->first : first_named(element->first, name, strlen(name));
}

struct xmlmsg *xmlmsg_next(const struct xmlmsg *element, const char *name)
{
    return name == NULL ? element->next : first_named(element->next, name, strlen(name));
}

/* The first element at the path, among all that repeat on the way, not only below the first of
 * them. */
static const struct xmlmsg *find(const struct xmlmsg *at, const char *path)
{
    size_t len = strcspn(path, "/");
    const struct xmlmsg *found = NULL;
    struct xmlmsg *child = first_named(at->first, path, len);

    while (child != NULL && found == NULL) {
        found = path[len] == '\0' ? child : find(child, path + len + 1);
        child = first_named(child->next, path, len);
    }
    return found;
}

struct xmlmsg *xmlmsg_find(const struct xmlmsg *root, const char *path)
{
    /* The tree belongs to the caller, who may hold it writable: as with strchr(). */
    return (struct xmlmsg *)(uintptr_t)find(root, path);
}

const char *xmlmsg_get(const struct xmlmsg *root, const char *path)
{
    const struct xmlmsg *element = find(root, path);

    return element != NULL && element->value != NULL ? element->value : "";
}

bool xmlmsg_has(const struct xmlmsg *root, const char *path)
{
    return find(root, path) != NULL;
}

size_t xmlmsg_count(const struct xmlmsg *root)
{
    size_t n = 1;

    for (const struct xmlmsg *child = root->first; child != NULL; child = child->next)
        n += xmlmsg_count(child);
    return n;
}

static size_t tree_size(const struct xmlmsg *element)
{
    size_t n =
        packed_size(strlen(element->name), element->value != NULL ? strlen(element->value) : 0);

    for (const struct xmlmsg *child = element->first; child != NULL; child = child->next)
        n += tree_size(child);
    return n;
}

static void pack(struct bytes_writer *w, const struct xmlmsg *element)
{
    size_t len = strlen(element->name);
    uint32_t children = 0;

    bytes_put_u8(w, element->value != NULL ? KIND_LEAF : KIND_BRANCH);
    bytes_put_u16le(w, (uint16_t)len);
    bytes_put(w, element->name, len);
    if (element->value != NULL) {
        len = strlen(element->value);
        bytes_put_u32le(w, (uint32_t)len);
        bytes_put(w, element->value, len);
        return;
    }
    for (const struct xmlmsg *child = element->first; child != NULL; child = child->next)
        children++;
    bytes_put_u32le(w, children);
    for (const struct xmlmsg *child = element->first; child != NULL; child = child->next)
        pack(w, child);
}

int xmlmsg_pack(const struct xmlmsg *root, uint8_t **out, size_t *len)
{
    struct bytes_writer w;
    size_t size = PACK_HEADER + tree_size(root);
    uint8_t *data = malloc(size);

    if (data == NULL)
        return -ENOMEM;
    bytes_writer_init(&w, data, size);
    bytes_put(&w, MAGIC, MAGIC_LEN);
    bytes_put_u32le(&w, (uint32_t)xmlmsg_count(root));
    pack(&w, root);
    if (w.failed || w.used != size) {
        explicit_bzero(data, size);
        free(data);
        return -EOVERFLOW;
    }
    *out = data;
    *len = size;
    return 0;
}

struct unpacked {
    uint8_t kind;
    const char *text; /* the name */
    size_t text_len;
    const char *value; /* NULL: a branch */
    size_t value_len;
    uint32_t children;
};

static bool unpack_node(struct bytes_reader *r, struct unpacked *node)
{
    node->kind = bytes_u8(r);
    node->text_len = bytes_u16le(r);
    node->text = (const char *)bytes_take(r, node->text_len);
    node->value = NULL;
    node->value_len = 0;
    node->children = 0;
    if (node->kind == KIND_LEAF) {
        node->value_len = bytes_u32le(r);
        node->value = (const char *)bytes_take(r, node->value_len);
    } else {
        node->children = bytes_u32le(r);
    }
    /* A child takes PACK_NODE bytes and a name of one at least: more children than that is a lie.
     */
    return !r->failed && node->kind <= KIND_LEAF && node->children <= r->left / (PACK_NODE + 1);
}

static int unpack_children(struct bytes_reader *r, struct xmlmsg *parent, uint32_t children)
{
    struct unpacked node;

    for (uint32_t i = 0; i < children; i++) {
        struct xmlmsg *child;
        int error;

        if (!unpack_node(r, &node))
            return -EBADMSG;
        child = add(parent, node.text, node.text_len, node.value, node.value_len);
        if (child == NULL)
            return -EBADMSG;
        error = unpack_children(r, child, node.children);
        if (error != 0)
            return error;
    }
    return 0;
}

int xmlmsg_unpack(struct xmlmsg **out, const uint8_t *data, size_t len)
{
    struct bytes_reader r;
    struct unpacked node;
    struct xmlmsg *root = NULL;
    const uint8_t *magic;
    uint32_t nodes;

    *out = NULL;
    if (len > XMLMSG_BYTES_MAX)
        return -EBADMSG;
    bytes_reader_init(&r, data, len);
    magic = bytes_take(&r, MAGIC_LEN);
    nodes = bytes_u32le(&r);
    if (r.failed || memcmp(magic, MAGIC, MAGIC_LEN) != 0 || nodes == 0 || nodes > XMLMSG_NODES_MAX)
        return -EBADMSG;
    if (!unpack_node(&r, &node) || node.kind != KIND_BRANCH)
        return -EBADMSG;
    root = element_new(node.text, node.text_len);
    if (root == NULL)
        return -EBADMSG;
    root->nodes = 1;
    root->bytes = PACK_HEADER + packed_size(node.text_len, 0);
    if (unpack_children(&r, root, node.children) != 0 || !bytes_done(&r) || root->nodes != nodes) {
        xmlmsg_free(&root);
        return -EBADMSG;
    }
    *out = root;
    return 0;
}

int xmlmsg_to_memfd(const struct xmlmsg *root, size_t *len)
{
    uint8_t *data;
    int fd = xmlmsg_pack(root, &data, len);

    if (fd != 0)
        return fd;
    fd = memfd_seal("xmlmsg", data, *len);
    explicit_bzero(data, *len);
    free(data);
    return fd;
}

int xmlmsg_from_memfd(struct xmlmsg **out, int fd, size_t len)
{
    const uint8_t *map;
    struct stat st;
    int error;

    *out = NULL;
    if (len == 0) {
        /* A size that lies or changes is caught by memfd_map(), which wants the seals. */
        if (fstat(fd, &st) != 0)
            return -errno;
        if (st.st_size <= 0)
            return -EBADMSG;
        len = (size_t)st.st_size;
    }
    error = memfd_map(fd, len, XMLMSG_BYTES_MAX, &map);
    if (error != 0)
        return error;
    error = xmlmsg_unpack(out, map, len);
    memfd_unmap(map, len);
    return error;
}
