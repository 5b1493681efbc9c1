/* SPDX-License-Identifier: MIT */
/*
 * tests/user/pkeys.c - protection keys: who has which, what they refuse, and to whom
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: pkeys(7), pkey_alloc(2), pkey_mprotect(2).
 * Tour:   after tests/user/pkeys.h; then tests/user/pkeys_signal.c.
 */
#define _GNU_SOURCE
#include "pkeys.h"
#include <sys/uio.h>
#include <time.h>

#define PROT_SEM           8
#define FUTEX_WAIT         0
#define FUTEX_WAIT_PRIVATE 128

static void arguments_of_pkey_alloc(void)
{
    EXPECT_ERR(key_alloc(1, 0), EINVAL);
    EXPECT_ERR(key_alloc(1UL << 32, 0), EINVAL);
    EXPECT_ERR(key_alloc(0, 4), EINVAL);
    EXPECT_ERR(key_alloc(0, 1UL << 32), EINVAL);
    EXPECT_ERR(key_alloc(0, -1), EINVAL);
    EXPECT_IS(key_alloc(0, 3), 1);
}

static void all_keys(void)
{
    for (int key = 1; key < KEYS; key++)
        EXPECT_IS(key_alloc(0, 0), key);
    EXPECT_ERR(key_alloc(0, 0), ENOSPC);
    EXPECT_IS(key_free(7), 0);
    EXPECT_ERR(key_free(7), EINVAL);
    EXPECT_IS(key_free(3), 0);
    EXPECT_IS(key_alloc(0, 0), 3);
    EXPECT_IS(key_alloc(0, 0), 7);
    EXPECT_ERR(key_free(KEYS), EINVAL);
    EXPECT_ERR(key_free(-1), EINVAL);
    EXPECT_ERR(key_free(1000), EINVAL);
}

static void key_0(void)
{
    EXPECT_IS(key_protect(area_map(1, RW), PAGE, PROT_READ, 0), 0);
    EXPECT_IS(key_free(0), 0);
    EXPECT_ERR(key_free(0), EINVAL);
    EXPECT_ERR(key_protect(AREA, PAGE, RW, 0), EINVAL);
    EXPECT_IS(key_alloc(0, 0), 0);
    EXPECT_IS(key_protect(AREA, PAGE, RW, 0), 0);
}

static void rights_of_the_caller(void)
{
    EXPECT_IS(pkru_read(), PKRU_AT_EXEC);
    EXPECT_IS(key_alloc(0, NO_WRITE), 1);
    EXPECT_IS(pkru_read(), (PKRU_AT_EXEC & ~0xcu) | NO_WRITE << 2);
    EXPECT_IS(key_alloc(0, 0), 2);
    EXPECT_IS(rights_with(2), 0);
    EXPECT_IS(key_free(1), 0);
    EXPECT_IS(rights_with(1), NO_WRITE); /* as it was */
    EXPECT_IS(key_alloc(0, NO_ACCESS), 1);
    EXPECT_IS(rights_with(1), NO_ACCESS);
}

static void checks_of_pkey_mprotect(void)
{
    unsigned char *p = area_map(2, RW);
    const int ungiven = 9;

    EXPECT_ERR(key_protect(p + 1, PAGE, RW, ungiven), EINVAL);
    EXPECT_IS(key_protect(p, 0, RW, ungiven), 0);
    EXPECT_ERR(key_protect(p, -PAGE, RW, ungiven), ENOMEM);
    EXPECT_ERR(key_protect(p, PAGE, RW, ungiven), EINVAL);
    EXPECT_ERR(key_protect(p + 2 * PAGE, PAGE, RW, ungiven), EINVAL);
    EXPECT_ERR(key_protect(p + 2 * PAGE, PAGE, RW, -1), ENOMEM);
    EXPECT_ERR(key_protect(p, PAGE, RW, -2), EINVAL);
    EXPECT_ERR(key_protect(p, PAGE, RW, KEYS), EINVAL);
    EXPECT_ERR(key_protect(p, PAGE, RW, 1 << 20), EINVAL);
    EXPECT_ERR(key_protect(p, PAGE, 0x40, -1), EINVAL);
    EXPECT_ERR(key_protect(p, PAGE, RW | 0x02000000, 0), EINVAL); /* PROT_GROWSUP */
    EXPECT_IS(key_alloc(0, 0), 1);
    EXPECT_ERR(key_protect(p, 3 * PAGE, PROT_READ, 1), ENOMEM); /* what is there is changed */
    EXPECT_IS(smaps_field(p, "ProtectionKey"), 1);
    EXPECT_IS(refused_by(p, PROBE_WRITE), BY_RIGHTS);
    EXPECT_IS(key_protect(p, PAGE, RW, -1), 0); /* the key stays */
    EXPECT_IS(smaps_field(p, "ProtectionKey"), 1);
    EXPECT_IS(mprotect(p, PAGE, PROT_READ), 0);
    EXPECT_IS(smaps_field(p, "ProtectionKey"), 1);
}

