/*
 * test_confine.c: what a confined process can't do, and what it still can.
 *
 * Each attempt is made by a child that confines itself first, since there is
 * no way back. It ends with the error that it got: 0 if the attempt succeeded.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/confine.h"
#include "base/process.h"

static char root[] = "/tmp/windrow-confine-XXXXXX";
static char inside[64], outside[64]; /* folders: of the store, and another */

static int make_folders(void **state)
{
    (void)state;
    if (!mkdtemp(root))
        return -1;
    snprintf(inside, sizeof inside, "%s/store", root);
    snprintf(outside, sizeof outside, "%s/other", root);
    return mkdir(inside, 0700) || mkdir(outside, 0700);
}

static int remove_folders(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

#ifdef WINDROW_SANITIZED /* whose own ways need system calls */
static const bool refuses_calls = false;
#else
static const bool refuses_calls = true;
#endif

typedef int attempt(void); /* 0, or -1 with errno */

/* What `attempt` comes to in a process that may write to the folder `place`,
 * or, where it is NULL, nowhere. */
static int confined(attempt *try, const char *place)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static struct confinement confinement;
        struct confined done;
        struct error err = ERROR_NONE;
        process_harden();
        if (place && confine_allow(&confinement, place, &err))
            _exit(200);
        confine(&confinement, &done);
        errno = 0;
        _exit(try() == 0 ? 0 : errno ? errno : 201);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status))
        fail_msg("ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

static bool has_landlock(void)
{
    return syscall(444, NULL, 0, 1) > 0; /* landlock_create_ruleset: version */
}

/* ---- programs and processes ---- */

static int try_execve(void)
{
    char *const arguments[] = {"true", NULL};
    return execv("/bin/true", arguments);
}

static int try_execveat(void)
{
    char *const arguments[] = {"true", NULL};
    int fd = open("/bin/true", O_PATH);
    return (int)syscall(SYS_execveat, fd, "", arguments, environ,
                        AT_EMPTY_PATH);
}

static int try_fork(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child > 0 ? 0 : -1;
}

static int try_raw_fork(void)
{
#ifdef SYS_fork
    long child = syscall(SYS_fork);
    if (child == 0)
        _exit(0);
    return child > 0 ? 0 : -1;
#else
    return try_fork();
#endif
}

static int try_spawn(void)
{
    char *const arguments[] = {"true", NULL};
    pid_t child;
    errno = posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ);
    return errno ? -1 : 0;
}

static int try_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

/* ---- other processes ---- */

static int try_ptrace(void)
{
    return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int try_memory_of_another(void)
{
    char byte;
    struct iovec to = {&byte, 1}, from = {inside, 1};
    return process_vm_readv(getppid(), &to, 1, &from, 1, 0) == 1 ? 0 : -1;
}

static int try_signal(void)
{
    return kill(getppid(), 0);
}

static int try_limits_of_another(void)
{
    struct rlimit limit;
    return prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit);
}

/* ---- the kernel ---- */

static int try_mount(void)
{
    return mount("none", inside, "tmpfs", 0, NULL);
}

static int try_chroot(void)
{
    return chroot(inside);
}

static int try_pivot_root(void)
{
    return (int)syscall(SYS_pivot_root, inside, inside);
}

static int try_setns(void)
{
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? 0 : setns(fd, CLONE_NEWNET);
}

static int try_bpf(void)
{
    union {
        char bytes[128];
        uint64_t align;
    } attributes = {{0}};
    return (int)syscall(SYS_bpf, 0, &attributes, sizeof attributes);
}

static int try_module(void)
{
    return (int)syscall(SYS_init_module, NULL, 0, "");
}

static int try_kexec(void)
{
    return (int)syscall(SYS_kexec_load, 0, 0, NULL, 0);
}

static int try_keyctl(void)
{
    return (int)syscall(SYS_keyctl, 0, 0, 0, 0, 0) < 0 ? -1 : 0;
}

static int try_io_uring(void)
{
    return (int)syscall(SYS_io_uring_setup, 1, NULL);
}

static int try_userfaultfd(void)
{
    return (int)syscall(SYS_userfaultfd, 0) < 0 ? -1 : 0;
}

static int try_host_name(void)
{
    char name[65];
    gethostname(name, sizeof name);
    return sethostname(name, strlen(name));
}

