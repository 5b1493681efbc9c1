/* SPDX-License-Identifier: MIT */
/*
 * tests/user/cred.c - users, groups and capabilities: how they change, and what they forbid
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   a directory of its own in /dev/shm.
 * Locks:  none.
 * Always: (1) every test runs in a child: who it became ends with it.
 * Source: credentials(7), capabilities(7), setuid(2), setresuid(2), capset(2), path_resolution(7),
 *         chmod(2), chown(2), kill(2), prctl(2).
 * Tour:   with kernel/cred.c and kernel/sys_cred.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <grp.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/wait.h>

#define USER         1234
#define OTHER        4321
#define CHOWN        0
#define DAC_OVERRIDE 1
#define KILL         5
#define SETUID       7
#define IPC_LOCK     14
#define BIT(cap)     (1UL << (cap))
#define DIR          "/dev/shm/bulla-cred"

#define NEED_ROOT       \
    if (geteuid() != 0) \
    SKIP("needs root")

struct sets {
    unsigned long effective, permitted, inheritable;
};

static struct sets sets_get(void)
{
    unsigned header[2] = {0x20080522, 0}, d[6] = {0};

    syscall(SYS_capget, header, d);
    return (struct sets){d[0] | (unsigned long)d[3] << 32, d[1] | (unsigned long)d[4] << 32,
                         d[2] | (unsigned long)d[5] << 32};
}

static long sets_set(unsigned long effective, unsigned long permitted, unsigned long inheritable)
{
    unsigned header[2] = {0x20080522, 0};
    unsigned d[6] = {effective,       permitted,       inheritable,
                     effective >> 32, permitted >> 32, inheritable >> 32};

    return syscall(SYS_capset, header, d);
}

static bool users_are(unsigned real, unsigned effective, unsigned saved, unsigned fs)
{
    unsigned r, e, s;

    getresuid(&r, &e, &s);
    return r == real && e == effective && s == saved && (unsigned)setfsuid(-1) == fs;
}

static void in_child(void (*run)(void))
{
    int status = 0;

    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        run();
        fflush(stdout);
        _exit(ktap_failed);
    }
    waitpid(pid, &status, 0);
    EXPECT_IS(status, 0);
}

/* Changing who one is */

static void become_user(void)
{
    EXPECT_ERR(syscall(SYS_setuid, -1), EINVAL);
    EXPECT_IS(setuid(USER), 0);
    EXPECT(users_are(USER, USER, USER, USER));
    EXPECT(getuid() == USER && geteuid() == USER);
    EXPECT(sets_get().permitted == 0 && sets_get().effective == 0);
    EXPECT_ERR(setuid(0), EPERM);
    EXPECT_ERR(setuid(OTHER), EPERM);
    EXPECT_ERR(setresuid(-1, 0, -1), EPERM);
    EXPECT_ERR(setreuid(OTHER, -1), EPERM);
    EXPECT_ERR(setgid(USER), EPERM);
    EXPECT_ERR(syscall(SYS_setgroups, 0, NULL), EPERM);
    EXPECT_IS(setresuid(-1, -1, -1), 0);
}

static void root_becomes_a_user_for_good(void)
{
    NEED_ROOT;
    in_child(become_user);
}

static void there_and_back(void)
{
    unsigned long all = sets_get().permitted;

    EXPECT_IS(seteuid(USER), 0);
    EXPECT(users_are(0, USER, 0, USER));
    EXPECT(sets_get().effective == 0 && sets_get().permitted == all);
    EXPECT_IS(seteuid(0), 0);
    EXPECT(users_are(0, 0, 0, 0));
    EXPECT(sets_get().effective == all);
    EXPECT_IS(setreuid(USER, OTHER), 0);
    EXPECT(users_are(USER, OTHER, OTHER, OTHER));
    EXPECT_IS(setreuid(OTHER, USER), 0);
    EXPECT(users_are(OTHER, USER, USER, USER));
    EXPECT_ERR(setreuid(0, -1), EPERM);
    EXPECT_IS(setreuid(-1, OTHER), 0);
    EXPECT(users_are(OTHER, OTHER, USER, OTHER)); /* not another than the real one: as it was */
}

static void effective_user_comes_back_from_saved(void)
{
    NEED_ROOT;
    in_child(there_and_back);
}

