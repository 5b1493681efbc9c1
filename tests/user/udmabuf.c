/* SPDX-License-Identifier: MIT */
/*
 * tests/user/udmabuf.c - /dev/udmabuf: pages of memfds as a buffer that is no file of theirs
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) where there is no /dev/udmabuf the tests are skipped: most distributions' Linux has
 *             none.
 * Source: Linux drivers/dma-buf/udmabuf.c and dma-buf.c, Documentation/driver-api/dma-buf.rst; its
 *         selftest udmabuf.
 * Tour:   after tests/user/pins.c.
 */
#define _GNU_SOURCE
#include "../../include/uapi/dma_buf.h"
#include "ktap.h"
#include "smaps.h"
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define RW    (PROT_READ | PROT_WRITE)
#define HUGE  (512 * PAGE)
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

static int device = -1;

#define NEED_DEVICE                            \
    do {                                       \
        device = open("/dev/udmabuf", O_RDWR); \
        if (device < 0)                        \
            SKIP("no /dev/udmabuf");           \
    } while (0)

static long buffer_of(int memfd, size_t offset, size_t size)
{
    struct uapi_udmabuf_create create = {.memfd = (uint32_t)memfd, .offset = offset, .size = size};

    return ioctl(device, UDMABUF_CREATE, &create);
}

static int memfd_with(int seals, size_t size)
{
    int fd = memfd_create("lends", MFD_ALLOW_SEALING);

    EXPECT_IS(ftruncate(fd, (off_t)size), 0);
    if (seals)
        EXPECT_IS(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void a_buffer_is_what_the_file_has(void)
{
    NEED_DEVICE;
    int fd = memfd_with(F_SEAL_SHRINK, 4 * PAGE);
    int buffer = (int)buffer_of(fd, PAGE, 2 * PAGE);
    char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, buffer, 0), c = 0;

    EXPECT(buffer >= 0 && p != MAP_FAILED);
    p[0] = 'b';
    EXPECT_IS(pread(fd, &c, 1, PAGE), 1);
    EXPECT_IS(c, 'b');
    EXPECT_IS(pwrite(fd, "f", 1, 2 * PAGE + 5), 1);
    EXPECT_IS(p[PAGE + 5], 'f');
    EXPECT_IS(fcntl(buffer, F_GETFD), 0);
    munmap(p, 2 * PAGE);
    close(buffer);
    close(fd);
    close(device);
}

static void it_outlives_its_descriptors(void)
{
    NEED_DEVICE;
    int fd = memfd_with(F_SEAL_SHRINK, 2 * PAGE);
    int buffer = (int)buffer_of(fd, 0, 2 * PAGE);
    char *p = mmap(NULL, PAGE, RW, MAP_SHARED, buffer, PAGE);

    close(buffer);
    p[7] = 'x';
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    close(fd);
    EXPECT_IS(p[7], 'x');
    pid_t pid = fork();
    if (pid == 0) {
        p[8] = p[7];
        _exit(0);
    }
    EXPECT_IS(waitpid(pid, NULL, 0), pid);
    EXPECT_IS(p[8], 'x');
    munmap(p, PAGE);
    close(device);
}

static void seals_are_looked_at(void)
{
    static const struct {
        int seals, error;
    } cases[] = {
        {0, EINVAL},
        {F_SEAL_GROW, EINVAL},
        {F_SEAL_SHRINK, 0},
        {F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, 0},
        {F_SEAL_SHRINK | F_SEAL_WRITE, EINVAL},
        {F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE, EINVAL},
    };

    NEED_DEVICE;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = memfd_with(cases[i].seals, 2 * PAGE);
        long buffer = buffer_of(fd, 0, PAGE);
        EXPECT(cases[i].error ? buffer < 0 && errno == cases[i].error : buffer >= 0);
        close((int)buffer);
        close(fd);
    }
    close(device);
}

static void a_file_that_will_not_be_written_lends_nothing(void)
{
    NEED_DEVICE;
    int fd = memfd_with(F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE, 2 * PAGE);

    EXPECT_ERR(buffer_of(fd, 0, PAGE), EINVAL);
    close(fd);
    close(device);
}

