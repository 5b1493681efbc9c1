/* SPDX-License-Identifier: MIT */
/*
 * tests/user/proc_pid.c - /proc/PID: what a process tells of itself, while it runs and after
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: proc(5) and its pages on single files.
 * Tour:   with kernel/proc_pid.c, kernel/proc_status.c, kernel/proc_fd.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static char text[65536];

static ssize_t read_file(const char *path)
{
    return slurp(path, text, sizeof(text));
}

/* The @n-th field of /proc/@who/stat, counted from 1 as in the manual; fields after the name. */
static long long stat_field(const char *who, int n)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%s/stat", who);
    if (read_file(path) < 0)
        return -1;
    char *at = strrchr(text, ')');
    for (int i = 2; at && i < n; i++)
        at = strchr(at + 1, ' ');
    return at ? strtoll(at + 1, NULL, 10) : -1;
}

/* A line of a status file without its name; in @text. */
static const char *status_of(const char *path, const char *name)
{
    if (read_file(path) < 0)
        return "";
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
            return line + strlen(name) + 1 + strspn(line + strlen(name) + 1, " \t");
    return "";
}

static const char *status(const char *name)
{
    return status_of("/proc/self/status", name);
}

static void status_has_the_lines_of_linux_in_order(void)
{
    static const char *const names[] = {"Name",
                                        "Umask",
                                        "State",
                                        "Tgid",
                                        "Ngid",
                                        "Pid",
                                        "PPid",
                                        "TracerPid",
                                        "Uid",
                                        "Gid",
                                        "FDSize",
                                        "Groups",
                                        "NStgid",
                                        "NSpid",
                                        "NSpgid",
                                        "NSsid",
                                        "VmPeak",
                                        "VmSize",
                                        "VmLck",
                                        "VmPin",
                                        "VmHWM",
                                        "VmRSS",
                                        "RssAnon",
                                        "RssFile",
                                        "RssShmem",
                                        "VmData",
                                        "VmStk",
                                        "VmExe",
                                        "VmLib",
                                        "VmPTE",
                                        "VmSwap",
                                        "HugetlbPages",
                                        "CoreDumping",
                                        "THP_enabled",
                                        "Threads",
                                        "SigQ",
                                        "SigPnd",
                                        "ShdPnd",
                                        "SigBlk",
                                        "SigIgn",
                                        "SigCgt",
                                        "CapInh",
                                        "CapPrm",
                                        "CapEff",
                                        "CapBnd",
                                        "CapAmb",
                                        "NoNewPrivs",
                                        "Seccomp",
                                        "Cpus_allowed",
                                        "Cpus_allowed_list",
                                        "Mems_allowed",
                                        "Mems_allowed_list",
                                        "voluntary_ctxt_switches",
                                        "nonvoluntary_ctxt_switches"};
    char *at = text;

    EXPECT(read_file("/proc/self/status") > 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char line[64];
        snprintf(line, sizeof(line), "%s%s:\t", i ? "\n" : "", names[i]);
        char *found = strstr(at, line);
        if (!found)
            printf("# no line %s after \"%.20s\"\n", names[i], at);
        EXPECT(found != NULL);
        at = found ? found : at;
    }
}

static void status_is_true(void)
{
    char expected[64];
    sigset_t set;

    umask(027);
    EXPECT(!strcmp(status("Umask"), "0027"));
    EXPECT(!strcmp(status("State"), "R (running)"));
    snprintf(expected, sizeof(expected), "%d", getpid());
    EXPECT(!strcmp(status("Pid"), expected) && !strcmp(status("Tgid"), expected));
    EXPECT(!strcmp(status("NSpid"), expected) || strchr(status("NSpid"), '\t'));
    snprintf(expected, sizeof(expected), "%d", getppid());
    EXPECT(!strcmp(status("PPid"), expected));
    EXPECT(!strcmp(status("Threads"), "1"));
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR2);
    EXPECT(!strcmp(status("SigBlk"), "0000000000000800"));
    EXPECT(!strcmp(status("SigPnd"), "0000000000000800"));
    EXPECT(!strncmp(status("SigQ"), "1/", 2) || atoi(status("SigQ")) > 1);
    signal(SIGUSR2, SIG_IGN);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    EXPECT(strtoul(status("SigIgn"), NULL, 16) & 0x800);
    signal(SIGUSR2, SIG_DFL);
    EXPECT(!strcmp(status("Mems_allowed_list"), "0"));
    umask(022);
}

