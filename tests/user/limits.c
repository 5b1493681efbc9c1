/* SPDX-License-Identifier: MIT */
/*
 * tests/user/limits.c - what setrlimit(2) and vm.* allow, and what memory is promised
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   while it runs, vm.overcommit_memory and vm.max_map_count of a machine that is ours.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18;
 *         (2) other programs may map while this runs: sums have a tolerance, and more tries.
 * Source: setrlimit(2), mmap(2), proc_sys_vm(5).
 * Tour:   after tests/user/ktap.h; then mm/limits.c, mm/commit.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>
#include <sys/resource.h>

#define RW     (PROT_READ | PROT_WRITE)
#define MIB    (1UL << 20)
#define LEN    (48 * MIB)
#define LEN_KB (48 * 1024)
#define NOISE  (8 * 1024) /* KiB that others may promise meanwhile */
#define TRIES  10

static void *map_as(size_t len, int prot, int flags)
{
    return mmap(NULL, len, prot, flags | MAP_ANONYMOUS, -1, 0);
}

/* How much more is promised than before, in units of 48 MiB; -9: something between. */
static long promised_since(long *before)
{
    long now = meminfo("Committed_AS"), more = now - *before;
    long units = (more + (more > 0 ? LEN_KB / 2 : -LEN_KB / 2)) / LEN_KB;

    *before = now;
    return labs(more - units * LEN_KB) < NOISE ? units : -9;
}

static void private_memory_is_promised_when_it_may_be_written_once(void)
{
    long sum = meminfo("Committed_AS");

    char *p = map_as(LEN, RW, MAP_PRIVATE);
    EXPECT_IS(promised_since(&sum), 1);
    EXPECT_IS(mprotect(p, LEN, PROT_READ), 0);
    EXPECT_IS(promised_since(&sum), -1);
    EXPECT_IS(mprotect(p, LEN, RW), 0);
    EXPECT_IS(promised_since(&sum), 1);
    p[0] = 1;
    EXPECT_IS(mprotect(p, LEN, PROT_READ), 0);
    EXPECT_IS(promised_since(&sum), 0);
    munmap(p, LEN);
    EXPECT_IS(promised_since(&sum), -1);
    p = map_as(LEN, PROT_READ, MAP_PRIVATE);
    EXPECT_IS(promised_since(&sum), 0);
    munmap(p, LEN);
}

static void noreserve_memory_is_not_promised_once(void)
{
    long sum = meminfo("Committed_AS");

    char *p = map_as(LEN, RW, MAP_PRIVATE | MAP_NORESERVE);
    EXPECT_IS(promised_since(&sum), 0);
    munmap(p, LEN);
    p = map_as(LEN, RW, MAP_SHARED | MAP_NORESERVE);
    EXPECT_IS(promised_since(&sum), 0);
    munmap(p, LEN);
}

static void shared_memory_is_promised_once_and_whole_once(void)
{
    long sum = meminfo("Committed_AS");

    char *p = map_as(LEN, RW, MAP_SHARED);
    EXPECT_IS(promised_since(&sum), 1);
    char *again = mremap(p, 0, LEN, MREMAP_MAYMOVE);
    EXPECT_IS(promised_since(&sum), 0);
    munmap(p, LEN);
    munmap(again, LEN / 2);
    EXPECT_IS(promised_since(&sum), 0);
    munmap(again + LEN / 2, LEN / 2);
    EXPECT_IS(promised_since(&sum), -1);
}

static void files_are_promised_as_they_fill_once(void)
{
    int fd = memfd_create("limits", 0);
    long sum = meminfo("Committed_AS");

    EXPECT_IS(ftruncate(fd, LEN), 0);
    EXPECT_IS(promised_since(&sum), 0);
    EXPECT_IS(fallocate(fd, 0, 0, LEN), 0);
    EXPECT_IS(promised_since(&sum), 1);
    EXPECT_IS(ftruncate(fd, 0), 0);
    EXPECT_IS(promised_since(&sum), -1);
    ftruncate(fd, LEN);
    char *p = mmap(NULL, LEN, PROT_READ, MAP_PRIVATE, fd, 0);
    EXPECT_IS(promised_since(&sum), 0);
    EXPECT_IS(mprotect(p, LEN, RW), 0);
    EXPECT_IS(promised_since(&sum), 1);
    munmap(p, LEN);
    EXPECT_IS(promised_since(&sum), -1);
    close(fd);
}

