/* SPDX-License-Identifier: MIT */
/*
 * tests/user/secretmem_seals.c - secret memory that can be sealed: its seals, and descriptors that
 * only read
 *
 * Room:   tests/user. On Linux, which has no such flag, all but the first is skipped.
 * Owns:   nothing.
 * Locks:  none.
 * Always: -
 * Source: include/uapi/bulla.h; fcntl(2), "File Sealing".
 * Tour:   after tests/user/secretmem_fd.c and tests/user/seals.c.
 */
#define _GNU_SOURCE
#include "../../include/uapi/bulla.h"
#include "secret.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20 /* newer than some C libraries */
#endif

static int fd;

/* A file that can be sealed, without a size yet. */
static bool have_file(void)
{
    fd = secret(SECRET_ALLOW_SEALING);
    return fd >= 0;
}

#define WITH_EMPTY_FILE                     \
    do {                                    \
        if (!have_file())                   \
            SKIP("secrets are not sealed"); \
    } while (0)

#define WITH_FILE                              \
    do {                                       \
        WITH_EMPTY_FILE;                       \
        EXPECT_IS(ftruncate(fd, 2 * PAGE), 0); \
    } while (0)

static long seals(void)
{
    return fcntl(fd, F_GET_SEALS);
}

static long seal(int which)
{
    return fcntl(fd, F_ADD_SEALS, which);
}

static long map_result(int prot)
{
    return syscall(SYS_mmap, 0L, PAGE, prot, MAP_SHARED, fd, 0L);
}

static void a_kernel_without_seals_says_so(void)
{
    int with = secret(SECRET_ALLOW_SEALING), without = secret(0);

    NEED_SECRET(without);
    if (with < 0)
        EXPECT_ERR(secret(SECRET_ALLOW_SEALING), EINVAL);
    EXPECT_ERR(fcntl(without, F_GET_SEALS), EINVAL);
    EXPECT_ERR(fcntl(without, F_ADD_SEALS, F_SEAL_SEAL), EINVAL);
    close(with);
    close(without);
}

static void a_new_file_has_no_seals(void)
{
    WITH_FILE;
    EXPECT_IS(seals(), 0);
    EXPECT_IS(seal(F_SEAL_GROW), 0);
    EXPECT_IS(seal(F_SEAL_SHRINK), 0);
    EXPECT_IS(seals(), F_SEAL_GROW | F_SEAL_SHRINK);
    EXPECT_ERR(seal(0x1000), EINVAL);
    EXPECT_IS(seals(), F_SEAL_GROW | F_SEAL_SHRINK);
    close(fd);
}

static void sealing_ends_sealing(void)
{
    WITH_FILE;
    EXPECT_IS(seal(F_SEAL_SEAL), 0);
    EXPECT_ERR(seal(F_SEAL_WRITE), EPERM);
    EXPECT_ERR(seal(F_SEAL_SEAL), EPERM);
    EXPECT_IS(seals(), F_SEAL_SEAL);
    close(fd);
}

static void a_size_is_set_once_whatever_the_seals(void)
{
    WITH_FILE;
    EXPECT_ERR(ftruncate(fd, PAGE), EINVAL);
    EXPECT_ERR(ftruncate(fd, 4 * PAGE), EINVAL);
    EXPECT_IS(seal(F_SEAL_GROW | F_SEAL_SHRINK), 0);
    EXPECT_ERR(ftruncate(fd, PAGE), EINVAL);
    EXPECT_ERR(ftruncate(fd, 2 * PAGE), EINVAL);
    close(fd);
}

static void what_may_not_grow_gets_no_size(void)
{
    WITH_EMPTY_FILE;
    EXPECT_IS(seal(F_SEAL_GROW), 0);
    EXPECT_ERR(ftruncate(fd, PAGE), EPERM);
    EXPECT_IS(ftruncate(fd, 0), 0);
    close(fd);
}

static void who_could_write_is_in_the_way(void)
{
    WITH_FILE;
    char *p = secret_map(fd, 1);
    *p = 's';
    EXPECT_ERR(seal(F_SEAL_WRITE), EBUSY);
    EXPECT_IS(mprotect(p, PAGE, PROT_READ), 0);
    EXPECT_ERR(seal(F_SEAL_WRITE), EBUSY); /* it could be made writable again */
    munmap(p, PAGE);
    EXPECT_IS(seal(F_SEAL_WRITE), 0);
    EXPECT_IS(seals(), F_SEAL_WRITE);
    close(fd);
}

static void what_is_sealed_is_read_for_ever(void)
{
    WITH_FILE;
    char *p = secret_map(fd, 1);
    strcpy(p, "sealed");
    munmap(p, PAGE);
    EXPECT_IS(seal(F_SEAL_WRITE | F_SEAL_SEAL), 0);
    EXPECT_ERR(map_result(RW), EPERM);
    p = (char *)map_result(PROT_READ);
    EXPECT(p != MAP_FAILED && !strcmp(p, "sealed"));
    EXPECT(probe(p, PROBE_WRITE).sig == SIGSEGV);
    EXPECT_ERR(mprotect(p, PAGE, RW), EACCES);
    EXPECT(!strcmp(p, "sealed"));
    munmap(p, PAGE);
    close(fd);
}

