/* expand.c: see expand.h. */
#include "pipeline/expand.h"

#include <ctype.h>

static size_t name_len(const char *text)
{
    size_t len = 0;
    if (isdigit((unsigned char)*text))
        return 0;
    while (isalnum((unsigned char)text[len]) || text[len] == '_')
        len++;
    return len;
}

/* Expands the reference that `text` begins with ("${"), and returns what
 * follows it; NULL after a complaint. */
static const char *expand_reference(struct loader *loader,
                                    const struct yaml_node *node,
                                    const char *text, struct buffer *out)
{
    const char *name = text + 2;
    size_t len = name_len(name);
    const char *fallback = NULL;
    const char *rest = name + len;

    if (!strncmp(rest, ":-", 2)) {
        fallback = rest + 2;
        rest = fallback + strcspn(fallback, "}");
    }
    if (!len || *rest != '}' ||
        (fallback && memmem(fallback, (size_t)(rest - fallback), "${", 2))) {
        complain(loader, node,
                 "'%s' is not understood: write ${NAME} or ${NAME:-default}",
                 shown(text).text);
        return NULL;
    }

    char *copy = arena_copy(&loader->pipeline->arena, name, len);
    if (!copy) {
        loader->out_of_memory = true;
        return NULL;
    }
    const char *value = settings_get(loader->settings, copy);
    if (value && (*value || !fallback)) {
        buffer_append_text(out, value);
    } else if (fallback) {
        buffer_append(out, fallback, (size_t)(rest - fallback));
    } else {
        complain(loader, node,
                 "${%s} is not set: set it, or give a default with "
                 "${%s:-default}",
                 shown(copy).text, shown(copy).text);
        return NULL;
    }
    return rest + 1;
}

static void expand_text(struct loader *loader, struct yaml_node *node)
{
    struct buffer out = BUFFER_EMPTY;
    const char *text = node->text;

    if (!strchr(text, '$'))
        return;
    while (text && *text && out.len <= EXPAND_BYTES_MAX) {
        size_t plain = strcspn(text, "$");
        buffer_append(&out, text, plain);
        text += plain;
        if (text[0] == '$' && text[1] == '{') {
            text = expand_reference(loader, node, text, &out);
        } else if (text[0] == '$') {
            buffer_append_char(&out, '$');
            text += text[1] == '$' ? 2 : 1;
        }
    }
    if (out.len > EXPAND_BYTES_MAX) {
        complain(loader, node, "longer than %d bytes when expanded",
                 EXPAND_BYTES_MAX);
        text = NULL;
    }
    node->broken = !text; /* what is read from it would say it again */
    if (text)
        node->text =
            arena_copy(&loader->pipeline->arena, buffer_text(&out), out.len);
    if (out.failed || !node->text) {
        loader->out_of_memory = true;
        node->text = "";
    }
    buffer_free(&out);
}

static bool is_prose(const struct yaml_node *node)
{
    return node->key && (!strcmp(node->key->text, "description") ||
                         !strcmp(node->key->text, "dscription") ||
                         !strcmp(node->key->text, "note"));
}

void expand_tree(struct loader *loader, struct yaml_node *node)
{
    if (is_prose(node))
        return;
    if (node->kind == YAML_TEXT)
        expand_text(loader, node);
    for (struct yaml_node *item = node->first; item; item = item->next)
        expand_tree(loader, item);
}
