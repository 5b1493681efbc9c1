/* SPDX-License-Identifier: MIT */
/*
 * tests/user/secretmem_reach.c - who cannot reach secret pages, and who can: the kernel copies for
 * their owner, but lends them to nobody
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every way is tried on a page that was never touched, and on one that was;
 *         (2) every expectation was seen on Linux 6.18.
 * Source: memfd_secret(2), process_vm_readv(2), ptrace(2), vmsplice(2), futex(2); trust.md S7.
 * Tour:   after tests/user/secretmem_map.c.
 */
#define _GNU_SOURCE
#include "../../include/uapi/futex.h"
#include "../../include/uapi/rseq.h"
#include "../../include/uapi/userfaultfd.h"
#include "secret.h"
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

/* Two pages: the first is touched, the second never. */
static int fd;
static char *map, bytes[64];

static bool have_map(void)
{
    fd = secret_file(2);
    if (fd < 0)
        return false;
    map = secret_map(fd, 2);
    strcpy(map, "secret");
    return true;
}

#define WITH_MAP                     \
    do {                             \
        if (!have_map())             \
            SKIP("no memfd_secret"); \
    } while (0)

static void end_map(void)
{
    munmap(map, 2 * PAGE);
    close(fd);
}

/* The page that nobody was to touch is not there still. */
static bool is_untouched(void)
{
    unsigned char there[2] = {0, 0};

    return mincore(map, 2 * PAGE, there) == 0 && (there[0] & 1) && !(there[1] & 1);
}

/* Try @way on each page: -1 with @error, and nothing changed. */
static void refused(long (*way)(char *p), int error)
{
    EXPECT_ERR(way(map), error);
    EXPECT_ERR(way(map + PAGE), error);
    EXPECT_ERR(way(map + 1), error);
    EXPECT(is_untouched());
    EXPECT(!strcmp(map, "secret"));
}

/* A child that has the mapping, too. */
static pid_t other;

static void child_begin(void)
{
    other = fork();
    if (other == 0)
        for (;;)
            pause();
}

static void child_end(void)
{
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}

/* Who has pages by another's address, or keeps them */

static long read_of(pid_t pid, char *p)
{
    struct iovec local = {bytes, 8}, remote = {p, 8};
    return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

static long write_of(pid_t pid, char *p)
{
    struct iovec local = {bytes, 8}, remote = {p, 8};
    return process_vm_writev(pid, &local, 1, &remote, 1, 0);
}

static long read_own(char *p)
{
    return read_of(getpid(), p);
}

static long write_own(char *p)
{
    return write_of(getpid(), p);
}

static long read_other(char *p)
{
    return read_of(other, p);
}

static long write_other(char *p)
{
    return write_of(other, p);
}

static void process_vm_calls_are_refused(void)
{
    WITH_MAP;
    refused(read_own, EFAULT);
    refused(write_own, EFAULT);
    end_map();
}

static void another_process_is_refused_too(void)
{
    WITH_MAP;
    child_begin();
    refused(read_other, EFAULT);
    refused(write_other, EFAULT);
    child_end();
    end_map();
}

static void a_transfer_ends_where_the_secret_begins(void)
{
    WITH_MAP;
    char *area = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), seen[2 * 16];
    strcpy(area + PAGE - 16, "plain");
    EXPECT(mmap(area + PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == area + PAGE);
    struct iovec local = {seen, 32}, remote = {area + PAGE - 16, 32};
    EXPECT_IS(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), 16);
    EXPECT(!strcmp(seen, "plain"));
    munmap(area, 2 * PAGE);
    end_map();
}

static long peek(char *p)
{
    errno = 0;
    long word = ptrace(PTRACE_PEEKDATA, other, p, 0);
    return errno ? -1 : word == -1 ? 0 : word;
}

static long poke(char *p)
{
    return ptrace(PTRACE_POKEDATA, other, p, 1L);
}

static void tracers_are_refused(void)
{
    int state;

    WITH_MAP;
    child_begin();
    EXPECT_IS(ptrace(PTRACE_ATTACH, other, 0, 0), 0);
    EXPECT_IS(waitpid(other, &state, 0), other);
    refused(peek, EIO);
    refused(poke, EIO);
    child_end();
    end_map();
}

static int mem_file;

static long read_mem(char *p)
{
    return pread(mem_file, bytes, 8, (off_t)(uintptr_t)p);
}

static long write_mem(char *p)
{
    return pwrite(mem_file, bytes, 8, (off_t)(uintptr_t)p);
}

static void the_file_of_memory_is_refused(void)
{
    WITH_MAP;
    mem_file = open("/proc/self/mem", O_RDWR);
    EXPECT(mem_file >= 0);
    refused(read_mem, EIO);
    refused(write_mem, EIO);
    close(mem_file);
    end_map();
}