static void moving_keeps_the_promise_and_growing_adds_once(void)
{
    long sum = meminfo("Committed_AS");
    char *room = map_as(4 * LEN, PROT_NONE, MAP_PRIVATE), *p = map_as(LEN, RW, MAP_PRIVATE);

    EXPECT_IS(promised_since(&sum), 1);
    p = mremap(p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, room);
    EXPECT(p == room);
    EXPECT_IS(promised_since(&sum), 0);
    p = mremap(p, LEN, 2 * LEN, MREMAP_MAYMOVE);
    EXPECT(p != MAP_FAILED);
    EXPECT_IS(promised_since(&sum), 1);
    char *q = mremap(p, 2 * LEN, 2 * LEN, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    EXPECT_IS(promised_since(&sum), 2);
    munmap(p, 2 * LEN);
    munmap(q, 2 * LEN);
    munmap(room, 4 * LEN);
    EXPECT_IS(promised_since(&sum), -4);
}

static void a_fork_promises_all_again_once(void)
{
    long sum = meminfo("Committed_AS");
    int status = -1;

    char *p = map_as(LEN, RW, MAP_PRIVATE);
    EXPECT_IS(promised_since(&sum), 1);
    if (fork() == 0)
        _exit(promised_since(&sum) == 1 ? 0 : 1);
    EXPECT(wait(&status) > 0 && status == 0);
    EXPECT_IS(promised_since(&sum), 0);
    munmap(p, LEN);
}

static void more_than_the_machine_has_is_refused(void)
{
    size_t too_much = ((size_t)meminfo("MemTotal") + (size_t)meminfo("SwapTotal")) * 1024 + LEN;

    EXPECT_ERR((long)map_as(too_much, RW, MAP_PRIVATE), ENOMEM);
    EXPECT_ERR((long)map_as(too_much, RW, MAP_SHARED), ENOMEM);
    void *p = map_as(too_much, RW, MAP_PRIVATE | MAP_NORESERVE);
    EXPECT(p != MAP_FAILED);
    munmap(p, too_much);
    p = map_as(too_much, PROT_READ, MAP_PRIVATE);
    EXPECT(p != MAP_FAILED);
    EXPECT_ERR(mprotect(p, too_much, RW), ENOMEM);
    munmap(p, too_much);
}

/* Run @body in a child whose limit @which is @soft. True: it returned 0. */
static bool holds_under(int which, rlim_t soft, int (*body)(void))
{
    int status = -1;

    if (fork() == 0) {
        struct rlimit limit;

        getrlimit(which, &limit);
        limit.rlim_cur = soft;
        if (setrlimit(which, &limit))
            _exit(99);
        status = body();
        if (status)
            printf("# step %d, errno %d\n", status, errno);
        fflush(stdout);
        _exit(status);
    }
    wait(&status);
    return status == 0;
}

static bool refused(void *p)
{
    return p == MAP_FAILED && errno == ENOMEM;
}

static int address_space_steps(void)
{
    char *p = map_as(LEN, PROT_READ, MAP_PRIVATE);

    if (p == MAP_FAILED)
        return 1;
    if (!refused(map_as(LEN, PROT_NONE, MAP_PRIVATE)))
        return 2;
    if (!refused(mremap(p, LEN, 2 * LEN, MREMAP_MAYMOVE)))
        return 3;
    if (mmap(p, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != p)
        return 4;
    if (!refused(sbrk((intptr_t)LEN)))
        return 5;
    struct rlimit more = {4 * LEN, RLIM_INFINITY};
    if (setrlimit(RLIMIT_AS, &more) || map_as(LEN, PROT_NONE, MAP_PRIVATE) == MAP_FAILED)
        return 6;
    return 0;
}

static void address_space_is_limited(void)
{
    EXPECT(holds_under(RLIMIT_AS, 80 * MIB, address_space_steps));
}

static int data_steps(void)
{
    char *p = map_as(LEN, PROT_READ, MAP_PRIVATE), *q = map_as(LEN, PROT_READ, MAP_PRIVATE);

    if (p == MAP_FAILED || q == MAP_FAILED)
        return 1;
    if (mprotect(p, LEN, RW))
        return 2;
    if (mprotect(q, LEN, RW) != -1 || errno != ENOMEM)
        return 3;
    if (!refused(map_as(LEN, RW, MAP_PRIVATE)))
        return 4;
    if (map_as(LEN, RW, MAP_SHARED) == MAP_FAILED)
        return 5;
    if (!refused(sbrk((intptr_t)LEN * 2)))
        return 6;
    if (mprotect(p, LEN, PROT_READ) || mprotect(q, LEN, RW))
        return 7;
    return 0;
}

static void data_is_limited(void)
{
    EXPECT(holds_under(RLIMIT_DATA, 80 * MIB, data_steps));
}

static int stack_steps(void)
{
    volatile char *low = __builtin_frame_address(0);
    char *deep = (char *)low - MIB * 2;
    int status = -1;

    if (fork() == 0) {
        *(volatile char *)deep = 1;
        _exit(0);
    }
    wait(&status);
    return !WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV;
}

static int stack_grows(void)
{
    *((volatile char *)__builtin_frame_address(0) - 2 * MIB) = 1;
    return 0;
}

static void stack_is_limited_while_it_runs(void)
{
    EXPECT(holds_under(RLIMIT_STACK, MIB, stack_steps));
    EXPECT(holds_under(RLIMIT_STACK, 4 * MIB, stack_grows));
}

static int file_steps(void)
{
    int fd = memfd_create("limits", 0);
    char page[PAGE] = {1};

    signal(SIGXFSZ, SIG_IGN);
    if (ftruncate(fd, 2 * PAGE))
        return 1;
    if (ftruncate(fd, 2 * PAGE + 1) != -1 || errno != EFBIG)
        return 2;
    if (pwrite(fd, page, PAGE, PAGE + 100) != (ssize_t)PAGE - 100)
        return 3;
    if (pwrite(fd, page, PAGE, 2 * PAGE) != -1 || errno != EFBIG)
        return 4;
    if (fallocate(fd, 0, PAGE, 2 * PAGE) != -1 || errno != EFBIG)
        return 5;
    signal(SIGXFSZ, SIG_DFL);
    pid_t child = fork();
    if (child == 0) {
        pwrite(fd, page, 1, 2 * PAGE);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return !WIFSIGNALED(status) || WTERMSIG(status) != SIGXFSZ;
}

static void file_size_is_limited(void)
{
    EXPECT(holds_under(RLIMIT_FSIZE, 2 * PAGE, file_steps));
}

static int descriptor_steps(void)
{
    for (int fd = 3; fd < 32; fd++)
        close(fd);
    for (int fd = 3; fd < 32; fd++)
        if (dup(0) != fd)
            return 1;
    if (dup(0) != -1 || errno != EMFILE)
        return 2;
    if (dup2(0, 32) != -1 || errno != EBADF)
        return 3;
    if (fcntl(0, F_DUPFD, 32) != -1 || errno != EINVAL)
        return 4;
    if (open("/dev/null", O_RDONLY) != -1 || errno != EMFILE)
        return 5;
    struct rlimit more = {40, 40};
    return setrlimit(RLIMIT_NOFILE, &more) || dup(0) != 32;
}

static void descriptors_are_limited(void)
{
    EXPECT(holds_under(RLIMIT_NOFILE, 32, descriptor_steps));
}

/* Write a number to a file of /proc/sys/vm; the one before, or -1. */
static long setting(const char *path, long value)
{
    char text[32];
    long before = slurp(path, text, sizeof text) > 0 ? strtol(text, NULL, 10) : -1;
    int fd = open(path, O_WRONLY);
    int len = snprintf(text, sizeof text, "%ld\n", value);
    bool done = fd >= 0 && write(fd, text, (size_t)len) == len;

    close(fd);
    return done ? before : -1;
}

#define NEED_OUR_MACHINE                             \
    do {                                             \
        if (!machine_is_ours())                      \
            SKIP("changes settings of the machine"); \
    } while (0)

static void settings_refuse_nonsense(void)
{
    NEED_OUR_MACHINE;
    EXPECT_ERR(setting("/proc/sys/vm/overcommit_memory", 3), EINVAL);
    EXPECT_ERR(setting("/proc/sys/vm/overcommit_memory", -1), EINVAL);
    EXPECT_ERR(setting("/proc/sys/vm/max_map_count", -1), EINVAL);
}

static void nobody_overcommits_when_told_not_to(void)
{
    const char *path = "/proc/sys/vm/overcommit_memory";
    size_t left, len = MIB;

    NEED_OUR_MACHINE;
    long before = setting(path, 2);
    if (before < 0)
        SKIP("not root");
    left = (size_t)(meminfo("CommitLimit") - meminfo("Committed_AS")) * 1024;
    EXPECT_ERR((long)map_as(left + LEN, RW, MAP_PRIVATE), ENOMEM);
    EXPECT_ERR((long)map_as(left + LEN, RW, MAP_PRIVATE | MAP_NORESERVE), ENOMEM);
    EXPECT_ERR((long)map_as(left + LEN, RW, MAP_SHARED), ENOMEM);
    void *p = map_as(left + LEN, PROT_READ, MAP_PRIVATE);
    EXPECT(p != MAP_FAILED);
    EXPECT_ERR(mprotect(p, left + LEN, RW), ENOMEM);
    munmap(p, left + LEN);
    p = map_as(len, RW, MAP_PRIVATE);
    EXPECT(p != MAP_FAILED);
    munmap(p, len);
    EXPECT_IS(setting(path, 1), 2);
    p = map_as(left + LEN, RW, MAP_PRIVATE);
    EXPECT(p != MAP_FAILED);
    munmap(p, left + LEN);
    EXPECT_IS(setting(path, before), 1);
}

static void areas_are_limited_in_number(void)
{
    int max = 65530, count = maps_count(NULL, (size_t)1 << 47), made = 0;
    char *p;

    NEED_OUR_MACHINE;
    if (setting("/proc/sys/vm/max_map_count", count + 20) != max)
        SKIP("not root");
    while ((p = map_as(PAGE, made % 2 ? PROT_READ : RW, MAP_PRIVATE)) != MAP_FAILED && made < 99)
        made++;
    EXPECT_IS(errno, ENOMEM);
    count = maps_count(NULL, (size_t)1 << 47) - count;
    EXPECT_IS(setting("/proc/sys/vm/max_map_count", max), maps_count(NULL, (size_t)1 << 47) - 1);
    EXPECT_IS(count, 21);
}

static void root_may_map_page_zero(void)
{
    const int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    char *hint = mmap((void *)PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    EXPECT((uintptr_t)hint == 0x10000);
    munmap(hint, PAGE);
    if (geteuid())
        SKIP("not root");
    EXPECT_IS((long)mmap(NULL, PAGE, RW, fixed, -1, 0), 0);
    EXPECT_IS(munmap(NULL, PAGE), 0);
}

/* Others may map or end in the middle: a few tries, the last of which counts. */
static void until_quiet(void (*test)(void))
{
    int status = -1;

    for (int i = 0; i < TRIES && status; i++) {
        fflush(stdout);
        if (fork() == 0) {
            if (i < TRIES - 1)
                freopen("/dev/null", "w", stdout);
            test();
            fflush(stdout);
            _exit(ktap_failed);
        }
        EXPECT(wait(&status) > 0);
    }
    if (status && !machine_is_ours())
        SKIP("others never stop");
    EXPECT_IS(status, 0);
}

#define QUIETLY(test)             \
    static void test(void)        \
    {                             \
        until_quiet(test##_once); \
    }

QUIETLY(private_memory_is_promised_when_it_may_be_written)
QUIETLY(noreserve_memory_is_not_promised)
QUIETLY(shared_memory_is_promised_once_and_whole)
QUIETLY(files_are_promised_as_they_fill)
QUIETLY(moving_keeps_the_promise_and_growing_adds)
QUIETLY(a_fork_promises_all_again)

static const struct ktap_test tests[] = {
    TEST(private_memory_is_promised_when_it_may_be_written),
    TEST(noreserve_memory_is_not_promised),
    TEST(shared_memory_is_promised_once_and_whole),
    TEST(files_are_promised_as_they_fill),
    TEST(moving_keeps_the_promise_and_growing_adds),
    TEST(a_fork_promises_all_again),
    TEST(more_than_the_machine_has_is_refused),
    TEST(address_space_is_limited),
    TEST(data_is_limited),
    TEST(stack_is_limited_while_it_runs),
    TEST(file_size_is_limited),
    TEST(descriptors_are_limited),
    TEST(settings_refuse_nonsense),
    TEST(nobody_overcommits_when_told_not_to),
    TEST(areas_are_limited_in_number),
    TEST(root_may_map_page_zero),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
