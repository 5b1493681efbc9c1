/* SPDX-License-Identifier: MIT */
/*
 * tests/user/proc_machine.c - /proc and /sys: what the machine tells of itself
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: proc(5) and its pages on single files; Linux Documentation/admin-guide/mm/pagemap.rst.
 * Tour:   with kernel/proc_machine.c, kernel/proc_meminfo.c, kernel/proc_kpage.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <ftw.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>

#define RW PROT_READ | PROT_WRITE

static char text[1 << 16];

static bool has_lines_in_order(const char *path, const char *const *names, unsigned nr)
{
    bool all = slurp(path, text, sizeof(text)) > 0;
    const char *at = text;

    for (unsigned i = 0; i < nr; i++) {
        char line[64];
        snprintf(line, sizeof(line), "\n%s", names[i]);
        const char *found =
            i || strncmp(text, names[i], strlen(names[i])) ? strstr(at, line) : text;
        if (!found)
            printf("# %s: no line %s, or not there\n", path, names[i]);
        all &= found != NULL;
        at = found ? found : at;
    }
    return all;
}

static void meminfo_has_the_lines_of_linux_in_order(void)
{
    static const char *const names[] = {
        "MemTotal:",       "MemFree:",        "MemAvailable:",    "Buffers:",
        "Cached:",         "SwapCached:",     "Active:",          "Inactive:",
        "Active(anon):",   "Inactive(anon):", "Active(file):",    "Inactive(file):",
        "Unevictable:",    "Mlocked:",        "SwapTotal:",       "SwapFree:",
        "Dirty:",          "Writeback:",      "AnonPages:",       "Shmem:",
        "KReclaimable:",   "Slab:",           "SReclaimable:",    "SUnreclaim:",
        "KernelStack:",    "PageTables:",     "NFS_Unstable:",    "Bounce:",
        "WritebackTmp:",   "CommitLimit:",    "Committed_AS:",    "AnonHugePages:",
        "ShmemHugePages:", "ShmemPmdMapped:", "HugePages_Total:", "HugePages_Free:",
        "HugePages_Rsvd:", "HugePages_Surp:", "Hugepagesize:",    "Hugetlb:",
        "DirectMap4k:",    "DirectMap2M:"};

    EXPECT(has_lines_in_order("/proc/meminfo", names, sizeof(names) / sizeof(names[0])));
    EXPECT(meminfo("MemAvailable") <= meminfo("MemTotal"));
    EXPECT(meminfo("MemFree") < meminfo("MemTotal"));
}

static void locked_memory_is_counted(void)
{
    enum { PAGES = 1024, SLACK = 256 }; /* kernels count in batches */
    char *p = mmap(NULL, PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (!machine_is_ours())
        SKIP("others lock memory, too");
    long before = meminfo("Mlocked");
    EXPECT_IS(mlock(p, PAGES * PAGE), 0);
    EXPECT(meminfo("Mlocked") - before >= PAGES * 4 - SLACK);
    EXPECT(meminfo("Unevictable") >= meminfo("Mlocked"));
    munmap(p, PAGES * PAGE);
}

/* Field @n of the line of /proc/stat that begins with @name. */
static long long stat_line(const char *name, int n)
{
    long long value = -1;

    if (slurp("/proc/stat", text, sizeof(text)) < 0)
        return -1;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *at = line + strlen(name);
        if (strncmp(line, name, strlen(name)) || *at != ' ')
            continue;
        for (int i = 0; i < n && at; i++) {
            at += strspn(at, " ");
            value = strtoll(at, &at, 10);
        }
    }
    return value;
}

static void spin(int ms)
{
    struct timespec begin, now;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < ms);
}

