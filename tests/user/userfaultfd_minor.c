/* SPDX-License-Identifier: MIT */
/*
 * tests/user/userfaultfd_minor.c - pages that an object has, and an area gets when told so
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: ioctl_userfaultfd(2), UFFDIO_CONTINUE, UFFDIO_POISON.
 * Tour:   after tests/user/userfaultfd_wp.c; then mm/userfault_answer.c.
 */
#define _GNU_SOURCE
#include "uffd.h"

#define HUGE (2UL << 20)

static int continue_with(void *p, size_t len, uint64_t mode)
{
    return answer(UFFDIO_CONTINUE, p, len, mode);
}

static int poison(void *p, size_t len)
{
    return answer(UFFDIO_POISON, p, len, 0);
}

/* A file of LEN bytes, all 'o', mapped twice: here it is watched, and *@alias is not. */
static char *map_twice(int flags, char **alias)
{
    int fd = memfd_create("minor", 0);

    if (ftruncate(fd, LEN))
        return MAP_FAILED;
    *alias = map(MAP_SHARED, fd);
    memset(*alias, 'o', LEN);
    char *p = map(flags, fd);
    close(fd);
    return p;
}

static void only_objects_can_be_continued(void)
{
    struct uapi_uffdio_register r = {.mode = UFFDIO_REGISTER_MODE_MINOR};
    char *alias;

    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1), *q = map_twice(MAP_SHARED, &alias);
    EXPECT_ERR(watch(p, LEN, UFFDIO_REGISTER_MODE_MINOR), EINVAL);
    EXPECT_ERR(continue_with(p, PAGE, 0), ENOENT);
    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_ERR(continue_with(p, PAGE, 0), EINVAL);
    EXPECT_IS(filled, -EINVAL);
    r.range = (struct uapi_uffdio_range){(uintptr_t)q, LEN};
    EXPECT_IS(ioctl(uffd, (int)UFFDIO_REGISTER, &r), 0);
    EXPECT_IS(r.ioctls, UFFD_HAS_WAKE | UFFD_HAS_COPY | UFFD_HAS_ZEROPAGE | UFFD_HAS_MOVE |
                            UFFD_HAS_CONTINUE | UFFD_HAS_POISON);
    EXPECT_ERR(continue_with(q, PAGE, 4), EINVAL);
    EXPECT_ERR(continue_with(q, PAGE, UFFDIO_MODE_WP), EINVAL); /* nobody to tell */
    EXPECT_ERR(continue_with(q, 0, 0), EINVAL);
    EXPECT_ERR(continue_with(q + 1, PAGE, 0), EINVAL);
    munmap(p, LEN);
    munmap(alias, LEN);
    done_with(q);
}

static void a_forced_write_never_reaches_what_an_answer_put_there(void)
{
    int mem = open("/proc/self/mem", O_RDWR);
    char *alias;

    NEED_FILE(0, 0);
    char *p = map_twice(MAP_PRIVATE, &alias);
    EXPECT_IS(mprotect(p, LEN, PROT_READ), 0);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_MINOR), 0);
    EXPECT_IS(continue_with(p, PAGE, 0), 0);
    EXPECT_IS(pwrite(mem, "x", 1, (off_t)(uintptr_t)p), 1);
    EXPECT_IS(p[0], 'x');
    EXPECT_IS(alias[0], 'o');
    munmap(alias, LEN);
    close(mem);
    done_with(p);
}

static void what_was_only_reserved_is_there_for_all_then(void)
{
    unsigned char there[2] = {0};
    int fd = memfd_create("reserved", 0);

    NEED_FILE(0, 0);
    EXPECT_IS(ftruncate(fd, LEN), 0);
    EXPECT_IS(fallocate(fd, 0, 0, 2 * PAGE), 0);
    char *p = map(MAP_SHARED, fd), *other = map(MAP_SHARED, fd);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_MINOR), 0);
    EXPECT_IS(continue_with(p, PAGE, 0), 0);
    EXPECT_IS(mincore(other, 2 * PAGE, there), 0);
    EXPECT(there[0] == 1 && there[1] == 0);
    munmap(other, LEN);
    close(fd);
    done_with(p);
}

