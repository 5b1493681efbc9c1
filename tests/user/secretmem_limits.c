/* SPDX-License-Identifier: MIT */
/*
 * tests/user/secretmem_limits.c - how much secret memory there may be, and that it stays in memory
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18, those of hibernation on Debian's 6.1.
 * Source: memfd_secret(2), mlock(2), getrlimit(2), proc_pid_smaps(5), proc_pid_status(5).
 * Tour:   after tests/user/secretmem_map.c.
 */
#define _GNU_SOURCE
#include "secret.h"
#include "smaps.h"
#include <sys/resource.h>

#define LIMIT_PAGES 16
#define PAGES       4

static int fd;

/* An ordinary user with room for LIMIT_PAGES locked pages, and a file of twice as many. */
static void become_limited(void)
{
    const struct rlimit limit = {LIMIT_PAGES * PAGE, LIMIT_PAGES * PAGE};

    EXPECT_IS(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    become_nobody();
    fd = secret_file(2 * LIMIT_PAGES);
}

static char *map(size_t pages)
{
    return mmap(NULL, pages * PAGE, RW, MAP_SHARED, fd, 0);
}

#define NEED_ANY                         \
    do {                                 \
        fd = secret(0);                  \
        if (fd < 0 && errno == ENOSYS)   \
            SKIP("memfd_secret is off"); \
        close(fd);                       \
    } while (0)

#define NEED_LIMITS                   \
    do {                              \
        NEED_ROOT;                    \
        NEED_ANY;                     \
        if (linux_before(6, 13))      \
            SKIP("had another rule"); \
    } while (0)

#define NEED_PAGES                    \
    do {                              \
        if (linux_before(6, 13))      \
            SKIP("had another rule"); \
        fd = secret_file(PAGES);      \
        NEED_SECRET(fd);              \
    } while (0)

/* mmap */

static void as_user_map(void)
{
    become_limited();
    EXPECT(map(LIMIT_PAGES + 1) == MAP_FAILED && errno == EAGAIN);
    char *p = map(LIMIT_PAGES);
    EXPECT(p != MAP_FAILED);
    EXPECT(map(1) == MAP_FAILED && errno == EAGAIN); /* another mapping counts again */
    EXPECT_IS(munmap(p, PAGE), 0);
    EXPECT(map(1) != MAP_FAILED);
}

static void what_is_mapped_counts_as_locked(void)
{
    NEED_LIMITS;
    in_child(as_user_map);
}

static void as_user_untouched(void)
{
    become_limited();
    char *p = map(LIMIT_PAGES);
    EXPECT_IS(smaps(p, LIMIT_PAGES * PAGE, "Rss"), 0);
    EXPECT(map(1) == MAP_FAILED && errno == EAGAIN);
}

static void the_length_counts_not_what_is_touched(void)
{
    NEED_LIMITS;
    in_child(as_user_untouched);
}

static void as_user_fixed(void)
{
    become_limited();
    char *p = map(LIMIT_PAGES);
    void *again = mmap(p, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    EXPECT(again == MAP_FAILED && errno == EAGAIN); /* Linux has unmapped the old one by then */
}

static void what_is_replaced_counts_still(void)
{
    NEED_LIMITS;
    in_child(as_user_fixed);
}

static void as_user_grow(void)
{
    become_limited();
    char *p = map(LIMIT_PAGES);
    char *q = mremap(p, LIMIT_PAGES * PAGE, (LIMIT_PAGES + 1) * PAGE, MREMAP_MAYMOVE);
    EXPECT(q == MAP_FAILED && errno == EAGAIN);
    EXPECT(mremap(p, LIMIT_PAGES * PAGE, PAGE, 0) == p);
    EXPECT(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
}

static void mremap_keeps_the_limit(void)
{
    NEED_LIMITS;
    in_child(as_user_grow);
}

static void as_user_locked(void)
{
    become_limited();
    char *plain = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_IS(mlock(plain, PAGE), 0);
    EXPECT(map(LIMIT_PAGES) == MAP_FAILED && errno == EAGAIN);
    EXPECT(map(LIMIT_PAGES - 1) != MAP_FAILED);
    char *more = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_ERR(mlock(more, PAGE), ENOMEM);
}

static void locked_pages_and_secrets_share_one_limit(void)
{
    NEED_LIMITS;
    in_child(as_user_locked);
}

static void as_user_zero(void)
{
    const struct rlimit none = {0, 0};

    EXPECT_IS(setrlimit(RLIMIT_MEMLOCK, &none), 0);
    become_nobody();
    fd = secret_file(1);
    EXPECT(fd >= 0);
    EXPECT(map(1) == MAP_FAILED && errno == EAGAIN);
}

static void without_a_limit_to_use_nothing_is_mapped(void)
{
    NEED_LIMITS;
    in_child(as_user_zero);
}

static void as_root(void)
{
    const struct rlimit none = {0, 0};

    EXPECT_IS(setrlimit(RLIMIT_MEMLOCK, &none), 0);
    fd = secret_file(2);
    EXPECT(map(2) != MAP_FAILED);
}

static void root_is_not_limited(void)
{
    NEED_LIMITS;
    in_child(as_root);
}

static void child_of_limited(void)
{
    EXPECT(map(1) != MAP_FAILED); /* the parent's mapping came along, and does not count */
}

static void as_user_fork(void)
{
    become_limited();
    char *p = map(LIMIT_PAGES);
    *p = 1;
    in_child(child_of_limited);
    EXPECT(map(1) == MAP_FAILED);
}

static void a_child_begins_with_nothing_locked(void)
{
    NEED_LIMITS;
    in_child(as_user_fork);
}

/* What the kernel tells */

/* The number behind @name in /proc/self/status. */
static long status(const char *name)
{
    char line[256];
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "r");

    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, name, strlen(name)))
            kib = strtol(line + strlen(name) + 1, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

static void status_counts_all_that_is_mapped(void)
{
    NEED_PAGES;
    long before = status("VmLck");
    char *p = map(PAGES);
    EXPECT_IS(status("VmLck") - before, PAGES * 4);
    munmap(p, PAGE);
    EXPECT_IS(status("VmLck") - before, (PAGES - 1) * 4);
    munmap(p + PAGE, (PAGES - 1) * PAGE);
    EXPECT_IS(status("VmLck"), before);
    close(fd);
}

static void maps_names_the_device_that_fstat_does(void)
{
    unsigned major = 0, minor = 0;
    struct stat st = {0};
    char line[512];

    NEED_PAGES;
    char *p = map(PAGES);
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && fgets(line, sizeof line, f))
        if (strstr(line, "/secretmem (deleted)"))
            EXPECT_IS(sscanf(line, "%*s %*s %*s %x:%x", &major, &minor), 2);
    if (f)
        fclose(f);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_dev, major << 8 | minor);
    EXPECT(minor);
    munmap(p, PAGES * PAGE);
    close(fd);
}

