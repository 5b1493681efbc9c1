/* SPDX-License-Identifier: MIT */
/*
 * tests/user/gup_test.c - pages that somebody keeps for long are the ones that the program sees
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   the one range that debugfs' gup_test keeps.
 * Locks:  none.
 * Always: (1) where there is no gup_test the tests are skipped: distributions' Linux has none.
 * Source: Linux mm/gup_test.c, Documentation/core-api/pin_user_pages.rst; its selftests cow and
 *         gup_longterm.
 * Tour:   after tests/user/pins.c.
 */
#define _GNU_SOURCE
#include "../../include/uapi/gup_test.h"
#include "ktap.h"
#include "smaps.h"
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define RW    (PROT_READ | PROT_WRITE)
#define HUGE  (512 * PAGE)
#define WRITE PIN_LONGTERM_TEST_FLAG_USE_WRITE

static int device = -1;
static char seen[2 * PAGE];

#define NEED_DEVICE                                          \
    do {                                                     \
        device = open("/sys/kernel/debug/gup_test", O_RDWR); \
        if (device < 0)                                      \
            SKIP("no gup_test");                             \
    } while (0)

static long keep(const void *p, size_t len, uint32_t flags)
{
    struct uapi_pin_longterm_test test = {(uintptr_t)p, len, flags};

    return ioctl(device, PIN_LONGTERM_TEST_START, &test);
}

static long let_go(void)
{
    return ioctl(device, PIN_LONGTERM_TEST_STOP);
}

/* The first byte of the first page that is kept. */
static int kept_byte(void)
{
    uint64_t to = (uintptr_t)seen;

    return ioctl(device, PIN_LONGTERM_TEST_READ, &to) == 0 ? seen[0] : -errno;
}

static char *map(size_t len, int prot, int flags, int fd)
{
    char *at = len < HUGE ? NULL : place_of_units(len);
    char *p =
        mmap(at, len, prot, flags | (fd < 0 ? MAP_ANONYMOUS : 0) | (at ? MAP_FIXED : 0), fd, 0);

    return p == MAP_FAILED ? NULL : p;
}

static int file_of(char first)
{
    int fd = memfd_create("kept", MFD_ALLOW_SEALING);

    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0);
    if (first)
        EXPECT_IS(pwrite(fd, &first, 1, 0), 1);
    return fd;
}

/* What is kept to read shows what the program writes later, whatever was there before. */
static void expect_followed(char *p, char first)
{
    EXPECT_IS(keep(p, PAGE, 0), 0);
    EXPECT_IS(kept_byte(), first);
    p[0] = 'n';
    EXPECT_IS(kept_byte(), 'n');
    EXPECT_IS(let_go(), 0);
}

static void own_memory_is_kept(void)
{
    NEED_DEVICE;
    char *p = map(2 * PAGE, RW, MAP_PRIVATE, -1);

    p[0] = 'o';
    expect_followed(p, 'o');
    EXPECT_IS(keep(p, 2 * PAGE, WRITE | PIN_LONGTERM_TEST_FLAG_USE_FAST), 0);
    EXPECT_IS(kept_byte(), 'n');
    munmap(p, 2 * PAGE);
    EXPECT_IS(kept_byte(), 'n'); /* it lives on */
    close(device);
}

static void memory_that_nobody_touched_is_no_page_of_zeros(void)
{
    NEED_DEVICE;
    char *p = map(2 * PAGE, RW, MAP_PRIVATE, -1);

    EXPECT(look(p) == 0);
    expect_followed(p, 0);
    expect_followed(p + PAGE, 0);
    munmap(p, 2 * PAGE);
    close(device);
}

static void a_private_mapping_of_a_file_gets_its_own_page(void)
{
    NEED_DEVICE;
    int fd = file_of('f');
    char *p = map(2 * PAGE, RW, MAP_PRIVATE, fd), c = 0;

    EXPECT(look(p) == 'f');
    expect_followed(p, 'f');
    EXPECT_IS(pread(fd, &c, 1, 0), 1);
    EXPECT_IS(c, 'f');
    expect_followed(p + PAGE, 0);
    munmap(p, 2 * PAGE);
    close(fd);
    close(device);
}