static void what_the_object_has_is_asked_about(int flags)
{
    char *alias;

    NEED_FILE(0, 0);
    char *p = map_twice(flags, &alias);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_MINOR), 0);
    touch(p + 3, read_byte);
    EXPECT(asks(p, UFFD_PAGEFAULT_FLAG_MINOR));
    alias[3] = 'n'; /* what has to be done to it, is done by another way */
    EXPECT(!toucher.done);
    EXPECT_IS(continue_with(p, PAGE, 0), 0);
    EXPECT_IS(filled, PAGE);
    EXPECT_IS(touched(), 'n');
    EXPECT_ERR(continue_with(p, PAGE, 0), EEXIST);
    touch(p + PAGE, write_byte);
    EXPECT(asks(p + PAGE, UFFD_PAGEFAULT_FLAG_MINOR | UFFD_PAGEFAULT_FLAG_WRITE));
    EXPECT_IS(continue_with(p + PAGE, 2 * PAGE, 0), 0);
    touched();
    EXPECT_IS(p[PAGE], 'w');
    EXPECT_IS(alias[PAGE], flags == MAP_SHARED ? 'w' : 'o');
    EXPECT_IS(p[2 * PAGE], 'o'); /* it came with the same answer */
    if (flags == MAP_SHARED)
        EXPECT_ERR(fill(p + 3 * PAGE, 'x'), EEXIST);
    else
        EXPECT_IS(fill(p + 3 * PAGE, 'x'), 0);
    munmap(alias, LEN);
    done_with(p);
}

static void of_a_shared_mapping(void)
{
    what_the_object_has_is_asked_about(MAP_SHARED);
}

static void and_of_a_private_one(void)
{
    what_the_object_has_is_asked_about(MAP_PRIVATE);
}

static void holes_are_not_minor(void)
{
    char *alias;

    NEED_FILE(0, 0);
    char *p = map_twice(MAP_SHARED, &alias);
    EXPECT_IS(madvise(alias, 2 * PAGE, MADV_REMOVE), 0);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_MINOR), 0);
    EXPECT_ERR(continue_with(p, PAGE, 0), EFAULT);
    EXPECT_IS(filled, -EFAULT);
    EXPECT_IS(p[0], 0);
    EXPECT(is_quiet());
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_MISSING), 0);
    touch(p + PAGE, read_byte);
    EXPECT(asks(p + PAGE, 0));
    EXPECT_IS(fill(p + PAGE, 'f'), 0);
    EXPECT_IS(touched(), 'f');
    touch(p + 2 * PAGE, read_byte);
    EXPECT(asks(p + 2 * PAGE, UFFD_PAGEFAULT_FLAG_MINOR));
    EXPECT_IS(continue_with(p + 2 * PAGE, PAGE, 0), 0);
    EXPECT_IS(touched(), 'o');
    munmap(alias, LEN);
    done_with(p);
}

static void what_was_discarded_is_minor_again(void)
{
    char *alias;

    NEED_FILE(0, 0);
    char *p = map_twice(MAP_SHARED, &alias);
    EXPECT_IS(p[0], 'o'); /* and its neighbours come with it */
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_MINOR), 0);
    EXPECT_IS(p[0], 'o');
    EXPECT_IS(madvise(p, LEN, MADV_DONTNEED), 0);
    touch(p + 2 * PAGE, read_byte);
    EXPECT(asks(p + 2 * PAGE, UFFD_PAGEFAULT_FLAG_MINOR));
    EXPECT_IS(continue_with(p + 2 * PAGE, PAGE, 0), 0);
    EXPECT_IS(touched(), 'o');
    EXPECT(!(pagemap_of(p + 3 * PAGE) & PM_PRESENT));
    munmap(alias, LEN);
    done_with(p);
}

static void what_is_continued_may_be_marked(void)
{
    char *alias;

    NEED_FILE(0, 0);
    char *p = map_twice(MAP_SHARED, &alias);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_WP), 0);
    touch(p, write_byte);
    EXPECT(asks(p, UFFD_PAGEFAULT_FLAG_MINOR | UFFD_PAGEFAULT_FLAG_WRITE));
    EXPECT_IS(continue_with(p, PAGE, UFFDIO_MODE_WP), 0);
    EXPECT(asks(p, UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE));
    EXPECT(is_marked(p));
    EXPECT_IS(protect(p, PAGE, 0), 0);
    touched();
    EXPECT_IS(alias[0], 'w');
    munmap(alias, LEN);
    done_with(p);
}

