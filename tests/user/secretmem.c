/* SPDX-License-Identifier: MIT */
/*
 * tests/user/secretmem.c - memfd_secret: what its descriptor refuses, what its mappings allow
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: memfd_secret(2); Linux secretmem.c, observed as root.
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define RW               (PROT_READ | PROT_WRITE)
#define SYS_MEMFD_SECRET 447

static long secret(unsigned flags)
{
    return syscall(SYS_MEMFD_SECRET, flags);
}

/* A secret file of @pages; -1 when the kernel has none. */
static int secret_file(size_t pages)
{
    int fd = (int)secret(0);

    if (fd >= 0)
        EXPECT_IS(ftruncate(fd, (off_t)(pages * PAGE)), 0);
    return fd;
}

#define NEED_SECRET(fd)                  \
    do {                                 \
        if ((fd) < 0)                    \
            SKIP("memfd_secret is off"); \
    } while (0)

static void only_cloexec_is_a_flag(void)
{
    int fd = (int)secret(O_CLOEXEC);

    NEED_SECRET(fd);
    EXPECT_IS(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    EXPECT_ERR(secret(1), EINVAL);
    EXPECT_ERR(secret(1u << 30), EINVAL);
    EXPECT_ERR(secret(O_CLOEXEC | O_NONBLOCK), EINVAL);
}

static void new_file_is_empty_and_private_to_its_owner(void)
{
    int fd = (int)secret(0);
    struct stat st = {0};

    NEED_SECRET(fd);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_mode, S_IFREG | 0600);
    EXPECT_IS(st.st_size, 0);
    EXPECT_IS(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    EXPECT_IS(fcntl(fd, F_GETFD), 0);
    close(fd);
}

static void descriptor_neither_reads_nor_writes(void)
{
    int fd = secret_file(2);
    char b[64];

    NEED_SECRET(fd);
    EXPECT_ERR(read(fd, b, 64), EINVAL);
    EXPECT_ERR(write(fd, b, 64), EINVAL);
    EXPECT_ERR(pread(fd, b, 64, 0), ESPIPE);
    EXPECT_ERR(pwrite(fd, b, 64, 0), ESPIPE);
    EXPECT_ERR(lseek(fd, 0, SEEK_SET), ESPIPE);
    close(fd);
}

static void there_are_no_seals(void)
{
    int fd = secret_file(1);

    NEED_SECRET(fd);
    EXPECT_ERR(fcntl(fd, F_GET_SEALS), EINVAL);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EINVAL);
    close(fd);
}

static void size_is_set_once(void)
{
    int fd = (int)secret(0);
    struct stat st = {0};

    NEED_SECRET(fd);
    EXPECT_IS(ftruncate(fd, 0), 0);
    EXPECT_IS(ftruncate(fd, 0), 0);
    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0);
    EXPECT_ERR(ftruncate(fd, 2 * PAGE), EINVAL);
    EXPECT_ERR(ftruncate(fd, 4 * PAGE), EINVAL);
    EXPECT_ERR(ftruncate(fd, 0), EINVAL);
    EXPECT_ERR(ftruncate(fd, -1), EINVAL);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_size, 2 * PAGE);
    close(fd);
}

static void only_shared_data_can_be_mapped(void)
{
    int fd = secret_file(2);

    NEED_SECRET(fd);
    EXPECT_ERR(syscall(SYS_mmap, 0L, PAGE, RW, MAP_PRIVATE, fd, 0L), EINVAL);
    EXPECT_ERR(syscall(SYS_mmap, 0L, PAGE, PROT_READ, MAP_PRIVATE, fd, 0L), EINVAL);
    EXPECT_ERR(syscall(SYS_mmap, 0L, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0L), EPERM);
    void *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT(p != MAP_FAILED);
    munmap(p, PAGE);
    p = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_POPULATE, fd, 0);
    EXPECT(p != MAP_FAILED);
    munmap(p, PAGE);
    close(fd);
}

static void file_can_be_mapped_before_it_has_a_size(void)
{
    int fd = (int)secret(0);

    NEED_SECRET(fd);
    char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
    EXPECT(p != MAP_FAILED);
    EXPECT(probe(p, PROBE_WRITE).sig == SIGBUS);
    EXPECT_IS(ftruncate(fd, PAGE), 0);
    EXPECT(!probe(p, PROBE_WRITE).sig);
    struct fault f = probe(p + PAGE, PROBE_READ);
    EXPECT(f.sig == SIGBUS && (!f.details || (f.code == BUS_ADRERR && f.addr == p + PAGE)));
    munmap(p, 2 * PAGE);
    close(fd);
}

static void pages_start_zero_and_keep_their_bytes(void)
{
    int fd = secret_file(8);

    NEED_SECRET(fd);
    char *p = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
    EXPECT(p != MAP_FAILED);
    for (size_t i = 0; i < 8 * PAGE; i += 512)
        EXPECT_IS(p[i], 0);
    memset(p, 's', 8 * PAGE);
    munmap(p, 8 * PAGE);
    p = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
    EXPECT(p[0] == 's' && p[8 * PAGE - 1] == 's'); /* the file kept them */
    munmap(p, 8 * PAGE);
    close(fd);
}