static void memory_adds_up(void)
{
    unsigned long size, resident, shared, code, lib, data, dirty;
    enum { PAGES = 512 };
    char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    memset(p, 1, PAGES * PAGE);
    EXPECT(read_file("/proc/self/statm") > 0);
    EXPECT_IS(sscanf(text, "%lu %lu %lu %lu %lu %lu %lu", &size, &resident, &shared, &code, &lib,
                     &data, &dirty),
              7);
    EXPECT(size >= PAGES && resident >= PAGES - 64 && resident <= size && data >= PAGES);
    EXPECT(lib == 0 && dirty == 0 && code > 0 && code < 4096);
    EXPECT_IS(atol(status("VmSize")), size * 4);
    EXPECT_IS(atol(status("VmData")) + atol(status("VmStk")), data * 4);
    EXPECT(atol(status("VmPeak")) >= atol(status("VmSize")));
    EXPECT(atol(status("VmHWM")) >= atol(status("VmRSS")));
    EXPECT_IS(atol(status("VmRSS")),
              atol(status("RssAnon")) + atol(status("RssFile")) + atol(status("RssShmem")));
    EXPECT_IS(stat_field("self", 23), (long long)(size * PAGE));
    munmap(p, PAGES * PAGE);
}

/* Something that takes @ms of CPU time, in the program or in the kernel. */
static void burn(int ms, bool in_kernel)
{
    struct timespec begin, now;
    static char buf[1 << 20];
    int fd = open("/dev/zero", O_RDONLY);

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    do {
        if (in_kernel)
            read(fd, buf, sizeof(buf));
        else
            for (volatile int i = 0; i < 100000; i++)
                ;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    } while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < ms);
    close(fd);
}

static void time_is_told_where_it_is_spent(void)
{
    long long user = stat_field("self", 14), system = stat_field("self", 15);
    burn(300, false);
    long long user2 = stat_field("self", 14), system2 = stat_field("self", 15);
    EXPECT(user2 - user > system2 - system && user2 - user >= 15);
    burn(300, true);
    long long user3 = stat_field("self", 14), system3 = stat_field("self", 15);
    EXPECT(system3 - system2 > user3 - user2 && system3 - system2 >= 15);
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    EXPECT(u.ru_stime.tv_sec || u.ru_stime.tv_usec > 100000);
}

