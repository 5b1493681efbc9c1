/* SPDX-License-Identifier: MIT */
/*
 * tests/user/pins.c - sealing the contents of a file whose pages somebody has
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18;
 *         (2) times have bounds that a slow machine keeps.
 * Source: fcntl(2) "File Sealing"; vmsplice(2), process_vm_readv(2); Linux mm/memfd.c, observed.
 * Tour:   after tests/user/seals.c and tests/user/splice.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

#define RW    (PROT_READ | PROT_WRITE)
#define HUGE  (512 * PAGE)
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define LEAST 140  /* ms that sealing waits for a page: 164 on Linux, a sum of ticks */
#define MOST  1500 /* the same on a machine that has other things to do */

enum kind { SMALL, THP, HUGETLB, KINDS };

static int ends[2]; /* of the pipe that has the pages */

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static long seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE);
}

static size_t bytes_of(enum kind kind)
{
    return kind == SMALL ? 2 * PAGE : HUGE;
}

static char *map_kind(int fd, enum kind kind, int prot, int flags)
{
    char *at = kind == SMALL ? NULL : place_of_units(HUGE);

    return mmap(at, bytes_of(kind), prot, flags | (at ? MAP_FIXED : 0), fd, 0);
}

/* A file of one kind, with its first page there; -1: this machine has none. */
static int file_of(enum kind kind)
{
    int fd = memfd_create("pins", MFD_ALLOW_SEALING | (kind == HUGETLB ? MFD_HUGETLB : 0));

    if (fd < 0 || ftruncate(fd, (off_t)bytes_of(kind)) < 0)
        return -1;
    char *p = map_kind(fd, kind, RW, MAP_SHARED);
    if (p == MAP_FAILED)
        return -1;
    p[0] = 'p';
    bool is = kind != THP || madvise(p, HUGE, MADV_COLLAPSE) == 0;
    munmap(p, bytes_of(kind));
    return is ? fd : -1;
}

/* A pipe gets the page at @offset of a file. */
static void hold(int fd, enum kind kind, size_t offset)
{
    char *p = map_kind(fd, kind, PROT_READ, MAP_SHARED);
    struct iovec iov = {p + offset, 10};

    EXPECT_IS(pipe(ends), 0);
    EXPECT_IS(vmsplice(ends[1], &iov, 1, 0), 10);
    munmap(p, bytes_of(kind));
}

static void let_go(void)
{
    close(ends[0]);
    close(ends[1]);
}

static void expect_waits(int fd, int seals)
{
    long before = now_ms();

    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, seals), EBUSY);
    long ms = now_ms() - before;
    if (ms < LEAST || ms > MOST)
        printf("# it took %ld ms\n", ms);
    EXPECT(ms >= LEAST && ms <= MOST);
}

/* The refusal left nothing: the file can be written to, and mapped so. */
static void expect_unsealed(int fd, enum kind kind)
{
    char *p = map_kind(fd, kind, RW, MAP_SHARED);

    EXPECT(p != MAP_FAILED);
    EXPECT_IS(fcntl(fd, F_GET_SEALS), 0);
    if (p != MAP_FAILED)
        munmap(p, bytes_of(kind));
}

static void held_page_refuses(enum kind kind, size_t offset)
{
    int fd = file_of(kind);

    if (fd < 0)
        SKIP("no such pages");
    hold(fd, kind, offset);
    expect_waits(fd, F_SEAL_WRITE);
    expect_unsealed(fd, kind);
    expect_waits(fd, F_SEAL_WRITE | F_SEAL_SEAL); /* all or nothing, and as long again */
    expect_unsealed(fd, kind);
    let_go();
    EXPECT_IS(seal(fd), 0);
    EXPECT_ERR(pwrite(fd, "x", 1, 0), kind == HUGETLB ? EINVAL : EPERM);
    close(fd);
}

static void sealing_waits_for_a_page_and_gives_up(void)
{
    held_page_refuses(SMALL, 0);
}

