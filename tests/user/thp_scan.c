/* SPDX-License-Identifier: MIT */
/*
 * tests/user/thp_scan.c - khugepaged: small pages become huge ones while the program does nothing
 *
 * Room:   tests/user. Sets khugepaged's pace and limits, so it runs on machines started for it.
 * Owns:   those settings, while it runs.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.1.
 * Source: Linux Documentation/admin-guide/mm/transhuge.rst, "Khugepaged controls".
 * Tour:   after tests/user/thp.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#define HUGE    (512 * PAGE)
#define RW      PROT_READ | PROT_WRITE
#define SETTING "/sys/kernel/mm/transparent_hugepage/"

enum { PATIENCE_MS = 10000, PAUSE_MS = 10, WRITES_MAX = 10000000 };

#define ONLY_OURS           \
    if (!machine_is_ours()) \
    SKIP("not our machine")

#define HUGE_KIB(p) smaps((p), HUGE, "AnonHugePages")
#define RSS_KIB(p)  smaps((p), HUGE, "Rss")

static void set(const char *name, const char *value)
{
    EXPECT(huge_pages_set(name, value));
}

static long get(const char *name)
{
    char path[128];
    long value = -1;

    snprintf(path, sizeof(path), SETTING "%s", name);
    FILE *f = fopen(path, "r");
    if (!f || fscanf(f, "%ld", &value) != 1)
        value = -1;
    if (f)
        fclose(f);
    return value;
}

/* A unit whose first @pages are small ones and say which they are; then it may be huge. */
static char *small_unit(size_t pages)
{
    char *p = mmap(NULL, 3 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *at = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));

    munmap(p, at - p);
    munmap(at + HUGE, p + 3 * HUGE - (at + HUGE));
    EXPECT_IS(madvise(at, HUGE, MADV_NOHUGEPAGE), 0);
    for (size_t i = 0; i < pages; i++)
        *(size_t *)(at + i * PAGE) = i + 1;
    EXPECT_IS(HUGE_KIB(at), 0);
    EXPECT_IS(madvise(at, HUGE, MADV_HUGEPAGE), 0);
    return at;
}

static bool marked(const char *p, size_t pages)
{
    for (size_t i = 0; i < 512; i++)
        if (*(const size_t *)(p + i * PAGE) != (i < pages ? i + 1 : 0))
            return false;
    return true;
}

static void sleep_ms(long ms)
{
    struct timespec t = {.tv_nsec = ms * 1000000};

    nanosleep(&t, NULL);
}

/* Two whole scans from now on: whatever can be collapsed has been. */
static bool wait_for_scans(void)
{
    long until = get("khugepaged/full_scans") + 2;

    for (int ms = 0; ms < PATIENCE_MS; ms += PAUSE_MS) {
        if (get("khugepaged/full_scans") >= until)
            return true;
        sleep_ms(PAUSE_MS);
    }
    return false;
}

static void becomes_huge(char *p)
{
    for (int ms = 0; ms < PATIENCE_MS && HUGE_KIB(p) == 0; ms += PAUSE_MS)
        sleep_ms(PAUSE_MS);
    EXPECT_IS(HUGE_KIB(p), 2048);
    EXPECT_IS(RSS_KIB(p), 2048);
}

static void stays_small(char *p, long rss_kib)
{
    EXPECT(wait_for_scans());
    EXPECT_IS(HUGE_KIB(p), 0);
    EXPECT_IS(RSS_KIB(p), rss_kib);
}

static void small_pages_become_a_huge_one(void)
{
    ONLY_OURS;
    long collapsed = get("khugepaged/pages_collapsed");
    char *p = small_unit(512);

    becomes_huge(p);
    EXPECT(get("khugepaged/pages_collapsed") > collapsed);
    EXPECT(marked(p, 512));
    *(size_t *)p = 1;
    munmap(p, HUGE);
}