/* Do the flags of the area at @p say @flag? */
static bool area_says(const char *p, const char *flag)
{
    char line[512], wanted[8];
    unsigned long start, end;
    bool inside = false, says = false;
    FILE *f = fopen("/proc/self/smaps", "r");

    snprintf(wanted, sizeof wanted, " %s ", flag);
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            inside = start <= (uintptr_t)p && (uintptr_t)p < end;
        else if (inside && !strncmp(line, "VmFlags:", 8))
            says = strstr(line, wanted);
    }
    if (f)
        fclose(f);
    return says;
}

static void smaps_says_locked_and_not_dumped(void)
{
    static const char *const flags[] = {"rd", "wr", "sh", "mr", "mw", "ms", "lo", "dd"};

    NEED_PAGES;
    char *p = map(PAGES);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        EXPECT(area_says(p, flags[i]));
    EXPECT(!area_says(p, "ex") && !area_says(p, "me") && !area_says(p, "de"));
    munmap(p, PAGES * PAGE);
    close(fd);
}

static void smaps_counts_what_is_there(void)
{
    NEED_PAGES;
    char *p = map(PAGES);
    p[0] = p[PAGE] = 1;
    EXPECT_IS(smaps(p, PAGES * PAGE, "Size"), PAGES * 4);
    EXPECT_IS(smaps(p, PAGES * PAGE, "Rss"), 8);
    EXPECT_IS(smaps(p, PAGES * PAGE, "Pss"), 8);
    EXPECT_IS(smaps(p, PAGES * PAGE, "Locked"), 8);
    EXPECT_IS(smaps(p, PAGES * PAGE, "Anonymous"), 0);
    EXPECT_IS(smaps(p, PAGES * PAGE, "Swap"), 0);
    munmap(p, PAGES * PAGE);
    close(fd);
}

