/*
 * main.c: windrow-bench-micro, which measures one step of a node's work alone
 * beside what a program would do without it, and prints one line of JSON.
 *
 * Both sides do the same rounds in turn, in one thread, by its CPU clock.
 * Medians count: of the rounds of each, and of their ratios round by round,
 * which what else runs then slows alike. Small pieces of memory are joined as
 * they are freed, as in a node (node/main.c), or one side would pay for what
 * the other gave back.
 */
#include <getopt.h>
#include <jansson.h>
#include <libxml/HTMLparser.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "extract.h"
#include "quotes.h"
#include "text.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define ROUNDS 25
#define ANSWERS 2000 /* of a round */
#define PAGE_BYTES_MAX (8 << 20)
#define PRICE "187.44000244140625"
#define PRICE_AT "/chart/result/0/meta/regularMarketPrice"

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One step, done once. Ends the program where it does not give what it
 * should, so that nothing is measured that does not work. */
typedef void do_step(void *context);

static double round_of(do_step *step, void *context, int times)
{
    double begun = cpu_seconds();
    for (int i = 0; i < times; i++)
        step(context);
    return (cpu_seconds() - begun) / times;
}

struct figure {
    double ours, theirs; /* seconds */
    double ratio;
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *rounds)
{
    qsort(rounds, ROUNDS, sizeof *rounds, compare);
    return rounds[ROUNDS / 2];
}

static void measure(do_step *ours, do_step *theirs, void *context, int times,
                    struct figure *ret)
{
    double own[ROUNDS], other[ROUNDS], ratios[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        own[round] = round_of(ours, context, times);
        other[round] = round_of(theirs, context, times);
        ratios[round] = own[round] / other[round];
    }
    *ret = (struct figure){median(own), median(other), median(ratios)};
}

/* What is printed in the end. */
struct figures {
    size_t answer_bytes, page_bytes, n_keys;
    struct figure answer, page;
};

/* ---- one field out of an answer ---- */

struct answer {
    struct extractor *extractor;
    struct buffer body;    /* as it came */
    struct buffer scratch; /* what the extractor may write to */
};

static void by_extractor(void *context)
{
    struct answer *answer = context;
    struct slice price;
    struct extract_result result;
    memcpy(answer->scratch.data, answer->body.data, answer->body.len);
    struct slice body = {answer->scratch.data, answer->body.len};
    extract_fields(answer->extractor, body, &price, &result);
    CHECK(result.reason == REASON_NONE && slice_equal(price, slice_of(PRICE)));
}

/* The DOM of a whole answer, and the field out of it, as a double. */
static void by_jansson(void *context)
{
    struct answer *answer = context;
    json_t *root = json_loadb(answer->body.data, answer->body.len, 0, NULL);
    json_t *result = json_object_get(json_object_get(root, "chart"), "result");
    json_t *price =
        json_object_get(json_object_get(json_array_get(result, 0), "meta"),
                        "regularMarketPrice");
    CHECK(json_number_value(price) == strtod(PRICE, NULL));
    json_decref(root);
}

static bool measure_answer(struct figures *ret)
{
    struct field price = {.name = "price", .at = PRICE_AT, .required = true};
    struct worker worker = {
        .class = CLASS_HTTP_JSON, .fields = &price, .n_fields = 1};
    struct answer answer = {.extractor = extractor_new(&worker)};
    quotes_chart(&answer.body, "K0000001", "K0000001", PRICE, QUOTE_PRICE,
                 slice_of(NULL));
    bool whole =
        answer.extractor && !answer.body.failed &&
        buffer_reserve(&answer.scratch, answer.body.len + EXTRACT_PADDING);
    if (whole)
        measure(by_extractor, by_jansson, &answer, ANSWERS, &ret->answer);
    ret->answer_bytes = answer.body.len;
    extractor_free(&answer.extractor);
    buffer_free(&answer.body);
    buffer_free(&answer.scratch);
    return whole;
}

/* ---- the keys of a page ---- */

struct page {
    struct extractor *extractor;
    struct slice body;
    size_t n_keys;
};

static void keys_of_page(void *context)
{
    struct page *page = context;
    struct arena arena = ARENA_EMPTY;
    struct slice *keys;
    struct extract_result result;
    extract_keys(page->extractor, page->body, 0, &arena, &keys, &page->n_keys,
                 &result);
    if (result.reason != REASON_NONE) {
        fprintf(stderr, "windrow-bench-micro: %s\n", result.detail);
        exit(EXIT_FAILED);
    }
    arena_free(&arena);
}