static void sealing_waits_for_a_part_of_a_huge_page(void)
{
    held_page_refuses(THP, 300 * PAGE);
}

static void sealing_waits_for_a_page_of_the_pool(void)
{
    held_page_refuses(HUGETLB, 300 * PAGE);
}

/* Huge pages, one of which lost a part to a hole: those parts that are left count. */
static void sealing_waits_for_what_a_hole_left(void)
{
    int fd = file_of(THP);

    if (fd < 0)
        SKIP("no such pages");
    hold(fd, THP, 300 * PAGE);
    EXPECT_IS(fallocate(fd, PUNCH, 0, 10 * PAGE), 0);
    expect_waits(fd, F_SEAL_WRITE);
    let_go();
    EXPECT_IS(seal(fd), 0);
    close(fd);
}

static void what_is_cut_off_is_not_waited_for(void)
{
    int fd = file_of(SMALL);

    hold(fd, SMALL, 0);
    EXPECT_IS(ftruncate(fd, 0), 0);
    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0);
    EXPECT_IS(seal(fd), 0);
    let_go();
    close(fd);
}

static void only_contents_are_waited_for(void)
{
    int fd = file_of(SMALL);

    hold(fd, SMALL, 0);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE), 0);
    expect_waits(fd, F_SEAL_WRITE);
    expect_waits(fd, F_SEAL_EXEC); /* of what may be executed, it seals the contents, too */
    EXPECT_IS(fcntl(fd, F_GET_SEALS), F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE);
    let_go();
    EXPECT_IS(seal(fd), 0);
    close(fd);
}

/* In a process of its own, after a moment: it has the pipe, too. */
static pid_t reader_after(int ms)
{
    pid_t pid = fork();

    if (pid == 0) {
        char bytes[16];

        usleep((useconds_t)ms * 1000);
        _exit(read(ends[0], bytes, sizeof bytes) != 10);
    }
    return pid;
}

static void expect_exit(pid_t pid, int code)
{
    int status = -1;

    EXPECT_IS(waitpid(pid, &status, 0), pid);
    EXPECT(WIFEXITED(status));
    EXPECT_IS(WEXITSTATUS(status), code);
}

static void released_meanwhile(enum kind kind)
{
    int fd = file_of(kind);

    if (fd < 0)
        SKIP("no such pages");
    hold(fd, kind, 0);
    long before = now_ms();
    pid_t pid = reader_after(30);
    EXPECT_IS(seal(fd), 0);
    EXPECT(now_ms() - before >= 25);
    EXPECT_IS(fcntl(fd, F_GET_SEALS), F_SEAL_WRITE);
    expect_exit(pid, 0);
    let_go();
    close(fd);
}

static void a_page_that_is_let_go_meanwhile_is_enough(void)
{
    for (enum kind kind = SMALL; kind < KINDS; kind++)
        released_meanwhile(kind);
}

/* A child that seals: its errno is its status. */
static pid_t sealer(int fd)
{
    pid_t pid = fork();

    if (pid == 0) {
        signal(SIGQUIT, SIG_DFL); /* who starts this test may ignore it */
        _exit(seal(fd) < 0 ? errno : 0);
    }
    return pid;
}

/* How long a sealer lives once it gets a signal 20 ms after it began; the best of a few. On a busy
 * machine it may have ended before. */
static long ends_after(int fd, int signo)
{
    long best = MOST;
    int met = 0;

    for (int i = 0; i < 20 && met < 3 && best >= 60; i++) {
        int status = 0;
        pid_t pid = sealer(fd);

        usleep(20000);
        long before = now_ms();
        kill(pid, signo);
        EXPECT_IS(waitpid(pid, &status, 0), pid);
        if (!WIFSIGNALED(status))
            continue;
        met++;
        EXPECT_IS(WTERMSIG(status), signo);
        long ms = now_ms() - before;
        best = ms < best ? ms : best;
    }
    EXPECT(met > 0);
    return best;
}