static void the_file_of_anothers_memory_is_refused(void)
{
    char name[64];

    WITH_MAP;
    child_begin();
    snprintf(name, sizeof name, "/proc/%d/mem", other);
    mem_file = open(name, O_RDWR);
    EXPECT(mem_file >= 0);
    refused(read_mem, EIO);
    refused(write_mem, EIO);
    close(mem_file);
    child_end();
    end_map();
}

static int ends[2];

static long into_pipe(char *p)
{
    struct iovec part = {p, 8};
    return vmsplice(ends[1], &part, 1, SPLICE_F_NONBLOCK);
}

static void pipes_keep_no_page(void)
{
    WITH_MAP;
    EXPECT_IS(pipe(ends), 0);
    refused(into_pipe, EFAULT);
    close(ends[0]);
    close(ends[1]);
    end_map();
}

static void a_pipe_is_emptied_into_it(void)
{
    WITH_MAP;
    EXPECT_IS(pipe(ends), 0);
    EXPECT_IS(write(ends[1], "pipe", 5), 5);
    struct iovec part = {map + PAGE, 5};
    EXPECT_IS(vmsplice(ends[0], &part, 1, 0), 5); /* that is a copy */
    EXPECT(!strcmp(map + PAGE, "pipe"));
    close(ends[0]);
    close(ends[1]);
    end_map();
}

/* Somebody else makes the page while it is asked for, 200 times. */
static void no_moment_of_a_fault_lets_anybody_in(void)
{
    bool none = true;

    WITH_MAP;
    EXPECT_IS(pipe(ends), 0);
    for (int round = 0; round < 200; round++) {
        int file = secret_file(1);
        char *page = secret_map(file, 1);
        pid_t child = fork();
        if (child == 0) {
            *page = 1;
            _exit(0);
        }
        for (int i = 0; i < 20; i++)
            none &= read_own(page) < 0 && into_pipe(page) < 0;
        waitpid(child, NULL, 0);
        none &= read_own(page) < 0 && into_pipe(page) < 0 && *page == 1;
        munmap(page, PAGE);
        close(file);
    }
    EXPECT(none);
    close(ends[0]);
    close(ends[1]);
    end_map();
}

static void no_device_borrows_it(void)
{
    struct {
        uint32_t fd, flags;
        uint64_t offset, size;
    } create = {0, 0, 0, PAGE};
    int device = open("/dev/udmabuf", O_RDWR);

    if (device < 0)
        SKIP("there is no /dev/udmabuf");
    WITH_MAP;
    create.fd = (uint32_t)fd;
    EXPECT_ERR(ioctl(device, _IOW('u', 0x42, create), &create), EBADFD);
    close(device);
    end_map();
}

static void nobody_answers_its_faults(void)
{
    struct uapi_uffdio_api api = {.api = UFFD_API};
    int user = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

    if (user < 0)
        SKIP("no userfaultfd");
    WITH_MAP;
    struct uapi_uffdio_register range = {.range = {(uintptr_t)map, 2 * PAGE},
                                         .mode = UFFDIO_REGISTER_MODE_MISSING};
    EXPECT_IS(ioctl(user, UFFDIO_API, &api), 0);
    EXPECT_ERR(ioctl(user, UFFDIO_REGISTER, &range), EINVAL);
    close(user);
    end_map();
}

/* Futexes */

static long futex(char *p, int op, uint32_t value)
{
    const struct timespec soon = {0, 1000000};
    return syscall(SYS_futex, p, op, value, &soon, NULL, ~0U);
}

static void a_shared_futex_is_refused(void)
{
    WITH_MAP;
    uint32_t *word = (uint32_t *)(map + 8);
    *word = 5;
    EXPECT_ERR(futex(map + 8, FUTEX_WAIT, 5), EFAULT);
    EXPECT_ERR(futex(map + 8, FUTEX_WAIT, 6), EFAULT);
    EXPECT_ERR(futex(map + 8, FUTEX_WAKE, 1), EFAULT);
    EXPECT_ERR(futex(map + 8, FUTEX_WAIT_BITSET, 5), EFAULT);
    EXPECT_ERR(futex(map + PAGE, FUTEX_WAKE, 1), EFAULT);
    EXPECT(is_untouched());
    end_map();
}

static void a_private_futex_works(void)
{
    WITH_MAP;
    uint32_t *word = (uint32_t *)(map + 8);
    *word = 5;
    EXPECT_ERR(futex(map + 8, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 6), EAGAIN);
    EXPECT_ERR(futex(map + 8, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 5), ETIMEDOUT);
    EXPECT_IS(futex(map + 8, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1), 0);
    end_map();
}

