/* SPDX-License-Identifier: MIT */
/*
 * user/probe.h - try a memory access and learn what happened, instead of dying of it
 *
 * Room:   user. For the tour and the tests in tests/user; libc only.
 * Owns:   the handlers of SIGSEGV and SIGBUS while a probe runs.
 * Locks:  none; for programs with one thread.
 * Always: (1) a probe returns, whatever the access does;
 *         (2) without signals in the kernel (ENOSYS) a child makes the access and is killed by it:
 *             then the signal is known, but not its code and address.
 * Source: sigaction(2) "The siginfo_t argument"; proc_pid_maps(5); proc_meminfo(5).
 * Tour:   before user/tour.c.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL

struct fault {
    int sig;      /* 0: the access went through */
    int code;     /* si_code; 0 when a child was the probe */
    bool details; /* code and address are known */
    const volatile void *addr;
};

enum probe_kind { PROBE_READ, PROBE_WRITE, PROBE_CALL };

static sigjmp_buf probe_return;
static struct fault probe_seen;

__attribute__((unused)) static void probe_handler(int sig, siginfo_t *info, void *context)
{
    (void)context;
    probe_seen = (struct fault){sig, info->si_code, true, info->si_addr};
    siglongjmp(probe_return, 1);
}

__attribute__((unused)) static void probe_access(volatile char *p, enum probe_kind kind)
{
    if (kind == PROBE_READ)
        (void)*p;
    else if (kind == PROBE_WRITE)
        *p = 1;
    else
        ((void (*)(void))(uintptr_t)p)();
}

__attribute__((unused)) static struct fault probe_in_child(volatile char *p, enum probe_kind kind)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        probe_access(p, kind);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return (struct fault){.sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0};
}

/* Read, write or call the byte at @p. */
__attribute__((unused)) static struct fault probe(const volatile void *p, enum probe_kind kind)
{
    struct sigaction catcher = {.sa_sigaction = probe_handler, .sa_flags = SA_SIGINFO}, segv, bus;

    if (sigaction(SIGSEGV, &catcher, &segv) < 0 || sigaction(SIGBUS, &catcher, &bus) < 0)
        return probe_in_child((volatile char *)p, kind);
    probe_seen = (struct fault){.details = true};
    if (sigsetjmp(probe_return, 1) == 0)
        probe_access((volatile char *)p, kind);
    sigaction(SIGSEGV, &segv, NULL);
    sigaction(SIGBUS, &bus, NULL);
    return probe_seen;
}

/* Read a whole small file into @buf as a string. Returns its length, or -1. */
__attribute__((unused)) static ssize_t slurp(const char *path, char *buf, size_t size)
{
    size_t len = 0;
    ssize_t n;
    int fd = open(path, O_RDONLY);

    if (fd < 0)
        return -1;
    while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
        len += (size_t)n;
    close(fd);
    buf[len] = '\0';
    return (ssize_t)len;
}

/* A line of /proc/meminfo, as "DirectMap4k". Returns its number (kB or pages), or -1. */
__attribute__((unused)) static long meminfo(const char *name)
{
    static char text[8192];
    size_t len = strlen(name);

    if (slurp("/proc/meminfo", text, sizeof text) < 0)
        return -1;
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, name, len) && line[len] == ':')
            return strtol(line + len + 1, NULL, 10);
        if (!*line)
            break;
    }
    return -1;
}

/* How many mappings /proc/self/maps shows in [start, start + len). -1: there is no such file. */
__attribute__((unused)) static int maps_count(const void *start, size_t len)
{
    static char text[65536];
    uintptr_t from, to, lo = (uintptr_t)start, hi = lo + len;
    int count = 0;

    if (slurp("/proc/self/maps", text, sizeof text) < 0)
        return -1;
    for (char *line = text; *line;) {
        char *end = strchr(line, '\n');

        if (sscanf(line, "%lx-%lx", &from, &to) == 2 && from < hi && to > lo)
            count++;
        if (!end)
            break;
        line = end + 1;
    }
    return count;
}

/* The rights that /proc/self/maps shows for the mapping at @p, such as "rw-p"; "" if none. */
__attribute__((unused)) static const char *maps_rights(const void *p)
{
    static char text[65536], rights[8];
    uintptr_t from, to, addr = (uintptr_t)p;

    if (slurp("/proc/self/maps", text, sizeof text) < 0)
        return "";
    for (char *line = text; *line; line++) {
        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) == 3 && from <= addr && addr < to)
            return rights;
        line = strchr(line, '\n');
        if (!line)
            break;
    }
    return "";
}
