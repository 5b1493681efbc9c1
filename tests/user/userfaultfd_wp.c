/* SPDX-License-Identifier: MIT */
/*
 * tests/user/userfaultfd_wp.c - first writes that a program is told of
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: ioctl_userfaultfd(2); Linux Documentation/admin-guide/mm/userfaultfd.rst.
 * Tour:   after tests/user/uffd.h; then mm/userfault_wp.c.
 */
#define _GNU_SOURCE
#include "uffd.h"

#define WP   UFFDIO_WRITEPROTECT_WP
#define TOLD (UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE)
#define HUGE (2UL << 20)

enum kind { ANON, SHARED, FILE_SHARED, FILE_PRIVATE };

static char *map_kind(enum kind kind)
{
    int fd = kind >= FILE_SHARED ? memfd_create("wp", 0) : -1;

    if (fd >= 0 && ftruncate(fd, LEN))
        return MAP_FAILED;
    char *p = map(kind == ANON || kind == FILE_PRIVATE ? MAP_PRIVATE : MAP_SHARED, fd);
    close(fd);
    return p;
}

/* The same, with @bytes of it written; the next writes are told. */
static char *map_told(enum kind kind, size_t bytes)
{
    char *p = map_kind(kind);

    memset(p, 'a', bytes);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP), 0);
    EXPECT_IS(protect(p, LEN, WP), 0);
    return p;
}

/* Writes to @p are told once, and go through when the protection is taken away. */
static void expect_told_once(char *p)
{
    touch(p + 5, write_byte);
    EXPECT(asks(p, TOLD));
    EXPECT(!toucher.done);
    EXPECT_IS(protect(p, PAGE, 0), 0);
    touched();
    EXPECT_IS(p[5], 'w');
    p[6] = 'x'; /* nobody is told of the second */
    EXPECT(is_quiet());
    EXPECT(!is_marked(p));
}

static void modes_are_checked(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);
    struct uapi_uffdio_register r = {{(uintptr_t)p, LEN}, UFFDIO_REGISTER_MODE_WP, 0};

    EXPECT_ERR(protect(p, LEN, WP), ENOENT);
    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_ERR(protect(p, LEN, WP), ENOENT);
    EXPECT_IS(ioctl(uffd, (int)UFFDIO_REGISTER, &r), 0);
    EXPECT_IS(r.ioctls, UFFD_HAS_WAKE | UFFD_HAS_COPY | UFFD_HAS_ZEROPAGE | UFFD_HAS_MOVE |
                            UFFD_HAS_WP | UFFD_HAS_POISON);
    EXPECT_ERR(protect(p, LEN, 4), EINVAL);
    EXPECT_ERR(protect(p, LEN, WP | UFFDIO_WRITEPROTECT_DONTWAKE), EINVAL);
    EXPECT_ERR(protect(p + 1, LEN, WP), EINVAL);
    EXPECT_ERR(protect(p, 0, WP), EINVAL);
    EXPECT_IS(protect(p, LEN, WP), 0);
    EXPECT_IS(protect(p, LEN, UFFDIO_WRITEPROTECT_DONTWAKE), 0);
    munmap(p + PAGE, PAGE);
    EXPECT_IS(protect(p, LEN, WP), 0); /* gaps are passed over */
    EXPECT_ERR(protect(p + PAGE, PAGE, WP), ENOENT);
    EXPECT_IS(ask_no_more(p + 2 * PAGE, PAGE), 0);
    EXPECT_ERR(protect(p, LEN, WP), ENOENT);
    done_with(p);
}

static void a_write_is_told_once(void)
{
    for (enum kind kind = ANON; kind <= FILE_PRIVATE; kind++) {
        NEED_FILE(0, 0);
        char *p = map_kind(kind);
        memset(p, 'a', LEN);
        EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP), 0);
        EXPECT(!is_marked(p));
        EXPECT_IS(protect(p, LEN, WP), 0);
        EXPECT(is_marked(p) && is_marked(p + LEN - PAGE));
        EXPECT_IS(p[0], 'a'); /* reads are free */
        expect_told_once(p);
        EXPECT(is_marked(p + PAGE));
        expect_told_once(p + 3 * PAGE);
        done_with(p);
    }
}

