/*
 * note.c: see note.h.
 *
 * The page is mapped and shared: what is written there outlives the process
 * without a system call, and whatever becomes of its memory. A machine that
 * loses power loses it too; that blames nobody.
 */
#include "note.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x31776f72646e6977) /* "windrow1" */
#define STACK_BYTES (64 * 1024)            /* of the handlers */
#define PATH_BYTES 512

/* What lies in the file. */
struct page {
    uint64_t magic;
    int64_t signal; /* that ended the process; 0: none */
    uint64_t n;
    int64_t batches[NOTE_BATCHES_MAX];
};

struct note {
    int fd;
    struct page *page;
    char path[PATH_BYTES];
    int64_t crashed[NOTE_BATCHES_MAX];
    size_t n_crashed;
};

static const int blaming[] = {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE};
static struct page *the_page; /* for the handler */

/* The action is the default one again: raised anew, the signal ends us. */
static void on_crash(int number)
{
    if (the_page)
        the_page->signal = number;
    raise(number);
}

/* On a stack of its own: a recursion without end is a crash too. */
static void handle_signals(void)
{
    static char stack[STACK_BYTES];
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = on_crash};
    action.sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_ONSTACK);
    sigaltstack(&other, NULL);
    for (size_t i = 0; i < sizeof blaming / sizeof *blaming; i++)
        sigaction(blaming[i], &action, NULL);
}

static void leave_signals(void)
{
    for (size_t i = 0; i < sizeof blaming / sizeof *blaming; i++)
        signal(blaming[i], SIG_DFL);
}

/* Opens and locks the file; false where there is none, another process has it
 * (EWOULDBLOCK), or it can't be had (errno). A file that was removed between
 * the two is none. */
static bool lock_file(struct note *note, int flags)
{
    struct stat opened, there;
    note->fd = open(note->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (note->fd < 0)
        return false;
    if (!flock(note->fd, LOCK_EX | LOCK_NB) && !fstat(note->fd, &opened) &&
        !stat(note->path, &there) && opened.st_ino == there.st_ino)
        return true;
    close(note->fd);
    note->fd = -1;
    errno = EWOULDBLOCK;
    return false;
}

static bool tells_of_crash(int fd)
{
    struct page page;
    return pread(fd, &page, sizeof page, 0) == (ssize_t)sizeof page &&
           page.magic == MAGIC && page.signal > 0;
}

/* The first that a crashed process left; or else the first that is free. */
static int take_file(struct note *note, const char *folder, struct error *err)
{
    if (mkdir(folder, 0700) && errno != EEXIST)
        return error_set(err, ERR_FILE, "%s can't be made: %s", folder,
                         strerror(errno));
    for (int i = 0; i < 2 * NOTE_FILES_MAX; i++) {
        bool any = i >= NOTE_FILES_MAX;
        int len = snprintf(note->path, sizeof note->path, "%s/begun-%d", folder,
                           i % NOTE_FILES_MAX + 1);
        if (len < 0 || (size_t)len >= sizeof note->path)
            return error_set(err, ERR_FILE, "the name %s is too long", folder);
        bool locked = lock_file(note, any ? O_CREAT : 0);
        if (locked && (any || tells_of_crash(note->fd)))
            return 0;
        if (locked)
            close(note->fd);
        else if (errno != EWOULDBLOCK && errno != ENOENT)
            return error_set(err, ERR_FILE, "%s can't be opened: %s",
                             note->path, strerror(errno));
    }
    return error_set(err, ERR_FILE, "more than %d nodes keep notes in %s",
                     NOTE_FILES_MAX, folder);
}

static int map_page(struct note *note, struct error *err)
{
    if (ftruncate(note->fd, sizeof *note->page))
        return error_set(err, ERR_FILE, "%s can't be written: %s", note->path,
                         strerror(errno));
    void *page = mmap(NULL, sizeof *note->page, PROT_READ | PROT_WRITE,
                      MAP_SHARED, note->fd, 0);
    if (page == MAP_FAILED)
        return error_set(err, ERR_FILE, "%s can't be mapped: %s", note->path,
                         strerror(errno));
    note->page = page;
    return 0;
}

/* What a stranger wrote there counts for nothing. */
static void read_page(struct note *note)
{
    const struct page *page = note->page;
    if (page->magic == MAGIC && page->signal > 0 && page->n <= NOTE_BATCHES_MAX)
        for (size_t i = 0; i < page->n; i++)
            if (page->batches[i] > 0)
                note->crashed[note->n_crashed++] = page->batches[i];
    *note->page = (struct page){.magic = MAGIC};
}

int note_open(const char *folder, struct note **ret, struct error *err)
{
    struct note *note = calloc(1, sizeof *note);
    if (!note)
        return error_set(err, ERR_MEMORY, "no memory for a note");
    note->fd = -1;
    if (take_file(note, folder, err) || map_page(note, err)) {
        if (note->fd >= 0)
            close(note->fd);
        free(note);
        return (int)err->code;
    }
    read_page(note);
    the_page = note->page;
    handle_signals();
    *ret = note;
    return 0;
}

size_t note_crashed(const struct note *note, const int64_t **ret)
{
    *ret = note->crashed;
    return note->n_crashed;
}

void note_begun(struct note *note, const int64_t *batches, size_t n)
{
    if (n > NOTE_BATCHES_MAX)
        n = NOTE_BATCHES_MAX;
    memcpy(note->page->batches, batches, n * sizeof *batches);
    note->page->n = n;
}

void note_free(struct note **ptr)
{
    struct note *note = *ptr;
    if (!note)
        return;
    leave_signals();
    the_page = NULL;
    munmap(note->page, sizeof *note->page);
    unlink(note->path);
    close(note->fd);
    free(note);
    *ptr = NULL;
}
