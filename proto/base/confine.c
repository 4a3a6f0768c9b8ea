/*
 * confine.c: see confine.h.
 *
 * A list of what is refused, not of what is allowed: the libraries below us
 * may call something new after an update, and a node must not fail then. What
 * is on the list is what opens a way out of the process. All of it is refused
 * with an error instead of a signal, so that a library which tries goes on,
 * and a node's end by SIGSYS is never blamed on a key.
 */
#include "base/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- places ---- */

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int confine_allow(struct confinement *confinement, const char *path,
                  struct error *err)
{
    if (confinement->n_places == CONFINE_PLACES_MAX)
        return error_set(err, ERR_LIMIT, "more than %d places to write to",
                         CONFINE_PLACES_MAX);
    /* A file that is a symbolic link is written where that leads to. */
    char full[PATH_MAX], *place = confinement->places[confinement->n_places];
    snprintf(full, sizeof full, "%s", path);
    if (realpath(path, place))
        snprintf(full, sizeof full, "%s", place);
    if (!is_folder(full)) {
        char *slash = strrchr(full, '/');
        if (slash)
            slash[slash == full] = '\0';
        else
            snprintf(full, sizeof full, ".");
    }
    if (!realpath(full, place) || !is_folder(place))
        return error_set(err, ERR_FILE, "%s: %s", full, strerror(errno));
    confinement->n_places++;
    return 0;
}

/* ---- files: Landlock ---- */

/* Of later ABIs than Debian 12's headers know (landlock(7)). */
#define FS_TRUNCATE (1ULL << 14)

#define FS_IN_PLACES                                                           \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |          \
     LANDLOCK_ACCESS_FS_MAKE_REG)
#define FS_NOWHERE                                                             \
    (LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_CHAR |            \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK |              \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |            \
     LANDLOCK_ACCESS_FS_MAKE_SYM)

/* Sanitizers start a program that names functions in their reports. */
#ifdef WINDROW_SANITIZED
#define FS_EXECUTE 0ULL
#else
#define FS_EXECUTE LANDLOCK_ACCESS_FS_EXECUTE
#endif

static void landlock_allow(int ruleset, const char *path, __u64 rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights};
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return; /* it is gone: then nothing in it can be written */
    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule,
            0);
    close(rule.parent_fd);
}

/* The ABI version in use; 0: none. */
static int restrict_files(const struct confinement *confinement)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
                       LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return 0;
    __u64 in_places = FS_IN_PLACES | (abi >= 3 ? FS_TRUNCATE : 0);
    struct landlock_ruleset_attr attr = {
        .handled_access_fs = in_places | FS_NOWHERE | FS_EXECUTE};
    int ruleset =
        (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (ruleset < 0)
        return 0;
    for (size_t i = 0; i < confinement->n_places; i++)
        landlock_allow(ruleset, confinement->places[i], in_places);
    landlock_allow(ruleset, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE);
    bool done = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return done ? (int)abi : 0;
}

/* ---- system calls: seccomp ---- */

#ifndef WINDROW_SANITIZED /* which trace themselves, and start programs */

#define CALLS(...)                                                             \
    {                                                                          \
        __VA_ARGS__, -1                                                        \
    }
#define N(call) SCMP_SYS(call)

static const int refused[] = CALLS(
    /* programs and processes (clone: refuse_processes()) */
    N(execve), N(execveat), N(fork), N(vfork),
    /* other processes */
    N(ptrace), N(process_vm_readv), N(process_vm_writev), N(process_madvise),
    N(pidfd_getfd), N(pidfd_send_signal), N(kcmp), N(rt_sigqueueinfo),
    N(rt_tgsigqueueinfo), N(tkill),
    /* mounts and namespaces */
    N(mount), N(umount2), N(move_mount), N(open_tree), N(fsopen), N(fsconfig),
    N(fsmount), N(fspick), N(mount_setattr), N(pivot_root), N(chroot),
    N(unshare), N(setns),
    /* the kernel's insides */
    N(bpf), N(kexec_load), N(kexec_file_load), N(init_module), N(finit_module),
    N(delete_module), N(perf_event_open), N(userfaultfd), N(io_uring_setup),
    N(io_uring_enter), N(io_uring_register), N(add_key), N(request_key),
    N(keyctl), N(iopl), N(ioperm), N(personality), N(open_by_handle_at),
    N(name_to_handle_at), N(lookup_dcookie),
    /* the machine */
    N(reboot), N(swapon), N(swapoff), N(settimeofday), N(clock_settime),
    N(clock_adjtime), N(adjtimex), N(sethostname), N(setdomainname), N(syslog),
    N(acct), N(quotactl), N(quotactl_fd), N(nfsservctl), N(vhangup),
    /* owners and modes by path: of files that are not ours to open (SQLite
     * sets those of its own by descriptor) */
    N(chmod), N(fchmodat), N(chown), N(lchown), N(fchownat), N(setxattr),
    N(lsetxattr), N(removexattr), N(lremovexattr), N(mknod), N(mknodat));

static bool refuse(scmp_filter_ctx filter, int error, int call, unsigned n,
                   const struct scmp_arg_cmp *arguments)
{
    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)error), call,
                                  n, arguments) == 0;
}

#define REFUSE(filter, error, call, ...)                                       \
    refuse(filter, error, SCMP_SYS(call),                                      \
           sizeof((struct scmp_arg_cmp[]){__VA_ARGS__}) /                      \
               sizeof(struct scmp_arg_cmp),                                    \
           (struct scmp_arg_cmp[]){__VA_ARGS__})

