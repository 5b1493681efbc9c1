/* SPDX-License-Identifier: MIT */
/*
 * tests/user/thp_shmem.c - objects that get huge pages by themselves, as shmem_enabled says
 *
 * Room:   tests/user. Sets shmem_enabled, so it runs on machines that were started for it.
 * Owns:   that setting: "never" again when all is done.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.1.
 * Source: Linux Documentation/admin-guide/mm/transhuge.rst, "Hugepages in tmpfs/shmem"; tmpfs(5).
 * Tour:   after tests/user/thp_shared.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define PUNCH 3 /* FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE */
#define HUGE  (512 * PAGE)
#define RW    PROT_READ | PROT_WRITE

#define HUGE_KIB(p, units) smaps((p), (units)*HUGE, "ShmemPmdMapped")
#define RSS_KIB(p, units)  smaps((p), (units)*HUGE, "Rss")

#define SETTING(word)            \
    if (!machine_is_ours())      \
        SKIP("not our machine"); \
    EXPECT(huge_pages_set("shmem_enabled", word))

/* A line of vmstat. */
static long event(const char *name)
{
    FILE *f = fopen("/proc/vmstat", "r");
    char key[64];
    long value, found = -1;

    while (f && fscanf(f, "%63s %ld\n", key, &value) == 2)
        if (!strcmp(key, name))
            found = value;
    if (f)
        fclose(f);
    return found;
}

/* Map @units at an aligned place. */
static char *map(int fd, size_t units, int prot, int flags)
{
    char *at = place_of_units(units * HUGE);

    return mmap(at, units * HUGE, prot, flags | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
}

static int file(size_t pages)
{
    int fd = memfd_create("huge", MFD_ALLOW_SEALING);

    EXPECT_IS(ftruncate(fd, pages * PAGE), 0);
    return fd;
}

static long block_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_blksize : -1;
}

static void write_gives_a_whole_unit(void)
{
    int fd = file(1024);
    char *p = map(fd, 2, RW, MAP_SHARED);

    SETTING("always");
    p[5 * PAGE] = 1;
    EXPECT_IS(HUGE_KIB(p, 2), 2048);
    EXPECT_IS(RSS_KIB(p, 2), 2048);
    EXPECT_IS(kib_of(fd), 2048);
    EXPECT_IS(block_of(fd), HUGE);
    EXPECT(p[0] == 0 && p[511 * PAGE] == 0 && p[5 * PAGE] == 1);
    p[HUGE] = 1;
    EXPECT_IS(HUGE_KIB(p, 2), 4096);
    munmap(p, 2 * HUGE);
    close(fd);
}

static void read_gives_one_too(void)
{
    int fd = file(512);
    char *p = map(fd, 1, PROT_READ, MAP_SHARED), *q;

    SETTING("always");
    EXPECT(look(p + 7 * PAGE) == 0);
    EXPECT_IS(kib_of(fd), 2048);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT_IS(probe(p, PROBE_WRITE).sig, SIGSEGV);
    q = map(fd, 1, RW, MAP_SHARED);
    q[8] = 8;
    EXPECT(look(p + 8) == 8);
    EXPECT_IS(HUGE_KIB(q, 1), 2048);
    munmap(p, HUGE);
    munmap(q, HUGE);
    close(fd);
}

static void calls_give_one_too(void)
{
    static char text[HUGE];
    int fd = file(0);

    SETTING("always");
    EXPECT_IS(pwrite(fd, "x", 1, 9 * PAGE), 1);
    EXPECT_IS(kib_of(fd), 2048);
    EXPECT_IS(pread(fd, text, HUGE, 0), 9 * PAGE + 1);
    EXPECT(text[9 * PAGE] == 'x' && text[0] == 0);
    EXPECT_IS(pread(fd, text, 1, 3 * HUGE), 0);
    EXPECT_IS(kib_of(fd), 2048); /* reading makes nothing */
    memset(text, 'y', HUGE);
    EXPECT_IS(pwrite(fd, text, HUGE, HUGE / 2), HUGE);
    EXPECT_IS(kib_of(fd), 4096);
    EXPECT_IS(pread(fd, text, HUGE, HUGE / 2), HUGE);
    EXPECT(text[0] == 'y' && text[HUGE - 1] == 'y');
    close(fd);
}

