/* SPDX-License-Identifier: MIT */
/*
 * kernel/syscall.h - the system calls, as C functions
 *
 * Room:   kernel. Only kernel/syscall.c calls these.
 * Owns:   nothing. Calls about files are in kernel/sys_fs.h.
 * Locks:  none at entry.
 * Always: (1) the result is a value or a negative errno; (2) user pointers are user_addr_t;
 *         (3) a call that must see or change the program's registers asks for user_frame().
 * Source: syscalls(2) and the man page of each.
 * Tour:   with kernel/syscall.c.
 */
#pragma once

#include "task.h"
#include <lib/addr.h>
#include <stddef.h>
#include <stdint.h>

/* The registers of the running program. */
static inline struct trap_frame *user_frame(void)
{
    return context_frame(&task_current()->context);
}

/* clone.c */
int64_t sys_clone(uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t child_tid,
                  uint64_t tls);
int64_t sys_clone3(user_addr_t args, size_t size);
int64_t sys_fork(void);
int64_t sys_vfork(void);
int64_t sys_unshare(uint64_t flags);
int64_t sys_setns(int fd, int kind);

/* exit.c, wait.c */
int64_t sys_exit(int code);
int64_t sys_exit_group(int code);
int64_t sys_wait4(int pid, user_addr_t status_out, int options, user_addr_t rusage);
int64_t sys_waitid(int which, int id, user_addr_t info, int options, user_addr_t rusage);

/* pids.c */
int64_t sys_getpid(void);
int64_t sys_gettid(void);
int64_t sys_getppid(void);
int64_t sys_set_tid_address(uint64_t at);
int64_t sys_getpgid(int pid);
int64_t sys_getpgrp(void);
int64_t sys_getsid(int pid);
int64_t sys_setpgid(int pid, int pgid);
int64_t sys_setsid(void);

/* kill.c */
int64_t sys_kill(int pid, int signo);
int64_t sys_tgkill(int pid, int tid, int signo);
int64_t sys_tkill(int tid, int signo);
int64_t sys_rt_sigqueueinfo(int pid, int signo, user_addr_t from);
int64_t sys_rt_tgsigqueueinfo(int pid, int tid, int signo, user_addr_t from);

/* ptrace.c, vm_access.c */
int64_t sys_ptrace(int64_t request, int tid, uint64_t addr, uint64_t data);
int64_t sys_process_vm_readv(int pid, user_addr_t lvec, uint64_t nr_local, user_addr_t rvec,
                             uint64_t nr_remote, uint64_t flags);
int64_t sys_process_vm_writev(int pid, user_addr_t lvec, uint64_t nr_local, user_addr_t rvec,
                              uint64_t nr_remote, uint64_t flags);

/* exec.c */
int64_t sys_execve(user_addr_t path, user_addr_t argv, user_addr_t envp);
int64_t sys_execveat(int dirfd, user_addr_t path, user_addr_t argv, user_addr_t envp, int flags);

/* sys_signal.c, sigframe.c */
int64_t sys_rt_sigaction(int signo, user_addr_t new, user_addr_t old, size_t set_size);
int64_t sys_rt_sigprocmask(int how, user_addr_t new, user_addr_t old, size_t set_size);
int64_t sys_rt_sigpending(user_addr_t set, size_t set_size);
int64_t sys_rt_sigsuspend(user_addr_t mask, size_t set_size);
int64_t sys_rt_sigreturn(void);
int64_t sys_rt_sigtimedwait(user_addr_t uset, user_addr_t info_out, user_addr_t timeout,
                            size_t set_size);
int64_t sys_sigaltstack(user_addr_t new, user_addr_t old);
int64_t sys_pause(void);

/* futex.c */
void futex_boot_init(void);
int64_t sys_futex(uint64_t address, int op, uint32_t value, user_addr_t timeout, uint64_t address2,
                  uint32_t value3);
int64_t sys_set_robust_list(uint64_t head, size_t len);
int64_t sys_get_robust_list(int tid, user_addr_t head_out, user_addr_t len_out);

/* rseq.c */
int64_t sys_rseq(uint64_t address, uint32_t len, int flags, uint32_t signature);
int64_t sys_membarrier(int command, unsigned flags, int cpu);

/* clock.c */
int64_t sys_clock_gettime(int clock, user_addr_t out);
int64_t sys_clock_getres(int clock, user_addr_t out);
int64_t sys_gettimeofday(user_addr_t tv, user_addr_t tz);
int64_t sys_time(user_addr_t out);
int64_t sys_nanosleep(user_addr_t request, user_addr_t left);
int64_t sys_clock_nanosleep(int clock, int flags, user_addr_t request, user_addr_t left);
int64_t sys_restart_syscall(void);
int64_t sys_getrusage(int who, user_addr_t out);
int64_t sys_times(user_addr_t out);

/* timer.c */
int64_t sys_alarm(unsigned seconds);
int64_t sys_getitimer(int which, user_addr_t out);
int64_t sys_setitimer(int which, user_addr_t in, user_addr_t out);
int64_t sys_timer_create(int clock, user_addr_t event_at, user_addr_t id_out);
int64_t sys_timer_settime(int id, int flags, user_addr_t in, user_addr_t out);
int64_t sys_timer_gettime(int id, user_addr_t out);
int64_t sys_timer_getoverrun(int id);
int64_t sys_timer_delete(int id);