static void file_user(void)
{
    unsigned long all = sets_get().effective;

    EXPECT_IS(setfsuid(USER), 0);
    EXPECT(users_are(0, 0, 0, USER));
    EXPECT(!(sets_get().effective & (BIT(CHOWN) | BIT(DAC_OVERRIDE))));
    EXPECT(sets_get().effective & BIT(SETUID));
    EXPECT_IS(setfsuid(0), USER);
    EXPECT(sets_get().effective == all);
    EXPECT_IS(setuid(USER), 0);
    EXPECT_IS(setfsuid(OTHER), USER);
    EXPECT_IS(setfsuid(-1), USER);
}

static void file_user_takes_capabilities_of_files(void)
{
    NEED_ROOT;
    in_child(file_user);
}

static void groups(void)
{
    unsigned list[4] = {9, 3, 7, 3}, got[8], r, e, s;

    EXPECT_IS(syscall(SYS_setgroups, 4, list), 0);
    EXPECT_IS(syscall(SYS_getgroups, 0, NULL), 4);
    EXPECT_ERR(syscall(SYS_getgroups, 3, got), EINVAL);
    EXPECT_ERR(syscall(SYS_getgroups, -1, got), EINVAL);
    EXPECT_IS(syscall(SYS_getgroups, 8, got), 4);
    EXPECT(got[0] == 3 && got[1] == 3 && got[2] == 7 && got[3] == 9);
    EXPECT_ERR(syscall(SYS_setgroups, 65537, list), EINVAL);
    EXPECT_ERR(syscall(SYS_setgroups, 2, (void *)8), EFAULT);
    EXPECT_IS(syscall(SYS_getgroups, 0, NULL), 4);
    EXPECT_IS(setresgid(1, 2, 3), 0);
    EXPECT_IS(getresgid(&r, &e, &s), 0);
    EXPECT(r == 1 && e == 2 && s == 3 && getgid() == 1 && getegid() == 2);
    EXPECT_ERR(syscall(SYS_getresgid, &r, (void *)8, &s), EFAULT);
    EXPECT_IS(setuid(USER), 0);
    EXPECT_IS(setgid(3), 0);
    EXPECT_ERR(setgid(2), EPERM);
    EXPECT_IS(setregid(3, 1), 0);
    EXPECT_IS(setfsgid(-1), 1);
}

static void groups_are_sorted_and_kept(void)
{
    NEED_ROOT;
    in_child(groups);
}

/* Capabilities */

static void drop_sets(void)
{
    unsigned header[2] = {1, 0}, d[6] = {0};
    unsigned long all = sets_get().permitted;

    EXPECT_ERR(syscall(SYS_capget, header, d), EINVAL); /* answered by the version it knows */
    EXPECT_IS(header[0], 0x20080522);
    header[0] = 1;
    EXPECT_IS(syscall(SYS_capget, header, NULL), 0);
    header[1] = -5;
    EXPECT_ERR(syscall(SYS_capget, header, d), EINVAL);
    EXPECT_ERR(sets_set(BIT(KILL), 0, 0), EPERM); /* effective, but not permitted */
    EXPECT_IS(sets_set(BIT(KILL), BIT(KILL) | BIT(SETUID), 0), 0);
    EXPECT_ERR(setuid(USER), EPERM);
    EXPECT_ERR(sets_set(0, all, 0), EPERM);
    EXPECT_IS(sets_set(BIT(SETUID), BIT(KILL) | BIT(SETUID), BIT(KILL)), 0);
    EXPECT(sets_get().inheritable == BIT(KILL));
    EXPECT_IS(setuid(USER), 0);
    EXPECT(sets_get().permitted == 0);
    EXPECT(sets_get().inheritable == BIT(KILL));
}

static void dropped_capabilities_are_gone(void)
{
    NEED_ROOT;
    in_child(drop_sets);
}

static void keep(void)
{
    EXPECT_IS(prctl(PR_GET_KEEPCAPS), 0);
    EXPECT_ERR(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
    EXPECT_IS(prctl(PR_SET_KEEPCAPS, 1), 0);
    EXPECT_IS(prctl(PR_GET_KEEPCAPS), 1);
    EXPECT_IS(setuid(USER), 0);
    EXPECT(sets_get().permitted & BIT(KILL));
    EXPECT(sets_get().effective == 0);
    EXPECT_IS(sets_set(BIT(KILL), BIT(KILL), BIT(KILL)), 0);
    EXPECT_ERR(prctl(PR_SET_SECUREBITS, 1), EPERM);
    EXPECT_IS(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, KILL, 0, 0), 0);
    EXPECT_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, SETUID, 0, 0), EPERM);
    EXPECT_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 99, 0, 0), EINVAL);
    EXPECT_IS(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, KILL, 0, 0), 1);
    EXPECT_IS(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), 0);
    EXPECT_IS(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, KILL, 0, 0), 0);
}

