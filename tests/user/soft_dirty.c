/* SPDX-License-Identifier: MIT */
/*
 * tests/user/soft_dirty.c - which pages were written, or touched, since somebody asked
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on a Linux that tracks writes (CONFIG_MEM_SOFT_DIRTY);
 *             on one that does not, those tests are skipped.
 * Source: Linux Documentation/admin-guide/mm/soft-dirty.rst; proc_pid_clear_refs(5).
 * Tour:   after tests/user/pagemap.c; with mm/track.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <pthread.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define RW   PROT_READ | PROT_WRITE
#define HUGE (512 * PAGE)

static int pagemap = -1;

static bool is_dirty(const void *p)
{
    uint64_t w = 0;
    EXPECT_IS(pread(pagemap, &w, sizeof(w), (uintptr_t)p / PAGE * sizeof(w)), sizeof(w));
    return w >> 55 & 1;
}

/* How many of @pages from @p on. */
static unsigned nr_dirty(const char *p, unsigned pages)
{
    unsigned nr = 0;
    for (unsigned i = 0; i < pages; i++)
        nr += is_dirty(p + i * PAGE);
    return nr;
}

static ssize_t refs_write(const char *what)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    ssize_t n = write(fd, what, strlen(what));
    int error = errno;

    close(fd);
    errno = error;
    return n;
}

static void forget_writes(void)
{
    EXPECT_IS(refs_write("4"), 1);
}

static char *map(size_t pages, int flags, int fd)
{
    char *p = mmap(NULL, pages * PAGE, RW, flags, fd, 0);
    madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
    return p;
}

static char *map_private(size_t pages)
{
    return map(pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static bool tracks_writes(void)
{
    char *p = map_private(1);
    p[0] = 1;
    bool tracks = is_dirty(p);
    munmap(p, PAGE);
    return tracks;
}

#define NEED_TRACKING                            \
    do {                                         \
        if (!tracks_writes())                    \
            SKIP("this Linux tracks no writes"); \
    } while (0)

static void what_is_new_counts_as_written(void)
{
    NEED_TRACKING;
    char *p = map_private(2);

    EXPECT_IS(nr_dirty(p, 2), 2); /* without a page */
    forget_writes();
    EXPECT_IS(nr_dirty(p, 2), 0);
    munmap(p, 2 * PAGE);
    char *q = map_private(2);
    EXPECT_IS(nr_dirty(q, 2), 2);
    munmap(q, 2 * PAGE);
    EXPECT_IS(nr_dirty(q, 2), 0);
}

static void a_write_is_seen_and_a_read_is_not(void)
{
    NEED_TRACKING;
    char *p = map_private(4);

    memset(p, 1, 2 * PAGE);
    forget_writes();
    EXPECT(look(p) == 1 && look(p + PAGE) == 1 && look(p + 2 * PAGE) == 0);
    EXPECT_IS(nr_dirty(p, 4), 0);
    p[PAGE]++;     /* was there */
    p[2 * PAGE]++; /* was zeros */
    p[3 * PAGE]++; /* was nothing */
    EXPECT(!is_dirty(p));
    EXPECT_IS(nr_dirty(p + PAGE, 3), 3);
    forget_writes();
    EXPECT_IS(nr_dirty(p, 4), 0);
    p[PAGE]++;
    EXPECT_IS(nr_dirty(p, 4), 1);
    munmap(p, 4 * PAGE);
}

static void rights_given_back_do_not_hide_the_first_write(void)
{
    NEED_TRACKING;
    int fd = memfd_create("soft_dirty", 0);
    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0);
    char *maps[] = {map_private(2), map(2, MAP_SHARED, fd), map(2, MAP_PRIVATE, fd)};

    for (int i = 0; i < 3; i++) {
        char *p = maps[i];
        p[0] = p[PAGE] = 1;
        forget_writes();
        EXPECT_IS(mprotect(p, 2 * PAGE, PROT_READ), 0);
        EXPECT_IS(nr_dirty(p, 2), 0);
        EXPECT_IS(mprotect(p, 2 * PAGE, RW), 0);
        EXPECT_IS(nr_dirty(p, 2), 0);
        p[0] = 2;
        EXPECT(is_dirty(p) && !is_dirty(p + PAGE));
        EXPECT_IS(mprotect(p, 2 * PAGE, PROT_NONE), 0);
        EXPECT_IS(mprotect(p, 2 * PAGE, RW), 0);
        EXPECT(is_dirty(p) && !is_dirty(p + PAGE));
        p[PAGE] = 2;
        EXPECT(is_dirty(p + PAGE));
        munmap(p, 2 * PAGE);
    }
    close(fd);
}

static void each_mapping_of_shared_memory_has_its_own_writes(void)
{
    NEED_TRACKING;
    int fd = memfd_create("soft_dirty", 0);
    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0);
    char *p = map(2, MAP_SHARED, fd), *q = map(2, MAP_SHARED, fd);

    p[0] = q[0] = 1;
    forget_writes();
    p[0] = 2;
    EXPECT(look(q) == 2 && look(q + PAGE) == 0);
    EXPECT(is_dirty(p) && nr_dirty(q, 2) == 0);
    EXPECT_IS(pwrite(fd, "x", 1, PAGE), 1); /* by no mapping at all */
    EXPECT(look(q + PAGE) == 'x');
    EXPECT_IS(nr_dirty(q, 2), 0);
    munmap(p, 2 * PAGE);
    munmap(q, 2 * PAGE);
    close(fd);
}