static void reserving_gives_one_too(void)
{
    int fd = file(0);

    SETTING("always");
    EXPECT_IS(fallocate(fd, 0, 3 * PAGE, PAGE), 0);
    EXPECT_IS(kib_of(fd), 2048);
    EXPECT_ERR(lseek(fd, 0, SEEK_DATA), ENXIO); /* nobody has looked at it */
    EXPECT_IS(fallocate(fd, 0, 0, 3 * HUGE), 0);
    EXPECT_IS(kib_of(fd), 3 * 2048);
    EXPECT_IS(lseek(fd, 0, SEEK_DATA), 0); /* asked for again, the first is data */
    EXPECT_IS(lseek(fd, 0, SEEK_HOLE), HUGE);
    EXPECT_IS(lseek(fd, HUGE - 1, SEEK_DATA), HUGE - 1);
    EXPECT_ERR(lseek(fd, HUGE, SEEK_DATA), ENXIO);
    EXPECT_IS(pwrite(fd, "x", 1, 2 * HUGE + 5 * PAGE), 1);
    EXPECT_IS(lseek(fd, HUGE, SEEK_DATA), 2 * HUGE);
    EXPECT_IS(lseek(fd, 2 * HUGE, SEEK_HOLE), 3 * HUGE);
    close(fd);
}

static void policy_within_size_heeds_the_end(void)
{
    int fd = file(512 + 100);
    char *p = map(fd, 2, RW, MAP_SHARED);

    SETTING("within_size");
    p[0] = p[HUGE] = 1;
    EXPECT_IS(kib_of(fd), 2048 + 4);
    EXPECT_IS(HUGE_KIB(p, 2), 2048);
    EXPECT_IS(block_of(fd), HUGE);
    EXPECT_IS(pwrite(fd, "x", 1, 3 * HUGE), 1);
    EXPECT_IS(kib_of(fd), 2048 + 8);
    munmap(p, 2 * HUGE);
    close(fd);
}

static void policy_advise_heeds_advice(void)
{
    int fd = file(1024);
    char *p = map(fd, 2, RW, MAP_SHARED);

    SETTING("advise");
    p[0] = 1;
    EXPECT_IS(kib_of(fd), 4);
    EXPECT_IS(madvise(p, 2 * HUGE, MADV_HUGEPAGE), 0);
    p[1 * PAGE] = 1; /* beside a small page only small ones come */
    EXPECT_IS(kib_of(fd), 8);
    p[HUGE + 7 * PAGE] = 1;
    EXPECT_IS(kib_of(fd), 8 + 2048);
    EXPECT_IS(HUGE_KIB(p, 2), 2048);
    EXPECT_IS(block_of(fd), PAGE);
    EXPECT_IS(pwrite(fd, "x", 1, 2 * HUGE), 1);
    EXPECT_IS(kib_of(fd), 8 + 2048 + 4);
    munmap(p, 2 * HUGE);
    close(fd);
}

static void policies_never_and_deny_give_none(void)
{
    static const char *const words[] = {"never", "deny"};

    for (int i = 0; i < 2; i++) {
        int fd = file(512);
        char *p = map(fd, 1, RW, MAP_SHARED);
        SETTING(words[i]);
        EXPECT_IS(madvise(p, HUGE, MADV_HUGEPAGE), 0);
        p[0] = 1;
        EXPECT_IS(kib_of(fd), 4);
        EXPECT_IS(block_of(fd), PAGE);
        munmap(p, HUGE);
        close(fd);
    }
}

static void area_can_refuse_them(void)
{
    int fd = file(512);
    char *p = map(fd, 1, RW, MAP_SHARED);

    SETTING("force");
    EXPECT_IS(madvise(p, HUGE, MADV_NOHUGEPAGE), 0);
    p[0] = 1;
    EXPECT_IS(kib_of(fd), 4);
    EXPECT_IS(smaps(p, HUGE, "THPeligible"), 0);
    munmap(p, HUGE);
    close(fd);
}

static void object_may_end_within(void)
{
    int fd = file(100);
    char *p = map(fd, 1, RW, MAP_SHARED);

    SETTING("always");
    EXPECT_IS(probe(p + 100 * PAGE, PROBE_READ).sig, SIGBUS);
    EXPECT_IS(kib_of(fd), 0);
    p[99 * PAGE] = 99;
    EXPECT_IS(kib_of(fd), 2048);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT_IS(ftruncate(fd, 99 * PAGE + 50), 0); /* what is behind goes */
    EXPECT_IS(kib_of(fd), 400);
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    EXPECT_IS(probe(p + 100 * PAGE, PROBE_READ).sig, SIGBUS);
    EXPECT_IS(look(p + 99 * PAGE), 99);
    EXPECT_IS(ftruncate(fd, HUGE), 0);
    p[200 * PAGE] = 2; /* beside small pages only small ones come */
    EXPECT_IS(kib_of(fd), 404);
    munmap(p, HUGE);
    close(fd);
}