static void a_dead_childs_time_is_the_parents_childrens(void)
{
    long long before = stat_field("self", 16) + stat_field("self", 17);
    long long faults = stat_field("self", 11);
    pid_t pid = fork();
    if (!pid) {
        burn(200, false);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    EXPECT(stat_field("self", 16) + stat_field("self", 17) - before >= 15);
    EXPECT(stat_field("self", 11) > faults);
}

static void stat_has_52_fields(void)
{
    int fields = 0;
    struct timespec now;

    EXPECT(read_file("/proc/self/stat") > 0);
    for (char *at = strrchr(text, ')'); at; at = strchr(at + 1, ' '))
        fields++;
    EXPECT_IS(fields + 1, 52);
    clock_gettime(CLOCK_BOOTTIME, &now);
    long long born = stat_field("self", 22), ticks = now.tv_sec * 100 + now.tv_nsec / 10000000;
    EXPECT(born > 0 && born <= ticks && ticks - born < 60 * 100);
    EXPECT_IS(stat_field("self", 4), getppid());
    EXPECT_IS(stat_field("self", 5), getpgrp());
    EXPECT_IS(stat_field("self", 6), getsid(0));
    EXPECT_IS(stat_field("self", 18), 20);
    EXPECT_IS(stat_field("self", 20), 1);
    EXPECT_IS(stat_field("self", 38), SIGCHLD);
    EXPECT(stat_field("self", 26) <= (long long)(uintptr_t)stat_has_52_fields &&
           stat_field("self", 27) > (long long)(uintptr_t)stat_has_52_fields);
    long long before = stat_field("self", 10);
    char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(p, 64 * PAGE, MADV_NOHUGEPAGE);
    memset(p, 1, 64 * PAGE);
    EXPECT(stat_field("self", 10) - before >= 64);
    munmap(p, 64 * PAGE);
}

static void limits_are_told_as_they_are(void)
{
    struct rlimit old, new = {123, 4567};

    getrlimit(RLIMIT_CORE, &old);
    new.rlim_max = old.rlim_max < new.rlim_max ? old.rlim_max : new.rlim_max;
    new.rlim_cur = new.rlim_max < new.rlim_cur ? new.rlim_max : new.rlim_cur;
    pid_t pid = fork();
    if (!pid) {
        char expected[128], *at;
        setrlimit(RLIMIT_CORE, &new);
        snprintf(expected, sizeof(expected), "%-25s %-20lu %-20lu %-10s\n", "Max core file size",
                 (unsigned long)new.rlim_cur, (unsigned long)new.rlim_max, "bytes");
        int lines = 0;
        bool told = read_file("/proc/self/limits") > 0 && strstr(text, expected);
        for (at = text; (at = strchr(at, '\n')); at++)
            lines++;
        _exit(!(told && lines == 17));
    }
    int result = -1;
    waitpid(pid, &result, 0);
    EXPECT_IS(result, 0);
    static const char head[] =
        "Limit                     Soft Limit           Hard Limit           "
        "Units     \nMax cpu time              ";
    EXPECT(read_file("/proc/self/limits") > 0 && !strncmp(text, head, sizeof(head) - 1));
}

static void environment_and_auxv_are_those_of_the_start(void)
{
    setenv("AFTER_THE_START", "1", 1);
    ssize_t len = read_file("/proc/self/environ");
    size_t expected = 0;
    EXPECT(len >= 0 && !memmem(text, len, "AFTER_THE_START", 15));
    unsetenv("AFTER_THE_START");
    for (char **e = environ; *e; e++) {
        EXPECT(memmem(text, len, *e, strlen(*e) + 1) != NULL);
        expected += strlen(*e) + 1;
    }
    EXPECT_IS(len, expected);
    int fd = open("/proc/self/environ", O_RDONLY);
    char part[4];
    if (len > 8) {
        EXPECT_IS(pread(fd, part, 4, 3), 4);
        EXPECT(!memcmp(part, text + 3, 4));
    }
    EXPECT_IS(pread(fd, part, 4, len), 0);
    close(fd);
    unsigned long auxv[64];
    fd = open("/proc/self/auxv", O_RDONLY);
    ssize_t n = read(fd, auxv, sizeof(auxv));
    bool found = false;
    for (ssize_t i = 0; i + 1 < n / 8; i += 2)
        found |= auxv[i] == AT_ENTRY && auxv[i + 1] == getauxval(AT_ENTRY);
    EXPECT(found);
    close(fd);
}

/* The file of fdinfo of @fd without lines that depend on where it lies. */
static const char *fdinfo(int fd)
{
    static char kept[1024];
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    kept[0] = '\0';
    if (read_file(path) < 0)
        return "missing";
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (strncmp(line, "mnt_id", 6) && strncmp(line, "ino", 3) &&
            strncmp(line, "eventfd-id", 10))
            strcat(strcat(kept, line), ";");
    return kept;
}

static void fdinfo_tells_how_a_file_is_open(void)
{
    int fd = memfd_create("info", MFD_CLOEXEC), event = eventfd(5, EFD_SEMAPHORE), ends[2];

    EXPECT_IS(ftruncate(fd, 100), 0);
    EXPECT_IS(lseek(fd, 7, SEEK_SET), 7);
    EXPECT(!strcmp(fdinfo(fd), "pos:\t7;flags:\t02100002;"));
    EXPECT_IS(fcntl(fd, F_SETFD, 0), 0);
    EXPECT(!strcmp(fdinfo(fd), "pos:\t7;flags:\t0100002;"));
    EXPECT_IS(pipe2(ends, O_NONBLOCK), 0);
    EXPECT(!strcmp(fdinfo(ends[0]), "pos:\t0;flags:\t04000;"));
    EXPECT(!strcmp(fdinfo(ends[1]), "pos:\t0;flags:\t04001;"));
    EXPECT(!strcmp(fdinfo(event), "pos:\t0;flags:\t02;eventfd-count:                5;"
                                  "eventfd-semaphore: 1;"));
    int epoll = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = 0x1234};
    EXPECT_IS(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &e), 0);
    EXPECT(strstr(fdinfo(epoll), "events:       19 data:             1234 ") != NULL);
    close(fd);
    EXPECT(!strcmp(fdinfo(fd), "missing"));
    close(event);
    close(epoll);
    close(ends[0]);
    close(ends[1]);
}

static int entries(const char *path)
{
    DIR *dir = opendir(path);
    int nr = 0;

    while (dir && readdir(dir))
        nr++;
    if (dir)
        closedir(dir);
    return nr - 2;
}

