/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/on_hugetlbfs.c - run a program where huge/ is a hugetlbfs: on_hugetlbfs PROGRAM
 *
 * Room:   tests/conformance.
 * Owns:   /huge of the machine it runs in.
 * Locks:  none.
 * Always: (1) the program starts in the root directory, above huge/.
 * Source: mount(2); Linux tools/testing/selftests/vm/run_vmtests.sh (what it prepares).
 * Tour:   with tests/conformance/run.
 */
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 2)
        return 125;
    mkdir("/huge", 0755);
    if (mount("none", "/huge", "hugetlbfs", 0, NULL) || chdir("/")) {
        perror("on_hugetlbfs");
        return 125;
    }
    execv(argv[1], argv + 1);
    perror(argv[1]);
    return 126;
}