static void who_wakes_without_resolving_is_asked_again(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);

    memset(p, 'a', LEN);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP), 0);
    EXPECT_IS(protect(p, LEN, WP), 0);
    touch(p, write_byte);
    EXPECT(asks(p, TOLD));
    EXPECT_IS(wake(p, PAGE), 0);
    EXPECT(asks(p, TOLD));
    EXPECT_IS(protect(p, PAGE, UFFDIO_WRITEPROTECT_DONTWAKE), 0);
    EXPECT(!toucher.done);
    EXPECT_IS(wake(p, PAGE), 0);
    touched();
    EXPECT_IS(p[0], 'w');
    done_with(p);
}

static void what_is_not_there_is_marked_where_an_object_may_have_it(void)
{
    for (enum kind kind = ANON; kind <= FILE_PRIVATE; kind++) {
        NEED_FILE(0, 0);
        char *p = map_kind(kind);
        EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP), 0);
        EXPECT_IS(protect(p, LEN, WP), 0);
        EXPECT_IS(is_marked(p), kind != ANON);
        if (kind == ANON) {
            p[0] = 'x';
            EXPECT(is_quiet());
        } else {
            EXPECT(pagemap_of(p) & PM_SWAP);
            expect_told_once(p);
            EXPECT_IS(p[PAGE], 0); /* a read brings the page, and the mark stays */
            EXPECT(is_marked(p + PAGE));
            EXPECT(pagemap_of(p + PAGE) & PM_PRESENT);
            expect_told_once(p + PAGE);
            EXPECT_IS(protect(p, LEN, 0), 0);
            EXPECT_IS(pagemap_of(p + 2 * PAGE) & (PM_PRESENT | PM_SWAP | PM_UFFD_WP), 0);
        }
        done_with(p);
    }
}

static void or_where_that_is_asked_for(void)
{
    NEED_FILE(0, UFFD_FEATURE_WP_UNPOPULATED);
    char *p = map(MAP_PRIVATE, -1);

    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP), 0);
    EXPECT_IS(protect(p, LEN, WP), 0);
    EXPECT(is_marked(p));
    expect_told_once(p);
    EXPECT_IS(p[PAGE], 0);
    EXPECT(is_marked(p + PAGE));
    expect_told_once(p + PAGE);
    EXPECT_IS(madvise(p + 2 * PAGE, PAGE, MADV_DONTNEED), 0);
    EXPECT(!is_marked(p + 2 * PAGE)); /* with private memory its mark goes, too */
    done_with(p);
}

static void answers_may_come_marked(void)
{
    for (enum kind kind = ANON; kind <= FILE_PRIVATE; kind++) {
        NEED_FILE(0, 0);
        char *p = map_kind(kind);
        memset(source, 'c', PAGE);
        EXPECT_IS(ask_about(p, LEN), 0);
        EXPECT_ERR(fill_from(source, p, PAGE, UFFDIO_MODE_WP), EINVAL); /* nobody to tell */
        EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING), 0);
        touch(p, write_byte);
        EXPECT(asks(p, UFFD_PAGEFAULT_FLAG_WRITE));
        EXPECT_IS(fill_from(source, p, PAGE, UFFDIO_MODE_WP), 0);
        EXPECT(asks(p, TOLD));
        EXPECT(is_marked(p));
        EXPECT_IS(protect(p, PAGE, 0), 0);
        touched();
        EXPECT(p[0] == 'w' && p[1] == 'c');
        done_with(p);
    }
}

static void a_mark_gives_way_to_an_answer(void)
{
    NEED_FILE(0, 0);
    char *p = map_kind(FILE_SHARED);

    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING), 0);
    EXPECT_IS(protect(p, LEN, WP), 0);
    touch(p, write_byte);
    EXPECT(asks(p, UFFD_PAGEFAULT_FLAG_WRITE)); /* it is missing, before all else */
    EXPECT_IS(fill(p, 'c'), 0);
    touched();
    EXPECT(p[0] == 'w' && !is_marked(p));
    EXPECT_IS(zero(p + PAGE, PAGE), 0);
    EXPECT(p[PAGE] == 0 && !is_marked(p + PAGE));
    done_with(p);
}

static int pipe_ends[2];

static int read_pipe(char *at)
{
    return (int)read(pipe_ends[0], at, 4);
}