/* sys_sched.c */
int64_t sys_sched_yield(void);
int64_t sys_sched_getaffinity(int pid, size_t len, user_addr_t out);
int64_t sys_sched_setaffinity(int pid, size_t len, user_addr_t in);
int64_t sys_getcpu(user_addr_t cpu_out, user_addr_t node_out);
int64_t sys_sched_getscheduler(int pid);
int64_t sys_sched_setscheduler(int pid, int policy, user_addr_t param);
int64_t sys_sched_getparam(int pid, user_addr_t out);
int64_t sys_sched_setparam(int pid, user_addr_t param);
int64_t sys_sched_get_priority_max(int policy);
int64_t sys_sched_get_priority_min(int policy);
int64_t sys_sched_rr_get_interval(int pid, user_addr_t out);
int64_t sys_getpriority(int which, int who);
int64_t sys_setpriority(int which, int who, int nice);

/* sys_mm.c */
int64_t sys_mmap(uint64_t addr, uint64_t len, uint64_t prot, uint64_t flags, int fd,
                 uint64_t offset);
int64_t sys_munmap(uint64_t addr, uint64_t len);
int64_t sys_mprotect(uint64_t addr, uint64_t len, uint64_t prot);
int64_t sys_pkey_mprotect(uint64_t addr, uint64_t len, uint64_t prot, int pkey);
int64_t sys_remap_file_pages(uint64_t start, uint64_t len, uint64_t prot, uint64_t pgoff,
                             uint64_t flags);
int64_t sys_mseal(uint64_t addr, uint64_t len, uint64_t flags);
int64_t sys_pkey_alloc(uint64_t flags, uint64_t rights);
int64_t sys_pkey_free(int key);
int64_t sys_mremap(uint64_t old, uint64_t old_len, uint64_t new_len, uint64_t flags,
                   uint64_t new_addr);
/* mempolicy.c */
int64_t sys_mbind(uint64_t addr, uint64_t len, unsigned mode, user_addr_t nodes, uint64_t nr,
                  unsigned flags);
int64_t sys_set_mempolicy(unsigned mode, user_addr_t nodes, uint64_t nr);
int64_t sys_get_mempolicy(user_addr_t mode, user_addr_t nodes, uint64_t nr, uint64_t addr,
                          unsigned flags);
int64_t sys_migrate_pages(int pid, uint64_t nr, user_addr_t from, user_addr_t to);
int64_t sys_move_pages(int pid, uint64_t nr, user_addr_t pages, user_addr_t nodes,
                       user_addr_t status, int flags);

/* madvise(2) in any address space. 0 or a negative errno. */
int madvise_in(struct mm *mm, uint64_t addr, uint64_t len, int advice);
int64_t sys_madvise(uint64_t addr, uint64_t len, int advice);
int64_t sys_brk(uint64_t wanted);
int64_t sys_mlock(uint64_t addr, uint64_t len);
int64_t sys_mlock2(uint64_t addr, uint64_t len, int flags);
int64_t sys_munlock(uint64_t addr, uint64_t len);
int64_t sys_mlockall(int flags);
int64_t sys_munlockall(void);
int64_t sys_mincore(uint64_t addr, uint64_t len, user_addr_t out);
/* sysv_shm.c, sysv_shmctl.c, sysv_sem.c, sysv_semctl.c */
int64_t sys_shmget(int key, size_t size, int flags);
int64_t sys_shmat(int id, uint64_t addr, int flags);
int64_t sys_shmdt(uint64_t addr);
int64_t sys_shmctl(int id, int cmd, user_addr_t buf);
int64_t sys_semget(int key, int nr, int flags);
int64_t sys_semop(int id, user_addr_t ops, size_t nr);
int64_t sys_semtimedop(int id, user_addr_t ops, size_t nr, user_addr_t timeout);
int64_t sys_semctl(int id, int n, int cmd, uint64_t arg);

int64_t sys_msync(uint64_t addr, uint64_t len, int flags);

/* memfd.c */
int64_t sys_memfd_create(user_addr_t name, unsigned flags);
int64_t sys_memfd_secret(unsigned flags);

/* sys_misc.c */
int64_t sys_uname(user_addr_t out);
int64_t sys_arch_prctl(int code, uint64_t addr);
int64_t sys_prlimit64(int pid, unsigned which, user_addr_t new, user_addr_t old);
int64_t sys_getrlimit(unsigned which, user_addr_t out);
int64_t sys_setrlimit(unsigned which, user_addr_t in);
int64_t sys_getrandom(user_addr_t buf, size_t len, unsigned flags);
int64_t sys_personality(uint32_t wanted);
int64_t sys_prctl(int option, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
int64_t sys_sysinfo(user_addr_t out);
int64_t sys_reboot(unsigned magic1, unsigned magic2, unsigned cmd);

/* sys_log.c */
int64_t sys_syslog(int action, user_addr_t out, int len);

/* sys_cred.c */
int64_t sys_getuid(void);
int64_t sys_geteuid(void);
int64_t sys_getgid(void);
int64_t sys_getegid(void);
int64_t sys_getresuid(user_addr_t real, user_addr_t effective, user_addr_t saved);
int64_t sys_getresgid(user_addr_t real, user_addr_t effective, user_addr_t saved);
int64_t sys_setuid(uint32_t uid);
int64_t sys_setgid(uint32_t gid);
int64_t sys_setreuid(uint32_t real, uint32_t effective);
int64_t sys_setregid(uint32_t real, uint32_t effective);
int64_t sys_setresuid(uint32_t real, uint32_t effective, uint32_t saved);
int64_t sys_setresgid(uint32_t real, uint32_t effective, uint32_t saved);
int64_t sys_setfsuid(uint32_t uid);
int64_t sys_setfsgid(uint32_t gid);
int64_t sys_getgroups(int size, user_addr_t list);
int64_t sys_setgroups(int size, user_addr_t list);
int64_t sys_capget(user_addr_t header_at, user_addr_t data_at);
int64_t sys_capset(user_addr_t header_at, user_addr_t data_at);

/* The options of prctl(2) about credentials; -EINVAL for all others. */
int64_t prctl_cred(int option, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