static void only_memfds_lend(void)
{
    NEED_DEVICE;
    int null = open("/dev/null", O_RDWR), secret = (int)syscall(447 /* memfd_secret */, 0);
    int fd = memfd_with(F_SEAL_SHRINK, 2 * PAGE), buffer = (int)buffer_of(fd, 0, PAGE);

    EXPECT_ERR(buffer_of(99, 0, PAGE), EBADFD);
    EXPECT_ERR(buffer_of(null, 0, PAGE), EBADFD);
    EXPECT_ERR(buffer_of(device, 0, PAGE), EBADFD);
    EXPECT_ERR(buffer_of(buffer, 0, PAGE), EBADFD);
    if (secret >= 0)
        EXPECT_ERR(buffer_of(secret, 0, PAGE), EBADFD);
    close(secret);
    close(null);
    close(buffer);
    close(fd);
    close(device);
}

static void sizes_are_looked_at(void)
{
    NEED_DEVICE;
    int fd = memfd_with(F_SEAL_SHRINK, 4 * PAGE);

    EXPECT_ERR(buffer_of(fd, PAGE / 2, PAGE), EINVAL);
    EXPECT_ERR(buffer_of(fd, 0, PAGE / 2), EINVAL);
    EXPECT_ERR(buffer_of(fd, 0, 0), EINVAL);
    EXPECT_ERR(buffer_of(fd, 0, (64 << 20) + PAGE), EINVAL); /* size_limit_mb */
    EXPECT_ERR(buffer_of(fd, 4 * PAGE, PAGE), EINVAL);
    EXPECT_ERR(buffer_of(fd, 3 * PAGE, 2 * PAGE), EINVAL);
    EXPECT_ERR(buffer_of(99, 1, PAGE), EINVAL); /* before the file */
    EXPECT_ERR(ioctl(device, UDMABUF_CREATE, NULL), EFAULT);
    EXPECT_ERR(ioctl(device, 0x7544, NULL), ENOTTY);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0); /* nothing was kept */
    close(fd);
    close(device);
}

struct list {
    struct uapi_udmabuf_create_list head;
    struct uapi_udmabuf_item items[1100];
};

static void a_list_of_parts_is_one_buffer(void)
{
    static struct list list;

    NEED_DEVICE;
    int a = memfd_with(F_SEAL_SHRINK, 4 * PAGE), b = memfd_with(F_SEAL_SHRINK, 4 * PAGE);
    EXPECT_IS(pwrite(a, "a", 1, 3 * PAGE), 1);
    EXPECT_IS(pwrite(b, "b", 1, PAGE), 1);
    list.head.count = 3;
    list.head.flags = UDMABUF_FLAGS_CLOEXEC;
    list.items[0] = (struct uapi_udmabuf_item){.memfd = (uint32_t)b, .offset = PAGE, .size = PAGE};
    list.items[1] =
        (struct uapi_udmabuf_item){.memfd = (uint32_t)a, .offset = 2 * PAGE, .size = 2 * PAGE};
    list.items[2] = list.items[0];
    int buffer = ioctl(device, UDMABUF_CREATE_LIST, &list);
    char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, buffer, 0);
    EXPECT(p != MAP_FAILED && p[0] == 'b' && p[2 * PAGE] == 'a' && p[3 * PAGE] == 'b');
    p[0] = 'c';
    EXPECT_IS(look(p + 3 * PAGE), 'c'); /* it is there twice */
    EXPECT_IS(fcntl(buffer, F_GETFD), FD_CLOEXEC);
    munmap(p, 4 * PAGE);
    close(buffer);
    list.items[1].memfd = 99;
    EXPECT_ERR(ioctl(device, UDMABUF_CREATE_LIST, &list), EBADFD);
    list.head.count = 0;
    EXPECT_ERR(ioctl(device, UDMABUF_CREATE_LIST, &list), EINVAL);
    list.head.count = 1025;
    EXPECT_ERR(ioctl(device, UDMABUF_CREATE_LIST, &list), EINVAL);
    EXPECT_IS(fcntl(a, F_ADD_SEALS, F_SEAL_WRITE), 0);
    EXPECT_IS(fcntl(b, F_ADD_SEALS, F_SEAL_WRITE), 0);
    close(a);
    close(b);
    close(device);
}