static void hole_splits_it(void)
{
    int fd = file(1024);
    char *p = map(fd, 2, RW, MAP_SHARED);

    SETTING("always");
    p[0] = p[9 * PAGE] = p[HUGE] = 1;
    EXPECT_IS(fallocate(fd, PUNCH, 9 * PAGE, 2 * PAGE), 0);
    EXPECT_IS(kib_of(fd), 4096 - 8);
    EXPECT_IS(HUGE_KIB(p, 2), 2048);
    EXPECT(look(p) == 1 && look(p + 9 * PAGE) == 0);
    EXPECT_IS(fallocate(fd, PUNCH, HUGE, HUGE), 0);
    EXPECT_IS(fallocate(fd, PUNCH, 0, HUGE), 0);
    EXPECT_IS(kib_of(fd), 0);
    p[3 * PAGE] = 3;
    EXPECT_IS(kib_of(fd), 2048);
    EXPECT_IS(HUGE_KIB(p, 2), 0); /* the table stands where a huge leaf was split */
    EXPECT_IS(RSS_KIB(p, 2), 4);
    munmap(p, 2 * HUGE);
    close(fd);
}

static void shared_anonymous_memory_gets_them(void)
{
    SETTING("always");
    char *p = mmap(NULL, 3 * HUGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;

    EXPECT_IS((uintptr_t)p % HUGE, 0); /* where they fit */
    p[HUGE] = 1;
    EXPECT_IS(HUGE_KIB(p, 3), 2048);
    EXPECT_IS(smaps(p, 3 * HUGE, "THPeligible"), 1);
    pid_t child = fork();
    if (child == 0) {
        p[HUGE + 1] = 2;
        p[2 * HUGE] = 3;
        _exit(HUGE_KIB(p, 3) == 4096 ? 0 : 1);
    }
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
    EXPECT(look(p + HUGE) == 1 && look(p + HUGE + 1) == 2 && look(p + 2 * HUGE) == 3);
    munmap(p, 3 * HUGE);
}

static void mappings_lie_where_they_fit(void)
{
    int fd = file(2048);

    SETTING("advise");
    char *p = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, 0);
    char *q = mmap(NULL, 2 * HUGE, RW, MAP_PRIVATE, fd, HUGE + 5 * PAGE);
    char *r = mmap(NULL, HUGE - PAGE, RW, MAP_SHARED, fd, 0);
    EXPECT_IS((uintptr_t)p % HUGE, 0);
    EXPECT_IS((uintptr_t)q % HUGE, 5 * PAGE);
    SETTING("never");
    char *s = mmap(NULL, 2 * HUGE + PAGE, RW, MAP_SHARED, fd, 0);
    EXPECT(s + 2 * HUGE + PAGE == r || s < q); /* anywhere */
    munmap(p, 2 * HUGE);
    munmap(q, 2 * HUGE);
    munmap(r, HUGE - PAGE);
    munmap(s, 2 * HUGE + PAGE);
    close(fd);
}

static void mounted_files_heed_their_mount(void)
{
    SETTING("always");
    EXPECT_IS(mkdir("/tmp/huge", 0755), 0);
    EXPECT_ERR(mount("none", "/tmp/huge", "tmpfs", 0, "huge=perhaps"), EINVAL);
    EXPECT_IS(mount("none", "/tmp/huge", "tmpfs", 0, "size=64m,huge=always"), 0);
    EXPECT_IS(mkdir("/tmp/huge/below", 0755), 0);
    int in = open("/tmp/huge/below/file", O_CREAT | O_RDWR, 0600);
    int beside = open("/tmp/file", O_CREAT | O_RDWR, 0600);
    EXPECT(pwrite(in, "x", 1, 0) == 1 && pwrite(beside, "x", 1, 0) == 1);
    EXPECT_IS(kib_of(in), 2048);
    EXPECT_IS(kib_of(beside), 4);
    SETTING("never"); /* for others */
    EXPECT_IS(pwrite(in, "x", 1, HUGE), 1);
    EXPECT_IS(kib_of(in), 4096);
    EXPECT_IS(block_of(in), HUGE);
    SETTING("deny");
    EXPECT_IS(pwrite(in, "x", 1, 2 * HUGE), 1);
    EXPECT_IS(kib_of(in), 4100);
    SETTING("force");
    EXPECT_IS(pwrite(beside, "x", 1, HUGE), 1);
    EXPECT_IS(kib_of(beside), 4 + 2048);
    close(in);
    close(beside);
    unlink("/tmp/file");
    unlink("/tmp/huge/below/file");
    rmdir("/tmp/huge/below");
    umount("/tmp/huge");
    rmdir("/tmp/huge");
}