static void files_say_what_they_have_in_one_place_only(void)
{
    struct stat st = {0};

    NEED_PAGES;
    char *p = map(PAGES);
    p[0] = p[PAGE] = 1;
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_blocks, 0); /* as on Linux */
    EXPECT(secret_kib(fd) == 8 || secret_kib(fd) == -1);
    munmap(p, PAGES * PAGE);
    EXPECT(secret_kib(fd) == 8 || secret_kib(fd) == -1);
    close(fd);
}

/* mlock and its relatives */

static void mlock_cannot_and_munlock_does_not(void)
{
    NEED_PAGES;
    char *p = map(PAGES);
    *p = 1;
    EXPECT_ERR(mlock(p, PAGE), ENOMEM);
    EXPECT_ERR(syscall(SYS_mlock2, p, PAGE, 1 /* when it is touched */), ENOMEM);
    EXPECT_IS(munlock(p, PAGES * PAGE), 0);
    EXPECT(area_says(p, "lo"));
    munmap(p, PAGES * PAGE);
    close(fd);
}

static void all_can_be_locked_with_a_secret_in_it(void)
{
    NEED_PAGES;
    char *p = map(PAGES);
    EXPECT_IS(mlockall(MCL_CURRENT), 0);
    EXPECT_IS(munlockall(), 0);
    EXPECT(area_says(p, "lo"));
    EXPECT_IS(smaps(p, PAGES * PAGE, "Rss"), 0);
    munmap(p, PAGES * PAGE);
    close(fd);
}

static void as_future(void)
{
    EXPECT_IS(mlockall(MCL_FUTURE), 0);
    char *p = map(PAGES);
    EXPECT(p != MAP_FAILED);
    EXPECT_IS(smaps(p, PAGES * PAGE, "Rss"), 0);
    EXPECT(area_says(p, "lo"));
}

static void what_is_locked_from_now_on_is_not_filled(void)
{
    NEED_ROOT;
    fd = secret_file(PAGES);
    NEED_SECRET(fd);
    in_child(as_future);
    close(fd);
}

/* How many there are */

static void files_come_and_go_for_ever(void)
{
    NEED_ANY;
    for (int i = 0; i < 3; i++) {
        fd = secret(0);
        EXPECT(fd >= 0);
        close(fd);
    }
}

