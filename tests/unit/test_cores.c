/* The cores this process may use: cores.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cores.h"

/* The mask's cores, ascending; never more granted than are in it, and at
 * least one. */
static void test_the_mask(void **state)
{
    (void)state;
    struct cores cores;
    cpu_set_t mask;
    CPU_ZERO(&mask);
    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
    cores_read(&cores);
    assert_int_equal(cores.n_cpus, CPU_COUNT(&mask));
    for (size_t i = 0; i < cores.n_cpus; i++) {
        assert_true(CPU_ISSET((size_t)cores.cpus[i], &mask));
        assert_true(i == 0 || cores.cpus[i] > cores.cpus[i - 1]);
    }
    assert_in_range(cores.n_granted, 1, cores.n_cpus);
}

/* A process that is pinned has one core, whichever it is. */
static void test_pinned(void **state)
{
    (void)state;
    struct cores all;
    cores_read(&all);
    for (size_t i = 0; i < all.n_cpus && i < 4; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct cores cores;
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET((size_t)all.cpus[i], &one);
            if (sched_setaffinity(0, sizeof one, &one))
                _exit(2);
            cores_read(&cores);
            _exit(cores.n_cpus == 1 && cores.n_granted == 1 &&
                          cores.cpus[0] == all.cpus[i]
                      ? 0
                      : 1);
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_mask),
        cmocka_unit_test(test_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