/* A page of code: RET. */
static unsigned char *code_map(void)
{
    unsigned char *p = area_map(1, RW);
    p[0] = 0xc3;
    mprotect(p, PAGE, PROT_READ | PROT_EXEC);
    return p;
}

static void refusals(void)
{
    unsigned char *p = area_map(4, RW);

    p[0] = 1;
    EXPECT_IS(key_alloc(0, NO_WRITE), 1);
    EXPECT_IS(key_alloc(0, NO_ACCESS), 2);
    EXPECT_IS(key_protect(p, 2 * PAGE, RW, 1), 0);
    EXPECT_IS(key_protect(p + 2 * PAGE, 2 * PAGE, RW, 2), 0);
    for (int page = 0; page < 4; page++) { /* that is there or not */
        int key = 1 + page / 2;
        EXPECT_IS(refused_by(p + page * PAGE, PROBE_WRITE), key);
        EXPECT_IS(refused_by(p + page * PAGE, PROBE_READ), key == 2 ? 2 : 0);
        EXPECT_IS(refused_by(p + page * PAGE, PROBE_WRITE), key);
    }
    key_rights(1, 0);
    EXPECT_IS(refused_by(p, PROBE_WRITE), 0);
    key_rights(2, NO_WRITE);
    EXPECT_IS(refused_by(p + 2 * PAGE, PROBE_READ), 0);
    EXPECT_IS(refused_by(p + 2 * PAGE, PROBE_WRITE), 2);
    EXPECT_IS(key_protect(p, 4 * PAGE, RW, 0), 0); /* no right of a key outlives it */
    for (int page = 0; page < 4; page++)
        EXPECT_IS(refused_by(p + page * PAGE, PROBE_WRITE), 0);
}

static void refusals_beside_rights(void)
{
    unsigned char *p = area_map(4, RW);

    EXPECT_IS(key_alloc(0, NO_WRITE), 1);
    EXPECT_IS(key_alloc(0, NO_ACCESS), 2);
    EXPECT_IS(key_protect(p, PAGE, PROT_READ, 1), 0); /* both would refuse: it is the key */
    EXPECT_IS(refused_by(p, PROBE_WRITE), 1);
    EXPECT_IS(refused_by(p, PROBE_READ), 0);
    EXPECT_IS(refused_by(p, PROBE_WRITE), 1);
    EXPECT_IS(key_protect(p + PAGE, PAGE, PROT_NONE, 2), 0);
    EXPECT_IS(refused_by(p + PAGE, PROBE_READ), 2);
    EXPECT_IS(key_protect(p + 2 * PAGE, PAGE, PROT_NONE, 1), 0);
    EXPECT_IS(refused_by(p + 2 * PAGE, PROBE_READ), BY_RIGHTS);
    EXPECT_IS(refused_by(p + 2 * PAGE, PROBE_WRITE), 1);
    p = code_map();
    EXPECT_IS(key_protect(p, PAGE, PROT_READ | PROT_EXEC, 2), 0);
    EXPECT_IS(refused_by(p, PROBE_CALL), 0); /* keys are for data */
    EXPECT_IS(refused_by(p, PROBE_READ), 2);
    EXPECT_IS(key_protect(p, PAGE, PROT_READ, 2), 0);
    EXPECT_IS(refused_by(p, PROBE_CALL), BY_RIGHTS);
}