static void past_the_end_nothing_is_continued(void)
{
    int fd = memfd_create("end", 0);

    NEED_FILE(0, 0);
    EXPECT_IS(ftruncate(fd, PAGE), 0);
    EXPECT_IS(pwrite(fd, "x", 1, 0), 1);
    char *p = map(MAP_SHARED, fd);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_MINOR), 0);
    EXPECT_ERR(continue_with(p + PAGE, PAGE, 0), EINVAL);
    EXPECT_ERR(continue_with(p, 2 * PAGE, 0), EAGAIN);
    EXPECT_IS(filled, PAGE);
    EXPECT_IS(p[0], 'x');
    EXPECT_IS(probe(p + PAGE, PROBE_READ).sig, SIGBUS);
    close(fd);
    done_with(p);
}

static void huge_pages_are_continued(void)
{
    int fd = memfd_create("huge", MFD_HUGETLB);

    NEED_FILE(0, 0);
    EXPECT_IS(ftruncate(fd, (off_t)(2 * HUGE)), 0);
    char *p = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        close(fd);
        SKIP("needs huge pages");
    }
    char *alias = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, 0);
    alias[0] = 'h';
    EXPECT_IS(watch(p, 2 * HUGE, UFFDIO_REGISTER_MODE_MINOR), 0);
    touch(p, read_byte);
    EXPECT(asks(p, UFFD_PAGEFAULT_FLAG_MINOR));
    EXPECT_ERR(continue_with(p, PAGE, 0), EINVAL);
    EXPECT_IS(continue_with(p, HUGE, 0), 0);
    EXPECT_IS(touched(), 'h');
    EXPECT_ERR(continue_with(p, HUGE, 0), EEXIST);
    EXPECT_ERR(continue_with(p + HUGE, HUGE, 0), EFAULT);
    p[1] = 'i';
    EXPECT_IS(alias[1], 'i');
    munmap(alias, 2 * HUGE);
    munmap(p, 2 * HUGE);
    close(fd);
    close(uffd);
}

/* SIGBUS; BUS_MCEERR_AR where the kernel was built to handle failures of memory. */
static bool is_lost(char *p)
{
    struct fault f = probe(p, PROBE_READ);
    return f.sig == SIGBUS && f.addr == p && (f.code == BUS_MCEERR_AR || f.code == BUS_ADRERR);
}

static int pipe_ends[2];

static void what_is_lost_is_never_read(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);

    EXPECT_IS(pipe(pipe_ends), 0);
    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_ERR(answer(UFFDIO_POISON, p, PAGE, 2), EINVAL);
    touch(p + 2 * PAGE, read_byte);
    EXPECT(asks(p + 2 * PAGE, 0));
    EXPECT_IS(poison(p, 2 * PAGE), 0);
    EXPECT_IS(filled, 2 * PAGE);
    EXPECT(is_lost(p) && is_lost(p + PAGE + 7));
    EXPECT_ERR(poison(p, PAGE), EEXIST);
    EXPECT_ERR(zero(p, PAGE), EEXIST);
    EXPECT_ERR(write(pipe_ends[1], p, 1), EFAULT);
    EXPECT_ERR(madvise(p, PAGE, 22 /* MADV_POPULATE_READ */), EHWPOISON);
    EXPECT_IS(pagemap_of(p) & (PM_PRESENT | PM_SWAP), PM_SWAP);
    EXPECT_IS(madvise(p, PAGE, 103 /* MADV_GUARD_REMOVE */), 0);
    EXPECT(is_lost(p));
    EXPECT_IS(mprotect(p, PAGE, PROT_READ), 0);
    EXPECT_IS(mprotect(p, PAGE, RW), 0);
    EXPECT(is_lost(p));
    EXPECT_IS(madvise(p + PAGE, PAGE, MADV_FREE), 0);
    EXPECT_IS(pagemap_of(p + PAGE) & (PM_PRESENT | PM_SWAP), 0); /* what is free is not lost */
    EXPECT_IS(poison(p + PAGE, PAGE), 0);
    EXPECT_IS(fill(p, 'c'), 0); /* a page may come all the same */
    EXPECT_IS(p[0], 'c');
    EXPECT_ERR(poison(p, PAGE), EEXIST);
    EXPECT_IS(zero(p + 2 * PAGE, PAGE), 0);
    EXPECT_IS(touched(), 0);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    done_with(p);
}

