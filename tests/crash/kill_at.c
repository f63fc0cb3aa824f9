/* Ends the process with SIGKILL at a named point: loaded with LD_PRELOAD into the daemon.
 *
 *   KILL_UNDER   directory whose files count
 *   KILL_CALL    write, sync, truncate, rename, unlink or any
 *   KILL_FILE    last part of the file's name, e.g. journal.db-wal; empty: every file
 *   KILL_AT      the n-th such call
 *   KILL_AFTER   1: after the call was done, 0: before it
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static const char *under, *call, *file;
static long at, after, seen;

__attribute__((constructor)) static void begin(void) {
    under = getenv("KILL_UNDER");
    call = getenv("KILL_CALL");
    file = getenv("KILL_FILE");
    at = getenv("KILL_AT") ? atol(getenv("KILL_AT")) : 0;
    after = getenv("KILL_AFTER") ? atol(getenv("KILL_AFTER")) : 0;
}

static int meant(const char *what, const char *path) {
    size_t length, tail;
    if (!at || !under || strncmp(path, under, strlen(under)) != 0)
        return 0;
    if (strcmp(call, "any") != 0 && strcmp(call, what) != 0)
        return 0;
    length = strlen(path), tail = file ? strlen(file) : 0;
    if (tail > length || strcmp(path + length - tail, file ? file : "") != 0)
        return 0;
    return __sync_add_and_fetch(&seen, 1) == at;
}

static int meant_fd(const char *what, int fd) {
    char link[64], path[4096];
    ssize_t length;
    if (!at)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = '\0';
    return meant(what, path);
}

#define PASS(type, name, what, meant_it, declared, given)        \
    type name declared {                                         \
        static type(*real) declared;                             \
        if (!real)                                               \
            real = (type(*) declared)dlsym(RTLD_NEXT, #name);    \
        int hit = meant_it;                                      \
        if (hit && !after)                                       \
            kill(getpid(), SIGKILL);                             \
        type result = real given;                                \
        if (hit)                                                 \
            kill(getpid(), SIGKILL);                             \
        return result;                                           \
    }

PASS(int, fsync, "sync", meant_fd("sync", fd), (int fd), (fd))
PASS(int, fdatasync, "sync", meant_fd("sync", fd), (int fd), (fd))
PASS(ssize_t, write, "write", meant_fd("write", fd), (int fd, const void *b, size_t n), (fd, b, n))
PASS(ssize_t, pwrite, "write", meant_fd("write", fd), (int fd, const void *b, size_t n, off_t o), (fd, b, n, o))
PASS(ssize_t, pwrite64, "write", meant_fd("write", fd), (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o))
PASS(int, ftruncate, "truncate", meant_fd("truncate", fd), (int fd, off_t n), (fd, n))
PASS(int, ftruncate64, "truncate", meant_fd("truncate", fd), (int fd, off64_t n), (fd, n))
PASS(int, rename, "rename", meant("rename", to), (const char *from, const char *to), (from, to))
PASS(int, unlink, "unlink", meant("unlink", path), (const char *path), (path))
