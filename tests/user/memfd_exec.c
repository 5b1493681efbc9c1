/* SPDX-License-Identifier: MIT */
/*
 * tests/user/memfd_exec.c - programs and scripts that are only memory
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the program in memory is a copy of this one, which says what it found.
 * Source: execveat(2), memfd_create(2), proc_pid_exe(5), getauxval(3) AT_EXECFN.
 * Tour:   after tests/user/memfd_links.c and tests/user/scripts.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif
#define NOEXEC_SEAL 8U

extern char **environ;

/* What the last program said, or "" if it was not started: then its errno is what is returned. */
static char said[1024];

/* Called for "@file say": what it is called, in all places. */
static int say(int argc, char **argv)
{
    char exe[256] = "", comm[32] = "";

    if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0)
        return 1;
    slurp("/proc/self/comm", comm, sizeof comm);
    comm[strcspn(comm, "\n")] = '\0';
    printf("exe <%s> comm <%s> execfn <%s> argc %d argv0 <%s>\n", exe, comm,
           (const char *)getauxval(AT_EXECFN), argc, argv[0]);
    return 0;
}

/* Called for "@file read @path": prints the script that it interprets. */
static int show(const char *path)
{
    char text[256] = "";

    if (slurp(path, text, sizeof text) < 0)
        return 1;
    printf("<%s> %s", path, strchr(text, '\n') + 1);
    return 0;
}

static int start_at(int dirfd, const char *path, int flags)
{
    char *argv[] = {"zero", "say", NULL};
    int out[2], status = -1;

    EXPECT_IS(pipe2(out, O_CLOEXEC), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(out[1], 1);
        syscall(SYS_execveat, dirfd, path, argv, environ, flags);
        _exit(errno);
    }
    close(out[1]);
    ssize_t n, len = 0;
    while ((n = read(out[0], said + len, sizeof said - 1 - len)) > 0)
        len += n;
    said[len] = '\0';
    close(out[0]);
    EXPECT_IS(waitpid(child, &status, 0), child);
    return status >> 8;
}

static int start(int fd)
{
    return start_at(fd, "", AT_EMPTY_PATH);
}

static const char *link_of(int fd)
{
    static char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

/* This program. */
static int program(unsigned flags)
{
    static char bytes[65536];
    int fd = memfd_create("program", flags), self = open("/proc/self/exe", O_RDONLY);
    ssize_t n;

    while ((n = read(self, bytes, sizeof bytes)) > 0)
        EXPECT_IS(write(fd, bytes, (size_t)n), n);
    close(self);
    return fd;
}

static void expect_said(const char *comm, const char *execfn)
{
    char expected[512];

    snprintf(expected, sizeof expected,
             "exe </memfd:program (deleted)> comm <%s> execfn <%s> argc 2 argv0 <zero>\n", comm,
             execfn);
    if (strcmp(said, expected))
        printf("# said %s# expected %s", said, expected);
    EXPECT(!strcmp(said, expected));
}

static void descriptor_names_the_program(void)
{
    int fd = program(MFD_CLOEXEC);
    char name[32];

    EXPECT_IS(start(fd), 0);
    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    expect_said("memfd:program", name);
    close(fd);
}

static void link_names_it_too(void)
{
    int fd = program(MFD_CLOEXEC);

    EXPECT_IS(start_at(AT_FDCWD, link_of(fd), 0), 0);
    expect_said(strrchr(link_of(fd), '/') + 1, link_of(fd));
    EXPECT_IS(start_at(AT_FDCWD, link_of(fd), AT_SYMLINK_NOFOLLOW), ELOOP);
    close(fd);
}

static void any_open_file_will_do(void)
{
    int fd = program(MFD_CLOEXEC);
    int reader = open(link_of(fd), O_RDONLY | O_CLOEXEC);
    int name = open(link_of(fd), O_PATH | O_CLOEXEC);

    EXPECT_IS(lseek(reader, 10, SEEK_SET), 10);
    EXPECT_IS(start(reader), 0);
    EXPECT_IS(start(name), 0);
    close(fd);
    close(reader);
    EXPECT_IS(start(name), 0); /* the last that leads there */
    close(name);
}

static void arguments_are_checked_first(void)
{
    int fd = program(MFD_CLOEXEC);

    EXPECT_IS(start_at(fd, "", 0), ENOENT);
    EXPECT_IS(start_at(fd, "", AT_EMPTY_PATH | 1), EINVAL);
    EXPECT_IS(start_at(999, "", AT_EMPTY_PATH), EBADF);
    EXPECT_IS(start_at(fd, "name", AT_EMPTY_PATH), ENOTDIR);
    close(fd);
}

static void rights_decide_not_seals(void)
{
    int fd = program(MFD_CLOEXEC | MFD_ALLOW_SEALING);

    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
    EXPECT_IS(start(fd), 0);
    EXPECT_IS(fchmod(fd, 0666), 0);
    EXPECT_IS(start(fd), EACCES);
    EXPECT_IS(fchmod(fd, 0100), 0);
    EXPECT_IS(start(fd), 0);
    close(fd);
}

static void sealed_not_to_run_does_not(void)
{
    if (linux_before(6, 3))
        SKIP("there was no such flag");
    int fd = program(MFD_CLOEXEC | NOEXEC_SEAL);
    EXPECT_IS(start(fd), EACCES);
    EXPECT_ERR(fchmod(fd, 0777), EPERM);
    EXPECT_IS(start(fd), EACCES);
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    EXPECT(p != MAP_FAILED); /* which is no way to start a program: memfd_create(2) */
    munmap(p, PAGE);
    close(fd);
}

static void sealed_to_run_stays_what_it_is(void)
{
    if (linux_before(6, 3))
        SKIP("there was no such seal");
    int fd = program(MFD_CLOEXEC | MFD_ALLOW_SEALING);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC), 0);
    EXPECT_ERR(fchmod(fd, 0666), EPERM);
    EXPECT_ERR(pwrite(fd, "x", 1, 0), EPERM);
    EXPECT_IS(start(fd), 0);
    close(fd);
}