static void what_may_only_be_read_gets_its_own_page_too(void)
{
    NEED_DEVICE;
    int fd = file_of('f');
    char *p = map(2 * PAGE, PROT_READ, MAP_PRIVATE, fd);

    EXPECT_IS(keep(p, PAGE, 0), 0);
    EXPECT_IS(probe(p, PROBE_WRITE).sig, SIGSEGV);
    EXPECT_IS(pwrite(fd, "g", 1, 0), 1);
    EXPECT_IS(kept_byte(), 'f');
    EXPECT_IS(mprotect(p, PAGE, RW), 0);
    p[0] = 'n';
    EXPECT_IS(kept_byte(), 'n');
    EXPECT_IS(let_go(), 0);
    munmap(p, 2 * PAGE);
    close(fd);
    close(device);
}

static void expect_child(int (*child)(char *p), char *p)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(child(p));
    EXPECT_IS(waitpid(pid, &status, 0), pid);
    EXPECT_IS(status, 0);
}

/* In a child, which shares @p with its parent. */
static int keep_what_is_shared(char *p)
{
    expect_followed(p, 'o');
    return ktap_failed;
}

static void memory_shared_by_a_fork_is_copied_first(void)
{
    NEED_DEVICE;
    char *p = map(PAGE, RW, MAP_PRIVATE, -1);

    p[0] = 'o';
    expect_child(keep_what_is_shared, p);
    EXPECT_IS(p[0], 'o');
    munmap(p, PAGE);
    close(device);
}

static int child_pipe[2];

/* A child looks at @p, and writes to it, after its parent has. */
static int look_and_write(char *p)
{
    char c;

    if (read(child_pipe[0], &c, 1) != 1 || p[0] != 'o')
        return 1;
    p[0] = 'c';
    return 0;
}

