/*
 * pipeline_xpath.c: whether an XPath can be evaluated.
 *
 * libxml2 compiles whatever has the form of an XPath, and looks for functions,
 * variables and prefixes when it comes upon them: in a condition not before a
 * page has nodes to try it on. So the names are read here, out of what has
 * compiled; all else that is wrong on every page shows on an empty one.
 */
#include <ctype.h>

#include "pipeline/loader.h"
#include "pipeline/xpath.h"

#define OPS_MAX 100000 /* on the empty page */

/* XPath 1.0, 4. */
static const char *const functions[] = {
    "boolean",
    "ceiling",
    "concat",
    "contains",
    "count",
    "false",
    "floor",
    "id",
    "lang",
    "last",
    "local-name",
    "name",
    "namespace-uri",
    "normalize-space",
    "not",
    "number",
    "position",
    "round",
    "starts-with",
    "string",
    "string-length",
    "substring",
    "substring-after",
    "substring-before",
    "sum",
    "translate",
    "true",
};
static const char *const node_types[] = {"comment", "node",
                                         "processing-instruction", "text"};
static const char *const operators[] = {"and", "div", "mod", "or"};

#define IS_ONE_OF(name, list) is_one_of(name, list, sizeof list / sizeof *list)
static bool is_one_of(struct slice name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_equal(name, slice_of(list[i])))
            return true;
    return false;
}

/* How an XPath is read, name after name. */
struct reading {
    struct loader *loader;
    const struct yaml_node *at;
    const char *xpath;
    const char *next;   /* what is not read yet */
    bool after_operand; /* so that "and", "*" are operators (3.7) */
    bool good;
};

static bool starts_name(char c)
{
    return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* An NCName; of what has compiled, any byte beyond ASCII is a part of one. */
static struct slice take_name(struct reading *reading)
{
    const char *begin = reading->next, *p = begin;
    while (starts_name(*p) || isdigit((unsigned char)*p) || *p == '-' ||
           *p == '.')
        p++;
    reading->next = p;
    return (struct slice){begin, (size_t)(p - begin)};
}

/* The local part, or '*', of a name whose prefix has been read. */
static struct slice take_local(struct reading *reading)
{
    reading->next++;
    if (*reading->next != '*')
        return take_name(reading);
    return (struct slice){reading->next++, 1};
}

static void check_prefix(struct reading *reading, struct slice prefix,
                         struct slice local)
{
    if (slice_equal(prefix, slice_of("xml")))
        return;
    reading->good = false;
    complain(reading->loader, reading->at,
             "'%s' has the prefix '%.*s', and none is bound here: what is "
             "named '%.*s:%.*s' is *[name() = '%.*s:%.*s']",
             shown(reading->xpath).text, SLICE_ARGS(prefix), SLICE_ARGS(prefix),
             SLICE_ARGS(local), SLICE_ARGS(prefix), SLICE_ARGS(local));
}

static void check_function(struct reading *reading, struct slice name)
{
    struct loader *loader = reading->loader;
    if (IS_ONE_OF(name, functions) || IS_ONE_OF(name, node_types))
        return;
    const char *text = load_printf(loader, "%.*s", SLICE_ARGS(name));
    reading->good = false;
    if (text)
        complain_unknown(loader, reading->at, "function", "XPath 1.0", text,
                         functions, sizeof functions / sizeof *functions);
}

/* An operator, an axis, a function, or what a node is named. */
static void read_name(struct reading *reading)
{
    struct slice name = take_name(reading);
    if (reading->after_operand && IS_ONE_OF(name, operators)) {
        reading->after_operand = false;
        return;
    }
    struct slice whole = name, local = {0};
    if (reading->next[0] == ':' && reading->next[1] != ':') {
        local = take_local(reading);
        whole.len += 1 + local.len;
    }
    if (reading->next[strspn(reading->next, " \t\r\n")] == '(')
        check_function(reading, whole);
    else if (local.len)
        check_prefix(reading, name, local);
    reading->after_operand = true;
}

static void read_variable(struct reading *reading)
{
    reading->next++;
    reading->next += strspn(reading->next, " \t\r\n");
    struct slice name = take_name(reading);
    if (reading->next[0] == ':' && reading->next[1] != ':')
        take_local(reading);
    reading->after_operand = true;
    reading->good = false;
    complain(reading->loader, reading->at,
             "'%s' has the variable $%.*s, and an XPath has none here: write "
             "its value",
             shown(reading->xpath).text, SLICE_ARGS(name));
}

static void read_literal(struct reading *reading)
{
    const char *end = strchr(reading->next + 1, *reading->next);
    reading->next = end ? end + 1 : reading->next + strlen(reading->next);
    reading->after_operand = true;
}

/* Whether all functions that a compiled XPath calls are there, and that it has
 * neither variables nor prefixes. */
static bool check_names(struct loader *loader, const struct yaml_node *at,
                        const char *xpath)
{
    struct reading reading = {loader, at, xpath, xpath, false, true};
    while (*reading.next) {
        char c = *reading.next;
        if (c == '"' || c == '\'') {
            read_literal(&reading);
        } else if (c == '$') {
            read_variable(&reading);
        } else if (starts_name(c)) {
            read_name(&reading);
        } else {
            bool operand = isdigit((unsigned char)c) || strchr(".)]", c) ||
                           (c == '*' && !reading.after_operand);
            if (!isspace((unsigned char)c))
                reading.after_operand = operand;
            reading.next++;
        }
    }
    return reading.good;
}

/* What is wrong with it on a page without anything is so on every page. */
static bool check_evaluates(struct loader *loader, const struct yaml_node *at,
                            const char *xpath, xmlXPathCompExprPtr compiled)
{
    xmlDocPtr page = xmlNewDoc(NULL);
    xmlXPathContextPtr context = page ? xmlXPathNewContext(page) : NULL;
    xmlXPathObjectPtr object = NULL;
    int code = XML_ERR_NO_MEMORY;

    if (context) {
        xpath_listen(context, &code);
        context->opLimit = OPS_MAX;
        object = xmlXPathCompiledEval(compiled, context);
    }
    bool good = object || xpath_fault(code) == XPATH_FAULT_LIMIT;
    if (!good && xpath_fault(code) == XPATH_FAULT_MEMORY)
        loader->out_of_memory = true;
    else if (!good)
        complain(loader, at, "'%s' can't be evaluated: %s", shown(xpath).text,
                 xpath_why(code));
    xmlXPathFreeObject(object);
    xmlXPathFreeContext(context);
    xmlFreeDoc(page);
    return good;
}

bool check_xpath(struct loader *loader, const struct yaml_node *at,
                 const char *xpath)
{
    xmlXPathContextPtr context = xmlXPathNewContext(NULL);
    int code;

    if (!context) {
        loader->out_of_memory = true;
        return false;
    }
    xpath_listen(context, &code);
    xmlXPathCompExprPtr compiled =
        xmlXPathCtxtCompile(context, (const xmlChar *)xpath);
    if (!compiled)
        complain(loader, at, "'%s' is no XPath from its byte %d on",
                 shown(xpath).text, context->lastError.int1 + 1);
    bool good = compiled && check_names(loader, at, xpath) &&
                check_evaluates(loader, at, xpath, compiled);
    xmlXPathFreeCompExpr(compiled);
    xmlXPathFreeContext(context);
    return good;
}