static void names_can_be_changed_from_inside(void)
{
    int fd = open("/proc/self/comm", O_RDWR);

    EXPECT_IS(write(fd, "other", 5), 5);
    EXPECT(read_file("/proc/self/comm") == 6 && !strcmp(text, "other\n"));
    EXPECT_IS(write(fd, "0123456789abcdefghijklmnopqrstuvwxyz0123456789", 46), 46);
    EXPECT(read_file("/proc/self/comm") > 0 && !strcmp(text, "0123456789abcde\n"));
    EXPECT_IS(write(fd, "proc_pid", 8), 8);
    close(fd);
    pid_t pid = fork();
    if (!pid) {
        for (;;)
            pause();
    }
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    fd = open(path, O_WRONLY);
    EXPECT(fd >= 0);
    EXPECT_ERR(write(fd, "x", 1), EINVAL); /* only a process's own threads */
    close(fd);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static int go[2], told[2];

static void *other_thread(void *arg)
{
    char c, expected[64], link[64] = "";
    int fd = open("/proc/thread-self/comm", O_WRONLY);
    (void)arg;

    EXPECT_IS(write(fd, "second", 6), 6);
    close(fd);
    snprintf(expected, sizeof(expected), "%d/task/%d", getpid(), gettid());
    EXPECT(readlink("/proc/thread-self", link, sizeof(link) - 1) > 0 && !strcmp(link, expected));
    write(told[1], "x", 1);
    read(go[0], &c, 1);
    return NULL;
}

static void each_thread_has_a_directory(void)
{
    pthread_t thread;
    char c, path[64], first[64];

    EXPECT_IS(pipe(go), 0);
    EXPECT_IS(pipe(told), 0);
    EXPECT_IS(entries("/proc/self/task"), 1);
    EXPECT_IS(pthread_create(&thread, NULL, other_thread, NULL), 0);
    read(told[0], &c, 1);
    EXPECT_IS(entries("/proc/self/task"), 2);
    EXPECT(!strcmp(status("Threads"), "2"));
    DIR *dir = opendir("/proc/self/task");
    struct dirent *e;
    int other = 0;
    while ((e = readdir(dir)))
        if (atoi(e->d_name) && atoi(e->d_name) != getpid())
            other = atoi(e->d_name);
    closedir(dir);
    snprintf(path, sizeof(path), "/proc/self/task/%d/comm", other);
    EXPECT(read_file(path) > 0 && !strcmp(text, "second\n"));
    EXPECT(read_file("/proc/self/comm") > 0 && strcmp(text, "second\n"));
    snprintf(path, sizeof(path), "/proc/self/task/%d/status", other);
    snprintf(first, sizeof(first), "%d", other);
    EXPECT(!strcmp(status_of(path, "Pid"), first));
    snprintf(first, sizeof(first), "%d", getpid());
    EXPECT(!strcmp(status_of(path, "Tgid"), first));
    snprintf(path, sizeof(path), "/proc/self/task/%d/task", other);
    EXPECT_ERR(open(path, O_RDONLY), ENOENT);
    snprintf(path, sizeof(path), "/proc/%d/status", other); /* a thread's number is a name, too */
    EXPECT(!strcmp(status_of(path, "Tgid"), first));
    EXPECT_ERR(open("/proc/self/task/1", O_RDONLY), ENOENT);
    close(go[1]);
    pthread_join(thread, NULL);
    for (int i = 0; i < 100 && entries("/proc/self/task") > 1; i++)
        usleep(1000);
    EXPECT_IS(entries("/proc/self/task"), 1);
    close(go[0]);
    close(told[0]);
    close(told[1]);
}

static void areas_of_files_have_links(void)
{
    int fd = memfd_create("mapped", 0);
    char path[96], link[64] = "", buf[8];
    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0);
    EXPECT_IS(pwrite(fd, "here", 4, 0), 4);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (uintptr_t)p,
             (uintptr_t)p + 2 * PAGE);
    EXPECT(readlink(path, link, sizeof(link) - 1) > 0 && !strcmp(link, "/memfd:mapped (deleted)"));
    EXPECT(entries("/proc/self/map_files") >= 2); /* the program itself, too */
    if (geteuid() == 0) {
        int again = open(path, O_RDONLY);
        EXPECT_IS(read(again, buf, 8), 8);
        EXPECT(!strncmp(buf, "here", 4));
        close(again);
    }
    munmap(p, PAGE);
    EXPECT_ERR(readlink(path, link, sizeof(link)), ENOENT);
    snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (uintptr_t)p + PAGE,
             (uintptr_t)p + 2 * PAGE);
    EXPECT(readlink(path, link, sizeof(link)) > 0);
    EXPECT_ERR(readlink("/proc/self/map_files/0-1", link, sizeof(link)), ENOENT);
    EXPECT_ERR(readlink("/proc/self/map_files/x", link, sizeof(link)), ENOENT);
    munmap(p + PAGE, PAGE);
    close(fd);
}