static void missing_pages_are_limited(void)
{
    ONLY_OURS;
    char *p = small_unit(100);

    becomes_huge(p); /* 511 may be missing */
    EXPECT(marked(p, 100));
    munmap(p, HUGE);
    set("khugepaged/max_ptes_none", "100");
    p = small_unit(411);
    stays_small(p, 411 * 4);
    *(volatile char *)(p + 411 * PAGE); /* zeros are as good as missing */
    stays_small(p, 411 * 4);
    *(size_t *)(p + 411 * PAGE) = 412;
    becomes_huge(p);
    EXPECT(marked(p, 412));
    munmap(p, HUGE);
    set("khugepaged/max_ptes_none", "511");
}

static void shared_pages_are_limited(void)
{
    ONLY_OURS;
    set("khugepaged/max_ptes_shared", "10");
    char *p = small_unit(512);
    EXPECT_IS(madvise(p, HUGE, MADV_NOHUGEPAGE), 0);
    int to[2], status;
    EXPECT_IS(pipe(to), 0);
    pid_t child = fork();
    if (child == 0) {
        char c;
        close(to[1]);
        _exit(read(to[0], &c, 1) == 0 && marked(p, 512) ? 0 : 1);
    }
    close(to[0]);
    for (int i = 0; i < 501; i++) /* mine again */
        *(volatile size_t *)(p + i * PAGE) = i + 1;
    EXPECT_IS(madvise(p, HUGE, MADV_HUGEPAGE), 0);
    stays_small(p, 2048);
    *(volatile size_t *)(p + 501 * PAGE) = 502;
    becomes_huge(p);
    close(to[1]);
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
    EXPECT(marked(p, 512));
    munmap(p, HUGE);
    set("khugepaged/max_ptes_shared", "256");
}

/* The child's leaves go to the parent's huge page, which counts as one leaf of it. */
static void parts_of_a_shared_huge_page_are_limited_too(void)
{
    ONLY_OURS;
    set("khugepaged/max_ptes_shared", "10");
    char *p = small_unit(512);
    int status;

    becomes_huge(p);
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 0; i < 501; i++)
            *(volatile size_t *)(p + i * PAGE) = i + 1;
        stays_small(p, 2048);
        *(volatile size_t *)(p + 501 * PAGE) = 502;
        becomes_huge(p);
        _exit(!ktap_failed && marked(p, 512) ? 0 : 1);
    }
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
    EXPECT_IS(HUGE_KIB(p), 2048);
    munmap(p, HUGE);
    set("khugepaged/max_ptes_shared", "256");
}

/* It may have become huge before it was refused: then another is taken. */
static char *refused_unit(void)
{
    char *p = small_unit(512);

    EXPECT_IS(madvise(p, HUGE, MADV_NOHUGEPAGE), 0);
    for (int i = 0; i < 100 && HUGE_KIB(p); i++) {
        munmap(p, HUGE);
        p = small_unit(512);
        EXPECT_IS(madvise(p, HUGE, MADV_NOHUGEPAGE), 0);
    }
    return p;
}

static void area_process_and_machine_can_refuse(void)
{
    ONLY_OURS;
    char *p = refused_unit();

    becomes_huge(small_unit(3)); /* it is at work */
    EXPECT_IS(HUGE_KIB(p), 0);
    EXPECT_IS(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
    EXPECT_IS(madvise(p, HUGE, MADV_HUGEPAGE), 0);
    sleep_ms(100);
    EXPECT_IS(HUGE_KIB(p), 0);
    set("enabled", "never");
    EXPECT_IS(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
    sleep_ms(100);
    EXPECT_IS(HUGE_KIB(p), 0);
    set("enabled", "madvise");
    becomes_huge(p);
    EXPECT(marked(p, 512));
    munmap(p, HUGE);
}

static void child_is_looked_at_too(void)
{
    ONLY_OURS;
    char *p = small_unit(512);
    int status;

    becomes_huge(p);
    EXPECT_IS(madvise(p, PAGE, MADV_DONTNEED), 0);
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 0; i < 512; i++)
            *(size_t *)(p + i * PAGE) = i + 1;
        becomes_huge(p);
        _exit(!ktap_failed && marked(p, 512) ? 0 : 1);
    }
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
    munmap(p, HUGE);
}