static int try_clock(void)
{
    struct timespec now;
    return clock_gettime(CLOCK_REALTIME, &now) ||
                   clock_settime(CLOCK_REALTIME, &now)
               ? -1
               : 0;
}

static int try_perf_events(void)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attributes,
        .config = PERF_COUNT_SW_TASK_CLOCK,
        .exclude_kernel = 1,
    };
    return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0) < 0 ? -1
                                                                            : 0;
}

static int try_typing(void)
{
    return ioctl(STDIN_FILENO, TIOCSTI, "x");
}

static int try_packet_socket(void)
{
    return socket(AF_PACKET, SOCK_DGRAM, 0) < 0 ? -1 : 0;
}

static int try_vsock(void)
{
    return socket(AF_VSOCK, SOCK_STREAM, 0) < 0 ? -1 : 0;
}

static int try_raw_socket(void)
{
    return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP) < 0 ? -1 : 0;
}

/* ---- files ---- */

static int write_in(const char *folder, int flags)
{
    char path[128];
    snprintf(path, sizeof path, "%s/file", folder);
    return open(path, flags | O_CLOEXEC, 0600) < 0 ? -1 : 0;
}

static int try_write_outside(void)
{
    return write_in(outside, O_WRONLY | O_CREAT);
}

static int try_write_inside(void)
{
    return write_in(inside, O_RDWR | O_CREAT);
}

static int try_write_existing(void)
{
    return open("/etc/passwd", O_WRONLY) < 0 ? -1 : 0;
}

static int try_truncate(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/precious", outside);
    return truncate(path, 0);
}

static int try_remove(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/precious", outside);
    return unlink(path);
}

static int try_rename_outside(void)
{
    char from[128], to[128];
    snprintf(from, sizeof from, "%s/mine", inside);
    snprintf(to, sizeof to, "%s/mine", outside);
    return write_in(inside, O_CREAT | O_WRONLY) || rename(from, to) ? -1 : 0;
}

static int try_link_outside(void)
{
    char to[128];
    snprintf(to, sizeof to, "%s/link", outside);
    return symlink("/etc/passwd", to);
}

static int try_chmod(void)
{
    return chmod(outside, 0777);
}

static int try_chown(void)
{
    return chown(inside, getuid(), getgid());
}

static int try_attribute(void)
{
    return setxattr(inside, "user.x", "x", 1, 0);
}

static int try_device(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/null", inside);
    return mknod(path, S_IFCHR | 0600, makedev(1, 3));
}

static int try_read(void)
{
    char byte;
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &byte, 1) == 1 ? 0 : -1;
}

static const struct {
    const char *what;
    attempt *try;
    int error;
} refused[] = {
    {"execve", try_execve, EPERM},
    {"execveat", try_execveat, EPERM},
    {"fork", try_fork, EPERM},
    {"the system call fork", try_raw_fork, EPERM},
    {"posix_spawn", try_spawn, EPERM},
    {"a user namespace", try_namespace, EPERM},
    {"ptrace", try_ptrace, EPERM},
    {"process_vm_readv", try_memory_of_another, EPERM},
    {"a signal to another", try_signal, EPERM},
    {"another's limits", try_limits_of_another, EPERM},
    {"mount", try_mount, EPERM},
    {"chroot", try_chroot, EPERM},
    {"pivot_root", try_pivot_root, EPERM},
    {"setns", try_setns, EPERM},
    {"bpf", try_bpf, EPERM},
    {"init_module", try_module, EPERM},
    {"kexec_load", try_kexec, EPERM},
    {"keyctl", try_keyctl, EPERM},
    {"io_uring", try_io_uring, EPERM},
    {"userfaultfd", try_userfaultfd, EPERM},
    {"sethostname", try_host_name, EPERM},
    {"clock_settime", try_clock, EPERM},
    {"perf_event_open", try_perf_events, EPERM},
    {"TIOCSTI", try_typing, EPERM},
    {"a packet socket", try_packet_socket, EAFNOSUPPORT},
    {"a vsock socket", try_vsock, EAFNOSUPPORT},
    {"a raw socket", try_raw_socket, EPERM},
    {"chmod", try_chmod, EPERM},
    {"chown", try_chown, EPERM},
    {"setxattr", try_attribute, EPERM},
    {"mknod", try_device, EPERM},
};