static void what_cpus_did_is_told(void)
{
    long long busy = stat_line("cpu", 1) + stat_line("cpu", 3), idle = stat_line("cpu", 4);
    long long switches = stat_line("ctxt", 1), born = stat_line("processes", 1);

    spin(300);
    EXPECT(stat_line("cpu", 1) + stat_line("cpu", 3) - busy >= 15);
    usleep(200000);
    EXPECT(stat_line("cpu", 4) >= idle);
    EXPECT(stat_line("ctxt", 1) > switches);
    EXPECT_IS(stat_line("cpu", 2) >= 0 && stat_line("cpu", 10) >= 0, 1);
    EXPECT(stat_line("cpu0", 4) >= 0 && stat_line("intr", 1) > 0);
    EXPECT(stat_line("procs_running", 1) >= 1 && stat_line("procs_blocked", 1) >= 0);
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    waitpid(pid, NULL, 0);
    EXPECT(stat_line("processes", 1) > born);
    long long boot = stat_line("btime", 1), now = time(NULL);
    struct timespec up;
    clock_gettime(CLOCK_BOOTTIME, &up);
    EXPECT(llabs(now - up.tv_sec - boot) <= 2);
}

static void an_idle_machine_is_idle(void)
{
    if (!machine_is_ours())
        SKIP("others work, too");
    long long busy = stat_line("cpu", 1) + stat_line("cpu", 3), idle = stat_line("cpu", 4);
    usleep(500000);
    long long idle2 = stat_line("cpu", 4), busy2 = stat_line("cpu", 1) + stat_line("cpu", 3);
    EXPECT(idle2 - idle >= 30 && idle2 - idle > 2 * (busy2 - busy));
}

static void uptime_and_load_are_told(void)
{
    double up, idle, load[3];
    unsigned runnable, all;
    struct sysinfo info;
    int last, len = 0;

    EXPECT(slurp("/proc/uptime", text, sizeof(text)) > 0);
    EXPECT_IS(sscanf(text, "%lf %lf\n%n", &up, &idle, &len), 2);
    EXPECT(len == (int)strlen(text) && up > 0 && idle >= 0);
    EXPECT(slurp("/proc/loadavg", text, sizeof(text)) > 0);
    EXPECT_IS(sscanf(text, "%lf %lf %lf %u/%u %d\n%n", &load[0], &load[1], &load[2], &runnable,
                     &all, &last, &len),
              6);
    EXPECT(len == (int)strlen(text) && runnable >= 1 && runnable <= all && last >= 1);
    EXPECT_IS(sysinfo(&info), 0);
    EXPECT((double)info.uptime <= up + 1 && info.procs >= 1);
    EXPECT(info.loads[0] / 65536.0 - load[0] < 1 && load[0] - info.loads[0] / 65536.0 < 1);
}

static void load_rises_with_work(void)
{
    double before, after;

    if (!machine_is_ours())
        SKIP("others work, too");
    EXPECT(slurp("/proc/loadavg", text, sizeof(text)) > 0);
    before = atof(text);
    spin(6500);
    EXPECT(slurp("/proc/loadavg", text, sizeof(text)) > 0);
    after = atof(text);
    /* Towards one runner; what ran before may have been more. */
    EXPECT(after > (before < 0.9 ? before : 0.8 * before) && after < before + 1.01);
}

static void free_blocks_are_told_by_order(void)
{
    unsigned long sum = 0, blocks[11];

    EXPECT(slurp("/proc/buddyinfo", text, sizeof(text)) > 0);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        int node;
        char zone[32];
        EXPECT_IS(sscanf(line, "Node %d, zone %31s %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu",
                         &node, zone, &blocks[0], &blocks[1], &blocks[2], &blocks[3], &blocks[4],
                         &blocks[5], &blocks[6], &blocks[7], &blocks[8], &blocks[9], &blocks[10]),
                  13);
        for (int order = 0; order <= 10; order++)
            sum += blocks[order] << order;
    }
    EXPECT(sum * 4 <= (unsigned long)meminfo("MemTotal"));
    if (machine_is_ours()) /* another may have lent much of it to its host */
        EXPECT(sum * 8 >= (unsigned long)meminfo("MemFree"));
}

static long vmstat(const char *name)
{
    slurp("/proc/vmstat", text, sizeof(text));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ' ')
            return atol(line + strlen(name));
    return -1;
}

