/* The smallest tools: arena.h, buffer.h, clock.h, error.h, time_text.h. */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc_sweep.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/time_text.h"

/* ---- arena ---- */

/* What an arena gives is zeroed and aligned for anything, whatever came
 * before it, also after a reset. */
static void test_arena_gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    struct arena arena = ARENA_EMPTY;
    for (int round = 0; round < 2; round++) {
        for (size_t bytes = 1; bytes < 3 * ARENA_BLOCK_BYTES;
             bytes = bytes * 2 + 1) {
            unsigned char *thing = arena_alloc(&arena, bytes);
            assert_non_null(thing);
            assert_int_equal((uintptr_t)thing % alignof(max_align_t), 0);
            for (size_t i = 0; i < bytes; i++)
                assert_int_equal(thing[i], 0);
            memset(thing, 0xA5, bytes);
        }
        arena_reset(&arena);
    }
    arena_free(&arena);
    assert_null(arena.blocks);
}

/* A reset arena serves from the block it kept. */
static void test_arena_keeps_a_block(void **state)
{
    (void)state;
    struct arena arena = ARENA_EMPTY;
    arena_reset(&arena);
    void *first = arena_alloc(&arena, 100);
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 50), first);
    arena_free(&arena);
}

/* Copies end with a NUL, and may hold some; an empty one is a text, too. */
static void test_arena_copies(void **state)
{
    (void)state;
    struct arena arena = ARENA_EMPTY;
    assert_memory_equal(arena_copy(&arena, "a\0b!", 3), "a\0b", 4);
    assert_string_equal(arena_copy_text(&arena, "text"), "text");
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    arena_free(&arena);
}

/* A size that no memory has is refused before it overflows. */
static void test_arena_refuses_the_impossible(void **state)
{
    (void)state;
    struct arena arena = ARENA_EMPTY;
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 7));
    assert_null(arena_copy(&arena, "", SIZE_MAX));
    assert_null(arena.blocks);
}

/* ---- buffer ---- */

/* Appends follow each other, and a NUL always follows them. */
static void test_buffer_appends(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_EMPTY;
    assert_string_equal(buffer_text(&buffer), "");
    assert_true(buffer_append(&buffer, NULL, 0));
    assert_true(buffer_append_text(&buffer, "a"));
    assert_true(buffer_append_char(&buffer, '\0'));
    assert_true(buffer_append_slice(&buffer, slice_of("bc")));
    assert_true(buffer_printf(&buffer, "%d", 12));
    assert_int_equal(buffer.len, 6);
    assert_memory_equal(buffer.data, "a\0bc12", 7);
    buffer_clear(&buffer);
    assert_string_equal(buffer_text(&buffer), "");
    buffer_free(&buffer);
    assert_null(buffer.data);
}

/* It grows as far as it must, also by printf. */
static void test_buffer_grows(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_EMPTY;
    for (int i = 0; i < 10000; i++)
        assert_true(buffer_printf(&buffer, "%04d", i));
    assert_int_equal(buffer.len, 40000);
    assert_true(
        slice_equal((struct slice){buffer_slice(&buffer).data + 39996, 4},
                    slice_of("9999")));
    buffer_free(&buffer);
}

/* After one failure nothing is appended until it is cleared: so a caller
 * may check once. */
static void test_buffer_failure_stays(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_EMPTY;
    assert_true(buffer_append_text(&buffer, "kept"));
    assert_false(buffer_reserve(&buffer, SIZE_MAX));
    assert_false(buffer_append_text(&buffer, "lost"));
    assert_false(buffer_printf(&buffer, "lost"));
    assert_true(buffer.failed);
    assert_string_equal(buffer.data, "kept");
    buffer_clear(&buffer);
    assert_true(buffer_append_text(&buffer, "again"));
    assert_string_equal(buffer.data, "again");
    buffer_free(&buffer);
}

static void fill_once(void *context)
{
    (void)context;
    struct buffer buffer = BUFFER_EMPTY;
    struct arena arena = ARENA_EMPTY;
    for (int i = 0; i < 100; i++)
        buffer_append_text(&buffer, "0123456789");
    bool copied = arena_copy_text(&arena, buffer_text(&buffer));
    assert_int_equal(!copied || buffer.failed, alloc_sweep_failed());
    assert_int_equal(buffer.failed, buffer.len != 1000);
    buffer_free(&buffer);
    arena_free(&arena);
}