static void holes_are_filled(void)
{
    NEED_DEVICE;
    int fd = memfd_with(F_SEAL_SHRINK, 8 * PAGE);
    int buffer = (int)buffer_of(fd, 2 * PAGE, 3 * PAGE);

    EXPECT_IS(kib_of(fd), 12);
    char *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, buffer, 0);
    EXPECT(p[0] == 0 && !memcmp(p, p + 1, 3 * PAGE - 1));
    munmap(p, 3 * PAGE);
    close(buffer);
    close(fd);
    close(device);
}

static void a_hole_does_not_reach_the_buffer(void)
{
    NEED_DEVICE;
    int fd = memfd_with(F_SEAL_SHRINK, 2 * PAGE);
    EXPECT_IS(pwrite(fd, "f", 1, 0), 1);
    int buffer = (int)buffer_of(fd, 0, 2 * PAGE);
    char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, buffer, 0), c = 1;

    EXPECT_IS(p[0], 'f');
    EXPECT_IS(fallocate(fd, PUNCH, 0, 2 * PAGE), 0);
    EXPECT_IS(p[0], 'f');
    p[0] = p[PAGE] = 'g';
    EXPECT_IS(pread(fd, &c, 1, 0), 1);
    EXPECT_IS(c, 0);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0); /* it has lent nothing that is its own */
    p[1] = 'g';
    munmap(p, 2 * PAGE);
    close(buffer);
    close(fd);
    close(device);
}

static void it_is_mapped_shared_and_within(void)
{
    NEED_DEVICE;
    int fd = memfd_with(F_SEAL_SHRINK, 4 * PAGE), buffer = (int)buffer_of(fd, 0, 2 * PAGE);

    EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, buffer, 0) == MAP_FAILED && errno == EINVAL);
    EXPECT(mmap(NULL, 3 * PAGE, RW, MAP_SHARED, buffer, 0) == MAP_FAILED && errno == EINVAL);
    EXPECT(mmap(NULL, PAGE, RW, MAP_SHARED, buffer, 2 * PAGE) == MAP_FAILED && errno == EINVAL);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, buffer, PAGE);
    EXPECT(p != MAP_FAILED);
    EXPECT_IS(mprotect(p, PAGE, RW), 0);
    p[0] = 'x';
    munmap(p, PAGE);
    close(buffer);
    close(fd);
    close(device);
}

static void it_is_measured_and_not_read(void)
{
    NEED_DEVICE;
    int fd = memfd_with(F_SEAL_SHRINK, 4 * PAGE), buffer = (int)buffer_of(fd, 0, 3 * PAGE);
    struct stat st;
    char c, path[32];

    EXPECT_IS(lseek(buffer, 0, SEEK_END), 3 * PAGE);
    EXPECT_IS(lseek(buffer, 0, SEEK_SET), 0);
    EXPECT_ERR(lseek(buffer, 1, SEEK_SET), EINVAL);
    EXPECT_ERR(lseek(buffer, -1, SEEK_END), EINVAL);
    EXPECT_ERR(lseek(buffer, 0, SEEK_CUR), EINVAL);
    EXPECT_IS(fstat(buffer, &st), 0);
    EXPECT_IS(st.st_size, 3 * PAGE);
    EXPECT_ERR(read(buffer, &c, 1), EINVAL);
    EXPECT_ERR(write(buffer, &c, 1), EINVAL);
    EXPECT_ERR(ftruncate(buffer, 0), EINVAL);
    EXPECT_ERR(fcntl(buffer, F_GET_SEALS), EINVAL);
    EXPECT_ERR(fallocate(buffer, PUNCH, 0, PAGE), EOPNOTSUPP);
    snprintf(path, sizeof path, "/proc/self/fd/%d", buffer);
    EXPECT_ERR(open(path, O_RDWR | O_TRUNC), ENXIO);
    close(buffer);
    close(fd);
    close(device);
}

static long sync_of(int buffer, uint64_t flags)
{
    return ioctl(buffer, DMA_BUF_IOCTL_SYNC, &flags);
}

