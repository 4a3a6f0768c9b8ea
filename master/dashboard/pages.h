/*
 * pages.h: the files of the page, which are part of the program
 * (cmake/embed.cmake makes them from page/).
 */
#ifndef DASHBOARD_PAGES_H
#define DASHBOARD_PAGES_H

#include <stddef.h>

struct page {
    const char *name; /* "index.html" */
    const unsigned char *bytes;
    size_t n_bytes;
};
extern const struct page pages[];
extern const size_t n_pages;

#endif