static void past_the_end(void)
{
    int fd = (int)syscall(SYS_memfd_create, "short", 0);
    unsigned char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

    EXPECT_IS(key_alloc(0, NO_ACCESS), 1);
    EXPECT_IS(refused_by(p, PROBE_READ), BY_RIGHTS);
    EXPECT_IS(key_protect(p, PAGE, RW, 1), 0);
    EXPECT_IS(refused_by(p, PROBE_READ), 1); /* no SIGBUS */
    munmap(p, PAGE);
    close(fd);
}

static void rows_of_memory(void)
{
    unsigned char *p = area_map(4, RW);

    EXPECT_IS(key_alloc(0, 0), 1);
    EXPECT_IS(key_alloc(0, 0), 2);
    EXPECT_IS(key_protect(p + PAGE, PAGE, RW, 1), 0);
    EXPECT_IS(areas_in(4), 3);
    EXPECT_IS(smaps_field(p, "ProtectionKey"), 0);
    EXPECT_IS(smaps_field(p + PAGE, "ProtectionKey"), 1);
    EXPECT_IS(key_protect(p + 2 * PAGE, PAGE, RW, 1), 0);
    EXPECT_IS(areas_in(4), 3);
    EXPECT_IS(key_protect(p, 4 * PAGE, RW, 2), 0);
    EXPECT_IS(areas_in(4), 1);
    EXPECT_IS(key_protect(p, 4 * PAGE, PROT_READ, -1), 0);
    EXPECT_IS(smaps_field(p + 3 * PAGE, "ProtectionKey"), 2);
    EXPECT(mremap(p + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 16 * PAGE) ==
           p + 16 * PAGE);
    EXPECT_IS(smaps_field(p + 16 * PAGE, "ProtectionKey"), 2); /* it moves along */
    EXPECT(mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
    EXPECT_IS(smaps_field(p, "ProtectionKey"), 0);
}

/* The kernel reads or writes a program's memory for it. */
static void copies(void)
{
    unsigned char *p = area_map(3, RW), word[8] = "1234567";
    int ends[2];

    memset(p, 'x', 3 * PAGE);
    EXPECT_IS(pipe(ends), 0);
    EXPECT_IS(key_alloc(0, NO_WRITE), 1);
    EXPECT_IS(key_protect(p + PAGE, PAGE, RW, 1), 0);
    EXPECT_IS(write(ends[1], p + PAGE, 8), 8); /* it may be read */
    EXPECT_ERR(read(ends[0], p + PAGE, 8), EFAULT);
    EXPECT_IS(read(ends[0], word, 8), 8);
    EXPECT_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, p + PAGE), EFAULT);
    key_rights(1, NO_ACCESS);
    EXPECT_ERR(write(ends[1], p + PAGE, 8), EFAULT);
    EXPECT_ERR(open((char *)p + PAGE, O_RDONLY), EFAULT);
    EXPECT_ERR(syscall(SYS_futex, p + PAGE, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_futex, p + PAGE, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
    EXPECT_ERR(vmsplice(ends[1], &(struct iovec){p + PAGE, 8}, 1, 0), EFAULT);
    key_rights(1, 0);
    EXPECT_IS(write(ends[1], p + PAGE, 8), 8);
    close(ends[0]);
    close(ends[1]);
}

/* Not for itself, but for whoever it is: that asks for no key. */
static void remote_accesses(void)
{
    unsigned char *p = area_map(3, RW), word[8] = "";
    struct iovec here = {word, 8}, there = {p, 8};
    int fd = open("/proc/self/mem", O_RDWR);

    memset(p, 'x', PAGE);
    EXPECT_IS(key_alloc(0, NO_ACCESS), 1);
    EXPECT_IS(key_protect(p, 3 * PAGE, RW, 1), 0);
    EXPECT_IS(process_vm_readv(getpid(), &here, 1, &there, 1, 0), 8);
    EXPECT_IS(word[7], 'x');
    EXPECT_IS(process_vm_writev(getpid(), &here, 1, &there, 1, 0), 8);
    EXPECT_ERR(process_vm_readv(getpid(), &there, 1, &here, 1, 0), EFAULT);
    EXPECT_IS(pread(fd, word, 8, (off_t)p), 8);
    EXPECT_IS(pwrite(fd, word, 8, (off_t)p), 8);
    EXPECT_IS(pread(fd, word, 8, (off_t)(p + PAGE)), 8); /* that was never touched */
    EXPECT_ERR(pread(fd, p, 8, (off_t)word), EFAULT);
    close(fd);
}

static void filling(void)
{
    unsigned char *p = area_map(4, RW), resident[4];

    EXPECT_IS(key_alloc(0, NO_WRITE), 1);
    EXPECT_IS(key_protect(p, 4 * PAGE, RW, 1), 0);
    EXPECT_ERR(mlock(p, PAGE), ENOMEM); /* it would write */
    EXPECT_IS(munlock(p, PAGE), 0);
    EXPECT_ERR(madvise(p, PAGE, 23), EINVAL); /* MADV_POPULATE_WRITE */
    EXPECT_IS(madvise(p, PAGE, 22), 0);       /* MADV_POPULATE_READ */
    key_rights(1, NO_ACCESS);
    EXPECT_ERR(madvise(p, PAGE, 22), EINVAL);
    EXPECT_IS(mincore(p, 4 * PAGE, resident), 0);
    EXPECT_IS(madvise(p, PAGE, MADV_DONTNEED), 0);
    EXPECT_ERR(mincore(p, 4 * PAGE, p), EFAULT);
    EXPECT_IS(munmap(p, 4 * PAGE), 0);
}

/* What a key refuses is not made present either, by an access or for a new mapping. */
static void refusals_make_nothing(void)
{
    unsigned char *p = area_map(4, RW), resident[4];
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE;

    EXPECT_IS(key_alloc(0, NO_ACCESS), 1);
    EXPECT_IS(key_protect(p, 2 * PAGE, RW, 1), 0);
    EXPECT_IS(refused_by(p, PROBE_READ), 1);
    EXPECT_IS(refused_by(p + PAGE, PROBE_WRITE), 1);
    EXPECT(mmap(p + 2 * PAGE, 2 * PAGE, PROT_EXEC, flags, -1, 0) == p + 2 * PAGE);
    EXPECT_IS(mincore(p, 4 * PAGE, resident), 0);
    for (int i = 0; i < 4; i++)
        EXPECT_IS(resident[i] & 1, 0);
    EXPECT_IS(munmap(p, 4 * PAGE), 0);
}

/* The key's rights are set anew when it becomes that of execute-only memory. */
static void new_execute_only(void)
{
    unsigned char *p = area_map(1, RW);

    key_rights(1, NO_ACCESS | NO_WRITE);
    EXPECT_IS(mprotect(p, PAGE, PROT_EXEC), 0);
    EXPECT_IS(rights_with(1), NO_ACCESS);
    key_rights(1, NO_ACCESS | NO_WRITE);
    EXPECT_IS(mprotect(p, PAGE, RW), 0);
    EXPECT_IS(mprotect(p, PAGE, PROT_EXEC), 0);
    EXPECT_IS(rights_with(1), NO_ACCESS | NO_WRITE);
}

static void execute_only(void)
{
    unsigned char *p = code_map();

    EXPECT_IS(mprotect(p, PAGE, PROT_EXEC | PROT_SEM), 0);
    EXPECT_IS(smaps_field(p, "ProtectionKey"), 0); /* not alone */
    EXPECT_IS(refused_by(p, PROBE_READ), 0);
    EXPECT_IS(mprotect(p, PAGE, PROT_EXEC), 0);
    EXPECT_IS(smaps_field(p, "ProtectionKey"), 1);
    EXPECT_IS(rights_with(1), NO_ACCESS);
    EXPECT_IS(refused_by(p, PROBE_READ), 1);
    EXPECT_IS(refused_by(p, PROBE_WRITE), 1);
    EXPECT_IS(refused_by(p, PROBE_CALL), 0);
    EXPECT_ERR(key_free(1), EINVAL);
    EXPECT_ERR(key_protect(p, PAGE, PROT_READ, 1), EINVAL);
    EXPECT_IS(key_alloc(0, 0), 2);
    key_rights(1, 0);
    EXPECT_IS(refused_by(p, PROBE_READ), 0); /* the program's own rights are its own */
    EXPECT_IS(mprotect(p, PAGE, PROT_EXEC), 0);
    EXPECT_IS(refused_by(p, PROBE_READ), 1);
    EXPECT_IS(mprotect(p, PAGE, RW), 0);
    EXPECT_IS(smaps_field(p, "ProtectionKey"), 0);
    EXPECT_IS(refused_by(p, PROBE_WRITE), 0);
    EXPECT_IS(key_protect(p, PAGE, PROT_EXEC, 2), 0);
    EXPECT_IS(smaps_field(p, "ProtectionKey"), 2); /* who names a key gets that */
    EXPECT_IS(mprotect(p, PAGE, PROT_EXEC), 0);
    EXPECT_IS(smaps_field(p, "ProtectionKey"), 1);
    EXPECT_IS(mprotect(p, PAGE, PROT_NONE), 0);
    EXPECT_IS(smaps_field(p, "ProtectionKey"), 0);
    munmap(p, PAGE);
    EXPECT(mmap(AREA, PAGE, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == AREA);
    EXPECT_IS(smaps_field(AREA, "ProtectionKey"), 1);
    EXPECT_IS(refused_by(AREA, PROBE_READ), 1);
}

static void execute_only_without_a_key(void)
{
    unsigned char *p = code_map();

    while (key_alloc(0, 0) > 0)
        ;
    EXPECT_IS(mprotect(p, PAGE, PROT_EXEC), 0);
    EXPECT_IS(smaps_field(p, "ProtectionKey"), 0);
    EXPECT_IS(refused_by(p, PROBE_READ), 0); /* x86 alone cannot refuse it */
    EXPECT_IS(refused_by(p, PROBE_CALL), 0);
    EXPECT(mmap(AREA, PAGE, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == AREA);
    EXPECT_IS(smaps_field(AREA, "ProtectionKey"), 0);
}

static void nothing_mapped_takes_no_key(void)
{
    munmap(AREA, PAGE);
    EXPECT_ERR(mprotect(AREA, PAGE, PROT_EXEC), ENOMEM);
    EXPECT_IS(key_alloc(0, 0), 1);
}

/* libmpk's complaint: who gets a freed key has a say in what its last owner left. */
static void freed_keys(void)
{
    unsigned char *p = area_map(1, RW);

    EXPECT_IS(key_alloc(0, 0), 1);
    EXPECT_IS(key_protect(p, PAGE, RW, 1), 0);
    EXPECT_IS(key_free(1), 0);
    EXPECT_IS(smaps_field(p, "ProtectionKey"), 1);
    EXPECT_IS(mprotect(p, PAGE, PROT_READ), 0); /* that key may still be kept */
    EXPECT_ERR(key_protect(p, PAGE, PROT_READ, 1), EINVAL);
    EXPECT_IS(key_alloc(0, NO_ACCESS), 1);
    EXPECT_IS(refused_by(p, PROBE_READ), 1);
}

static void strict_keys(void)
{
    unsigned char *p = area_map(1, RW);

    EXPECT_IS(key_alloc(0, 0), 1);
    EXPECT_IS(key_protect(p, PAGE, RW, 1), 0);
    EXPECT_ERR(key_free(1), EBUSY);
    EXPECT_IS(key_protect(p, PAGE, RW, 0), 0);
    EXPECT_IS(key_free(1), 0);
}

/* tests/bugs/run starts a kernel so. */
static void a_key_in_use_is_not_freed_where_that_is_wanted(void)
{
    char line[2048];

    if (slurp("/proc/cmdline", line, sizeof(line)) < 0 || !strstr(line, "pkey_strict=1"))
        SKIP("not wanted");
    apart(strict_keys);
}

static void without_keys(void)
{
    unsigned char *p = area_map(1, RW);

    if (keys_exist())
        SKIP("there are keys");
    key_alloc(0, 0); /* Linux says EINVAL the first time, as if key 0 had been given by mistake */
    EXPECT_ERR(key_alloc(1, 0), EINVAL);
    EXPECT_ERR(key_alloc(0, 0), ENOSPC);
    EXPECT_ERR(key_free(0), EINVAL);
    EXPECT_ERR(key_free(1), EINVAL);
    EXPECT_ERR(key_protect(p, PAGE, PROT_READ, 0), EINVAL);
    EXPECT_ERR(key_protect(p, PAGE, PROT_READ, 1), EINVAL);
    EXPECT_IS(key_protect(p, PAGE, PROT_READ, -1), 0);
    EXPECT_IS(probe(p, PROBE_WRITE).code, SEGV_ACCERR);
    EXPECT_IS(mprotect(p, PAGE, PROT_EXEC), 0);
    EXPECT_IS(probe(p, PROBE_READ).sig, 0); /* x86 alone cannot refuse it */
    EXPECT(smaps_field(p, "ProtectionKey") < 0);
}

EACH_WITH_KEYS(pkey_alloc_checks_flags_and_rights, arguments_of_pkey_alloc)
EACH_WITH_KEYS(keys_are_given_lowest_first_and_15_in_all, all_keys)
EACH_WITH_KEYS(key_0_is_given_from_the_start, key_0)
EACH_WITH_KEYS(pkey_alloc_sets_the_callers_rights, rights_of_the_caller)
EACH_WITH_KEYS(pkey_mprotect_checks_in_order, checks_of_pkey_mprotect)
EACH_WITH_KEYS(keys_refuse_reads_and_writes, refusals)
EACH_WITH_KEYS(keys_are_asked_before_rights, refusals_beside_rights)
EACH_WITH_KEYS(keys_are_asked_before_the_end_of_a_file, past_the_end)
EACH_WITH_KEYS(areas_of_two_keys_are_two, rows_of_memory)
EACH_WITH_KEYS(the_kernel_copies_with_the_programs_keys, copies)
EACH_WITH_KEYS(remote_accesses_ask_no_key, remote_accesses)
EACH_WITH_KEYS(what_fills_memory_asks_its_key, filling)
EACH_WITH_KEYS(what_a_key_refuses_is_not_made, refusals_make_nothing)
EACH_WITH_KEYS(a_new_execute_only_key_is_set_anew, new_execute_only)
EACH_WITH_KEYS(execute_only_memory_has_a_key, execute_only)
EACH_WITH_KEYS(without_a_key_execute_only_memory_is_read, execute_only_without_a_key)
EACH_WITH_KEYS(a_refused_mprotect_takes_no_key, nothing_mapped_takes_no_key)
EACH_WITH_KEYS(a_freed_key_stays_in_its_pages, freed_keys)

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(pkey_alloc_checks_flags_and_rights),
        TEST(keys_are_given_lowest_first_and_15_in_all),
        TEST(key_0_is_given_from_the_start),
        TEST(pkey_alloc_sets_the_callers_rights),
        TEST(pkey_mprotect_checks_in_order),
        TEST(keys_refuse_reads_and_writes),
        TEST(keys_are_asked_before_rights),
        TEST(keys_are_asked_before_the_end_of_a_file),
        TEST(areas_of_two_keys_are_two),
        TEST(the_kernel_copies_with_the_programs_keys),
        TEST(remote_accesses_ask_no_key),
        TEST(what_fills_memory_asks_its_key),
        TEST(what_a_key_refuses_is_not_made),
        TEST(a_new_execute_only_key_is_set_anew),
        TEST(execute_only_memory_has_a_key),
        TEST(without_a_key_execute_only_memory_is_read),
        TEST(a_refused_mprotect_takes_no_key),
        TEST(a_freed_key_stays_in_its_pages),
        TEST(a_key_in_use_is_not_freed_where_that_is_wanted),
        TEST(without_keys),
    };
    return KTAP_MAIN(tests);
}
