/*
 * xpath.c: see xpath.h.
 *
 * Most of what goes wrong comes by the context's handler; a few things, such as
 * a function that is not there, libxml2 prints besides, by a handler of the
 * whole thread.
 */
#include "pipeline/xpath.h"

static void keep_first(void *context, xmlErrorPtr error)
{
    int *code = context;
    if (!*code)
        *code = error->code;
}

static void say_nothing(void *context, const char *format, ...)
{
    (void)context;
    (void)format;
}

void xpath_listen(xmlXPathContextPtr context, int *ret_code)
{
    *ret_code = 0;
    xmlSetGenericErrorFunc(NULL, say_nothing);
    context->userData = ret_code;
    context->error = keep_first;
}

/* The code as xpath.h of libxml2 has it. */
static int plain(int code)
{
    return code - XML_XPATH_EXPRESSION_OK + XPATH_EXPRESSION_OK;
}

enum xpath_fault xpath_fault(int code)
{
    if (plain(code) == XPATH_OP_LIMIT_EXCEEDED)
        return XPATH_FAULT_LIMIT;
    if (code == XML_ERR_NO_MEMORY || plain(code) == XPATH_MEMORY_ERROR)
        return XPATH_FAULT_MEMORY;
    return XPATH_FAULT_OWN;
}

const char *xpath_why(int code)
{
    switch (plain(code)) {
    case XPATH_UNKNOWN_FUNC_ERROR:
        return "it calls a function that XPath 1.0 does not have";
    case XPATH_UNDEF_VARIABLE_ERROR:
        return "it has a variable, and there are none";
    case XPATH_UNDEF_PREFIX_ERROR:
        return "it has a prefix, and none is bound";
    case XPATH_INVALID_ARITY:
        return "a function of it has too few or too many arguments";
    case XPATH_INVALID_TYPE:
        return "a text, number or boolean stands where nodes must";
    case XPATH_INVALID_CTXT_SIZE:
    case XPATH_INVALID_CTXT_POSITION:
        return "last() and position() have a meaning in [ ] only";
    default:
        return "libxml2 can't evaluate it";
    }
}
