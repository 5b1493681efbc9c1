/* SPDX-License-Identifier: MIT */
/*
 * tests/user/seal_ways.h - the ways to change a file, each as a call that can be refused
 *
 * Room:   tests/user.
 * Owns:   struct cell, the table of ways.
 * Locks:  none; for programs with one thread.
 * Always: (1) a way leaves nothing behind but what it changes.
 * Source: tests/user/seal_rules.h, in whose order they stand.
 * Tour:   after tests/user/seal_rules.h; then tests/user/seal_matrix.c, tests/user/seal_race.c.
 */
#pragma once

#include "../../include/uapi/userfaultfd.h"
#include "ktap.h"
#include "seal_rules.h"
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define RW   (PROT_READ | PROT_WRITE)
#define HUGE (512 * PAGE)

/* A file of two units, and what somebody has of its first when it is sealed. */
struct cell {
    enum kind kind;
    enum state state;
    int fd, pipe[2];
    size_t unit;
    char *map; /* both; NULL: nobody maps it */
    char byte; /* what is written */
};

/* Ways. Each returns -1 with errno, or anything else. */

static long failed_with(int error)
{
    errno = error;
    return -1;
}

static long way_write(struct cell *c)
{
    return lseek(c->fd, 0, SEEK_SET) ? -1 : write(c->fd, &c->byte, 1);
}

static long way_pwritev(struct cell *c)
{
    struct iovec parts[2] = {{&c->byte, 1}, {"y", 1}};
    return pwritev(c->fd, parts, 2, 0);
}

static long way_write_past_end(struct cell *c)
{
    return pwrite(c->fd, &c->byte, 1, 2 * c->unit);
}

static long way_splice(struct cell *c)
{
    loff_t at = 0;
    int p[2];

    if (pipe(p) || write(p[1], &c->byte, 1) != 1)
        return failed_with(ENFILE);
    long n = splice(p[0], NULL, c->fd, &at, 1, 0);
    int error = errno;
    close(p[0]);
    close(p[1]);
    errno = error;
    return n;
}

/* Another file, of one byte. */
static int source(struct cell *c)
{
    int fd = memfd_create("source", 0);
    EXPECT_IS(pwrite(fd, &c->byte, 1, 0), 1);
    return fd;
}

static long way_sendfile(struct cell *c)
{
    off_t from = 0;
    int fd = source(c);
    long n = lseek(c->fd, 0, SEEK_SET) ? -1 : sendfile(c->fd, fd, &from, 1);
    int error = errno;

    close(fd);
    errno = error;
    return n;
}

static long way_copy_file_range(struct cell *c)
{
    loff_t from = 0, to = 0;
    int fd = source(c);
    long n = copy_file_range(fd, &from, c->fd, &to, 1, 0);
    int error = errno;

    close(fd);
    errno = error;
    return n;
}

static long store(struct cell *c, char *p)
{
    if (probe(p, PROBE_WRITE).sig)
        return failed_with(EFAULT);
    *p = c->byte;
    return 0;
}