/* Copies for the owner work */

static void reads_and_writes_copy(void)
{
    int file = memfd_create("open", 0);
    char back[7] = "";

    WITH_MAP;
    EXPECT_IS(write(file, map, 7), 7);
    EXPECT_IS(pread(file, back, 7, 0), 7);
    EXPECT(!strcmp(back, "secret"));
    EXPECT_IS(pread(file, map + PAGE, 7, 0), 7); /* into a page that was not there */
    EXPECT(!strcmp(map + PAGE, "secret"));
    struct iovec parts[2] = {{map, 3}, {map + PAGE, 4}};
    EXPECT_IS(pwritev(file, parts, 2, 0), 7);
    EXPECT_IS(preadv(file, parts, 2, 0), 7);
    close(file);
    end_map();
}

static void pipes_and_sockets_copy(void)
{
    int pair[2];

    WITH_MAP;
    EXPECT_IS(pipe(ends), 0);
    EXPECT_IS(write(ends[1], map, 7), 7);
    EXPECT_IS(read(ends[0], map + PAGE, 7), 7);
    EXPECT(!strcmp(map + PAGE, "secret"));
    EXPECT_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    EXPECT_IS(send(pair[0], map, 7, 0), 7);
    EXPECT_IS(recv(pair[1], map + PAGE + 64, 7, 0), 7);
    EXPECT(!strcmp(map + PAGE + 64, "secret"));
    close(pair[0]);
    close(pair[1]);
    close(ends[0]);
    close(ends[1]);
    end_map();
}

/* A disk would take the page itself, and is refused; what lies in memory is copied all the same. */
static void direct_files_in_memory_copy(void)
{
    static const char name[] = "/dev/shm/bulla-direct";
    int file = open(name, O_RDWR | O_CREAT | O_DIRECT, 0600);

    WITH_MAP;
    EXPECT(file >= 0);
    EXPECT_IS(write(file, map, PAGE), PAGE);
    EXPECT_IS(pread(file, map + PAGE, PAGE, 0), PAGE);
    EXPECT(!strcmp(map + PAGE, "secret"));
    unlink(name);
    close(file);
    end_map();
}

static void a_socket_that_need_not_copy_does(void)
{
    int pair[2];

    WITH_MAP;
    EXPECT_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    EXPECT_IS(send(pair[0], map, 7, 0x4000000 /* MSG_ZEROCOPY */), 7);
    strcpy(map, "SECRET");
    EXPECT_IS(recv(pair[1], bytes, 7, 0), 7);
    EXPECT(!strcmp(bytes, "secret"));
    close(pair[0]);
    close(pair[1]);
    end_map();
}

static void calls_read_and_write_their_arguments(void)
{
    struct timespec *time;
    struct stat *st;

    WITH_MAP;
    time = (struct timespec *)(map + 64);
    st = (struct stat *)(map + 128);
    EXPECT_IS(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, time), 0);
    EXPECT(time->tv_sec || time->tv_nsec);
    strcpy(map + 16, "/proc/self");
    EXPECT_IS(stat(map + 16, st), 0);
    EXPECT(S_ISDIR(st->st_mode));
    EXPECT_IS(syscall(SYS_getrandom, map + PAGE, 64, 0), 64);
    end_map();
}

static uintptr_t handled_at;

static void handler(int sig)
{
    (void)sig;
    handled_at = (uintptr_t)__builtin_frame_address(0);
}

static void a_signal_is_handled_on_it(void)
{
    fd = secret_file(8);
    NEED_SECRET(fd);
    map = secret_map(fd, 8);
    stack_t stack = {.ss_sp = map, .ss_size = 8 * PAGE}, none = {.ss_flags = SS_DISABLE};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};

    EXPECT_IS(sigaltstack(&stack, NULL), 0);
    EXPECT_IS(sigaction(SIGUSR1, &action, NULL), 0);
    EXPECT_IS(raise(SIGUSR1), 0);
    EXPECT(handled_at - (uintptr_t)map < 8 * PAGE);
    EXPECT_IS(sigaltstack(&none, NULL), 0);
    munmap(map, 8 * PAGE);
    close(fd);
}

static void register_everything(void)
{
    struct uapi_rseq *area = (struct uapi_rseq *)(map + 1024);
    struct {
        void *next;
        long offset;
        void *pending;
    } *head = (void *)(map + 2048);

    head->next = head;
    EXPECT_IS(syscall(SYS_set_robust_list, head, sizeof *head), 0);
    EXPECT_IS(syscall(SYS_set_tid_address, map + 3072), getpid());
    EXPECT_IS(syscall(SYS_rseq, area, sizeof *area, 0, 0x53053053), 0);
    sched_yield();
    EXPECT(area->cpu_id < 4096);
}

