/* SPDX-License-Identifier: MIT */
/*
 * tests/user/seal_matrix.c - every way to change a file, under every seal, of every kind of pages,
 * sealed while nobody, a mapping or a pipe has its pages
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) what a cell has to give is computed by tests/user/seal_rules.h, not listed;
 *         (2) a way that is refused changes neither a byte nor the size, one that is not does;
 *         (3) userfaultfd is not among the ways: Bulla has none yet.
 * Source: tests/user/seal_rules.h.
 * Tour:   after tests/user/seal_rules.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "seal_rules.h"
#include "smaps.h"
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define RW            (PROT_READ | PROT_WRITE)
#define HUGE          (512 * PAGE)
#define MADV_COLLAPSE 25
#define HUGE_2M       (21 << 26)
#define EXEC_FILE     0x100 /* beside a seal: of a file that can be executed */

/* A file of two units, and what somebody has of its first when it is sealed. */
struct cell {
    enum kind kind;
    enum state state;
    int fd, pipe[2];
    size_t unit;
    char *map; /* the first unit; NULL: nobody maps it */
};

static const int columns[] = {0,
                              F_SEAL_SEAL,
                              F_SEAL_SHRINK,
                              F_SEAL_GROW,
                              F_SEAL_WRITE,
                              F_SEAL_FUTURE_WRITE,
                              F_SEAL_EXEC,
                              F_SEAL_EXEC | EXEC_FILE};
#define COLUMNS (sizeof columns / sizeof columns[0])

/* Ways. Each returns -1 with errno, or anything else. */

static long failed_with(int error)
{
    errno = error;
    return -1;
}

static long way_write(struct cell *c)
{
    return lseek(c->fd, 0, SEEK_SET) ? -1 : write(c->fd, "x", 1);
}

static long way_pwritev(struct cell *c)
{
    struct iovec parts[2] = {{"x", 1}, {"y", 1}};
    return pwritev(c->fd, parts, 2, 0);
}

static long way_write_past_end(struct cell *c)
{
    return pwrite(c->fd, "x", 1, 2 * c->unit);
}

static long way_splice(struct cell *c)
{
    loff_t at = 0;
    int p[2];

    if (pipe(p) || write(p[1], "x", 1) != 1)
        return failed_with(ENFILE);
    long n = splice(p[0], NULL, c->fd, &at, 1, 0);
    int error = errno;
    close(p[0]);
    close(p[1]);
    errno = error;
    return n;
}

/* Another file, of one byte. */
static int source(void)
{
    int fd = memfd_create("source", 0);
    EXPECT_IS(pwrite(fd, "x", 1, 0), 1);
    return fd;
}

static long way_sendfile(struct cell *c)
{
    off_t from = 0;
    int fd = source();
    long n = lseek(c->fd, 0, SEEK_SET) ? -1 : sendfile(c->fd, fd, &from, 1);
    int error = errno;

    close(fd);
    errno = error;
    return n;
}

static long way_copy_file_range(struct cell *c)
{
    loff_t from = 0, to = 0;
    int fd = source();
    long n = copy_file_range(fd, &from, c->fd, &to, 1, 0);
    int error = errno;

    close(fd);
    errno = error;
    return n;
}

static long store(char *p)
{
    return probe(p, PROBE_WRITE).sig ? failed_with(EFAULT) : 0;
}

