/* A flash and a clock that fail on command: loaded with LD_PRELOAD into the process under test.
 *
 * POSAGENT_SHIM names a file of int64 words that both sides map (see tests/process/shim.py, which must list the
 * same words in the same order); POSAGENT_SHIM_PREFIX is the directory whose files misbehave. The
 * test writes a word and the very next call obeys it: no signals, no polling, no restarts. Without
 * the file every call goes through untouched.
 *
 *   sync_delay_us      every fsync/fdatasync takes this much longer
 *   sync_hang          every fsync/fdatasync waits until the word is 0 again
 *   sync_fail_at       the n-th sync from now fails with EIO, and all after it (1 = the next one)
 *   write_errno        write/pwrite under the prefix fail with this errno
 *   open_errno         opening for writing, mkdir, rename under the prefix fail with this errno
 *   open_hang          opening the file POSAGENT_SHIM_HANG waits until the word is 0 again
 *   clock_offset_s     added to CLOCK_REALTIME
 *   syncs, writes      counted by the shim, for the test to read
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SYNC_DELAY_US, SYNC_HANG, SYNC_FAIL_AT, WRITE_ERRNO, OPEN_ERRNO, OPEN_HANG, CLOCK_OFFSET_S,
       SYNCS, WRITES, HANGING, WORDS };

static volatile int64_t none[WORDS];
static volatile int64_t *word = none;
static const char *prefix = "";
static const char *hang_path = "";

static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pwrite64)(int, const void *, size_t, off64_t);
static int (*real_open)(const char *, int, ...);
static int (*real_open64)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_mkdir)(const char *, mode_t);
static int (*real_rename)(const char *, const char *);
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_gettimeofday)(struct timeval *, void *);

__attribute__((constructor)) static void begin(void) {
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    real_pwrite64 = dlsym(RTLD_NEXT, "pwrite64");
    real_open = dlsym(RTLD_NEXT, "open");
    real_open64 = dlsym(RTLD_NEXT, "open64");
    real_openat = dlsym(RTLD_NEXT, "openat");
    real_mkdir = dlsym(RTLD_NEXT, "mkdir");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_gettimeofday = dlsym(RTLD_NEXT, "gettimeofday");
    const char *file = getenv("POSAGENT_SHIM");
    if (file == NULL)
        return;
    int fd = real_open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof(int64_t) * WORDS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED)
        return;
    if (getenv("POSAGENT_SHIM_PREFIX") != NULL)
        prefix = getenv("POSAGENT_SHIM_PREFIX");
    if (getenv("POSAGENT_SHIM_HANG") != NULL)
        hang_path = getenv("POSAGENT_SHIM_HANG");
    word = mapped;
}

static int under(const char *path) {
    return *prefix != '\0' && strncmp(path, prefix, strlen(prefix)) == 0;
}

static int fd_under(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = '\0';
    return under(path);
}

static void wait_for(int index) {
    if (!word[index])
        return;
    __sync_fetch_and_add(&word[HANGING], 1);
    while (word[index])
        usleep(1000);
    __sync_fetch_and_sub(&word[HANGING], 1);
}

static int sync_refused(int fd) {
    if (word == none || !fd_under(fd))
        return 0;
    __sync_fetch_and_add(&word[SYNCS], 1);
    wait_for(SYNC_HANG);
    if (word[SYNC_DELAY_US])
        usleep((useconds_t)word[SYNC_DELAY_US]);
    if (word[SYNC_FAIL_AT] > 1) {
        __sync_fetch_and_sub(&word[SYNC_FAIL_AT], 1);
        return 0;
    }
    if (word[SYNC_FAIL_AT] == 1) {
        errno = EIO;
        return 1;
    }
    return 0;
}

int fsync(int fd) { return sync_refused(fd) ? -1 : real_fsync(fd); }

int fdatasync(int fd) { return sync_refused(fd) ? -1 : real_fdatasync(fd); }

static int write_refused(int fd) {
    if (word == none)
        return 0;
    if (!word[WRITE_ERRNO] || !fd_under(fd))
        return 0;
    __sync_fetch_and_add(&word[WRITES], 1);
    errno = (int)word[WRITE_ERRNO];
    return 1;
}

ssize_t write(int fd, const void *buffer, size_t bytes) {
    return write_refused(fd) ? -1 : real_write(fd, buffer, bytes);
}

ssize_t pwrite(int fd, const void *buffer, size_t bytes, off_t at) {
    return write_refused(fd) ? -1 : real_pwrite(fd, buffer, bytes, at);
}

ssize_t pwrite64(int fd, const void *buffer, size_t bytes, off64_t at) {
    return write_refused(fd) ? -1 : real_pwrite64(fd, buffer, bytes, at);
}

static int open_refused(const char *path, int flags) {
    if (word == none)
        return 0;
    if (*hang_path != '\0' && strcmp(path, hang_path) == 0)
        wait_for(OPEN_HANG);
    if (!word[OPEN_ERRNO] || !under(path))
        return 0;
    if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_CREAT))
        return 0;
    errno = (int)word[OPEN_ERRNO];
    return 1;
}

#define MODE_OF(flags)                              \
    mode_t mode = 0;                                \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {        \
        va_list more;                               \
        va_start(more, flags);                      \
        mode = va_arg(more, mode_t);                \
        va_end(more);                               \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_refused(path, flags) ? -1 : real_open(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_refused(path, flags) ? -1 : real_open64(path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_refused(path, flags) ? -1 : real_openat(at, path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
    if (word != none && word[OPEN_ERRNO] && under(path)) {
        errno = (int)word[OPEN_ERRNO];
        return -1;
    }
    return real_mkdir(path, mode);
}

int rename(const char *from, const char *to) {
    if (word != none && word[OPEN_ERRNO] && (under(from) || under(to))) {
        errno = (int)word[OPEN_ERRNO];
        return -1;
    }
    return real_rename(from, to);
}

int clock_gettime(clockid_t which, struct timespec *at) {
    int result = real_clock_gettime(which, at);
    if (result == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        at->tv_sec += word[CLOCK_OFFSET_S];
    return result;
}

int gettimeofday(struct timeval *at, void *zone) {
    int result = real_gettimeofday(at, zone);
    if (result == 0)
        at->tv_sec += word[CLOCK_OFFSET_S];
    return result;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at != NULL)
        *at = now.tv_sec;
    return now.tv_sec;
}