static void what_is_mapped_already_goes_on_writing(void)
{
    WITH_FILE;
    char *before = secret_map(fd, 1);
    EXPECT_IS(seal(F_SEAL_FUTURE_WRITE), 0);
    strcpy(before, "written");
    EXPECT_ERR(map_result(RW), EPERM);
    char *after = (char *)map_result(PROT_READ);
    EXPECT(after != MAP_FAILED && !strcmp(after, "written"));
    EXPECT_ERR(mprotect(after, PAGE, RW), EACCES);
    EXPECT_IS(mprotect(before, PAGE, PROT_READ), 0);
    EXPECT_IS(mprotect(before, PAGE, RW), 0);
    munmap(before, PAGE);
    munmap(after, PAGE);
    close(fd);
}

static void the_right_to_execute_is_sealed(void)
{
    struct stat st = {0};

    WITH_FILE;
    EXPECT_IS(seal(F_SEAL_EXEC), 0);
    EXPECT_ERR(fchmod(fd, 0700), EPERM);
    EXPECT_IS(fchmod(fd, 0400), 0);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_mode, S_IFREG | 0400);
    close(fd);
}

/* Descriptors that only read */

static void it_can_be_opened_to_read(void)
{
    WITH_FILE;
    char *p = secret_map(fd, 1);
    strcpy(p, "lent");
    int reader = open(proc_name(fd), O_RDONLY);
    EXPECT(reader >= 0);
    EXPECT_IS(fcntl(reader, F_GETFL) & O_ACCMODE, O_RDONLY);
    char *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
    EXPECT(q != MAP_FAILED && !strcmp(q, "lent"));
    strcpy(p, "changed");
    EXPECT(!strcmp(q, "changed"));
    munmap(p, PAGE);
    munmap(q, PAGE);
    close(reader);
    close(fd);
}

static void a_reader_stays_a_reader(void)
{
    char byte;

    WITH_FILE;
    int reader = open(proc_name(fd), O_RDONLY);
    char *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
    EXPECT_ERR(syscall(SYS_mmap, 0L, PAGE, RW, MAP_SHARED, reader, 0L), EACCES);
    EXPECT_ERR(syscall(SYS_mmap, 0L, PAGE, PROT_READ, MAP_PRIVATE, reader, 0L), EINVAL);
    EXPECT_ERR(syscall(SYS_mmap, 0L, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, reader, 0L), EPERM);
    EXPECT_ERR(mprotect(q, PAGE, RW), EACCES);
    EXPECT(probe(q, PROBE_WRITE).sig == SIGSEGV);
    EXPECT_ERR(fcntl(reader, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    EXPECT_IS(fcntl(reader, F_GET_SEALS), 0);
    EXPECT_ERR(ftruncate(reader, PAGE), EINVAL);
    EXPECT_ERR(read(reader, &byte, 1), EINVAL);
    EXPECT_ERR(pread(reader, &byte, 1, 0), ESPIPE);
    munmap(q, PAGE);
    close(reader);
    close(fd);
}

static void a_reader_is_not_in_the_way_of_seals(void)
{
    WITH_FILE;
    int reader = open(proc_name(fd), O_RDONLY);
    char *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
    EXPECT_IS(seal(F_SEAL_WRITE), 0);
    EXPECT_IS(*q, 0);
    munmap(q, PAGE);
    close(reader);
    close(fd);
}

static void it_can_be_opened_to_write(void)
{
    WITH_FILE;
    int writer = open(proc_name(fd), O_RDWR);
    EXPECT(writer >= 0);
    char *p = secret_map(writer, 1), *q = secret_map(fd, 1);
    *p = 'w';
    EXPECT_IS(*q, 'w');
    EXPECT_ERR(open(proc_name(fd), O_RDWR | O_TRUNC), EINVAL);
    EXPECT_IS(*q, 'w');
    munmap(p, PAGE);
    munmap(q, PAGE);
    close(writer);
    close(fd);
}

static void as_stranger(void)
{
    become_nobody();
    EXPECT_ERR(open(proc_name(fd), O_RDONLY), EACCES);
    EXPECT_ERR(open(proc_name(fd), O_RDWR), EACCES);
}

static void strangers_do_not_open_it(void)
{
    NEED_ROOT;
    WITH_FILE;
    in_child(as_stranger);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(a_kernel_without_seals_says_so),
    TEST(a_new_file_has_no_seals),
    TEST(sealing_ends_sealing),
    TEST(a_size_is_set_once_whatever_the_seals),
    TEST(what_may_not_grow_gets_no_size),
    TEST(who_could_write_is_in_the_way),
    TEST(what_is_sealed_is_read_for_ever),
    TEST(what_is_mapped_already_goes_on_writing),
    TEST(the_right_to_execute_is_sealed),
    TEST(it_can_be_opened_to_read),
    TEST(a_reader_stays_a_reader),
    TEST(a_reader_is_not_in_the_way_of_seals),
    TEST(it_can_be_opened_to_write),
    TEST(strangers_do_not_open_it),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