/* Memory that is kept stays the parent's over a fork. */
static void expect_stays(char *p, uint32_t flags)
{
    int status = -1;

    p[0] = 'o';
    EXPECT_IS(keep(p, PAGE, flags), 0);
    EXPECT_IS(pipe(child_pipe), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(look_and_write(p));
    p[0] = 'n';
    EXPECT_IS(kept_byte(), 'n');
    EXPECT_IS(write(child_pipe[1], "x", 1), 1);
    EXPECT_IS(waitpid(pid, &status, 0), pid);
    EXPECT_IS(status, 0);
    EXPECT(p[0] == 'n' && kept_byte() == 'n');
    EXPECT_IS(let_go(), 0);
    close(child_pipe[0]);
    close(child_pipe[1]);
}

static void what_is_kept_stays_the_parents(void)
{
    NEED_DEVICE;
    char *p = map(2 * PAGE, RW, MAP_PRIVATE, -1);

    expect_stays(p, 0);
    expect_stays(p + PAGE, WRITE);
    munmap(p, 2 * PAGE);
    close(device);
}

static void a_part_of_a_huge_page_stays_the_parents(void)
{
    NEED_DEVICE;
    char *p = map(HUGE, RW, MAP_PRIVATE, -1);

    p[0] = 'o';
    if (madvise(p, HUGE, MADV_COLLAPSE) < 0)
        SKIP("no huge pages");
    p[300 * PAGE] = 'x';
    expect_stays(p + 7 * PAGE, 0);
    expect_stays(p + 8 * PAGE, WRITE);
    EXPECT(p[300 * PAGE] == 'x');
    munmap(p, HUGE);
    close(device);
}

static void a_page_of_the_pool_stays_the_parents(void)
{
    NEED_DEVICE;
    char *p = map(HUGE, RW, MAP_PRIVATE | MAP_HUGETLB, -1);

    if (!p)
        SKIP("no huge pages");
    expect_stays(p, WRITE);
    expect_stays(p + 9 * PAGE, 0);
    munmap(p, HUGE);
    close(device);
}

static void what_may_not_be_used_so_is_refused(void)
{
    NEED_DEVICE;
    char *p = map(2 * PAGE, PROT_READ, MAP_PRIVATE, -1);
    int fd = file_of('f');
    char *shared = map(2 * PAGE, PROT_READ, MAP_SHARED, fd);

    EXPECT_ERR(keep(p, PAGE, WRITE), EFAULT);
    EXPECT_ERR(keep(shared, PAGE, WRITE), EFAULT);
    EXPECT_IS(keep(shared, PAGE, 0), 0);
    EXPECT_IS(let_go(), 0);
    munmap(p + PAGE, PAGE);
    EXPECT_ERR(keep(p, 2 * PAGE, 0), EFAULT);
    EXPECT_ERR(kept_byte() < 0 ? -1 : 0, EINVAL); /* the first is let go, too */
    mprotect(p, PAGE, PROT_NONE);
    EXPECT_ERR(keep(p, PAGE, 0), EFAULT);
    EXPECT_IS(ftruncate(fd, PAGE), 0);
    EXPECT_ERR(keep(shared + PAGE, PAGE, 0), EFAULT);
    munmap(p, PAGE);
    munmap(shared, 2 * PAGE);
    close(fd);
    close(device);
}

static void secret_memory_is_refused(void)
{
    NEED_DEVICE;
    int fd = (int)syscall(447 /* memfd_secret */, 0);
    char *p = fd < 0 || ftruncate(fd, PAGE) ? NULL : map(PAGE, RW, MAP_SHARED, fd);

    if (!p)
        SKIP("no memfd_secret");
    p[0] = 's';
    EXPECT_ERR(keep(p, PAGE, 0), EFAULT);
    EXPECT_ERR(keep(p, PAGE, WRITE), EFAULT);
    munmap(p, PAGE);
    close(fd);
    close(device);
}

static void a_hole_is_filled_first(void)
{
    NEED_DEVICE;
    int fd = file_of(0);
    char *p = map(2 * PAGE, PROT_READ, MAP_SHARED, fd);

    EXPECT_IS(kib_of(fd), 0);
    EXPECT_IS(keep(p, 2 * PAGE, 0), 0);
    EXPECT_IS(kib_of(fd), 8);
    EXPECT_IS(kept_byte(), 0);
    EXPECT_IS(pwrite(fd, "w", 1, 0), 1);
    EXPECT_IS(kept_byte(), 'w');
    EXPECT_IS(let_go(), 0);
    munmap(p, 2 * PAGE);
    close(fd);
    close(device);
}

static void what_is_cut_off_lives_on(void)
{
    NEED_DEVICE;
    int fd = file_of('f');
    char *p = map(2 * PAGE, RW, MAP_SHARED, fd);

    EXPECT_IS(keep(p, PAGE, WRITE), 0);
    munmap(p, 2 * PAGE);
    EXPECT_IS(ftruncate(fd, 0), 0);
    EXPECT_IS(kept_byte(), 'f');
    EXPECT_IS(kib_of(fd), 0);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0); /* it is not the file's any more */
    EXPECT_IS(let_go(), 0);
    close(fd);
    close(device);
}

static void what_is_kept_cannot_be_sealed(void)
{
    NEED_DEVICE;
    int fd = file_of('f');
    char *p = map(2 * PAGE, RW, MAP_SHARED, fd);

    EXPECT_IS(keep(p, PAGE, WRITE), 0);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    munmap(p, 2 * PAGE);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
    EXPECT_IS(let_go(), 0);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    p = map(2 * PAGE, PROT_READ, MAP_SHARED, fd);
    EXPECT_ERR(keep(p, PAGE, WRITE), EFAULT);
    EXPECT_IS(keep(p, PAGE, 0), 0);
    EXPECT_IS(kept_byte(), 'f');
    EXPECT_IS(let_go(), 0);
    munmap(p, 2 * PAGE);
    close(fd);
    close(device);
}

