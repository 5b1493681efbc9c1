/* SPDX-License-Identifier: MIT */
/*
 * tests/user/userfaultfd.c - missing pages that a program answers
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: userfaultfd(2), ioctl_userfaultfd(2).
 * Tour:   after tests/user/uffd.h; then mm/userfault.c.
 */
#define _GNU_SOURCE
#include "uffd.h"
#include <signal.h>
#include <sys/uio.h>

static void the_api_is_agreed_on_once(void)
{
    struct uapi_uffdio_api api = {.api = 1};

    NEED_FILE(0, 0);
    EXPECT_ERR(ioctl(uffd, (int)UFFDIO_API, &api), EINVAL);
    EXPECT_IS(api.api, 0);
    close(uffd);
    uffd = (int)syscall(SYS_userfaultfd, 0);
    EXPECT_ERR(wake(source, PAGE), EINVAL); /* not yet */
    EXPECT_ERR(read(uffd, &api, sizeof api), EINVAL);
    api = (struct uapi_uffdio_api){.api = 0xab};
    EXPECT_ERR(ioctl(uffd, (int)UFFDIO_API, &api), EINVAL);
    api = (struct uapi_uffdio_api){.api = UFFD_API, .features = 1UL << 62};
    EXPECT_ERR(ioctl(uffd, (int)UFFDIO_API, &api), EINVAL);
    EXPECT_IS(api.api, 0);
    EXPECT_IS(api.features, 0);
    api.api = UFFD_API;
    EXPECT_IS(ioctl(uffd, (int)UFFDIO_API, &api), 0);
    EXPECT_IS(api.features & UFFD_FEATURE_SIGBUS, UFFD_FEATURE_SIGBUS);
    EXPECT(api.ioctls == (UFFD_HAS_REGISTER | UFFD_HAS_UNREGISTER | UFFD_HAS_API));
    EXPECT_ERR(ioctl(uffd, 0x1234, &api), EINVAL);
    EXPECT_ERR(syscall(SYS_userfaultfd, 0x40000000), EINVAL);
    close(uffd);
}

static void ranges_are_checked(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);
    struct uapi_uffdio_register r = {{(uintptr_t)p, LEN}, 0, 0};

    EXPECT_ERR(ioctl(uffd, (int)UFFDIO_REGISTER, &r), EINVAL); /* no mode */
    r.mode = 1UL << 40;
    EXPECT_ERR(ioctl(uffd, (int)UFFDIO_REGISTER, &r), EINVAL);
    EXPECT_ERR(ask_about(p + 1, PAGE), EINVAL);
    EXPECT_ERR(ask_about(p, PAGE + 1), EINVAL);
    EXPECT_ERR(ask_about(p, 0), EINVAL);
    EXPECT_ERR(ask_about(NULL, PAGE), EINVAL);
    EXPECT_ERR(ask_about(p, (size_t)-PAGE), EINVAL);
    munmap(p + 4 * PAGE, PAGE);
    EXPECT_ERR(ask_about(p + 4 * PAGE, PAGE), EINVAL); /* nothing there */
    EXPECT_IS(ask_about(p, LEN), 0);                   /* gaps are passed over */
    EXPECT_ERR(wake(p, 0), EINVAL);
    EXPECT_IS(wake(p, LEN), 0);
    EXPECT_ERR(ask_no_more(p + 4 * PAGE, PAGE), EINVAL);
    EXPECT_IS(ask_no_more(p, LEN), 0);
    EXPECT_IS(ask_no_more(p, LEN), 0);
    done_with(p);
}

/* CVE-2018-18397: who may not write a file shall not fill its holes either. */
static void what_may_never_be_written_cannot_ask(void)
{
    int fd = memfd_create("holes", MFD_ALLOW_SEALING);
    char byte = 'x';

    NEED_FILE(0, 0);
    EXPECT_IS(ftruncate(fd, LEN), 0);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    char *p = mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT_ERR(ask_about(p, LEN), EPERM);
    EXPECT_IS(ask_no_more(p, LEN), 0); /* which anybody may */
    EXPECT_ERR(fill(p, 'f'), ENOENT);
    EXPECT_IS(pread(fd, &byte, 1, 0), 1);
    EXPECT_IS(byte, 0);
    munmap(p, LEN);
    p = map(MAP_PRIVATE, fd); /* a copy may */
    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_IS(fill(p, 'f'), 0);
    EXPECT_IS(p[0], 'f');
    EXPECT_IS(pread(fd, &byte, 1, 0), 1);
    EXPECT_IS(byte, 0);
    close(fd);
    done_with(p);
}