static void accesses_begin_and_end(void)
{
    NEED_DEVICE;
    int fd = memfd_with(F_SEAL_SHRINK, PAGE), buffer = (int)buffer_of(fd, 0, PAGE);

    EXPECT_ERR(sync_of(buffer, DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END), EINVAL);
    EXPECT_IS(sync_of(buffer, DMA_BUF_SYNC_READ), 0);
    EXPECT_IS(sync_of(buffer, DMA_BUF_SYNC_READ | DMA_BUF_SYNC_END), 0);
    EXPECT_IS(sync_of(buffer, DMA_BUF_SYNC_WRITE), 0);
    EXPECT_ERR(sync_of(buffer, DMA_BUF_SYNC_START), EINVAL);
    EXPECT_ERR(sync_of(buffer, 8 | DMA_BUF_SYNC_RW), EINVAL);
    EXPECT_ERR(ioctl(buffer, DMA_BUF_IOCTL_SYNC, NULL), EFAULT);
    EXPECT_ERR(ioctl(buffer, 0x6277, NULL), ENOTTY);
    close(buffer);
    close(fd);
    close(device);
}

/* Is there a line in fdinfo? */
static bool told(int fd, const char *line)
{
    char path[40], text[1024] = "";

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    return slurp(path, text, sizeof text) > 0 && strstr(text, line);
}

static void it_has_a_name(void)
{
    static const char longest[] = "0123456789012345678901234567890";
    char longer[33];

    NEED_DEVICE;
    int fd = memfd_with(F_SEAL_SHRINK, PAGE), buffer = (int)buffer_of(fd, 0, PAGE);

    EXPECT(told(buffer, "size:\t4096\ncount:\t1\nexp_name:\tudmabuf\n"));
    EXPECT(!told(buffer, "name:\tmine\n"));
    EXPECT_IS(ioctl(buffer, DMA_BUF_SET_NAME_B, "mine"), 0);
    EXPECT(told(buffer, "name:\tmine\n"));
    EXPECT_IS(ioctl(buffer, DMA_BUF_SET_NAME_A, longest), 0);
    EXPECT(told(buffer, longest));
    memset(longer, 'x', sizeof longer);
    EXPECT_ERR(ioctl(buffer, DMA_BUF_SET_NAME_B, longer), EINVAL);
    EXPECT_ERR(ioctl(buffer, DMA_BUF_SET_NAME_B, NULL), EFAULT);
    close(buffer);
    close(fd);
    close(device);
}

/* Not the program's memory: no call of another's touches it by its address. */
static void nobody_gets_at_it_by_its_address(void)
{
    NEED_DEVICE;
    int fd = memfd_with(F_SEAL_SHRINK, PAGE), buffer = (int)buffer_of(fd, 0, PAGE), ends[2];
    char *p = mmap(NULL, PAGE, RW, MAP_SHARED, buffer, 0), bytes[8];
    struct iovec here = {bytes, 8}, there = {p, 8};

    p[0] = 'x';
    EXPECT_IS(pipe(ends), 0);
    EXPECT_ERR(vmsplice(ends[1], &there, 1, 0), EFAULT);
    EXPECT_ERR(process_vm_readv(getpid(), &here, 1, &there, 1, 0), EFAULT);
    EXPECT_IS(write(ends[1], p, 8), 8); /* but the program's own calls do */
    EXPECT_IS(p[0], 'x');
    munmap(p, PAGE);
    close(ends[0]);
    close(ends[1]);
    close(buffer);
    close(fd);
    close(device);
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void expect_lent_is_not_sealed(int fd, size_t offset)
{
    int buffer = (int)buffer_of(fd, offset, 2 * PAGE);

    EXPECT(buffer >= 0);
    long before = now_ms();
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    EXPECT(now_ms() - before >= 140);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
    char *p = mmap(NULL, PAGE, RW, MAP_SHARED, buffer, PAGE), c = 0;
    EXPECT(p != MAP_FAILED);
    p[3] = 'w'; /* it had been lent before */
    EXPECT_IS(pread(fd, &c, 1, (off_t)(offset + PAGE + 3)), 1);
    EXPECT_IS(c, 'w');
    close(buffer);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    munmap(p, PAGE);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
}

static void what_is_lent_is_not_sealed(void)
{
    NEED_DEVICE;
    int fd = memfd_with(F_SEAL_SHRINK, 4 * PAGE);

    expect_lent_is_not_sealed(fd, PAGE);
    close(fd);
    close(device);
}

static void a_part_of_a_huge_page_is_lent(void)
{
    NEED_DEVICE;
    int fd = memfd_with(F_SEAL_SHRINK, HUGE);
    char *p = mmap(place_of_units(HUGE), HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);

    p[0] = 'x';
    int collapsed = madvise(p, HUGE, MADV_COLLAPSE);
    munmap(p, HUGE);
    if (collapsed < 0)
        SKIP("no huge pages");
    expect_lent_is_not_sealed(fd, 300 * PAGE);
    close(fd);
    close(device);
}

static void a_part_of_a_page_of_the_pool_is_lent(void)
{
    NEED_DEVICE;
    int fd = memfd_create("lends", MFD_ALLOW_SEALING | MFD_HUGETLB);
    char *p = fd < 0 || ftruncate(fd, HUGE) ? MAP_FAILED : mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED)
        SKIP("no huge pages");
    munmap(p, HUGE);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    expect_lent_is_not_sealed(fd, 300 * PAGE);
    close(fd);
    close(device);
}