static void kept_capabilities_survive_setuid(void)
{
    NEED_ROOT;
    in_child(keep);
}

static void bounding(void)
{
    EXPECT_IS(prctl(PR_CAPBSET_READ, KILL), 1);
    EXPECT_ERR(prctl(PR_CAPBSET_READ, 63), EINVAL);
    EXPECT_IS(prctl(PR_CAPBSET_DROP, KILL), 0);
    EXPECT_IS(prctl(PR_CAPBSET_READ, KILL), 0);
    EXPECT(sets_get().permitted & BIT(KILL)); /* until the next program */
    EXPECT_IS(prctl(PR_SET_SECUREBITS, 0x10 | 0x20), 0);
    EXPECT_IS(prctl(PR_GET_SECUREBITS), 0x30);
    EXPECT_ERR(prctl(PR_SET_KEEPCAPS, 0), EPERM); /* locked */
    EXPECT_ERR(prctl(PR_SET_SECUREBITS, 0), EPERM);
    EXPECT_IS(setuid(USER), 0);
    EXPECT_IS(sets_set(0, 0, 0), 0);
    EXPECT_ERR(prctl(PR_CAPBSET_DROP, SETUID), EPERM);
    EXPECT_ERR(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
    EXPECT_IS(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    EXPECT_IS(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    EXPECT_IS(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    EXPECT_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
}

static void bounding_set_and_secure_bits(void)
{
    NEED_ROOT;
    in_child(bounding);
}

/* Files */

static int make(const char *name, unsigned mode, unsigned uid, unsigned gid)
{
    int fd = open(name, O_CREAT | O_RDWR | O_EXCL, 0600);
    EXPECT(fd >= 0);
    EXPECT_IS(fchown(fd, uid, gid), 0);
    EXPECT_IS(fchmod(fd, mode), 0);
    return close(fd);
}

static long try(const char *name, int flags)
{
    int fd = open(name, flags);
    return fd < 0 ? -errno : close(fd);
}

static void as_user(void)
{
    unsigned list[1] = {77};
    struct stat st;

    EXPECT_IS(syscall(SYS_setgroups, 1, list), 0);
    EXPECT_IS(setgid(USER), 0);
    EXPECT_IS(setuid(USER), 0);
    EXPECT_IS(chdir(DIR), 0);
    EXPECT_IS(try("of-root", O_RDONLY), -EACCES);
    EXPECT_IS(try("readable", O_RDONLY), 0);
    EXPECT_IS(try("readable", O_RDWR), -EACCES);
    EXPECT_IS(try("readable", O_RDONLY | O_TRUNC), -EACCES);
    EXPECT_IS(try("readable", O_PATH), 0);
    EXPECT(try("readable", O_RDONLY | O_NOATIME) == -EPERM);
    EXPECT_IS(try("of-group", O_RDWR), 0);         /* a supplementary one */
    EXPECT_IS(try("not-mine", O_RDONLY), -EACCES); /* mine, but not for me: 0077 */
    EXPECT_IS(try("closed/inside", O_RDONLY), -EACCES);
    EXPECT_IS(try("listed/inside", O_RDONLY), -EACCES); /* may be listed, not entered */
    EXPECT_ERR(chdir("listed"), EACCES);
    EXPECT_IS(try("listed", O_RDONLY | O_DIRECTORY), 0);
    EXPECT_IS(try("new", O_CREAT | O_RDWR), -EACCES);
    EXPECT_ERR(mkdir("new", 0777), EACCES);
    EXPECT_ERR(symlink("a", "new"), EACCES);
    EXPECT_ERR(unlink("readable"), EACCES);
    EXPECT_ERR(unlink("missing"), ENOENT);
    EXPECT_ERR(rename("readable", "sticky/new"), EACCES);
    EXPECT_ERR(unlink("sticky/of-root"), EPERM);
    EXPECT_IS(unlink("sticky/mine"), 0);
    EXPECT_ERR(truncate("readable", 0), EACCES);
    EXPECT_ERR(chmod("readable", 0666), EPERM);
    EXPECT_IS(chmod("not-mine", 0600), 0);
    EXPECT_IS(try("not-mine", O_RDWR), 0);
    EXPECT_ERR(chown("not-mine", OTHER, -1), EPERM);
    EXPECT_ERR(chown("not-mine", -1, OTHER), EPERM);
    EXPECT_IS(chown("not-mine", -1, 77), 0);
    EXPECT_ERR(utimes("readable", NULL), EACCES);
    EXPECT_IS(utimes("of-group", NULL), 0);
    struct timeval t[2] = {{1, 0}, {1, 0}};
    EXPECT_ERR(utimes("of-group", t), EPERM);
    EXPECT_IS(access("readable", R_OK), 0);
    EXPECT_ERR(access("readable", W_OK), EACCES);
    EXPECT_ERR(mknod("sticky/dev", S_IFCHR | 0666, 0x103), EPERM);
    int fd = open("sticky/made", O_CREAT | O_EXCL | O_RDWR, 0666);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT(st.st_uid == USER && st.st_gid == USER);
    close(fd);
    fd = open("of-a-group/made", O_CREAT | O_EXCL | O_RDWR, 0666);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT(st.st_uid == USER && st.st_gid == 77);
    close(fd);
    EXPECT_IS(mkdir("of-a-group/dir", 0755), 0);
    EXPECT_IS(stat("of-a-group/dir", &st), 0);
    EXPECT(st.st_gid == 77 && (st.st_mode & S_ISGID));
    EXPECT_ERR(execl("readable", "readable", NULL), EACCES);
}

static void make_all(void)
{
    umask(0);
    EXPECT_IS(mkdir(DIR, 0755), 0);
    EXPECT_IS(chdir(DIR), 0);
    make("of-root", 0600, 0, 0);
    make("readable", 0644, 0, 0);
    make("of-group", 0660, 0, 77);
    make("not-mine", 0077, USER, USER);
    EXPECT_IS(mkdir("closed", 0700) | mkdir("listed", 0744), 0);
    make("closed/inside", 0666, 0, 0);
    make("listed/inside", 0666, 0, 0);
    EXPECT_IS(mkdir("sticky", 01777), 0);
    EXPECT_IS(chmod("sticky", 01777), 0);
    make("sticky/of-root", 0666, 0, 0);
    make("sticky/mine", 0666, USER, USER);
    EXPECT_IS(mkdir("of-a-group", 0777), 0);
    EXPECT_IS(chown("of-a-group", 0, 77), 0);
    EXPECT_IS(chmod("of-a-group", 02777), 0);
}

static void remove_all(void)
{
    static const char *const files[] = {"of-root",     "readable",       "of-group",
                                        "not-mine",    "closed/inside",  "listed/inside",
                                        "sticky/mine", "sticky/of-root", "sticky/made",
                                        "sticky/new",  "of-a-group/made"};
    static const char *const dirs[] = {"closed", "listed", "sticky", "of-a-group/dir",
                                       "of-a-group"};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        unlink(files[i]);
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        rmdir(dirs[i]);
    chdir("/");
    EXPECT_IS(rmdir(DIR), 0);
}

static void files_ask_owner_group_and_others(void)
{
    NEED_ROOT;
    mode_t mask = umask(0);
    make_all();
    in_child(as_user);
    remove_all();
    umask(mask);
}

static void root_without_override(void)
{
    unsigned long all = sets_get().permitted & ~(BIT(DAC_OVERRIDE) | BIT(2));

    EXPECT_IS(try(DIR "/none", O_RDWR), 0);
    EXPECT_ERR(access(DIR "/none", X_OK), EACCES); /* nobody may execute it */
    EXPECT_IS(sets_set(all, all, 0), 0);
    EXPECT_IS(try(DIR "/none", O_RDONLY), -EACCES);
    EXPECT_IS(access(DIR "/none", F_OK), 0);
    EXPECT_ERR(access(DIR "/none", R_OK), EACCES);
}

static void root_needs_the_capability(void)
{
    NEED_ROOT;
    EXPECT_IS(mkdir(DIR, 0755), 0);
    EXPECT_IS(chdir(DIR), 0);
    make("none", 0, USER, USER);
    in_child(root_without_override);
    unlink("none");
    chdir("/");
    EXPECT_IS(rmdir(DIR), 0);
}

static void access_as_real(void)
{
    EXPECT_IS(setresuid(USER, 0, 0), 0);
    EXPECT_IS(try(DIR "/of-root", O_RDONLY), 0);
    EXPECT_ERR(access(DIR "/of-root", R_OK), EACCES);
    EXPECT_IS(faccessat(AT_FDCWD, DIR "/of-root", R_OK, AT_EACCESS), 0);
}

static void access_asks_for_the_real_user(void)
{
    NEED_ROOT;
    EXPECT_IS(mkdir(DIR, 0755), 0);
    EXPECT_IS(chdir(DIR), 0);
    make("of-root", 0600, 0, 0);
    in_child(access_as_real);
    unlink("of-root");
    chdir("/");
    EXPECT_IS(rmdir(DIR), 0);
}

static void owner_change_ends_set_id(void)
{
    NEED_ROOT;
    struct stat st;

    EXPECT_IS(mkdir(DIR, 0755), 0);
    EXPECT_IS(chdir(DIR), 0);
    make("set", 06755, USER, USER);
    EXPECT_IS(stat("set", &st), 0);
    EXPECT_IS(st.st_mode & 07777, 06755);
    EXPECT_IS(chown("set", OTHER, OTHER), 0);
    EXPECT_IS(stat("set", &st), 0);
    EXPECT_IS(st.st_mode & 07777, 0755);
    unlink("set");
    chdir("/");
    EXPECT_IS(rmdir(DIR), 0);
}

/* Processes */

static pid_t victim;

static void signal_stranger(void)
{
    EXPECT_IS(setuid(USER), 0);
    EXPECT_ERR(kill(victim, 0), EPERM);
    EXPECT_ERR(kill(victim, SIGKILL), EPERM);
    EXPECT_IS(kill(victim, SIGCONT), 0); /* of the same session */
    EXPECT_ERR(syscall(SYS_tgkill, victim, victim, SIGTERM), EPERM);
    EXPECT_ERR(syscall(SYS_ptrace, 16 /* ATTACH */, victim, 0, 0), EPERM);
    char name[64];
    snprintf(name, sizeof(name), "/proc/%d/maps", victim);
    EXPECT_IS(try(name, O_RDONLY), -EACCES);
    snprintf(name, sizeof(name), "/proc/%d/fd", victim);
    EXPECT_IS(try(name, O_RDONLY | O_DIRECTORY), -EACCES);
    snprintf(name, sizeof(name), "/proc/%d/status", victim);
    EXPECT_IS(try(name, O_RDONLY), 0);
    struct rlimit limit;
    EXPECT_ERR(prlimit(victim, RLIMIT_NOFILE, NULL, &limit), EPERM);
    unsigned long mask = 1;
    EXPECT_ERR(syscall(SYS_sched_setaffinity, victim, 8, &mask), EPERM);
}

static void signal_same_user(void)
{
    EXPECT_IS(setuid(OTHER), 0);
    EXPECT_IS(kill(victim, 0), 0);
    EXPECT_IS(kill(victim, SIGKILL), 0);
}

static void only_the_same_user_sends_signals(void)
{
    NEED_ROOT;
    int ready[2], status;
    char c;

    EXPECT_IS(pipe(ready), 0);
    victim = fork();
    if (!victim) {
        setresuid(OTHER, OTHER, OTHER);
        write(ready[1], "", 1);
        for (;;)
            pause();
    }
    EXPECT_IS(read(ready[0], &c, 1), 1);
    in_child(signal_stranger);
    in_child(signal_same_user);
    EXPECT_IS(waitpid(victim, &status, 0), victim);
    EXPECT_IS(status, SIGKILL);
    close(ready[0]);
    close(ready[1]);
}

static void limits(void)
{
    struct rlimit limit, same;
    static char page[4096] __attribute__((aligned(4096)));

    EXPECT_IS(setuid(USER), 0);
    EXPECT_IS(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_max -= 1;
    limit.rlim_cur = limit.rlim_max;
    EXPECT_IS(setrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_max += 1;
    EXPECT_ERR(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
    EXPECT_IS(getrlimit(RLIMIT_NOFILE, &same), 0);
    EXPECT(same.rlim_max == limit.rlim_max - 1);
    limit = (struct rlimit){0, 0};
    EXPECT_IS(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    EXPECT_ERR(mlock(page, sizeof(page)), EPERM); /* no memory may be locked at all */
}

static void processes(void)
{
    struct rlimit limit = {1, 1};

    EXPECT_IS(setrlimit(RLIMIT_NPROC, &limit), 0);
    pid_t pid = fork(); /* root may */
    if (!pid)
        _exit(0);
    EXPECT(pid > 0 && waitpid(pid, NULL, 0) == pid);
    EXPECT_IS(setuid(OTHER + 1), 0);
    EXPECT_ERR(fork(), EAGAIN);
}

static void low_addresses(void)
{
    void *low = NULL;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

    EXPECT(mmap(low, 4096, PROT_READ, flags, -1, 0) == low);
    EXPECT_IS(munmap(low, 4096), 0);
    EXPECT_IS(setuid(USER), 0);
    EXPECT(mmap(low, 4096, PROT_READ, flags, -1, 0) == MAP_FAILED && errno == EPERM);
    void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(mremap(p, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, low) == MAP_FAILED);
    EXPECT_IS(errno, EPERM);
    EXPECT_IS(munmap(p, 4096), 0);
}

static void low_addresses_need_a_capability(void)
{
    NEED_ROOT;
    in_child(low_addresses);
}

static void users_have_so_many_processes(void)
{
    NEED_ROOT;
    in_child(processes);
}

static void users_keep_to_their_limits(void)
{
    NEED_ROOT;
    in_child(limits);
}

static void locked_by_capability(void)
{
    struct rlimit limit = {0, 0};
    static char page[4096] __attribute__((aligned(4096)));
    unsigned long all = sets_get().permitted;

    EXPECT_IS(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    EXPECT_IS(mlock(page, sizeof(page)), 0);
    EXPECT_IS(munlock(page, sizeof(page)), 0);
    EXPECT_IS(sets_set(all & ~BIT(IPC_LOCK), all, 0), 0);
    EXPECT_ERR(mlock(page, sizeof(page)), EPERM);
    EXPECT_IS(sets_set(all, all, 0), 0);
    EXPECT_IS(mlock(page, sizeof(page)), 0);
}

static void ipc_lock_is_without_limit(void)
{
    NEED_ROOT;
    in_child(locked_by_capability);
}

static void not_dumpable(void)
{
    EXPECT_IS(prctl(PR_GET_DUMPABLE), 1);
    EXPECT_IS(setuid(USER), 0);
    EXPECT_IS(prctl(PR_GET_DUMPABLE), 0);
    EXPECT_IS(prctl(PR_SET_DUMPABLE, 1), 0);
    EXPECT_IS(prctl(PR_GET_DUMPABLE), 1);
}

static void who_changes_is_not_dumpable(void)
{
    NEED_ROOT;
    in_child(not_dumpable);
}

static void status_shows(void)
{
    char text[4096], *at;
    unsigned list[2] = {5, 6};

    EXPECT_IS(syscall(SYS_setgroups, 2, list), 0);
    EXPECT_IS(setresgid(1, 2, 3), 0);
    EXPECT_IS(setresuid(7, 8, 9), 0);
    prctl(PR_SET_DUMPABLE, 1);
    int fd = open("/proc/self/status", O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    at = strstr(text, "\nUid:\t7\t8\t9\t8\nGid:\t1\t2\t3\t2\n");
    EXPECT(at != NULL);
    at = strstr(text, "\nGroups:\t5 6 \n");
    EXPECT(at != NULL);
    at = strstr(text, "\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n");
    EXPECT(at != NULL);
    EXPECT(strstr(text, "\nNoNewPrivs:\t0\n") != NULL);
    close(fd);
}

static void status_tells_who(void)
{
    NEED_ROOT;
    in_child(status_shows);
}

/* execve() */

enum { IS_ROOT = 1, IS_SECURE = 2, HAS_KILL = 4 };

/* What a program finds that was started as DIR/set. */
static int report(void)
{
    return (geteuid() == 0 ? IS_ROOT : 0) | (getauxval(AT_SECURE) ? IS_SECURE : 0) |
           (sets_get().effective & BIT(KILL) ? HAS_KILL : 0);
}

static int started(void (*before)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (!pid) {
        before();
        execl(DIR "/set", "set", "report", NULL);
        _exit(99);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void stay(void)
{
}

static void be_user(void)
{
    setuid(USER);
}

static void be_user_for_good(void)
{
    setuid(USER);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void be_user_with_ambient(void)
{
    prctl(PR_SET_KEEPCAPS, 1);
    setuid(USER);
    sets_set(BIT(KILL), BIT(KILL), BIT(KILL));
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, KILL, 0, 0);
}

static bool copy_myself(const char *to)
{
    static char buf[65536];
    int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_CREAT | O_WRONLY, 0700);
    ssize_t n;

    while ((n = read(in, buf, sizeof(buf))) > 0)
        if (write(out, buf, n) != n)
            break;
    close(in);
    close(out);
    return n == 0;
}

static void programs_get_what_their_file_says(void)
{
    NEED_ROOT;
    struct statvfs fs;

    EXPECT_IS(mkdir(DIR, 0755), 0);
    if (statvfs(DIR, &fs) == 0 && (fs.f_flag & ST_NOSUID)) {
        rmdir(DIR);
        SKIP("no set-user-ID here");
    }
    EXPECT(copy_myself(DIR "/set"));
    EXPECT_IS(chmod(DIR "/set", 0755), 0);
    EXPECT_IS(started(stay), IS_ROOT | HAS_KILL);
    EXPECT_IS(started(be_user), 0);
    EXPECT_IS(started(be_user_with_ambient), HAS_KILL);
    EXPECT_IS(chmod(DIR "/set", 04755), 0);
    EXPECT_IS(started(stay), IS_ROOT | HAS_KILL);
    EXPECT_IS(started(be_user), IS_ROOT | IS_SECURE | HAS_KILL);
    EXPECT_IS(started(be_user_for_good), 0);
    EXPECT_IS(chmod(DIR "/set", 0700), 0);
    EXPECT_IS(started(be_user), 99);
    unlink(DIR "/set");
    EXPECT_IS(rmdir(DIR), 0);
}

static char *file_map; /* four pages of a file */

/* One bit per page. */
static unsigned pages_told(void)
{
    unsigned char in[4] = {0};

    EXPECT_IS(mincore(file_map, 4 * PAGE, in), 0);
    return (in[0] & 1) | (in[1] & 1) << 1 | (in[2] & 1) << 2 | (in[3] & 1) << 3;
}

static void others_are_told_nothing(void)
{
    EXPECT_IS(setuid(USER), 0);
    EXPECT_IS(pages_told(), 0xf);
}

static void others_are_told_all(void)
{
    EXPECT_IS(setuid(USER), 0);
    EXPECT_IS(pages_told(), 0x2);
}

static void mincore_is_told_who_may_write(void)
{
    int fd = memfd_create("mincore", 0);

    NEED_ROOT;
    EXPECT_IS(ftruncate(fd, 4 * PAGE), 0);
    EXPECT_IS(pwrite(fd, "x", 1, PAGE), 1);
    EXPECT_IS(fchmod(fd, 0644), 0);
    file_map = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT_IS(pages_told(), 0x2);
    in_child(others_are_told_nothing);
    EXPECT_IS(fchmod(fd, 0666), 0);
    in_child(others_are_told_all);
    EXPECT_IS(fchmod(fd, 0600), 0);
    EXPECT_IS(fchown(fd, USER, USER), 0);
    in_child(others_are_told_all);
    munmap(file_map, 4 * PAGE);
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "report"))
        return report();
    static const struct ktap_test tests[] = {
        TEST(root_becomes_a_user_for_good),
        TEST(effective_user_comes_back_from_saved),
        TEST(file_user_takes_capabilities_of_files),
        TEST(groups_are_sorted_and_kept),
        TEST(dropped_capabilities_are_gone),
        TEST(kept_capabilities_survive_setuid),
        TEST(bounding_set_and_secure_bits),
        TEST(files_ask_owner_group_and_others),
        TEST(root_needs_the_capability),
        TEST(access_asks_for_the_real_user),
        TEST(owner_change_ends_set_id),
        TEST(only_the_same_user_sends_signals),
        TEST(users_keep_to_their_limits),
        TEST(users_have_so_many_processes),
        TEST(low_addresses_need_a_capability),
        TEST(ipc_lock_is_without_limit),
        TEST(who_changes_is_not_dumpable),
        TEST(status_tells_who),
        TEST(programs_get_what_their_file_says),
        TEST(mincore_is_told_who_may_write),
    };
    return KTAP_MAIN(tests);
}