static void an_area_asks_one(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);
    int first = uffd;

    EXPECT_IS(ask_about(p, 4 * PAGE), 0);
    EXPECT_IS(open_with(0, 0), 0);
    EXPECT_ERR(ask_about(p, LEN), EBUSY);
    EXPECT_ERR(ask_no_more(p, LEN), EINVAL);
    EXPECT_IS(ask_about(p + 4 * PAGE, 4 * PAGE), 0);
    close(first);
    EXPECT_IS(ask_about(p, LEN), 0);
    done_with(p);
}

static void an_answer_comes_once_and_whole(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1), *other = map(MAP_PRIVATE, -1);

    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_IS(fill(p, 'a'), 0);
    EXPECT_IS(filled, PAGE);
    EXPECT(p[0] == 'a' && p[PAGE - 1] == 'a');
    EXPECT_ERR(fill(p, 'b'), EEXIST);
    EXPECT_IS(filled, -EEXIST);
    EXPECT_IS(p[0], 'a');
    EXPECT_IS(zero(p + PAGE, PAGE), 0);
    EXPECT_IS(p[PAGE], 0);
    p[PAGE] = 'z';
    EXPECT_ERR(zero(p + PAGE, PAGE), EEXIST);
    EXPECT_ERR(zero(p + 7 * PAGE, 2 * PAGE), ENOENT); /* over the end */
    EXPECT_ERR(fill(other, 'o'), ENOENT);             /* asks nobody */
    EXPECT_ERR(fill_from((void *)8, p + 2 * PAGE, PAGE, 0), EFAULT);
    EXPECT_ERR(fill_from(source, p + 2 * PAGE, PAGE, 4), EINVAL);
    EXPECT_ERR(fill_from(source, p + 2 * PAGE, 12, 0), EINVAL);
    p[PAGE] = 'z';
    EXPECT_IS(zero(p + 2 * PAGE, 2 * PAGE), 0);
    memset(other, 'm', 4 * PAGE);
    EXPECT_ERR(fill_from(other, p + PAGE, PAGE, 0), EEXIST);
    EXPECT_IS(fill_from(other, p + 4 * PAGE, 4 * PAGE, 0), 0);
    EXPECT_IS(filled, 4 * PAGE);
    EXPECT_IS(p[LEN - 1], 'm');
    munmap(other, LEN);
    done_with(p);
}

static void half_an_answer_says_how_much(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);

    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_IS(fill(p + 2 * PAGE, 'x'), 0);
    EXPECT_ERR(zero(p, 4 * PAGE), EAGAIN);
    EXPECT_IS(filled, 2 * PAGE);
    done_with(p);
}

static void a_read_waits_for_its_answer(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);

    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_ERR(read(uffd, source, PAGE), EAGAIN);
    touch(p + PAGE + 5, read_byte);
    struct uapi_uffd_msg msg = question();
    EXPECT_IS(msg.event, UFFD_EVENT_PAGEFAULT);
    EXPECT_IS(msg.address, (uintptr_t)(p + PAGE));
    EXPECT_IS(msg.flags, 0);
    EXPECT_IS(msg.ptid, 0);
    EXPECT(!toucher.done);
    EXPECT_IS(fill(p + PAGE, 'r'), 0);
    EXPECT_IS(touched(), 'r');
    done_with(p);
}

static void a_write_says_that_it_is_one(void)
{
    NEED_FILE(0, UFFD_FEATURE_EXACT_ADDRESS | UFFD_FEATURE_THREAD_ID);
    char *p = map(MAP_PRIVATE, -1);

    EXPECT_IS(ask_about(p, LEN), 0);
    touch(p + 77, write_byte);
    struct uapi_uffd_msg msg = question();
    EXPECT_IS(msg.flags, UFFD_PAGEFAULT_FLAG_WRITE);
    EXPECT_IS(msg.address, (uintptr_t)p + 77);
    EXPECT(msg.ptid != 0 && msg.ptid != (uint32_t)getpid());
    EXPECT_IS(zero(p, PAGE), 0);
    touched();
    EXPECT(p[76] == 0 && p[77] == 'w');
    done_with(p);
}