static void what_is_no_program_is_told(void)
{
    int fd = memfd_create("nothing", MFD_CLOEXEC);

    EXPECT_IS(start(fd), ENOEXEC);
    EXPECT_IS(write(fd, "\177ELF is not all", 15), 15);
    EXPECT_IS(start(fd), ENOEXEC);
    close(fd);
}

static int script(unsigned flags)
{
    char self[256] = "";
    int fd = memfd_create("script", flags);

    EXPECT(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    dprintf(fd, "#!%s read\nwhat it does\n", self);
    return fd;
}

static void scripts_are_read_through_the_descriptor(void)
{
    char expected[64];

    if (access("/dev/fd", F_OK))
        SKIP("there is no /dev/fd");
    int fd = script(0);

    EXPECT_IS(start(fd), 0);
    snprintf(expected, sizeof expected, "</dev/fd/%d> what it does\n", fd);
    EXPECT(!strcmp(said, expected));
    EXPECT_IS(start_at(AT_FDCWD, link_of(fd), 0), 0);
    snprintf(expected, sizeof expected, "</proc/self/fd/%d> what it does\n", fd);
    EXPECT(!strcmp(said, expected));
    close(fd);
    fd = script(MFD_CLOEXEC);
    EXPECT_IS(start(fd), ENOENT); /* nobody could read it */
    close(fd);
}

static void program_of_huge_pages_does_not_run(void)
{
    int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);

    if (fd < 0 || meminfo("HugePages_Free") < 1)
        SKIP("no huge pages");
    EXPECT_IS(ftruncate(fd, 2 << 20), 0);
    EXPECT_IS(start(fd), ENOEXEC);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(descriptor_names_the_program),
    TEST(link_names_it_too),
    TEST(any_open_file_will_do),
    TEST(arguments_are_checked_first),
    TEST(rights_decide_not_seals),
    TEST(sealed_not_to_run_does_not),
    TEST(sealed_to_run_stays_what_it_is),
    TEST(what_is_no_program_is_told),
    TEST(scripts_are_read_through_the_descriptor),
    TEST(program_of_huge_pages_does_not_run),
};

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "say"))
        return say(argc, argv);
    if (argc > 2 && !strcmp(argv[1], "read"))
        return show(argv[2]);
    return KTAP_MAIN(tests);
}
