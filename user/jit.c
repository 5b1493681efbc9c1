/* SPDX-License-Identifier: MIT */
/*
 * user/jit.c - a compiler in 100 lines, and everything that keeps its code from being anybody's
 *
 *   jit EXPRESSION     compiles a sum and products of numbers, as "6 * 7 + 1", and runs it
 *   jit                the same, then each way in which a page could be written and executed
 *
 * Room:   user. A static Linux program; on Linux it prints the same, but for what only Bulla does.
 * Owns:   nothing outside this process.
 * Locks:  none.
 * Always: (1) code is written while it cannot be executed, and executed while it cannot be written;
 *         (2) the exit status is 0 if and only if all that is said at the end was seen.
 * Source: mprotect(2), PR_SET_MDWE(2const), fcntl(2) "File Sealing"; beyond-linux.md 5.
 * Tour:   after user/tour.c; then mm/protect.c, mm/wx.c.
 */
#define _GNU_SOURCE
#include "../include/uapi/bulla.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE           4096UL
#define RW             (PROT_READ | PROT_WRITE)
#define RX             (PROT_READ | PROT_EXEC)
#define SET_MDWE       65 /* PR_SET_MDWE */
#define REFUSE_GAIN    1L /* PR_MDWE_REFUSE_EXEC_GAIN */
#define ALLOW_SEALING  2U
#define ADD_SEALS      1033 /* F_ADD_SEALS */
#define TERM_BYTES_MAX 32   /* of code for one number */

typedef long (*compiled)(void);

static unsigned char *emit(unsigned char *at, const void *code, size_t len)
{
    memcpy(at, code, len);
    return at + len;
}

/* mov rcx, @value */
static unsigned char *emit_number(unsigned char *at, long value)
{
    at = emit(at, "\x48\xb9", 2);
    return emit(at, &value, sizeof(value));
}

/* The code of @source, into [at, end). NULL: it is no such expression, or it is too long. */
static unsigned char *compile(const char *source, unsigned char *at, const unsigned char *end)
{
    char *rest;
    bool multiply = false;

    at = emit(at, "\x31\xc0\x31\xd2", 4); /* xor eax, eax; xor edx, edx */
    for (;; source = rest + 1) {
        long value = strtol(source, &rest, 10);
        if (rest == source || at + TERM_BYTES_MAX > end)
            return NULL;
        at = emit_number(at, value);
        at = multiply ? emit(at, "\x48\x0f\xaf\xd1", 4) /* imul rdx, rcx */
                      : emit(at, "\x48\x89\xca", 3);    /* mov rdx, rcx */
        rest += strspn(rest, " ");
        multiply = *rest == '*';
        if (!multiply)
            at = emit(at, "\x48\x01\xd0", 3); /* add rax, rdx */
        if (!*rest)
            return emit(at, "\xc3", 1); /* ret */
        if (*rest != '+' && *rest != '*')
            return NULL;
    }
}

/* Written, then executed: 0 with its value in *@value, or an error. */
static int run(const char *source, long *value)
{
    unsigned char *page = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int err = 0;

    if (page == MAP_FAILED)
        return errno;
    if (!compile(source, page, page + PAGE))
        err = EINVAL;
    else if (mprotect(page, PAGE, RX))
        err = errno;
    else
        *value = ((compiled)page)();
    munmap(page, PAGE);
    return err;
}

/* The same through two mappings of one file, of which neither is ever changed. */
static int run_by_alias(const char *source, int seals, long *value)
{
    int fd = (int)syscall(SYS_memfd_create, "jit", ALLOW_SEALING), err = 0;

    if (fd < 0 || ftruncate(fd, PAGE) || (seals && fcntl(fd, ADD_SEALS, seals)))
        err = errno;
    unsigned char *data = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    unsigned char *code = err ? MAP_FAILED : mmap(NULL, PAGE, RX, MAP_SHARED, fd, 0);
    if (!err && code == MAP_FAILED)
        err = errno;
    if (!err && !compile(source, data, data + PAGE))
        err = EINVAL;
    if (!err)
        *value = ((compiled)code)();
    if (code != MAP_FAILED)
        munmap(code, PAGE);
    if (data != MAP_FAILED)
        munmap(data, PAGE);
    close(fd);
    return err;
}

static const char sample[] = "6 * 7 + 1";

static int by_protect(long *value)
{
    return run(sample, value);
}

static int by_protect_refused(long *value)
{
    return prctl(SET_MDWE, REFUSE_GAIN, 0L, 0L, 0L) ? errno : run(sample, value);
}

static int by_both(long *value)
{
    unsigned char *page = mmap(NULL, PAGE, RW | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return errno;
    compile(sample, page, page + PAGE);
    *value = ((compiled)page)();
    return 0;
}

static int by_both_refused(long *value)
{
    return prctl(SET_MDWE, REFUSE_GAIN, 0L, 0L, 0L) ? errno : by_both(value);
}

static int by_alias_refused(long *value)
{
    int err = prctl(SET_MDWE, REFUSE_GAIN, 0L, 0L, 0L) ? errno : 0;
    return err ? err : run_by_alias(sample, 0, value);
}

static int by_sealed_alias(long *value)
{
    return run_by_alias(sample, (int)F_SEAL_NEVER_EXEC, value);
}

/* What this kernel says to a way, in a child: it may give up rights for good. */
static int outcome_of(int (*way)(long *value))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        long value = 0;
        int err = way(&value);
        _exit(err ? err : value == 43 ? 0 : 255);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* @may: another answer that is right: of a kernel that refuses more, or does not know the seal. */
static const struct {
    const char *what;
    int (*way)(long *value);
    int expected, may;
} ways[] = {
    {"written, then made executable", by_protect, 0, EACCES},
    {"the same under MDWE", by_protect_refused, EACCES, EACCES},
    {"writable and executable", by_both, 0, EACCES},
    {"the same under MDWE", by_both_refused, EACCES, EACCES},
    {"two mappings of a file, under MDWE", by_alias_refused, 0, EACCES},
    {"two mappings of a file that is sealed", by_sealed_alias, EPERM, EINVAL},
};

static int show_ways(void)
{
    int failures = 0;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        int seen = outcome_of(ways[i].way);
        bool right = seen == ways[i].expected || seen == ways[i].may;
        printf("%-40s %s%s\n", ways[i].what, seen ? strerror(seen) : "runs",
               right ? "" : "  (wrong)");
        failures += !right;
    }
    return failures ? 1 : 0;
}

int main(int argc, char **argv)
{
    const char *source = argc > 1 ? argv[1] : sample;
    long value;

    int err = run(source, &value);
    if (err)
        printf("%s: %s\n", source, strerror(err));
    else
        printf("%s = %ld\n", source, value);
    if (argc > 1)
        return err ? 1 : 0;
    return show_ways();
}