/* Sealing against lending */

#define ROUNDS  5000
#define SECONDS 5 /* at most */

static struct {
    pthread_barrier_t ready, done;
    int fd; /* -1: no more rounds */
    long sealed;
} race;

/* Rounds begin with both sides a little apart. */
static void dawdle(int steps)
{
    for (volatile int i = steps * 8; i > 0; i--)
        ;
}

static void *seal_often(void *arg)
{
    for (int i = 0;; i++) {
        pthread_barrier_wait(&race.ready);
        if (race.fd < 0)
            return arg;
        dawdle(i % 61);
        race.sealed = fcntl(race.fd, F_ADD_SEALS, F_SEAL_WRITE);
        pthread_barrier_wait(&race.done);
    }
}

/* One round: was there a moment with a buffer, and with the seal? */
static bool sealed_and_lent(int i, int *lent, int *sealed)
{
    race.fd = memfd_with(F_SEAL_SHRINK, PAGE);
    pthread_barrier_wait(&race.ready);
    dawdle(i % 67);
    int buffer = (int)buffer_of(race.fd, 0, PAGE);
    bool both = buffer >= 0 && (fcntl(race.fd, F_GET_SEALS) & F_SEAL_WRITE);
    close(buffer); /* the sealer waits for it, if it was first */
    pthread_barrier_wait(&race.done);
    *lent += buffer >= 0;
    *sealed += buffer < 0 && race.sealed == 0;
    close(race.fd);
    return both;
}

static void a_file_is_sealed_or_lent(void)
{
    int both = 0, lent = 0, sealed = 0;
    pthread_t thread;

    NEED_DEVICE;
    long end = now_ms() + SECONDS * 1000;
    pthread_barrier_init(&race.ready, NULL, 2);
    pthread_barrier_init(&race.done, NULL, 2);
    EXPECT_IS(pthread_create(&thread, NULL, seal_often, NULL), 0);
    for (int i = 0; i < ROUNDS && !both && now_ms() < end; i++)
        both += sealed_and_lent(i, &lent, &sealed);
    race.fd = -1;
    pthread_barrier_wait(&race.ready);
    pthread_join(thread, NULL);
    EXPECT_IS(both, 0);
    EXPECT(both || (lent > 0 && sealed > 0));
    close(device);
}

static const struct ktap_test tests[] = {
    TEST(a_buffer_is_what_the_file_has),
    TEST(it_outlives_its_descriptors),
    TEST(seals_are_looked_at),
    TEST(a_file_that_will_not_be_written_lends_nothing),
    TEST(only_memfds_lend),
    TEST(sizes_are_looked_at),
    TEST(a_list_of_parts_is_one_buffer),
    TEST(holes_are_filled),
    TEST(a_hole_does_not_reach_the_buffer),
    TEST(it_is_mapped_shared_and_within),
    TEST(it_is_measured_and_not_read),
    TEST(accesses_begin_and_end),
    TEST(it_has_a_name),
    TEST(nobody_gets_at_it_by_its_address),
    TEST(what_is_lent_is_not_sealed),
    TEST(a_part_of_a_huge_page_is_lent),
    TEST(a_part_of_a_page_of_the_pool_is_lent),
    TEST(a_file_is_sealed_or_lent),
};

int main(void)
{
    huge_pages_allow();
    return KTAP_MAIN(tests);
}