static void faults_are_counted(void)
{
    long before = vmstat("pgfault");
    char *p = mmap(NULL, 64 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    madvise(p, 64 * PAGE, MADV_NOHUGEPAGE);
    memset(p, 1, 64 * PAGE);
    EXPECT(before >= 0 && vmstat("pgfault") - before >= 64);
    munmap(p, 64 * PAGE);
}

/* The word of the frame behind @p in a file with a word a frame. */
static uint64_t word_of(const char *path, const void *p)
{
    int pagemap = open("/proc/self/pagemap", O_RDONLY), fd = open(path, O_RDONLY);
    uint64_t w = 0, result = ~0UL;

    EXPECT_IS(pread(pagemap, &w, 8, (uintptr_t)p / PAGE * 8), 8);
    EXPECT_IS(pread(fd, &result, 8, (off_t)((w & ((1UL << 55) - 1)) * 8)), 8);
    close(pagemap);
    close(fd);
    return result;
}

#define FLAG(n) (1UL << (n))
#define ANON    (FLAG(11) | FLAG(12)) /* mapped, private */

static void frames_are_told(void)
{
    int fd = memfd_create("frames", 0), go[2];
    char *p = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), c;
    char *q = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

    if (access("/proc/kpageflags", R_OK))
        SKIP("needs root, and a kernel that tells");
    madvise(p, 2 * PAGE, MADV_NOHUGEPAGE);
    EXPECT_IS(ftruncate(fd, PAGE), 0);
    p[0] = q[0] = 1;
    EXPECT(look(p + PAGE) == 0);
    EXPECT_IS(word_of("/proc/kpageflags", p) & (ANON | FLAG(10) | FLAG(17) | FLAG(20)), ANON);
    EXPECT_IS(word_of("/proc/kpageflags", q) & ANON, FLAG(11));
    EXPECT(word_of("/proc/kpageflags", p + PAGE) & FLAG(24)); /* zeros */
    EXPECT_IS(word_of("/proc/kpagecount", p), 1);
    EXPECT_IS(word_of("/proc/kpagecount", q), 1);
    EXPECT_IS(pipe(go), 0);
    pid_t pid = fork();
    if (!pid) {
        close(go[1]);
        read(go[0], &c, 1);
        _exit(0);
    }
    close(go[0]);
    EXPECT_IS(word_of("/proc/kpagecount", p), 2);
    close(go[1]);
    waitpid(pid, NULL, 0);
    EXPECT_IS(word_of("/proc/kpagecount", p), 1);
    close(fd);
    fd = open("/proc/kpageflags", O_RDONLY);
    EXPECT_ERR(pread(fd, text, 7, 0), EINVAL);
    EXPECT_ERR(pread(fd, text, 8, 4), EINVAL);
    EXPECT_IS(pread(fd, text, 64, 0), 64);
    EXPECT_IS(pread(fd, text, 64, 1L << 40), 0);
    close(fd);
    munmap(p, 2 * PAGE);
    munmap(q, PAGE);
}