/* clone3() passes its flags in memory, where a filter can't look: the C
 * library then takes clone(). */
static bool refuse_processes(scmp_filter_ctx filter)
{
    return refuse(filter, ENOSYS, SCMP_SYS(clone3), 0, NULL) &&
           REFUSE(filter, EPERM, clone,
                  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
}

/* Signals and limits are for this process only. */
static bool refuse_others(scmp_filter_ctx filter)
{
    scmp_datum_t self = (scmp_datum_t)getpid();
    return REFUSE(filter, EPERM, kill, SCMP_A0_32(SCMP_CMP_NE, self)) &&
           REFUSE(filter, EPERM, tgkill, SCMP_A0_32(SCMP_CMP_NE, self)) &&
           REFUSE(filter, EPERM, prlimit64, SCMP_A0_32(SCMP_CMP_NE, 0));
}

static bool refuse_sockets(scmp_filter_ctx filter)
{
    const scmp_datum_t types = 0xf; /* without SOCK_CLOEXEC, SOCK_NONBLOCK */
    static const int inet[] = {AF_INET, AF_INET6};
    for (unsigned i = 0; i < 2; i++)
        if (!REFUSE(filter, EPERM, socket,
                    SCMP_A0_32(SCMP_CMP_EQ, (unsigned)inet[i]),
                    SCMP_A1_32(SCMP_CMP_MASKED_EQ, types, SOCK_RAW)))
            return false;
    for (unsigned family = 0; family < AF_NETLINK; family++)
        if (family != AF_UNIX && family != AF_INET && family != AF_INET6 &&
            !REFUSE(filter, EAFNOSUPPORT, socket,
                    SCMP_A0_32(SCMP_CMP_EQ, family)))
            return false;
    return REFUSE(filter, EAFNOSUPPORT, socket,
                  SCMP_A0_32(SCMP_CMP_GT, AF_NETLINK));
}

static bool refuse_typing(scmp_filter_ctx filter)
{
    return REFUSE(filter, EPERM, ioctl, SCMP_A1_32(SCMP_CMP_EQ, TIOCSTI)) &&
           REFUSE(filter, EPERM, ioctl, SCMP_A1_32(SCMP_CMP_EQ, TIOCLINUX));
}

/* Where nothing may be written at all, paths don't matter. */
static bool refuse_writing(scmp_filter_ctx filter)
{
    static const scmp_datum_t masks[][2] = {{O_ACCMODE, O_WRONLY},
                                            {O_ACCMODE, O_RDWR},
                                            {O_CREAT, O_CREAT},
                                            {O_TRUNC, O_TRUNC}};
    for (unsigned i = 0; i < 4; i++)
        if (!REFUSE(filter, EACCES, open,
                    SCMP_A1_32(SCMP_CMP_MASKED_EQ, masks[i][0], masks[i][1])) ||
            !REFUSE(filter, EACCES, openat,
                    SCMP_A2_32(SCMP_CMP_MASKED_EQ, masks[i][0], masks[i][1])))
            return false;
    static const int calls[] =
        CALLS(N(creat), N(truncate), N(rename), N(renameat), N(renameat2),
              N(unlink), N(unlinkat), N(link), N(linkat), N(symlink),
              N(symlinkat), N(mkdir), N(mkdirat), N(rmdir));
    for (size_t i = 0; calls[i] != -1; i++)
        if (!refuse(filter, EACCES, calls[i], 0, NULL))
            return false;
    return true;
}

static bool fill(scmp_filter_ctx filter, bool writes)
{
    /* Calls of another architecture (32 bits) are refused, all of them. */
    if (seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
                         SCMP_ACT_ERRNO(EPERM)))
        return false;
    for (size_t i = 0; refused[i] != -1; i++)
        if (!refuse(filter, EPERM, refused[i], 0, NULL))
            return false;
    return refuse(filter, ENOSYS, SCMP_SYS(openat2), 0, NULL) &&
           refuse_processes(filter) && refuse_others(filter) &&
           refuse_sockets(filter) && refuse_typing(filter) &&
           (writes || refuse_writing(filter));
}

static bool restrict_calls(const struct confinement *confinement)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    bool done = filter && fill(filter, confinement->n_places > 0) &&
                seccomp_load(filter) == 0;
    seccomp_release(filter);
    return done;
}

#else

static bool restrict_calls(const struct confinement *confinement)
{
    (void)confinement;
    return true; /* as much of it as can be here: nothing to complain of */
}

#endif

/* ---- root's powers: capabilities ---- */

#ifndef WINDROW_SANITIZED /* whose leak checker attaches to its own process */

/* What is left to a node that root started: files of other users may be read,
 * and those in its places written; the files that SQLite makes beside another
 * user's database are given to that user. */
static __u32 capabilities_kept(bool writes)
{
    return 1U << CAP_DAC_OVERRIDE | (writes ? 1U << CAP_CHOWN : 0);
}

static void drop_capabilities(bool writes)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capget, &header, sets))
        return;
    __u32 kept = sets[0].permitted & capabilities_kept(writes);
    memset(sets, 0, sizeof sets);
    sets[0].permitted = sets[0].effective = kept;
    syscall(SYS_capset, &header, sets); /* giving up is always allowed */
}

#else

static void drop_capabilities(bool writes)
{
    (void)writes;
}

#endif

void confine(const struct confinement *confinement, struct confined *ret)
{
    drop_capabilities(confinement->n_places > 0);
    ret->landlock = restrict_files(confinement);
    ret->seccomp = restrict_calls(confinement);
}
