/* SPDX-License-Identifier: MIT */
/*
 * tests/user/userfaultfd_move.c - pages that a program moves to where they are missing
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: ioctl_userfaultfd(2), UFFDIO_MOVE.
 * Tour:   after tests/user/userfaultfd_minor.c; then mm/userfault_move.c.
 */
#define _GNU_SOURCE
#include "uffd.h"

#define HUGE  (2UL << 20)
#define HOLES UFFDIO_MOVE_ALLOW_SRC_HOLES

static int move(void *to, void *from, size_t len, uint64_t mode)
{
    struct uapi_uffdio_move m = {(uintptr_t)to, (uintptr_t)from, len, mode, 12345};
    int result = ioctl(uffd, (int)UFFDIO_MOVE, &m);

    filled = m.move;
    return result;
}

/* Without UFFDIO_MOVE (before Linux 6.8) there is nothing to test. */
#define NEED_MOVE                                       \
    do {                                                \
        NEED_FILE(0, 0);                                \
        if (linux_before(6, 8))                         \
            SKIP("needs UFFDIO_MOVE, a newer Linux's"); \
    } while (0)

static char *map_full(char byte)
{
    char *p = map(MAP_PRIVATE, -1);
    memset(p, byte, LEN);
    return p;
}

static void a_page_goes_where_it_is_asked_for(void)
{
    NEED_MOVE;
    char *p = map(MAP_PRIVATE, -1), *from = map_full('m');

    EXPECT_IS(ask_about(p, LEN), 0);
    touch(p + PAGE + 3, write_byte);
    EXPECT(asks(p + PAGE, UFFD_PAGEFAULT_FLAG_WRITE));
    EXPECT_IS(move(p + PAGE, from, PAGE, 0), 0);
    EXPECT_IS(filled, PAGE);
    touched();
    EXPECT(p[PAGE] == 'm' && p[PAGE + 3] == 'w');
    EXPECT_IS(from[0], 0); /* it is gone there */
    EXPECT_ERR(move(p + PAGE, from + PAGE, PAGE, 0), EEXIST);
    EXPECT_IS(filled, -EEXIST);
    EXPECT_IS(from[PAGE], 'm');
    EXPECT_IS(move(p + 2 * PAGE, from + 2 * PAGE, 4 * PAGE, 0), 0);
    EXPECT(p[2 * PAGE] == 'm' && p[6 * PAGE - 1] == 'm');
    EXPECT_IS(maps_count(from, LEN), 1);
    munmap(from, LEN);
    done_with(p);
}

static void arguments_are_checked(void)
{
    NEED_MOVE;
    char *p = map(MAP_PRIVATE, -1), *from = map_full('m'), *shared = map(MAP_SHARED, -1);

    EXPECT_ERR(move(p, from, PAGE, 0), EINVAL); /* nobody asks there */
    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_ERR(move(p, from, PAGE, 4), EINVAL);
    EXPECT_ERR(move(p, from + 1, PAGE, 0), EINVAL);
    EXPECT_ERR(move(p, from, 0, 0), EINVAL);
    EXPECT_ERR(move(p, shared, PAGE, 0), EINVAL);
    EXPECT_ERR(move(from, p, PAGE, 0), EINVAL);
    EXPECT_ERR(move(p, from + LEN - PAGE, 2 * PAGE, 0), EINVAL);
    EXPECT_ERR(move(p + LEN - PAGE, from, 2 * PAGE, 0), EINVAL);
    EXPECT_ERR(move(p, (void *)0x10000, PAGE, 0), ENOENT);
    EXPECT_IS(mprotect(from, LEN, PROT_READ), 0);
    EXPECT_ERR(move(p, from, PAGE, 0), EINVAL);
    EXPECT_IS(mprotect(p, LEN, PROT_READ), 0);
    EXPECT_ERR(move(p, from, PAGE, 0), EINVAL);
    EXPECT_IS(mprotect(p, LEN, RW), 0);
    EXPECT_IS(mprotect(from, LEN, RW), 0);
    EXPECT_IS(mlock(from, LEN), 0);
    EXPECT_ERR(move(p, from, PAGE, 0), EINVAL);
    EXPECT_IS(munlock(from, LEN), 0);
    EXPECT_IS(move(p, from, PAGE, 0), 0);
    munmap(from, LEN);
    munmap(shared, LEN);
    done_with(p);
}

static void holes_move_if_they_may(void)
{
    NEED_MOVE;
    char *p = map(MAP_PRIVATE, -1), *from = map(MAP_PRIVATE, -1);

    from[0] = from[2 * PAGE] = 'm';
    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_ERR(move(p, from + PAGE, PAGE, 0), ENOENT);
    EXPECT_ERR(move(p, from, 3 * PAGE, 0), EAGAIN);
    EXPECT_IS(filled, PAGE);
    EXPECT_IS(move(p + PAGE, from + PAGE, 2 * PAGE, HOLES), 0);
    EXPECT_IS(filled, 2 * PAGE);
    EXPECT(p[0] == 'm' && p[2 * PAGE] == 'm');
    touch(p + PAGE, read_byte);
    EXPECT(asks(p + PAGE, 0));
    EXPECT_IS(from[4 * PAGE], 0); /* a page of zeros is no hole */
    EXPECT_IS(move(p + PAGE, from + 4 * PAGE, PAGE, 0), 0);
    EXPECT_IS(touched(), 0);
    p[PAGE] = 'z';
    EXPECT_IS(madvise(from + 5 * PAGE, PAGE, 102 /* MADV_GUARD_INSTALL */), 0);
    EXPECT_ERR(move(p + 5 * PAGE, from + 5 * PAGE, PAGE, HOLES), EFAULT);
    munmap(from, LEN);
    done_with(p);
}