/* Memory that is out is told, never written through. */
static void test_memory_out(void **state)
{
    (void)state;
    assert_true(alloc_sweep(fill_once, NULL) > 4);
}

/* ---- clock ---- */

static void assert_time(usec_t wall, const char *expected)
{
    char text[CLOCK_TEXT_BYTES];
    clock_format(wall, text);
    assert_string_equal(text, expected);
}

/* Times are shown in UTC with microseconds, also those before 1970. */
static void test_clock_format(void **state)
{
    (void)state;
    assert_time(0, "1970-01-01T00:00:00.000000Z");
    assert_time(1795371469123456, "2026-11-22T18:17:49.123456Z");
    assert_time(-1, "1969-12-31T23:59:59.999999Z");
    assert_time(951782400 * USEC_PER_SEC, "2000-02-29T00:00:00.000000Z");
    assert_time(-62135596800 * USEC_PER_SEC, "0001-01-01T00:00:00.000000Z");
}

/* What a text becomes, "-" where it is no time. */
static void assert_reads(bool taken, usec_t moment, const char *expected)
{
    char text[CLOCK_TEXT_BYTES] = "-";
    if (taken)
        clock_format(moment, text);
    assert_string_equal(text, expected);
}

static void assert_iso(const char *text, const char *expected)
{
    usec_t moment = 0;
    bool taken = time_text_iso(slice_of(text), &moment);
    assert_reads(taken, moment, expected);
}

static void assert_unix(usec_t unit, const char *text, const char *expected)
{
    usec_t moment = 0;
    bool taken = time_text_unix(slice_of(text), unit, &moment);
    assert_reads(taken, moment, expected);
}

/* ISO 8601: dates alone, offsets, fractions cut to microseconds; without an
 * offset it is UTC. */
