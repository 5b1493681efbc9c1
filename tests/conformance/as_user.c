/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/as_user.c - run a program as another user: as_user UID PROGRAM [ARGS...]
 *
 * Room:   tests/conformance.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the program has no capabilities and no groups of root.
 * Source: setuid(2), setgroups(2).
 * Tour:   with tests/conformance/run.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 3)
        return 125;
    unsigned user = strtoul(argv[1], NULL, 10);
    if (setgroups(0, NULL) || setgid(user) || setuid(user)) {
        perror("as_user");
        return 125;
    }
    execv(argv[2], argv + 2);
    perror(argv[2]);
    return 126;
}