static void loss_is_inherited_moved_and_discarded(void)
{
    int status = -1;

    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1), *place = map(MAP_PRIVATE, -1);
    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_IS(poison(p, 3 * PAGE), 0);
    pid_t pid = fork();
    if (!pid)
        _exit(!is_lost(p));
    EXPECT_IS(waitpid(pid, &status, 0), pid);
    EXPECT_IS(status, 0);
    char *q = mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    EXPECT(q == place && is_lost(q));
    EXPECT_IS(ask_no_more(p + PAGE, LEN - PAGE), 0);
    EXPECT(is_lost(p + PAGE));
    EXPECT_IS(madvise(p + PAGE, PAGE, MADV_DONTNEED), 0);
    EXPECT_IS(p[PAGE], 0);
    EXPECT_IS(madvise(p + 2 * PAGE, PAGE, 102 /* MADV_GUARD_INSTALL */), 0);
    EXPECT_IS(probe(p + 2 * PAGE, PROBE_READ).sig, SIGSEGV);
    munmap(place, LEN);
    done_with(p);
}

static void parts_of_objects_are_lost_in_one_area_only(void)
{
    int status = -1;
    char *alias;

    NEED_FILE(0, 0);
    char *p = map_twice(MAP_SHARED, &alias);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_MINOR), 0);
    EXPECT_IS(poison(p, PAGE), 0);
    EXPECT(is_lost(p));
    EXPECT_IS(alias[0], 'o');
    EXPECT_IS(continue_with(p, PAGE, 0), 0);
    EXPECT_IS(p[0], 'o');
    EXPECT_IS(poison(p + PAGE, PAGE), 0);
    pid_t pid = fork();
    if (!pid)
        _exit(p[PAGE]); /* nothing of it is a child's own */
    EXPECT_IS(waitpid(pid, &status, 0), pid);
    EXPECT_IS(WEXITSTATUS(status), 'o');
    munmap(alias, LEN);
    done_with(p);
}

static void huge_pages_are_lost_whole(void)
{
    NEED_FILE(0, 0);
    char *p = mmap(NULL, HUGE, RW, MAP_SHARED | MAP_HUGETLB | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        SKIP("needs huge pages");
    EXPECT_IS(ask_about(p, HUGE), 0);
    EXPECT_ERR(poison(p, PAGE), EINVAL);
    EXPECT_IS(poison(p, HUGE), 0);
    EXPECT_ERR(poison(p, HUGE), EEXIST);
    EXPECT(is_lost(p) && is_lost(p + HUGE - 1));
    EXPECT_IS(madvise(p, HUGE, MADV_DONTNEED), 0);
    EXPECT_IS(ask_no_more(p, HUGE), 0);
    EXPECT_IS(p[0], 0);
    munmap(p, HUGE);
    close(uffd);
}

static const struct ktap_test tests[] = {
    TEST(only_objects_can_be_continued),
    TEST(of_a_shared_mapping),
    TEST(and_of_a_private_one),
    TEST(holes_are_not_minor),
    TEST(what_was_discarded_is_minor_again),
    TEST(what_is_continued_may_be_marked),
    TEST(past_the_end_nothing_is_continued),
    TEST(huge_pages_are_continued),
    TEST(what_is_lost_is_never_read),
    TEST(loss_is_inherited_moved_and_discarded),
    TEST(parts_of_objects_are_lost_in_one_area_only),
    TEST(huge_pages_are_lost_whole),
    TEST(a_forced_write_never_reaches_what_an_answer_put_there),
    TEST(what_was_only_reserved_is_there_for_all_then),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
