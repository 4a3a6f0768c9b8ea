/*
 * xpath.h: what libxml2 says of an XPath that it can't evaluate, in words, and
 * nowhere else.
 */
#ifndef PIPELINE_XPATH_H
#define PIPELINE_XPATH_H

#include <libxml/xpath.h>

/* From here on libxml2 prints nothing in this thread, and what goes wrong first
 * in this context is written to *ret_code, which begins as 0. */
void xpath_listen(xmlXPathContextPtr context, int *ret_code);

/* What that code is. */
enum xpath_fault {
    XPATH_FAULT_LIMIT,  /* it has more steps than the context allows */
    XPATH_FAULT_MEMORY, /* memory is out */
    XPATH_FAULT_OWN,    /* the XPath itself is wrong, on whatever page */
};
enum xpath_fault xpath_fault(int code);

/* Why, as a part of a sentence: "a function of it has ...". */
const char *xpath_why(int code);

#endif