static void waking_alone_asks_again(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);

    EXPECT_IS(ask_about(p, LEN), 0);
    touch(p, read_byte);
    EXPECT(asks_about(p));
    EXPECT_IS(wake(p, PAGE), 0);
    EXPECT(asks_about(p));
    memset(source, 'q', PAGE);
    EXPECT_IS(fill_from(source, p, PAGE, UFFDIO_MODE_DONTWAKE), 0);
    EXPECT(!toucher.done);
    EXPECT_IS(wake(p, PAGE), 0);
    EXPECT_IS(touched(), 'q');
    done_with(p);
}

static int pipe_ends[2];

static int write_from(char *at)
{
    return (int)write(pipe_ends[1], at, 4) == 4 ? 4 : -errno;
}

static int read_into(char *at)
{
    struct iovec local = {source, 16}, remote = {at, 16};
    return (int)process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
}

static void the_kernel_waits_too(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1), seen[4] = "";

    EXPECT_IS(pipe(pipe_ends), 0);
    EXPECT_IS(ask_about(p, LEN), 0);
    touch(p, write_from);
    EXPECT(asks_about(p));
    EXPECT_IS(fill(p, 'k'), 0);
    EXPECT_IS(touched(), 4);
    EXPECT_IS(read(pipe_ends[0], seen, 4), 4);
    EXPECT_IS(seen[3], 'k');
    touch(p + PAGE, read_into);
    EXPECT(asks_about(p + PAGE));
    EXPECT_IS(zero(p + PAGE, PAGE), 0);
    EXPECT_IS(touched(), 16);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    done_with(p);
}

static void for_user_mode_only_the_kernel_does_not(void)
{
    NEED_FILE(UFFD_USER_MODE_ONLY, 0);
    char *p = map(MAP_PRIVATE, -1);

    EXPECT_IS(pipe(pipe_ends), 0);
    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_IS(write_from(p), -EFAULT);
    touch(p, read_byte);
    EXPECT(asks_about(p));
    EXPECT_IS(fill(p, 'u'), 0);
    EXPECT_IS(touched(), 'u');
    EXPECT_IS(write_from(p), 4);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    done_with(p);
}

static void a_signal_can_be_asked_for_instead(void)
{
    NEED_FILE(0, UFFD_FEATURE_SIGBUS);
    char *p = map(MAP_PRIVATE, -1);

    EXPECT_IS(pipe(pipe_ends), 0);
    EXPECT_IS(ask_about(p, LEN), 0);
    struct fault f = probe(p + 9, PROBE_READ);
    EXPECT_IS(f.sig, SIGBUS);
    EXPECT(f.addr == p + 9);
    EXPECT_IS(write_from(p), -EFAULT);
    EXPECT_IS(zero(p, PAGE), 0);
    EXPECT_IS(p[9], 0);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    done_with(p);
}

static volatile sig_atomic_t signals;

static void count_signal(int sig)
{
    (void)sig;
    signals++;
}

static void a_signal_is_handled_while_waiting(void)
{
    struct sigaction act = {.sa_handler = count_signal};

    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);
    signals = 0;
    sigaction(SIGUSR1, &act, NULL);
    EXPECT_IS(ask_about(p, LEN), 0);
    touch(p, read_byte);
    EXPECT(asks_about(p));
    EXPECT_IS(pthread_kill(toucher.thread, SIGUSR1), 0);
    EXPECT(asks_about(p)); /* once more, after the handler */
    EXPECT_IS(signals, 1);
    EXPECT_IS(fill(p, 's'), 0);
    EXPECT_IS(touched(), 's');
    signal(SIGUSR1, SIG_DFL);
    done_with(p);
}

static void nobody_waits_for_a_file_that_is_gone(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);

    EXPECT_IS(ask_about(p, LEN), 0);
    touch(p, read_byte);
    EXPECT(asks_about(p));
    close(uffd);
    EXPECT_IS(touched(), 0);
    EXPECT_IS(p[PAGE], 0);
    munmap(p, LEN);
}