static void the_kernel_waits_too(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);

    memset(p, 'a', LEN);
    EXPECT_IS(pipe(pipe_ends), 0);
    EXPECT_IS(write(pipe_ends[1], "kern", 4), 4);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP), 0);
    EXPECT_IS(protect(p, LEN, WP), 0);
    touch(p + PAGE, read_pipe);
    EXPECT(asks(p + PAGE, TOLD));
    EXPECT(!toucher.done && p[PAGE] == 'a');
    EXPECT_IS(protect(p + PAGE, PAGE, 0), 0);
    EXPECT_IS(touched(), 4);
    EXPECT_IS(p[PAGE], 'k');
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    done_with(p);
}

static int write_by_file(char *at)
{
    int fd = open("/proc/self/mem", O_RDWR);
    int done = (int)pwrite(fd, "force", 5, (off_t)(uintptr_t)at), error = errno;

    close(fd);
    errno = done < 0 ? error : 0;
    return done;
}

/* Nobody waits in a debugger's place: it is refused what somebody would be told of. */
static void who_forces_his_way_does_not(void)
{
    for (enum kind kind = ANON; kind <= FILE_PRIVATE; kind += FILE_PRIVATE) {
        NEED_FILE(0, 0);
        char *p = map_kind(kind);
        memset(p, 'a', 4 * PAGE);
        EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING), 0);
        EXPECT_IS(protect(p, LEN, WP), 0);
        EXPECT_ERR(write_by_file(p), EIO);
        EXPECT_IS(mprotect(p, LEN, PROT_READ), 0);
        EXPECT_ERR(write_by_file(p), EIO);
        EXPECT_ERR(write_by_file(p + 5 * PAGE), EIO); /* missing */
        EXPECT_IS(p[0], 'a');
        EXPECT_IS(protect(p, LEN, 0), 0);
        EXPECT_IS(write_by_file(p), 5);
        EXPECT_IS(p[0], 'f');
        EXPECT(is_quiet());
        done_with(p);
    }
}

static void a_signal_can_be_asked_for_instead(void)
{
    NEED_FILE(0, UFFD_FEATURE_SIGBUS);
    char *p = map(MAP_PRIVATE, -1);

    memset(p, 'a', LEN);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP), 0);
    EXPECT_IS(protect(p, LEN, WP), 0);
    EXPECT_IS(probe(p, PROBE_READ).sig, 0);
    struct fault f = probe(p + 9, PROBE_WRITE);
    EXPECT_IS(f.sig, SIGBUS);
    EXPECT(f.addr == p + 9);
    EXPECT_IS(protect(p, LEN, 0), 0);
    EXPECT_IS(probe(p + 9, PROBE_WRITE).sig, 0);
    done_with(p);
}

static void a_marked_page_is_there_before_its_question(void)
{
    for (enum kind kind = ANON; kind <= FILE_PRIVATE; kind++) {
        NEED_FILE(0, UFFD_FEATURE_SIGBUS | UFFD_FEATURE_WP_UNPOPULATED);
        char *p = map_told(kind, 0);
        EXPECT_IS(probe(p + 9, PROBE_WRITE).sig, SIGBUS);
        EXPECT(is_marked(p) && is_marked(p + PAGE));
        EXPECT_IS(!!(pagemap_of(p) & PM_PRESENT), 1);
        EXPECT_IS(!!(pagemap_of(p + PAGE) & PM_PRESENT), 0);
        EXPECT_IS(p[9], 0);
        EXPECT_IS(protect(p, PAGE, 0), 0);
        EXPECT_IS(probe(p + 9, PROBE_WRITE).sig, 0);
        EXPECT(!is_marked(p));
        done_with(p);
    }
}

/* trust.md B08. */
static void mprotect_never_grants_what_is_told(void)
{
    for (enum kind kind = ANON; kind <= FILE_PRIVATE; kind++) {
        NEED_FILE(0, 0);
        char *p = map_told(kind, LEN);
        EXPECT_IS(mprotect(p, LEN, PROT_READ), 0);
        EXPECT_IS(mprotect(p, LEN, RW), 0);
        expect_told_once(p);
        EXPECT_IS(mprotect(p, LEN, PROT_NONE), 0);
        EXPECT_IS(mprotect(p, LEN, RW), 0);
        expect_told_once(p + PAGE);
        EXPECT_IS(mprotect(p, LEN, PROT_READ), 0);
        EXPECT_IS(protect(p, LEN, 0), 0); /* the area still refuses */
        EXPECT_IS(probe(p + 2 * PAGE, PROBE_WRITE).sig, SIGSEGV);
        done_with(p);
    }
}