static void a_signal_that_ends_the_program_ends_the_wait(void)
{
    int fd = file_of(SMALL);

    hold(fd, SMALL, 0);
    EXPECT(ends_after(fd, SIGKILL) < 60);
    EXPECT(ends_after(fd, SIGTERM) < 60);
    EXPECT(ends_after(fd, SIGUSR1) < 60);
    EXPECT(ends_after(fd, SIGQUIT) >= 60); /* may leave a core file: not at once */
    expect_unsealed(fd, SMALL);
    let_go();
    EXPECT_IS(seal(fd), 0);
    close(fd);
}

static void handle(int signo)
{
    (void)signo;
}

static void other_signals_wait(void)
{
    int fd = file_of(SMALL);

    hold(fd, SMALL, 0);
    signal(SIGUSR1, handle);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        usleep(20000);
        _exit(kill(parent, SIGUSR1) || kill(parent, SIGWINCH));
    }
    expect_waits(fd, F_SEAL_WRITE);
    int status;
    while (waitpid(pid, &status, 0) < 0)
        ;
    signal(SIGUSR1, SIG_DFL);
    let_go();
    close(fd);
}

/* While one seals, nobody can become a writer, and a call that writes waits. */
static void writers_wait_for_the_sealer(void)
{
    int fd = file_of(SMALL);

    hold(fd, SMALL, 0);
    pid_t pid = sealer(fd);
    usleep(40000);
    long before = now_ms();
    EXPECT(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT(p == MAP_FAILED || mprotect(p, PAGE, RW) < 0);
    if (p != MAP_FAILED)
        munmap(p, PAGE);
    EXPECT(now_ms() - before < 60);
    EXPECT_IS(pwrite(fd, "x", 1, 0), 1);
    EXPECT(now_ms() - before >= 60);
    expect_exit(pid, EBUSY);
    expect_unsealed(fd, SMALL);
    let_go();
    close(fd);
}

/* A page of somebody else's is in a pipe, so that the kernel has a reason to look at all. */
static void hold_another(void)
{
    static char page[PAGE];
    struct iovec iov = {page, 10};

    page[0] = 1;
    EXPECT_IS(pipe(ends), 0);
    EXPECT_IS(vmsplice(ends[1], &iov, 1, 0), 10);
}

#define MAPPERS 4

/* The same file, to read only: who maps this is no writer. */
static int reopened(int fd)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY);
}

/* In the parent and, by inheritance, in each child; and each child's own, in part, and a copy. */
static char *map_much(int fd, enum kind kind, int nr)
{
    char *all = map_kind(fd, kind, PROT_READ, MAP_SHARED);
    char *copy = map_kind(fd, kind, RW, kind == HUGETLB ? MAP_SHARED : MAP_PRIVATE);

    if (all == MAP_FAILED)
        return NULL;
    for (size_t at = 0; at < bytes_of(kind); at += PAGE)
        look(all + at);
    if (copy != MAP_FAILED)
        copy[(size_t)nr * PAGE % bytes_of(kind)] = 'c';
    if (kind == THP) {
        munmap(all + (size_t)(3 + nr) * PAGE, 5 * PAGE);
        munmap(copy + 100 * PAGE, 200 * PAGE);
    }
    return all;
}

/* Processes that have mapped a file, until they are killed. */
static void mapped_by_many(int fd, enum kind kind, pid_t *pids)
{
    int said[2];
    char c;

    EXPECT_IS(pipe(said), 0);
    for (int i = 0; i < MAPPERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            if (map_much(fd, kind, i) && write(said[1], "x", 1) == 1)
                pause();
            _exit(1);
        }
    }
    for (int i = 0; i < MAPPERS; i++)
        EXPECT_IS(read(said[0], &c, 1), 1);
    close(said[0]);
    close(said[1]);
}