static void what_others_have_stays(void)
{
    int go[2], status = -1;
    char byte;

    NEED_MOVE;
    char *p = map(MAP_PRIVATE, -1), *from = map_full('m');
    EXPECT_IS(pipe(go), 0);
    EXPECT_IS(ask_about(p, LEN), 0);
    pid_t pid = fork();
    if (!pid) {
        close(go[1]);
        _exit(read(go[0], &byte, 1) != 0 || from[0] != 'm');
    }
    EXPECT_ERR(move(p, from, PAGE, 0), EBUSY);
    from[0] = 'n';
    EXPECT_IS(move(p, from, PAGE, 0), 0);
    EXPECT(p[0] == 'n' && p[1] == 'm');
    close(go[1]);
    EXPECT_IS(waitpid(pid, &status, 0), pid);
    EXPECT_IS(status, 0);
    close(go[0]);
    munmap(from, LEN);
    done_with(p);
}

static void sealed_memory_moves(void)
{
    NEED_MOVE;
    char *p = map(MAP_PRIVATE, -1), *from = map_full('m');

    EXPECT_IS(ask_about(p, LEN), 0);
    if (syscall(462 /* mseal */, from, LEN, 0) < 0)
        SKIP("needs mseal(2), Linux 6.10");
    EXPECT_IS(move(p, from, PAGE, 0), 0);
    EXPECT_IS(p[0], 'm');
    done_with(p);
}

/* HUGE bytes at a multiple of that. */
static char *map_unit(void)
{
    char *p = mmap(NULL, 2 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *start = (char *)(((uintptr_t)p + HUGE - 1) & -HUGE);

    munmap(p, (size_t)(start - p));
    munmap(start + HUGE, (size_t)(p + HUGE - start));
    madvise(start, HUGE, MADV_HUGEPAGE);
    return start;
}

static void huge_pages_move_whole_or_in_parts(void)
{
    huge_pages_allow();
    NEED_MOVE;
    char *p = map_unit(), *from = map_unit(), *q = map_unit();

    memset(from, 'h', HUGE);
    EXPECT_IS(ask_about(p, HUGE), 0);
    EXPECT_IS(ask_about(q, HUGE), 0);
    EXPECT_IS(move(p, from, HUGE, 0), 0);
    EXPECT_IS(filled, HUGE);
    EXPECT(p[0] == 'h' && p[HUGE - 1] == 'h');
    EXPECT_ERR(move(p, from, HUGE, 0), EEXIST);
    EXPECT_IS(move(q + PAGE, p + PAGE, 2 * PAGE, 0), 0);
    EXPECT(q[PAGE] == 'h' && q[3 * PAGE - 1] == 'h' && p[0] == 'h' && p[3 * PAGE] == 'h');
    touch(p + PAGE, read_byte);
    EXPECT(asks(p + PAGE, 0));
    EXPECT_IS(move(p + PAGE, q + PAGE, PAGE, 0), 0);
    EXPECT_IS(touched(), 'h');
    munmap(q, HUGE);
    munmap(from, HUGE);
    munmap(p, HUGE);
    close(uffd);
}

/* Writers of the source race with moves to and fro: no write is lost. */
enum { ROUNDS = 300 };

static char *left, *right;

static void *count_up(void *unused)
{
    for (int i = 0; i < ROUNDS; i++)
        for (size_t page = 0; page < PAGES; page++) {
            volatile unsigned *count = (unsigned *)(left + page * PAGE);
            __atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
        }
    return unused;
}

static void no_write_is_lost(void)
{
    pthread_t writer;

    NEED_MOVE;
    left = map_full(0);
    right = map(MAP_PRIVATE, -1);
    EXPECT_IS(ask_about(left, LEN), 0);
    EXPECT_IS(ask_about(right, LEN), 0);
    EXPECT_IS(pthread_create(&writer, NULL, count_up, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        size_t page = (size_t)i % PAGES * PAGE;
        EXPECT_IS(move(right + page, left + page, PAGE, 0), 0);
        EXPECT_IS(move(left + page, right + page, PAGE, 0), 0);
    }
    pthread_join(writer, NULL);
    for (size_t page = 0; page < PAGES; page++)
        EXPECT_IS(*(unsigned *)(left + page * PAGE), ROUNDS);
    munmap(right, LEN);
    done_with(left);
}

static const struct ktap_test tests[] = {
    TEST(a_page_goes_where_it_is_asked_for),
    TEST(arguments_are_checked),
    TEST(holes_move_if_they_may),
    TEST(what_others_have_stays),
    TEST(sealed_memory_moves),
    TEST(huge_pages_move_whole_or_in_parts),
    TEST(no_write_is_lost),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