static void huge_pages_are_told_by_frame(void)
{
    size_t huge = 512 * PAGE;
    huge_pages_allow();
    char *p = place_of_units(huge);

    if (access("/proc/kpageflags", R_OK))
        SKIP("needs root, and a kernel that tells");
    EXPECT(mmap(p, huge, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
    madvise(p, huge, MADV_HUGEPAGE);
    p[0] = 1;
    if (smaps(p, huge, "AnonHugePages") == 0) {
        munmap(p, huge);
        SKIP("no huge page is to be had");
    }
    uint64_t kinds = FLAG(15) | FLAG(16) | FLAG(17) | FLAG(22) | FLAG(12);
    EXPECT_IS(word_of("/proc/kpageflags", p) & kinds, FLAG(15) | FLAG(22) | FLAG(12));
    EXPECT_IS(word_of("/proc/kpageflags", p + PAGE) & kinds, FLAG(16) | FLAG(22) | FLAG(12));
    EXPECT_IS(word_of("/proc/kpagecount", p + PAGE), 1);
    munmap(p, huge);
}

static bool says(const char *path, const char *what)
{
    return slurp(path, text, sizeof(text)) > 0 && !strcmp(text, what);
}

static void the_node_is_told(void)
{
    if (access("/sys/devices/system/node", F_OK))
        SKIP("no nodes here");
    EXPECT(says("/sys/devices/system/node/online", "0\n"));
    EXPECT(says("/sys/devices/system/node/node0/distance", "10\n"));
    EXPECT(slurp("/sys/devices/system/node/node0/meminfo", text, sizeof(text)) > 0 &&
           !strncmp(text, "Node 0 MemTotal:", 16));
    EXPECT(slurp("/sys/devices/system/node/node0/cpulist", text, sizeof(text)) > 0);
    char online[64];
    slurp("/sys/devices/system/cpu/online", online, sizeof(online));
    EXPECT(!strcmp(text, online));
}

static void settings_have_their_values(void)
{
    char uuid[64];

    EXPECT(says("/proc/sys/kernel/ostype", "Linux\n"));
    EXPECT(says("/proc/sys/kernel/overflowuid", "65534\n"));
    EXPECT(says("/proc/sys/kernel/ngroups_max", "65536\n"));
    EXPECT_IS(slurp("/proc/sys/kernel/random/uuid", uuid, sizeof(uuid)), 37);
    EXPECT(uuid[8] == '-' && uuid[14] == '4');
    EXPECT(slurp("/proc/sys/kernel/random/uuid", text, sizeof(text)) == 37 && strcmp(text, uuid));
    EXPECT_ERR(open("/proc/sys/kernel/nothing", O_RDONLY), ENOENT);
}

static void what_is_only_written_cannot_be_read(void)
{
    int fd = open("/proc/self/clear_refs", O_RDONLY);

    EXPECT(fd >= 0);
    EXPECT_ERR(read(fd, text, 1), EINVAL);
    close(fd);
    if (geteuid() == 0)
        EXPECT_ERR(open("/proc/sys/vm/compact_memory", O_RDONLY), EACCES);
}

static int read_all(const char *path, const struct stat *st, int flag, struct FTW *place)
{
    (void)st;
    (void)place;
    int fd = flag == FTW_F ? open(path, O_RDONLY | O_NONBLOCK) : -1;
    for (int i = 0; fd >= 0 && i < 4 && read(fd, text, sizeof(text)) > 0; i++)
        continue;
    if (fd >= 0)
        close(fd);
    fd = flag == FTW_F ? open(path, O_WRONLY | O_NONBLOCK) : -1;
    if (fd >= 0) {
        errno = 0;
        EXPECT(write(fd, "no value", 8) < 0 || !strcmp(strrchr(path, '/'), "/comm"));
        close(fd);
    }
    return 0;
}

/* By its owner; what it says is for the other tests. */
static void every_file_survives_reading_and_nonsense(void)
{
    struct utsname name;

    EXPECT_IS(uname(&name), 0);
    if (!strstr(name.release, "bulla"))
        SKIP("a larger system has files that must be left alone");
    EXPECT_IS(nftw("/proc", read_all, 16, FTW_PHYS), 0);
    EXPECT_IS(nftw("/sys", read_all, 16, FTW_PHYS), 0);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(meminfo_has_the_lines_of_linux_in_order),
        TEST(locked_memory_is_counted),
        TEST(what_cpus_did_is_told),
        TEST(an_idle_machine_is_idle),
        TEST(uptime_and_load_are_told),
        TEST(load_rises_with_work),
        TEST(free_blocks_are_told_by_order),
        TEST(faults_are_counted),
        TEST(frames_are_told),
        TEST(huge_pages_are_told_by_frame),
        TEST(the_node_is_told),
        TEST(settings_have_their_values),
        TEST(what_is_only_written_cannot_be_read),
        TEST(every_file_survives_reading_and_nonsense),
    };
    return KTAP_MAIN(tests);
}
