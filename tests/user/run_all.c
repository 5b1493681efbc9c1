/* SPDX-License-Identifier: MIT */
/*
 * tests/user/run_all.c - run several programs in one boot, and mark where each begins and ends
 *
 * Room:   tests/user. The job of tests/user/compare; runs on Linux and on Bulla.
 * Owns:   the lines that begin with "==".
 * Locks:  none.
 * Always: (1) a program's marks stand on lines of their own, before and after all its output;
 *         (2) a program that dies does not keep the next one from running.
 * Source: -
 * Tour:   before tests/user/compare.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Returns the status as a shell would: the exit code, or 128 + the signal. */
static int run(char *path)
{
    char *args[] = {path, NULL}, *env[] = {"NO_COLOR=1", NULL};
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        execve(path, args, env);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return 126;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        printf("== %s\n", base_name(argv[i]));
        fflush(stdout);
        int status = run(argv[i]);
        printf("\n== end %d\n", status);
        fflush(stdout);
    }
    return 0;
}