static char *map_file(struct cell *c, int prot)
{
    char *p = mmap(NULL, 2 * c->unit, prot, MAP_SHARED, c->fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Do @what with a new mapping. */
static long through_new(struct cell *c, int prot, long (*what)(struct cell *c, char *p))
{
    char *p = map_file(c, prot);
    if (!p)
        return -1;
    long result = what(c, p);
    int error = errno;
    munmap(p, 2 * c->unit);
    errno = error;
    return result;
}

/* With the one that is there, if one is. */
static long through(struct cell *c, int prot, long (*what)(struct cell *c, char *p))
{
    return c->map ? what(c, c->map) : through_new(c, prot, what);
}

static long way_store(struct cell *c)
{
    return through_new(c, RW, store);
}

static long pin(int to, char *p)
{
    struct iovec page = {p, PAGE};
    return vmsplice(to, &page, 1, 0);
}

static long store_pinned(struct cell *c, char *p)
{
    int ends[2];

    if (pipe(ends) || pin(ends[1], p) != (long)PAGE)
        return failed_with(ENFILE);
    long result = store(c, p);
    close(ends[0]);
    close(ends[1]);
    return result;
}

static long way_store_pinned(struct cell *c)
{
    return through_new(c, RW, store_pinned);
}

static long make_writable(struct cell *c, char *p)
{
    return mprotect(p, c->unit, PROT_READ) || mprotect(p, c->unit, RW) ? -1 : store(c, p);
}

static long way_protect(struct cell *c)
{
    return through(c, PROT_READ, make_writable);
}

static long make_longer(struct cell *c, char *p)
{
    munmap(p + c->unit, c->unit);
    char *longer = mremap(p, c->unit, 2 * c->unit, MREMAP_MAYMOVE);
    if (longer == MAP_FAILED)
        return -1;
    long result = store(c, longer + c->unit);
    int error = errno;
    munmap(longer, 2 * c->unit);
    c->map = NULL;
    errno = error;
    return result;
}

static long way_remap(struct cell *c)
{
    return through(c, RW, make_longer);
}

static long write_by_number(struct cell *c, char *p)
{
    struct iovec from = {&c->byte, 1}, to = {p, 1};

    return process_vm_writev(getpid(), &from, 1, &to, 1, 0);
}

static long way_vm_writev(struct cell *c)
{
    return through(c, RW, write_by_number);
}

static long write_mem_file(struct cell *c, char *p)
{
    int fd = open("/proc/self/mem", O_RDWR);

    long n = pwrite(fd, &c->byte, 1, (off_t)(uintptr_t)p);
    int error = errno;
    close(fd);
    errno = error;
    return n;
}

static long way_mem_file(struct cell *c)
{
    return through(c, RW, write_mem_file);
}

/* Does not wait for a fault: fills in what one would find missing. */
static long fill_hole(struct cell *c, char *p)
{
    struct uapi_uffdio_api api = {.api = UFFD_API};
    struct uapi_uffdio_register range = {.range = {(uintptr_t)p + c->unit, c->unit},
                                         .mode = UFFDIO_REGISTER_MODE_MISSING};
    char *from = mmap(NULL, c->unit, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uapi_uffdio_copy copy = {
        .dst = (uintptr_t)p + c->unit, .src = (uintptr_t)from, .len = c->unit};
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

    *from = c->byte;
    long result = fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range) ||
                          ioctl(fd, UFFDIO_COPY, &copy)
                      ? -1
                      : 0;
    int error = errno;
    close(fd);
    munmap(from, c->unit);
    errno = error;
    return result;
}

static long way_fill_hole(struct cell *c)
{
    return through(c, PROT_READ, fill_hole);
}

static long remove_unit(struct cell *c, char *p)
{
    return madvise(p, c->unit, MADV_REMOVE);
}

static long way_madvise_remove(struct cell *c)
{
    return through(c, RW, remove_unit);
}

static long way_punch_hole(struct cell *c)
{
    return fallocate(c->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, c->unit);
}

static long way_shrink(struct cell *c)
{
    return ftruncate(c->fd, c->unit);
}

static long way_open_trunc(struct cell *c)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", c->fd);
    int fd = open(path, O_RDWR | O_TRUNC);
    return fd < 0 ? -1 : close(fd);
}

static long way_grow(struct cell *c)
{
    return ftruncate(c->fd, 3 * c->unit);
}

static long way_allocate(struct cell *c)
{
    return fallocate(c->fd, 0, c->unit, 2 * c->unit);
}

static long way_allocate_keep(struct cell *c)
{
    return fallocate(c->fd, FALLOC_FL_KEEP_SIZE, c->unit, 2 * c->unit);
}

static long way_allocate_inside(struct cell *c)
{
    return fallocate(c->fd, 0, c->unit, c->unit);
}

/* A file without rights to execute gets them, the other loses them. */
static long way_change_mode(struct cell *c)
{
    struct stat st;
    return fstat(c->fd, &st) ? -1 : fchmod(c->fd, st.st_mode ^ 0111);
}

static long way_add_seal(struct cell *c)
{
    return fcntl(c->fd, F_ADD_SEALS, F_SEAL_SHRINK);
}

static long way_udmabuf(struct cell *c)
{
    struct {
        uint32_t fd, flags;
        uint64_t offset, size;
    } create = {(uint32_t)c->fd, 0, 0, c->unit};
    int device = open("/dev/udmabuf", O_RDWR);
    long fd = ioctl(device, _IOW('u', 0x42, create), &create);
    int error = errno;

    close(device);
    if (fd >= 0)
        close((int)fd);
    errno = error;
    return fd;
}

/* What a way changes where it is not refused. */
enum effect { NOTHING, FIRST_BYTE, SECOND_UNIT, SIZE };

static const struct {
    long (*run)(struct cell *c);
    enum effect effect;
} ways[WAYS] = {
    [WRITE] = {way_write, FIRST_BYTE},
    [PWRITEV] = {way_pwritev, FIRST_BYTE},
    [WRITE_PAST_END] = {way_write_past_end, SIZE},
    [SPLICE] = {way_splice, FIRST_BYTE},
    [SENDFILE] = {way_sendfile, FIRST_BYTE},
    [COPY_FILE_RANGE] = {way_copy_file_range, FIRST_BYTE},
    [STORE] = {way_store, FIRST_BYTE},
    [STORE_PINNED] = {way_store_pinned, FIRST_BYTE},
    [PROTECT] = {way_protect, FIRST_BYTE},
    [REMAP] = {way_remap, SECOND_UNIT},
    [VM_WRITEV] = {way_vm_writev, FIRST_BYTE},
    [MEM_FILE] = {way_mem_file, FIRST_BYTE},
    [FILL_HOLE] = {way_fill_hole, SECOND_UNIT},
    [MADVISE_REMOVE] = {way_madvise_remove, FIRST_BYTE},
    [PUNCH_HOLE] = {way_punch_hole, FIRST_BYTE},
    [SHRINK] = {way_shrink, SIZE},
    [OPEN_TRUNC] = {way_open_trunc, SIZE},
    [GROW] = {way_grow, SIZE},
    [ALLOCATE] = {way_allocate, SIZE},
    [ALLOCATE_KEEP] = {way_allocate_keep, NOTHING},
    [ALLOCATE_INSIDE] = {way_allocate_inside, NOTHING},
    [CHANGE_MODE] = {way_change_mode, NOTHING},
    [ADD_SEAL] = {way_add_seal, NOTHING},
    [UDMABUF] = {way_udmabuf, NOTHING},
};