static void private_mapping_copies_small_pages(void)
{
    int fd = file(512);
    char *p = map(fd, 1, RW, MAP_PRIVATE);

    SETTING("always");
    p[3 * PAGE] = 3; /* the object's page is made first, whole */
    EXPECT_IS(kib_of(fd), 2048);
    EXPECT_IS(smaps(p, HUGE, "Anonymous"), 4);
    EXPECT(look(p + 4 * PAGE) == 0);
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    char c = 'x';
    EXPECT_IS(pread(fd, &c, 1, 3 * PAGE), 1);
    EXPECT_IS(c, 0);
    munmap(p, HUGE);
    p = map(fd, 1, RW, MAP_PRIVATE);
    EXPECT(look(p) == 0);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    p[1] = 1;
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    EXPECT_IS(smaps(p, HUGE, "Anonymous"), 4);
    munmap(p, HUGE);
    close(fd);
}

static void skewed_mapping_maps_small_pages_of_it(void)
{
    int fd = file(1024);
    char *p = map(fd, 2, RW, MAP_SHARED);

    SETTING("always");
    char *q = mmap(p, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, PAGE);
    q[0] = 1;
    EXPECT_IS(kib_of(fd), 2048);
    EXPECT_IS(HUGE_KIB(q, 1), 0);
    EXPECT_IS(RSS_KIB(q, 1), 4);
    munmap(p, 2 * HUGE);
    close(fd);
}

static void seals_hold(void)
{
    int fd = file(512);
    char *p = map(fd, 1, RW, MAP_SHARED);

    SETTING("always");
    p[5] = 5;
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    munmap(p, HUGE);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK), 0);
    EXPECT_ERR(pwrite(fd, "x", 1, 0), EPERM);
    EXPECT_ERR(fallocate(fd, PUNCH, 0, PAGE), EPERM);
    p = map(fd, 1, PROT_READ, MAP_SHARED);
    EXPECT(look(p + 5) == 5 && look(p + 6) == 0);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    munmap(p, HUGE);
    close(fd);
}

static void events_are_counted(void)
{
    SETTING("always");
    long made = event("thp_file_alloc"), mapped = event("thp_file_mapped");
    long whole = event("nr_shmem_hugepages"), leaves = event("nr_shmem_pmdmapped");
    int fd = file(1024);
    char *p = map(fd, 2, RW, MAP_SHARED), *q = map(fd, 2, RW, MAP_SHARED);

    EXPECT_IS(pwrite(fd, "x", 1, HUGE), 1);
    EXPECT_IS(event("thp_file_alloc") - made, 1);
    EXPECT_IS(event("thp_file_mapped") - mapped, 0);
    p[0] = q[0] = 1;
    EXPECT_IS(event("thp_file_alloc") - made, 2);
    EXPECT_IS(event("thp_file_mapped") - mapped, 2);
    EXPECT(event("nr_shmem_hugepages") - whole >= 2);
    EXPECT(event("nr_shmem_pmdmapped") - leaves >= 1);
    munmap(p, 2 * HUGE);
    munmap(q, 2 * HUGE);
    close(fd);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(write_gives_a_whole_unit),
        TEST(read_gives_one_too),
        TEST(calls_give_one_too),
        TEST(reserving_gives_one_too),
        TEST(policy_within_size_heeds_the_end),
        TEST(policy_advise_heeds_advice),
        TEST(policies_never_and_deny_give_none),
        TEST(area_can_refuse_them),
        TEST(object_may_end_within),
        TEST(hole_splits_it),
        TEST(shared_anonymous_memory_gets_them),
        TEST(mappings_lie_where_they_fit),
        TEST(mounted_files_heed_their_mount),
        TEST(private_mapping_copies_small_pages),
        TEST(skewed_mapping_maps_small_pages_of_it),
        TEST(seals_hold),
        TEST(events_are_counted),
    };

    huge_pages_allow();
    int failed = KTAP_MAIN(tests);
    huge_pages_set("shmem_enabled", "never");
    return failed;
}