static void a_table_of_descriptors_can_be_full(void)
{
    const struct rlimit few = {3, 3};
    struct rlimit before;

    NEED_ANY;
    EXPECT_IS(getrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_IS(setrlimit(RLIMIT_NOFILE, &(struct rlimit){few.rlim_cur, before.rlim_max}), 0);
    EXPECT_ERR(secret(0), EMFILE);
    EXPECT_IS(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* The limit that the machine was started with; 0: the usual one, which no test reaches. */
static long limit_of_machine(void)
{
    static const char key[] = "secretmem.max_files=";
    static char line[1024];

    if (slurp("/proc/cmdline", line, sizeof line) < 0)
        return 0;
    char *at = strstr(line, key);
    return at ? strtol(at + sizeof key - 1, NULL, 10) : 0;
}

static void the_count_of_files_has_an_end(void)
{
    long limit = limit_of_machine();
    int files[8];

    if (limit <= 0 || limit > 8)
        SKIP("there may be too many");
    for (int round = 0; round < 2; round++) {
        for (long i = 0; i < limit; i++)
            EXPECT((files[i] = secret(0)) >= 0);
        EXPECT_ERR(secret(0), ENFILE);
        for (long i = 0; i < limit; i++)
            close(files[i]);
    }
}

/* Hibernation */

#define STATE "/sys/power/state"
#define DISK  "/sys/power/disk"

static bool says(const char *path, const char *word)
{
    char text[256] = "";

    return slurp(path, text, sizeof text) >= 0 && strstr(text, word);
}

static long put(const char *path, const char *word)
{
    int file = open(path, O_WRONLY);
    long n = write(file, word, strlen(word));
    int error = errno;

    close(file);
    errno = error;
    return n;
}

#define NEED_HIBERNATION                    \
    do {                                    \
        if (access(DISK, F_OK))             \
            SKIP("cannot hibernate");       \
        if (!machine_is_ours())             \
            SKIP("this machine is in use"); \
        fd = secret(0);                     \
        NEED_SECRET(fd);                    \
    } while (0)

static void no_machine_with_a_secret_hibernates(void)
{
    NEED_HIBERNATION;
    EXPECT(says(DISK, "[disabled]"));
    EXPECT(!says(STATE, "disk"));
    EXPECT_ERR(put(STATE, "disk"), EPERM);
    EXPECT_ERR(put(DISK, "shutdown"), EPERM);
    EXPECT_ERR(put(DISK, "nonsense"), EPERM);
    EXPECT_ERR(put(STATE, "nonsense"), EINVAL);
    close(fd);
}

static void it_might_when_the_last_secret_is_gone(void)
{
    NEED_HIBERNATION;
    char *p = map(1);
    close(fd);
    EXPECT(says(DISK, "[disabled]")); /* a mapping is enough */
    munmap(p, PAGE);
    EXPECT(!says(DISK, "[disabled]"));
    EXPECT(says(STATE, "disk"));
    EXPECT_IS(put(DISK, "shutdown"), 8);
    EXPECT(says(DISK, "[shutdown]"));
    EXPECT_ERR(put(DISK, "nonsense"), EINVAL);
    EXPECT_ERR(put(STATE, "disk"), ENODEV); /* there is no swap */
}

static const struct ktap_test tests[] = {
    TEST(what_is_mapped_counts_as_locked),
    TEST(the_length_counts_not_what_is_touched),
    TEST(what_is_replaced_counts_still),
    TEST(mremap_keeps_the_limit),
    TEST(locked_pages_and_secrets_share_one_limit),
    TEST(without_a_limit_to_use_nothing_is_mapped),
    TEST(root_is_not_limited),
    TEST(a_child_begins_with_nothing_locked),
    TEST(status_counts_all_that_is_mapped),
    TEST(maps_names_the_device_that_fstat_does),
    TEST(smaps_says_locked_and_not_dumped),
    TEST(smaps_counts_what_is_there),
    TEST(files_say_what_they_have_in_one_place_only),
    TEST(mlock_cannot_and_munlock_does_not),
    TEST(all_can_be_locked_with_a_secret_in_it),
    TEST(what_is_locked_from_now_on_is_not_filled),
    TEST(files_come_and_go_for_ever),
    TEST(a_table_of_descriptors_can_be_full),
    TEST(the_count_of_files_has_an_end),
    TEST(no_machine_with_a_secret_hibernates),
    TEST(it_might_when_the_last_secret_is_gone),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