static void nor_for_a_range_that_asks_no_more(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);

    EXPECT_IS(ask_about(p, LEN), 0);
    touch(p + PAGE, read_byte);
    EXPECT(asks_about(p + PAGE));
    EXPECT_IS(ask_no_more(p, 2 * PAGE), 0);
    EXPECT_IS(touched(), 0);
    EXPECT_ERR(zero(p, PAGE), ENOENT);
    EXPECT_IS(zero(p + 2 * PAGE, PAGE), 0);
    done_with(p);
}

static void only_holes_of_shared_memory_are_asked_about(void)
{
    int fd = memfd_create("shared", 0);
    char byte = 0;

    NEED_FILE(0, 0);
    EXPECT_IS(ftruncate(fd, 4 * PAGE), 0);
    EXPECT_IS(pwrite(fd, "there", 5, 0), 5);
    char *p = map(MAP_SHARED, fd);
    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_IS(p[0], 't');
    EXPECT_ERR(fill(p, 'x'), EEXIST);
    touch(p + PAGE, read_byte);
    EXPECT(asks_about(p + PAGE));
    EXPECT_IS(fill(p + PAGE, 'h'), 0);
    EXPECT_IS(touched(), 'h');
    EXPECT_IS(pread(fd, &byte, 1, PAGE), 1);
    EXPECT_IS(byte, 'h');                        /* all who have the file see it */
    EXPECT_ERR(fill(p + 4 * PAGE, 'e'), EFAULT); /* past its end */
    struct fault f = probe(p + 4 * PAGE, PROBE_READ);
    EXPECT_IS(f.sig, SIGBUS);
    EXPECT_IS(pwrite(fd, "y", 1, 2 * PAGE), 1);
    EXPECT_IS(p[2 * PAGE], 'y'); /* it came another way */
    close(fd);
    done_with(p);
}

static void neighbours_of_a_hole_are_mapped_before_its_question(void)
{
    int fd = memfd_create("neighbours", 0);

    NEED_FILE(0, UFFD_FEATURE_SIGBUS);
    EXPECT_IS(ftruncate(fd, LEN), 0);
    char *p = map(MAP_SHARED, fd);
    char *hole = (uintptr_t)(p + PAGE) % 0x10000 ? p : p + PAGE; /* and the next, in one 64 KiB */
    EXPECT_IS(pwrite(fd, "next", 4, hole + PAGE - p), 4);
    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_IS(probe(hole, PROBE_WRITE).sig, SIGBUS);
    EXPECT(!(pagemap_of(hole + PAGE) & PM_PRESENT));
    EXPECT_IS(probe(hole, PROBE_READ).sig, SIGBUS);
    EXPECT(!(pagemap_of(hole) & PM_PRESENT));
    EXPECT(pagemap_of(hole + PAGE) & PM_PRESENT);
    close(fd);
    done_with(p);
}

static void what_was_given_up_is_asked_about_again(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);

    p[0] = 'o';
    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_IS(p[0], 'o');
    EXPECT_IS(madvise(p, PAGE, MADV_DONTNEED), 0);
    touch(p, read_byte);
    EXPECT(asks_about(p));
    EXPECT_IS(fill(p, 'n'), 0);
    EXPECT_IS(touched(), 'n');
    done_with(p);
}

static void children_and_moved_memory_ask_nobody(void)
{
    int status = -1;

    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);
    EXPECT_IS(ask_about(p, LEN), 0);
    pid_t pid = fork();
    if (!pid)
        _exit(p[0]);
    EXPECT_IS(waitpid(pid, &status, 0), pid);
    EXPECT_IS(status, 0);
    char *place = map(MAP_PRIVATE, -1);
    char *q = mremap(p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    EXPECT(q == place);
    EXPECT_IS(q[0], 0);
    EXPECT_ERR(zero(q + PAGE, PAGE), ENOENT);
    done_with(q);
}