static void the_kernel_keeps_its_words_there(void)
{
    WITH_MAP;
    in_child(register_everything);
    end_map();
}

static void what_is_run_takes_its_words_from_there(void)
{
    int status = -1;

    WITH_MAP;
    strcpy(map, "/proc/self/exe");
    strcpy(map + 100, "words");
    char **argv = (char **)(map + 512);
    argv[0] = map + 100;
    argv[1] = NULL;
    pid_t child = fork();
    if (child == 0) {
        execve(map, argv, argv + 1);
        _exit(99);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(WEXITSTATUS(status), 42); /* see main() */
    end_map();
}

/* Where pages lie, and moving them */

static uint64_t word_at(const char *name, uint64_t index)
{
    uint64_t word = ~0UL;
    int file = open(name, O_RDONLY);

    if (pread(file, &word, sizeof word, (off_t)(index * sizeof word)) != sizeof word)
        word = ~0UL;
    close(file);
    return word;
}

#define FRAME   ((1UL << 55) - 1)
#define PRESENT (1UL << 63)

static void as_user_look(void)
{
    become_nobody();
    char *p = secret_map(fd, 1);
    *p = 1;
    int file = open("/proc/self/pagemap", O_RDONLY);
    uint64_t word = 0;
    if (file < 0)
        return; /* or not at all */
    EXPECT_IS(pread(file, &word, 8, (off_t)((uintptr_t)p / PAGE * 8)), 8);
    EXPECT(word & PRESENT);
    EXPECT_IS(word & FRAME, 0);
}

static void users_are_not_told_where_it_lies(void)
{
    NEED_ROOT;
    WITH_MAP;
    in_child(as_user_look);
    end_map();
}

#define KPF_UPTODATE   (1UL << 3)
#define KPF_MMAP       (1UL << 11)
#define KPF_ANON       (1UL << 12)
#define KPF_SWAPBACKED (1UL << 14)

static void its_frames_are_of_a_file_and_not_swapped(void)
{
    WITH_MAP;
    uint64_t frame = word_at("/proc/self/pagemap", (uintptr_t)map / PAGE) & FRAME;
    uint64_t flags = word_at("/proc/kpageflags", frame);
    if (!frame || flags == ~0UL)
        SKIP("frames are not told");
    EXPECT_IS(flags & (KPF_MMAP | KPF_ANON | KPF_SWAPBACKED), KPF_MMAP);
    EXPECT_IS(flags & KPF_UPTODATE, KPF_UPTODATE);
    end_map();
}

static void it_is_not_moved(void)
{
    int where[2] = {77, 77}, node = 0;

    WITH_MAP;
    void *pages[2] = {map, map + PAGE};
    if (syscall(SYS_move_pages, 0, 2L, pages, NULL, where, 0) < 0)
        SKIP("no nodes");
    EXPECT_IS(where[0], 0);
    EXPECT_IS(where[1], -ENOENT);
    int to[2] = {node, node};
    EXPECT_IS(syscall(SYS_move_pages, 0, 2L, pages, to, where, 2 /* MPOL_MF_MOVE */), 0);
    EXPECT(is_untouched());
    EXPECT(!strcmp(map, "secret"));
    end_map();
}

static const struct ktap_test tests[] = {
    TEST(process_vm_calls_are_refused),
    TEST(another_process_is_refused_too),
    TEST(a_transfer_ends_where_the_secret_begins),
    TEST(tracers_are_refused),
    TEST(the_file_of_memory_is_refused),
    TEST(the_file_of_anothers_memory_is_refused),
    TEST(pipes_keep_no_page),
    TEST(a_pipe_is_emptied_into_it),
    TEST(no_moment_of_a_fault_lets_anybody_in),
    TEST(no_device_borrows_it),
    TEST(nobody_answers_its_faults),
    TEST(a_shared_futex_is_refused),
    TEST(a_private_futex_works),
    TEST(reads_and_writes_copy),
    TEST(pipes_and_sockets_copy),
    TEST(direct_files_in_memory_copy),
    TEST(a_socket_that_need_not_copy_does),
    TEST(calls_read_and_write_their_arguments),
    TEST(a_signal_is_handled_on_it),
    TEST(the_kernel_keeps_its_words_there),
    TEST(what_is_run_takes_its_words_from_there),
    TEST(users_are_not_told_where_it_lies),
    TEST(its_frames_are_of_a_file_and_not_swapped),
    TEST(it_is_not_moved),
};

int main(int argc, char **argv)
{
    if (argc && !strcmp(argv[0], "words"))
        return 42;
    return KTAP_MAIN(tests);
}
