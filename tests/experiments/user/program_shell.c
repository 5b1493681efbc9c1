/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/program_shell.c - a process for each command, output through a pipe
 *
 * Room:   user.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) what is started is this program itself, which ends at once (-x).
 * Source: dash(1), for the work of a pipeline.
 * Tour:   after tests/experiments/user/programs.h.
 */
#include "programs.h"

#include <fcntl.h>

#define OUTPUT 4096

static void run_command(unsigned thread)
{
    char output[OUTPUT];
    int ends[2];

    (void)thread;
    MUST(pipe2(ends, O_CLOEXEC) == 0);
    pid_t child = fork();
    if (child == 0) {
        memset(output, 'o', sizeof(output));
        if (write(ends[1], output, sizeof(output)) == sizeof(output))
            execl("/proc/self/exe", "lab", "-x", NULL);
        _exit(1);
    }
    close(ends[1]);
    while (read(ends[0], output, sizeof(output)) > 0)
        ;
    close(ends[0]);
    int status = 1;
    MUST(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

const struct program program_shell = {.name = "shell", .work = run_command, .operations = 4};

EXPERIMENT(program_shell, .title = "A shell: fork, 4 KiB through a pipe, execve, exit, wait",
           .x_axis = "threads", .bare = "Whole address spaces come and go; few others have them.",
           .virt = LAB_VIRT_CALL)
{
    program_measure(&program_shell);
}