static void areas_that_ask_stay_apart(void)
{
    NEED_FILE(0, 0);
    char *p = mmap(NULL, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    EXPECT_IS(maps_count(p, LEN), 1);
    EXPECT_IS(ask_about(p + 2 * PAGE, 2 * PAGE), 0);
    EXPECT_IS(maps_count(p, LEN), 3);
    EXPECT_IS(mprotect(p + 3 * PAGE, PAGE, PROT_READ), 0);
    EXPECT_IS(maps_count(p, LEN), 4);
    EXPECT_IS(mprotect(p + 3 * PAGE, PAGE, RW), 0);
    EXPECT_IS(ask_no_more(p, LEN), 0);
    EXPECT_IS(maps_count(p, LEN), 1);
    done_with(p);
}

static void filled_memory_grants_what_the_area_grants(void)
{
    NEED_FILE(0, 0);
    char *p = map(MAP_PRIVATE, -1);

    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_IS(mprotect(p, LEN, PROT_READ), 0);
    EXPECT_IS(fill(p, 'g'), 0);
    EXPECT_IS(p[0], 'g');
    EXPECT_IS(probe(p, PROBE_WRITE).sig, SIGSEGV);
    EXPECT_IS(mprotect(p, LEN, RW), 0);
    p[0] = 'h';
    EXPECT_IS(mprotect(p, LEN, PROT_NONE), 0);
    EXPECT_IS(fill(p + PAGE, 'i'), 0);
    EXPECT_IS(probe(p + PAGE, PROBE_READ).sig, SIGSEGV);
    EXPECT_IS(mprotect(p, LEN, RW), 0);
    EXPECT_IS(p[PAGE], 'i');
    done_with(p);
}

enum { HUGE = 2 << 20 };

static void huge_pages_come_whole(int flags)
{
    NEED_FILE(0, UFFD_FEATURE_MISSING_HUGETLBFS);
    char *from = mmap(NULL, HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *p = mmap(NULL, 2 * HUGE, RW, flags | MAP_HUGETLB | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        SKIP("needs huge pages");
    struct uapi_uffdio_register r = {{(uintptr_t)p, 2 * HUGE}, UFFDIO_REGISTER_MODE_MISSING, 0};

    EXPECT_ERR(ask_about(p, HUGE + PAGE), EINVAL);
    EXPECT_ERR(ask_about(p + PAGE, HUGE), EINVAL);
    EXPECT_IS(ioctl(uffd, (int)UFFDIO_REGISTER, &r), 0);
    EXPECT_IS(r.ioctls & (UFFD_HAS_COPY | UFFD_HAS_ZEROPAGE), UFFD_HAS_COPY);
    touch(p + 5 * PAGE, read_byte);
    EXPECT(asks_about(p)); /* its first byte */
    memset(from, 'H', HUGE);
    EXPECT_ERR(fill_from(from, p, PAGE, 0), EINVAL);
    EXPECT_ERR(zero(p, HUGE), EINVAL);
    EXPECT_ERR(fill_from((void *)8, p, HUGE, 0), EFAULT);
    EXPECT_IS(fill_from(from, p, HUGE, 0), 0);
    EXPECT_IS(touched(), 'H');
    EXPECT_IS(p[HUGE - 1], 'H');
    EXPECT_ERR(fill_from(from, p, HUGE, 0), EEXIST);
    p[0] = 'W';
    touch(p + HUGE, write_byte);
    EXPECT(asks_about(p + HUGE));
    EXPECT_IS(fill_from(from, p + HUGE, HUGE, 0), 0);
    touched();
    EXPECT(p[HUGE] == 'w' && p[HUGE + 1] == 'H' && p[0] == 'W');
    munmap(from, HUGE);
    munmap(p, 2 * HUGE);
    close(uffd);
}

static void huge_pages_of_an_object_come_whole(void)
{
    huge_pages_come_whole(MAP_SHARED);
}

static void private_huge_pages_come_whole(void)
{
    huge_pages_come_whole(MAP_PRIVATE);
}

static void polling_wants_a_file_that_does_not_wait(void)
{
    struct uapi_uffdio_api api = {.api = UFFD_API};
    struct pollfd ready = {(int)syscall(SYS_userfaultfd, 0), POLLIN, 0};

    if (ready.fd < 0)
        SKIP("needs userfaultfd, which this machine lacks");
    EXPECT_IS(poll(&ready, 1, 0), 1);
    EXPECT_IS(ready.revents, POLLERR); /* no API yet */
    EXPECT_IS(ioctl(ready.fd, (int)UFFDIO_API, &api), 0);
    EXPECT_IS(poll(&ready, 1, 0), 1);
    EXPECT_IS(ready.revents, POLLERR);
    fcntl(ready.fd, F_SETFL, O_NONBLOCK);
    EXPECT_IS(poll(&ready, 1, 0), 0);
    close(ready.fd);
}

static void the_device_gives_the_same(void)
{
    int device = open("/dev/userfaultfd", O_RDWR);

    if (device < 0)
        SKIP("needs /dev/userfaultfd");
    EXPECT_ERR(ioctl(device, 1, 0), EINVAL);
    EXPECT_ERR(ioctl(device, USERFAULTFD_IOC_NEW, 2), EINVAL);
    uffd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC);
    EXPECT(uffd >= 0);
    EXPECT_IS(fcntl(uffd, F_GETFD), FD_CLOEXEC);
    close(uffd);
    close(device);
}

static void nothing_is_filled_past_the_end_of_a_file(void)
{
    int fd = memfd_create("short", 0);
    char *p = map(MAP_PRIVATE, fd);

    NEED_FILE(0, UFFD_FEATURE_POISON);
    EXPECT_IS(ftruncate(fd, PAGE), 0);
    EXPECT_IS(ask_about(p, LEN), 0);
    EXPECT_ERR(fill(p + PAGE, 'f'), EFAULT);
    EXPECT_ERR(zero(p + 2 * PAGE, PAGE), EFAULT);
    EXPECT_ERR(answer(UFFDIO_POISON, p + 3 * PAGE, PAGE, 0), EFAULT);
    EXPECT_IS(fill(p, 'f'), 0);
    EXPECT_IS(p[0], 'f');
    close(fd);
    done_with(p);
}

/* Private memory begins with a question about a write, and with a refused answer: from then on it
 * is not its neighbour's. A question about a read begins nothing. */
static void what_begins_apart_stays_apart(void)
{
    NEED_FILE(0, UFFD_FEATURE_SIGBUS);
    for (int way = 0; way < 3; way++) {
        char *p = map(MAP_PRIVATE, -1);

        EXPECT_IS(ask_about(p + 2 * PAGE, 2 * PAGE), 0);
        EXPECT_IS(probe(p + PAGE, PROBE_WRITE).sig, 0);
        if (way < 2)
            EXPECT_IS(probe(p + 2 * PAGE, way ? PROBE_WRITE : PROBE_READ).sig, SIGBUS);
        else
            EXPECT_ERR(fill_from((void *)8, p + 2 * PAGE, PAGE, 0), EFAULT);
        EXPECT_IS(ask_no_more(p + 2 * PAGE, 2 * PAGE), 0);
        EXPECT_IS(maps_count(p, 4 * PAGE), way ? 2 : 1);
        munmap(p, LEN);
    }
    close(uffd);
}

static const struct ktap_test tests[] = {
    TEST(the_api_is_agreed_on_once),
    TEST(ranges_are_checked),
    TEST(what_may_never_be_written_cannot_ask),
    TEST(nothing_is_filled_past_the_end_of_a_file),
    TEST(what_begins_apart_stays_apart),
    TEST(an_area_asks_one),
    TEST(an_answer_comes_once_and_whole),
    TEST(half_an_answer_says_how_much),
    TEST(a_read_waits_for_its_answer),
    TEST(a_write_says_that_it_is_one),
    TEST(waking_alone_asks_again),
    TEST(the_kernel_waits_too),
    TEST(for_user_mode_only_the_kernel_does_not),
    TEST(a_signal_can_be_asked_for_instead),
    TEST(a_signal_is_handled_while_waiting),
    TEST(nobody_waits_for_a_file_that_is_gone),
    TEST(nor_for_a_range_that_asks_no_more),
    TEST(only_holes_of_shared_memory_are_asked_about),
    TEST(neighbours_of_a_hole_are_mapped_before_its_question),
    TEST(what_was_given_up_is_asked_about_again),
    TEST(children_and_moved_memory_ask_nobody),
    TEST(areas_that_ask_stay_apart),
    TEST(filled_memory_grants_what_the_area_grants),
    TEST(huge_pages_of_an_object_come_whole),
    TEST(private_huge_pages_come_whole),
    TEST(polling_wants_a_file_that_does_not_wait),
    TEST(the_device_gives_the_same),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
