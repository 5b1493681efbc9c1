/* SPDX-License-Identifier: MIT */
/*
 * tests/user/seal_matrix.c - every way to change a file, under every seal, of every kind of pages,
 * sealed while nobody, a mapping or a pipe has its pages
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) what a cell has to give is computed by tests/user/seal_rules.h, not listed;
 *         (2) a way that is refused changes neither a byte nor the size, one that is not does.
 * Source: tests/user/seal_rules.h.
 * Tour:   after tests/user/seal_ways.h.
 */
#define _GNU_SOURCE
#include "../../include/uapi/bulla.h"
#include "seal_ways.h"
#include "smaps.h"

#define HUGE_2M          (21 << 26)
#define SYS_MEMFD_SECRET 447
#define EXEC_FILE        0x100 /* beside a seal: of a file that can be executed */

static const int columns[] = {0,
                              F_SEAL_SEAL,
                              F_SEAL_SHRINK,
                              F_SEAL_GROW,
                              F_SEAL_WRITE,
                              F_SEAL_FUTURE_WRITE,
                              F_SEAL_EXEC,
                              F_SEAL_EXEC | EXEC_FILE};
#define COLUMNS (sizeof columns / sizeof columns[0])

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
    char *p = map_file(c, c->state == MAPPED_RO ? PROT_READ : RW);
    if (!p)
        return false;
    (void)*(volatile char *)p;
    if (c->state != PINNED) {
        c->map = p;
        return true;
    }
    bool pinned = pin(c->pipe[1], p) == (long)PAGE;
    munmap(p, 2 * c->unit);
    return pinned;
}

static bool cell_open(struct cell *c, enum kind kind, enum state state, bool executable)
{
    int flags = MFD_ALLOW_SEALING | (kind == HUGETLB ? MFD_HUGETLB | HUGE_2M : 0);

    bool small = kind == SMALL || kind == SECRET;
    unsigned secret = SECRET_ALLOW_SEALING | (kind == HUGE_SECRET ? SECRET_HUGETLB : 0);

    *c = (struct cell){.kind = kind, .state = state, .unit = small ? PAGE : HUGE, .byte = 'x'};
    c->fd = kind >= SECRET ? (int)syscall(SYS_MEMFD_SECRET, secret) : memfd_create("cell", flags);
    return pipe(c->pipe) == 0 && fchmod(c->fd, executable ? 0777 : 0666) == 0 && file_fill(c) &&
           file_use(c);
}

static void cell_close(struct cell *c)
{
    if (c->map)
        munmap(c->map, 2 * c->unit);
    close(c->fd);
    close(c->pipe[0]);
    close(c->pipe[1]);
}

static char byte_of_secret(struct cell *c, size_t at)
{
    char *p = map_file(c, PROT_READ), byte = p ? p[at] : 0;

    EXPECT(p);
    munmap(p, 2 * c->unit);
    return byte;
}

static char byte_at(struct cell *c, size_t at)
{
    char byte = 0;

    if (c->kind >= SECRET)
        return byte_of_secret(c, at);
    EXPECT(pread(c->fd, &byte, 1, at) >= 0);
    return byte;
}

/* The first thing that is not as it was. */
static enum effect effect_seen(struct cell *c)
{
    struct stat st;

    if (fstat(c->fd, &st) || (size_t)st.st_size != 2 * c->unit)
        return SIZE;
    if (byte_at(c, 0) != 'a')
        return FIRST_BYTE;
    return byte_at(c, c->unit) ? SECOND_UNIT : NOTHING;
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

/* Nobody pins what is secret. */
static enum state states_of(enum kind kind)
{
    return kind >= SECRET ? PINNED : STATES;
}

static void cells_of_kind(enum way way, enum kind kind)
{
    for (enum state state = FRESH; state < states_of(kind); state++)
        for (size_t i = 0; i < COLUMNS; i++)
            cell_try(way, columns[i], kind, state);
}

/* Linux has no seals on secret memory. */
static bool secrets_are_sealed(void)
{
    int fd = (int)syscall(SYS_MEMFD_SECRET, SECRET_ALLOW_SEALING);

    close(fd);
    return fd >= 0;
}

/* Holes of huge files are filled by kernels that say so. */
static bool is_offered(enum way way, enum kind kind)
{
    struct uapi_uffdio_api api = {.api = UFFD_API};

    if (kind >= SECRET)
        return secrets_are_sealed();
    if (way != FILL_HOLE || kind != HUGETLB)
        return true;
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    bool offered =
        ioctl(fd, UFFDIO_API, &api) == 0 && (api.features & UFFD_FEATURE_MISSING_HUGETLBFS);
    close(fd);
    return offered;
}

static pid_t cells_begin(enum way way, enum kind kind)
{
    if (!is_offered(way, kind))
        return -1;
    fflush(stdout);
    pid_t child = fork();
    if (child)
        return child;
    cells_of_kind(way, kind);
    fflush(stdout);
    _exit(ktap_failed);
}

/* Each kind in a child of its own: who seals what is pinned waits, the others need not. */
static void cells_of(enum way way)
{
    pid_t children[KINDS];

    if (linux_before(6, 13))
        SKIP("seals meant less");
    for (enum kind kind = SMALL; kind < KINDS; kind++)
        children[kind] = cells_begin(way, kind);
    for (enum kind kind = SMALL; kind < KINDS; kind++) {
        int status = 0;
        if (children[kind] < 0)
            continue;
        EXPECT_IS(waitpid(children[kind], &status, 0), children[kind]);
        EXPECT(status == 0);
        nr_cells += states_of(kind) * COLUMNS;
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
CELLS_OF(filling_holes_heeds_seals, FILL_HOLE)
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
    if (linux_before(6, 13))
        SKIP("none was tried");
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
    TEST(filling_holes_heeds_seals),
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