static void objects_become_huge_as_shmem_enabled_says(void)
{
    ONLY_OURS;
    int fd = memfd_create("small", 0);
    char *p = small_unit(1);

    EXPECT_IS(ftruncate(fd, HUGE), 0);
    EXPECT(mmap(p, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == p);
    for (size_t i = 0; i < 300; i++)
        *(size_t *)(p + i * PAGE) = i + 1;
    EXPECT_IS(madvise(p, HUGE, MADV_HUGEPAGE), 0);
    becomes_huge(small_unit(3));
    EXPECT_IS(smaps(p, HUGE, "ShmemPmdMapped"), 0);
    set("shmem_enabled", "advise");
    for (int ms = 0; ms < PATIENCE_MS && smaps(p, HUGE, "ShmemPmdMapped") == 0; ms += PAUSE_MS) {
        sleep_ms(PAUSE_MS);
        *(volatile char *)p; /* the mapping is found again by a fault */
    }
    EXPECT_IS(smaps(p, HUGE, "ShmemPmdMapped"), 2048);
    EXPECT(marked(p, 300));
    set("shmem_enabled", "never");
    munmap(p, HUGE);
    close(fd);
}

/* A thread that never sleeps leaves the machine to others. */
static void pace_can_be_without_rest(void)
{
    ONLY_OURS;
    char *p = small_unit(512);

    EXPECT(!huge_pages_set("khugepaged/pages_to_scan", "0"));
    set("khugepaged/scan_sleep_millisecs", "0");
    becomes_huge(p);
    set("khugepaged/pages_to_scan", "1");
    sleep_ms(100);
    EXPECT(wait_for_scans());
    set("khugepaged/pages_to_scan", "100000");
    set("khugepaged/scan_sleep_millisecs", "5");
    EXPECT(marked(p, 512));
    munmap(p, HUGE);
}

static void writes_meanwhile_are_not_lost(void)
{
    ONLY_OURS;
    for (int round = 0; round < 10; round++) {
        char *p = small_unit(512);
        size_t n = 0;
        do {
            for (size_t i = 0; i < 512; i += 7)
                *(volatile size_t *)(p + i * PAGE + 8) = ++n;
        } while (HUGE_KIB(p) == 0 && n < WRITES_MAX);
        EXPECT(n < WRITES_MAX);
        bool kept = true;
        for (size_t i = 511 / 7 * 7;; i -= 7, n--) {
            kept &= *(size_t *)(p + i * PAGE + 8) == n;
            if (i == 0)
                break;
        }
        EXPECT(kept && marked(p, 512));
        munmap(p, HUGE);
    }
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(small_pages_become_a_huge_one),
        TEST(missing_pages_are_limited),
        TEST(shared_pages_are_limited),
        TEST(parts_of_a_shared_huge_page_are_limited_too),
        TEST(area_process_and_machine_can_refuse),
        TEST(child_is_looked_at_too),
        TEST(objects_become_huge_as_shmem_enabled_says),
        TEST(pace_can_be_without_rest),
        TEST(writes_meanwhile_are_not_lost),
    };

    huge_pages_allow();
    if (machine_is_ours()) {
        set("khugepaged/max_ptes_none", "511");
        set("khugepaged/pages_to_scan", "100000");
        set("khugepaged/scan_sleep_millisecs", "5");
    }
    int failed = KTAP_MAIN(tests);
    if (machine_is_ours()) {
        set("khugepaged/pages_to_scan", "4096");
        huge_pages_allow();
    }
    return failed;
}