static void the_kernel_writes_as_the_program_does(void)
{
    NEED_TRACKING;
    char *p = map_private(4);
    int ends[2], mem = open("/proc/self/mem", O_RDWR);
    struct iovec from = {"vm", 2}, to = {p + PAGE, 2};

    memset(p, 1, 4 * PAGE);
    EXPECT_IS(pipe(ends), 0);
    EXPECT_IS(write(ends[1], "pipe", 4), 4);
    EXPECT_IS(mprotect(p + 3 * PAGE, PAGE, PROT_READ), 0);
    forget_writes();
    EXPECT_IS(read(ends[0], p, 4), 4);
    EXPECT_IS(nr_dirty(p, 4), 1);
    EXPECT_IS(process_vm_writev(getpid(), &from, 1, &to, 1, 0), 2);
    EXPECT_IS(nr_dirty(p, 4), 2);
    EXPECT_IS(pwrite(mem, "mem", 3, (uintptr_t)p + 2 * PAGE), 3);
    EXPECT_IS(nr_dirty(p, 4), 3);
    EXPECT_IS(pwrite(mem, "mem", 3, (uintptr_t)p + 3 * PAGE), 3); /* what may not be written */
    EXPECT_IS(nr_dirty(p, 4), 4);
    munmap(p, 4 * PAGE);
    close(ends[0]);
    close(ends[1]);
    close(mem);
}

/* In a child: 0 if @first of @nr pages are dirty, and again after a write to the last. */
static int child_sees(char *p, unsigned nr, unsigned first)
{
    pid_t pid = fork();
    int status = -1;

    if (!pid) {
        pagemap = open("/proc/self/pagemap", O_RDONLY);
        bool good = nr_dirty(p, nr) == first;
        p[(nr - 1) * PAGE]++;
        _exit(!(good && nr_dirty(p, nr) == first + 1));
    }
    waitpid(pid, &status, 0);
    return status;
}

static void a_fork_keeps_what_was_written(void)
{
    NEED_TRACKING;
    char *p = map_private(3);

    memset(p, 1, 3 * PAGE);
    forget_writes();
    p[0] = 2;
    EXPECT_IS(child_sees(p, 3, 1), 0);
    EXPECT_IS(nr_dirty(p, 3), 1);
    p[PAGE] = 2; /* a copy, or the same page again */
    EXPECT_IS(nr_dirty(p, 3), 2);
    munmap(p, 3 * PAGE);
}

static void what_moved_counts_as_written(void)
{
    NEED_TRACKING;
    char *p = map_private(4), *hole = map_private(8);

    munmap(hole, 8 * PAGE);
    p[0] = p[PAGE] = 1;
    forget_writes();
    char *q = mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, hole);
    EXPECT(q == hole);
    EXPECT_IS(nr_dirty(q, 2), 2);
    forget_writes();
    EXPECT_IS(nr_dirty(q, 4), 0);
    q[0] = 2;
    EXPECT_IS(nr_dirty(q, 4), 1);
    munmap(q, 4 * PAGE);
}