/* trust.md B60. */
static void what_moves_away_is_not_marked(void)
{
    for (enum kind kind = ANON; kind <= FILE_PRIVATE; kind++) {
        NEED_FILE(0, 0);
        char *p = map_told(kind, 4 * PAGE), *place = map(MAP_PRIVATE, -1);
        char *q = mremap(p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, place);
        EXPECT(q == place);
        EXPECT(!is_marked(q) && !is_marked(q + 5 * PAGE));
        EXPECT_IS(mprotect(q, LEN, PROT_READ), 0);
        EXPECT_IS(mprotect(q, LEN, RW), 0);
        q[0] = 'q';
        q[5 * PAGE] = 'r';
        EXPECT(is_quiet());
        EXPECT_IS(q[1], 'a');
        EXPECT_ERR(protect(q, LEN, WP), ENOENT);
        done_with(q);
    }
}

/* trust.md B61. */
static void what_is_discarded_stays_marked_if_it_is_an_objects(void)
{
    for (enum kind kind = ANON; kind <= FILE_PRIVATE; kind++) {
        NEED_FILE(0, 0);
        char *p = map_told(kind, LEN);
        EXPECT_IS(madvise(p, LEN, MADV_DONTNEED), 0);
        EXPECT_IS(is_marked(p), kind != ANON);
        if (kind == ANON) {
            p[0] = 'x';
            EXPECT(is_quiet());
        } else {
            EXPECT_IS(p[0], kind == FILE_PRIVATE ? 0 : 'a');
            expect_told_once(p);
            expect_told_once(p + PAGE);
        }
        done_with(p);
    }
}

static void and_so_does_what_is_punched_or_cut_off(void)
{
    int fd = memfd_create("cut", 0);

    NEED_FILE(0, 0);
    EXPECT_IS(ftruncate(fd, LEN), 0);
    char *p = map(MAP_SHARED, fd);
    memset(p, 'a', LEN);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP), 0);
    EXPECT_IS(protect(p, LEN, WP), 0);
    EXPECT_IS(fallocate(fd, 3 /* punch a hole, keep the size */, 0, PAGE), 0);
    EXPECT(is_marked(p));
    expect_told_once(p);
    EXPECT_IS(ftruncate(fd, PAGE), 0);
    EXPECT(is_marked(p + PAGE));
    EXPECT_IS(ftruncate(fd, LEN), 0);
    expect_told_once(p + PAGE);
    close(fd);
    done_with(p);
}

static void who_asks_no_more_has_no_marks(void)
{
    for (enum kind kind = ANON; kind <= FILE_PRIVATE; kind++) {
        NEED_FILE(0, 0);
        char *p = map_told(kind, 4 * PAGE);
        touch(p, write_byte);
        EXPECT(asks(p, TOLD));
        EXPECT_IS(ask_no_more(p, LEN), 0);
        EXPECT_IS(wake(p, LEN), 0);
        touched();
        EXPECT(!is_marked(p) && !is_marked(p + PAGE) && !is_marked(p + 5 * PAGE));
        p[PAGE] = 'x';
        EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP), 0);
        EXPECT_IS(protect(p, LEN, WP), 0);
        touch(p + 2 * PAGE, write_byte);
        EXPECT(asks(p + 2 * PAGE, TOLD));
        close(uffd);
        touched();
        EXPECT_IS(p[2 * PAGE], 'w');
        EXPECT(!is_marked(p + 3 * PAGE));
        munmap(p, LEN);
    }
}

static void children_are_not_told(void)
{
    for (enum kind kind = ANON; kind <= FILE_PRIVATE; kind++) {
        int status = -1;
        NEED_FILE(0, 0);
        char *p = map_told(kind, 4 * PAGE);
        pid_t pid = fork();
        if (!pid) {
            bool marked = is_marked(p) || is_marked(p + 5 * PAGE);
            p[0] = 'c';
            _exit(marked || p[1] != 'a');
        }
        EXPECT_IS(waitpid(pid, &status, 0), pid);
        EXPECT_IS(status, 0);
        EXPECT_IS(p[0], kind == ANON || kind == FILE_PRIVATE ? 'a' : 'c');
        EXPECT(is_marked(p));
        expect_told_once(p);
        expect_told_once(p + PAGE);
        done_with(p);
    }
}

