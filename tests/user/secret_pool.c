/* SPDX-License-Identifier: MIT */
/*
 * tests/user/secret_pool.c - the pool of hidden pages as programs see it: /proc and /sys
 *
 * Room:   tests/user. Linux has no pool: there every test but the first is skipped.
 * Owns:   the settings below /sys/kernel/mm/secretmem while it runs, of a machine that is ours.
 * Locks:  none.
 * Always: (1) settings are as they were when a test is done.
 * Source: beyond-linux.md 1, 2, 7; docs/boot.md, secretmem.pool_*.
 * Tour:   after tests/user/secret.h; tests/kernel/secret_pool.c looks from inside.
 */
#define _GNU_SOURCE
#include "secret.h"
#include <sys/wait.h>

#define SYS_DIR "/sys/kernel/mm/secretmem/"
#define SOON_MS 2000 /* what the kernel does within 200 ms; emulators are slow */

static char text[65536];

/* The number behind @name in a file of such lines; -1: it is not there. */
static long number_in(const char *path, const char *name)
{
    int fd = open(path, O_RDONLY);
    ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    text[len > 0 ? len : 0] = 0;
    const char *at = strstr(text, name);
    return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

static long vmstat(const char *name)
{
    return number_in("/proc/vmstat", name);
}

static long setting(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), SYS_DIR "%s", name);
    return number_in(path, "");
}

static long set(const char *name, const char *value)
{
    char path[128];

    snprintf(path, sizeof(path), SYS_DIR "%s", name);
    int fd = open(path, O_WRONLY);
    if (fd < 0)
        return -1;
    long written = write(fd, value, strlen(value));
    int error = errno;
    close(fd);
    errno = error;
    return written == (long)strlen(value) ? 0 : -1;
}

#define NEED_POOL                                   \
    do {                                            \
        if (access(SYS_DIR "blocks", R_OK) < 0)     \
            SKIP("this kernel has no secret pool"); \
    } while (0)

static void touch(volatile char *p, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        p[i * PAGE] = 1;
}

static void drop(int fd, char *p, size_t pages)
{
    munmap(p, pages * PAGE);
    close(fd);
}

/* Does @is become true soon? */
static bool soon(bool (*is)(void))
{
    for (int ms = 0; ms < SOON_MS && !is(); ms += 10)
        usleep(10000);
    return is();
}

static long kb_2m, kb_4k; /* of the direct map, before the test */

static void map_remember(void)
{
    set("shrink", "1");
    kb_2m = meminfo("DirectMap2M");
    kb_4k = meminfo("DirectMap4k");
}

static bool map_is_whole(void)
{
    return meminfo("DirectMap2M") == kb_2m && meminfo("DirectMap4k") == kb_4k;
}

static void secrets_come_back_zero(void)
{
    for (unsigned round = 0; round < 3; round++) {
        int fd = secret_file(40);

        NEED_SECRET(fd);
        char *p = secret_map(fd, 40);
        for (size_t i = 0; i < 40; i++)
            EXPECT(p[i * PAGE] == 0 && p[i * PAGE + PAGE - 1] == 0);
        memset(p, 0x5a, 40 * PAGE);
        drop(fd, p, 40);
    }
}

static void many_pages_cost_the_direct_map_one_entry(void)
{
    NEED_POOL;
    map_remember();
    long splits = vmstat("direct_map_level2_splits ");
    int fd = secret_file(100);
    char *p = secret_map(fd, 100);
    touch(p, 100);
    EXPECT_IS(kb_2m - meminfo("DirectMap2M"), 2048);
    EXPECT_IS(meminfo("DirectMap4k"), kb_4k);
    EXPECT_IS(vmstat("direct_map_level2_splits "), splits);
    drop(fd, p, 100);
}

static void the_direct_map_is_whole_soon_after_the_last_secret(void)
{
    NEED_POOL;
    map_remember();
    int fd = secret_file(1200);
    char *p = secret_map(fd, 1200);
    touch(p, 1200);
    EXPECT(!map_is_whole());
    drop(fd, p, 1200);
    EXPECT(soon(map_is_whole));
    EXPECT_IS(setting("blocks"), 0);
    EXPECT_IS(vmstat("direct_map_level2_splits "), vmstat("direct_map_level2_collapses "));
    EXPECT_IS(vmstat("direct_map_level3_splits "), vmstat("direct_map_level3_collapses "));
}

static void what_nobody_uses_is_given_back_when_asked(void)
{
    NEED_POOL;
    map_remember();
    int fd = secret_file(1), other = secret_file(1);
    char *p = secret_map(fd, 1), *q = secret_map(other, 1);
    touch(p, 1);
    touch(q, 1);
    drop(fd, p, 1);
    EXPECT_IS(set("shrink", "1"), 0);
    EXPECT_IS(setting("blocks"), 1); /* the other page is in it */
    drop(other, q, 1);
    EXPECT_IS(set("shrink", "1"), 0);
    EXPECT_IS(setting("blocks"), 0);
    EXPECT(map_is_whole());
}