static void pages_that_went_are_found_again_by_writes(void)
{
    NEED_TRACKING;
    char *p = map_private(2);

    memset(p, 1, 2 * PAGE);
    forget_writes();
    p[0] = 2;
    EXPECT_IS(madvise(p, 2 * PAGE, MADV_DONTNEED), 0);
    EXPECT_IS(nr_dirty(p, 2), 0);
    EXPECT(look(p) == 0);
    EXPECT_IS(nr_dirty(p, 2), 0);
    p[PAGE] = 1;
    EXPECT_IS(nr_dirty(p, 2), 1);
    munmap(p, 2 * PAGE);
}

static void a_huge_page_is_written_as_a_whole(void)
{
    NEED_TRACKING;
    huge_pages_allow();
    char *p = place_of_units(HUGE);

    EXPECT(mmap(p, HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
    EXPECT_IS(madvise(p, HUGE, MADV_HUGEPAGE), 0);
    p[0] = 1;
    if (smaps(p, HUGE, "AnonHugePages") == 0) {
        munmap(p, HUGE);
        SKIP("no huge page is to be had");
    }
    forget_writes();
    EXPECT_IS(nr_dirty(p, 512), 0);
    p[5 * PAGE] = 1;
    EXPECT_IS(nr_dirty(p, 512), 512);
    EXPECT_IS(mprotect(p, PAGE, PROT_READ), 0); /* small pages from now on */
    EXPECT_IS(nr_dirty(p, 512), 512);
    forget_writes();
    p[7 * PAGE] = 1;
    EXPECT_IS(nr_dirty(p, 512), 1);
    munmap(p, HUGE);
}

static void a_clean_huge_page_stays_clean_in_parts(void)
{
    NEED_TRACKING;
    huge_pages_allow();
    char *p = place_of_units(HUGE);

    EXPECT(mmap(p, HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
    EXPECT_IS(madvise(p, HUGE, MADV_HUGEPAGE), 0);
    p[0] = 1;
    forget_writes();
    EXPECT_IS(mprotect(p, PAGE, PROT_READ), 0);
    EXPECT_IS(mprotect(p, PAGE, RW), 0);
    EXPECT_IS(nr_dirty(p, 512), 0);
    p[9 * PAGE] = 1;
    EXPECT(is_dirty(p + 9 * PAGE));
    munmap(p, HUGE);
}

static unsigned nr_areas(const char *p, size_t len)
{
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned long start, end;
    char line[512];
    unsigned nr = 0;

    while (f && fgets(line, sizeof(line), f))
        nr += sscanf(line, "%lx-%lx ", &start, &end) == 2 && start < (uintptr_t)p + len &&
              end > (uintptr_t)p;
    if (f)
        fclose(f);
    return nr;
}

static void old_and_new_areas_merge_and_count_as_new(void)
{
    NEED_TRACKING;
    char *p = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    EXPECT(mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
    EXPECT_IS(nr_dirty(p, 1), 1);
    forget_writes();
    EXPECT(mmap(p + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + PAGE);
    EXPECT_IS(nr_areas(p, 2 * PAGE), 1);
    EXPECT_IS(nr_dirty(p, 2), 2);
    munmap(p, 4 * PAGE);
}

static bool has_flag(const char *p, const char *flag)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    unsigned long start, end;
    bool inside = false, has = false;
    char line[512];

    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            inside = start <= (uintptr_t)p && (uintptr_t)p < end;
        else if (inside && !strncmp(line, "VmFlags:", 8))
            has = strstr(line, flag);
    }
    if (f)
        fclose(f);
    return has;
}

static void smaps_tells_new_areas(void)
{
    NEED_TRACKING;
    char *p = map_private(1);

    EXPECT(has_flag(p, " sd"));
    forget_writes();
    EXPECT(!has_flag(p, " sd"));
    munmap(p, PAGE);
}

struct writer {
    _Atomic unsigned *word;
    _Atomic bool stop;
};

static void *write_on(void *arg)
{
    struct writer *w = arg;
    while (!w->stop)
        (*w->word)++;
    return NULL;
}

static void no_write_of_another_thread_is_missed(void)
{
    NEED_TRACKING;
    struct writer w = {.word = (void *)map_private(1)};
    pthread_t thread;

    EXPECT_IS(pthread_create(&thread, NULL, write_on, &w), 0);
    for (int i = 0; i < 200; i++) {
        forget_writes();
        unsigned before = *w.word;
        while (*w.word == before)
            sched_yield();
        EXPECT(is_dirty((void *)w.word)); /* its last write came after we forgot */
    }
    w.stop = true;
    pthread_join(thread, NULL);
    munmap((void *)w.word, PAGE);
}

static void accesses_are_forgotten_by_kind(void)
{
    int fd = memfd_create("soft_dirty", 0);
    EXPECT_IS(ftruncate(fd, 4 * PAGE), 0);
    char *p = map_private(4), *q = map(4, MAP_SHARED, fd);

    memset(p, 1, 4 * PAGE);
    memset(q, 1, 4 * PAGE);
    EXPECT_IS(smaps(p, 4 * PAGE, "Referenced"), 16);
    EXPECT_IS(smaps(q, 4 * PAGE, "Referenced"), 16);
    EXPECT_IS(refs_write("3\n"), 2);
    EXPECT_IS(smaps(p, 4 * PAGE, "Referenced"), 16);
    EXPECT_IS(smaps(q, 4 * PAGE, "Referenced"), 0);
    EXPECT_IS(refs_write("2"), 1);
    EXPECT_IS(smaps(p, 4 * PAGE, "Referenced"), 0);
    EXPECT_IS(smaps(p, 4 * PAGE, "Rss"), 16);
    EXPECT(p[0] == 1 && q[0] == 1);
    EXPECT_IS(refs_write("1"), 1);
    munmap(p, 4 * PAGE);
    munmap(q, 4 * PAGE);
    close(fd);
}

/* A line of /proc/self/status in kB. */
static long status_kib(const char *name)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;

    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
            kib = strtol(line + strlen(name) + 1, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

static void the_peak_is_kept_until_it_is_forgotten(void)
{
    enum { PAGES = 2048, SLACK = 1024 }; /* kernels count in batches */
    char *p = map_private(PAGES);

    memset(p, 1, PAGES * PAGE);
    munmap(p, PAGES * PAGE);
    EXPECT(status_kib("VmHWM") >= status_kib("VmRSS") + PAGES * 4 - SLACK);
    EXPECT_IS(refs_write("5"), 1);
    EXPECT(status_kib("VmHWM") <= status_kib("VmRSS") + SLACK);
    EXPECT(status_kib("VmPeak") >= status_kib("VmSize") + PAGES * 4 - SLACK);
}

static void other_numbers_are_refused(void)
{
    EXPECT_ERR(refs_write("0"), EINVAL);
    EXPECT_ERR(refs_write("6"), EINVAL);
    EXPECT_ERR(refs_write("-1"), EINVAL);
    EXPECT_ERR(refs_write("x"), EINVAL);
    EXPECT_ERR(open("/proc/self/clear_refs", O_RDONLY | O_DIRECTORY), ENOTDIR);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(what_is_new_counts_as_written),
        TEST(a_write_is_seen_and_a_read_is_not),
        TEST(rights_given_back_do_not_hide_the_first_write),
        TEST(each_mapping_of_shared_memory_has_its_own_writes),
        TEST(the_kernel_writes_as_the_program_does),
        TEST(a_fork_keeps_what_was_written),
        TEST(what_moved_counts_as_written),
        TEST(pages_that_went_are_found_again_by_writes),
        TEST(a_huge_page_is_written_as_a_whole),
        TEST(a_clean_huge_page_stays_clean_in_parts),
        TEST(old_and_new_areas_merge_and_count_as_new),
        TEST(smaps_tells_new_areas),
        TEST(no_write_of_another_thread_is_missed),
        TEST(accesses_are_forgotten_by_kind),
        TEST(the_peak_is_kept_until_it_is_forgotten),
        TEST(other_numbers_are_refused),
    };
    pagemap = open("/proc/self/pagemap", O_RDONLY);
    return KTAP_MAIN(tests);
}