static void mapped_file_is_sealed(enum kind kind, bool punched)
{
    pid_t pids[MAPPERS];
    int fd = file_of(kind);

    if (fd < 0)
        SKIP("no such pages");
    int reader = reopened(fd);
    hold_another();
    char *mine = map_much(reader, kind, MAPPERS);
    EXPECT(mine && mine[0] == 'p');
    mapped_by_many(reader, kind, pids);
    if (punched)
        EXPECT_IS(fallocate(fd, PUNCH, (off_t)bytes_of(kind) / 2, 10 * PAGE), 0);
    long before = now_ms();
    EXPECT_IS(seal(fd), 0);
    EXPECT(now_ms() - before < LEAST);
    for (int i = 0; i < MAPPERS; i++) {
        kill(pids[i], SIGKILL);
        EXPECT_IS(waitpid(pids[i], NULL, 0), pids[i]);
    }
    if (mine)
        munmap(mine, bytes_of(kind));
    let_go();
    close(reader);
    close(fd);
}

static void a_file_that_many_read_is_sealed(void)
{
    mapped_file_is_sealed(SMALL, false);
}

static void a_huge_page_that_many_read_is_sealed(void)
{
    mapped_file_is_sealed(THP, false);
}

static void a_huge_page_with_a_hole_is_sealed(void)
{
    mapped_file_is_sealed(THP, true);
}

static void a_page_of_the_pool_that_many_read_is_sealed(void)
{
    mapped_file_is_sealed(HUGETLB, false);
}

/* What is promised to a file, but not there, is no page that somebody could have. */
static void promised_pages_are_not_waited_for(void)
{
    int fd = memfd_create("pins", MFD_ALLOW_SEALING | MFD_HUGETLB);

    if (fd < 0 || ftruncate(fd, HUGE) < 0)
        SKIP("no such pages");
    char *p = map_kind(fd, HUGETLB, RW, MAP_SHARED);
    if (p == MAP_FAILED)
        SKIP("no such pages");
    munmap(p, HUGE);
    hold_another();
    EXPECT_IS(seal(fd), 0);
    let_go();
    close(fd);
}

