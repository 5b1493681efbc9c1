/* SPDX-License-Identifier: MIT */
/*
 * user/hello.c - the smallest useful program: greet, name the arguments, succeed
 *
 * Room:   user. An ordinary static Linux program; knows libc and nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the exit status is 0 when the greeting could be written.
 * Source: -
 * Tour:   before user/init.c.
 */
#include <stdio.h>

int main(int argc, char **argv)
{
    printf("Hello, world\n");
    for (int i = 1; i < argc; i++)
        printf("argument %d: %s\n", i, argv[i]);
    return fflush(stdout) == 0 ? 0 : 1;
}