static void test_time_iso(void **state)
{
    (void)state;
    assert_iso("2026-11-22", "2026-11-22T00:00:00.000000Z");
    assert_iso("2026-11-22T18:17", "2026-11-22T18:17:00.000000Z");
    assert_iso("2026-11-22 18:17:49Z", "2026-11-22T18:17:49.000000Z");
    assert_iso("2026-11-22T18:17:49.5+02:00", "2026-11-22T16:17:49.500000Z");
    assert_iso("2026-11-22t01:00:00-0330", "2026-11-22T04:30:00.000000Z");
    assert_iso("2026-11-22T01:00:00+02", "2026-11-21T23:00:00.000000Z");
    assert_iso("2026-11-22T18:17:49,1234569Z", "2026-11-22T18:17:49.123456Z");
    assert_iso("2024-02-29", "2024-02-29T00:00:00.000000Z");
    assert_iso("1969-12-31T23:59:60Z", "1970-01-01T00:00:00.000000Z");
    assert_iso("2026-11-22T24:00", "2026-11-23T00:00:00.000000Z");
    assert_iso("0001-01-01", "0001-01-01T00:00:00.000000Z");
    assert_iso("9999-12-31T23:59:59.9999999", "9999-12-31T23:59:59.999999Z");
    static const char *const none[] = {"",
                                       "2026",
                                       "2026-11",
                                       "2026-02-29",
                                       "2026-13-01",
                                       "2026-00-01",
                                       "2026-11-31",
                                       "20261122",
                                       "2026-11-22T",
                                       "2026-11-22T18",
                                       "2026-11-22T18:60",
                                       "2026-11-22T24:01",
                                       "2026-11-22T18:17:49.",
                                       "2026-11-22T18:17:49Zx",
                                       "2026-11-22T18:17+16",
                                       "2026-11-22T18:17+2",
                                       "2026-11-22T18:17+02:",
                                       "0000-01-01",
                                       "0001-01-01T00:00+01",
                                       "9999-12-31T23:59-01",
                                       " 2026-11-22",
                                       "2026-11-22 ",
                                       "-2026-11-22"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_iso(none[i], "-");
}

/* Numbers: each digit down to the microsecond counts, before 1970 too, where
 * what is cut off still goes towards the past. */
static void test_time_unix(void **state)
{
    (void)state;
    assert_unix(USEC_PER_SEC, "0", "1970-01-01T00:00:00.000000Z");
    assert_unix(USEC_PER_SEC, "1795371469.1234569",
                "2026-11-22T18:17:49.123456Z");
    assert_unix(USEC_PER_MSEC, "1795371469123", "2026-11-22T18:17:49.123000Z");
    assert_unix(USEC_PER_MSEC, "1795371469123.45",
                "2026-11-22T18:17:49.123450Z");
    assert_unix(1, "1795371469123456", "2026-11-22T18:17:49.123456Z");
    assert_unix(1, "-1.5", "1969-12-31T23:59:59.999998Z");
    assert_unix(USEC_PER_SEC, "-0.000001", "1969-12-31T23:59:59.999999Z");
    assert_unix(USEC_PER_SEC, "253402300799.9", "9999-12-31T23:59:59.900000Z");
    assert_unix(USEC_PER_SEC, "253402300800", "-");
    assert_unix(USEC_PER_SEC, "-62135596801", "-");
    assert_unix(USEC_PER_SEC, "1795371469123", "-");
    assert_unix(1, "99999999999999999999999999", "-");
    static const char *const none[] = {"", "-", ".5", "1.", "1e9", "1x", "+1"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_unix(USEC_PER_SEC, none[i], "-");
}

/* No clock goes backwards here, and work costs CPU time. */
static void test_clocks_go_on(void **state)
{
    (void)state;
    usec_t monotonic = clock_monotonic(), cpu = clock_process_cpu();
    while (clock_process_cpu() == cpu)
        ;
    assert_true(clock_monotonic() > monotonic);
    assert_true(clock_wall() > 1700000000 * USEC_PER_SEC);
}

/* ---- error ---- */

/* The first error wins, and every setter returns what is held. */
static void test_first_error_wins(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    assert_int_equal(error_set(&err, ERR_FILE, "%s: %d", "a", 1), ERR_FILE);
    assert_int_equal(error_set(&err, ERR_MEMORY, "b"), ERR_FILE);
    assert_string_equal(err.text, "a: 1");
}

/* Context comes in front, the outermost first. */
static void test_error_context(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    error_set(&err, ERR_FILE, "no such file");
    assert_int_equal(error_context(&err, "reading %s", "x"), ERR_FILE);
    error_context(&err, "worker w");
    assert_string_equal(err.text, "worker w: reading x: no such file");
}

/* What is too long is cut; what was said last stays readable. */
static void test_error_is_cut(void **state)
{
    (void)state;
    char longer[2 * ERROR_TEXT_BYTES];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    struct error err = ERROR_NONE;
    error_set(&err, ERR_FILE, "%s", longer);
    assert_int_equal(strlen(err.text), ERROR_TEXT_BYTES - 1);
    error_context(&err, "front");
    assert_int_equal(strncmp(err.text, "front: xxx", 10), 0);
    error_context(&err, "%s", longer);
    assert_int_equal(strlen(err.text), ERROR_TEXT_BYTES - 1);
    assert_non_null(strstr(err.text, ": front: xxx"));
}

/* Every code has a text of its own and a kind. */
static void test_error_list(void **state)
{
    (void)state;
    assert_string_equal(error_code_text(ERR_NONE), "no error");
    assert_string_equal(error_code_text(ERR_USAGE), "bad usage");
    assert_int_equal(error_code_kind(ERR_USAGE), ERROR_USER);
    assert_int_equal(error_code_kind(ERR_DATABASE_AWAY), ERROR_RETRY);
    assert_int_equal(error_code_kind(ERR_FILE), ERROR_GIVE_UP);
    for (int a = ERR_NONE; a <= ERR_LEASE_LOST; a++)
        for (int b = ERR_NONE; b < a; b++)
            assert_string_not_equal(error_code_text((enum error_code)a),
                                    error_code_text((enum error_code)b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(test_arena_keeps_a_block),
        cmocka_unit_test(test_arena_copies),
        cmocka_unit_test(test_arena_refuses_the_impossible),
        cmocka_unit_test(test_buffer_appends),
        cmocka_unit_test(test_buffer_grows),
        cmocka_unit_test(test_buffer_failure_stays),
        cmocka_unit_test(test_memory_out),
        cmocka_unit_test(test_clock_format),
        cmocka_unit_test(test_time_iso),
        cmocka_unit_test(test_time_unix),
        cmocka_unit_test(test_clocks_go_on),
        cmocka_unit_test(test_first_error_wins),
        cmocka_unit_test(test_error_context),
        cmocka_unit_test(test_error_is_cut),
        cmocka_unit_test(test_error_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
