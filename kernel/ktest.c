/* SPDX-License-Identifier: MIT */
/*
 * kernel/ktest.c - runs the tests that were linked in, and prints what came of them
 *
 * Room:   kernel. In a build without tests it prints an empty plan, and fails.
 * Owns:   the state of the running test, the serial line while tests run.
 * Locks:  none: one test at a time. The log's tap may be called by any CPU.
 * Always: (1) the plan comes first, so that a test that never ends is missed;
 *         (2) each result is a line of its own; everything else starts with "# ".
 * Source: KTAP version 1; trust.md V24 for the conservation of frames.
 * Tour:   after include/base/ktest.h.
 */
#include <base/ktest.h>

#include "log.h"
#include <asm/power.h>
#include <lib/format.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/buddy.h>
#include <mm/mm.h>
#include <mm/page.h>
#include <mm/secretmem.h>
#include <mm/slab.h>
#include <stdatomic.h>

extern const struct ktest __ktest_start[], __ktest_end[];

static struct {
    bool failed;
    const char *skipped; /* why, or NULL */
    const char *watched; /* NULL: no line is looked for */
    _Atomic bool seen;
} now;

static const char *options; /* the command line */

/* The one writer of this file: cuts at 300 bytes. */
static void print(const char *fmt, ...) __printf(1, 2);

static void print(const char *fmt, ...)
{
    char line[300];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(line, sizeof(line) - 1, fmt, args);
    va_end(args);
    len = min(len, (int)sizeof(line) - 2);
    line[len] = '\n';
    log_bytes(line, len + 1);
}

static bool contains(const char *text, const char *part)
{
    size_t len = strlen(part);

    for (; *text; text++)
        if (!strncmp(text, part, len))
            return true;
    return false;
}

/* Lines of the kernel's log come here instead of the serial line. */
static void take_log_line(const char *line)
{
    if (now.watched && contains(line, now.watched))
        atomic_store(&now.seen, true);
    print("# %s", line);
}

void ktest_failed(const char *file, int line, const char *claim, const char *fmt, ...)
{
    char values[160];
    va_list args;

    va_start(args, fmt);
    vsnprintf(values, sizeof(values), fmt, args);
    va_end(args);
    now.failed = true;
    print("# %s:%d: expected %s%s%s", file, line, claim, values[0] ? ": " : "", values);
}

void ktest_skip(const char *why)
{
    now.skipped = why;
}

void ktest_note(const char *fmt, ...)
{
    char text[280];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    print("# %s", text);
}

uint64_t ktest_option(const char *key, uint64_t otherwise)
{
    return parse_option_or(options, key, otherwise);
}

void ktest_log_watch(const char *text)
{
    atomic_store(&now.seen, false);
    now.watched = text;
}

bool ktest_log_seen(void)
{
    now.watched = NULL;
    return atomic_load(&now.seen);
}

static bool matches(const char *pattern, const char *name)
{
    if (*pattern == '*')
        return matches(pattern + 1, name) || (*name && matches(pattern, name + 1));
    return *pattern == *name && (!*name || matches(pattern + 1, name + 1));
}

/* One of "a,b*,c". */
static bool matches_any(const char *patterns, const char *name)
{
    char pattern[64];

    while (*patterns) {
        size_t len = 0;
        for (; *patterns && *patterns != ','; patterns++)
            if (len < sizeof(pattern) - 1)
                pattern[len++] = *patterns;
        pattern[len] = '\0';
        patterns += *patterns == ',';
        if (matches(pattern, name))
            return true;
    }
    return false;
}

static bool is_asked_for(const struct ktest *test, const char *patterns)
{
    return test->ends_machine ? !strcmp(patterns, test->name) : matches_any(patterns, test->name);
}

/* Free frames when no cache holds any back. */
static uint64_t frames_free(void)
{
    struct page_counts counts;

    secret_pool_shrink();
    slab_reclaim();
    buddy_reclaim();
    page_counts(&counts);
    return counts.free;
}

/* How many frames it kept. */
static int64_t run_and_check(const struct ktest *test)
{
    uint64_t before = frames_free();

    test->run();
    now.watched = NULL;
    EXPECT(vm_check() == 0);
    return (int64_t)(before - frames_free());
}

/* Returns whether it passed; a skip is a pass. */
static bool run_one(const struct ktest *test, unsigned number)
{
    now.failed = false;
    now.skipped = NULL;
    int64_t kept = run_and_check(test);
    if (kept) { /* what a cache keeps once is no leak: does a second run keep more? */
        ktest_note("%ld frames kept by the first run", kept);
        EXPECT_EQ(run_and_check(test), 0);
    }
    print("%sok %u %s%s%s", now.failed ? "not " : "", number, test->name,
          now.skipped ? " # SKIP " : "", now.skipped ? now.skipped : "");
    return !now.failed;
}

void ktest_run(const char *cmdline, const char *patterns)
{
    unsigned asked = 0, number = 0, failed = 0;

    options = cmdline;
    log_tap_set(take_log_line);
    for (const struct ktest *test = __ktest_start; test < __ktest_end; test++)
        asked += is_asked_for(test, patterns);
    print("KTAP version 1");
    print("1..%u", asked);
    for (const struct ktest *test = __ktest_start; test < __ktest_end; test++)
        if (is_asked_for(test, patterns))
            failed += !run_one(test, ++number);
    print("# kernel: %u passed, %u failed", asked - failed, failed);
    machine_power_off(failed || !asked ? EXIT_CODE_FAILED : EXIT_CODE_OK);
}
