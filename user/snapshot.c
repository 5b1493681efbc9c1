/* SPDX-License-Identifier: MIT */
/*
 * user/snapshot.c - three ways to copy a program's memory again only where it was written
 *
 *   soft-dirty           /proc/self/pagemap says which pages were written; clear_refs asks anew
 *   noted first writes   PAGEMAP_SCAN says it, and protects those pages in the same call
 *   live                 a page is copied before its first write: of one moment, without a pause
 *
 * Room:   user. A static Linux program; on Linux it prints the same.
 * Owns:   nothing outside this process.
 * Locks:  none: a writer and the one who copies meet in the kernel only.
 * Always: (1) the exit status is 0 if and only if every copy is what the memory was.
 * Source: Linux Documentation/admin-guide/mm/soft-dirty.rst, pagemap.rst, userfaultfd.rst.
 * Tour:   after user/tour.c; then mm/track.c, kernel/pagemap_scan.c, mm/userfault_wp.c.
 */
#define _GNU_SOURCE
#include "../include/uapi/pagemap.h"
#include "../include/uapi/syscall.h"
#include "../include/uapi/userfaultfd.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096UL

enum { PAGES = 256, ROUNDS = 8, SOFT_DIRTY_BIT = 55 };

static char *memory;           /* what is watched */
static char copy[PAGES][PAGE]; /* what it was when it was last looked at */
static unsigned pages_copied;  /* since the first, whole copy */
static int pagemap = -1, uffd = -1;

static void copy_page(size_t page)
{
    memcpy(copy[page], memory + page * PAGE, PAGE);
    pages_copied++;
}

/* Watch the memory by a userfaultfd with these features. False: this kernel lacks them. */
static bool watch(uint64_t features)
{
    struct uapi_uffdio_api api = {.api = UFFD_API, .features = features};
    struct uapi_uffdio_register all = {
        {(uintptr_t)memory, PAGES * PAGE}, UFFDIO_REGISTER_MODE_WP, 0};

    uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    return uffd >= 0 && ioctl(uffd, (int)UFFDIO_API, &api) == 0 &&
           ioctl(uffd, (int)UFFDIO_REGISTER, &all) == 0;
}

/* Some pages are written, others in each round. Returns how many. */
static unsigned write_some(unsigned round)
{
    unsigned written = 0;

    for (size_t page = round; page < PAGES; page += 7 + 5 * round, written++)
        memory[page * PAGE + 11 * round] += 1;
    return written;
}

/* --- soft-dirty --- */

static bool forget_writes(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    bool forgot = fd >= 0 && write(fd, "4", 1) == 1;

    close(fd);
    return forgot;
}

/* Nobody writes between the two steps: the memory's own thread does this. */
static bool copy_soft_dirty(void)
{
    uint64_t words[PAGES];
    off_t at = (off_t)((uintptr_t)memory / PAGE * sizeof(words[0]));

    if (pread(pagemap, words, sizeof(words), at) != sizeof(words))
        return false;
    for (size_t page = 0; page < PAGES; page++)
        if (words[page] >> SOFT_DIRTY_BIT & 1)
            copy_page(page);
    return forget_writes();
}

/* Is there a kernel that tracks writes? It forgets them, and sees the next. */
static bool begin_soft_dirty(void)
{
    uint64_t word = 0;
    off_t at = (off_t)((uintptr_t)memory / PAGE * sizeof(word));

    memory[0] += 1;
    return forget_writes() && pread(pagemap, &word, sizeof(word), at) == sizeof(word) &&
           !(word >> SOFT_DIRTY_BIT & 1) && (memory[0] += 1) &&
           pread(pagemap, &word, sizeof(word), at) == sizeof(word) && word >> SOFT_DIRTY_BIT & 1;
}

/* --- noted first writes --- */

/* A write after the scan is noted anew; one before it is told. So others may write meanwhile. */
static bool copy_noted(void)
{
    static struct uapi_page_region regions[PAGES];
    struct uapi_pm_scan scan = {.size = sizeof(scan),
                                .flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
                                .start = (uintptr_t)memory,
                                .end = (uintptr_t)memory + PAGES * PAGE,
                                .vec = (uintptr_t)regions,
                                .vec_len = PAGES,
                                .category_mask = PAGE_IS_WRITTEN,
                                .return_mask = PAGE_IS_WRITTEN};

    int nr = ioctl(pagemap, PAGEMAP_SCAN, &scan);
    for (int i = 0; i < nr; i++)
        for (uint64_t at = regions[i].start; at < regions[i].end; at += PAGE)
            copy_page((at - scan.start) / PAGE);
    return nr >= 0;
}