/* libxml2's own reading of the page, and nothing else. */
static void read_page(void *context)
{
    struct page *page = context;
    xmlDocPtr document =
        htmlReadMemory(page->body.data, (int)page->body.len, NULL, "UTF-8",
                       HTML_PARSE_RECOVER | HTML_PARSE_NOERROR |
                           HTML_PARSE_NOWARNING | HTML_PARSE_NONET);
    CHECK(document);
    xmlFreeDoc(document);
}

static int measure_page(const char *path, struct table_source table,
                        struct figures *ret, struct error *err)
{
    struct buffer file = BUFFER_EMPTY;
    if (text_read_file(path, PAGE_BYTES_MAX, &file, err))
        return (int)err->code;
    struct worker worker = {.class = CLASS_HTML_TABLE, .table = table};
    struct page page = {.extractor = extractor_new(&worker)};
    if (page.extractor && buffer_reserve(&file, EXTRACT_PADDING)) {
        page.body = buffer_slice(&file);
        measure(keys_of_page, read_page, &page, 1, &ret->page);
        ret->page_bytes = page.body.len;
        ret->n_keys = page.n_keys;
    } else
        error_set(err, ERR_MEMORY, "no memory for %s", path);
    extractor_free(&page.extractor);
    buffer_free(&file);
    return (int)err->code;
}

static void print_figures(const struct figures *f)
{
    printf("{\"answer\": {\"bytes\": %zu, \"extract_us\": %.3f, "
           "\"jansson_us\": %.3f, \"ratio\": %.4f}",
           f->answer_bytes, f->answer.ours * 1e6, f->answer.theirs * 1e6,
           f->answer.ratio);
    if (f->page_bytes)
        printf(", \"page\": {\"bytes\": %zu, \"keys\": %zu, "
               "\"html_table_ms\": %.3f, \"html_read_memory_ms\": %.3f, "
               "\"ratio\": %.4f}",
               f->page_bytes, f->n_keys, f->page.ours * 1e3,
               f->page.theirs * 1e3, f->page.ratio);
    puts("}");
}

/* ---- the program ---- */

struct options {
    const char *page;
    struct table_source table;
};

static void print_help(void)
{
    puts("Usage: windrow-bench-micro extract [OPTION]...\n"
         "One field out of a quote of 1.2 KB by the node's extractor, beside\n"
         "jansson's DOM of it; and with --page the keys of a page's table,\n"
         "beside libxml2's reading of that page. Prints one line of JSON.\n\n"
         "  --page FILE      a page of HTML\n"
         "  --table ID       the id of its table (constituents)\n"
         "  --column NAME    the column of its keys (Symbol)\n"
         "  --help           print this, and end");
}

/* False after having said what is wrong. */
static bool parse(int argc, char **argv, struct options *options)
{
    static const struct option long_options[] = {
        {"page", required_argument, NULL, 'p'},
        {"table", required_argument, NULL, 't'},
        {"column", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) > 0) {
        if (option == 'p')
            options->page = optarg;
        else if (option == 't')
            options->table.id = optarg;
        else if (option == 'c')
            options->table.column = optarg;
        else if (option == 'h') {
            print_help();
            exit(EXIT_SUCCESS);
        } else
            return false; /* getopt_long() has told */
    }
    if (optind + 1 == argc && !strcmp(argv[optind], "extract"))
        return true;
    fprintf(stderr, "windrow-bench-micro: what to measure? \"extract\" it can; "
                    "see --help\n");
    return false;
}

int main(int argc, char **argv)
{
    struct options options = {
        .table = {.id = "constituents", .column = "Symbol"}};
    if (!parse(argc, argv, &options))
        return EXIT_USAGE;
    mallopt(M_MXFAST, 0);
    struct figures figures = {0};
    struct error err = ERROR_NONE;
    if (!measure_answer(&figures))
        error_set(&err, ERR_MEMORY, "no memory for an answer");
    else if (options.page)
        measure_page(options.page, options.table, &figures, &err);
    if (err.code) {
        fprintf(stderr, "windrow-bench-micro: %s\n", err.text);
        return EXIT_FAILED;
    }
    print_figures(&figures);
    return EXIT_SUCCESS;
}