static char *map_unit(struct cell *c, int prot)
{
    char *p = mmap(NULL, c->unit, prot, MAP_SHARED, c->fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Do @what with a new mapping. */
static long through_new(struct cell *c, int prot, long (*what)(struct cell *c, char *p))
{
    char *p = map_unit(c, prot);
    if (!p)
        return -1;
    long result = what(c, p);
    int error = errno;
    munmap(p, c->unit);
    errno = error;
    return result;
}

/* With the one that is there, if one is. */
static long through(struct cell *c, int prot, long (*what)(struct cell *c, char *p))
{
    return c->map ? what(c, c->map) : through_new(c, prot, what);
}

static long store_into(struct cell *c, char *p)
{
    (void)c;
    return store(p);
}

static long way_store(struct cell *c)
{
    return through_new(c, RW, store_into);
}

static long pin(int to, char *p)
{
    struct iovec page = {p, PAGE};
    return vmsplice(to, &page, 1, 0);
}

static long store_pinned(struct cell *c, char *p)
{
    int ends[2];

    (void)c;
    if (pipe(ends) || pin(ends[1], p) != (long)PAGE)
        return failed_with(ENFILE);
    long result = store(p);
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
    return mprotect(p, c->unit, PROT_READ) || mprotect(p, c->unit, RW) ? -1 : store(p);
}

static long way_protect(struct cell *c)
{
    return through(c, PROT_READ, make_writable);
}

static long make_longer(struct cell *c, char *p)
{
    char *longer = mremap(p, c->unit, 2 * c->unit, MREMAP_MAYMOVE);
    if (longer == MAP_FAILED)
        return -1;
    long result = store(longer + c->unit);
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
    struct iovec from = {"x", 1}, to = {p, 1};

    (void)c;
    return process_vm_writev(getpid(), &from, 1, &to, 1, 0);
}

static long way_vm_writev(struct cell *c)
{
    return through(c, RW, write_by_number);
}

static long write_mem_file(struct cell *c, char *p)
{
    int fd = open("/proc/self/mem", O_RDWR);

    (void)c;
    long n = pwrite(fd, "x", 1, (off_t)(uintptr_t)p);
    int error = errno;
    close(fd);
    errno = error;
    return n;
}

static long way_mem_file(struct cell *c)
{
    return through(c, RW, write_mem_file);
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

/* Cells. */

/* The first byte is 'a', and a hole follows: of whole huge pages where there are any. */
static bool file_fill(struct cell *c)
{
    char *p = c->kind == THP ? place_of_units(HUGE) : NULL;

    if (ftruncate(c->fd, 2 * c->unit))
        return false;
    p = mmap(p, c->unit, RW, MAP_SHARED | (p ? MAP_FIXED : 0), c->fd, 0);
    if (p == MAP_FAILED)
        return false;
    *p = 'a';
    bool filled = c->kind != THP || madvise(p, HUGE, MADV_COLLAPSE) == 0;
    munmap(p, c->unit);
    return filled;
}

/* Somebody has the first unit. */
static bool file_use(struct cell *c)
{
    if (c->state == FRESH)
        return true;
    char *p = map_unit(c, c->state == MAPPED_RO ? PROT_READ : RW);
    if (!p)
        return false;
    (void)*(volatile char *)p;
    if (c->state != PINNED) {
        c->map = p;
        return true;
    }
    bool pinned = pin(c->pipe[1], p) == (long)PAGE;
    munmap(p, c->unit);
    return pinned;
}

static bool cell_open(struct cell *c, enum kind kind, enum state state, bool executable)
{
    int flags = MFD_ALLOW_SEALING | (kind == HUGETLB ? MFD_HUGETLB | HUGE_2M : 0);

    *c = (struct cell){.kind = kind, .state = state, .unit = kind == SMALL ? PAGE : HUGE};
    c->fd = memfd_create("cell", flags);
    return pipe(c->pipe) == 0 && fchmod(c->fd, executable ? 0777 : 0666) == 0 && file_fill(c) &&
           file_use(c);
}

static void cell_close(struct cell *c)
{
    if (c->map)
        munmap(c->map, c->unit);
    close(c->fd);
    close(c->pipe[0]);
    close(c->pipe[1]);
}

static char byte_at(int fd, size_t at)
{
    char byte = 0;
    EXPECT(pread(fd, &byte, 1, at) >= 0);
    return byte;
}

/* The first thing that is not as it was. */
static enum effect effect_seen(struct cell *c)
{
    struct stat st;

    if (fstat(c->fd, &st) || (size_t)st.st_size != 2 * c->unit)
        return SIZE;
    if (byte_at(c->fd, 0) != 'a')
        return FIRST_BYTE;
    return byte_at(c->fd, c->unit) ? SECOND_UNIT : NOTHING;
}

static int error_seen(long result)
{
    return result < 0 ? errno : 0;
}

static void cell_try(enum way way, int column, enum kind kind, enum state state)
{
    struct answer expected = answer_of(way, column & ~EXEC_FILE, column & EXEC_FILE, kind, state);
    struct cell c;
    bool opened = cell_open(&c, kind, state, column & EXEC_FILE);

    EXPECT(opened);
    if (opened) {
        int of_sealing = error_seen(fcntl(c.fd, F_ADD_SEALS, column & ~EXEC_FILE));
        int of_way = error_seen(ways[way].run(&c));
        enum effect effect = of_way ? NOTHING : ways[way].effect, seen = effect_seen(&c);
        bool same =
            of_sealing == expected.of_sealing && of_way == expected.of_way && seen == effect;
        if (!same)
            printf("# seal %#x kind %d state %d: sealing %d, not %d; error %d, not %d; effect %d, "
                   "not %d\n",
                   column, kind, state, of_sealing, expected.of_sealing, of_way, expected.of_way,
                   seen, effect);
        EXPECT(same);
    }
    cell_close(&c);
}

static unsigned nr_cells;

static void cells_of_kind(enum way way, enum kind kind)
{
    for (enum state state = FRESH; state < STATES; state++)
        for (size_t i = 0; i < COLUMNS; i++)
            cell_try(way, columns[i], kind, state);
}

/* Each kind in a child of its own: who seals what is pinned waits, the others need not. */
static void cells_of(enum way way)
{
    pid_t children[KINDS];

    for (enum kind kind = SMALL; kind < KINDS; kind++) {
        fflush(stdout);
        children[kind] = fork();
        if (children[kind] == 0) {
            cells_of_kind(way, kind);
            fflush(stdout);
            _exit(ktap_failed);
        }
    }
    for (enum kind kind = SMALL; kind < KINDS; kind++) {
        int status = -1;
        EXPECT_IS(waitpid(children[kind], &status, 0), children[kind]);
        EXPECT(status == 0);
        nr_cells += STATES * COLUMNS;
    }
}

#define CELLS_OF(name, way) \
    static void name(void)  \
    {                       \
        cells_of(way);      \
    }

CELLS_OF(write_heeds_seals, WRITE)
CELLS_OF(pwritev_heeds_seals, PWRITEV)
CELLS_OF(write_past_the_end_heeds_seals, WRITE_PAST_END)
CELLS_OF(splice_heeds_seals, SPLICE)
CELLS_OF(sendfile_heeds_seals, SENDFILE)
CELLS_OF(copy_file_range_heeds_seals, COPY_FILE_RANGE)
CELLS_OF(store_heeds_seals, STORE)
CELLS_OF(store_into_what_is_pinned_heeds_seals, STORE_PINNED)
CELLS_OF(mprotect_heeds_seals, PROTECT)
CELLS_OF(mremap_heeds_seals, REMAP)
CELLS_OF(process_vm_writev_heeds_seals, VM_WRITEV)
CELLS_OF(proc_mem_heeds_seals, MEM_FILE)
CELLS_OF(madvise_remove_heeds_seals, MADVISE_REMOVE)
CELLS_OF(punch_hole_heeds_seals, PUNCH_HOLE)
CELLS_OF(shrinking_heeds_seals, SHRINK)
CELLS_OF(open_trunc_heeds_seals, OPEN_TRUNC)
CELLS_OF(growing_heeds_seals, GROW)
CELLS_OF(fallocate_heeds_seals, ALLOCATE)
CELLS_OF(fallocate_keep_size_heeds_seals, ALLOCATE_KEEP)
CELLS_OF(fallocate_inside_is_always_allowed, ALLOCATE_INSIDE)
CELLS_OF(fchmod_heeds_seals, CHANGE_MODE)
CELLS_OF(sealing_heeds_seals, ADD_SEAL)

static void udmabuf_heeds_seals(void)
{
    if (access("/dev/udmabuf", R_OK | W_OK))
        SKIP("there is no /dev/udmabuf");
    cells_of(UDMABUF);
}

static void matrix_has_many_cells(void)
{
    printf("# %u cells\n", nr_cells);
    EXPECT(nr_cells >= 250);
}

static const struct ktap_test tests[] = {
    TEST(write_heeds_seals),
    TEST(pwritev_heeds_seals),
    TEST(write_past_the_end_heeds_seals),
    TEST(splice_heeds_seals),
    TEST(sendfile_heeds_seals),
    TEST(copy_file_range_heeds_seals),
    TEST(store_heeds_seals),
    TEST(store_into_what_is_pinned_heeds_seals),
    TEST(mprotect_heeds_seals),
    TEST(mremap_heeds_seals),
    TEST(process_vm_writev_heeds_seals),
    TEST(proc_mem_heeds_seals),
    TEST(madvise_remove_heeds_seals),
    TEST(punch_hole_heeds_seals),
    TEST(shrinking_heeds_seals),
    TEST(open_trunc_heeds_seals),
    TEST(growing_heeds_seals),
    TEST(fallocate_heeds_seals),
    TEST(fallocate_keep_size_heeds_seals),
    TEST(fallocate_inside_is_always_allowed),
    TEST(fchmod_heeds_seals),
    TEST(sealing_heeds_seals),
    TEST(udmabuf_heeds_seals),
    TEST(matrix_has_many_cells),
};

int main(void)
{
    huge_pages_allow();
    return KTAP_MAIN(tests);
}