static void what_is_kept_is_not_collapsed(void)
{
    NEED_DEVICE;
    int fd = memfd_create("kept", 0);
    EXPECT_IS(ftruncate(fd, HUGE), 0);
    char *own = map(HUGE, RW, MAP_PRIVATE, -1), *shared = map(HUGE, RW, MAP_SHARED, fd);

    own[5 * PAGE] = shared[5 * PAGE] = 'o';
    EXPECT_IS(keep(own + 5 * PAGE, PAGE, 0), 0);
    EXPECT_ERR(madvise(own, HUGE, MADV_COLLAPSE), EAGAIN);
    EXPECT_IS(let_go(), 0);
    EXPECT_IS(keep(shared + 5 * PAGE, PAGE, WRITE), 0);
    EXPECT_ERR(madvise(shared, HUGE, MADV_COLLAPSE), EAGAIN);
    shared[5 * PAGE] = 'n';
    EXPECT_IS(kept_byte(), 'n');
    EXPECT_IS(let_go(), 0);
    munmap(own, HUGE);
    munmap(shared, HUGE);
    close(fd);
    close(device);
}

static void arguments_are_looked_at(void)
{
    NEED_DEVICE;
    char *p = map(2 * PAGE, RW, MAP_PRIVATE, -1);
    int other = open("/sys/kernel/debug/gup_test", O_RDWR);

    EXPECT_ERR(keep(p + 1, PAGE, 0), EINVAL);
    EXPECT_ERR(keep(p, PAGE + 1, 0), EINVAL);
    EXPECT_ERR(keep(p, 0, 0), EINVAL);
    EXPECT_ERR(keep(p, PAGE, 4), EINVAL);
    EXPECT_ERR(ioctl(device, PIN_LONGTERM_TEST_START, NULL), EFAULT);
    EXPECT_ERR(ioctl(device, PIN_LONGTERM_TEST_READ, NULL), EINVAL);
    EXPECT_ERR(ioctl(device, 0x6770), EINVAL);
    EXPECT_IS(let_go(), 0); /* of nothing */
    EXPECT_IS(keep(p, PAGE, 0), 0);
    EXPECT_ERR(keep(p, PAGE, 0), EINVAL); /* there is one range, for all */
    EXPECT_ERR(ioctl(device, PIN_LONGTERM_TEST_READ, NULL), EFAULT);
    close(other);
    EXPECT_ERR(kept_byte() < 0 ? -1 : 0, EINVAL); /* whoever closes it lets go */
    munmap(p, 2 * PAGE);
    close(device);
}

static void pages_are_got_and_given_back(void)
{
    NEED_DEVICE;
    char *p = map(4 * PAGE, RW, MAP_PRIVATE, -1);
    struct uapi_gup_test test = {
        .addr = (uintptr_t)p, .size = 4 * PAGE, .nr_pages_per_call = 3, .gup_flags = FOLL_WRITE};

    for (unsigned long cmd = GUP_FAST_BENCHMARK; cmd <= DUMP_USER_PAGES_TEST; cmd++) {
        EXPECT_IS(ioctl(device, cmd, &test), 0);
        EXPECT_IS(test.size, 4 * PAGE);
    }
    munmap(p + 2 * PAGE, 2 * PAGE);
    EXPECT_IS(ioctl(device, PIN_FAST_BENCHMARK, &test), 0);
    EXPECT_IS(test.size, 3 * PAGE); /* two of three, and no more calls */
    test.size = UINT64_MAX;
    EXPECT_ERR(ioctl(device, PIN_FAST_BENCHMARK, &test), EINVAL);
    munmap(p, 2 * PAGE);
    close(device);
}

static const struct ktap_test tests[] = {
    TEST(own_memory_is_kept),
    TEST(memory_that_nobody_touched_is_no_page_of_zeros),
    TEST(a_private_mapping_of_a_file_gets_its_own_page),
    TEST(what_may_only_be_read_gets_its_own_page_too),
    TEST(memory_shared_by_a_fork_is_copied_first),
    TEST(what_is_kept_stays_the_parents),
    TEST(a_part_of_a_huge_page_stays_the_parents),
    TEST(a_page_of_the_pool_stays_the_parents),
    TEST(what_may_not_be_used_so_is_refused),
    TEST(secret_memory_is_refused),
    TEST(a_hole_is_filled_first),
    TEST(what_is_cut_off_lives_on),
    TEST(what_is_kept_cannot_be_sealed),
    TEST(what_is_kept_is_not_collapsed),
    TEST(arguments_are_looked_at),
    TEST(pages_are_got_and_given_back),
};

int main(void)
{
    huge_pages_allow();
    return KTAP_MAIN(tests);
}