static void huge_pages_of_the_pool_are_counted_apart(void)
{
    size_t huge = 512 * PAGE;
    char *p =
        mmap(NULL, huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

    if (p == MAP_FAILED)
        SKIP("no huge pages");
    long before = atol(status("VmRSS"));
    p[0] = 1;
    EXPECT(labs(atol(status("VmRSS")) - before) < 1024);
    EXPECT_IS(atol(status("HugetlbPages")), 2048);
    EXPECT_IS(smaps(p, huge, "Private_Hugetlb"), 2048);
    EXPECT_IS(smaps(p, huge, "Shared_Hugetlb"), 0);
    EXPECT_IS(smaps(p, huge, "Rss"), 0);
    munmap(p, huge);
    EXPECT_IS(atol(status("HugetlbPages")), 0);
}

static const char *const files[] = {"stat",      "status",        "statm",   "maps",  "smaps",
                                    "cmdline",   "comm",          "limits",  "wchan", "oom_score",
                                    "numa_maps", "oom_score_adj", "environ", "auxv",  "pagemap",
                                    "mem",       "smaps_rollup"};
enum { FILES = sizeof(files) / sizeof(files[0]), NEED_MEMORY = 12 }; /* from there on */

static void what_is_left_of_a_process_is_told(void)
{
    char c, path[64], buf[64];
    int fds[FILES];

    EXPECT_IS(pipe(go), 0);
    pid_t pid = fork();
    if (!pid) {
        close(go[1]);
        read(go[0], &c, 1);
        _exit(0);
    }
    close(go[0]);
    snprintf(path, sizeof(path), "/proc/%d", pid);
    int dir = open(path, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < FILES; i++) {
        fds[i] = openat(dir, files[i], O_RDONLY);
        EXPECT(fds[i] >= 0);
    }
    close(go[1]);
    siginfo_t info;
    waitid(P_PID, pid, &info, WEXITED | WNOWAIT);

    EXPECT(pread(fds[0], buf, 64, 0) > 0 && strstr(buf, ") Z "));
    EXPECT(pread(fds[2], buf, 64, 0) == 14 && !strncmp(buf, "0 0 0 0 0 0 0\n", 14));
    EXPECT_IS(pread(fds[3], buf, 64, 0), 0);
    EXPECT_IS(pread(fds[4], buf, 64, 0), 0);
    EXPECT_IS(pread(fds[5], buf, 64, 0), 0);
    EXPECT_IS(pread(fds[6], buf, 64, 0), 9);
    EXPECT_IS(pread(fds[12], buf, 64, 0), 0);
    EXPECT_IS(pread(fds[14], buf, 64, 0), 0);
    EXPECT_IS(pread(fds[15], buf, 64, 4096), 0);
    EXPECT_ERR(pread(fds[16], buf, 64, 0), ESRCH);
    for (int i = NEED_MEMORY; i < FILES; i++)
        EXPECT_ERR(openat(dir, files[i], O_RDONLY), ESRCH);
    EXPECT_ERR(openat(dir, "fd/0", O_RDONLY), ENOENT);
    EXPECT_ERR(readlinkat(dir, "exe", buf, 64), ENOENT);
    EXPECT_ERR(readlinkat(dir, "cwd", buf, 64), ENOENT);

    waitpid(pid, NULL, 0);
    for (int i = 0; i < NEED_MEMORY; i++)
        EXPECT_ERR(pread(fds[i], buf, 64, 0), ESRCH);
    EXPECT_IS(pread(fds[12], buf, 64, 0), 0);
    EXPECT_IS(pread(fds[14], buf, 64, 0), 0);
    for (int i = 0; i < FILES; i++) {
        EXPECT_ERR(openat(dir, files[i], O_RDONLY), ESRCH);
        close(fds[i]);
    }
    EXPECT_ERR(open(path, O_RDONLY), ENOENT);
    EXPECT_ERR(syscall(SYS_getdents64, dir, text, sizeof(text)), ENOENT);
    close(dir);
}

/* Read all that there is of @pid, whatever comes of it. */
static void read_all_of(pid_t pid)
{
    static const char *const more[] = {"task", "fd", "fdinfo", "fd/0", "fdinfo/0", "exe", "cwd"};
    char path[64], buf[4096];

    for (unsigned i = 0; i < FILES + 7; i++) {
        snprintf(path, sizeof(path), "/proc/%d/%s", pid, i < FILES ? files[i] : more[i - FILES]);
        int fd = open(path, O_RDONLY | O_NONBLOCK);
        ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));
        if (n < 0)
            readlink(path, buf, sizeof(buf));
        if (fd >= 0)
            close(fd);
    }
    snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, pid);
    slurp(path, buf, sizeof(buf));
}