static long faults_so_far(void)
{
    struct rusage usage;

    EXPECT_IS(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

static void pages_come_when_they_are_touched(void)
{
    int fd = secret_file(4);

    NEED_SECRET(fd);
    volatile char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT(p != MAP_FAILED);
    long before = faults_so_far();
    for (int i = 0; i < 4; i++)
        p[i * PAGE] = 1;
    EXPECT(faults_so_far() - before >= 4);
    EXPECT_IS(munmap((void *)p, 4 * PAGE), 0);
    close(fd);
}

static void two_mappings_show_one_secret(void)
{
    int fd = secret_file(1);

    NEED_SECRET(fd);
    char *a = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0),
         *b = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    a[77] = 't';
    EXPECT_IS(b[77], 't');
    EXPECT(probe(b, PROBE_WRITE).sig == SIGSEGV);
    munmap(a, PAGE);
    munmap(b, PAGE);
    close(fd);
}

static void mapping_outlives_the_descriptor(void)
{
    int fd = secret_file(1);

    NEED_SECRET(fd);
    char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    p[0] = 'o';
    close(fd);
    EXPECT_IS(p[0], 'o');
    munmap(p, PAGE);
}

static void mprotect_may_not_make_code(void)
{
    int fd = secret_file(1);

    NEED_SECRET(fd);
    char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    EXPECT_ERR(mprotect(p, PAGE, PROT_READ | PROT_EXEC), EACCES);
    EXPECT_IS(mprotect(p, PAGE, PROT_READ), 0);
    EXPECT(probe(p, PROBE_WRITE).sig == SIGSEGV);
    EXPECT_IS(mprotect(p, PAGE, RW), 0);
    EXPECT(!probe(p, PROBE_WRITE).sig);
    EXPECT_IS(mprotect(p, PAGE, PROT_NONE), 0);
    munmap(p, PAGE);
    close(fd);
}

static void kernel_copies_for_the_owner(void)
{
    int fd = secret_file(1), file = memfd_create("open", 0);
    char back[6] = "";

    NEED_SECRET(fd);
    char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    memcpy(p, "secret", 6);
    EXPECT_IS(write(file, p, 6), 6); /* through the owner's own mapping: allowed */
    EXPECT_IS(pread(file, back, 6, 0), 6);
    EXPECT(!memcmp(back, "secret", 6));
    EXPECT_IS(pwrite(file, "SECRET", 6, 0), 6);
    EXPECT_IS(pread(file, p, 6, 0), 6);
    EXPECT(!memcmp(p, "SECRET", 6));
    munmap(p, PAGE);
    close(fd);
    close(file);
}

static void child_shares_the_secret(void)
{
    int fd = secret_file(1), status = -1;

    NEED_SECRET(fd);
    char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    p[0] = 'p';
    pid_t child = fork();
    if (child == 0) {
        bool seen = p[0] == 'p';
        p[1] = 'c';
        _exit(seen ? 0 : 1);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    EXPECT_IS(p[1], 'c');
    munmap(p, PAGE);
    close(fd);
}

static void secrets_come_and_go(void)
{
    bool zero = true;

    NEED_SECRET(secret_file(1));
    for (int round = 0; round < 50; round++) {
        int fd = secret_file(4);
        char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);

        close(fd);
        if (p == MAP_FAILED)
            break;
        for (size_t i = 0; i < 4; i++)
            zero &= p[i * PAGE + 9] == 0;
        memset(p, 0x5e, 4 * PAGE);
        munmap(p, 4 * PAGE);
    }
    EXPECT(zero);
}

static void other_calls_say_what_linux_says(void)
{
    int fd = secret_file(2);

    NEED_SECRET(fd);
    if (linux_before(6, 18))
        SKIP("differs in older kernels");
    char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0), vec[2];
    p[0] = 1;
    if (madvise(p, PAGE, MADV_DONTDUMP) < 0 && errno == ENOSYS)
        SKIP("no madvise");
    EXPECT_ERR(madvise(p, PAGE, MADV_DONTNEED), EINVAL);
    EXPECT_ERR(madvise(p, PAGE, MADV_REMOVE), EINVAL);
    EXPECT_IS(madvise(p, PAGE, MADV_DODUMP), 0);
    EXPECT_IS(madvise(p, PAGE, MADV_DONTFORK), 0);
    EXPECT_ERR(madvise(p, PAGE, 22), EINVAL); /* MADV_POPULATE_READ */
    EXPECT_ERR(madvise(p, PAGE, 23), EINVAL); /* MADV_POPULATE_WRITE */
    EXPECT_ERR(msync(p, PAGE, MS_SYNC), EINVAL);
    EXPECT_ERR(mlock(p, PAGE), ENOMEM);
    EXPECT_IS(munlock(p, PAGE), 0);
    EXPECT_IS(mincore(p, 2 * PAGE, (unsigned char *)vec), 0);
    EXPECT_ERR(syscall(SYS_mremap, p, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE), EFAULT);
    EXPECT_ERR(syscall(SYS_fallocate, fd, 0, 0L, PAGE), EOPNOTSUPP);
    munmap(p, 2 * PAGE);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(only_cloexec_is_a_flag),
    TEST(new_file_is_empty_and_private_to_its_owner),
    TEST(descriptor_neither_reads_nor_writes),
    TEST(there_are_no_seals),
    TEST(size_is_set_once),
    TEST(only_shared_data_can_be_mapped),
    TEST(file_can_be_mapped_before_it_has_a_size),
    TEST(pages_start_zero_and_keep_their_bytes),
    TEST(pages_come_when_they_are_touched),
    TEST(two_mappings_show_one_secret),
    TEST(mapping_outlives_the_descriptor),
    TEST(mprotect_may_not_make_code),
    TEST(kernel_copies_for_the_owner),
    TEST(child_shares_the_secret),
    TEST(secrets_come_and_go),
    TEST(other_calls_say_what_linux_says),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