/* What opens a way out of the process is refused with an error. */
static void test_refused(void **state)
{
    (void)state;
    if (!refuses_calls)
        skip();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        int got = confined(refused[i].try, inside);
        if (got != refused[i].error)
            fail_msg("%s: %s", refused[i].what, strerror(got));
    }
}

/* A process that may write nowhere opens nothing for writing, with Landlock
 * or without it. */
static void test_writes_nowhere(void **state)
{
    (void)state;
    if (!refuses_calls)
        skip();
    assert_int_equal(confined(try_write_inside, NULL), EACCES);
    assert_int_equal(confined(try_write_outside, NULL), EACCES);
    assert_int_equal(confined(try_write_existing, NULL), EACCES);
    assert_int_equal(confined(try_remove, NULL), EACCES);
    assert_int_equal(confined(try_truncate, NULL), EACCES);
    assert_int_equal(confined(try_read, NULL), 0);
}

/* Files can be written in the store's folder and nowhere else; what is
 * outside can't be emptied, removed or replaced either. */
static void test_writes_in_its_store(void **state)
{
    (void)state;
    char precious[128];
    snprintf(precious, sizeof precious, "%s/precious", outside);
    close(open(precious, O_CREAT | O_WRONLY, 0600));
    if (!has_landlock()) {
        print_message("skipped: this kernel has no Landlock\n");
        skip();
    }
    assert_int_equal(confined(try_write_inside, inside), 0);
    assert_int_equal(confined(try_write_outside, inside), EACCES);
    assert_int_equal(confined(try_write_existing, inside), EACCES);
    assert_int_equal(confined(try_truncate, inside), EACCES);
    assert_int_equal(confined(try_remove, inside), EACCES);
    assert_int_equal(confined(try_link_outside, inside), EACCES);
    assert_int_not_equal(confined(try_rename_outside, inside), 0);
    assert_int_equal(confined(try_read, inside), 0);
}

/* ---- what must go on working ---- */

static void *thread(void *result)
{
    *(bool *)result = true;
    return NULL;
}

static int do_thread(void)
{
    pthread_t id;
    bool ran = false;
    if (pthread_create(&id, NULL, thread, &ran) || pthread_join(id, NULL))
        return -1;
    return ran ? 0 : -1;
}

/* A thread is confined as well. */
static void *write_outside(void *result)
{
    *(int *)result = try_write_outside() ? errno : 0;
    return NULL;
}

static int do_thread_that_writes(void)
{
    pthread_t id;
    int result = 0;
    if (pthread_create(&id, NULL, write_outside, &result) ||
        pthread_join(id, NULL))
        return 0;
    errno = result;
    return result ? -1 : 0;
}

static int do_signal_to_oneself(void)
{
    signal(SIGUSR1, SIG_IGN);
    return kill(getpid(), SIGUSR1) || raise(SIGUSR1) ? -1 : 0;
}

static int do_sockets(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 &&
                   socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 &&
                   socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0 &&
                   socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 &&
                   socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) >=
                       0
               ? 0
               : -1;
}

static int do_look_up(void)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    return getaddrinfo("localhost", NULL, &hints, &list) || !list ? -1 : 0;
}

/* More than fits SQLite's cache, in order: it spills to a file. */
static int do_sqlite(void)
{
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/store.db", inside);
    setenv("SQLITE_TMPDIR", inside, 1);
    const char *sql =
        "PRAGMA journal_mode = WAL; CREATE TABLE t (k TEXT);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 20000) INSERT INTO t SELECT printf('%0200d', i) FROM n;"
        "PRAGMA cache_size = 10; PRAGMA temp_store = FILE;"
        "CREATE TEMP TABLE u AS SELECT k FROM t ORDER BY k DESC;";
    return sqlite3_open(path, &db) || sqlite3_exec(db, sql, NULL, NULL, NULL) ||
                   sqlite3_close(db)
               ? -1
               : 0;
}

static void test_goes_on_working(void **state)
{
    (void)state;
    assert_int_equal(confined(do_thread, inside), 0);
    assert_int_equal(confined(do_signal_to_oneself, inside), 0);
    assert_int_equal(confined(do_sockets, inside), 0);
    assert_int_equal(confined(do_look_up, inside), 0);
    assert_int_equal(confined(do_look_up, NULL), 0);
    assert_int_equal(confined(do_sqlite, inside), 0);
}