static volatile pid_t shortlived[2];
static volatile bool enough;

static void *read_on(void *arg)
{
    (void)arg;
    while (!enough)
        for (int i = 0; i < 2; i++)
            if (shortlived[i])
                read_all_of(shortlived[i]);
    return NULL;
}

static void processes_may_end_while_they_are_read(void)
{
    pthread_t readers[2];
    time_t end = time(NULL) + 4;

    for (int i = 0; i < 2; i++)
        EXPECT_IS(pthread_create(&readers[i], NULL, read_on, NULL), 0);
    for (int i = 0; time(NULL) < end; i ^= 1) {
        pid_t pid = fork();
        if (!pid) {
            char *p =
                mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            memset(p, 1, 64 * PAGE);
            if (i)
                execl("/proc/self/exe", "proc_pid", "ends", NULL);
            _exit(0);
        }
        shortlived[i] = pid;
        waitpid(pid, NULL, 0);
    }
    enough = true;
    for (int i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);
}

/* Lines of maps from byte @pos on, read @size bytes at a time; @own: those in [from, to). */
static int lines_from(off_t pos, size_t size, const char *from, const char *to)
{
    static char buf[1 << 20], piece[65536];
    size_t len = 0;
    int own = 0, fd = open("/proc/self/maps", O_RDONLY);

    for (ssize_t n; (n = pread(fd, piece, size, pos + (off_t)len)) > 0; len += n)
        memcpy(buf + len, piece, n);
    close(fd);
    buf[len] = '\0';
    for (char *line = strchr(buf, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        char *start = (char *)strtoul(line + 1, NULL, 16);
        own += start >= from && start < to;
    }
    return own;
}

static void long_maps_are_read_in_pieces(void)
{
    enum { AREAS = 5000 };
    char *p = mmap(NULL, AREAS * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (int i = 0; i < AREAS; i += 2)
        mprotect(p + i * PAGE, PAGE, PROT_READ);
    EXPECT_IS(lines_from(0, 65536, p + PAGE, p + AREAS * PAGE), AREAS - 1);
    EXPECT_IS(lines_from(0, 1000, p + PAGE, p + AREAS * PAGE), AREAS - 1);
    int fd = open("/proc/self/maps", O_RDONLY);
    EXPECT(read(fd, text, 65536) <= 65536); /* a piece, then one before it, then one far behind */
    EXPECT_IS(pread(fd, text, 10, 5), 10);
    EXPECT_IS(pread(fd, text, 10, 100000), 10);
    EXPECT_IS(pread(fd, text, 10, 0), 10);
    EXPECT_IS(pread(fd, text, 10, 10000000), 0);
    close(fd);
    munmap(p, AREAS * PAGE);
}

int main(int argc, char **argv)
{
    static const struct ktap_test tests[] = {
        TEST(status_has_the_lines_of_linux_in_order),
        TEST(status_is_true),
        TEST(memory_adds_up),
        TEST(time_is_told_where_it_is_spent),
        TEST(a_dead_childs_time_is_the_parents_childrens),
        TEST(stat_has_52_fields),
        TEST(limits_are_told_as_they_are),
        TEST(environment_and_auxv_are_those_of_the_start),
        TEST(fdinfo_tells_how_a_file_is_open),
        TEST(names_can_be_changed_from_inside),
        TEST(each_thread_has_a_directory),
        TEST(areas_of_files_have_links),
        TEST(huge_pages_of_the_pool_are_counted_apart),
        TEST(what_is_left_of_a_process_is_told),
        TEST(processes_may_end_while_they_are_read),
        TEST(long_maps_are_read_in_pieces),
    };
    (void)argv;
    return argc > 1 ? 0 : KTAP_MAIN(tests);
}