static bool begin_noted(void)
{
    return watch(UFFD_FEATURE_WP_ASYNC) && copy_noted();
}

/* --- in rounds --- */

/* A whole copy, and then only what was written: it is the memory each time. */
static int show_rounds(const char *how, bool (*begin)(void), bool (*copy_written)(void))
{
    unsigned written = 0;
    bool right = true;

    if (!begin()) {
        printf("%-20s this kernel does not offer it\n", how);
        return 0;
    }
    right = copy_written();
    memcpy(copy, memory, sizeof(copy));
    pages_copied = 0;
    for (unsigned round = 1; round <= ROUNDS && right; round++) {
        written += write_some(round);
        right = copy_written() && memcmp(copy, memory, sizeof(copy)) == 0;
    }
    right &= pages_copied == written;
    printf("%-20s %u of %u pages copied again in %u rounds: %s\n", how, pages_copied,
           PAGES * ROUNDS, ROUNDS, right ? "each time as the memory was" : "wrong");
    return right ? 0 : 1;
}

/* --- live --- */

static volatile bool stop;
static volatile unsigned long last_written;

/* Each page holds the number of its last write, and they are written in turn: at any one moment
 * PAGES numbers in a row. */
static void *write_in_turn(void *unused)
{
    for (unsigned long number = PAGES; !stop; number++) {
        *(volatile unsigned long *)(memory + number % PAGES * PAGE) = number;
        last_written = number;
    }
    return unused;
}

static int protect(size_t page, size_t pages, uint64_t mode)
{
    struct uapi_uffdio_writeprotect w = {{(uintptr_t)memory + page * PAGE, pages * PAGE}, mode};
    return ioctl(uffd, (int)UFFDIO_WRITEPROTECT, &w);
}

/* Copy the page as it was, and let it be written. */
static void release_page(size_t page, bool *done)
{
    if (!done[page])
        copy_page(page);
    done[page] = true;
    protect(page, 1, 0);
}

/* Who waits for a page goes first. */
static void release_waiting(bool *done)
{
    struct uapi_uffd_msg msg;

    while (read(uffd, &msg, sizeof(msg)) == sizeof(msg))
        release_page((msg.address - (uintptr_t)memory) / PAGE, done);
}

static void copy_live(void)
{
    bool done[PAGES] = {false};

    protect(0, PAGES, UFFDIO_WRITEPROTECT_WP); /* the moment that is copied */
    for (size_t page = 0; page < PAGES; page++) {
        release_waiting(done);
        if (!done[page])
            release_page(page, done);
    }
    release_waiting(done);
}

static bool is_of_one_moment(unsigned long *latest)
{
    unsigned long lowest = ~0UL;

    *latest = 0;
    for (size_t page = 0; page < PAGES; page++) {
        unsigned long number;
        memcpy(&number, copy[page], sizeof(number));
        *latest = number > *latest ? number : *latest;
        lowest = number < lowest ? number : lowest;
        if (number % PAGES != page)
            return false;
    }
    return *latest - lowest == PAGES - 1;
}

static int show_live(void)
{
    unsigned long latest = 0;
    bool right = true;
    pthread_t writer;

    if (!watch(0)) {
        printf("%-20s this kernel does not offer it\n", "live");
        return 0;
    }
    for (unsigned long page = 0; page < PAGES; page++)
        memcpy(memory + page * PAGE, &page, sizeof(page));
    pthread_create(&writer, NULL, write_in_turn, NULL);
    for (int i = 0; i < ROUNDS && right; i++) {
        copy_live();
        right = is_of_one_moment(&latest);
        while (last_written <= latest) /* it is written on */
            usleep(100);
    }
    stop = true;
    pthread_join(writer, NULL);
    printf("%-20s %u copies while the memory was written: %s\n", "live", ROUNDS,
           right ? "each of one moment" : "wrong");
    return right ? 0 : 1;
}

static char *new_memory(void)
{
    char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED)
        memset(p, 1, PAGES * PAGE);
    return p;
}

int main(void)
{
    int failures = 0;

    pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    memory = new_memory();
    failures += show_rounds("soft-dirty", begin_soft_dirty, copy_soft_dirty);
    memory = new_memory();
    failures += show_rounds("noted first writes", begin_noted, copy_noted);
    memory = new_memory();
    failures += show_live();
    return failures ? 1 : 0;
}
