/* A disk that is full from the n-th write on, for whatever program this library is preloaded into.

   Counted are the calls below one folder that take room, or that say too late that there was none: a file or a
   folder made, bytes written, a file made longer, fsync. From `first` to `last` (0: none) they fail with ENOSPC;
   of several bytes the first call writes half, as a disk does that has room for half. All processes share one
   file of `struct control`, which bench/full_disk.py maps, too. Streams 1 and 2 are left alone. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct control {
    long long counted, first, last, failed;
    char under[PATH_MAX], events[PATH_MAX];
};

static struct control *control;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FULL_DISK");
    int file = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) control = mapped;
    close(file);
}

static int below(const char *path) {
    size_t length = strlen(control->under);
    return length && !strncmp(path, control->under, length) && (!path[length] || path[length] == '/');
}

/* Note what happens -> its number if it is to fail, 0 if not. */
static long long fails(const char *what, const char *path) {
    long long number = __atomic_add_fetch(&control->counted, 1, __ATOMIC_SEQ_CST);
    if (control->events[0]) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%lld %s %s\n", number, what, path + strlen(control->under));
        int file = syscall(SYS_openat, AT_FDCWD, control->events, O_WRONLY | O_APPEND | O_CREAT, 0600);
        syscall(SYS_write, file, line, (size_t)length);
        syscall(SYS_close, file);
    }
    if (!control->first || number < control->first || number > control->last) return 0;
    __atomic_add_fetch(&control->failed, 1, __ATOMIC_SEQ_CST);
    errno = ENOSPC;
    return number;
}

static long long path_fails(const char *what, int folder, const char *path) {
    char whole[PATH_MAX * 2], at[PATH_MAX], link[64];
    if (!control || !control->under[0]) return 0;
    if (path[0] == '/')
        snprintf(whole, sizeof whole, "%s", path);
    else {
        snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, at, sizeof at - 1);
        if (length < 0) return 0;
        at[length] = 0;
        snprintf(whole, sizeof whole, "%s/%s", at, path);
    }
    return below(whole) ? fails(what, whole) : 0;
}

static long long file_fails(const char *what, int file) {
    char path[PATH_MAX], link[64];
    if (!control || !control->under[0] || file == 1 || file == 2) return 0;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return 0;
    path[length] = 0;
    return below(path) ? fails(what, path) : 0;
}

/* Does the first one that fails write half? */
static int halves(long long number, size_t size) { return number == control->first && size > 1; }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *bytes, size_t size) {
    long long number = size ? file_fails("write", file) : 0;
    if (!number) return REAL(write)(file, bytes, size);
    return halves(number, size) ? REAL(write)(file, bytes, size / 2) : -1;
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
    long long number = size ? file_fails("write", file) : 0;
    if (!number) return REAL(pwrite64)(file, bytes, size, at);
    return halves(number, size) ? REAL(pwrite64)(file, bytes, size / 2, at) : -1;
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) { return pwrite64(file, bytes, size, at); }

ssize_t writev(int file, const struct iovec *parts, int count) {
    long long number = file_fails("write", file);
    if (!number) return REAL(writev)(file, parts, count);
    if (!halves(number, parts[0].iov_len)) return -1;
    return REAL(write)(file, parts[0].iov_base, parts[0].iov_len / 2);
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t size) {
    long long number = file_fails("write", to);
    return number ? -1 : REAL(sendfile64)(to, from, at, size);
}

ssize_t sendfile(int to, int from, off_t *at, size_t size) { return sendfile64(to, from, at, size); }

ssize_t copy_file_range(int from, off64_t *a, int to, off64_t *b, size_t size, unsigned int flags) {
    long long number = file_fails("write", to);
    return number ? -1 : REAL(copy_file_range)(from, a, to, b, size, flags);
}

int ftruncate64(int file, off64_t size) {
    struct stat known;
    int longer = !fstat(file, &known) && size > known.st_size;
    return longer && file_fails("lengthen", file) ? -1 : REAL(ftruncate64)(file, size);
}

int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int posix_fallocate64(int file, off64_t at, off64_t size) {
    return file_fails("lengthen", file) ? ENOSPC : REAL(posix_fallocate64)(file, at, size);
}

int posix_fallocate(int file, off_t at, off_t size) { return posix_fallocate64(file, at, size); }

int fsync(int file) { return file_fails("flush", file) ? -1 : REAL(fsync)(file); }

int fdatasync(int file) { return file_fails("flush", file) ? -1 : REAL(fdatasync)(file); }

int mkdirat(int folder, const char *path, mode_t mode) {
    if (!faccessat(folder, path, F_OK, AT_SYMLINK_NOFOLLOW)) return REAL(mkdirat)(folder, path, mode);
    return path_fails("folder", folder, path) ? -1 : REAL(mkdirat)(folder, path, mode);
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* Does opening make a file, and is there no room for it? */
static int no_room(int folder, const char *path, int flags) {
    int before = errno;
    int made = (flags & O_TMPFILE) == O_TMPFILE ||
               ((flags & O_CREAT) && faccessat(folder, path, F_OK, AT_SYMLINK_NOFOLLOW));
    errno = before;
    return made && path_fails("file", folder, path);
}

#define MODE(flags, mode)                          \
    mode_t mode = 0;                               \
    if ((flags) & (O_CREAT | O_TMPFILE)) {         \
        va_list rest;                              \
        va_start(rest, flags);                     \
        mode = va_arg(rest, mode_t);               \
        va_end(rest);                              \
    }

int open(const char *path, int flags, ...) {
    MODE(flags, mode)
    return no_room(AT_FDCWD, path, flags) ? -1 : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags, mode)
    return no_room(AT_FDCWD, path, flags) ? -1 : REAL(open64)(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    MODE(flags, mode)
    return no_room(folder, path, flags) ? -1 : REAL(openat)(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    MODE(flags, mode)
    return no_room(folder, path, flags) ? -1 : REAL(openat64)(folder, path, flags, mode);
}

FILE *fopen(const char *path, const char *mode) {
    return mode[0] != 'r' && no_room(AT_FDCWD, path, O_CREAT) ? NULL : REAL(fopen)(path, mode);
}

FILE *fopen64(const char *path, const char *mode) {
    return mode[0] != 'r' && no_room(AT_FDCWD, path, O_CREAT) ? NULL : REAL(fopen64)(path, mode);
}