static void the_next_block_is_fetched_ahead(void)
{
    NEED_POOL;
    map_remember();
    long fills = vmstat("secretmem_fills ");
    int fd = secret_file(600);
    char *p = secret_map(fd, 600);
    touch(p, 512 - 100);
    EXPECT_IS(vmstat("secretmem_fills ") - fills, 1);
    EXPECT_IS(set("pool_low", "128"), 0);
    touch(p + 412 * PAGE, 1);
    for (int ms = 0; ms < SOON_MS && setting("blocks") < 2; ms += 10)
        usleep(10000);
    EXPECT_IS(setting("blocks"), 2);
    EXPECT(setting("free_pages") >= 512);
    EXPECT_IS(set("pool_low", "64"), 0);
    drop(fd, p, 600);
}

static void a_pool_of_one_page_splits_and_heals(void)
{
    NEED_POOL;
    EXPECT_IS(set("pool_pages", "1"), 0);
    map_remember();
    long heals = vmstat("direct_map_level2_collapses ");
    int fd = secret_file(20);
    char *p = secret_map(fd, 20);
    touch(p, 20);
    EXPECT(meminfo("DirectMap4k") > kb_4k);
    EXPECT_IS(setting("free_pages"), 0);
    EXPECT_IS(setting("blocks"), 20);
    drop(fd, p, 20);
    EXPECT(map_is_whole()); /* at once */
    EXPECT(vmstat("direct_map_level2_collapses ") > heals);
    EXPECT_IS(set("pool_pages", "512"), 0);
}

static void settings_are_checked(void)
{
    NEED_POOL;
    static const char *const wrong[] = {"0", "3", "1024", "-1", "x"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        EXPECT_ERR(set("pool_pages", wrong[i]), EINVAL);
    EXPECT_ERR(set("pool_low", "x"), EINVAL);
    EXPECT_ERR(set("pool_max", "99999999999999"), EINVAL);
    EXPECT_IS(setting("pool_pages"), 512);
    EXPECT_IS(setting("pool_low"), 64);
    EXPECT_IS(setting("pool_max"), 1024);
}

static void unused_pages_beyond_the_limit_are_not_kept(void)
{
    NEED_POOL;
    map_remember();
    EXPECT_IS(set("pool_max", "0"), 0);
    int fd = secret_file(600);
    char *p = secret_map(fd, 600);
    touch(p, 600);
    drop(fd, p, 600);
    EXPECT(soon(map_is_whole)); /* a block that was just being fetched may come late */
    EXPECT_IS(set("pool_max", "1024"), 0);
}

static void meminfo_tells_what_is_secret_to_the_page(void)
{
    NEED_POOL;
    long before = meminfo("SecretMem");
    int fd = secret_file(50);
    char *p = secret_map(fd, 50);
    touch(p, 17);
    EXPECT_IS(meminfo("SecretMem") - before, 17 * 4);
    touch(p, 20);
    EXPECT_IS(meminfo("SecretMem") - before, 20 * 4);
    drop(fd, p, 50);
    EXPECT_IS(meminfo("SecretMem"), before);
}

static void fdinfo_tells_what_is_resident(void)
{
    char path[64];

    NEED_POOL;
    int fd = secret_file(50);
    char *p = secret_map(fd, 50);
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    EXPECT_IS(number_in(path, "resident:\t"), 0);
    touch(p, 17);
    EXPECT_IS(number_in(path, "resident:\t"), 17 * 4096);
    drop(fd, p, 50);
}

static void pages_used_before_are_blank_already(void)
{
    NEED_POOL;
    map_remember();
    int keep = secret_file(1), fd = secret_file(30);
    char *k = secret_map(keep, 1), *p = secret_map(fd, 30);
    touch(k, 1);
    touch(p, 30);
    drop(fd, p, 30);
    long zeroed = vmstat("secretmem_zeroed "), hits = vmstat("secretmem_blank_hits ");
    fd = secret_file(30);
    p = secret_map(fd, 30);
    touch(p, 30);
    EXPECT_IS(vmstat("secretmem_zeroed "), zeroed);
    EXPECT_IS(vmstat("secretmem_blank_hits ") - hits, 30);
    drop(fd, p, 30);
    drop(keep, k, 1);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(secrets_come_back_zero),
        TEST(many_pages_cost_the_direct_map_one_entry),
        TEST(the_direct_map_is_whole_soon_after_the_last_secret),
        TEST(what_nobody_uses_is_given_back_when_asked),
        TEST(the_next_block_is_fetched_ahead),
        TEST(a_pool_of_one_page_splits_and_heals),
        TEST(settings_are_checked),
        TEST(unused_pages_beyond_the_limit_are_not_kept),
        TEST(meminfo_tells_what_is_secret_to_the_page),
        TEST(fdinfo_tells_what_is_resident),
        TEST(pages_used_before_are_blank_already),
    };

    return KTAP_MAIN(tests);
}