/* What a pipe has stays what the program, or the file, has: it is not moved to a huge page. */
static void what_a_pipe_has_is_not_collapsed(void)
{
    int fd = memfd_create("pins", 0);
    char *shared = mmap(place_of_units(HUGE), HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    char *own =
        mmap(place_of_units(HUGE), HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    EXPECT_IS(ftruncate(fd, HUGE), 0);
    EXPECT_IS(pwrite(fd, "p", 1, 0), 1);
    hold(fd, SMALL, 0);
    EXPECT_ERR(madvise(shared, HUGE, MADV_COLLAPSE), EAGAIN);
    let_go();
    EXPECT_IS(madvise(shared, HUGE, MADV_COLLAPSE), 0);
    own[0] = 'p';
    EXPECT_IS(pipe(ends), 0);
    struct iovec iov = {own, 10};
    EXPECT_IS(vmsplice(ends[1], &iov, 1, 0), 10);
    EXPECT_ERR(madvise(own, HUGE, MADV_COLLAPSE), EAGAIN);
    let_go();
    EXPECT_IS(madvise(own, HUGE, MADV_COLLAPSE), 0);
    munmap(shared, HUGE);
    munmap(own, HUGE);
    close(fd);
}

/* Memory of others, written while it is sealed */

struct writer {
    pthread_t thread;
    pid_t pid;
    int mem;            /* /proc/PID/mem, or -1: process_vm_writev() */
    unsigned long addr; /* in that process */
    _Atomic bool stop;
};

static void *write_on(void *arg)
{
    struct writer *w = arg;
    static char bytes[2 * PAGE];

    for (unsigned i = 0; !w->stop; i++) {
        memset(bytes, (int)i, sizeof bytes);
        struct iovec here = {bytes, sizeof bytes}, there = {(void *)w->addr, sizeof bytes};
        if (w->mem >= 0)
            (void)!pwrite(w->mem, bytes, sizeof bytes, (off_t)w->addr);
        else
            (void)!process_vm_writev(w->pid, &here, 1, &there, 1, 0);
    }
    return NULL;
}

/* A child that maps a file, lets others write to it for a while, and seals it. */
static void seal_under_writers(int fd, char *place)
{
    static char before[2 * PAGE], after[2 * PAGE];
    int failed = 0;

    char *p = mmap(place, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    while (p[PAGE] == 0) /* they have begun */
        usleep(100);
    munmap(p, 2 * PAGE);
    failed |= seal(fd) != 0;
    failed |= pread(fd, before, sizeof before, 0) != 2 * PAGE;
    p = mmap(place, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    failed |= (p == MAP_FAILED) << 1;
    usleep(2000);
    failed |= pread(fd, after, sizeof after, 0) != 2 * PAGE;
    _exit(failed | (memcmp(before, after, sizeof before) != 0) << 2);
}

static void sealed_under_writers(bool by_file)
{
    char *place = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), path[32];

    for (int i = 0; i < 20; i++) {
        int fd = file_of(SMALL);
        struct writer w = {.mem = -1, .addr = (unsigned long)place};
        w.pid = fork();
        if (w.pid == 0)
            seal_under_writers(fd, place);
        snprintf(path, sizeof path, "/proc/%d/mem", w.pid);
        if (by_file)
            w.mem = open(path, O_RDWR);
        EXPECT_IS(pthread_create(&w.thread, NULL, write_on, &w), 0);
        expect_exit(w.pid, 0);
        w.stop = true;
        pthread_join(w.thread, NULL);
        if (w.mem >= 0)
            close(w.mem);
        close(fd);
    }
    munmap(place, 2 * PAGE);
}

static void nobody_writes_to_what_another_process_sealed(void)
{
    sealed_under_writers(false);
}

static void nobody_writes_to_it_through_proc(void)
{
    sealed_under_writers(true);
}

/* /proc/PID/mem writes where the program may not, but not into what it shares. */
static void proc_mem_does_not_force_its_way_into_files(void)
{
    int mem = open("/proc/self/mem", O_RDWR), fd = file_of(SMALL);
    char *shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    char *copy = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), c = 0;

    EXPECT_ERR(pwrite(mem, "x", 1, (off_t)(unsigned long)shared), EIO);
    EXPECT_IS(pread(mem, &c, 1, (off_t)(unsigned long)shared), 1);
    EXPECT_IS(c, 'p');
    EXPECT_IS(pwrite(mem, "x", 1, (off_t)(unsigned long)copy), 1);
    EXPECT(shared[0] == 'p' && copy[0] == 'x');
    munmap(shared, PAGE);
    munmap(copy, PAGE);
    close(mem);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(sealing_waits_for_a_page_and_gives_up),
    TEST(sealing_waits_for_a_part_of_a_huge_page),
    TEST(sealing_waits_for_a_page_of_the_pool),
    TEST(sealing_waits_for_what_a_hole_left),
    TEST(what_is_cut_off_is_not_waited_for),
    TEST(only_contents_are_waited_for),
    TEST(a_page_that_is_let_go_meanwhile_is_enough),
    TEST(a_signal_that_ends_the_program_ends_the_wait),
    TEST(other_signals_wait),
    TEST(writers_wait_for_the_sealer),
    TEST(a_file_that_many_read_is_sealed),
    TEST(a_huge_page_that_many_read_is_sealed),
    TEST(a_huge_page_with_a_hole_is_sealed),
    TEST(a_page_of_the_pool_that_many_read_is_sealed),
    TEST(promised_pages_are_not_waited_for),
    TEST(what_a_pipe_has_is_not_collapsed),
    TEST(nobody_writes_to_what_another_process_sealed),
    TEST(nobody_writes_to_it_through_proc),
    TEST(proc_mem_does_not_force_its_way_into_files),
};

int main(void)
{
    huge_pages_allow();
    return KTAP_MAIN(tests);
}