/* 2 MiB in one piece, or NULL. */
static char *map_huge(void)
{
    char *p = mmap(NULL, 2 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *start = (char *)(((uintptr_t)p + HUGE - 1) & -HUGE);

    munmap(p, (size_t)(start - p));
    munmap(start + HUGE, (size_t)(p + HUGE - start));
    madvise(start, HUGE, MADV_HUGEPAGE);
    memset(start, 'h', HUGE);
    return start;
}

static void a_huge_page_is_told_of_as_a_whole_or_in_parts(void)
{
    huge_pages_allow();
    NEED_FILE(0, 0);
    char *p = map_huge();

    EXPECT_IS(watch(p, HUGE, UFFDIO_REGISTER_MODE_WP), 0);
    EXPECT_IS(protect(p, HUGE, WP), 0);
    EXPECT(is_marked(p) && is_marked(p + HUGE - PAGE));
    touch(p + 7 * PAGE, write_byte);
    EXPECT_IS(question().flags, TOLD);
    EXPECT_IS(protect(p, HUGE, 0), 0);
    touched();
    EXPECT(!is_marked(p) && p[7 * PAGE] == 'w');
    EXPECT_IS(protect(p, HUGE / 2, WP), 0); /* it falls into pages */
    EXPECT(is_marked(p) && !is_marked(p + HUGE / 2));
    p[HUGE / 2] = 'x';
    EXPECT(is_quiet());
    expect_told_once(p + PAGE);
    EXPECT(is_marked(p));
    EXPECT_IS(protect(p, HUGE, WP), 0);
    EXPECT_ERR(madvise(p, HUGE, 25 /* MADV_COLLAPSE */), EINVAL);
    EXPECT(is_marked(p) && p[HUGE - 1] == 'h');
    munmap(p, HUGE);
    close(uffd);
}

static void pages_of_a_pool_are_told_of(int flags)
{
    NEED_FILE(0, UFFD_FEATURE_WP_HUGETLBFS_SHMEM);
    char *p = mmap(NULL, 2 * HUGE, RW, flags | MAP_HUGETLB | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        SKIP("needs huge pages");
    p[0] = 'a';
    EXPECT_IS(watch(p, 2 * HUGE, UFFDIO_REGISTER_MODE_WP), 0);
    EXPECT_ERR(protect(p, PAGE, WP), EINVAL);
    EXPECT_IS(protect(p, 2 * HUGE, WP), 0);
    EXPECT(is_marked(p) && is_marked(p + HUGE));
    touch(p + 5 * PAGE, write_byte);
    EXPECT(asks(p, TOLD));
    EXPECT_IS(protect(p, HUGE, 0), 0);
    touched();
    EXPECT(!is_marked(p) && p[5 * PAGE] == 'w' && p[0] == 'a');
    EXPECT_IS(p[HUGE], 0);
    EXPECT(is_marked(p + HUGE));
    touch(p + HUGE, write_byte);
    EXPECT(asks(p + HUGE, TOLD));
    EXPECT_IS(protect(p, 2 * HUGE, 0), 0);
    touched();
    EXPECT_IS(protect(p, HUGE, WP), 0);
    EXPECT_IS(madvise(p, HUGE, MADV_DONTNEED), 0);
    EXPECT(is_marked(p));
    EXPECT_IS(ask_no_more(p, 2 * HUGE), 0);
    EXPECT(!is_marked(p));
    munmap(p, 2 * HUGE);
    close(uffd);
}

static void huge_pages_of_an_object_are_told_of(void)
{
    pages_of_a_pool_are_told_of(MAP_SHARED);
}

static void private_huge_pages_are_told_of(void)
{
    pages_of_a_pool_are_told_of(MAP_PRIVATE);
}

/* Several threads write all pages; a handler takes each protection away: no page is told twice. */
enum { WRITERS = 3, ROUNDS = 20 };

static char *field;

static void *write_all(void *arg)
{
    for (size_t i = 0; i < PAGES; i++)
        field[((size_t)(uintptr_t)arg + i) % PAGES * PAGE + (size_t)(uintptr_t)arg] = 'w';
    return NULL;
}

static void each_page_is_told_of_in_each_round(void)
{
    for (enum kind kind = ANON; kind <= SHARED; kind++) {
        NEED_FILE(0, 0);
        field = map_kind(kind);
        memset(field, 'a', LEN);
        EXPECT_IS(watch(field, LEN, UFFDIO_REGISTER_MODE_WP), 0);
        for (int round = 0; round < ROUNDS; round++) {
            pthread_t writers[WRITERS];
            unsigned told[PAGES] = {0};
            EXPECT_IS(protect(field, LEN, WP), 0);
            for (size_t i = 0; i < WRITERS; i++)
                pthread_create(&writers[i], NULL, write_all, (void *)i);
            for (unsigned seen = 0; seen < PAGES;) {
                struct uapi_uffd_msg msg = question();
                size_t page = (msg.address - (uintptr_t)field) / PAGE;
                if (!msg.address || msg.flags != TOLD || page >= PAGES)
                    break;
                seen += !told[page]++;
                protect(field + page * PAGE, PAGE, 0);
            }
            for (size_t i = 0; i < WRITERS; i++)
                pthread_join(writers[i], NULL);
            for (size_t i = 0; i < PAGES; i++)
                EXPECT(told[i] >= 1 && told[i] <= WRITERS && !is_marked(field + i * PAGE));
            while (!is_quiet()) /* who asked before the answer, and was not read */
                question();
        }
        done_with(field);
    }
}

/* Two protect one page; the second then writes to it, which takes the mark away. */
static volatile char *both;
static volatile int met, unseen;

static void meet(int n)
{
    __atomic_add_fetch(&met, 1, __ATOMIC_SEQ_CST);
    while (met < 2 * n)
        ;
}

static void *protect_and_write(void *arg)
{
    run_on(1);
    for (int round = 0; round < ROUNDS; round++) {
        meet(3 * round + 1);
        *both = 'a'; /* this CPU remembers that it may */
        meet(3 * round + 2);
        for (volatile int i = 0; i < 10000 * (round + 1); i++)
            ;
        bool second = is_marked((char *)both); /* or the other may mark what is written already */
        protect((char *)both, PAGE, WP);
        *both = 'w';
        unseen += second && is_marked((char *)both);
        meet(3 * round + 3);
    }
    return arg;
}

static void what_two_protect_is_protected_for_both(void)
{
    pthread_t second;

    if (linux_before(6, 7))
        SKIP("Linux lacks asynchronous protection before 6.7");
    NEED_FILE(0, UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_PAGEFAULT_FLAG_WP);
    both = map(MAP_PRIVATE, -1);
    EXPECT_IS(watch((char *)both, LEN, UFFDIO_REGISTER_MODE_WP), 0);
    met = unseen = 0;
    run_on(0);
    EXPECT_IS(pthread_create(&second, NULL, protect_and_write, NULL), 0);
    for (int round = 0; round < ROUNDS; round++) {
        meet(3 * round + 1);
        meet(3 * round + 2);
        protect((char *)both, PAGE, WP);
        meet(3 * round + 3);
        protect((char *)both, PAGE, 0);
    }
    pthread_join(second, NULL);
    EXPECT_IS(unseen, 0);
    done_with((char *)both);
}

static const struct ktap_test tests[] = {
    TEST(modes_are_checked),
    TEST(a_write_is_told_once),
    TEST(who_wakes_without_resolving_is_asked_again),
    TEST(what_is_not_there_is_marked_where_an_object_may_have_it),
    TEST(or_where_that_is_asked_for),
    TEST(answers_may_come_marked),
    TEST(a_mark_gives_way_to_an_answer),
    TEST(the_kernel_waits_too),
    TEST(who_forces_his_way_does_not),
    TEST(a_signal_can_be_asked_for_instead),
    TEST(a_marked_page_is_there_before_its_question),
    TEST(mprotect_never_grants_what_is_told),
    TEST(what_moves_away_is_not_marked),
    TEST(what_is_discarded_stays_marked_if_it_is_an_objects),
    TEST(and_so_does_what_is_punched_or_cut_off),
    TEST(who_asks_no_more_has_no_marks),
    TEST(children_are_not_told),
    TEST(a_huge_page_is_told_of_as_a_whole_or_in_parts),
    TEST(huge_pages_of_an_object_are_told_of),
    TEST(private_huge_pages_are_told_of),
    TEST(each_page_is_told_of_in_each_round),
    TEST(what_two_protect_is_protected_for_both),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