static void test_threads_are_confined(void **state)
{
    (void)state;
    if (has_landlock())
        assert_int_equal(confined(do_thread_that_writes, inside), EACCES);
    if (refuses_calls)
        assert_int_equal(confined(do_thread_that_writes, NULL), EACCES);
}

/* No core dumps, no new privileges, and its environment is not to be read. */
static int do_look_at_oneself(void)
{
    struct rlimit limit;
    errno = 0;
    if (getrlimit(RLIMIT_CORE, &limit) || limit.rlim_max != 0 ||
        prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return -1;
    struct stat status;
    return !refuses_calls ||
                   (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                    !stat("/proc/self/environ", &status) && status.st_uid == 0)
               ? 0
               : -1;
}

static void test_hardened(void **state)
{
    (void)state;
    assert_int_equal(confined(do_look_at_oneself, NULL), 0);
}

/* Of root's powers a node keeps that over files, and, where it writes, that of
 * giving them away; these are what SQLite needs in another user's folder. */
static int has_only(uint32_t kept)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, sets))
        return -1;
    uint32_t all = sets[0].effective | sets[0].permitted | sets[0].inheritable;
    return (all & ~kept) || sets[1].effective || sets[1].permitted ? -1 : 0;
}

static int do_look_at_powers(void)
{
    return has_only(1U << CAP_DAC_OVERRIDE);
}

static int do_look_at_powers_over_files(void)
{
    return has_only(1U << CAP_DAC_OVERRIDE | 1U << CAP_CHOWN);
}

static int do_sqlite_of_another(void)
{
    char path[128];
    struct stat status;
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/theirs.db", inside);
    if (sqlite3_open(path, &db) ||
        sqlite3_exec(db, "CREATE TABLE t (k)", NULL, NULL, NULL))
        return -1;
    snprintf(path, sizeof path, "%s/theirs.db-wal", inside);
    return stat(path, &status) || status.st_uid != 1000 ? -1 : 0;
}

static void test_powers_of_root(void **state)
{
    (void)state;
    if (getuid() || !refuses_calls) {
        print_message("skipped: for root, without sanitizers\n");
        skip();
    }
    assert_int_equal(confined(do_look_at_powers, NULL), 0);
    assert_int_equal(confined(do_look_at_powers_over_files, inside), 0);
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/theirs.db", inside);
    assert_int_equal(sqlite3_open(path, &db), 0);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL), 0);
    sqlite3_close(db);
    assert_int_equal(chown(path, 1000, 1000), 0);
    assert_int_equal(chown(inside, 1000, 1000), 0);
    assert_int_equal(confined(do_sqlite_of_another, inside), 0);
    assert_int_equal(chown(inside, 0, 0), 0);
}

/* A file that is there or not means its folder; a link, the folder that it
 * leads to; a folder that is not there is an error. */
static void test_places(void **state)
{
    (void)state;
    static struct confinement confinement;
    struct error err = ERROR_NONE;
    char path[128];
    snprintf(path, sizeof path, "%s/new.db", inside);
    assert_int_equal(confine_allow(&confinement, path, &err), 0);
    assert_string_equal(confinement.places[0], inside);
    snprintf(path, sizeof path, "%s/link.db", outside);
    char target[128];
    snprintf(target, sizeof target, "%s/linked.db", inside);
    close(open(target, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(confine_allow(&confinement, path, &err), 0);
    assert_string_equal(confinement.places[1], inside);
    assert_int_equal(confine_allow(&confinement, outside, &err), 0);
    assert_string_equal(confinement.places[2], outside);
    assert_int_equal(chdir(root), 0);
    assert_int_equal(confine_allow(&confinement, "windrow.db", &err), 0);
    assert_string_equal(confinement.places[3], root);
    snprintf(path, sizeof path, "%s/absent/store.db", root);
    assert_int_equal(confine_allow(&confinement, path, &err), ERR_FILE);
    assert_non_null(strstr(err.text, "absent"));
    err = ERROR_NONE;
    while (confinement.n_places < CONFINE_PLACES_MAX)
        assert_int_equal(confine_allow(&confinement, inside, &err), 0);
    assert_int_equal(confine_allow(&confinement, inside, &err), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_writes_nowhere),
        cmocka_unit_test(test_writes_in_its_store),
        cmocka_unit_test(test_goes_on_working),
        cmocka_unit_test(test_threads_are_confined),
        cmocka_unit_test(test_hardened),
        cmocka_unit_test(test_powers_of_root),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
