/* SPDX-License-Identifier: MIT */
/*
 * tests/user/sysv_shm.c - shared memory by number: shmget, shmat, shmdt, shmctl
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   the segments it makes, which it removes.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18, as root.
 * Source: shmget(2), shmop(2), shmctl(2), sysvipc(7).
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <time.h>

#define NO_MAP ((void *)-1)
#define HUGE   (2UL << 20)
#define KEY    0x6b756c61

#ifndef SHM_EXEC
#define SHM_EXEC 0100000
#endif

static struct shmid_ds stat_of(int id)
{
    struct shmid_ds ds = {0};

    EXPECT_IS(shmctl(id, IPC_STAT, &ds), 0);
    return ds;
}

static void what_is_shared_by_number_is_seen_by_all(void)
{
    int id = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600), status = 0;
    EXPECT(id >= 0);
    char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, 0);
    EXPECT(a != NO_MAP && b != NO_MAP && a != b);
    EXPECT(a[0] == 0 && a[9999] == 0 && a[12287] == 0);
    strcpy(a + 4000, "here and there");
    EXPECT(!strcmp(b + 4000, "here and there"));
    if (fork() == 0) {
        strcpy(a, "by the child");
        char *c = shmat(id, NULL, SHM_RDONLY);
        EXPECT(!strcmp(c, "by the child"));
        EXPECT_IS(stat_of(id).shm_nattch, 5);
        _exit(ktap_failed);
    }
    wait(&status);
    EXPECT_IS(status, 0);
    EXPECT(!strcmp(b, "by the child"));
    EXPECT_IS(stat_of(id).shm_nattch, 2);
    EXPECT_IS(shmdt(a), 0);
    EXPECT_ERR(shmdt(a), EINVAL);
    EXPECT(!strcmp(b, "by the child"));
    EXPECT_IS(shmdt(b), 0);
    EXPECT_IS(shmctl(id, IPC_RMID, NULL), 0);
    EXPECT_ERR(shmctl(id, IPC_RMID, NULL), EINVAL);
    EXPECT(shmat(id, NULL, 0) == NO_MAP);
    EXPECT_IS(errno, EINVAL);
}

static void keys_find_what_is_there(void)
{
    EXPECT_ERR(shmget(KEY, 4096, 0), ENOENT);
    int id = shmget(KEY, 4096, IPC_CREAT | 0640);
    EXPECT(id >= 0);
    EXPECT_IS(shmget(KEY, 4096, 0), id);
    EXPECT_IS(shmget(KEY, 0, 0), id);
    EXPECT_IS(shmget(KEY, 100, IPC_CREAT | 0600), id);
    EXPECT_ERR(shmget(KEY, 4097, 0), EINVAL);
    EXPECT_ERR(shmget(KEY, 4096, IPC_CREAT | IPC_EXCL), EEXIST);
    EXPECT_ERR(shmget(KEY, 5000, IPC_CREAT | IPC_EXCL), EEXIST);
    struct shmid_ds ds = stat_of(id);
    EXPECT(ds.shm_perm.__key == KEY && ds.shm_perm.mode == 0640 && ds.shm_segsz == 4096);
    EXPECT(ds.shm_cpid == getpid() && ds.shm_lpid == 0 && ds.shm_nattch == 0);
    EXPECT(ds.shm_atime == 0 && ds.shm_dtime == 0);
    EXPECT(ds.shm_ctime <= time(NULL) && ds.shm_ctime > time(NULL) - 100);
    EXPECT_IS(shmctl(id, IPC_RMID, NULL), 0);
    EXPECT_ERR(shmget(KEY, 4096, 0), ENOENT);
}

static void sizes_and_numbers_are_checked(void)
{
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    EXPECT_ERR(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
    EXPECT_ERR(shmget(IPC_PRIVATE, (size_t)-1, 0600), EINVAL);
    EXPECT_ERR(shmget(IPC_PRIVATE, (size_t)1 << 52, 0600), ENOMEM);
    EXPECT(shmat(-1, NULL, 0) == NO_MAP && errno == EINVAL);
    EXPECT(shmat(0x7fffffff, NULL, 0) == NO_MAP && errno == EINVAL);
    int id = shmget(IPC_PRIVATE, 4096, 0600);
    EXPECT(shmat(id, (void *)1, 0) == NO_MAP && errno == EINVAL);
    EXPECT(shmat(id, NULL, SHM_REMAP) == NO_MAP && errno == EINVAL);
    EXPECT(shmat(id, page, 0) == NO_MAP && errno == EINVAL);
    EXPECT(shmat(id, page + 1, SHM_REMAP) == NO_MAP && errno == EINVAL);
    EXPECT(shmat(id, page + 1, SHM_REMAP | SHM_RND) == page);
    EXPECT_ERR(shmdt(page + 1), EINVAL);
    EXPECT_IS(shmdt(page), 0);
    EXPECT(shmat(id, page, 0) == page);
    EXPECT_ERR(shmdt(page + 4096), EINVAL);
    EXPECT_IS(shmdt(page), 0);
    struct shmid_ds ds;
    EXPECT_ERR(shmctl(-1, IPC_STAT, &ds), EINVAL);
    EXPECT_ERR(shmctl(id, 100, &ds), EINVAL);
    EXPECT_ERR(shmctl(id, -1, &ds), EINVAL);
    EXPECT_ERR(shmctl(id, IPC_STAT, (void *)1), EFAULT);
    EXPECT_ERR(shmctl(id, IPC_SET, (void *)1), EFAULT);
    EXPECT_IS(shmctl(id, IPC_RMID, NULL), 0);
}

static void rights_of_a_mapping_are_those_of_its_call(void)
{
    int id = shmget(IPC_PRIVATE, 4096, 0600);

    char *p = shmat(id, NULL, SHM_RDONLY);
    EXPECT_IS(probe(p, PROBE_READ).sig, 0);
    EXPECT_IS(probe(p, PROBE_WRITE).sig, SIGSEGV);
    EXPECT_ERR(mprotect(p, 4096, PROT_READ | PROT_WRITE), EACCES);
    EXPECT_IS(mprotect(p, 4096, PROT_NONE), 0);
    EXPECT(!strcmp(maps_rights(p), "---s"));
    EXPECT_IS(shmdt(p), 0);
    p = shmat(id, NULL, SHM_EXEC);
    EXPECT(!strcmp(maps_rights(p), "rwxs"));
    EXPECT_IS(shmdt(p), 0);
    EXPECT_IS(shmctl(id, IPC_RMID, NULL), 0);
}

static void a_removed_segment_lives_until_its_last_detach(void)
{
    int id = shmget(KEY, 4096, IPC_CREAT | 0600);
    char *p = shmat(id, NULL, 0), *q = shmat(id, NULL, 0);
    strcpy(p, "still here");
    EXPECT_IS(shmctl(id, IPC_RMID, NULL), 0);
    EXPECT_ERR(shmget(KEY, 4096, 0), ENOENT);
    struct shmid_ds ds = stat_of(id);
    EXPECT(ds.shm_perm.mode == (01000 | 0600) && ds.shm_perm.__key == 0 && ds.shm_nattch == 2);
    EXPECT_IS(shmdt(p), 0);
    EXPECT(!strcmp(q, "still here"));
    char *r = shmat(id, NULL, 0);
    EXPECT(r != NO_MAP && !strcmp(r, "still here"));
    EXPECT_IS(shmdt(q), 0);
    EXPECT_IS(munmap(r, 4096), 0);
    EXPECT_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
}

static void detaching_finds_all_parts(void)
{
    int id = shmget(IPC_PRIVATE, 8 * 4096, 0600);
    char *p = shmat(id, NULL, 0);

    EXPECT_IS(mprotect(p + 2 * 4096, 4096, PROT_READ), 0);
    EXPECT_IS(stat_of(id).shm_nattch, 3);
    EXPECT_IS(munmap(p + 5 * 4096, 4096), 0);
    EXPECT_IS(stat_of(id).shm_nattch, 4);
    char *other = mmap(p + 5 * 4096, 4096, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    strcpy(other, "not a part");
    EXPECT_IS(mprotect(p + 2 * 4096, 4096, PROT_READ | PROT_WRITE), 0);
    EXPECT_IS(shmdt(p), 0);
    EXPECT_IS(stat_of(id).shm_nattch, 0);
    EXPECT(!strcmp(other, "not a part"));
    EXPECT_IS(probe(p, PROBE_READ).sig, SIGSEGV);
    munmap(other, 4096);
    p = shmat(id, NULL, 0);
    EXPECT_IS(munmap(p, 4096), 0);
    EXPECT_ERR(shmdt(p + 4096), EINVAL);
    EXPECT_IS(shmdt(p), 0);
    EXPECT_IS(shmctl(id, IPC_RMID, NULL), 0);
}

static void owners_and_others_have_rights(void)
{
    int id = shmget(KEY, 4096, IPC_CREAT | 0604), status = 0;

    if (fork() == 0) {
        struct shmid_ds ds;
        if (setgid(1000) || setuid(1000))
            _exit(1);
        EXPECT_IS(shmget(KEY, 4096, 0), id);
        EXPECT_IS(shmget(KEY, 4096, 0444), id);
        EXPECT_ERR(shmget(KEY, 4096, 0600), EACCES);
        EXPECT(shmat(id, NULL, 0) == NO_MAP && errno == EACCES);
        char *p = shmat(id, NULL, SHM_RDONLY);
        EXPECT(p != NO_MAP);
        EXPECT(shmat(id, NULL, SHM_RDONLY | SHM_EXEC) == NO_MAP && errno == EACCES);
        EXPECT_IS(shmctl(id, IPC_STAT, &ds), 0);
        EXPECT_ERR(shmctl(id, IPC_SET, &ds), EPERM);
        EXPECT_ERR(shmctl(id, IPC_RMID, NULL), EPERM);
        EXPECT_ERR(shmctl(id, SHM_LOCK, NULL), EPERM);
        _exit(ktap_failed);
    }
    wait(&status);
    EXPECT_IS(status, 0);
    struct shmid_ds ds = stat_of(id);
    ds.shm_perm.uid = 1000;
    ds.shm_perm.mode = 0600;
    EXPECT_IS(shmctl(id, IPC_SET, &ds), 0);
    ds = stat_of(id);
    EXPECT(ds.shm_perm.uid == 1000 && ds.shm_perm.cuid == 0 && ds.shm_perm.mode == 0600);
    EXPECT_IS(shmctl(id, SHM_LOCK, NULL), 0);
    EXPECT_IS(stat_of(id).shm_perm.mode, 02600);
    EXPECT_IS(shmctl(id, SHM_UNLOCK, NULL), 0);
    EXPECT_IS(stat_of(id).shm_perm.mode, 0600);
    if (fork() == 0) {
        if (setgid(1000) || setuid(1000))
            _exit(1);
        EXPECT(shmat(id, NULL, 0) != NO_MAP);
        EXPECT_IS(shmctl(id, IPC_RMID, NULL), 0);
        _exit(ktap_failed);
    }
    wait(&status);
    EXPECT_IS(status, 0);
    EXPECT_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
}

static void times_and_users_are_kept(void)
{
    int id = shmget(IPC_PRIVATE, 4096, 0600), status = 0;
    pid_t child = fork();

    if (child == 0) {
        char *p = shmat(id, NULL, 0);
        _exit(p == NO_MAP);
    }
    waitpid(child, &status, 0);
    struct shmid_ds ds = stat_of(id);
    EXPECT(ds.shm_lpid == child && ds.shm_nattch == 0);
    EXPECT(ds.shm_atime >= ds.shm_ctime && ds.shm_dtime >= ds.shm_atime);
    EXPECT_IS(shmctl(id, IPC_RMID, NULL), 0);
}

static void numbers_tell_of_all(void)
{
    struct shmid_ds ds;
    struct shminfo limits;
    struct shm_info sums;
    char line[256], wanted[128];
    bool found = false, seen = false;

    int id = shmget(KEY, 10000, IPC_CREAT | 0600);
    char *p = shmat(id, NULL, 0);
    p[0] = 1;
    int highest = shmctl(0, IPC_INFO, (struct shmid_ds *)&limits);
    EXPECT(highest >= 0);
    EXPECT(limits.shmmin == 1 && limits.shmmni == 4096 && limits.shmmax == ~0UL - (1UL << 24));
    EXPECT_IS(shmctl(0, SHM_INFO, (struct shmid_ds *)&sums), highest);
    EXPECT(sums.used_ids >= 1 && sums.shm_tot >= 3 && sums.shm_rss >= 1);
    for (int i = 0; i <= highest; i++)
        found |= shmctl(i, SHM_STAT, &ds) == id && ds.shm_segsz == 10000;
    EXPECT(found);
    snprintf(wanted, sizeof(wanted), "%10d %10d   600 %21d %5d %5d  %5d ", KEY, id, 10000, getpid(),
             getpid(), 1);
    FILE *f = fopen("/proc/sysvipc/shm", "r");
    while (f && fgets(line, sizeof(line), f))
        seen |= !strncmp(line, wanted, strlen(wanted));
    if (f)
        fclose(f);
    EXPECT(seen);
    snprintf(wanted, sizeof(wanted), "/SYSV%08x (deleted)\n", KEY);
    f = fopen("/proc/self/maps", "r");
    for (seen = false; f && fgets(line, sizeof(line), f);)
        seen |= strstr(line, wanted) != NULL;
    if (f)
        fclose(f);
    EXPECT(seen);
    EXPECT_IS(shmdt(p), 0);
    EXPECT_IS(shmctl(id, IPC_RMID, NULL), 0);
}

static void huge_pages_can_be_asked_for(void)
{
    if (meminfo("HugePages_Free") - meminfo("HugePages_Rsvd") < 2)
        SKIP("the pool of huge pages is too small");
    long free = meminfo("HugePages_Free"), promised = meminfo("HugePages_Rsvd");
    EXPECT_ERR(shmget(IPC_PRIVATE, HUGE, SHM_HUGETLB | 21 << 27 | 0600), EINVAL);
    EXPECT_ERR(shmget(IPC_PRIVATE, HUGE * 100000, SHM_HUGETLB | 0600), ENOMEM);
    int id = shmget(IPC_PRIVATE, HUGE + 1, SHM_HUGETLB | 0600);
    EXPECT(id >= 0);
    EXPECT_IS(meminfo("HugePages_Rsvd"), promised + 2);
    char *p = shmat(id, NULL, 0);
    EXPECT(p != NO_MAP && ((uintptr_t)p & (HUGE - 1)) == 0);
    p[HUGE] = 1;
    EXPECT_IS(meminfo("HugePages_Free"), free - 1);
    EXPECT_IS(probe(p + 2 * HUGE - 1, PROBE_WRITE).sig, 0);
    EXPECT_IS(stat_of(id).shm_segsz, HUGE + 1);
    EXPECT_IS(shmdt(p), 0);
    EXPECT_IS(meminfo("HugePages_Free"), free - 1);
    EXPECT_IS(shmctl(id, IPC_RMID, NULL), 0);
    EXPECT_IS(meminfo("HugePages_Free"), free);
    EXPECT_IS(meminfo("HugePages_Rsvd"), promised);
}

static const struct ktap_test tests[] = {
    TEST(what_is_shared_by_number_is_seen_by_all),
    TEST(keys_find_what_is_there),
    TEST(sizes_and_numbers_are_checked),
    TEST(rights_of_a_mapping_are_those_of_its_call),
    TEST(a_removed_segment_lives_until_its_last_detach),
    TEST(detaching_finds_all_parts),
    TEST(owners_and_others_have_rights),
    TEST(times_and_users_are_kept),
    TEST(numbers_tell_of_all),
    TEST(huge_pages_can_be_asked_for),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
